"""Explanation of a prediction: the margin of a class as a sum of contributions of n-grams."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from .._network.attribution import attributions
from .._network.fitted import FittedAutoencoder
from .._texts.corpus import Corpus
from .._texts.documents import Documents
from .._texts.ngrams import Ngrams
from .._texts.splitting import characters
from .head import ClassHead
from .logits import log_probabilities, summed

MARGIN, NGRAM, EMBEDDING, INTERCEPT, REST = "margin", "ngram", "embedding", "intercept", "rest"
_PARTS = ("lexical", "vector", "latent", "embedding", "intercept")
_WHITE_SPACE = re.compile(r"(\s+)")
# Of single precision, in a sum of hundreds of contributions.
_ROUNDING = 1e-5


# What contributes: its kind, and the token ids of an n-gram.
Key = tuple[str, tuple[int, ...]]


@dataclass
class Explanation:
    """Margins of documents, split by part of the head and by what the part reads.

    Parameters
    ----------
    labels : ndarray of shape (n_documents,)
        Index of the explained class of each document.
    margins : ndarray of shape (n_documents,)
        What the contributions add up to.
    keys : list of (str, tuple of int)
        What contributes: kind (`NGRAM`, `EMBEDDING` or `INTERCEPT`) and the token ids of an n-gram.
    parts : dict of str to CSR array of shape (n_documents, n_keys)
        Contributions through each part of the head.
    totals : ndarray of shape (n_documents, n_parts)
        The whole contribution of each part.
    """

    labels: NDArray[np.integer]
    margins: NDArray[np.floating]
    keys: list[Key]
    parts: dict[str, sp.csr_array]
    totals: NDArray[np.floating]

    def rows(
        self, phrase: Callable[[tuple[int, ...]], str], count: int, *, merge_ngrams: bool
    ) -> list[tuple[Any, ...]]:
        """Document, kind, name, contribution, and its split by part: the margin, the largest ones, and the rest.

        Parameters
        ----------
        phrase : callable
            From the token ids of an n-gram to its name.
        count : int
            Number of contributions of each document between the margin and the rest.
        merge_ngrams : bool
            Whether an n-gram contains what the shorter ones in it contribute, unless they are in a row above.
        """
        rows = []
        for document, margin in enumerate(self.margins):
            keys, by_part = self._of(document)
            totals, rest = self.totals[document], self.totals[document].copy()
            rows.append((document, MARGIN, "", float(margin), *totals.tolist()))
            remaining = float(margin)
            for place, members in _largest(keys, by_part.sum(axis=1), count, merge_ngrams):
                listed = by_part[members].sum(axis=0)
                kind, ids = keys[place]
                name = phrase(ids)
                rows.append((document, kind, name, float(listed.sum()), *listed.tolist()))
                rest -= listed
                remaining -= float(listed.sum())
            left = np.array([remaining, *rest])
            left[np.abs(left) < _ROUNDING * np.abs(by_part).sum()] = 0.0
            rows.append((document, REST, "", *left.tolist()))
        return rows

    def by_token(self, document: int) -> dict[int, float]:
        """Contribution of each distinct token id of a document: equal shares of the n-grams that it is in.

        These are the Shapley values [1]_ of the tokens, if an n-gram contributes as soon as all of its tokens occur.

        References
        ----------
        .. [1] L. S. Shapley, "A Value for n-Person Games", Contributions to the Theory of Games 2, 1953.
        """
        shares: dict[int, float] = {}
        keys, by_part = self._of(document)
        for (_, ids), contribution in zip(keys, by_part.sum(axis=1).tolist(), strict=True):
            distinct = set(ids)
            for token in distinct:
                shares[token] = shares.get(token, 0.0) + contribution / len(distinct)
        return shares

    def _of(self, document: int) -> tuple[list[Key], NDArray[np.floating]]:
        """What contributes to one document, and its contributions, of shape (n_occurring, n_parts)."""
        ranges = {name: slice(*part.indptr[document : document + 2]) for name, part in self.parts.items()}
        columns = [part.indices[ranges[name]] for name, part in self.parts.items()]
        occurring = np.unique(np.concatenate(columns))
        by_part = np.zeros((len(occurring), len(self.parts)))
        for number, (name, part) in enumerate(self.parts.items()):
            by_part[np.searchsorted(occurring, columns[number]), number] = part.data[ranges[name]]
        return [self.keys[key] for key in occurring], by_part


def _largest(
    keys: list[Key], contributions: NDArray[np.floating], count: int, merge_ngrams: bool
) -> Iterator[tuple[int, NDArray[np.integer]]]:
    """Places of the keys to list, and of those whose contributions are listed under their names."""
    # A row for each key, with a one for each key within it.
    within = _within(keys) if merge_ngrams else sp.eye_array(len(keys), format="csr")
    left = contributions.copy()
    together = within @ left
    containing = within.T.tocsr()
    for _ in range(min(count, len(keys))):
        first = int(np.argmax(np.abs(together)))
        members = within.indices[slice(*within.indptr[first : first + 2])]
        members = members[left[members] != 0]
        if not len(members):
            return
        yield first, members
        together -= left[members] @ containing[members]
        left[members] = 0
        # What is listed, and what is left of rounding.
        together[within @ (left != 0) == 0] = 0


def _within(keys: list[Key]) -> sp.csr_array:
    places = {key: place for place, key in enumerate(keys)}
    rows, columns = [], []
    for (kind, ids), place in places.items():
        parts = {ids[start:end] for start, end in combinations(range(len(ids) + 1), 2)} or {ids}
        inner = [places[kind, part] for part in parts if (kind, part) in places]
        rows += [place] * len(inner)
        columns += inner
    ones = np.ones(len(rows))
    return sp.coo_array((ones, (rows, columns)), shape=2 * (len(keys),)).tocsr()


class _Sources:
    """Collects contributions, by part of the head and by what contributes."""

    def __init__(self) -> None:
        self._numbers: dict[Key, int] = {}
        self._found: dict[str, list[Any]] = {}

    def add_tokens(self, part: str, values: sp.csr_array) -> None:
        """Contributions of tokens, of shape (n_documents, n_tokens)."""
        self._add(part, values, lambda ids: [(each,) for each in ids.tolist()])

    def add_ngrams(self, part: str, values: sp.csr_array, ngrams: Ngrams) -> None:
        """Contributions of n-grams, of shape (n_documents, n_features)."""
        self._add(part, values, ngrams.token_ids)

    def add_one(self, part: str, kind: str, values: NDArray[np.floating]) -> None:
        """Contributions of something that each document has, of shape (n_documents,)."""
        n_documents = len(values)
        columns = np.full(n_documents, self._number(kind, ()))
        self._found.setdefault(part, []).append((values, columns, np.arange(n_documents + 1)))

    def _add(
        self, part: str, values: sp.csr_array, ids_of: Callable[[NDArray[np.integer]], list[tuple[int, ...]]]
    ) -> None:
        occurring, inverse = np.unique(values.indices, return_inverse=True)
        numbers = np.array([self._number(NGRAM, ids) for ids in ids_of(occurring)], dtype=np.int64)
        self._found.setdefault(part, []).append((values.data, numbers[inverse], values.indptr))

    def _number(self, kind: str, ids: tuple[int, ...]) -> int:
        return self._numbers.setdefault((kind, ids), len(self._numbers))

    def collected(self, n_documents: int) -> tuple[list[Key], dict[str, sp.csr_array]]:
        """Keys, and the contributions of each part, of shape (n_documents, n_keys)."""
        shape = (n_documents, len(self._numbers))
        parts = {
            name: sum((sp.csr_array(each, shape=shape) for each in self._found[name]), sp.csr_array(shape))
            for name in _PARTS
            if name in self._found
        }
        return list(self._numbers), parts


def explain(
    head: ClassHead, autoencoder: FittedAutoencoder, corpus: Corpus, labels: NDArray[np.integer] | None
) -> Explanation:
    """Split the margin of each document into contributions.

    Linear models are split exactly. The encoder's output is split over what the encoder reads, relative to
    a document without words and with average vectors.

    Parameters
    ----------
    head : ClassHead
    autoencoder : FittedAutoencoder
    corpus : Corpus
        The documents.
    labels : ndarray of shape (n_documents,), or None
        Index of the class to explain; None means the predicted one.

    Returns
    -------
    explanation : Explanation
    """
    documents = autoencoder.prepare(corpus)
    features, inputs = autoencoder.features(documents), head.inputs(corpus, documents)
    of_parts = head.parts(features, inputs)
    logits = summed(list(of_parts.values()))
    if labels is None:
        labels = log_probabilities(logits).argmax(axis=1)
    directions = class_directions(labels, head.n_outputs)
    reference = autoencoder.features(autoencoder.without_words())
    without = {"latent": head.latent_logits(reference)} | {
        name: model.bias for name, model in head.models.items()
    }
    totals = {
        name: ((of_part - without[name]) * directions).sum(axis=1) for name, of_part in of_parts.items()
    } | {"intercept": (sum(without.values()) * directions).sum(axis=1)}

    sources = _Sources()
    slopes = head.latent_slopes(features, reference, directions)
    _add_encoder(sources, autoencoder, corpus, documents, slopes)
    if head.ngrams is not None:
        values = linear_contributions(inputs["lexical"], head.models["lexical"].kernel, directions)
        sources.add_ngrams("lexical", values, head.ngrams)
    if autoencoder.ngram_vectors is not None and "vector" in head.models:
        vectors = autoencoder.ngram_vectors
        values = vectors.contributions(corpus, directions @ head.models["vector"].kernel.T)
        sources.add_ngrams("vector", values, vectors)
    if "embedding" in head.models:
        sources.add_one("embedding", EMBEDDING, totals["embedding"])
    sources.add_one("intercept", INTERCEPT, totals["intercept"])
    keys, parts = sources.collected(len(corpus))
    margins = (logits * directions).sum(axis=1)
    return Explanation(labels, margins, keys, parts, np.stack([totals[name] for name in parts], axis=1))


def _add_encoder(
    sources: _Sources,
    autoencoder: FittedAutoencoder,
    corpus: Corpus,
    documents: Documents,
    slopes: NDArray[np.float32],
) -> None:
    """Contributions through the encoder."""
    through = attributions(autoencoder, documents, slopes)
    sources.add_tokens("latent", through.tokens)
    if autoencoder.ngram_vectors is not None and through.vectors is not None:
        values = autoencoder.ngram_vectors.contributions(corpus, through.vectors)
        sources.add_ngrams("latent", values, autoencoder.ngram_vectors)
    if through.embeddings is not None and documents.embeddings is not None:
        values = (through.embeddings * documents.embeddings).sum(axis=1)
        sources.add_one("latent", EMBEDDING, values)


def shares_of_pieces(
    explanation: Explanation, autoencoder: FittedAutoencoder, text: str | list[str]
) -> list[tuple[str, float]]:
    """A text in pieces, and what the tokens of each piece contribute to its margin.

    Parameters
    ----------
    explanation : Explanation
        Of this text alone.
    autoencoder : FittedAutoencoder
    text : str or list of str

    Returns
    -------
    pieces : list of (str, float)
        Chunks between white space, characters, or tokens. Together they are the text, up to its case and spacing.
    """
    tokenizer = autoencoder.tokenizer
    assert tokenizer is not None
    ids = tokenizer._encode([text]).ids
    shares, times = explanation.by_token(0), Counter(ids.tolist())
    added = np.array([shares.get(each, 0.0) / times[each] for each in ids.tolist()])
    if isinstance(text, str):
        pieces = list(characters(text)) if tokenizer.analyzer == "char" else _WHITE_SPACE.split(text)
        apart = tokenizer._encode(pieces)
        if np.array_equal(apart.ids, ids):
            ends = pairwise(apart.starts)
            return [
                (piece, float(added[start:end].sum()))
                for piece, (start, end) in zip(pieces, ends, strict=True)
            ]
    # Tokens that span white space, or are not the same in a part of the text.
    space = "" if tokenizer.analyzer == "char" else " "
    pieces = [part for token in tokenizer._written(text) for part in (token, space)][:-1]
    return [(piece, 0.0 if row % 2 else float(added[row // 2])) for row, piece in enumerate(pieces)]


def class_directions(labels: NDArray[np.integer], n_outputs: int) -> NDArray[np.float32]:
    """Weights of the outputs in the margin of each document's class.

    Parameters
    ----------
    labels : ndarray of shape (n_documents,)
        Index of the class to explain.
    n_outputs : int
        One output means two classes: the logit of the second.

    Returns
    -------
    directions : ndarray of shape (n_documents, n_outputs), dtype float32
        With two classes, the margin is the log-odds; with more, the logit minus the average logit.
    """
    if n_outputs == 1:
        return np.where(labels == 1, 1, -1).astype(np.float32)[:, None]
    return np.asarray(np.eye(n_outputs, dtype=np.float32)[labels] - np.float32(1 / n_outputs))


def linear_contributions(
    features: sp.csr_array, kernel: NDArray[np.float32], directions: NDArray[np.float32]
) -> sp.csr_array:
    """Contribution of each feature of a linear model to the margins, in the shape of `features`."""
    rows = np.repeat(np.arange(features.shape[0]), np.diff(features.indptr))
    added = features.data * (kernel[features.indices] * directions[rows]).sum(axis=1)
    return sp.csr_array((added, features.indices, features.indptr), shape=features.shape)
