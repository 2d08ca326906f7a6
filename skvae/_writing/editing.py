"""Rewrites documents by editing: as much as possible is kept, and each edit is judged by three scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

import numpy as np
from numpy.typing import NDArray

from .._head.head import ClassHead
from .._head.logits import log_probabilities
from .._network.fitted import FittedAutoencoder
from .._texts.corpus import Corpus
from .._texts.ids import BOUNDARY_ID, FIRST_TOKEN_ID
from .guidance import Guidance

# Texts searched at the same time, hypotheses kept of each, and rounds of one edit each.
_TEXTS_PER_BLOCK = 16
_BEAM_WIDTH = 4
_MAX_ROUNDS = 6
# Edits of a hypothesis: the longest span, the spans in which tokens are replaced, tokens tried in a place, and
# edits that are scored in full.
_LONGEST_SPAN = 3
_N_SPANS = 6
_N_TOKENS = 6
_N_SCORED = 40
# Deletions that are read by the head; of more, those that lose the least support for the class by single tokens.
_N_DELETIONS = 60
# With 10,000 tokens, logits of 17 tokens of 64 texts: 44 MB.
_LOGITS_PER_PASS = 11_000_000
# Tokens are tried that are likely, and that support the class by these weights.
_CLASS_WEIGHTS = (0.0, 2.0, 6.0)


@dataclass(frozen=True)
class Edited:
    """A text with the place in the source from which each of its tokens comes.

    Parameters
    ----------
    ids : tuple of int
        Token ids; unknown tokens of the source are kept.
    origins : tuple of int
        Index of the same token in the source, -1 for a token that is not from it.
    """

    ids: tuple[int, ...]
    origins: tuple[int, ...]

    def replaced(self, start: int, n_tokens: int, token: int | None) -> Edited:
        """The text with a token (None: nothing) in the place of a span, which may be empty."""
        new = () if token is None else (token,)
        ids = self.ids[:start] + new + self.ids[start + n_tokens :]
        return Edited(ids, self.origins[:start] + (-1,) * len(new) + self.origins[start + n_tokens :])

    def n_edits(self, n_source: int) -> int:
        """Number of tokens of the source that are missing, and of tokens that are new."""
        n_kept = sum(origin >= 0 for origin in self.origins)
        return n_source - n_kept + len(self.ids) - n_kept


def _lost(text: Edited, now: NDArray[np.float64], before: NDArray[np.float64]) -> float:
    """What a text loses in likelihood, as a number of at most 0: kept tokens count against themselves, new ones against the median.

    Nothing is gained by the mere loss of a rare word, or by likely words that are put beside it.
    """
    usual = float(np.median(before))
    origins = np.array([*text.origins, len(before) - 1])
    return float(np.minimum(0.0, np.where(origins >= 0, before[origins], usual) - now).sum())


def pieces_of(corpus: Corpus, length: int, ends: NDArray[np.bool_]) -> tuple[Corpus, NDArray[np.int64]]:
    """Documents cut into pieces of at most `length` tokens, after the last token that ends a sentence if there is one.

    Parameters
    ----------
    corpus : Corpus
    length : int
    ends : ndarray of shape (n_tokens,), dtype bool
        Whether a token id ends a sentence.

    Returns
    -------
    pieces : Corpus
    owners : ndarray of shape (n_pieces,), dtype int64
        The document of each piece.
    """
    starts, owners = [], []
    for row, (start, stop) in enumerate(pairwise(corpus.starts.tolist())):
        starts.append(start)
        owners.append(row)
        while stop - start > length:
            found = np.flatnonzero(ends[corpus.ids[start : start + length]])
            start += int(found[-1]) + 1 if len(found) else length
            starts.append(start)
            owners.append(row)
    embeddings = None if corpus.embeddings is None else corpus.embeddings[owners]
    pieces = Corpus(corpus.ids, np.array([*starts, corpus.starts[-1]], dtype=np.int64), embeddings)
    return pieces, np.array(owners, dtype=np.int64)


def _ids_of(pieces: list[Edited]) -> tuple[int, ...]:
    return tuple(chain.from_iterable(piece.ids for piece in pieces))


class Editor:
    """Searches the rewriting of each document with the best sum of three scores.

    The scores, in nats, are the log-probability of the target class under the class head, times a weight; the loss of
    log-likelihood under the decoder, given the latents moved to that class, of the tokens that stay and of new ones; and
    a cost for each token that is lost or added. A beam search edits one span in each round: it is deleted,
    replaced by a token, or a token is inserted. Tokens that are tried are likely after the tokens before them, with
    and without a preference for the class.

    The pieces of a document are edited one after the other, first those that speak against the class most. A document that is
    clearly of the class stays as it is; in one that has become so, the other pieces need not speak for the class.

    Parameters
    ----------
    autoencoder : FittedAutoencoder
        One with a text decoder.
    head : ClassHead
    guidance : Guidance
        The class of each piece, and the tokens that support it.
    latents : ndarray of shape (n_pieces, n_components), dtype float32
        Moved to the class.
    strength : float
        Weight of the class.
    content_weight : float
        Cost of each edited token.

    References
    ----------
    J. Li, R. Jia, H. He and P. Liang, "Delete, Retrieve, Generate", NAACL 2018. https://aclanthology.org/N18-1169/
    N. Miao et al., "CGMH: Constrained Sentence Generation by Metropolis-Hastings Sampling", AAAI 2019.
    https://arxiv.org/abs/1811.10996
    """

    def __init__(
        self,
        autoencoder: FittedAutoencoder,
        head: ClassHead,
        guidance: Guidance,
        latents: NDArray[np.float32],
        strength: float,
        content_weight: float,
    ) -> None:
        self.autoencoder = autoencoder
        self.head = head
        self.guidance = guidance
        self.latents = latents
        self.strength = strength
        self.content_weight = content_weight
        # Of each piece: the log-probability of its class without any text, and while it is edited, what stands before and after it.
        self.neutral = self._log_class([()] * len(latents), list(range(len(latents))))
        self.around: list[tuple[tuple[int, ...], tuple[int, ...]]] = [((), ())] * len(latents)

    def edit(self, pieces: Corpus, owners: NDArray[np.int64]) -> list[Edited]:
        """The best rewriting of each piece.

        Parameters
        ----------
        pieces : Corpus
        owners : ndarray of shape (n_pieces,), dtype int64
            The document of each piece, in ascending order.

        Returns
        -------
        edited : list of Edited
        """
        texts = [pieces.ids[start:stop].tolist() for start, stop in pairwise(pieces.starts)]
        current = [Edited(tuple(ids), tuple(range(len(ids)))) for ids in texts]
        alone = self._log_class([piece.ids for piece in current], list(range(len(current))))
        bounds = [np.searchsorted(owners, [owner, owner + 1]).tolist() for owner in owners]
        firsts = np.flatnonzero(np.diff(owners, prepend=-1)).tolist()
        of_owner = self._log_class([_ids_of(current[slice(*bounds[row])]) for row in firsts], firsts)
        whole = np.repeat(of_owner, np.diff([*firsts, len(owners)]))
        order = np.lexsort((alone, owners))
        rank = np.arange(len(order)) - np.searchsorted(owners, owners[order])
        # No edit can gain what it costs.
        rank[self.strength * -whole[order] <= self.content_weight] = -1
        for turn in range(int(rank.max(initial=-1)) + 1):
            chosen = order[rank == turn].tolist()
            for start in range(0, len(chosen), _TEXTS_PER_BLOCK):
                rows = chosen[start : start + _TEXTS_PER_BLOCK]
                for row in rows:
                    begin, end = bounds[row]
                    self.around[row] = (_ids_of(current[begin:row]), _ids_of(current[row + 1 : end]))
                for row, edited in zip(
                    rows, self._edit_block([current[row] for row in rows], rows), strict=True
                ):
                    current[row], self.around[row] = edited, ((), ())
        return current

    def _edit_block(self, sources: list[Edited], rows: list[int]) -> list[Edited]:
        costs = self._costs(sources, rows)
        scores = self._scores(sources, rows, costs)
        beams = [{source: float(score)} for source, score in zip(sources, scores, strict=True)]
        active = list(range(len(sources)))
        for _ in range(_MAX_ROUNDS):
            beam = [(place, text) for place in active for text in beams[place]]
            edits = self._edits([text for _, text in beam], [rows[place] for place, _ in beam])
            tried = {
                (place, edited): None
                for (place, _), of_text in zip(beam, edits, strict=True)
                for edited in of_text
                if edited not in beams[place]
            }
            if not tried:
                break
            places, texts = zip(*tried, strict=True)
            scores = self._scores(
                texts, [rows[place] for place in places], [costs[place] for place in places]
            )
            before = {place: max(beams[place].values()) for place in active}
            for place, text, score in zip(places, texts, scores, strict=True):
                beams[place][text] = float(score)
            for place in active:
                best = sorted(beams[place].items(), key=lambda item: -item[1])
                beams[place] = dict(best[:_BEAM_WIDTH])
            active = [place for place in active if max(beams[place].values()) > before[place]]
            if not active:
                break
        return [max(beam, key=beam.__getitem__) for beam in beams]

    def _scores(
        self, texts: Sequence[Edited], rows: list[int], costs: list[NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """Score of each text, given the cost in nats of each token of its source, and of the boundary."""
        fluency = [
            _lost(text, now, before)
            for text, now, before in zip(texts, self._costs(texts, rows), costs, strict=True)
        ]
        edits = [text.n_edits(len(before) - 1) for text, before in zip(texts, costs, strict=True)]
        of_class = self._of_class([text.ids for text in texts], rows)
        return np.asarray(
            self.strength * of_class + np.array(fluency) - self.content_weight * np.array(edits)
        )

    def _of_class(self, texts: Sequence[tuple[int, ...]], rows: list[int]) -> NDArray[np.float64]:
        """How clearly each piece is of the target class, in nats of at most 0.

        Its log-probability; once the document is of the class, it is enough if the piece does not speak against it.
        """
        alone = self._log_class(texts, rows)
        whole = self._log_class_of_documents(texts, rows, alone)
        against = np.minimum(0.0, alone - self.neutral[rows])
        return np.asarray(np.maximum(alone, np.minimum(against, whole)))

    def _log_class_of_documents(
        self, texts: Sequence[tuple[int, ...]], rows: list[int], alone: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Log-probability of the target class of each document, given its piece, and that of the piece `alone`."""
        found = alone.copy()
        within = [index for index, row in enumerate(rows) if any(self.around[row])]
        if within:
            documents = [
                self.around[rows[index]][0] + tuple(texts[index]) + self.around[rows[index]][1]
                for index in within
            ]
            found[within] = self._log_class(documents, [rows[index] for index in within])
        return found

    def _log_class(self, texts: Sequence[tuple[int, ...]], rows: list[int]) -> NDArray[np.float64]:
        """Log-probability of the target class of each text."""
        lengths = np.array([len(ids) for ids in texts], dtype=np.int64)
        ids = np.fromiter(chain.from_iterable(texts), dtype=np.int32, count=int(lengths.sum()))
        embedder = self.autoencoder.embedder
        # Texts are not embedded while they are edited; embeddings of zero are the average.
        embeddings = None if embedder is None else np.zeros((len(texts), embedder.n_dims), dtype=np.float32)
        starts = np.concatenate([[0], np.cumsum(lengths)])
        corpus = Corpus(ids, starts, embeddings)
        documents = self.autoencoder.prepare(corpus)
        logits = self.head.logits(self.autoencoder.features(documents), self.head.inputs(corpus, documents))
        labels = self.guidance.labels[rows]
        return np.asarray(log_probabilities(logits)[np.arange(len(texts)), labels])

    def _costs(self, texts: Sequence[Edited], rows: list[int]) -> list[NDArray[np.float64]]:
        """Negative log-likelihood under the decoder of each token of each text, and of the boundary that ends it."""
        found: list[NDArray[np.float64]] = [np.empty(0)] * len(texts)
        # By length, so that little is padded.
        order = np.argsort([len(text.ids) for text in texts], kind="stable")
        size = self._texts_per_pass
        for start in range(0, len(order), size):
            chosen = order[start : start + size]
            ids = self._closed([texts[index].ids for index in chosen])
            latents = self.latents[[rows[index] for index in chosen]]
            costs = self.autoencoder.network.model.token_nll_of_many(latents, ids).numpy()
            for index, of_text in zip(chosen, costs, strict=True):
                # What the decoder cannot write costs nothing.
                padded = np.zeros(len(texts[index].ids) + 1)
                padded[: len(of_text)] = of_text[: len(padded)]
                found[index] = padded
        return found

    @property
    def _texts_per_pass(self) -> int:
        autoencoder = self.autoencoder
        return max(1, _LOGITS_PER_PASS // (autoencoder.max_length * autoencoder.n_tokens))

    def _closed(self, texts: list[tuple[int, ...]]) -> NDArray[np.int32]:
        """Ids as the decoder's targets: cut to what it can write, or followed by a boundary, and padded with 0."""
        limit = self.autoencoder.max_length
        ids = np.zeros((len(texts), min(max(map(len, texts)) + 1, limit)), dtype=np.int32)
        for row, text in enumerate(texts):
            closed = (*text, BOUNDARY_ID)[:limit]
            ids[row, : len(closed)] = closed
        return ids

    def _edits(self, texts: list[Edited], rows: list[int]) -> list[list[Edited]]:
        """Promising edits of each text."""
        deletions = [self._deletions(text, row) for text, row in zip(texts, rows, strict=True)]
        shortened = [
            text.replaced(span[0], span[1], None).ids
            for text, spans in zip(texts, deletions, strict=True)
            for span in spans
        ]
        n_spans = [len(spans) for spans in deletions]
        of_class = self._of_class(
            [*(text.ids for text in texts), *shortened], [*rows, *np.repeat(rows, n_spans).tolist()]
        )
        gains = np.split(of_class[len(texts) :], np.cumsum(n_spans)[:-1])
        edits: list[list[Edited]] = []
        size = self._texts_per_pass
        for start in range(0, len(texts), size):
            end = start + size
            chosen = [text.ids for text in texts[start:end]]
            log_next = self._log_next(chosen, rows[start:end])
            for place, text in enumerate(texts[start:end]):
                index = start + place
                values = self.strength * (gains[index] - of_class[index])
                edits.append(self._edits_of(text, deletions[index], values, log_next[place], rows[index]))
        return edits

    def _deletions(self, text: Edited, row: int) -> list[tuple[int, int]]:
        """Start and length of spans that may be deleted."""
        spans = [
            (start, n_tokens)
            for n_tokens in range(1, _LONGEST_SPAN + 1)
            for start in range(len(text.ids) - n_tokens + 1)
            if n_tokens < len(text.ids)
        ]
        if len(spans) <= _N_DELETIONS:
            return spans
        before = np.concatenate([[0], np.cumsum(self._support(row)[list(text.ids)])])
        lost = [before[start + n_tokens] - before[start] for start, n_tokens in spans]
        return [spans[index] for index in sorted(np.argsort(lost, kind="stable")[:_N_DELETIONS])]

    def _support(self, row: int) -> NDArray[np.floating]:
        """How much each token alone supports the class of a piece, against the next best class."""
        alone, label = self.guidance.alone, self.guidance.labels[row]
        return np.asarray(alone[:, label] - np.delete(alone, label, axis=1).max(axis=1))

    def _log_next(self, texts: list[tuple[int, ...]], rows: list[int]) -> NDArray[np.float32]:
        """Logits of each token at each place of each text, of shape (n_texts, n_places, n_tokens)."""
        model = self.autoencoder.network.model
        logits = np.array(model.logits_of_many(self.latents[rows], self._closed(texts)).numpy())
        logits[:, :, :FIRST_TOKEN_ID] = -np.inf
        return logits

    def _edits_of(
        self,
        text: Edited,
        spans: list[tuple[int, int]],
        values: NDArray[np.floating],
        logits: NDArray[np.float32],
        row: int,
    ) -> list[Edited]:
        support = self._support(row)
        lengths = np.array([n_tokens for _, n_tokens in spans])
        values = values - self.content_weight * lengths
        best = np.argsort(-values, kind="stable")[:_N_SPANS]
        edits: dict[Edited, float] = {
            text.replaced(spans[index][0], spans[index][1], None): np.inf for index in best
        }
        replaced = [(spans[index], float(values[index])) for index in best]
        inserted = [((start, 0), 0.0) for start in range(len(text.ids) + 1)]
        for (start, n_tokens), value in replaced + inserted:
            if start >= len(logits):
                continue
            row_logits = logits[start]
            likely = row_logits - row_logits.max()
            for weight in _CLASS_WEIGHTS:
                preferred = likely + weight * support
                n_tried = min(_N_TOKENS, len(preferred) - FIRST_TOKEN_ID)
                top = np.argpartition(-preferred, n_tried - 1)[:n_tried]
                for token in top.tolist():
                    if n_tokens and token == text.ids[start]:
                        continue
                    edited = text.replaced(start, n_tokens, token)
                    score = value + float(likely[token] + max(_CLASS_WEIGHTS) * support[token])
                    edits[edited] = max(score, edits.get(edited, -np.inf))
        order = sorted(edits, key=lambda edited: -edits[edited])
        return order[: _N_SPANS + _N_SCORED]
