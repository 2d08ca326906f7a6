"""Subwords learned by byte-pair encoding."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .corpus import Corpus
from .ids import FIRST_TOKEN_ID, UNKNOWN_ID
from .splitting import Chunks, characters, encode_chunks, without_invisible
from .vocabulary import SPACE

# Control characters, which no cleaned text contains, name the reserved ids. They also replace characters with a
# special meaning in the subword engine: the mark that it uses for spaces, and unknown characters.
_RESERVED = ("\x02padding\x03", "\x02unknown\x03", "\x02boundary\x03")
_SPACE_ITSELF, _UNKNOWN = "\x01", "\x04"
_FIRST_PRIVATE = 0xF0000
_PRIVATE = (*range(_FIRST_PRIVATE, 0xFFFFE), *range(0x100000, 0x10FFFE))


class Subwords:
    """Subwords learned by byte-pair encoding, whose characters are grapheme clusters.

    Clusters of several code points are passed to the engine as single characters of a private use area, so that
    none is ever split.

    Parameters
    ----------
    engine : tokenizers.Tokenizer
    clusters : list of str
        The clusters that the first private characters represent.
    """

    separator = ""

    def __init__(self, engine: Any, clusters: list[str]) -> None:
        self.engine = engine
        self.clusters = clusters
        self._private = {cluster: chr(_PRIVATE[place]) for place, cluster in enumerate(clusters)}
        self._written = {ord(character): cluster for cluster, character in self._private.items()}

    @classmethod
    def learn(cls, texts: Iterable[str], n_subwords: int, min_frequency: int) -> tuple[Subwords, Corpus]:
        """Learn subwords of cleaned texts; returns them and the encoded texts."""
        from tokenizers import Tokenizer, models, pre_tokenizers, trainers

        engine = Tokenizer(models.BPE(unk_token=_RESERVED[UNKNOWN_ID]))
        engine.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Metaspace(prepend_scheme="always"), pre_tokenizers.Punctuation()]
        )
        trainer = trainers.BpeTrainer(
            vocab_size=n_subwords + len(_RESERVED),
            min_frequency=min_frequency,
            # Rare characters of a large script must leave room for merges.
            limit_alphabet=max(1, n_subwords // 2),
            special_tokens=list(_RESERVED),
            show_progress=False,
        )
        chunks = Chunks(texts)
        found = dict.fromkeys(
            cluster
            for chunk in chunks.distinct
            if not chunk.isascii()
            for cluster in characters(without_invisible(chunk))
            if _needs_private(cluster)
        )
        subwords = cls(engine, list(found)[: len(_PRIVATE)])
        coded = subwords._coded(chunks.distinct)
        indices, starts = chunks.corpus.ids.tolist(), chunks.corpus.starts.tolist()
        engine.train_from_iterator(
            (" ".join([coded[index] for index in indices[start:end]]) for start, end in pairwise(starts)),
            trainer,
        )
        return subwords, chunks.replaced(*encode_chunks(coded, engine))

    def names(self) -> list[str]:
        """The subwords as shown to users."""
        names = [""] * self.engine.get_vocab_size(with_added_tokens=True)
        for token, index in self.engine.get_vocab(with_added_tokens=True).items():
            names[index] = token.translate(self._written).replace(_SPACE_ITSELF, SPACE)
        return names[FIRST_TOKEN_ID:]

    def encode_texts(self, texts: Iterable[str]) -> Corpus:
        """Ids of cleaned texts."""
        chunks = Chunks(texts)
        return chunks.replaced(*encode_chunks(self._coded(chunks.distinct), self.engine))

    def text(self, ids: NDArray[np.integer]) -> str:
        """One document, from ids that are not reserved."""
        joined = "".join(map(self.engine.id_to_token, ids.tolist())).replace(SPACE, " ").strip()
        return joined.translate(self._written).replace(_SPACE_ITSELF, SPACE)

    def _coded(self, chunks: Iterable[str]) -> list[str]:
        """Chunks with a single code point for each grapheme cluster."""

        def coded(chunk: str) -> str:
            chunk = without_invisible(chunk)
            if chunk.isascii():
                return chunk
            return "".join(
                self._private.get(cluster, _UNKNOWN) if _needs_private(cluster) else cluster
                for cluster in characters(chunk)
            ).replace(SPACE, _SPACE_ITSELF)

        return [coded(chunk) for chunk in chunks]


def _needs_private(cluster: str) -> bool:
    return len(cluster) > 1 or ord(cluster) >= _FIRST_PRIVATE
