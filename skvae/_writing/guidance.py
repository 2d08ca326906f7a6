"""Turns the choice of tokens towards a class, and towards the tokens of a document."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .._head.head import ClassHead
from .._texts.corpus import Corpus
from .._texts.ngrams import TokenPairs

_SMALLEST = np.finfo(np.float64).tiny


def _with_first_class(outputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits of two classes from those of the second against the first."""
    return np.concatenate([np.zeros_like(outputs), outputs], axis=-1)


def log_class_probabilities(
    logits: NDArray[np.floating], added: NDArray[np.floating], labels: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Log-probability of each document's class, were each of some choices made.

    Parameters
    ----------
    logits : ndarray of shape (n_documents, n_classes)
        Without any.
    added : ndarray of shape (n_choices, n_classes)
        What each choice adds.
    labels : ndarray of shape (n_documents,)
        Index of the class of each document.

    Returns
    -------
    log_probabilities : ndarray of shape (n_documents, n_choices), dtype float64
        The log-softmax of the sums. However many classes there are, memory is in proportion to this.
    """
    logits, added = np.asarray(logits, dtype=np.float64), np.asarray(added, dtype=np.float64)
    logits = logits - logits.max(axis=1, keepdims=True)
    added = added - added.max(axis=1, keepdims=True)
    # The normaliser of a sum of logits is a product of matrices: with many classes much less work than a
    # softmax over them for each choice of each document.
    total = np.exp(logits) @ np.exp(added).T
    log_total = np.log(np.maximum(total, _SMALLEST, out=total), out=total)
    own = logits[np.arange(len(logits)), labels][:, None] + added[:, labels].T
    log_class = np.subtract(own, log_total, out=own)
    return np.asarray(np.minimum(log_class, 0.0, out=log_class))


@dataclass(frozen=True)
class Guidance:
    """How much likelier each next token makes the class that a document shall have.

    A token's log-probability grows by `strength` times log p(class | text so far, token), the log-softmax of a
    linear classifier's logits. Where the text leaves no doubt about its class, one more such word gains nothing.

    A document to keep to adds a bonus to some tokens: those that follow, in that document, on the token just
    written. Each gets it as often as the document has it. A written token that the document lacks stands for the
    document's token in its place.

    Parameters
    ----------
    intercept : ndarray of shape (n_classes,), dtype float32
        Logits of a text of which nothing is written.
    alone : ndarray of shape (n_tokens, n_classes), dtype float32
        What a token adds to the logits.
    pairs : TokenPairs or None
        What it adds besides, after certain tokens.
    labels : ndarray of shape (n_documents,), dtype int64
        Index of the class of each document.
    strength : float
        1 is Bayes' rule for a decoder that does not know the class.
    source : Corpus or None, default=None
        The documents to keep to.
    content_weight : float, default=0.0
        Bonus of the tokens that come next in them, in nats.

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
    def of_head(
        cls, head: ClassHead, labels: NDArray[np.integer], strength: float, n_tokens: int
    ) -> Guidance:
        """By the lexical model of a class head; without one, there is no guidance.

        What is not written yet counts as it does on average, so that the classes have their shares; so does
        the latent model, which is not asked about what is written.
        """
        intercept = head.latent_logits(head.feature_means[None])[0]
        if head.ngrams is None or head.lexical is None:
            alone, pairs, strength = np.zeros((n_tokens, len(intercept)), dtype=np.float32), None, 0.0
        else:
            alone, pairs = head.ngrams.next_token_weights(head.lexical.kernel)
            intercept = intercept + head.lexical.bias
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
        """As the constructor, from the outputs of a class head: one output is the second of two classes."""
        if len(intercept) == 1:
            intercept, alone = _with_first_class(intercept), _with_first_class(alone)
            pairs = None if pairs is None else replace(pairs, weights=_with_first_class(pairs.weights))
        return cls(intercept, alone, pairs, labels, strength)

    def take(self, rows: NDArray[np.integer]) -> Guidance:
        """That of the documents at `rows`."""
        source = None if self.source is None else self.source.take(rows)
        return replace(self, labels=self.labels[rows], source=source)

    def added(self, previous: NDArray[np.integer], tokens: NDArray[np.integer]) -> NDArray[np.float64]:
        """What one next token of each document adds to its logits, of shape (n_documents, n_classes)."""
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
        """Log-probability of each document's class, were each token the next one.

        Parameters
        ----------
        logits : ndarray of shape (n_documents, n_classes)
            Of the texts so far, the intercept included.
        previous : ndarray of shape (n_documents,)
            The last token of each.

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

    def adjusted(
        self,
        logits: NDArray[np.float32],
        class_logits: NDArray[np.floating],
        previous: NDArray[np.integer],
    ) -> NDArray[np.float32]:
        """Logits of the next token given the class.

        Parameters
        ----------
        logits : ndarray of shape (n_documents, n_tokens), dtype float32
            Without it.
        class_logits : ndarray of shape (n_documents, n_classes)
            Of the texts so far.
        previous : ndarray of shape (n_documents,)
            The last token of each.

        Returns
        -------
        logits : ndarray of shape (n_documents, n_tokens), dtype float32
        """
        if not self.strength:
            return logits
        log_class = self.log_class_probabilities(class_logits, previous)
        return np.asarray((logits + self.strength * log_class).astype(np.float32))
