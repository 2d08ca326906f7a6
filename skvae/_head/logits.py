"""Probabilities and losses from logits; one logit means two classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax


def log_probabilities(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Log-probability of each class.

    Parameters
    ----------
    logits : ndarray of shape (n_documents, n_outputs)
        One output means two classes: the logit of the second.

    Returns
    -------
    log_probabilities : ndarray of shape (n_documents, n_classes), dtype float64
    """
    logits = np.asarray(logits, dtype=np.float64)
    if logits.shape[1] == 1:
        logits = np.hstack([np.zeros_like(logits), logits])
    return np.asarray(log_softmax(logits, axis=1))


def margins(logits: NDArray[Any]) -> NDArray[np.float64]:
    """What `decision_function` returns: log-odds of the second of two classes, else logits minus their average.

    Returns
    -------
    margins : ndarray of shape (n_documents,) or (n_documents, n_classes), dtype float64
    """
    logits = np.asarray(logits, dtype=np.float64)
    if logits.shape[1] == 1:
        return logits[:, 0]
    return np.asarray(logits - logits.mean(axis=1, keepdims=True))


def leads(logits: NDArray[Any]) -> NDArray[np.float64]:
    """By how much the likeliest class of each document leads the next, in nats.

    Returns
    -------
    leads : ndarray of shape (n_documents,), dtype float64
    """
    logits = np.asarray(logits, dtype=np.float64)
    if logits.shape[1] == 1:
        return np.asarray(np.abs(logits[:, 0]))
    two = np.partition(logits, -2, axis=1)[:, -2:]
    return np.asarray(two[:, 1] - two[:, 0])


def summed(parts: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """The sum of the parts of a class head; always in this order, since the last bits depend on it."""
    first, *linear = parts
    return first + sum(linear[1:], linear[0]) if linear else first


def cross_entropy(logits: NDArray[Any], labels: NDArray[np.integer], weights: NDArray[np.floating]) -> float:
    """Weighted average of the negative log-probability of the labels, in nats."""
    own = log_probabilities(logits)[np.arange(len(labels)), labels]
    return float(-(weights @ own) / weights.sum())


def residual_of(
    logits: NDArray[Any], labels: NDArray[np.integer], weights: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Gradient of the weighted cross-entropy of each document in its logits."""
    residual = np.exp(log_probabilities(logits))
    residual[np.arange(len(labels)), labels] -= 1
    return np.asarray(residual[:, -logits.shape[1] :] * weights[:, None])
