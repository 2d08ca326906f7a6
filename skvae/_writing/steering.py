"""Location of the classes in latent space, and moving latents to a class."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._head.fitting import FittedHead, fit_feature_model, model_for_all
from .._head.head import NgramClasses
from .._head.linear import LinearModel, OnlineModel
from .._head.logits import leads as leads_of

# Quantile of the margins of a class that moved documents must reach.
_CLEAR = 0.9
_MAX_STEPS = 100


class LatentClasses:
    """A linear classifier of latents that moves latents towards a class.

    Parameters
    ----------
    model : LinearModel
        From latents to logits; one output means two classes.
    latents : ndarray of shape (n_documents, n_components), dtype float32
        Latents of labelled documents.
    labels : ndarray of shape (n_documents,)
        Index of their classes.
    n_classes : int
        Number of all classes; some may have no document yet.
    mean_lead : float, default=nan
        How clear the classes of labelled documents are to the class head, as in `Stacking`.
    weight_of_leads : float, default=0.0
        Sum of the weights of these documents; a stream adds those of its own.
    ngram_classes : NgramClasses or None, default=None
        What written text tells about the class.
    """

    # Earlier files have no such attributes, but average features, from which `ngram_classes` is made when it is needed.
    mean_lead, weight_of_leads = np.nan, 0.0
    ngram_classes: NgramClasses | None = None
    feature_means: NDArray[np.float32] | None = None

    def __init__(
        self,
        model: LinearModel,
        latents: NDArray[np.float32],
        labels: NDArray[np.integer],
        n_classes: int,
        mean_lead: float = np.nan,
        weight_of_leads: float = 0.0,
        ngram_classes: NgramClasses | None = None,
    ) -> None:
        self._online = OnlineModel(model)
        # These are kept here since only writing needs them.
        self.ngram_classes = ngram_classes
        self.mean_lead = mean_lead
        self.weight_of_leads = 0.0 if np.isnan(mean_lead) else weight_of_leads
        self.clear_margins = np.full(n_classes, np.nan)
        self._learn_margins(latents, labels)

    @classmethod
    def of(cls, latents: NDArray[np.float32], fitted: FittedHead, n_classes: int) -> LatentClasses:
        """Fit the classifier.

        Parameters
        ----------
        latents : ndarray of shape (n_distinct, n_components), dtype float32
            Of the distinct documents of `fitted.data`.
        fitted : FittedHead
        n_classes : int
            Number of all classes.
        """
        data, present = fitted.data, fitted.present
        if data.n_classes > 1:
            model, _ = fit_feature_model(latents, latents, data, data.folds())
        else:
            model = LinearModel(
                np.zeros((latents.shape[1], 1), dtype=np.float32), np.zeros(1, dtype=np.float32)
            )
        if len(present) < n_classes:
            model = model_for_all(model, present, n_classes)
        return cls(
            model,
            latents,
            present[data.labels],
            n_classes,
            fitted.mean_lead,
            float(data.weights.sum()),
            fitted.ngram_classes,
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Files of format 1 name the margins "leads".
        names = {"clear_leads": "clear_margins"}
        self.__dict__.update({names.get(name, name): value for name, value in state.items()})

    def _learn_margins(self, latents: NDArray[np.float32], labels: NDArray[np.integer]) -> None:
        """Set the clear margins of classes that had no document before."""
        margins = self.margins(latents, labels)[0]
        # Margins may be negative if a class is not separable: its clearest documents still limit
        # the step, and the decision boundary could be where no document is.
        for label in np.unique(labels):
            if np.isnan(self.clear_margins[label]):
                self.clear_margins[label] = np.quantile(margins[labels == label], _CLEAR)

    def go_on(
        self,
        latents: NDArray[np.float32],
        labels: NDArray[np.integer],
        weights: NDArray[np.floating],
        leads: NDArray[np.floating],
        inputs: dict[str, Any],
    ) -> None:
        """Adapt to latents that training has changed, by one pass over a batch of documents.

        `leads` are those of the class head before it has learned from the batch, and `inputs` those of its linear models.
        """
        ngrams = self.ngram_classes
        assert ngrams is not None
        total = self.weight_of_leads + weights.sum()

        def went_on(mean: float, further: NDArray[np.floating]) -> float:
            return float((np.nan_to_num(mean) * self.weight_of_leads + weights @ further) / total)

        self.mean_lead = went_on(self.mean_lead, leads)
        if ngrams.models:
            ngrams.mean_lead = went_on(ngrams.mean_lead, leads_of(ngrams.logits(inputs, len(labels))))
        self.weight_of_leads = float(total)
        ngrams.train(inputs, labels, weights)
        n_outputs = self._online.model.kernel.shape[1]
        self._online.train(latents, labels, weights, np.zeros((len(labels), n_outputs)))
        if np.isnan(self.clear_margins).any():
            # Arrays that joblib has mapped into memory are read-only.
            self.clear_margins = self.clear_margins.copy()
            self._learn_margins(latents, labels)

    def _kernel(self) -> NDArray[np.float64]:
        """The kernel with one column per class."""
        kernel = self._online.model.kernel.astype(np.float64)
        return np.hstack([np.zeros_like(kernel), kernel]) if kernel.shape[1] == 1 else kernel

    def margins(
        self, latents: NDArray[np.floating], labels: NDArray[np.integer]
    ) -> tuple[NDArray[np.float64], NDArray[np.integer]]:
        """The margin of each document's class over the next best class, and that class.

        Parameters
        ----------
        latents : ndarray of shape (n_documents, n_components)
        labels : ndarray of shape (n_documents,)
            Index of a class for each document.

        Returns
        -------
        margins : ndarray of shape (n_documents,)
            Differences of logits; negative if another class is more likely.
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
        """Points near the latents that are clearly of the target classes; latents that already are do not move.

        Parameters
        ----------
        latents : ndarray of shape (n_documents, n_components), dtype float32
        labels : ndarray of shape (n_documents,)
            Index of the target class of each document.

        Returns
        -------
        moved : ndarray of shape (n_documents, n_components), dtype float32
            The nearest such points with two classes. With more, each step crosses the boundary to
            the next best class, which ends hardly farther away.
        """
        moved, kernel = latents.astype(np.float64), self._kernel()
        # Without documents of a class, the target is its decision boundary.
        clear_margins = np.nan_to_num(self.clear_margins)
        for _ in range(_MAX_STEPS):
            margins, rivals = self.margins(moved, labels)
            missing = np.maximum(clear_margins[labels] - margins, 0)
            if (missing <= 1e-6).all():
                break
            across = (kernel[:, labels] - kernel[:, rivals]).T
            moved += (missing / np.maximum((across**2).sum(axis=1), 1e-12))[:, None] * across
        return moved.astype(np.float32)
