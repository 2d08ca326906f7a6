"""Document vectors: weighted means of vectors of n-grams, which are learned from documents without labels."""

from __future__ import annotations

import copy

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from .._base.progress import Progress
from .._base.statistics import centre_and_spread
from .corpus import Corpus
from .documents import sequential_batches, spread_rows
from .ngram_training import train_vectors
from .ngrams import Ngrams, TokenPairs

_NGRAM_RANGE = (1, 3)
_MIN_DF = 2
_MAX_NGRAMS = 100_000
# Small corpora are read more often: until this many n-grams have been visited, or for the largest number of epochs.
_VISITS = 100_000_000
_FEWEST_EPOCHS, _MOST_EPOCHS = 3, 30
# The vectors start with length 1.
_FIRST_STEP = 0.05
_LARGEST_INT8 = 127
# Root mean square of the length of documents' vectors: about that of 64 latents.
LENGTH = 4.0
_DOCUMENTS_TO_CENTRE_BY = 10_000
_DOCUMENTS_PER_PRODUCT = 256


class NgramVectors(Ngrams):
    """Vectors of n-grams of one to three tokens, and of documents.

    A document is the mean of the unit vectors of its n-grams, weighted by count and idf, scaled to length 1, and then
    centred and scaled by the statistics of the training documents.

    Parameters
    ----------
    n_dims : int
        Width of the vectors.

    Attributes
    ----------
    idf : ndarray of shape (n_features,), dtype float32
    directions : ndarray of shape (n_features, n_dims), dtype int8
        The unit vectors, divided by `units`.
    units : ndarray of shape (n_features,), dtype float32
    lengths : ndarray of shape (n_features,), dtype float32
        Length of each vector. It grows in training, and makes later steps smaller.
    centre : ndarray of shape (n_dims,), dtype float32
        Mean of the training documents' unit vectors.
    spread : float
        Root mean square of their distance from it, divided by that of the documents' vectors.
    usual_length, usual_weight : float
        Medians, over training documents, of the length of the sum and of the sum of the weights.
    """

    idf: NDArray[np.float32]
    directions: NDArray[np.int8]
    units: NDArray[np.float32]
    lengths: NDArray[np.float32]
    centre: NDArray[np.float32]
    spread: float
    usual_length: float
    usual_weight: float

    def __init__(self, n_dims: int) -> None:
        super().__init__(_NGRAM_RANGE)
        self.n_dims = int(n_dims)

    def fit(
        self,
        corpus: Corpus,
        n_tokens: int,
        left_out: NDArray[np.int64] | None = None,
        *,
        seed: int,
        progress: Progress | None = None,
    ) -> NgramVectors:
        """Find frequent n-grams of documents, and learn their vectors.

        Parameters
        ----------
        corpus : Corpus
            Training documents.
        n_tokens : int
            Number of token ids, including the reserved ids.
        left_out : ndarray of int64 or None, default=None
            Ids of stop words.
        seed : int
            Determines the first vectors, and the order of the documents.
        progress : Progress or None, default=None
            Told of each epoch.

        Returns
        -------
        self : NgramVectors
        """
        progress = progress or Progress()
        frequency = self.find_frequent(corpus, n_tokens, left_out, min_df=_MIN_DF, max_features=_MAX_NGRAMS)
        self.idf = np.log((1 + len(corpus)) / (1 + frequency)).astype(np.float32)
        random = np.random.default_rng(seed)
        vectors = random.standard_normal((self.n_features, self.n_dims), dtype=np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        counts = self.counts(corpus)
        epochs = int(np.clip(_VISITS / max(1, counts.sum()), _FEWEST_EPOCHS, _MOST_EPOCHS))
        self._train(vectors, counts, epochs, seed, progress)
        weights = _weighted(counts[spread_rows(len(corpus), _DOCUMENTS_TO_CENTRE_BY)], self.idf)
        self.usual_length = _usual(np.linalg.norm(self._sums(weights), axis=1))
        self.usual_weight = _usual(weights.sum(axis=1))
        some = self._unit_vectors(weights)
        self.centre, spread = centre_and_spread(some)
        self.spread = float(np.linalg.norm(spread)) / LENGTH or 1.0
        return self

    def after(self, corpus: Corpus, *, seed: int, progress: Progress | None = None) -> NgramVectors:
        """A copy whose vectors have been trained for one more pass, over these documents."""
        later = copy.copy(self)
        vectors = self.directions * (self.units * self.lengths)[:, None]
        later._train(vectors, self.counts(corpus), 1, seed, progress or Progress())
        return later

    def _train(
        self, vectors: NDArray[np.float32], counts: sp.csr_array, epochs: int, seed: int, progress: Progress
    ) -> None:
        if self.n_features and len(counts.indices):
            train_vectors(
                vectors, counts, epochs=epochs, first_step=_FIRST_STEP, seed=seed, progress=progress
            )
        self.lengths = np.linalg.norm(vectors, axis=1)
        unit = vectors / self.lengths[:, None]
        self.units = np.abs(unit).max(axis=1, initial=0) / _LARGEST_INT8
        self.directions = np.rint(unit / self.units[:, None]).astype(np.int8)

    def read(self, corpus: Corpus) -> NDArray[np.float32]:
        """The vectors of documents.

        Parameters
        ----------
        corpus : Corpus

        Returns
        -------
        vectors : ndarray of shape (n_documents, n_dims), dtype float32
            Zero, the mean of the training documents, without a known n-gram.
        """
        return self._standardised(self._unit_vectors(self.weights(corpus)))

    def next_token_weights(self, kernel: NDArray[np.float32]) -> tuple[NDArray[np.float32], TokenPairs]:
        """What each possible next token of a text adds to a linear function of its vector.

        As in `contributions`, for n-grams of one and two tokens, in a usual text.

        Parameters
        ----------
        kernel : ndarray of shape (n_dims, n_outputs)
            The linear function.

        Returns
        -------
        alone : ndarray of shape (n_tokens, n_outputs), dtype float32
            By itself.
        pairs : TokenPairs
            What tokens add in addition after certain tokens.
        """
        along = (self.directions.astype(np.float32) @ kernel) * self.units[:, None] / self.usual_length
        added = self.idf[:, None] * (along - self.centre @ kernel / self.usual_weight) / self.spread
        return self.by_next_token(added.astype(np.float32))

    def contributions(self, corpus: Corpus, gradient: NDArray[np.float32]) -> sp.csr_array:
        """Split a linear function of documents' vectors into parts of n-grams.

        Parameters
        ----------
        corpus : Corpus
        gradient : ndarray of shape (n_documents, n_dims)
            The linear function of each document's vector.

        Returns
        -------
        parts : CSR array of shape (n_documents, n_features), dtype float32
            The sum of a row is `gradient @ vector`.
        """
        weights = self.weights(corpus)
        lengths = np.linalg.norm(self._sums(weights), axis=1)
        gradient = gradient / np.float32(self.spread)
        offset = gradient @ self.centre
        document = np.repeat(np.arange(weights.shape[0]), np.diff(weights.indptr))
        total = np.bincount(document, weights.data, weights.shape[0])
        parts = np.zeros(len(document), dtype=np.float32)
        for row in np.flatnonzero(lengths):
            here = slice(*weights.indptr[row : row + 2])
            columns = weights.indices[here]
            along = (self.directions[columns] @ gradient[row]) * self.units[columns]
            parts[here] = weights.data[here] * (along / lengths[row] - offset[row] / total[row])
        return sp.csr_array((parts, weights.indices, weights.indptr), shape=weights.shape)

    def weights(self, corpus: Corpus) -> sp.csr_array:
        """Weights of the known n-grams in each document, of shape (n_documents, n_features): count times idf."""
        return _weighted(self.counts(corpus), self.idf)

    def _sums(self, weights: sp.csr_array) -> NDArray[np.float32]:
        if weights.shape[0] <= _DOCUMENTS_PER_PRODUCT:
            return self._product(weights)
        sums = np.empty((weights.shape[0], self.n_dims), dtype=np.float32)
        for rows in sequential_batches(weights.shape[0], _DOCUMENTS_PER_PRODUCT):
            sums[rows] = self._product(weights[rows])
        return sums

    def _unit_vectors(self, weights: sp.csr_array) -> NDArray[np.float32]:
        sums = self._sums(weights)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        lengths[lengths == 0] = 1
        return np.asarray(sums / lengths)

    def _product(self, weights: sp.csr_array) -> NDArray[np.float32]:
        """Only the vectors that occur are converted from int8."""
        occurring, columns = np.unique(weights.indices, return_inverse=True)
        inner = sp.csr_array(
            (weights.data * self.units[weights.indices], columns.astype(np.int32), weights.indptr),
            shape=(weights.shape[0], len(occurring)),
        )
        return np.asarray(inner @ self.directions[occurring].astype(np.float32))

    def _standardised(self, unit: NDArray[np.float32]) -> NDArray[np.float32]:
        vectors = (unit - self.centre) / np.float32(self.spread)
        vectors[~unit.any(axis=1)] = 0
        return vectors


def _usual(values: NDArray[np.floating]) -> float:
    """The median of the positive values, or 1."""
    return float(np.median(values[values > 0])) if (values > 0).any() else 1.0


def _weighted(counts: sp.csr_array, idf: NDArray[np.float32]) -> sp.csr_array:
    """In place."""
    counts.data *= idf[counts.indices]
    return counts
