"""WordVectors: texts to means of word vectors that the user has."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from ._base.stacklevel import stacklevel_of_user
from ._estimator.sklearn import DocumentedMixin, clone_that_shares
from ._texts.corpus import Corpus
from ._texts.splitting import clean, split_words
from ._texts.validation import check_documents

_LOW_COVERAGE = 0.5


class WordVectors(DocumentedMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Embeds texts by the mean of their words' vectors, weighted by smooth inverse frequency.

    A word of frequency p in the training texts has the weight smoothing / (smoothing + p) [1]_. The common direction of
    the training texts' means, their first singular vector, is removed from all. Words and marks are those of
    `TextTokenizer()`; they are looked up as they are written, then in lower case. Words that are not in the training texts are
    left out, whether they have a vector or not.

    Parameters
    ----------
    vectors : mapping of str to array, gensim KeyedVectors, or tuple
        The vectors: a mapping from word to 1-D array; an object with `key_to_index` and `vectors`; or words and
        a float array of shape (n_words, n_dims). With a fitted estimator, only the vectors of the training texts' words are pickled.

    smoothing : float, default=1e-3
        The smaller it is, the less frequent words count.

    Attributes
    ----------
    vocabulary_ : dict of str to int
        Row of each word of the training texts that has a vector.

    vectors_ : ndarray of shape (n_words, n_dims), dtype float32
        Their vectors, multiplied by their weights.

    common_ : ndarray of shape (n_dims,), dtype float32
        The direction that is removed; zeros if there is one text, or one dimension.

    coverage_ : float
        Share of the words and marks of the training texts that have a vector.

    References
    ----------
    .. [1] S. Arora, Y. Liang and T. Ma, "A Simple but Tough-to-Beat Baseline for Sentence Embeddings", ICLR 2017.
       https://openreview.net/forum?id=SyK00v5xx

    Examples
    --------
    >>> from skvae import WordVectors
    >>> vectors = {"good": [1.0, 0.0], "fine": [0.9, 0.1], "bad": [-1.0, 0.2], "film": [0.0, 1.0]}
    >>> embedder = WordVectors(vectors).fit(["a good film", "a bad film", "a fine film"])
    >>> embedder.transform(["good", "bad"]).shape
    (2, 2)
    >>> sorted(embedder.vocabulary_)
    ['bad', 'film', 'fine', 'good']
    """

    vocabulary_: dict[str, int]
    vectors_: NDArray[np.float32]
    common_: NDArray[np.float32]
    coverage_: float
    _rows: NDArray[np.float32]

    def __init__(self, vectors: Any, *, smoothing: float = 1e-3) -> None:
        self.vectors = vectors
        self.smoothing = smoothing

    def fit(self, X: Any, y: Any = None) -> WordVectors:
        """Keep the vectors of the texts' words, and learn their frequencies.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,)
            Texts.
        y : None
            Ignored.

        Returns
        -------
        self : WordVectors

        Raises
        ------
        ValueError
            If no word of the texts has a vector, if vectors differ in length or are not finite, or if `smoothing` is not positive.
        TypeError
            If `vectors` is none of the three kinds.

        Warns
        -----
        UserWarning
            If less than half of the words have a vector.
        """
        if not isinstance(self.smoothing, Real) or not 0 < float(self.smoothing) < np.inf:
            raise ValueError(f"smoothing={self.smoothing!r}; expected a finite number above 0.")
        table = _Table(self.vectors)
        words, corpus = _words_of(X)
        counts = np.bincount(corpus.ids, minlength=len(words))
        known: dict[str, int] = {}
        for number in np.flatnonzero(counts):
            name = table.name_of(words[number])
            if name is not None:
                known[name] = known.get(name, 0) + int(counts[number])
        if not known:
            raise ValueError(
                f"none of the {np.count_nonzero(counts):,} different words of X has a vector; check that vectors are of the"
                " language of the texts, and that their words are written in the same way."
            )
        frequency = np.array(list(known.values())) / counts.sum()
        weight = self.smoothing / (self.smoothing + frequency)
        rows = table.rows(list(known))
        vectors = (rows * weight[:, None]).astype(np.float32)
        if frequency.sum() < _LOW_COVERAGE:
            warnings.warn(
                f"only {frequency.sum():.0%} of the words of X have a vector; the rest is not seen. Check that vectors are of"
                " the language of the texts.",
                UserWarning,
                stacklevel=stacklevel_of_user(),
            )
        self.coverage_ = float(frequency.sum())
        self.vocabulary_ = {word: row for row, word in enumerate(known)}
        self.vectors_ = vectors
        self._rows = rows
        means = self._means(words, corpus)
        self.common_ = np.zeros(vectors.shape[1], dtype=np.float32)
        # Without it, nothing would be left of a single dimension or a single text.
        if min(means.shape) > 1:
            self.common_ = np.linalg.eigh(means.T @ means)[1][:, -1].astype(np.float32)
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Embed texts.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,)
            Texts.

        Returns
        -------
        embeddings : ndarray of shape (n_samples, n_dims), dtype float32
            Zero for a text without a known word.
        """
        check_is_fitted(self)
        means = self._means(*_words_of(X))
        return np.asarray(means - (means @ self.common_)[:, None] * self.common_)

    def _means(self, words: list[str], corpus: Corpus) -> NDArray[np.float32]:
        """Means of the known words' vectors, of shape (n_documents, n_dims)."""
        rows = self.vocabulary_
        columns = np.array([rows.get(word, rows.get(word.lower(), -1)) for word in words], dtype=np.int64)
        counts = corpus.counts(len(rows), columns=columns)
        sums = np.asarray(counts @ self.vectors_)
        return np.asarray(sums / np.maximum(counts.sum(axis=1), 1)[:, None])

    @property
    def _n_features_out(self) -> int:
        return int(self.vectors_.shape[1])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        return tags

    def __sklearn_clone__(self) -> WordVectors:
        # The vectors are never changed, and can be large.
        return clone_that_shares(self, "vectors")  # type: ignore[no-any-return]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get the parameters.

        Parameters
        ----------
        deep : bool, default=True
            Ignored.

        Returns
        -------
        params : dict
            Names and values. A mapping is in a view that prints the number of its words.
        """
        params: dict[str, Any] = super().get_params(deep=False)
        if isinstance(self.vectors, Mapping) and not isinstance(self.vectors, _View):
            params["vectors"] = _View(self.vectors)
        return params

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        if hasattr(self, "vocabulary_"):
            state = state | {"vectors": (list(self.vocabulary_), self._rows)}
        return state


class _View(Mapping[str, Any]):
    """A mapping that prints in a line: scikit-learn prints parameters whole before it shortens them."""

    def __init__(self, vectors: Mapping[str, Any]) -> None:
        self._vectors = vectors

    def __getitem__(self, word: str) -> Any:
        return self._vectors[word]

    def __iter__(self) -> Iterator[str]:
        return iter(self._vectors)

    def __len__(self) -> int:
        return len(self._vectors)

    def __repr__(self) -> str:
        return f"<{len(self):,} words>"


class _Table:
    """The user's vectors, by word."""

    def __init__(self, vectors: Any) -> None:
        if isinstance(vectors, Mapping):
            self.row_of: Mapping[str, Any] = vectors
            self.array: Any = None
        elif hasattr(vectors, "key_to_index") and hasattr(vectors, "vectors"):
            self.row_of, self.array = vectors.key_to_index, vectors.vectors
        elif isinstance(vectors, tuple) and len(vectors) == 2:
            words, array = vectors
            array = np.asarray(array)
            if array.ndim != 2 or len(words) != len(array):
                raise ValueError(
                    f"vectors holds {len(words)} words and an array of shape {array.shape}; expected one row for each"
                    " word."
                )
            self.row_of, self.array = {word: row for row, word in enumerate(words)}, array
        else:
            raise TypeError(
                f"vectors is a {type(vectors).__name__}; expected a mapping from word to array, gensim KeyedVectors, or a tuple"
                " of words and an array."
            )

    def name_of(self, word: str) -> str | None:
        """How the word is written in the table, or None."""
        if word in self.row_of:
            return word
        lower = word.lower()
        return lower if lower in self.row_of else None

    def rows(self, words: list[str]) -> NDArray[np.float32]:
        """Vectors of some words of the table."""
        found = [self.row_of[word] if self.array is None else self.array[self.row_of[word]] for word in words]
        lengths = {np.shape(each) for each in found}
        if len(lengths) != 1 or len(next(iter(lengths))) != 1:
            raise ValueError(
                f"vectors have the shapes {sorted(lengths)[:3]}; expected 1-D arrays of one length."
            )
        array = np.asarray(found, dtype=np.float32)
        if not np.isfinite(array).all():
            word = words[int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])]
            raise ValueError(f"the vector of {word!r} holds NaN or infinity; expected finite numbers.")
        return array


def _words_of(X: Any) -> tuple[list[str], Corpus]:
    """The distinct words and marks of texts, and the texts as indices of them."""
    texts = check_documents(X)
    if isinstance(texts, np.ndarray):
        raise ValueError("X holds token ids, but word vectors are of words; pass the texts.")
    tokens = split_words(
        clean(text if isinstance(text, str) else " ".join(text), lowercase=False) for text in texts
    )
    return tokens.words, replace(tokens.corpus, ids=tokens.word[tokens.corpus.ids].astype(np.int32))
