"""Where the classes lie in latent space, and the shortest way to one of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._class_head import LinearTerm, log_probabilities

# A document that is moved to a class shall be as clear as the clearest tenth of its documents.
_CLEAR = 0.9
_MAX_STEPS = 100


class LatentClasses:
    """A linear classifier of latents that can be walked along.

    Parameters
    ----------
    term : LinearTerm
        From latents to logits; one output means two classes.
    latents : ndarray of shape (n_documents, n_components), dtype float32
        Of labelled documents.
    labels : ndarray of shape (n_documents,)
        Index of their classes.
    """

    def __init__(self, term: LinearTerm, latents: NDArray[np.float32], labels: NDArray[np.integer]) -> None:
        self.kernel, self.bias = term.kernel.astype(np.float64), term.bias.astype(np.float64)
        if self.kernel.shape[1] == 1:
            self.kernel = np.hstack([np.zeros_like(self.kernel), self.kernel])
            self.bias = np.concatenate([[0.0], self.bias])
        margins = self._margins(latents, labels)[0]
        self.clear_margins = np.array(
            [
                max(0.0, np.quantile(margins[labels == label], _CLEAR)) if (labels == label).any() else 0.0
                for label in range(self.kernel.shape[1])
            ]
        )

    def _margins(
        self, latents: NDArray[np.floating], labels: NDArray[np.integer]
    ) -> tuple[NDArray[np.float64], NDArray[np.integer]]:
        """By how much each document's class leads, and the class that it leads by least."""
        logits = log_probabilities(latents @ self.kernel + self.bias)
        rows = np.arange(len(latents))
        own = logits[rows, labels].copy()
        logits[rows, labels] = -np.inf
        rivals = logits.argmax(axis=1)
        return own - logits[rows, rivals], rivals

    def moved(self, latents: NDArray[np.float32], labels: NDArray[np.integer]) -> NDArray[np.float32]:
        """The nearest points that are clearly of the classes; those that are already stay.

        Parameters
        ----------
        latents : ndarray of shape (n_documents, n_components), dtype float32
        labels : ndarray of shape (n_documents,)
            Index of the class that each shall have.

        Returns
        -------
        moved : ndarray of shape (n_documents, n_components), dtype float32
        """
        moved = latents.astype(np.float64)
        # With two classes the first step arrives. With more, each step passes the border to the nearest rival.
        for _ in range(_MAX_STEPS):
            margins, rivals = self._margins(moved, labels)
            missing = self.clear_margins[labels] - margins
            if (missing <= 1e-6).all():
                break
            across = (self.kernel[:, labels] - self.kernel[:, rivals]).T
            length = np.maximum((across**2).sum(axis=1), 1e-12)
            moved += (np.maximum(missing, 0) / length)[:, None] * across
        return moved.astype(np.float32)
