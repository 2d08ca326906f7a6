"""Latent vectors to token ids, one step at a time for a whole batch."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from ._corpus import Corpus
from .networks import BOUNDARY_ID, RepeatTextDecoder

_DOCUMENTS_PER_BLOCK = 256


def decode_tokens(
    decoder: Any,
    latents: NDArray[np.float32],
    max_length: int,
    *,
    decoding: str = "greedy",
    temperature: float = 1.0,
    random: np.random.Generator | None = None,
) -> Corpus:
    """Write token ids from latent vectors.

    Parameters
    ----------
    decoder : RecurrentTextDecoder or RepeatTextDecoder
        A trained text decoder.
    latents : ndarray of shape (n_samples, n_components), dtype float32
    max_length : int
        Texts that do not end before are cut here.
    decoding : {"greedy", "sample"}, default="greedy"
        The likeliest token at each step, or one drawn with its probability.
    temperature : float, default=1.0
        Logits are divided by it before drawing: below 1 safer, above 1 more varied.
    random : numpy.random.Generator or None, default=None
        Draws the tokens; needed by "sample".

    Returns
    -------
    corpus : Corpus
        Token ids without boundaries; no reserved id occurs.
    """
    blocks = []
    for start in range(0, len(latents), _DOCUMENTS_PER_BLOCK):
        z = ops.convert_to_tensor(latents[start : start + _DOCUMENTS_PER_BLOCK])
        choose = _Chooser(decoding, temperature, random)
        write = _write_at_once if isinstance(decoder, RepeatTextDecoder) else _write_stepwise
        blocks.append(write(decoder, z, max_length, choose))
    ids = np.concatenate(blocks)
    # Everything from the first boundary on is no part of the text.
    ids[np.cumsum(ids == BOUNDARY_ID, axis=1) > 0] = 0
    return Corpus.from_matrix(ids)


class _Chooser:
    """Picks a token from each row of logits; never padding, never unknown."""

    def __init__(self, decoding: str, temperature: float, random: np.random.Generator | None) -> None:
        self.decoding = decoding
        self.temperature = temperature
        self.random = random

    def __call__(self, logits: NDArray[np.float32]) -> NDArray[np.int32]:
        logits = np.array(logits, dtype=np.float32)
        logits[:, :BOUNDARY_ID] = -np.inf
        if self.decoding == "greedy":
            return logits.argmax(axis=1).astype(np.int32)
        assert self.random is not None
        logits /= self.temperature
        cumulative = np.cumsum(np.exp(logits - logits.max(axis=1, keepdims=True)), axis=1, dtype=np.float64)
        threshold = self.random.random((len(logits), 1)) * cumulative[:, -1:]
        return (cumulative <= threshold).sum(axis=1).astype(np.int32)


def _write_stepwise(decoder: Any, z: Any, max_length: int, choose: _Chooser) -> NDArray[np.int32]:
    n_documents = z.shape[0]
    ids = np.zeros((n_documents, max_length), dtype=np.int32)
    previous = np.full(n_documents, BOUNDARY_ID, dtype=np.int32)
    ended = np.zeros(n_documents, dtype=bool)
    states = decoder.start(z)
    for position in range(max_length):
        logits, states = decoder.step(previous, states, z)
        previous = choose(ops.convert_to_numpy(logits))
        ids[:, position] = np.where(ended, 0, previous)
        ended |= previous == BOUNDARY_ID
        if ended.all():
            break
    return ids


def _write_at_once(decoder: Any, z: Any, max_length: int, choose: _Chooser) -> NDArray[np.int32]:
    n_documents = z.shape[0]
    logits = ops.convert_to_numpy(decoder.logits(z, np.zeros((n_documents, max_length), dtype=np.int32)))
    return np.stack([choose(logits[:, position]) for position in range(max_length)], axis=1)
