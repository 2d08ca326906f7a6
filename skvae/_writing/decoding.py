"""Latent vectors to token ids, one step at a time for a whole batch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from .._network.backend import ops
from .._network.decoders import RepeatTextDecoder
from .._texts.corpus import Corpus
from .._texts.ids import BOUNDARY_ID, UNKNOWN_ID
from .guidance import LARGEST, Guidance
from .options import DecodingOptions

_ROWS_PER_BLOCK = 256
# Limit for a decoder that keeps all steps in memory at once.
_STEPS_PER_BLOCK = 16_384


def decode_tokens(
    decoder: Any,
    latents: NDArray[np.float32],
    max_length: int,
    options: DecodingOptions,
    random: np.random.Generator | None = None,
    guidance: Guidance | None = None,
) -> Corpus:
    """Write token ids from latent vectors.

    Parameters
    ----------
    decoder : RecurrentTextDecoder or RepeatTextDecoder
        A trained text decoder. The latter chooses tokens independently, so "beam"
        is the same as "greedy".
    latents : ndarray of shape (n_samples, n_components), dtype float32
    max_length : int
        Longer texts are truncated to this length.
    options : DecodingOptions
        How tokens are chosen.
    random : numpy.random.Generator or None, default=None
        Draws the tokens; needed by "sample".
    guidance : Guidance or None, default=None
        Guidance towards a class; not used by a decoder that writes all tokens at once.

    Returns
    -------
    corpus : Corpus
        Token ids without boundaries; no reserved id occurs.
    """
    rows_each = options.beam_width if options.decoding == "beam" else 1
    block = max(1, _ROWS_PER_BLOCK // rows_each)
    if isinstance(decoder, RepeatTextDecoder):
        block = max(1, _STEPS_PER_BLOCK // max_length)
    blocks = []
    chances = None if options.decoding != "sample" else _chances(random, len(latents), max_length)
    for start in range(0, len(latents), block):
        z = latents[start : start + block]
        drawn = None if chances is None else chances[start : start + block]
        if isinstance(decoder, RepeatTextDecoder):
            blocks.append(_write_at_once(decoder, z, max_length, options, drawn))
            continue
        guide = _Guide(guidance, np.repeat(np.arange(start, start + len(z)), rows_each), max_length)
        if options.decoding == "beam":
            blocks.append(_search_beams(decoder, z, max_length, options, guide))
        else:
            blocks.append(_write_stepwise(decoder, z, max_length, options, drawn, guide))
    ids = np.concatenate(blocks)
    # The text ends at the first boundary.
    ids[np.cumsum(ids == BOUNDARY_ID, axis=1) > 0] = 0
    return Corpus.from_matrix(ids)


def _chances(random: np.random.Generator | None, n_texts: int, max_length: int) -> NDArray[np.float64]:
    """A number from 0 to 1 for each token of each text, which depends on the place of the text but not on how many follow."""
    assert random is not None
    seed = int(random.integers(2**63))
    return np.stack(
        [np.random.Generator(np.random.Philox(key=[seed, row])).random(max_length) for row in range(n_texts)]
    )


class _Guide:
    """Tracks the class logits of a block of texts, and the unwritten part of their source, during decoding."""

    def __init__(self, guidance: Guidance | None, rows: NDArray[np.integer], max_length: int) -> None:
        self.guidance = None if guidance is None else guidance.take(rows)
        self.class_logits, self.previous = np.zeros((len(rows), 0)), np.full(len(rows), BOUNDARY_ID)
        if self.guidance is not None:
            self.class_logits = np.tile(self.guidance.intercept.astype(np.float64), (len(rows), 1))
        self.source = self.unwritten = None
        self.place = np.zeros(len(rows), dtype=np.int64)
        if self.guidance is not None and self.guidance.source is not None and self.guidance.content_weight:
            self.source = _between_boundaries(self.guidance.source, max_length)
            self.unwritten = np.zeros((len(rows), len(self.guidance.alone)), dtype=np.int32)
            np.add.at(self.unwritten, (np.arange(len(rows))[:, None], self.source), 1)

    def copying(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Logits of the next token, where those that are due in the source have a bonus."""
        if self.source is not None and self.unwritten is not None and self.guidance is not None:
            known = self.source[:, :-1] == self.previous[:, None]
            # A written token that is not in the source takes the place of the one that was due.
            elsewhere = np.flatnonzero(~known.any(axis=1) & (self.place < known.shape[1]))
            known[elsewhere, self.place[elsewhere]] = True
            rows, places = np.nonzero(known)
            following = self.source[rows, places + 1]
            # A token that has been written as many times as it occurs in the source gets no bonus.
            left = self.unwritten[rows, following] > 0
            logits[rows[left], following[left]] += min(self.guidance.content_weight, LARGEST)
        return logits

    def class_terms(self) -> NDArray[np.float64]:
        """What the class adds to the log-probability of each text and next token, in nats."""
        if self.guidance is None:
            return np.zeros((len(self.previous), 1))
        return self.guidance.class_terms(self.class_logits, self.previous)

    def follow(self, rows: NDArray[np.integer], tokens: NDArray[np.int32]) -> None:
        """Replace text i by text rows[i] followed by tokens[i]."""
        if self.guidance is not None:
            added = self.guidance.added(self.previous[rows], tokens)
            self.class_logits = self.class_logits[rows] + added
        self.previous = tokens
        # All hypotheses of a document have the same source.
        if self.source is not None and self.unwritten is not None:
            same = self.source == tokens[:, None]
            later = same & (np.arange(same.shape[1]) > self.place[rows][:, None])
            found = np.where(later.any(axis=1), later.argmax(axis=1), same.argmax(axis=1))
            self.place = np.where(same.any(axis=1), found, self.place[rows] + 1)
            self.unwritten = self.unwritten[rows]
            self.unwritten[np.arange(len(rows)), tokens] -= 1


def _between_boundaries(corpus: Corpus, max_length: int) -> NDArray[np.int32]:
    """Token ids of each document from boundary to boundary, without unknown tokens, padded with 0.

    Truncated to what can be written: the first boundary and the `max_length + 1` tokens that follow.
    """
    # Unknown tokens are never written: the token after one counts as the successor of the token before it.
    known = corpus.ids != UNKNOWN_ID
    corpus = Corpus(corpus.ids[known], np.concatenate([[0], np.cumsum(known)])[corpus.starts])
    n_written = min(int(corpus.lengths.max(initial=0)), max_length) + 1
    source = np.zeros((len(corpus), n_written + 1), dtype=np.int32)
    source[:, 0] = BOUNDARY_ID
    source[:, 1:] = corpus.padded(n_written)
    ended = np.flatnonzero(corpus.lengths < n_written)
    source[ended, corpus.lengths[ended] + 1] = BOUNDARY_ID
    return source


def _permitted(logits: Any) -> NDArray[np.float64]:
    """A copy in which padding and unknown tokens cannot be chosen."""
    logits = np.array(ops.convert_to_numpy(logits), dtype=np.float64)
    logits[:, :BOUNDARY_ID] = -np.inf
    return logits


def _choose(
    logits: NDArray[np.float64], options: DecodingOptions, chances: NDArray[np.float64] | None
) -> NDArray[np.int32]:
    """A token for each row of permitted logits; `chances`, of shape (n_rows,), decide which if it is drawn."""
    if chances is None:
        return logits.argmax(axis=1).astype(np.int32)
    with np.errstate(over="ignore"):
        below_best = (logits - logits.max(axis=1, keepdims=True)) / options.temperature
    cumulative = np.cumsum(np.exp(_without_tail(below_best, options)), axis=1)
    threshold = chances[:, None] * cumulative[:, -1:]
    return (cumulative <= threshold).sum(axis=1).astype(np.int32)


def _without_tail(logits: NDArray[np.float64], options: DecodingOptions) -> NDArray[np.float64]:
    """Logits of the tokens that may be drawn, -inf for the others.

    These are the `top_k` most likely tokens (Fan, Lewis and Dauphin 2018), and the smallest set with a total
    probability of `top_p` (nucleus sampling, Holtzman et al. 2020). https://arxiv.org/abs/1904.09751
    """
    if options.top_k is None and options.top_p is None:
        return logits
    order = np.argsort(-logits, axis=1, kind="stable")
    probability = np.exp(log_softmax(np.take_along_axis(logits, order, axis=1), axis=1))
    kept = np.ones(logits.shape, dtype=bool)
    if options.top_k is not None:
        kept[:, options.top_k :] = False
    if options.top_p is not None:
        # A token is kept if those before it do not reach top_p, so the most likely one always is.
        kept &= np.cumsum(probability, axis=1) - probability < options.top_p
    permitted = np.zeros(logits.shape, dtype=bool)
    np.put_along_axis(permitted, order, kept, axis=1)
    return np.where(permitted, logits, -np.inf)


def _write_stepwise(
    decoder: Any,
    z: NDArray[np.float32],
    max_length: int,
    options: DecodingOptions,
    chances: NDArray[np.float64] | None,
    guide: _Guide,
) -> NDArray[np.int32]:
    ids = np.zeros((len(z), max_length), dtype=np.int32)
    previous = np.full(len(z), BOUNDARY_ID, dtype=np.int32)
    ended = np.zeros(len(z), dtype=bool)
    states = decoder.start(z)
    for position in range(max_length):
        logits, states = decoder.step(previous, states, z)
        logits = guide.copying(_permitted(logits)) + guide.class_terms()
        _forbid_repeats(logits, ids[:, :position], options.no_repeat_ngram_size)
        previous = _choose(logits, options, None if chances is None else chances[:, position])
        guide.follow(np.arange(len(z)), previous)
        ids[:, position] = np.where(ended, 0, previous)
        ended |= previous == BOUNDARY_ID
        if ended.all():
            break
    return ids


def _write_at_once(
    decoder: Any,
    z: NDArray[np.float32],
    max_length: int,
    options: DecodingOptions,
    chances: NDArray[np.float64] | None,
) -> NDArray[np.int32]:
    logits = ops.convert_to_numpy(decoder.logits(z, np.zeros((len(z), max_length), dtype=np.int32)))
    columns = [
        _choose(_permitted(logits[:, position]), options, None if chances is None else chances[:, position])
        for position in range(max_length)
    ]
    return np.stack(columns, axis=1)


def _search_beams(
    decoder: Any, z: NDArray[np.float32], max_length: int, options: DecodingOptions, guide: _Guide
) -> NDArray[np.int32]:
    """The best text of a beam search, by its log-probability divided by the number of its tokens, the end included.

    The log-probability of a text is the decoder's, and once that of its class times the strength of the guidance. If the
    class were part of each step's distribution, a text against it would lose nothing after its first such token: all tokens
    that could follow would be against it too.
    """
    beam_width = options.beam_width
    n_documents, n_rows = len(z), len(z) * beam_width
    first_row = np.arange(n_documents)[:, None] * beam_width
    z = np.repeat(z, beam_width, axis=0)
    states = decoder.start(z)
    previous = np.full(n_rows, BOUNDARY_ID, dtype=np.int32)
    ids = np.zeros((n_rows, max_length), dtype=np.int32)
    lengths = np.zeros(n_rows)
    ended = np.zeros(n_rows, dtype=bool)
    # All hypotheses of a document are equal at first, so only one may grow.
    scores = np.where(np.arange(n_rows) % beam_width == 0, 0.0, -np.inf)
    of_class = np.zeros(n_rows)
    # The best text that has ended: it may lose its place to others that then end worse.
    finished = np.full(n_documents, -np.inf)
    texts = np.zeros((n_documents, max_length), dtype=np.int32)
    for position in range(max_length):
        logits, states = decoder.step(previous, states, z)
        logits = guide.copying(_permitted(logits))
        _forbid_repeats(logits, ids[:, :position], options.no_repeat_ngram_size)
        log_probability = log_softmax(logits, axis=1)
        # A text that has ended is continued with padding at no cost.
        log_probability[ended] = -np.inf
        log_probability[ended, 0] = 0.0
        of_classes = np.broadcast_to(guide.class_terms(), logits.shape).copy()
        of_classes[ended] = of_class[ended, None]
        grown = scores[:, None] + log_probability
        n_kept = min(beam_width, grown.shape[1])
        tokens = np.argpartition(-(grown + of_classes), n_kept - 1, axis=1)[:, :n_kept]
        grown, of_classes = (np.take_along_axis(part, tokens, axis=1) for part in (grown, of_classes))
        new_lengths = lengths + ~ended
        ranking = ((grown + of_classes) / new_lengths[:, None]).reshape(n_documents, -1)
        chosen = np.argsort(-ranking, axis=1, kind="stable")[:, :beam_width]
        rows, columns = (first_row + chosen // n_kept).ravel(), (chosen % n_kept).ravel()
        previous = tokens[rows, columns].astype(np.int32)
        scores, of_class = grown[rows, columns], of_classes[rows, columns]
        guide.follow(rows, previous)
        ids = ids[rows]
        ids[:, position] = previous
        lengths, ended = new_lengths[rows], ended[rows] | (previous == BOUNDARY_ID)
        states = [[ops.take(part, rows, axis=0) for part in state] for state in states]
        total = (scores + of_class) / lengths
        rated = np.where(ended, total, -np.inf)
        best = first_row[:, 0] + rated.reshape(n_documents, beam_width).argmax(axis=1)
        better = rated[best] > finished
        finished = np.where(better, rated[best], finished)
        texts[better] = ids[best[better]]
        if ended.all():
            break
    best = first_row[:, 0] + total.reshape(n_documents, beam_width).argmax(axis=1)
    return np.where((finished > total[best])[:, None], texts, ids[best])


def _forbid_repeats(logits: NDArray[np.float64], ids: NDArray[np.int32], size: int | None) -> None:
    """Exclude tokens that would repeat an n-gram of this size."""
    if size is None or ids.shape[1] < size:
        return
    n_before = ids.shape[1] - (size - 1)
    alike = np.ones((len(ids), n_before), dtype=bool)
    for offset in range(size - 1):
        alike &= ids[:, offset : offset + n_before] == ids[:, [n_before + offset]]
    rows, starts = np.nonzero(alike)
    tokens = ids[rows, starts + size - 1]
    # Texts that have ended repeat padding, which must stay possible.
    logits[rows[tokens > BOUNDARY_ID], tokens[tokens > BOUNDARY_ID]] = -np.inf
