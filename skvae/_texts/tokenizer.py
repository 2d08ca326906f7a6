"""The interface of a fitted tokenizer for the floors above."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .corpus import Corpus


class FittedTokenizer(Protocol):
    """A fitted `TextTokenizer`, as far as autoencoders use it."""

    analyzer: Any
    lowercase: bool
    token_pattern: str | None
    max_length: int
    truncation: str
    n_tokens_: int
    n_documents_: int
    document_frequency_: NDArray[np.int64]
    _stop_ids: NDArray[np.int64] | None
    _from_lists: bool

    @property
    def tokens_(self) -> NDArray[np.object_]:
        """The token of each id."""

    def _encode(self, texts: list[Any]) -> Corpus:
        """Whole documents as ids."""

    def _decode(self, corpus: Corpus) -> NDArray[np.object_]:
        """Whole documents as texts."""

    def _phrase(self, ids: NDArray[np.integer]) -> str:
        """An n-gram as it stands in a text, reserved ids by their names."""

    def _exact(self, texts: list[Any]) -> tuple[Corpus, Any]:
        """Ids of all tokens as they are written, and the table whose method `text` reads them."""

    def _written(self, text: Any) -> list[str]:
        """The tokens of a document, with or without an id."""

    def _forms(self) -> list[str]:
        """The written form of each id."""
