"""Documents as arrays: token ids back to back, with the start of each document."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray


@dataclass(frozen=True)
class Corpus:
    """Token ids of many documents of different lengths, without padding.

    Parameters
    ----------
    ids : ndarray of shape (n_tokens,), dtype int32
        The documents' token ids back to back.
    starts : ndarray of shape (n_documents + 1,), dtype int64
        Document `i` is `ids[starts[i]:starts[i + 1]]`.
    embeddings : ndarray of shape (n_documents, n_dims), dtype float32, or None
        What the user's embedder returned for each document; each text is embedded once.
    """

    ids: NDArray[np.int32]
    starts: NDArray[np.int64]
    embeddings: NDArray[np.float32] | None = None

    @classmethod
    def from_lengths(cls, ids: NDArray[np.int32], lengths: NDArray[np.int64]) -> Corpus:
        """Build from back-to-back ids and the length of each document."""
        return cls(ids, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))

    @classmethod
    def from_matrix(cls, matrix: NDArray[np.int32]) -> Corpus:
        """Build from a padded id matrix; zeros are padding in any position."""
        known = matrix != 0
        return cls.from_lengths(matrix[known], known.sum(axis=1))

    @classmethod
    def concatenate(cls, corpora: Iterable[Corpus]) -> Corpus:
        """Concatenate several corpora."""
        corpora = list(corpora)
        if len(corpora) == 1:
            return corpora[0]
        return cls.from_lengths(
            np.concatenate([corpus.ids for corpus in corpora]),
            np.concatenate([corpus.lengths for corpus in corpora]),
        )

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of tokens of each document, of shape (n_documents,)."""
        return np.diff(self.starts)

    def take(self, rows: NDArray[np.integer]) -> Corpus:
        """The documents at `rows`, in that order."""
        rows = np.asarray(rows)
        lengths = self.lengths[rows]
        taken = Corpus.from_lengths(self.ids[ragged_positions(self.starts[rows], lengths)], lengths)
        return taken if self.embeddings is None else replace(taken, embeddings=self.embeddings[rows])

    def without(self, ids: NDArray[np.integer]) -> Corpus:
        """The documents without some tokens."""
        kept = ~np.isin(self.ids, ids)
        return Corpus(self.ids[kept], np.concatenate([[0], np.cumsum(kept)])[self.starts])

    def counts(self, n_columns: int, columns: NDArray[np.int64] | None = None) -> sp.csr_array:
        """Occurrences of each id in each document.

        Parameters
        ----------
        n_columns : int
            Width of the result.
        columns : ndarray of shape (n_tokens,) or None, default=None
            Column of each id, -1 for ids to leave out; None means that ids are columns.

        Returns
        -------
        counts : CSR array of shape (n_documents, n_columns), dtype float32
        """
        # Copies, because summing duplicates sorts and shortens the arrays in place.
        indices, starts = self.ids.copy(), self.starts.copy()
        if columns is not None:
            indices = columns[indices].astype(np.int32)
            kept = indices >= 0
            starts = np.concatenate([[0], np.cumsum(kept)])[starts]
            indices = indices[kept]
        matrix = sp.csr_array(
            (np.ones(len(indices), dtype=np.float32), indices, starts), shape=(len(self), n_columns)
        )
        matrix.sum_duplicates()
        return matrix

    def padded(
        self, max_length: int, *, padding: str = "post", truncation: str = "post", width: int | None = None
    ) -> NDArray[np.int32]:
        """Documents as one matrix, truncated to `max_length` tokens and padded with 0.

        Parameters
        ----------
        max_length : int
            Documents longer than this are cut at their end ("post") or their beginning ("pre").
        padding, truncation : {"post", "pre"}, default="post"
            Which side is padded, and which side is cut.
        width : int or None, default=None
            Number of columns; None means `max_length`.

        Returns
        -------
        matrix : ndarray of shape (n_documents, width), dtype int32
        """
        width = max_length if width is None else width
        kept = np.minimum(self.lengths, max_length)
        first = self.starts[:-1] if truncation == "post" else self.starts[1:] - kept
        matrix = np.zeros((len(self), width), dtype=np.int32)
        column = ragged_positions(np.zeros(len(self), dtype=np.int64), kept)
        if padding == "pre":
            column = column + np.repeat(width - kept, kept)
        matrix[np.repeat(np.arange(len(self)), kept), column] = self.ids[ragged_positions(first, kept)]
        return matrix


def ragged_positions(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """`concatenate([arange(start, start + length) ...])` without a Python loop."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.asarray(np.arange(total, dtype=np.int64) + np.repeat(starts - (ends - lengths), lengths))
