"""Labelled documents: distinct pairs, their weights, and folds."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .._texts.corpus import Corpus
from .._texts.documents import Documents

# With more folds, out-of-fold logits are closer to those of the model fitted to all documents. With five folds,
# mean probabilities of a class of share 0.1 are a hundredth too large, with ten a third of that. If models take seconds,
# fewer folds are used to save time.
_FEW_LOGITS, _MANY_LOGITS, _MANY_DOCUMENTS = 5_000, 20_000, 5_000


@dataclass(frozen=True)
class TrainingDocuments:
    """Documents, the first of which have a label.

    Parameters
    ----------
    corpus : Corpus
        All of them.
    read : Documents
        The autoencoder's input for each.
    labels : ndarray of shape (n_labelled,), dtype int64
        Index of the class of each of the first documents.
    weights : ndarray of shape (n_labelled,), dtype float64
    """

    corpus: Corpus
    read: Documents
    labels: NDArray[np.integer]
    weights: NDArray[np.float64]

    @property
    def labelled(self) -> NDArray[np.int64]:
        """Rows of the documents that have a label."""
        return np.arange(len(self.labels))


@dataclass(frozen=True)
class LabelledDocuments:
    """The distinct pairs of a document and a label, with the total weight of all copies.

    A model fitted to them is the same for k copies of a document and for one document of weight k.

    Parameters
    ----------
    rows : ndarray of shape (n_distinct,), dtype int64
        The first given document of each pair.
    pair_of : ndarray of shape (n_documents,), dtype int64
        Index of the pair of each given document.
    documents : ndarray of shape (n_distinct,), dtype int64
        Index of the document of each pair, in an order that depends on the documents' content, not on their position.
    labels : ndarray of shape (n_distinct,), dtype int64
        Index of its class.
    weights : ndarray of shape (n_distinct,), dtype float64
    """

    rows: NDArray[np.int64]
    pair_of: NDArray[np.int64]
    documents: NDArray[np.int64]
    labels: NDArray[np.int64]
    weights: NDArray[np.float64]

    @classmethod
    def of(
        cls, corpus: Corpus, labels: NDArray[np.integer], weights: NDArray[np.floating], seed: int
    ) -> LabelledDocuments:
        """From documents, the index of the class of each, and weights.

        Documents are equal if their token ids are, and their embeddings: texts of unknown words have the same ids.
        `seed` determines the order of `documents`.
        """
        embeddings = corpus.embeddings
        contents = [
            (corpus.ids[start:end].tobytes(), b"" if embeddings is None else embeddings[row].tobytes())
            for row, (start, end) in enumerate(pairwise(corpus.starts))
        ]
        # The last bits of an embedding can depend on its neighbours, so ids decide first.
        ranked = sorted(set(contents), key=lambda content: (zlib.crc32(content[0], seed), content))
        number = {content: rank for rank, content in enumerate(ranked)}
        documents = np.array([number[content] for content in contents], dtype=np.int64)
        pairs = np.stack([documents, labels.astype(np.int64)], axis=1)
        distinct, rows, pair_of = np.unique(pairs, axis=0, return_index=True, return_inverse=True)
        pair_of = pair_of.reshape(-1)
        summed = np.bincount(pair_of, weights=weights, minlength=len(distinct)).astype(np.float64)
        return cls(rows, pair_of, distinct[:, 0], distinct[:, 1], summed)

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return int(self.labels.max()) + 1

    @property
    def n_outputs(self) -> int:
        """Number of logits: 1 for two classes, else one for each class."""
        return 1 if self.n_classes == 2 else self.n_classes

    def folds(self) -> NDArray[np.int64]:
        """The fold that leaves each pair out; -1 for pairs that are never left out.

        Equal documents are in one fold. Each class is spread over the folds, and is in the training part
        of every fold: a class with a single document is never left out.

        Returns
        -------
        folds : ndarray of shape (n_distinct,), dtype int64
            All -1 if less than two classes can be left out.
        """
        # A document with several labels counts as the one with the largest weight.
        heaviest = np.lexsort((-self.weights, self.documents))
        documents, first = np.unique(self.documents[heaviest], return_index=True)
        labels = self.labels[heaviest][first]
        counts = np.bincount(labels)
        n_logits = len(documents) * self.n_outputs
        many = len(documents) >= _MANY_DOCUMENTS or n_logits >= _MANY_LOGITS
        n_folds = min(10 if n_logits <= _FEW_LOGITS else 3 if many else 5, int(counts.max()))
        # Adjacent documents in this order have the same class and different folds.
        fold_of = np.empty(len(documents), dtype=np.int64)
        fold_of[np.argsort(labels, kind="stable")] = np.arange(len(documents)) % n_folds
        folds = fold_of[np.searchsorted(documents, self.documents)]
        places = np.unique(np.stack([self.labels, folds], axis=1), axis=0)[:, 0]
        alone = np.flatnonzero(np.bincount(places, minlength=int(self.labels.max()) + 1) == 1)
        kept = np.isin(self.documents, self.documents[np.isin(self.labels, alone)])
        folds[kept] = -1
        if len(np.unique(self.labels[folds >= 0])) < 2:
            folds[:] = -1
        return folds
