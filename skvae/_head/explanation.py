"""Explanation of a prediction: the logits of a class head as a sum of named contributions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from .._network.fitted import FittedAutoencoder
from .._texts.corpus import Corpus
from .._texts.ngrams import Ngrams
from .head import ClassHead
from .logits import log_probabilities

_WORDS_OF_A_DIRECTION = 3


@dataclass
class Contributions:
    """Contributions of the features of one part of the head to the margins of documents.

    Parameters
    ----------
    values : CSR array of shape (n_documents, n_features)
        The contributions.
    name : function from document and feature to (part, name)
        What the feature represents in that document.
    """

    values: sp.csr_array
    name: Callable[[int, int], tuple[str, str]]


def explain(
    head: ClassHead,
    autoencoder: FittedAutoencoder,
    corpus: Corpus,
    labels: NDArray[np.integer] | None,
    head_gradient: Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]],
    count: int,
    *,
    merge_ngrams: bool = True,
) -> tuple[list[tuple[int, str, str, float]], NDArray[np.integer]]:
    """Split the margin of each document into contributions.

    Parameters
    ----------
    head : ClassHead
    autoencoder : FittedAutoencoder
    corpus : Corpus
        The documents.
    labels : ndarray of shape (n_documents,), or None
        Index of the class to explain; None means the predicted one.
    head_gradient : callable
        Maps features and weights of the outputs to the gradient of the weighted sum; used for hidden layers.
    count : int
        Number of contributions of each document before "rest", largest absolute values first.
    merge_ngrams : bool, default=True
        Whether an n-gram of the lexical model and its vector are one contribution.

    Returns
    -------
    rows : list of (document, part, name, contribution)
    labels : ndarray of shape (n_documents,)
        Index of the explained class.
    """
    documents = autoencoder.prepare(corpus)
    features, inputs = autoencoder.features(documents), head.inputs(corpus, documents)
    logits = head.logits(features, inputs)
    if labels is None:
        labels = log_probabilities(logits).argmax(axis=1)
    directions = class_directions(labels, logits.shape[1])
    if len(head.layers) == 1:
        gradient = directions @ head.layers[0].kernel.T
    else:
        gradient = head_gradient(features, directions)
    parts = [_latent_contributions(autoencoder, features - head.feature_means, gradient)]
    of_ngrams = []
    if head.ngrams is not None:
        values = linear_contributions(inputs["lexical"], head.models["lexical"].kernel, directions)
        of_ngrams.append(_NgramContributions("lexical", values, head.ngrams, autoencoder.tokens))
    if "vector" in head.models and autoencoder.ngram_vectors is not None:
        through = directions @ head.models["vector"].kernel.T
        values = autoencoder.ngram_vectors.contributions(corpus, through)
        of_ngrams.append(_NgramContributions("vector", values, autoencoder.ngram_vectors, autoencoder.tokens))
    if "embedding" in head.models:
        added = (
            head.models["embedding"].logits(inputs["embedding"]) - head.models["embedding"].bias
        ) * directions
        values = sp.csr_array(added.sum(axis=1, keepdims=True))
        parts.append(Contributions(values, lambda document, feature: ("embedding", "")))
    parts += [_merged(of_ngrams)] if merge_ngrams and of_ngrams else of_ngrams
    margins = (logits * directions).sum(axis=1)
    return list(largest_contributions(parts, margins, count)), labels


class _NgramContributions(Contributions):
    """Contributions of n-grams, which are named when they are listed."""

    def __init__(self, part: str, values: sp.csr_array, ngrams: Ngrams, tokens: NDArray[Any]) -> None:
        super().__init__(values, lambda document, feature: (part, self.names(np.array([feature]))[0]))
        self.ngrams = ngrams
        self.tokens = tokens

    def names(self, features: NDArray[np.integer]) -> NDArray[np.object_]:
        """The n-grams of some columns."""
        return self.ngrams.names(self.tokens, features)


def _merged(parts: Sequence[_NgramContributions]) -> Contributions:
    """The sum of the contributions of equal n-grams."""
    numbers: dict[str, int] = {}
    columns = []
    for part in parts:
        occurring, inverse = np.unique(part.values.indices, return_inverse=True)
        merged = [numbers.setdefault(name, len(numbers)) for name in part.names(occurring)]
        columns.append(np.array(merged, dtype=np.int64)[inverse])
    names = list(numbers)
    total = sum(
        sp.csr_array((part.values.data, each, part.values.indptr), shape=(part.values.shape[0], len(names)))
        for part, each in zip(parts, columns, strict=True)
    )
    return Contributions(sp.csr_array(total), lambda document, feature: ("ngram", names[feature]))


def _latent_contributions(
    autoencoder: FittedAutoencoder, features: NDArray[np.float32], gradient: NDArray[np.float32]
) -> Contributions:
    parts, words_of = autoencoder.feature_directions()

    def name(document: int, feature: int) -> tuple[str, str]:
        number = str(feature - parts.index(parts[feature]))
        if words_of is None:
            return parts[feature], number
        words = in_words(words_of[feature], features[document, feature], autoencoder.words)
        return parts[feature], f"{number} ({words})"

    return Contributions(sp.csr_array(features * gradient), name)


def class_directions(labels: NDArray[np.integer], n_outputs: int) -> NDArray[np.float32]:
    """Weights of the outputs in the margin of each document's class.

    Parameters
    ----------
    labels : ndarray of shape (n_documents,)
        Index of the class to explain.
    n_outputs : int
        One output means two classes: the logit of the second.

    Returns
    -------
    directions : ndarray of shape (n_documents, n_outputs), dtype float32
        With two classes, the margin is the log-odds; with more, the logit minus the average logit.
    """
    if n_outputs == 1:
        return np.where(labels == 1, 1, -1).astype(np.float32)[:, None]
    return np.asarray(np.eye(n_outputs, dtype=np.float32)[labels] - np.float32(1 / n_outputs))


def linear_contributions(
    features: sp.csr_array, kernel: NDArray[np.float32], directions: NDArray[np.float32]
) -> sp.csr_array:
    """Contribution of each feature of a linear model to the margins, in the shape of `features`."""
    rows = np.repeat(np.arange(features.shape[0]), np.diff(features.indptr))
    added = features.data * (kernel[features.indices] * directions[rows]).sum(axis=1)
    return sp.csr_array((added, features.indices, features.indptr), shape=features.shape)


def largest_contributions(
    parts: Sequence[Contributions], margins: NDArray[np.floating], count: int
) -> Iterator[tuple[int, str, str, float]]:
    """Document, part, name and value of the largest contributions, then a "rest" for each document."""
    for document, margin in enumerate(margins):
        rest = float(margin)
        found = []
        for part in parts:
            here = slice(*part.values.indptr[document : document + 2])
            found += [
                (float(value), int(feature), part)
                for feature, value in zip(part.values.indices[here], part.values.data[here], strict=True)
                if value
            ]
        found.sort(key=lambda each: -abs(each[0]))
        for value, feature, part in found[:count]:
            yield (document, *part.name(document, feature), value)
            rest -= value
        yield document, "rest", "", rest


def in_words(direction: NDArray[np.floating], value: float, words: NDArray[Any]) -> str:
    """The words that a feature with this value represents, largest weight first."""
    order = np.argsort(-np.sign(value) * direction, kind="stable")[:_WORDS_OF_A_DIRECTION]
    return ", ".join(str(word) for word in words[order])
