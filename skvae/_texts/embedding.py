"""Vectors of texts from a model of the user's: anything that turns a list of str into a 2-D float array."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from .._base.progress import Progress
from .._base.statistics import centre_and_spread
from .documents import spread_rows
from .ngram_vectors import LENGTH

_LINES_OF_PROGRESS = 10
_PLAIN = (bool, int, float, str)
_TEXTS_PER_CALL = 1_024
_TEXTS_TO_CENTRE_BY = 10_000
_EXPECTED = (
    "expected a scikit-learn transformer, an object with a method encode or embed, or a function, that turns a list of"
    " str into a float array of shape (n_texts, n_dims)"
)


class FittedEmbedder:
    """A model of the user's, and the statistics of its output on the training texts.

    Embeddings are centred, and scaled as a whole to the length of documents' vectors of n-grams.

    Parameters
    ----------
    model : object
        Fitted, if it is a scikit-learn transformer.

    Attributes
    ----------
    centre : ndarray of shape (n_dims,), dtype float32
        Mean of the training texts' embeddings.
    spread : float
        Root mean square of their distance from it, divided by the common length.
    """

    centre: NDArray[np.float32]
    spread: float

    def __init__(self, model: Any) -> None:
        self.model = model

    @classmethod
    def fit(
        cls, model: Any, texts: Sequence[Any], seed: int, progress: Progress | None = None
    ) -> tuple[FittedEmbedder, NDArray[np.float32]]:
        """An embedder for some texts, and their embeddings.

        Parameters
        ----------
        model : object
            The user's parameter; a scikit-learn transformer is cloned and fitted.
        texts : sequence of str, or of lists of tokens
        seed : int
            For the parameters `random_state` of a transformer that are None.
        progress : Progress or None, default=None
            Told of parts of the texts.
        """
        if _is_transformer(model):
            model = _seeded(clone(model), seed)
            model.fit(_as_texts(texts))
        embedder = cls(model)
        embeddings = embedder._embed(texts, None, progress or Progress())
        some = embeddings[spread_rows(len(embeddings), _TEXTS_TO_CENTRE_BY)]
        embedder.centre, spread = centre_and_spread(some)
        embedder.spread = float(np.linalg.norm(spread)) / LENGTH or 1.0
        return embedder, embedder._standardised(embeddings)

    @property
    def n_dims(self) -> int:
        """Width of the embeddings."""
        return len(self.centre)

    def was_made_from(self, model: Any) -> bool:
        """Whether this may be the user's parameter that the embedder was fitted from."""
        if model is self.model:
            return True
        if type(model) is not type(self.model) or not hasattr(model, "get_params"):
            return False
        ours, theirs = self.model.get_params(), model.get_params()
        return ours.keys() == theirs.keys() and all(
            theirs[name] == value
            for name, value in ours.items()
            if isinstance(value, _PLAIN) and not (name.endswith("random_state") and theirs[name] is None)
        )

    def read(self, texts: Sequence[Any]) -> NDArray[np.float32]:
        """Embeddings of texts, of shape (n_texts, n_dims), dtype float32."""
        return self._standardised(self._embed(texts, self.n_dims, Progress()))

    def _standardised(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray((embeddings - self.centre) / np.float32(self.spread))

    def _embed(self, texts: Sequence[Any], n_dims: int | None, progress: Progress) -> NDArray[np.float32]:
        embed, parts = _function_of(self.model), []
        # Each once: copies cost nothing, and have the same bits.
        row_of = {text: row for row, text in enumerate(dict.fromkeys(_as_texts(texts)))}
        rows = np.fromiter((row_of[text] for text in _as_texts(texts)), dtype=np.int64, count=len(texts))
        distinct = list(row_of)
        starts = range(0, len(distinct), _TEXTS_PER_CALL)
        what = f"embedding of {len(distinct):,} different texts, part"
        rounds = progress.rounds(what, len(starts), min(len(starts), _LINES_OF_PROGRESS))
        for start in starts:
            given = distinct[start : start + _TEXTS_PER_CALL]
            part = self._checked(embed(given), given, n_dims)
            n_dims = part.shape[1]
            parts.append(part)
            rounds.done()
        return np.concatenate(parts)[rows] if parts else np.zeros((0, n_dims or 0), dtype=np.float32)

    def _checked(self, output: Any, texts: list[str], n_dims: int | None) -> NDArray[np.float32]:
        name, n_texts = _name_of(self.model), len(texts)
        try:
            # A copy, since some models return the same array each time.
            embeddings = np.array(list(output) if isinstance(output, Iterator) else output, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"the embedder, {name}, returned a {type(output).__name__} that is not an array of numbers"
                f" ({error}); {_EXPECTED}."
            ) from error
        shape = embeddings.shape
        fits = len(shape) == 2 and shape[0] == n_texts and (shape[1] == n_dims if n_dims else shape[1] > 0)
        if not fits:
            raise ValueError(
                f"the embedder, {name}, returned an array of shape {shape} for {n_texts} different texts; expected"
                f" ({n_texts}, {n_dims}), the width of the texts before."
                if n_dims
                else f"the embedder, {name}, returned an array of shape {shape} for {n_texts} different texts; expected"
                f" ({n_texts}, n_dims)."
            )
        if not np.isfinite(embeddings).all():
            row = int(np.flatnonzero(~np.isfinite(embeddings).all(axis=1))[0])
            raise ValueError(
                f"the embedder, {name}, returned NaN or infinity for {int((~np.isfinite(embeddings)).any(axis=1).sum())} of"
                f" {n_texts} different texts, the first of which is {texts[row][:60]!r}; expected finite numbers."
            )
        return embeddings

    def __getstate__(self) -> dict[str, Any]:
        try:
            pickle.Pickler(_Nowhere(), protocol=pickle.HIGHEST_PROTOCOL).dump(self.model)
        except Exception as error:
            raise TypeError(
                f"the embedder, {_name_of(self.model)}, cannot be pickled ({error}). Define a function in a module"
                " instead of a lambda; or give the embedder's class a method __reduce__ that loads the model anew."
            ) from error
        return dict(vars(self))


def _seeded(model: Any, seed: int) -> Any:
    """The model, with the seed in each parameter `random_state` that is None, at any depth."""
    unset = [
        name
        for name, value in model.get_params().items()
        if value is None and name.rpartition("__")[2] == "random_state"
    ]
    return model.set_params(**dict.fromkeys(unset, seed)) if unset else model


class _Nowhere:
    """A file that keeps nothing."""

    def write(self, data: Any) -> int:
        # Large arrays arrive as a `PickleBuffer`, which has no length.
        return memoryview(data).nbytes


def _is_transformer(model: Any) -> bool:
    return not isinstance(model, type) and hasattr(model, "fit") and hasattr(model, "transform")


def check_embedder(model: Any) -> None:
    """Raise a TypeError unless the user's parameter can be an embedder."""
    _function_of(model)


def _function_of(model: Any) -> Callable[[list[str]], Any]:
    if isinstance(model, type):
        raise TypeError(f"embedder={_name_of(model)} is a class; pass an object of it.")
    if isinstance(model, str | PurePath):
        raise TypeError(
            f"embedder is the {type(model).__name__} {str(model)!r}; pass the loaded model itself, for example"
            " SentenceTransformer(...)."
        )
    if _is_transformer(model):
        return model.transform  # type: ignore[no-any-return]
    for name in ("encode", "embed"):
        if callable(getattr(model, name, None)):
            return getattr(model, name)  # type: ignore[no-any-return]
    if callable(model):
        return model  # type: ignore[no-any-return]
    if hasattr(model, "key_to_index") or isinstance(model, dict):
        raise TypeError(
            f"embedder is a {type(model).__name__}, which has vectors of words; pass skvae.WordVectors(...) of it."
        )
    raise TypeError(f"embedder is a {type(model).__name__}; {_EXPECTED}.")


def _name_of(model: Any) -> str:
    named = model if hasattr(model, "__qualname__") else type(model)
    kind = "the function " if named is model and not isinstance(model, type) else ""
    return f"{kind}{named.__qualname__}"


def _as_texts(texts: Iterable[Any]) -> list[str]:
    return [text if isinstance(text, str) else " ".join(text) for text in texts]
