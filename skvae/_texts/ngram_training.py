"""Training of n-gram vectors in blocks of documents."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from .._base.progress import Progress

_DOCUMENTS_PER_BLOCK = 32
_NEGATIVES = 2.0
# Waking threads takes as long as this many rows.
_ROWS_WORTH_SHARING = 2_000
_MOST_THREADS = 8
_LINES_OF_PROGRESS = 3


def train_vectors(
    vectors: NDArray[np.float32],
    counts: sp.csr_array,
    *,
    epochs: int,
    first_step: float,
    seed: int,
    progress: Progress,
) -> None:
    """Train n-gram vectors on documents, so that a document tells its own n-grams from others.

    A document is the sum of the unit vectors of its n-grams. For each n-gram of a document, the loss is
    -log sigmoid(6 cos), where the document leaves the n-gram out, and for two n-grams of the other documents of its block,
    drawn by their counts, -log sigmoid(-6 cos). Draws are replaced by their expectation. Each block of 32 documents
    makes one step of gradient descent on the n-grams' vectors. The step falls linearly to zero.

    Parameters
    ----------
    vectors : ndarray of shape (n_ngrams, n_dims), dtype float32
        Changed in place. The longer a vector, the smaller its steps.
    counts : CSR array of shape (n_documents, n_ngrams), dtype float32
        Occurrences of each n-gram.
    epochs : int
    first_step : float
    seed : int
        Determines the order of the documents. The result does not depend on the number of threads.
    progress : Progress
        Told of each epoch.

    References
    ----------
    T. Thongtan and T. Phienthrakul, "Sentiment Classification Using Document Embeddings Trained with Cosine Similarity",
    ACL Student Research Workshop 2019. https://aclanthology.org/P19-2057/
    T. Mikolov et al., "Distributed Representations of Words and Phrases and their Compositionality", NIPS 2013.
    https://arxiv.org/abs/1310.4546
    """
    from numba import get_num_threads

    random = np.random.default_rng(seed)
    n_documents = counts.shape[0]
    block = _Block(vectors, counts)
    n_blocks = -(-n_documents // _DOCUMENTS_PER_BLOCK)
    # joblib limits numba's threads in its workers.
    n_threads = min(get_num_threads(), _MOST_THREADS)
    with ThreadPoolExecutor(n_threads) as threads:
        shares = Shares(threads, n_threads)
        rounds = progress.rounds(
            f"vectors of {counts.shape[1]:,} n-grams, epoch", epochs, min(epochs, _LINES_OF_PROGRESS)
        )
        for epoch in range(epochs):
            order = random.permutation(n_documents).astype(np.int32)
            for number, documents in enumerate(np.array_split(order, n_blocks)):
                done = (epoch + number / n_blocks) / epochs
                block.learn(documents, first_step * (1 - done), shares)
            rounds.done()


class _Block:
    """Memory for blocks of documents, used again for each."""

    def __init__(self, vectors: NDArray[np.float32], counts: sp.csr_array) -> None:
        n_dims = vectors.shape[1]
        lengths = np.sort(np.diff(counts.indptr))
        largest = int(lengths[-_DOCUMENTS_PER_BLOCK:].sum())
        self.vectors = vectors
        self.inverse = 1 / np.linalg.norm(vectors, axis=1)
        self.of_documents = (
            counts.indices.astype(np.int32, copy=False),
            counts.data,
            counts.indptr.astype(np.int64, copy=False),
        )
        self.slots = np.full(counts.shape[1], -1, dtype=np.int32)
        self.rows = np.empty(largest, dtype=np.int32)
        self.ends = np.empty(largest, dtype=np.int64)
        self.places = np.empty(largest, dtype=np.int32)
        self.counts = np.empty(largest, dtype=np.float32)
        self.sums = np.empty((_DOCUMENTS_PER_BLOCK, n_dims), dtype=np.float32)
        self.squares = np.empty(_DOCUMENTS_PER_BLOCK, dtype=np.float32)
        self.sizes = np.empty(_DOCUMENTS_PER_BLOCK, dtype=np.float32)

    def learn(self, documents: NDArray[np.int32], step: float, shares: Shares) -> None:
        """One step of gradient descent."""
        from . import ngram_kernels as kernels

        n_documents = len(documents)
        sums, squares, sizes = (each[:n_documents] for each in (self.sums, self.squares, self.sizes))
        occurrences = (self.rows, self.ends, self.places, self.counts)
        n_rows = kernels.transpose(*self.of_documents, documents, self.slots, *occurrences)
        run = shares.run if n_rows >= _ROWS_WORTH_SHARING else _at_once
        run(
            n_documents,
            lambda first, end: kernels.sum_documents(
                self.vectors, self.inverse, *self.of_documents, documents, first, end, sums, squares, sizes
            ),
        )
        settings = (np.float32(_NEGATIVES), np.float32(step), kernels.SIGMOID)
        run(
            n_rows,
            lambda first, end: kernels.update_rows(
                self.vectors, self.inverse, *occurrences, first, end, sums, squares, sizes, *settings
            ),
        )


@dataclass(frozen=True)
class Shares:
    """Threads that share the work on a range of items, a part for each."""

    threads: Executor
    n_threads: int

    def run(self, n_items: int, work: Callable[[int, int], Any]) -> None:
        """Call `work` with the first item and the end of each part, and wait."""
        cuts = np.linspace(0, n_items, self.n_threads + 1).astype(int)
        for future in [self.threads.submit(work, *ends) for ends in pairwise(cuts.tolist())]:
            future.result()


def _at_once(n_items: int, work: Callable[[int, int], Any]) -> None:
    work(0, n_items)
