"""Guides the choice of tokens towards a class, and towards the tokens of a document."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .._head.head import NgramClasses
from .._texts.corpus import Corpus
from .._texts.ngram_vectors import NgramVectors
from .._texts.ngrams import NgramFeatures, TokenPairs

_SMALLEST = np.finfo(np.float64).tiny


def _with_first_class(outputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits of two classes from those of the second against the first."""
    return np.concatenate([np.zeros_like(outputs), outputs], axis=-1)


def log_class_probabilities(
    logits: NDArray[np.floating], added: NDArray[np.floating], labels: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Log-probability of each document's class after each of several choices.

    Parameters
    ----------
    logits : ndarray of shape (n_documents, n_classes)
        Logits before the choice.
    added : ndarray of shape (n_choices, n_classes)
        What each choice adds to the logits.
    labels : ndarray of shape (n_documents,)
        Index of the class of each document.

    Returns
    -------
    log_probabilities : ndarray of shape (n_documents, n_choices), dtype float64
        The log-softmax of the sums. Memory is proportional to the size of this array, whatever the number of classes.
    """
    logits, added = np.asarray(logits, dtype=np.float64), np.asarray(added, dtype=np.float64)
    logits = logits - logits.max(axis=1, keepdims=True)
    added = added - added.max(axis=1, keepdims=True)
    # The normaliser of a sum of logits is a matrix product. With many classes, this is much cheaper than a
    # softmax for each choice of each document.
    total = np.exp(logits) @ np.exp(added).T
    log_total = np.log(np.maximum(total, _SMALLEST, out=total), out=total)
    own = logits[np.arange(len(logits)), labels][:, None] + added[:, labels].T
    log_class = np.subtract(own, log_total, out=own)
    return np.asarray(np.minimum(log_class, 0.0, out=log_class))


# A stronger preference decides alone already; this one leaves double precision enough digits for the likelihood.
LARGEST = 1e9


@dataclass(frozen=True)
class Guidance:
    """Preference for next tokens that support the target class of a document.

    `strength` times log p(class | text so far, token) is added to the log-probability of each token, or, in a beam search, of
    the text up to it. This is the log-softmax of a linear classifier's logits. Once the class of the text is clear,
    further words for it gain nothing.

    If there is a source document, some tokens get a bonus: those that follow the last written token in that
    document. Each token gets it as many times as it occurs in the document. A written token that is not in the
    document takes the place of the document's token that was due.

    Parameters
    ----------
    intercept : ndarray of shape (n_classes,), dtype float32
        Logits of an empty text.
    alone : ndarray of shape (n_tokens, n_classes), dtype float32
        What a token adds to the logits.
    pairs : TokenPairs or None
        What a token adds in addition after certain tokens.
    labels : ndarray of shape (n_documents,), dtype int64
        Index of the class of each document.
    strength : float
        1 is Bayes' rule for a decoder that does not know the class.
    source : Corpus or None, default=None
        The source documents.
    content_weight : float, default=0.0
        Bonus of the tokens that come next in the source, in nats.

    References
    ----------
    K. Yang and D. Klein, "FUDGE: Controlled Text Generation With Future Discriminators",
    NAACL 2021. https://aclanthology.org/2021.naacl-main.276/
    """

    intercept: NDArray[np.float32]
    alone: NDArray[np.float32]
    pairs: TokenPairs | None
    labels: NDArray[np.integer]
    strength: float
    source: Corpus | None = None
    content_weight: float = 0.0

    @classmethod
    def of_ngrams(
        cls,
        classes: NgramClasses,
        ngrams: NgramFeatures | None,
        vectors: NgramVectors | None,
        labels: NDArray[np.integer],
        strength: float,
        n_tokens: int,
    ) -> Guidance:
        """From what n-grams tell about the class; without a model that reads them, there is no guidance.

        Latents and embeddings are not computed for the written text.
        """
        intercept = classes.intercept
        alone, pairs = np.zeros((n_tokens, len(intercept)), dtype=np.float32), None
        readers = {"lexical": ngrams, "vector": vectors}
        for name, model in classes.models.items():
            intercept = intercept + model.bias
            reader = readers[name]
            if reader is not None:
                alone_here, pairs_here = reader.next_token_weights(model.kernel)
                alone, pairs = alone + alone_here, pairs_here if pairs is None else pairs + pairs_here
        if pairs is None:
            strength = 0.0
        return cls.of_outputs(intercept, alone, pairs, labels, strength)

    @classmethod
    def of_outputs(
        cls,
        intercept: NDArray[np.float32],
        alone: NDArray[np.float32],
        pairs: TokenPairs | None,
        labels: NDArray[np.integer],
        strength: float,
    ) -> Guidance:
        """Like the constructor, from the outputs of a class head: one output is the second of two classes."""
        if len(intercept) == 1:
            intercept, alone = _with_first_class(intercept), _with_first_class(alone)
            pairs = None if pairs is None else replace(pairs, weights=_with_first_class(pairs.weights))
        return cls(intercept, alone, pairs, labels, strength)

    def take(self, rows: NDArray[np.integer]) -> Guidance:
        """The guidance of the documents at `rows`."""
        source = None if self.source is None else self.source.take(rows)
        return replace(self, labels=self.labels[rows], source=source)

    def added(self, previous: NDArray[np.integer], tokens: NDArray[np.integer]) -> NDArray[np.float64]:
        """What the given next token of each document adds to its logits, of shape (n_documents, n_classes)."""
        added = self.alone[tokens].astype(np.float64)
        if self.pairs is not None:
            for row, (first, second) in enumerate(zip(previous, tokens, strict=True)):
                seconds, weights = self.pairs.after(first)
                place = np.searchsorted(seconds, second)
                if place < len(seconds) and seconds[place] == second:
                    added[row] += weights[place]
        return np.asarray(added)

    def log_class_probabilities(
        self, logits: NDArray[np.floating], previous: NDArray[np.integer]
    ) -> NDArray[np.float64]:
        """Log-probability of each document's class after each possible next token.

        Parameters
        ----------
        logits : ndarray of shape (n_documents, n_classes)
            Class logits of the texts so far, including the intercept.
        previous : ndarray of shape (n_documents,)
            The last token of each document.

        Returns
        -------
        log_probabilities : ndarray of shape (n_documents, n_tokens), dtype float64
        """
        log_class = log_class_probabilities(logits, self.alone, self.labels)
        if self.pairs is None:
            return log_class
        for token in np.unique(previous):
            rows, (seconds, weights) = np.flatnonzero(previous == token), self.pairs.after(token)
            of_pairs = log_class_probabilities(logits[rows], self.alone[seconds] + weights, self.labels[rows])
            log_class[np.ix_(rows, seconds)] = of_pairs
        return log_class

    def class_terms(
        self, class_logits: NDArray[np.floating], previous: NDArray[np.integer]
    ) -> NDArray[np.float64]:
        """What the class adds to the log-probability of each text followed by each possible next token.

        Parameters
        ----------
        class_logits : ndarray of shape (n_documents, n_classes)
            Class logits of the texts so far.
        previous : ndarray of shape (n_documents,)
            The last token of each document.

        Returns
        -------
        terms : ndarray of shape (n_documents, n_tokens) or (n_documents, 1), dtype float64
            In nats, at most 0.
        """
        if not self.strength:
            return np.zeros((len(previous), 1))
        return min(self.strength, LARGEST) * self.log_class_probabilities(class_logits, previous)
