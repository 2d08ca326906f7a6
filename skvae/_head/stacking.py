"""Stacking of linear models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import softmax

from .documents import LabelledDocuments
from .logits import cross_entropy, leads, log_probabilities, residual_of

_LARGEST_WEIGHT = 10.0
# How many documents the penalty counts as, on the scale of a single model and on stacking weights.
_DOCUMENTS_OF_PENALTY = 5.0
# Likelihoods are tempered to those of so many documents.
_MOST_DOCUMENTS_FOR_LIKELIHOODS = 20.0


@dataclass(frozen=True)
class Stacking:
    """Weights and intercept of a sum of linear models.

    Parameters
    ----------
    weights : ndarray of shape (n_models,), dtype float64
        Non-negative stacking weight of each model.
    intercept : ndarray of shape (n_outputs,), dtype float64
    mean_lead : float
        By how much the likeliest class of a document leads the next on average, out-of-fold, in nats; NaN if
        there are no out-of-fold logits.
    """

    weights: NDArray[np.float64]
    intercept: NDArray[np.float64]
    mean_lead: float = np.nan

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

    With few documents, weights that are fitted to out-of-fold logits are mostly noise, and the sum can be worse than its
    best member, or surer than it should be. The weights are therefore drawn to an average of the single models by their
    penalised likelihoods (pseudo-Bayesian model averaging), and the scale of each single model to 1. Both penalties count
    as much as a few documents, so they matter less the more there are. The likelihoods are tempered: those of many
    documents would leave all of the average to one model, and two that are about as good could not share it.

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
    Y. Yao et al., "Using Stacking to Average Bayesian Predictive Distributions", Bayesian Analysis 13 (2018).
    https://doi.org/10.1214/17-BA1091
    """
    known = [each[folds >= 0] for each in logits if each is not None]
    if len(known) < len(logits):
        return Stacking(np.full(len(logits), 1.0 / len(logits)), np.zeros(data.n_outputs))
    labels, weights = data.labels[folds >= 0], data.weights[folds >= 0]
    stacked = np.stack(known)
    centre = np.average(stacked, axis=1, weights=weights)
    stacked = stacked - centre[:, None]
    # The intercept of the average of the models.
    base = centre.mean(axis=0)
    alone = [
        _scales_and_shift(stacked[[index]], base, labels, weights, np.ones(1))
        for index in range(len(stacked))
    ]
    tempered = min(1.0, _MOST_DOCUMENTS_FOR_LIKELIHOODS / weights.sum())
    share = softmax([-tempered * loss for _, _, loss in alone])
    drawn_to = share * [scales[0] for scales, _, _ in alone]
    scales, shift, _ = _scales_and_shift(stacked, base, labels, weights, drawn_to)
    sums = np.tensordot(scales, stacked, axes=1) + base + shift
    mean_lead = float(np.average(leads(sums), weights=weights))
    return Stacking(scales, base + shift - scales @ centre, mean_lead)


def _scales_and_shift(
    stacked: NDArray[np.float64],
    base: NDArray[np.float64],
    labels: NDArray[np.integer],
    weights: NDArray[np.float64],
    drawn_to: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Weights of centred logits of shape (n_models, n_documents, n_outputs), what to add to `base`, and the loss.

    The weights are drawn to `drawn_to`.
    """
    n_models, _, n_outputs = stacked.shape
    # The penalty is on the logits that a weight adds, since their scales differ.
    squares = _DOCUMENTS_OF_PENALTY * np.average(np.square(stacked).sum(axis=2), axis=1, weights=weights)

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scales, shift = values[:n_models], values[n_models:]
        total = np.tensordot(scales, stacked, axes=1) + base + shift
        value = cross_entropy(total, labels, weights) * weights.sum()
        residual = residual_of(total, labels, weights)
        gradient = np.concatenate([np.einsum("tno,no->t", stacked, residual), residual.sum(axis=0)])
        # It keeps the solution finite if the documents are separable.
        penalty = np.concatenate([squares * (scales - drawn_to), shift])
        return float(value + 0.5 * penalty @ np.concatenate([scales - drawn_to, shift])), gradient + penalty

    start = np.concatenate([drawn_to, np.zeros(n_outputs)])
    bounds = [(0.0, _LARGEST_WEIGHT)] * n_models + [(None, None)] * n_outputs
    found = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B")
    return found.x[:n_models], found.x[n_models:], float(found.fun)


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
