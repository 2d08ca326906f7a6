"""The class head: linear terms fitted by convex optimisation, and how they are added up.

A document's logits are a sum over terms: one reads n-grams (wide), one reads what the encoder
made of the document (deep). Each is a logistic regression; the factors of the sum are fitted
to predictions for documents that the terms have not seen, so a term that knows nothing new
counts for little, and probabilities are calibrated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from ._forking import check_can_run

_MANY_DOCUMENTS = 5_000
_MAX_ITER = 1_000
_LARGEST_FACTOR = 10.0
_ONLINE_BATCH = 32
_ONLINE_STEP = 0.5
_INITIAL_SQUARES = 0.01


@dataclass
class LinearTerm:
    """A linear function from features to logits.

    Parameters
    ----------
    kernel : ndarray of shape (n_features, n_outputs), dtype float32
    bias : ndarray of shape (n_outputs,), dtype float32
    """

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]

    def logits(self, features: Any) -> NDArray[np.float32]:
        """Logits of shape (n_documents, n_outputs)."""
        return np.asarray(features @ self.kernel + self.bias)

    def scaled(self, factor: float) -> LinearTerm:
        """The term times a number."""
        return LinearTerm(self.kernel * np.float32(factor), self.bias * np.float32(factor))


def log_probabilities(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Log-probability of each class.

    Parameters
    ----------
    logits : ndarray of shape (n_documents, n_outputs)
        One output means two classes: the logit of the second.

    Returns
    -------
    log_probabilities : ndarray of shape (n_documents, n_classes)
    """
    logits = np.asarray(logits, dtype=np.float64)
    if logits.shape[1] == 1:
        logits = np.hstack([np.zeros_like(logits), logits])
    return np.asarray(log_softmax(logits, axis=1))


def cross_entropy(logits: NDArray[Any], labels: NDArray[np.integer], weights: NDArray[np.floating]) -> float:
    """Weighted average of the negative log-probability of the labels, in nats."""
    own = log_probabilities(logits)[np.arange(len(labels)), labels]
    return float(-(weights @ own) / weights.sum())


def fit_linear_term(
    features: Any,
    labels: NDArray[np.integer],
    weights: NDArray[np.floating],
    strengths: Sequence[float],
    seed: int,
) -> tuple[LinearTerm, NDArray[np.float64] | None]:
    """Logistic regression whose strength is chosen by cross-validation.

    Parameters
    ----------
    features : array or CSR array of shape (n_documents, n_features)
    labels : ndarray of shape (n_documents,)
        Index of the class.
    weights : ndarray of shape (n_documents,)
        Weight of each document.
    strengths : sequence of float
        The values of `C`, ascending; the best log-loss, at the best scale of the logits, wins.
    seed : int
        Decides the folds.

    Returns
    -------
    term : LinearTerm
        Fitted on all the documents.
    unseen : ndarray of shape (n_documents, n_outputs) or None
        Logits of each document from a fold that left it out; None where a class has a single
        document, so that there is nothing to leave out.
    """
    # In single precision the line search of L-BFGS can end at the limit of the numbers, on some processors
    # and not on others, which scikit-learn reports as a failure to converge.
    features = features.astype(np.float64)
    n_folds = _n_folds(labels)
    best, unseen = strengths[len(strengths) // 2], None
    if n_folds:
        folds = list(
            StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(np.zeros(len(labels)), labels)
        )
        n_outputs = 1 if labels.max() == 1 else labels.max() + 1
        logits = np.zeros((len(strengths), len(labels), n_outputs))
        for train, left_out in folds:
            # Each strength starts from the solution of the one before.
            regression = _regression(warm_start=True)
            for number, strength in enumerate(strengths):
                regression.set_params(C=strength).fit(
                    features[train], labels[train], sample_weight=weights[train]
                )
                logits[number, left_out] = _as_term(regression).logits(features[left_out])
        # A term's own scale is of no account: it will be multiplied by a factor anyway.
        losses = [
            cross_entropy(fit_factors([each], labels, weights)[0] * each, labels, weights) for each in logits
        ]
        best, unseen = strengths[int(np.argmin(losses))], logits[int(np.argmin(losses))]
    regression = _regression().set_params(C=best).fit(features, labels, sample_weight=weights)
    return _as_term(regression), unseen


def _n_folds(labels: NDArray[np.integer]) -> int:
    smallest = int(np.bincount(labels).min())
    if smallest < 2:
        return 0
    return min(smallest, 3 if len(labels) >= _MANY_DOCUMENTS else 5)


def _regression(**options: Any) -> LogisticRegression:
    return LogisticRegression(max_iter=_MAX_ITER, **options)


def _as_term(regression: LogisticRegression) -> LinearTerm:
    return LinearTerm(regression.coef_.T.astype(np.float32), regression.intercept_.astype(np.float32))


class OnlineTerm:
    """Goes on with the training of a linear term, one pass over each batch, by AdaGrad.

    Parameters
    ----------
    term : LinearTerm
        What to start from; changed in place.

    References
    ----------
    J. Duchi, E. Hazan and Y. Singer, "Adaptive Subgradient Methods for Online Learning and
    Stochastic Optimization", JMLR 12 (2011). https://jmlr.org/papers/v12/duchi11a.html
    """

    def __init__(self, term: LinearTerm) -> None:
        self.term = term
        self.kernel_squares = np.full_like(term.kernel, _INITIAL_SQUARES)
        self.bias_squares = np.full_like(term.bias, _INITIAL_SQUARES)

    def train(
        self,
        features: sp.csr_array,
        labels: NDArray[np.integer],
        weights: NDArray[np.floating],
        offset: NDArray[np.floating],
    ) -> None:
        """One pass over documents.

        Parameters
        ----------
        features : CSR array of shape (n_documents, n_features)
        labels : ndarray of shape (n_documents,)
            Index of the class.
        weights : ndarray of shape (n_documents,)
        offset : ndarray of shape (n_documents, n_outputs)
            Logits that other terms give.
        """
        # Read-only where joblib has mapped a file into memory.
        for holder, names in ((self.term, ("kernel", "bias")), (self, ("kernel_squares", "bias_squares"))):
            for name in names:
                if not getattr(holder, name).flags.writeable:
                    setattr(holder, name, getattr(holder, name).copy())
        for start in range(0, len(labels), _ONLINE_BATCH):
            rows = np.arange(start, min(start + _ONLINE_BATCH, len(labels)))
            batch = features[rows]
            residual = _residual(self.term.logits(batch) + offset[rows], labels[rows], weights[rows])
            residual = (residual / len(rows)).astype(np.float32)
            gradients = (batch.T @ residual, residual.sum(axis=0))
            for values, squares, gradient in zip(
                (self.term.kernel, self.term.bias),
                (self.kernel_squares, self.bias_squares),
                gradients,
                strict=True,
            ):
                squares += gradient**2
                values -= _ONLINE_STEP * gradient / np.sqrt(squares)


def _residual(
    logits: NDArray[Any], labels: NDArray[np.integer], weights: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Gradient of the weighted cross-entropy of each document in its logits."""
    residual = np.exp(log_probabilities(logits))
    residual[np.arange(len(labels)), labels] -= 1
    return np.asarray(residual[:, -logits.shape[1] :] * weights[:, None])


def fit_factors(
    logits: Sequence[NDArray[np.float64] | None],
    labels: NDArray[np.integer],
    weights: NDArray[np.floating],
) -> NDArray[np.float64]:
    """How much each term counts in the sum.

    Parameters
    ----------
    logits : sequence of ndarray of shape (n_documents, n_outputs), or None
        Logits of each term for documents that it has not seen.
    labels : ndarray of shape (n_documents,)
    weights : ndarray of shape (n_documents,)

    Returns
    -------
    factors : ndarray of shape (n_terms,)
        Not negative. Equal shares where nothing is known.

    References
    ----------
    D. H. Wolpert, "Stacked generalization", Neural Networks 5 (1992).
    """
    share = 1.0 / len(logits)
    known = [each for each in logits if each is not None]
    if len(known) < len(logits):
        return np.full(len(logits), share)
    stacked = np.stack(known)

    def loss(factors: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        total = np.tensordot(factors, stacked, axes=1)
        value = cross_entropy(total, labels, weights) * weights.sum()
        # Worth one document: keeps factors finite where every document is told apart.
        penalty = factors - share
        gradient = np.einsum("tno,no->t", stacked, _residual(total, labels, weights))
        return float(value + 0.5 * penalty @ penalty), gradient + penalty

    bounds = [(0.0, _LARGEST_FACTOR)] * len(known)
    solution = minimize(loss, np.full(len(known), share), jac=True, bounds=bounds, method="L-BFGS-B")
    return np.asarray(solution.x)


def apply(head: Sequence[LinearTerm], activation: str, features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits of a head with hidden layers, without Keras where the activation allows it.

    Parameters
    ----------
    head : sequence of LinearTerm
        One for each layer; the last gives the logits.
    activation : str
        Keras activation of all layers but the last.
    features : ndarray of shape (n_documents, n_features), dtype float32

    Returns
    -------
    logits : ndarray of shape (n_documents, n_outputs), dtype float32
    """
    for layer in head[:-1]:
        features = _activate(activation, layer.logits(features))
    return head[-1].logits(features)


def _activate(name: str, values: NDArray[np.float32]) -> NDArray[np.float32]:
    if name == "linear":
        return values
    if name == "relu":
        return np.maximum(values, 0)
    check_can_run()
    import keras

    return np.asarray(keras.ops.convert_to_numpy(keras.activations.get(name)(values)))
