"""Turns the choice of tokens towards a class, and towards the tokens of a document."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ._corpus import Corpus


@dataclass(frozen=True)
class Guidance:
    """How much likelier each next token makes the class that a document shall have.

    A token's log-probability grows by `strength` times log p(class | text so far, token): where the
    text leaves no doubt about its class already, nothing is gained by one more such word. Where a document
    shall be kept to, tokens grow by a bonus that follow there on the token just written, each as often as
    the document has it; one that is not there stands for the token in its place.

    Parameters
    ----------
    alone : ndarray of shape (n_tokens, n_outputs), dtype float32
        What a token adds to the logits of a classifier.
    after : list of CSR arrays of shape (n_tokens, n_tokens)
        What it adds after the token of the row; one for each output.
    directions : ndarray of shape (n_documents, n_outputs), dtype float32
        Weights of the outputs in the margin of each document's class.
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

    alone: NDArray[np.float32]
    after: list[sp.csr_array]
    directions: NDArray[np.float32]
    strength: float
    source: Corpus | None = None
    content_weight: float = 0.0

    def take(self, rows: NDArray[np.integer]) -> Guidance:
        """That of the documents at `rows`."""
        source = None if self.source is None else self.source.take(rows)
        return replace(self, directions=self.directions[rows], source=source)

    def gains(self, previous: NDArray[np.integer]) -> NDArray[np.float32]:
        """What each next token would add to the margins, of shape (n_documents, n_tokens)."""
        gains = self.directions @ self.alone.T
        for output, table in enumerate(self.after):
            gains += self.directions[:, [output]] * table[previous].toarray()
        return gains

    def adjusted(
        self, logits: NDArray[np.float32], gains: NDArray[np.float32], margins: NDArray[np.floating]
    ) -> NDArray[np.float32]:
        """Logits of the next token given the class.

        Parameters
        ----------
        logits : ndarray of shape (n_documents, n_tokens), dtype float32
            Without it.
        gains : ndarray of shape (n_documents, n_tokens), dtype float32
            Of each next token.
        margins : ndarray of shape (n_documents,)
            Of the texts so far.

        Returns
        -------
        logits : ndarray of shape (n_documents, n_tokens), dtype float32
        """
        log_class = -np.logaddexp(0, -(margins[:, None] + gains))
        return np.asarray((logits + self.strength * log_class).astype(np.float32))
