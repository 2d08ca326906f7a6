"""Stacking of linear models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from .documents import LabelledDocuments
from .logits import cross_entropy, log_probabilities, residual_of

_LARGEST_WEIGHT = 10.0


@dataclass(frozen=True)
class Stacking:
    """Weights and intercept of a sum of linear models.

    Parameters
    ----------
    weights : ndarray of shape (n_models,), dtype float64
        Non-negative stacking weight of each model.
    intercept : ndarray of shape (n_outputs,), dtype float64
    """

    weights: NDArray[np.float64]
    intercept: NDArray[np.float64]

    def logits(self, logits: Sequence[NDArray[np.floating]]) -> NDArray[np.float64]:
        """The weighted sum, of shape (n_documents, n_outputs), from the logits of each model."""
        return np.asarray(np.tensordot(self.weights, np.stack(logits), axes=1) + self.intercept)


def fit_stacking(
    logits: Sequence[NDArray[np.float64] | None], data: LabelledDocuments, folds: NDArray[np.int64]
) -> Stacking:
    """Fit the stacking weight of each linear model, and the intercept.

    Each model has learned the class frequencies. In a plain sum, they would be counted as many times as the sum of the
    stacking weights. The weights therefore scale the differences from the models' average
    logits, and the intercept is free.

    Parameters
    ----------
    logits : sequence of ndarray of shape (n_distinct, n_outputs), or None
        Out-of-fold logits of each model.
    data : LabelledDocuments
    folds : ndarray of shape (n_distinct,)
        The fold that left each document out; -1 for none: these documents are not used.

    Returns
    -------
    stacking : Stacking
        Equal weights if there are no out-of-fold logits.

    References
    ----------
    D. H. Wolpert, "Stacked generalization", Neural Networks 5 (1992).
    """
    known = [each[folds >= 0] for each in logits if each is not None]
    if len(known) < len(logits):
        return Stacking(np.full(len(logits), 1.0 / len(logits)), np.zeros(data.n_outputs))
    labels, weights = data.labels[folds >= 0], data.weights[folds >= 0]
    stacked = np.stack(known)
    n_models, _, n_outputs = stacked.shape
    centre = np.average(stacked, axis=1, weights=weights)
    stacked = stacked - centre[:, None]
    share = 1.0 / n_models
    base = share * centre.sum(axis=0)

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scales, shift = values[:n_models], values[n_models:]
        total = np.tensordot(scales, stacked, axes=1) + base + shift
        value = cross_entropy(total, labels, weights) * weights.sum()
        residual = residual_of(total, labels, weights)
        gradient = np.concatenate([np.einsum("tno,no->t", stacked, residual), residual.sum(axis=0)])
        # A penalty worth one document keeps the solution finite if the documents are separable.
        penalty = np.concatenate([scales - share, shift])
        return float(value + 0.5 * penalty @ penalty), gradient + penalty

    start = np.concatenate([np.full(n_models, share), np.zeros(n_outputs)])
    bounds = [(0.0, _LARGEST_WEIGHT)] * n_models + [(None, None)] * n_outputs
    solution = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x
    scales = solution[:n_models]
    return Stacking(scales, base + solution[n_models:] - scales @ centre)


def frequency_shift(before: NDArray[Any], after: NDArray[Any]) -> NDArray[np.float64]:
    """Shift of logits that restores the mean probability of each class.

    Parameters
    ----------
    before, after : ndarray of shape (n_documents, n_outputs)
        Logits of the same documents.

    Returns
    -------
    shift : ndarray of shape (n_outputs,), dtype float64
    """
    wanted = np.exp(log_probabilities(before))

    # At the minimum of the cross-entropy, the sums of the probabilities agree.
    def loss(shift: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        log_probability = log_probabilities(after + shift)
        residual = np.exp(log_probability) - wanted
        # The penalty keeps the shift of a class without documents finite.
        value = -(wanted * log_probability).sum() + 0.5e-3 * shift @ shift
        return float(value), residual.sum(axis=0)[-len(shift) :] + 1e-3 * shift

    return np.asarray(minimize(loss, np.zeros(after.shape[1]), jac=True, method="L-BFGS-B").x)
