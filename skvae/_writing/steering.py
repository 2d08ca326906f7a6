"""Where the classes lie in latent space, and the way to one of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._head.documents import LabelledDocuments
from .._head.fitting import fit_feature_model, model_for_all
from .._head.linear import LinearModel, OnlineModel

# A document that is moved to a class shall be as clear as the clearest tenth of its documents.
_CLEAR = 0.9
_MAX_STEPS = 100


class LatentClasses:
    """A linear classifier of latents that can be walked along.

    Parameters
    ----------
    model : LinearModel
        From latents to logits; one output means two classes.
    latents : ndarray of shape (n_documents, n_components), dtype float32
        Of labelled documents.
    labels : ndarray of shape (n_documents,)
        Index of their classes.
    n_classes : int
        Number of all classes; some may have no document yet.
    """

    def __init__(
        self,
        model: LinearModel,
        latents: NDArray[np.float32],
        labels: NDArray[np.integer],
        n_classes: int,
    ) -> None:
        self._online = OnlineModel(model)
        self.clear_margins = np.full(n_classes, np.nan)
        self._learn_margins(latents, labels)

    @classmethod
    def of(
        cls,
        latents: NDArray[np.float32],
        data: LabelledDocuments,
        present: NDArray[np.integer],
        n_classes: int,
    ) -> LatentClasses:
        """Find where the classes lie.

        Parameters
        ----------
        latents : ndarray of shape (n_distinct, n_components), dtype float32
        data : LabelledDocuments
            Labels are indices into `present`.
        present : ndarray of int
            Index, among all classes, of those that documents are of.
        n_classes : int
            Number of all classes.
        """
        if data.n_classes > 1:
            model, _ = fit_feature_model(latents, latents, data, data.folds())
        else:
            model = LinearModel(
                np.zeros((latents.shape[1], 1), dtype=np.float32), np.zeros(1, dtype=np.float32)
            )
        if len(present) < n_classes:
            model = model_for_all(model, present, n_classes)
        return cls(model, latents, present[data.labels], n_classes)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Files of format 1 call margins leads.
        names = {"clear_leads": "clear_margins"}
        self.__dict__.update({names.get(name, name): value for name, value in state.items()})

    def _learn_margins(self, latents: NDArray[np.float32], labels: NDArray[np.integer]) -> None:
        """What is clear for the classes of which no document had been seen."""
        margins = self.margins(latents, labels)[0]
        # Also where no document of a class is told apart: then its clearest ones are still what is
        # known of it, and a step to the border could end where no document is.
        for label in np.unique(labels):
            if np.isnan(self.clear_margins[label]):
                self.clear_margins[label] = np.quantile(margins[labels == label], _CLEAR)

    def go_on(
        self, latents: NDArray[np.float32], labels: NDArray[np.integer], weights: NDArray[np.floating]
    ) -> None:
        """Follow latents that training has moved, by one pass over a batch of documents."""
        n_outputs = self._online.model.kernel.shape[1]
        self._online.train(latents, labels, weights, np.zeros((len(labels), n_outputs)))
        if np.isnan(self.clear_margins).any():
            # Read-only where joblib has mapped a file into memory.
            self.clear_margins = self.clear_margins.copy()
            self._learn_margins(latents, labels)

    def _kernel(self) -> NDArray[np.float64]:
        """One column a class."""
        kernel = self._online.model.kernel.astype(np.float64)
        return np.hstack([np.zeros_like(kernel), kernel]) if kernel.shape[1] == 1 else kernel

    def margins(
        self, latents: NDArray[np.floating], labels: NDArray[np.integer]
    ) -> tuple[NDArray[np.float64], NDArray[np.integer]]:
        """The margin of each document's class over the next best one, and which that is.

        Parameters
        ----------
        latents : ndarray of shape (n_documents, n_components)
        labels : ndarray of shape (n_documents,)
            Index of a class of each.

        Returns
        -------
        margins : ndarray of shape (n_documents,)
            Differences of logits; negative where another class is likelier.
        rivals : ndarray of shape (n_documents,)
            Index of the next best class.
        """
        bias = self._online.model.bias
        logits = latents @ self._kernel() + (np.array([0.0, bias[0]]) if len(bias) == 1 else bias)
        rows = np.arange(len(latents))
        own = logits[rows, labels].copy()
        logits[rows, labels] = -np.inf
        rivals = logits.argmax(axis=1)
        return own - logits[rows, rivals], rivals

    def moved(self, latents: NDArray[np.float32], labels: NDArray[np.integer]) -> NDArray[np.float32]:
        """Points near the latents that are clearly of the classes; those that are already stay.

        Parameters
        ----------
        latents : ndarray of shape (n_documents, n_components), dtype float32
        labels : ndarray of shape (n_documents,)
            Index of the class that each shall have.

        Returns
        -------
        moved : ndarray of shape (n_documents, n_components), dtype float32
            The nearest such points with two classes; with more, each step passes the border to
            the next best class, which ends hardly farther away.
        """
        moved, kernel = latents.astype(np.float64), self._kernel()
        # To the border of a class of which no document is known.
        clear_margins = np.nan_to_num(self.clear_margins)
        for _ in range(_MAX_STEPS):
            margins, rivals = self.margins(moved, labels)
            missing = np.maximum(clear_margins[labels] - margins, 0)
            if (missing <= 1e-6).all():
                break
            across = (kernel[:, labels] - kernel[:, rivals]).T
            moved += (missing / np.maximum((across**2).sum(axis=1), 1e-12))[:, None] * across
        return moved.astype(np.float32)
