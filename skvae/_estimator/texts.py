"""Shared parts of estimators that read texts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from .._base.seeds import draw_seed
from .._network.building import warn_if_cut
from .._network.fitted import FittedAutoencoder
from .._texts.containers import read_once
from .._texts.corpus import Corpus
from .._texts.embedding import FittedEmbedder, check_embedder
from .._texts.tokenizer import FittedTokenizer
from .._texts.validation import check_enough_tokens
from .training import progress_of


@dataclass(frozen=True)
class ReadTexts:
    """Documents to fit on, and what read them.

    Parameters
    ----------
    tokenizer : FittedTokenizer or None
        None for token ids.
    embedder : FittedEmbedder or None
    corpus : Corpus
    seed : int
        The one draw of the fit from `random_state`.
    """

    tokenizer: FittedTokenizer | None
    embedder: FittedEmbedder | None
    corpus: Corpus
    seed: int


def reads_lists(estimator: Any) -> bool:
    """Whether the next `fit` reads documents with a tokenizer that was fitted on lists of tokens.

    Parameters
    ----------
    estimator : TextVAETransformer
    """
    # An estimator of another kind is refused later, with a message.
    tokenizer = getattr(estimator, "tokenizer", None)
    with_tokenizer = tokenizer.estimator if isinstance(tokenizer, FrozenEstimator) else None
    fitted = estimator if getattr(estimator, "_goes_on", False) else with_tokenizer
    return bool(getattr(fitted, "_from_lists", False))


def read_for_fit(
    estimator: Any, X: list[Any] | NDArray[np.int32], default_tokenizer: Any, n_first: int
) -> ReadTexts:
    """Read documents with a new tokenizer and embedder.

    Parameters
    ----------
    estimator : TextVAETransformer
        Its parameters `tokenizer`, `embedder`, `random_state` and `verbose` are read.
    X : list of str or of lists of tokens, or ndarray of shape (n_documents, max_length)
    default_tokenizer : TextTokenizer
        Used if `tokenizer` is None.
    n_first : int
        The words of this many first documents get their ids before those of the others.

    Returns
    -------
    read : ReadTexts
    """
    if isinstance(X, np.ndarray):
        if estimator.embedder is not None:
            raise ValueError(
                "X holds token ids, but the embedder reads texts; pass the texts, or set embedder=None."
            )
        check_enough_tokens(X)
        return ReadTexts(None, None, Corpus.from_matrix(X), draw_seed(estimator.random_state))
    if estimator.embedder is not None:
        check_embedder(estimator.embedder)
    kind = type(default_tokenizer)
    if isinstance(estimator.tokenizer, FrozenEstimator):
        tokenizer = estimator.tokenizer.estimator
        if not isinstance(tokenizer, kind):
            raise TypeError(
                f"tokenizer is a frozen {type(tokenizer).__name__}; expected FrozenEstimator({kind.__name__})."
            )
        check_is_fitted(tokenizer)
        with progress_of(estimator).step(f"tokenisation of {len(X):,} texts"):
            corpus = tokenizer._encode(X)
    else:
        tokenizer = default_tokenizer if estimator.tokenizer is None else clone(estimator.tokenizer)
        # `fit_context` skips the validation of estimators that are fitted inside `fit`.
        tokenizer._validate_params()
        with progress_of(estimator).step(f"tokenisation of {len(X):,} texts"):
            corpus = tokenizer._learn(X, n_first)
    seed = draw_seed(estimator.random_state)
    if estimator.embedder is None:
        return ReadTexts(tokenizer, None, corpus, seed)
    embedder, embeddings = FittedEmbedder.fit(estimator.embedder, X, seed, progress_of(estimator))
    return ReadTexts(tokenizer, embedder, replace(corpus, embeddings=embeddings), seed)


def read_to_go_on(fitted: FittedAutoencoder, estimator: Any, X: list[Any] | NDArray[np.int32]) -> ReadTexts:
    """Read documents for a warm start, with the tokenizer and the embedder of the last fit.

    Parameters
    ----------
    fitted : FittedAutoencoder
    estimator : TextVAETransformer
        Its parameter `embedder` must be that of the last fit.
    X : list of str or of lists of tokens, or ndarray of shape (n_documents, max_length)

    Returns
    -------
    read : ReadTexts
    """
    embedder = estimator.embedder
    if (embedder is None) != (fitted.embedder is None):
        raise ValueError(
            f"warm_start continues from a network {'without' if fitted.embedder is None else 'with'} an embedder;"
            " set embedder back, or set warm_start=False to fit anew."
        )
    if fitted.embedder is not None and not fitted.embedder.was_made_from(embedder):
        raise ValueError(
            "warm_start continues with the embedder of the last fit; set it back, or set warm_start=False to fit anew."
        )
    corpus = fitted.read(X)
    warn_if_cut(fitted, corpus)
    return ReadTexts(fitted.tokenizer, fitted.embedder, corpus, draw_seed(estimator.random_state))


class TextInputMixin:
    """Reads a 1-D collection of `str`, or the output of a tokenizer.

    It must come before scikit-learn's mixins in the list of base classes.
    """

    # Only used in warnings: `feature_names_in_` would imply a matrix of features.
    _column_name: str | None = None

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        """Fit, then transform the same documents.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,), or array of int of shape \
                (n_samples, max_length)
            Texts, or token ids. An iterator is read once.
        y : array-like of shape (n_samples,) or None, default=None
            As in `fit`.
        **fit_params : dict
            Further arguments of `fit`.

        Returns
        -------
        features : ndarray of shape (n_samples, n_features), dtype float32
            As returned by `transform`.
        """
        return super().fit_transform(read_once(X), None if y is None else read_once(y), **fit_params)  # type: ignore[misc]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.target_tags.required = tags.estimator_type == "classifier"
        tags.transformer_tags.preserves_dtype = []
        return tags
