"""Further texts for a text decoder to learn from, made of the beginning of one text and the end of another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .corpus import Corpus, ragged_positions
from .ids import FIRST_TOKEN_ID

# Draws for each text that is wanted; some are refused.
_N_DRAWS = 4


def recombined(corpus: Corpus, n_texts: int, random: np.random.Generator) -> Corpus:
    """Texts that go over from one document to another at a token that both have.

    The token is neither the first nor the last of the first document. No text is longer than the longer of its two documents.

    Parameters
    ----------
    corpus : Corpus
    n_texts : int
        Number of texts; fewer are returned if documents hardly have tokens in common.
    random : numpy.random.Generator

    Returns
    -------
    texts : Corpus

    References
    ----------
    R. Jia and P. Liang, "Data Recombination for Neural Semantic Parsing", ACL 2016.
    https://aclanthology.org/P16-1002/
    """
    lengths, n_draws = corpus.lengths, _N_DRAWS * n_texts
    documents = np.repeat(np.arange(len(corpus)), lengths)
    places = ragged_positions(np.zeros(len(corpus), dtype=np.int64), lengths)
    inner = np.flatnonzero((places > 0) & (places < lengths[documents] - 1) & (corpus.ids >= FIRST_TOKEN_ID))
    if not len(inner):
        return corpus.take(np.empty(0, dtype=np.int64))
    order = np.argsort(corpus.ids, kind="stable")
    first = np.concatenate([[0], np.cumsum(np.bincount(corpus.ids))])
    here = inner[random.integers(len(inner), size=n_draws)]
    token = corpus.ids[here]
    n_same = first[token + 1] - first[token]
    there = order[first[token] + (random.random(n_draws) * n_same).astype(np.int64)]
    of_rest = lengths[documents[there]] - places[there]
    longest = np.maximum(lengths[documents[here]], lengths[documents[there]])
    kept = (documents[here] != documents[there]) & (places[here] + of_rest <= longest)
    here, there, of_rest = (each[kept][:n_texts] for each in (here, there, of_rest))
    return _joined(corpus, here - places[here], places[here], there, of_rest)


def _joined(
    corpus: Corpus,
    first: NDArray[np.int64],
    n_first: NDArray[np.int64],
    second: NDArray[np.int64],
    n_second: NDArray[np.int64],
) -> Corpus:
    """Each text: a span of tokens, and another one."""
    starts, lengths = (np.stack(pair, axis=1).ravel() for pair in ((first, second), (n_first, n_second)))
    return Corpus.from_lengths(corpus.ids[ragged_positions(starts, lengths)], n_first + n_second)
