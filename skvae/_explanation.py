"""What spoke for a prediction: a class head's logits as a sum of named contributions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

_WORDS_OF_A_DIRECTION = 3


@dataclass
class Contributions:
    """What the features of one term add to the margins of documents.

    Parameters
    ----------
    values : CSR array of shape (n_documents, n_features)
        The contributions.
    name : function from document and feature to (part, name)
        What the feature stands for in that document.
    """

    values: sp.csr_array
    name: Callable[[int, int], tuple[str, str]]


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
        Of two classes, the margin is the log-odds; of more, the logit less the average one.
    """
    if n_outputs == 1:
        return np.where(labels == 1, 1, -1).astype(np.float32)[:, None]
    return np.asarray(np.eye(n_outputs, dtype=np.float32)[labels] - np.float32(1 / n_outputs))


def linear_contributions(
    features: sp.csr_array, kernel: NDArray[np.float32], directions: NDArray[np.float32]
) -> sp.csr_array:
    """What each feature of a linear term adds to the margins, in the shape of `features`."""
    rows = np.repeat(np.arange(features.shape[0]), np.diff(features.indptr))
    added = features.data * (kernel[features.indices] * directions[rows]).sum(axis=1)
    return sp.csr_array((added, features.indices, features.indptr), shape=features.shape)


def largest_contributions(
    terms: Sequence[Contributions], margins: NDArray[np.floating], count: int
) -> Iterator[tuple[int, str, str, float]]:
    """Document, part, name and contribution of those farthest from 0; then a "rest" of each document."""
    for document, margin in enumerate(margins):
        rest = float(margin)
        found = []
        for term in terms:
            here = slice(*term.values.indptr[document : document + 2])
            found += [
                (float(value), int(feature), term)
                for feature, value in zip(term.values.indices[here], term.values.data[here], strict=True)
                if value
            ]
        found.sort(key=lambda each: -abs(each[0]))
        for value, feature, term in found[:count]:
            yield (document, *term.name(document, feature), value)
            rest -= value
        yield document, "rest", "", rest


def in_words(direction: NDArray[np.floating], value: float, words: NDArray[Any]) -> str:
    """The words that a feature with this value stands for, weightiest first."""
    order = np.argsort(-np.sign(value) * direction, kind="stable")[:_WORDS_OF_A_DIRECTION]
    return ", ".join(str(word) for word in words[order])
