"""Texts to tokens, with the information to restore them: the sides on which there was no space."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, compress
from typing import Any

import numpy as np
import regex
from numpy.typing import NDArray

from .corpus import Corpus, ragged_positions

JOINED_LEFT, JOINED_RIGHT = 1, 2

_LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
# Invisible characters: control characters, soft hyphens, direction marks, zero-width spaces. Joiners and tags are kept,
# because they are part of characters; \x80 to \x9f are kept, because they are dashes and quotes of Windows read as Latin-1.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb]+"
)

# A character is a grapheme cluster (UAX #29), which is \X; a word is a run of clusters that begin with \w. Words
# keep their apostrophes ("don't") and numbers their inner punctuation ("7/10", "3.5"). Successive marks of one kind
# ("...", "--", "?!") are one token, any other mark is a separate token.
_WORD = r"(?:(?![0-9]\ufe0f?\u20e3)(?=\w)\X)+"
TOKEN_PATTERN = (
    rf"{_WORD}(?:['’]{_WORD}|(?<=\d)[.,:/\u066b\u066c](?=\d){_WORD})*"
    r"|(?:(?=\.)\X){2,}|(?:(?=-)\X){2,}|(?:(?=[!?])\X)+|(?!\s)\X"
)
_ASCII_OR_END = re.compile(r"\w+(?:'\w+|(?<=\d)[.,:/](?=\d)\w+)*|\.{2,}|-{2,}|[!?]+|[^\w\s]|\n")
_CLUSTER = regex.compile(r"\X")
_WORD_CHARACTER = regex.compile(r"\w")
_CHUNKS_PER_BLOCK = 50_000


@dataclass(frozen=True)
class Tokens:
    """Documents as sequences of written forms: a token together with the sides on which there was no space.

    Parameters
    ----------
    words : list of str
        The distinct tokens.
    word : ndarray of shape (n_forms,), dtype int64
        The token of each form, as an index into `words`; ascending.
    spacing : ndarray of shape (n_forms,), dtype int8
        Sum of `JOINED_LEFT` and `JOINED_RIGHT`.
    corpus : Corpus
        The documents, as indices of forms.
    """

    words: list[str]
    word: NDArray[np.int64]
    spacing: NDArray[np.int8]
    corpus: Corpus


def clean(text: str, lowercase: bool) -> str:
    """Replace HTML line breaks by white space, compose letters and, if requested, lowercase them."""
    if "<" in text:
        text = _LINE_BREAK.sub(" ", text)
    if not text.isascii():
        # Lone surrogates are not valid UTF-8, and Rust strings cannot contain them.
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        text = unicodedata.normalize("NFC", text)
        if lowercase:
            # `lower` returns two characters, and the second is a dot that "i" already has.
            text = text.replace("İ", "i")
    return text.lower() if lowercase else text


def without_invisible(text: str) -> str:
    """`text` without invisible characters that are not part of others."""
    return _INVISIBLE.sub("", text)


def is_word(token: str) -> bool:
    """Whether the token contains a letter or digit; all others are marks."""
    return token[:1].isalnum() or _WORD_CHARACTER.search(token) is not None


def characters(text: str) -> Sequence[str]:
    """The grapheme clusters of a text."""
    if text.isascii() and "\r" not in text:
        return text
    found: list[str] = _CLUSTER.findall(text)
    return found


class Chunks:
    """Texts as indices into the table of their distinct chunks; a chunk is the text between white space.

    Natural text repeats itself: 25,000 reviews of 230 chunks have 280,000 distinct chunks.
    Looking up a chunk is several times faster than splitting it again.

    Parameters
    ----------
    texts : iterable of str
        The cleaned texts.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        table = _FirstSeen()
        indices = [np.empty(0, dtype=np.int32)]
        for text in texts:
            chunks = text.split()
            indices.append(np.fromiter(map(table.__getitem__, chunks), dtype=np.int32, count=len(chunks)))
        self.distinct = list(table)
        self.corpus = Corpus.from_lengths(
            np.concatenate(indices), np.array([len(chunks) for chunks in indices[1:]], dtype=np.int64)
        )

    def replaced(self, tokens: NDArray[Any], lengths: NDArray[np.int64]) -> Corpus:
        """The texts with each chunk replaced by its tokens, which are passed back to back."""
        starts = np.cumsum(lengths) - lengths
        indices = self.corpus.ids
        used = lengths[indices]
        tokens_before = np.concatenate([[0], np.cumsum(used)])
        return Corpus(tokens[ragged_positions(starts[indices], used)], tokens_before[self.corpus.starts])


def split_words(texts: Iterable[str]) -> Tokens:
    """Words, numbers and marks of cleaned texts."""
    chunks = Chunks(texts)
    plain = np.fromiter(map(str.isascii, chunks.distinct), dtype=bool, count=len(chunks.distinct))
    table = _FirstSeen()
    end = table["\n"]
    found = []
    # For ASCII, both patterns give the same tokens, and `re` is several times faster.
    for chosen, pattern in ((plain, _ASCII_OR_END), (~plain, _OTHER_OR_END)):
        joined = without_invisible("".join(f"{chunk}\n" for chunk in compress(chunks.distinct, chosen)))
        tokens = pattern.findall(joined)
        found.append(np.fromiter(map(table.__getitem__, tokens), dtype=np.int64, count=len(tokens)))
    word = np.concatenate(found)
    lengths = np.diff(np.flatnonzero(word == end), prepend=-1) - 1
    begins = np.concatenate([[True], word[:-1] == end])[: len(word)][word != end]
    word = word[word != end]
    words = list(table)
    form, word, spacing = _forms(words, word, begins)
    order = np.concatenate([np.flatnonzero(plain), np.flatnonzero(~plain)])
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    by_chunk = Corpus.from_lengths(form, lengths).take(place)
    return Tokens(words, word, spacing, chunks.replaced(by_chunk.ids, by_chunk.lengths))


def split_characters(texts: Iterable[str]) -> Tokens:
    """Grapheme clusters of cleaned texts."""
    return _read(map(characters, map(without_invisible, texts)))


def split_by_pattern(texts: Iterable[str], pattern: Any, *, as_in_lower_case: bool = False) -> Tokens:
    """Matches of a pattern (or of its group) in cleaned texts; text between matches counts as a space.

    With `as_in_lower_case`, the pattern reads the text in lower case, and the tokens are as they are written.
    """

    group = pattern.groups
    begins = [np.empty(0, dtype=bool)]

    def found(text: str) -> list[str]:
        text = without_invisible(text)
        read = text.lower() if as_in_lower_case else text
        # A few letters become two in lower case.
        text = text if len(text) == len(read) else read
        spans = [span for match in pattern.finditer(read) if (span := match.span(group))[1] > span[0]]
        edges = np.array(spans, dtype=np.int64).reshape(-1, 2)
        begins.append(edges[:, 0] != np.concatenate([[-1], edges[:, 1]])[:-1])
        return [text[start:stop] for start, stop in spans]

    # One document at a time, since `_read` numbers its tokens and then frees them.
    return _read(map(found, texts), begins)


def read_lists(documents: Iterable[Iterable[str]]) -> Tokens:
    """Documents that are already lists of tokens, with a space between any two."""
    return _read(documents)


def _read(documents: Iterable[Iterable[str]], begins: list[NDArray[np.bool_]] | None = None) -> Tokens:
    """Number the tokens of documents; `begins` may grow with each document."""
    table = _FirstSeen()
    parts = [np.empty(0, dtype=np.int32)]
    for document in documents:
        parts.append(np.fromiter(map(table.__getitem__, document), dtype=np.int32))
    word, words = np.concatenate(parts), list(table)
    lengths = np.array([len(part) for part in parts[1:]], dtype=np.int64)
    if begins is None:
        return Tokens(
            words,
            np.arange(len(words)),
            np.zeros(len(words), dtype=np.int8),
            Corpus.from_lengths(word, lengths),
        )
    form, word_of_form, spacing = _forms(words, word.astype(np.int64), np.concatenate(begins))
    return Tokens(words, word_of_form, spacing, Corpus.from_lengths(form, lengths))


def _forms(
    words: list[str], word: NDArray[np.int64], begins: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int8]]:
    """The form of each token, and the word and the spacing of each form.

    A missing space between two tokens is recorded on one side only, that of a mark. Of the marks
    around the words of a chunk, those in front are joined to what follows, the others to what precedes them. An
    opening quote therefore is another form than a closing one, and "." is the same after a word and after a bracket.

    Parameters
    ----------
    words : list of str
    word : ndarray of shape (n_tokens,)
        Each token as an index into `words`.
    begins : ndarray of shape (n_tokens,), dtype bool
        Whether a space, or the beginning of a text, precedes the token.
    """
    lettered = np.fromiter(map(is_word, words), dtype=bool, count=len(words))[word]
    begins = begins.copy()
    begins[:1] = True
    chunk = np.cumsum(begins) - 1
    n_words = np.bincount(chunk, weights=lettered).astype(np.int64)[chunk]
    so_far = np.cumsum(lettered)
    so_far -= (so_far - lettered)[np.flatnonzero(begins)][chunk]
    after_word = np.concatenate([[False], lettered[:-1]])[: len(word)]
    before_word = np.append(lettered, False)[1:] & ~np.append(begins, True)[1:]
    opening = ~lettered & (so_far == 0) & (n_words > 0)
    within = ~lettered & (so_far > 0) & (so_far < n_words)
    left = ~begins & ~opening & (after_word | ~lettered)
    right = opening | (within & before_word)
    code = word * 4 + left * JOINED_LEFT + right * JOINED_RIGHT
    occurs = np.zeros(4 * len(words), dtype=bool)
    occurs[code] = True
    forms = np.flatnonzero(occurs)
    number = np.cumsum(occurs) - 1
    return number[code].astype(np.int32), forms // 4, (forms % 4).astype(np.int8)


class _FirstSeen(dict[str, int]):
    """Numbers its keys in the order of their first lookup."""

    def __missing__(self, key: str) -> int:
        self[key] = number = len(self)
        return number


_OTHER_OR_END = regex.compile(rf"\n|{TOKEN_PATTERN}")


def encode_chunks(chunks: list[str], engine: Any) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Ids of chunks from the Rust engine, back to back, and the number of ids of each chunk."""
    flat, lengths = [np.empty(0, dtype=np.int32)], [np.empty(0, dtype=np.int64)]
    # In blocks, because an encoding takes far more memory than its ids.
    for start in range(0, len(chunks), _CHUNKS_PER_BLOCK):
        block = engine.encode_batch_fast(chunks[start : start + _CHUNKS_PER_BLOCK], add_special_tokens=False)
        ids = [encoding.ids for encoding in block]
        lengths.append(np.fromiter(map(len, ids), dtype=np.int64, count=len(ids)))
        flat.append(np.fromiter(chain.from_iterable(ids), dtype=np.int32, count=int(lengths[-1].sum())))
    return np.concatenate(flat), np.concatenate(lengths)
