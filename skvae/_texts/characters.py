"""Numbers of characters of tokens, which make likelihoods under different tokenizers comparable."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from .corpus import ragged_positions
from .ids import UNKNOWN_ID
from .splitting import clean, without_invisible
from .tokenizer import FittedTokenizer
from .vocabulary import SPACE


@dataclass(frozen=True)
class Characters:
    """Characters of documents in the part that a text decoder models.

    Parameters
    ----------
    read : ndarray of shape (n_documents,), dtype float64
        Number of characters that the tokens represent, including the spaces between them.
    spelling : ndarray of shape (n_documents,), dtype float64
        Cost in nats of spelling out the unknown tokens: for each of their characters, and for an end mark of each
        token, the log of the number of distinct characters and the mark.
    """

    read: NDArray[np.float64]
    spelling: NDArray[np.float64]

    @classmethod
    def of_texts(cls, texts: list[str], tokenizer: FittedTokenizer, max_length: int) -> Characters | None:
        """Count in `max_length` tokens at most, truncated as by `tokenizer`; None if its tokens may not cover the whole texts."""
        own = tokenizer.analyzer in ("word", "char", "bpe") and tokenizer.token_pattern is None
        if not own or not all(isinstance(text, str) for text in texts):
            return None
        cleaned = [without_invisible(clean(text, tokenizer.lowercase)) for text in texts]
        whole = tokenizer.analyzer == "char"
        chunked = [[text] if whole else text.split() for text in cleaned]
        chunks = {chunk: number for number, chunk in enumerate(dict.fromkeys(chain.from_iterable(chunked)))}
        # Chunks are tokenised separately, as in tokenizers.
        distinct = list(chunks) or [""]
        corpus = tokenizer._encode(distinct)
        lengths = _lengths_of_tokens(distinct, corpus.ids, corpus.starts, tokenizer._forms())

        n_chunks = np.array([len(each) for each in chunked], dtype=np.int64)
        numbers = np.fromiter((chunks[chunk] for chunk in chain.from_iterable(chunked)), dtype=np.int64)
        n_tokens = corpus.lengths[numbers]
        starts = np.concatenate([[0], np.cumsum(n_tokens)])
        positions = ragged_positions(corpus.starts[numbers], n_tokens)
        ids, lengths = corpus.ids[positions], lengths[positions]
        first_chunks = np.concatenate([[0], np.cumsum(n_chunks)])
        after_space = np.ones(len(numbers), dtype=bool)
        after_space[first_chunks[:-1][n_chunks > 0]] = False
        after_space &= n_tokens > 0

        hidden = np.where(ids == UNKNOWN_ID, lengths + 1, 0.0)
        lengths[starts[:-1][after_space]] += 1
        ends = starts[first_chunks]
        kept = np.minimum(np.diff(ends), max_length)
        first = ends[:-1] if tokenizer.truncation == "post" else ends[1:] - kept
        n_symbols = len(set(chain.from_iterable(chunks)) | {" "}) + 1
        return cls(_sums(lengths, first, kept), np.log(n_symbols) * _sums(hidden, first, kept))


def _lengths_of_tokens(
    chunks: list[str], ids: NDArray[np.int32], starts: NDArray[np.int64], tokens: list[str]
) -> NDArray[np.float64]:
    """Characters of each token; unknown tokens share the characters of their chunk that known tokens leave."""
    # In subwords, a mark represents the space before them.
    known = np.array([len(token) - token.count(SPACE) for token in tokens], dtype=np.float64)
    known[UNKNOWN_ID] = 0.0
    lengths, unknown = known[ids], ids == UNKNOWN_ID
    n_tokens = np.diff(starts)
    rows = np.repeat(np.arange(len(n_tokens)), n_tokens)
    n_unknown = np.bincount(rows, weights=unknown, minlength=len(n_tokens))
    # If all tokens are known, the rest comes from shorter normal forms: one dash represents two hyphens.
    sharing = unknown | (n_unknown == 0)[rows]
    n_sharing = np.maximum(np.bincount(rows, weights=sharing, minlength=len(n_tokens)), 1)
    left = np.array([len(chunk) for chunk in chunks]) - np.bincount(rows, lengths, minlength=len(n_tokens))
    return np.asarray(lengths + sharing * (left / n_sharing)[rows])


def _sums(values: NDArray[np.float64], first: NDArray[np.int64], n: NDArray[np.int64]) -> NDArray[np.float64]:
    totals = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray(totals[first + n] - totals[first])
