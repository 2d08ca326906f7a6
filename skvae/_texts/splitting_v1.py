"""Splitting and joining of texts by tokenizers of format 1, which guess the spaces from the marks."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from .corpus import Corpus
from .ids import FIRST_TOKEN_ID
from .splitting import Chunks, encode_chunks

_LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_QUOTE_OR_DASH = re.compile(r"[\"“”'‘’-]")
_DIRECTED = (
    (re.compile(r"(?<=\w)[’‘](?=\w)"), "'"),
    (re.compile(r"(?<![\w.,;:!?)\]])[\"“”](?=[\w.$£€#'‘’])"), "“"),
    (re.compile(r"[\"”]"), "”"),
    (re.compile(r"(?<![\w.,;:!?)\]])['‘’](?=[\w.$£€#])"), "‘"),
    (re.compile(r"(?<!\w)'|'(?!\w)"), "’"),
    (re.compile(r"^-+$|-{2,}", re.MULTILINE), "–"),
)
_NO_SPACE_BEFORE = re.compile(r" ([.,;:)\]}”’%…]|[!?]+|\.{2,})(?= |$)")
_NO_SPACE_AFTER = re.compile(r"(?<!\S)([(\[{“‘$£€#]) ")
_NO_SPACE_AROUND = re.compile(r"(?<=\w) ([-/_&]) (?=\w)")
_STRAIGHT_QUOTES = str.maketrans("“”‘’", "\"\"''")


class FirstSplitting:
    """The fitted state of a tokenizer of format 1.

    Parameters
    ----------
    engine : str
        The stored Rust tokenizer.
    analyzer : {"word", "char", "bpe"}
    lowercase : bool
    """

    def __init__(self, engine: str, analyzer: str, lowercase: bool) -> None:
        from tokenizers import Tokenizer

        self.stored = engine
        self.analyzer = analyzer
        self.lowercase = lowercase
        # Without the special tokens, no text is encoded as a reserved id.
        self.engine = Tokenizer.from_str(json.dumps(json.loads(engine) | {"added_tokens": []}))
        names = self.engine.get_vocab()
        self.tokens = np.empty(len(names), dtype=object)
        for token, index in names.items():
            self.tokens[index] = token

    def names(self) -> list[str]:
        """The tokens as shown to users."""
        names: list[str] = self.tokens[FIRST_TOKEN_ID:].tolist()
        return names

    def encode(self, texts: Iterable[str]) -> Corpus:
        """Ids of whole documents."""
        cleaned = map(self._clean, texts)
        if self.analyzer == "char":
            ids, lengths = encode_chunks(list(cleaned), self.engine)
            return Corpus.from_lengths(ids, lengths)
        chunks = Chunks(cleaned)
        distinct = chunks.distinct
        if self.analyzer == "word" and distinct:
            distinct = _direct_quotes("\n".join(distinct)).split("\n")
        return chunks.replaced(*encode_chunks(distinct, self.engine))

    def text(self, ids: NDArray[np.integer]) -> str:
        """One document, from ids that are not reserved."""
        text = (" " if self.analyzer == "word" else "").join(self.tokens[ids])
        if self.analyzer == "char":
            return text
        if self.analyzer == "bpe":
            return text.replace("\u2581", " ").strip()
        text = _NO_SPACE_BEFORE.sub(r"\1", text)
        text = _NO_SPACE_AFTER.sub(r"\1", text)
        return _NO_SPACE_AROUND.sub(r"\1", text).translate(_STRAIGHT_QUOTES)

    def _clean(self, text: str) -> str:
        if "<" in text:
            text = _LINE_BREAK.sub(" ", text)
        if not text.isascii():
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            text = unicodedata.normalize("NFC", text)
        return text.lower() if self.lowercase else text


def _direct_quotes(lines: str) -> str:
    """Replace straight quotes and dashes by directed ones; each line is a separate chunk."""
    if _QUOTE_OR_DASH.search(lines):
        for pattern, mark in _DIRECTED:
            lines = pattern.sub(mark, lines)
    return lines
