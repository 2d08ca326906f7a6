"""Token n-grams: which there are, how often each occurs, and their TF-IDF; with sparse arrays throughout."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from .corpus import Corpus
from .ids import FIRST_TOKEN_ID

# More take time and space, and are not better: 490,000 or 183,000 n-grams of 10,000 reviews do equally well.
_MAX_FEATURES = 500_000


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

    def __add__(self, other: TokenPairs) -> TokenPairs:
        """The pairs of both, with the sum of their weights."""
        n_tokens = len(self.starts) - 1
        codes = [
            np.repeat(np.arange(n_tokens), np.diff(each.starts)) * n_tokens + each.tokens
            for each in (self, other)
        ]
        pairs, place = np.unique(np.concatenate(codes), return_inverse=True)
        weights = np.zeros((len(pairs), self.weights.shape[1]), dtype=np.float32)
        weights[place[: len(codes[0])]] = self.weights
        weights[place[len(codes[0]) :]] += other.weights
        return TokenPairs(
            np.searchsorted(pairs // n_tokens, np.arange(n_tokens + 1)), pairs % n_tokens, weights
        )


class Ngrams:
    """The n-grams of documents of token ids.

    N-grams with a reserved id (unknown, padding) are left out.

    Parameters
    ----------
    ngram_range : tuple of int
        Lengths of the shortest and the longest n-grams.

    Attributes
    ----------
    codes : list of ndarray of int64
        For each length from 1 on, the sorted codes of the n-grams: the index of the
        (n-1)-gram times the number of token ids, plus the last token id.
    n_tokens : int
        Number of token ids, including the reserved ids.
    left_out : ndarray of int64 or None
        Ids of tokens that n-grams skip: the tokens on either side of them count as adjacent.
    """

    codes: list[NDArray[np.int64]]
    n_tokens: int
    # Files of format 1 have no such attribute.
    left_out: NDArray[np.int64] | None = None

    def __init__(self, ngram_range: tuple[int, int]) -> None:
        self.shortest, self.longest = (int(length) for length in ngram_range)

    @property
    def n_features(self) -> int:
        """Number of n-grams."""
        return sum(map(len, self.codes[self.shortest - 1 :]))

    def find_frequent(
        self,
        corpus: Corpus,
        n_tokens: int,
        left_out: NDArray[np.int64] | None = None,
        *,
        min_df: int,
        max_features: int,
    ) -> NDArray[np.int64]:
        """Find the n-grams that occur in the most documents.

        Parameters
        ----------
        corpus : Corpus
        n_tokens : int
            Number of token ids, including the reserved ids.
        left_out : ndarray of int64 or None, default=None
            Ids of stop words.
        min_df : int
            N-grams in fewer documents are left out.
        max_features : int
            Largest number of n-grams. Of those in equally many documents, all or none are kept.

        Returns
        -------
        document_frequency : ndarray of shape (n_features,), dtype int64
        """
        self.n_tokens, self.left_out, self.codes = n_tokens, left_out, []
        frequencies: list[NDArray[np.int64]] = []

        def learn_table(codes: NDArray[np.int64], documents: NDArray[np.int64]) -> NDArray[np.int64]:
            table, frequency = _in_many_documents(codes, documents, min_df)
            frequencies.append(frequency)
            return table

        for _ in self._found(corpus, learn_table=learn_table):
            pass
        n_beginnings = sum(map(len, frequencies[: self.shortest - 1]))
        frequency = np.concatenate(frequencies)[n_beginnings:]
        if len(frequency) > max_features:
            kept = frequency > np.sort(frequency)[-max_features - 1]
            self._keep(np.concatenate([np.ones(n_beginnings, dtype=bool), kept]))
            frequency = frequency[kept]
        return frequency

    def counts(self, corpus: Corpus) -> sp.csr_array:
        """Occurrences of the known n-grams in each document.

        Parameters
        ----------
        corpus : Corpus

        Returns
        -------
        counts : CSR array of shape (n_documents, n_features), dtype float32
        """
        return self._counted(self._found(corpus), len(corpus))

    def _keep(self, kept: NDArray[np.bool_]) -> None:
        """Forget the other n-grams. The beginning of each one that is kept must be kept."""
        number, tables, first = np.empty(0, dtype=np.int64), [], 0
        for length, codes in enumerate(self.codes):
            here = kept[first : first + len(codes)]
            first += len(codes)
            codes = codes[here]
            tables.append(
                codes % self.n_tokens + (number[codes // self.n_tokens] * self.n_tokens if length else 0)
            )
            number = np.cumsum(here) - 1
        self.codes = tables

    def token_ids(self, features: NDArray[np.integer]) -> list[tuple[int, ...]]:
        """The token ids of the n-grams of some features, which are columns of the output of `transform`."""
        kept = range(self.shortest, self.longest + 1)
        ends = np.cumsum([len(self.codes[length - 1]) for length in kept])
        found = np.empty(len(features), dtype=object)
        for length, first, end in zip(kept, [0, *ends[:-1]], ends, strict=True):
            chosen = np.flatnonzero((features >= first) & (features < end))
            index = features[chosen] - first
            ids = np.empty((len(chosen), length), dtype=np.int64)
            for place in range(length - 1, -1, -1):
                code = self.codes[place][index]
                ids[:, place] = code % self.n_tokens
                index = code // self.n_tokens
            for row, own in zip(chosen.tolist(), ids.tolist(), strict=True):
                found[row] = tuple(own)
        return list(found)

    def by_next_token(self, added: NDArray[np.float32]) -> tuple[NDArray[np.float32], TokenPairs]:
        """What each possible next token adds, from what each n-gram adds, of shape (n_features, n_outputs)."""
        tokens = self.codes[0]
        alone = np.zeros((self.n_tokens, added.shape[1]), dtype=np.float32)
        first, codes = 0, np.empty(0, dtype=np.int64)
        if self.shortest == 1:
            alone[tokens] = added[: len(tokens)]
            first = len(tokens)
        if self.shortest <= 2 <= self.longest:
            codes = self.codes[1]
        # Codes are sorted, so the pairs of each first token are adjacent.
        starts = np.searchsorted(tokens[codes // self.n_tokens], np.arange(self.n_tokens + 1))
        return alone, TokenPairs(starts, codes % self.n_tokens, added[first : first + len(codes)])

    def _found(
        self, corpus: Corpus, learn_table: Callable[..., NDArray[np.int64]] | None = None
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """For each kept length, document and index (within that length) of each n-gram that occurs.

        `learn_table` maps the codes of all n-grams of a length, and their documents, to the sorted codes to know.
        """
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
            if learn_table is not None:
                self.codes.append(learn_table(code, document[start]))
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
        parts, first = [], 0
        for length, (rows, columns) in enumerate(found, start=self.shortest):
            # Rows are ascending. SciPy's own ways to here, through coordinates and `hstack`, take longer than everything else
            # in a prediction for a single document.
            parts.append((np.bincount(rows, minlength=n_documents), rows, (columns + first).astype(np.int32)))
            first += len(self.codes[length - 1])
        indptr = np.concatenate([[0], np.cumsum(sum(n_here for n_here, *_ in parts))])
        place = indptr[:-1]
        # Where it can hold them: SciPy gives both arrays of indices the wider type of the two.
        index_type = np.int32 if indptr[-1] <= np.iinfo(np.int32).max else np.int64
        indices = np.empty(indptr[-1], dtype=np.int32)
        for n_here, rows, features in parts:
            indices[np.arange(len(rows)) + (place - np.cumsum(n_here) + n_here)[rows]] = features
            place = place + n_here
        ones = np.ones(len(indices), dtype=np.float32)
        counts = sp.csr_array(
            (ones, indices, indptr.astype(index_type)), shape=(n_documents, self.n_features)
        )
        counts.sum_duplicates()
        return counts


def _in_many_documents(
    codes: NDArray[np.int64], documents: NDArray[np.int64], min_df: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The codes, sorted, that occur in at least `min_df` documents, and in how many; `documents` is ascending."""
    if not len(codes):
        return codes, codes
    order = np.argsort(codes, kind="stable")
    codes, documents = codes[order], documents[order]
    starts = np.concatenate([[True], codes[1:] != codes[:-1]])
    distinct = starts.copy()
    distinct[1:] |= documents[1:] != documents[:-1]
    first = np.flatnonzero(starts)
    frequency = np.add.reduceat(distinct.astype(np.int64), first)
    kept = frequency >= min_df
    return codes[first[kept]], frequency[kept]


class NgramFeatures(Ngrams):
    """TF-IDF of the n-grams of documents of token ids.

    The weights are those of `TfidfVectorizer(sublinear_tf=True)`: (1 + log count) times
    log((1 + n) / (1 + document frequency)) + 1, rows of length 1.

    Parameters
    ----------
    ngram_range : tuple of int
        Lengths of the shortest and the longest n-grams.

    Attributes
    ----------
    idf : ndarray of shape (n_features,), dtype float32
    usual_length : float
        Median length of the training documents' rows before they are scaled to 1.
    """

    idf: NDArray[np.float32]

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
        frequency = self.find_frequent(corpus, n_tokens, left_out, min_df=1, max_features=_MAX_FEATURES)
        self.idf = (np.log((1 + len(corpus)) / (1 + frequency)) + 1).astype(np.float32)
        weights, lengths = self._weighted(self.counts(corpus))
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
        return self._weighted(self.counts(corpus))[0]

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
        return self.by_next_token((kernel * self.idf[:, None] / self.usual_length).astype(np.float32))

    def _weighted(self, counts: sp.csr_array) -> tuple[sp.csr_array, NDArray[np.float32]]:
        """Rows scaled to length 1, and their original lengths."""
        # Same result as scikit-learn's TfidfTransformer, whose input validation takes a millisecond: most of the time of
        # a prediction for a single document.
        counts.data = (1 + np.log(counts.data)) * self.idf[counts.indices]
        lengths = np.sqrt(np.add.reduceat(np.append(counts.data**2, 0), counts.indptr[:-1]))
        lengths[np.diff(counts.indptr) == 0] = 1
        counts.data /= np.repeat(lengths, np.diff(counts.indptr)).astype(np.float32)
        return counts, lengths
