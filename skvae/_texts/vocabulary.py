"""The tokens that have ids: words and marks with their spacing."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .corpus import Corpus
from .ids import FIRST_TOKEN_ID, UNKNOWN_ID
from .splitting import JOINED_LEFT, JOINED_RIGHT, Tokens, is_word

SPACE, NO_SPACE = "\u2581", "\uffed"
_NAME = re.compile(f"([{SPACE}{NO_SPACE}])(.+?)([{SPACE}{NO_SPACE}]?)", re.DOTALL)
# A vocabulary learned from straight quotes also reads typographic ones.
_STRAIGHT = str.maketrans("“”„‟‘’‚‛", "\"\"\"\"''''")


class Vocabulary:
    """Tokens that have ids, each with the sides on which there is no space.

    A form without an id is read as the first form of the same token that has one.

    Parameters
    ----------
    words : list of str
        The tokens, in the order of their ids. A token with several spacings occurs several times; the
        first occurrence also represents the forms without an id.
    spacing : ndarray of shape (n_words,), dtype int8
        Sum of `JOINED_LEFT` and `JOINED_RIGHT`.
    separator : {" ", ""}
        Separator of tokens that are not joined.
    """

    def __init__(self, words: list[str], spacing: NDArray[np.int8], separator: str) -> None:
        self.words = words
        self.spacing = np.asarray(spacing, dtype=np.int8)
        self.separator = separator
        self._index: dict[str, int] = {}
        word = np.array([self._index.setdefault(token, len(self._index)) for token in words], dtype=np.int64)
        # In reverse order, so that the first form takes precedence. The last row is for unknown tokens.
        ids = np.arange(FIRST_TOKEN_ID, FIRST_TOKEN_ID + len(words), dtype=np.int32)[::-1]
        self._ids = np.full((len(self._index) + 1, 4), UNKNOWN_ID, dtype=np.int32)
        self._ids[word[::-1]] = ids[:, None]
        self._ids[word[::-1], self.spacing[::-1]] = ids
        self._plain = np.array(["", "", "", *words], dtype=object)
        self._spaced = np.array(["", "", "", *(separator + token for token in words)], dtype=object)
        self._joined = np.concatenate([np.zeros(FIRST_TOKEN_ID, dtype=np.int8), self.spacing])

    def names(self) -> list[str]:
        """The tokens as shown to users; forms other than the first one of a token show their spacing."""
        seen: set[str] = set()
        names = []
        for token, spacing in zip(self.words, self.spacing.tolist(), strict=True):
            names.append(_name(token, spacing) if token in seen else token)
            seen.add(token)
        return names

    def encode(self, tokens: Tokens) -> Corpus:
        """Ids of documents."""
        unknown = len(self._ids) - 1
        word = [self._index.get(token, unknown) for token in tokens.words]
        for place, token in enumerate(tokens.words):
            if word[place] == unknown and not token.isascii():
                word[place] = self._index.get(token.translate(_STRAIGHT), unknown)
        ids = self._ids[np.array(word, dtype=np.int64)[tokens.word], tokens.spacing]
        return Corpus(ids[tokens.corpus.ids], tokens.corpus.starts)

    def with_forms_of(self, tokens: Tokens) -> Vocabulary:
        """The same ids, and further ones for all other forms in these documents."""
        known = set(zip(self.words, self.spacing.tolist(), strict=True))
        forms = [
            (tokens.words[word], spacing)
            for word, spacing in zip(tokens.word.tolist(), tokens.spacing.tolist(), strict=True)
        ]
        new = [form for form in forms if form not in known]
        spacing = np.array([spacing for _, spacing in new], dtype=np.int8)
        words = [*self.words, *(word for word, _ in new)]
        return Vocabulary(words, np.concatenate([self.spacing, spacing]), self.separator)

    def text(self, ids: NDArray[np.integer]) -> str:
        """One document, from ids that are not reserved."""
        if not len(ids):
            return ""
        joined = self._joined[ids]
        spaced = ((joined[1:] & JOINED_LEFT) | (joined[:-1] & JOINED_RIGHT)) == 0
        pieces = np.where(spaced, self._spaced[ids[1:]], self._plain[ids[1:]])
        return str(self._plain[ids[0]]) + "".join(pieces)


def choose_words(
    tokens: Tokens, *, max_features: int, min_count: float, n_first: int = 0
) -> tuple[list[str], NDArray[np.int8]]:
    """The most frequent forms of documents.

    Parameters
    ----------
    tokens : Tokens
        The documents.
    max_features : int
        Largest number of forms.
    min_count : float
        Required number of documents with each form. Rarer forms of a token are counted as its most
        frequent form.
    n_first : int, default=0
        Forms that occur in two or more of the first `n_first` documents come before all others.

    Returns
    -------
    words : list of str
        By decreasing frequency. With `n_first`, forms that the first documents repeat come first, by
        their frequency there. Ties are in alphabetical order, since the vocabulary must not depend on the order of the
        documents.
    spacing : ndarray of shape (n_words,), dtype int8
    """
    word, corpus, n_forms = tokens.word, tokens.corpus, len(tokens.word)
    frequency = np.bincount(corpus.ids, minlength=n_forms)
    kept = np.flatnonzero(frequency)
    usual = _usual_forms(tokens, frequency)
    if min_count > 1:
        documents = document_frequency(corpus, n_forms)
        folded = np.where(documents < min_count, usual[word], np.arange(n_forms))
        corpus = Corpus(folded[corpus.ids].astype(np.int32), corpus.starts)
        frequency = np.bincount(corpus.ids, minlength=n_forms)
        kept = np.flatnonzero(document_frequency(corpus, n_forms) >= min_count)
    names = np.array(tokens.words, dtype=object)[word[kept]]
    keys: list[NDArray[Any]] = [tokens.spacing[kept], _alphabetical(names), -frequency[kept]]
    if n_first:
        first = corpus.take(np.arange(min(n_first, len(corpus))))
        wanted = document_frequency(first, n_forms)[kept] > 1
        keys.append(np.where(wanted, -np.bincount(first.ids, minlength=n_forms)[kept], 0))
    kept = kept[np.lexsort(keys)][:max_features]
    return [tokens.words[index] for index in word[kept]], tokens.spacing[kept]


def given_words(tokens: Tokens, names: list[str]) -> tuple[list[str], NDArray[np.int8]]:
    """Words and spacing of tokens given by a user; names without marks get their most frequent spacing in `tokens`."""
    frequency = np.bincount(tokens.corpus.ids, minlength=len(tokens.word))
    usual = tokens.spacing[_usual_forms(tokens, frequency)]
    spacing_of = dict(zip(tokens.words, usual.tolist(), strict=True)) if len(usual) else {}
    words, spacing = [], []
    for name in names:
        marked = _NAME.fullmatch(name)
        if marked is None or (is_word(marked[2]) and marked[3]):
            words.append(name)
            spacing.append(spacing_of.get(name, 0))
        else:
            words.append(marked[2])
            spacing.append(JOINED_LEFT * (marked[1] == NO_SPACE) + JOINED_RIGHT * (marked[3] == NO_SPACE))
    return words, np.array(spacing, dtype=np.int8)


def document_frequency(corpus: Corpus, n_columns: int) -> NDArray[np.int64]:
    """Number of documents that contain each id."""
    return np.bincount(corpus.counts(n_columns).indices, minlength=n_columns).astype(np.int64)


def _usual_forms(tokens: Tokens, frequency: NDArray[np.int64]) -> NDArray[np.int64]:
    """The most frequent form of each token; 0 for tokens without any."""
    usual = np.zeros(len(tokens.words), dtype=np.int64)
    # The last assignment wins: the most frequent form, and the smallest spacing among ties.
    order = np.lexsort((-tokens.spacing, frequency))
    usual[tokens.word[order]] = order
    return usual


def _alphabetical(names: NDArray[np.object_]) -> NDArray[np.int64]:
    """Rank of each name; equal names have equal ranks. Names are objects, since one long name would widen an array of str."""
    rank: NDArray[np.int64] = np.unique(names, return_inverse=True)[1]
    return rank.reshape(len(names))


def _name(token: str, spacing: int) -> str:
    left, right = (NO_SPACE if spacing & side else SPACE for side in (JOINED_LEFT, JOINED_RIGHT))
    return left + token if is_word(token) else left + token + right
