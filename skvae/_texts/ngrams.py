"""TF-IDF of token n-grams, computed from token ids with sparse arrays throughout."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from .corpus import Corpus
from .ids import FIRST_TOKEN_ID


@dataclass(frozen=True)
class TokenPairs:
    """What pairs of successive tokens add to the logits of a classifier.

    Parameters
    ----------
    starts : ndarray of shape (n_tokens + 1,), dtype int64
        Index of the first pair that starts with each token.
    tokens : ndarray of shape (n_pairs,), dtype int64
        The second token of each pair; ascending among those with the same first token.
    weights : ndarray of shape (n_pairs, n_classes), dtype float32
        What the pair adds to the logits.
    """

    starts: NDArray[np.int64]
    tokens: NDArray[np.int64]
    weights: NDArray[np.float32]

    def after(self, token: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Second tokens and weights of the pairs that begin with this token."""
        here = slice(*self.starts[token : token + 2])
        return self.tokens[here], self.weights[here]


class NgramFeatures:
    """TF-IDF of the n-grams of documents of token ids.

    The weights are those of `TfidfVectorizer(sublinear_tf=True)`: (1 + log count) times
    log((1 + n) / (1 + document frequency)) + 1, rows of length 1. N-grams with a reserved id
    (unknown, padding) are left out.

    Parameters
    ----------
    ngram_range : tuple of int
        Lengths of the shortest and the longest n-grams.

    Attributes
    ----------
    codes : list of ndarray of int64
        For each length from 1 on, the sorted codes of the n-grams: the index of the
        (n-1)-gram times the number of token ids, plus the last token id.
    idf : ndarray of shape (n_features,), dtype float32
    left_out : ndarray of int64 or None
        Ids of tokens that n-grams skip: the tokens on either side of them count as adjacent.
    usual_length : float
        Median length of the training documents' rows before they are scaled to 1.
    """

    codes: list[NDArray[np.int64]]
    idf: NDArray[np.float32]
    # Files of format 1 have no such attribute.
    left_out: NDArray[np.int64] | None = None

    def __init__(self, ngram_range: tuple[int, int]) -> None:
        self.shortest, self.longest = (int(length) for length in ngram_range)

    @property
    def n_features(self) -> int:
        """Number of n-grams."""
        return len(self.idf)

    def fit_transform(
        self, corpus: Corpus, n_tokens: int, left_out: NDArray[np.int64] | None = None
    ) -> sp.csr_array:
        """Find the n-grams of the documents and return their weights.

        Parameters
        ----------
        corpus : Corpus
            Training documents.
        n_tokens : int
            Number of token ids, including the reserved ids.
        left_out : ndarray of int64 or None, default=None
            Ids of stop words.

        Returns
        -------
        weights : CSR array of shape (n_documents, n_features), dtype float32
        """
        self.n_tokens = n_tokens
        self.left_out = left_out
        self.codes = []
        found = self._found(corpus, learn=True)
        counts = self._counted(found, len(corpus))
        frequency = np.bincount(counts.indices, minlength=counts.shape[1])
        self.idf = (np.log((1 + len(corpus)) / (1 + frequency)) + 1).astype(np.float32)
        weights, lengths = self._weighted(counts)
        self.usual_length = float(np.median(lengths))
        return weights

    def transform(self, corpus: Corpus) -> sp.csr_array:
        """The weights of the known n-grams of the documents.

        Parameters
        ----------
        corpus : Corpus

        Returns
        -------
        weights : CSR array of shape (n_documents, n_features), dtype float32
        """
        return self._weighted(self._counted(self._found(corpus, learn=False), len(corpus)))[0]

    def names(self, tokens: NDArray[Any], features: NDArray[np.integer]) -> NDArray[np.object_]:
        """The n-grams of some features, their tokens joined by spaces.

        Parameters
        ----------
        tokens : ndarray of shape (n_tokens,)
            The token of each id.
        features : ndarray of shape (n_named,)
            Columns of the output of `transform`.

        Returns
        -------
        names : ndarray of shape (n_named,), dtype object
        """
        kept = range(self.shortest, self.longest + 1)
        ends = np.cumsum([len(self.codes[length - 1]) for length in kept])
        names = np.empty(len(features), dtype=object)
        for length, first, end in zip(kept, [0, *ends[:-1]], ends, strict=True):
            chosen = np.flatnonzero((features >= first) & (features < end))
            index = features[chosen] - first
            parts = []
            for shorter in range(length, 0, -1):
                code = self.codes[shorter - 1][index]
                parts.append(tokens[code % self.n_tokens])
                index = code // self.n_tokens
            names[chosen] = [" ".join(map(str, words)) for words in zip(*reversed(parts), strict=True)]
        return names

    def next_token_weights(self, kernel: NDArray[np.floating]) -> tuple[NDArray[np.float32], TokenPairs]:
        """What each possible next token of a text adds to a linear function of the weights.

        For n-grams of one and two tokens, in a text of median length; longer n-grams are ignored.

        Parameters
        ----------
        kernel : ndarray of shape (n_features, n_outputs)
            The linear function.

        Returns
        -------
        alone : ndarray of shape (n_tokens, n_outputs), dtype float32
            By itself.
        pairs : TokenPairs
            What tokens add in addition after certain tokens.
        """
        weighted = (kernel * self.idf[:, None] / self.usual_length).astype(np.float32)
        tokens = self.codes[0]
        alone = np.zeros((self.n_tokens, weighted.shape[1]), dtype=np.float32)
        first, codes = 0, np.empty(0, dtype=np.int64)
        if self.shortest == 1:
            alone[tokens] = weighted[: len(tokens)]
            first = len(tokens)
        if self.shortest <= 2 <= self.longest:
            codes = self.codes[1]
        # Codes are sorted, so the pairs of each first token are adjacent.
        starts = np.searchsorted(tokens[codes // self.n_tokens], np.arange(self.n_tokens + 1))
        return alone, TokenPairs(starts, codes % self.n_tokens, weighted[first : first + len(codes)])

    def _found(self, corpus: Corpus, *, learn: bool) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """For each kept length, document and index (within that length) of each n-gram that occurs."""
        if self.left_out is not None:
            corpus = corpus.without(self.left_out)
        document = np.repeat(np.arange(len(corpus)), corpus.lengths)
        start = np.flatnonzero(corpus.ids >= FIRST_TOKEN_ID)
        index = code = corpus.ids[start].astype(np.int64)
        for length in range(1, self.longest + 1):
            if length > 1:
                end = start + length - 1
                inside = end < len(corpus.ids)
                start, index, end = start[inside], index[inside], end[inside]
                same = (document[start] == document[end]) & (corpus.ids[end] >= FIRST_TOKEN_ID)
                start = start[same]
                code = index[same] * self.n_tokens + corpus.ids[end[same]]
            if learn:
                table, index = np.unique(code, return_inverse=True)
                self.codes.append(table)
            else:
                table = self.codes[length - 1]
                index = np.searchsorted(table, code)
                index[index == len(table)] = 0
                known = table[index] == code if len(table) else np.zeros(len(code), dtype=bool)
                start, index = start[known], index[known]
            if length >= self.shortest:
                yield document[start], index

    def _counted(
        self, found: Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]], n_documents: int
    ) -> sp.csr_array:
        parts = []
        for length, (rows, columns) in enumerate(found, start=self.shortest):
            part = sp.coo_array(
                (np.ones(len(rows), dtype=np.float32), (rows, columns)),
                shape=(n_documents, len(self.codes[length - 1])),
            ).tocsr()
            part.sum_duplicates()
            parts.append(part)
        return sp.hstack(parts, format="csr", dtype=np.float32)

    def _weighted(self, counts: sp.csr_array) -> tuple[sp.csr_array, NDArray[np.float32]]:
        """Rows scaled to length 1, and their original lengths."""
        # Same result as scikit-learn's TfidfTransformer, whose input validation takes a millisecond: most of the time of
        # a prediction for a single document.
        counts.data = (1 + np.log(counts.data)) * self.idf[counts.indices]
        lengths = np.sqrt(np.add.reduceat(np.append(counts.data**2, 0), counts.indptr[:-1]))
        lengths[np.diff(counts.indptr) == 0] = 1
        counts.data /= np.repeat(lengths, np.diff(counts.indptr)).astype(np.float32)
        return counts, lengths
