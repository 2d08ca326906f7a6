"""The network's input for documents, and its batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from .._base.seeds import scrambled
from .corpus import Corpus, ragged_positions
from .ids import BOUNDARY_ID, FIRST_TOKEN_ID

# Documents are sorted by length within this many shuffled batches, so that short documents share
# batches and the order stays random.
_BATCHES_PER_POOL = 50


@dataclass(frozen=True)
class Documents:
    """The network's input for each document.

    Parameters
    ----------
    counts : CSR array of shape (n_documents, n_words), dtype float32, or None
        Bag of words of the whole document.
    texts : Corpus or None
        Its first (or last) tokens, closed by a boundary token if the end of the document is among them. After
        `max_length` last tokens, this token is an additional one: decoders must predict it, encoders do not read it.
    features : ndarray of shape (n_documents, n_features), dtype float32, or None
        The output of a frozen encoder.
    vectors : ndarray of shape (n_documents, n_dims), dtype float32, or None
        Vectors of the whole documents, from their n-grams.
    embeddings : ndarray of shape (n_documents, n_dims), dtype float32, or None
        Those of the user's embedder.
    """

    counts: sp.csr_array | None = None
    texts: Corpus | None = None
    features: NDArray[np.float32] | None = None
    vectors: NDArray[np.float32] | None = None
    embeddings: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        if self.texts is not None:
            return len(self.texts)
        rows = self.features if self.counts is None else self.counts
        assert rows is not None
        return int(rows.shape[0])

    def take(self, rows: NDArray[np.integer]) -> Documents:
        """The documents at `rows`, in that order."""
        return Documents(
            None if self.counts is None else self.counts[rows],
            None if self.texts is None else self.texts.take(rows),
            None if self.features is None else self.features[rows],
            None if self.vectors is None else self.vectors[rows],
            None if self.embeddings is None else self.embeddings[rows],
        )

    def followed_by(self, others: Documents) -> Documents:
        """These documents and others that were prepared for the same network."""
        return Documents(
            None if self.counts is None else sp.vstack([self.counts, others.counts], format="csr"),
            None
            if self.texts is None or others.texts is None
            else Corpus.concatenate([self.texts, others.texts]),
            _rows(self.features, others.features),
            _rows(self.vectors, others.vectors),
            _rows(self.embeddings, others.embeddings),
        )

    @property
    def dense(self) -> NDArray[np.float32] | None:
        """Vectors and embeddings side by side: what an encoder reads beside the words."""
        found = [each for each in (self.vectors, self.embeddings) if each is not None]
        return np.concatenate(found, axis=1) if len(found) > 1 else found[0] if found else None

    def keys(self) -> NDArray[np.uint64]:
        """A hash of the content of each document, of shape (n_documents,); equal documents have equal keys."""
        keys = np.zeros(len(self), dtype=np.uint64)
        if self.counts is not None:
            keys += _keys(self.counts.indices, self.counts.data, self.counts.indptr)
        if self.texts is not None:
            lengths = self.texts.lengths
            positions = ragged_positions(np.zeros(len(lengths), dtype=np.int64), lengths)
            keys += scrambled(_keys(self.texts.ids, positions, self.texts.starts))
        return keys

    def batch(self, rows: NDArray[np.integer]) -> dict[str, NDArray[Any]]:
        """The network's inputs for the documents at `rows`.

        Shorter documents are filled with 0 at their end. A decoder counts its steps from the beginning, so padding
        before the text would make its likelihood depend on the longest text of the batch.

        Returns
        -------
        inputs : dict of ndarray
            "ids" (batch, time) int32; "distinct" (batch,) int32, the number of distinct words of each
            document; "word_columns" int32 and "word_counts" float32, both (sum of distinct,);
            "features" (batch, n_features) and "vectors" (batch, n_dims) float32, the latter with the embeddings.
            Only those that exist.
        """
        inputs: dict[str, NDArray[Any]] = {}
        if self.counts is not None:
            counts = self.counts[rows]
            inputs["distinct"] = np.diff(counts.indptr).astype(np.int32)
            inputs["word_columns"] = counts.indices.astype(np.int32)
            inputs["word_counts"] = counts.data
        if self.texts is not None:
            texts = self.texts.take(rows)
            longest = max(1, int(texts.lengths.max()))
            inputs["ids"] = texts.padded(longest)
        if self.features is not None:
            inputs["features"] = self.features[rows]
        vectors = Documents(vectors=self.vectors, embeddings=self.embeddings).take(rows).dense
        if vectors is not None:
            inputs["vectors"] = vectors
        return inputs


def _rows(
    first: NDArray[np.float32] | None, second: NDArray[np.float32] | None
) -> NDArray[np.float32] | None:
    return None if first is None or second is None else np.concatenate([first, second])


def _keys(ids: Any, numbers: Any, starts: Any) -> NDArray[np.uint64]:
    """Hash of each row of a ragged matrix of pairs; sums wrap around."""
    pairs = scrambled(ids.astype(np.uint64)) + numbers.astype(np.uint64)
    sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(scrambled(pairs), dtype=np.uint64)])
    return np.asarray(sums[starts[1:]] - sums[starts[:-1]])


def prepare_documents(
    corpus: Corpus,
    word_columns: NDArray[np.int64] | None,
    n_words: int,
    max_length: int | None,
    *,
    truncation: str = "post",
) -> Documents:
    """Prepare the network's input for each document.

    Parameters
    ----------
    corpus : Corpus
        Whole documents.
    word_columns : ndarray of shape (n_tokens,), dtype int64, or None
        Column of each token in the bag of words, -1 for those left out; None without a bag of words.
    n_words : int
        Number of these columns.
    max_length : int or None
        Number of tokens that a text decoder writes or a recurrent encoder reads; None if there is neither.
    truncation : {"post", "pre"}, default="post"
        Which side of a long document is cut.

    Returns
    -------
    documents : Documents
    """
    counts = texts = None
    if word_columns is not None:
        counts = corpus.counts(n_words, columns=word_columns)
    if max_length is not None:
        kept = np.minimum(corpus.lengths, max_length)
        # A boundary token closes complete texts, so that decoders learn where to stop.
        closed = np.flatnonzero((truncation == "pre") | (corpus.lengths < max_length))
        columns = corpus.padded(max_length, truncation=truncation, width=max_length + 1)
        columns[closed, kept[closed]] = BOUNDARY_ID
        texts = Corpus.from_matrix(columns)
    return Documents(counts, texts)


def epoch_order(
    documents: Documents, batch_size: int, random: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Rows of each batch of one epoch.

    Batch sizes differ by at most one document: a last batch of one document would have no variance
    for batch normalisation.

    Parameters
    ----------
    documents : Documents
    batch_size : int
        Largest size of a batch.
    random : numpy.random.Generator
        Determines the order.

    Returns
    -------
    batches : list of ndarray of int64
    """
    order = random.permutation(len(documents))
    n_batches = -(-len(order) // batch_size)
    if documents.texts is None:
        return np.array_split(order, n_batches)
    lengths = documents.texts.lengths
    n_pools = -(-n_batches // _BATCHES_PER_POOL)
    batches: list[NDArray[np.int64]] = []
    for pool in np.array_split(order, n_pools):
        by_length = pool[np.argsort(lengths[pool], kind="stable")]
        batches += np.array_split(by_length, -(-len(pool) // batch_size))
    return [batches[index] for index in random.permutation(len(batches))]


def sequential_batches(n_documents: int, batch_size: int) -> Iterator[NDArray[np.int64]]:
    """Consecutive rows, `batch_size` at a time."""
    for start in range(0, n_documents, batch_size):
        yield np.arange(start, min(start + batch_size, n_documents))


def word_columns(
    document_frequency: NDArray[np.int64],
    max_count: float,
    left_out: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """Column of each token in the bag of words; -1 for tokens without content.

    This depends on the number of documents with the token, not on whether it is a word: an emoji or "!!!" can be content.

    Parameters
    ----------
    document_frequency : ndarray of shape (n_tokens,)
        Number of documents that contain each token.
    max_count : float
        Tokens in more documents than this carry no content. If this applies to all tokens, all are kept.
    left_out : ndarray of int64 or None, default=None
        Ids of further tokens without content: stop words.

    Returns
    -------
    columns : ndarray of shape (n_tokens,), dtype int64
    """
    content = document_frequency <= max_count
    content[:FIRST_TOKEN_ID] = False
    if left_out is not None:
        content[left_out] = False
    if not content.any():
        content[FIRST_TOKEN_ID:] = True
        if left_out is not None:
            content[left_out] = False
    columns = np.full(len(content), -1, dtype=np.int64)
    columns[content] = np.arange(content.sum())
    return columns


def held_out_rows(n_documents: int, fraction: float, seed: int) -> NDArray[np.int64]:
    """Rows for validation, in ascending order: this share of the documents, at least one.

    Raises
    ------
    ValueError
        If no document is left to train on.
    """
    n_held_out = max(1, round(fraction * n_documents))
    if n_held_out >= n_documents:
        raise ValueError(
            f"early_stopping=True with validation_fraction={fraction} leaves no training document"
            f" of {n_documents}; pass more documents or set early_stopping=False."
        )
    return np.sort(np.random.default_rng(seed).permutation(n_documents)[:n_held_out])


def spread_rows(n_documents: int, largest: int) -> NDArray[np.int64]:
    """Rows at even distances, at most `largest`."""
    n_rows = min(n_documents, largest)
    return (np.arange(n_rows) * (n_documents / max(n_rows, 1))).astype(np.int64)
