"""Linear models, fitted by convex optimisation or online."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.linalg.lapack import dpstrf
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from .._base.products import product
from .documents import LabelledDocuments
from .logits import cross_entropy, residual_of
from .stacking import fit_stacking

_MAX_ITER = 1_000
# Tolerance of the gradient. With scikit-learn's 1e-4, the third digit of coefficients depends on the starting point.
_FINAL_TOLERANCE = 1e-6
# N-grams take most of the time of a fit. Out-of-fold logits of 2,000 documents of 20 classes differ from those at 1e-4 by
# a hundredth of their spread, and take 0.7 times as long.
_TOLERANCE, _TOLERANCE_OF_NGRAMS = 1e-4, 3e-4


_ONLINE_BATCH = 32
_ONLINE_STEP = 0.5
# Every document has all of the dense features, so that their steps add up.
_ONLINE_STEP_OF_DENSE = 0.05
_INITIAL_SQUARES = 0.01
# With more documents, computing and factoring the Gram matrix costs more than it saves: for each output, and at most.
_DOCUMENTS_TO_ROTATE, _MOST_TO_ROTATE = 1_500, 6_000
_NO_VARIANCE = 1e-10
_SHARE_OF_FREQUENT = 0.05


Scales = Callable[[Any, NDArray[np.integer], NDArray[np.floating]], NDArray[np.float64]]


@dataclass
class LinearModel:
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
        return product(features, self.kernel) + self.bias

    def scaled(self, weight: float, intercept: Any = 0.0) -> LinearModel:
        """The linear model times a number, plus an intercept."""
        bias = np.asarray(self.bias * weight + intercept, dtype=np.float32)
        return LinearModel(self.kernel * np.float32(weight), bias)


def fit_linear_model(
    features: Any,
    data: LabelledDocuments,
    folds: NDArray[np.int64],
    candidates: Sequence[float],
    *,
    scales: Scales | None = None,
) -> tuple[LinearModel, NDArray[np.float64] | None]:
    """Logistic regression whose `C` is chosen by cross-validation.

    Parameters
    ----------
    features : array or CSR array of shape (n_distinct, n_features)
    data : LabelledDocuments
    folds : ndarray of shape (n_distinct,)
        The fold that leaves each document out; -1 for none.
    candidates : sequence of float
        The values of `C`, ascending. The one with the best log-loss, after stacking, is chosen.
    scales : callable, default=None
        From features, labels and weights of some of the documents to a scale of each feature, of shape (n_features,).
        Regressions on scaled features are then compared as well.

    Returns
    -------
    model : LinearModel
        Fitted on all the documents.
    out_of_fold : ndarray of shape (n_distinct, n_outputs), dtype float64, or None
        Logits of each document from the model of the fold that left it out; for documents in no fold, the average of the
        others. None if there are no folds.
    """
    # At this size, BLAS threads spend more time waiting for each other than computing.
    with threadpool_limits(limits=1, user_api="blas"):
        # In single precision, the line search of L-BFGS can reach the limit of the number format on some processors,
        # which scikit-learn reports as a failure to converge.
        return _fit_linear_model(features.astype(np.float64), data, folds, candidates, scales)


def _fit_linear_model(
    features: Any,
    data: LabelledDocuments,
    folds: NDArray[np.int64],
    candidates: Sequence[float],
    scales: Scales | None,
) -> tuple[LinearModel, NDArray[np.float64] | None]:
    best, best_scales, out_of_fold = candidates[len(candidates) // 2], None, None
    left_out = folds >= 0
    if left_out.any():
        kinds = [None] if scales is None else [None, scales]
        tried = [(C, each) for each in kinds for C in candidates]
        logits = np.concatenate([_left_out_logits(features, data, folds, candidates, each) for each in kinds])
        # Candidates are compared after stacking, since it changes the scale and the intercept.
        stacked = [fit_stacking([each], data, folds).logits([each])[left_out] for each in logits]
        losses = [cross_entropy(each, data.labels[left_out], data.weights[left_out]) for each in stacked]
        (best, best_scales), out_of_fold = tried[int(np.argmin(losses))], logits[int(np.argmin(losses))]
        out_of_fold[~left_out] = np.average(out_of_fold[left_out], axis=0, weights=data.weights[left_out])
    factors = np.ones(1) if best_scales is None else best_scales(features, data.labels, data.weights)
    rotated, back = _rotated(_scaled(features, factors), data.n_outputs)
    regression = _regression(tol=_FINAL_TOLERANCE).set_params(C=best)
    regression.fit(rotated, data.labels, sample_weight=data.weights)
    kernel, bias = back(regression.coef_.T) * factors[:, None], regression.intercept_
    return LinearModel(kernel.astype(np.float32), bias.astype(np.float32)), out_of_fold


def _left_out_logits(
    features: Any,
    data: LabelledDocuments,
    folds: NDArray[np.int64],
    candidates: Sequence[float],
    scales: Scales | None,
) -> NDArray[np.float64]:
    """Logits, for each value of `C`, of each document by the model of the fold that leaves it out."""
    logits = np.zeros((len(candidates), len(folds), data.n_outputs))
    rotated = _rotated(features, data.n_outputs)[0] if scales is None else features
    tolerance = _TOLERANCE_OF_NGRAMS if sp.issparse(features) else _TOLERANCE
    for fold in np.unique(folds[folds >= 0]):
        train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        lengths = _known_lengths(features, train, test) if sp.issparse(features) else 1.0
        if scales is not None:
            factors = scales(features[train], data.labels[train], data.weights[train])
            rotated = _rotated(_scaled(features, factors), data.n_outputs)[0]
        # The fit for each value of C starts from the solution for the previous value.
        regression = _regression(tol=tolerance, warm_start=True)
        train_rows, test_rows = rotated[train], rotated[test]
        for number, candidate in enumerate(candidates):
            regression.set_params(C=candidate).fit(
                train_rows, data.labels[train], sample_weight=data.weights[train]
            )
            logits[number, test] = test_rows @ regression.coef_.T / lengths + regression.intercept_
    return logits


def naive_bayes_scales(
    features: sp.csr_array, labels: NDArray[np.integer], weights: NDArray[np.floating]
) -> NDArray[np.float64]:
    """How much the log-probability of each feature differs between the classes, by naive Bayes.

    Parameters
    ----------
    features : CSR array of shape (n_documents, n_features)
        Only which entries are present counts.
    labels : ndarray of shape (n_documents,)
        Index of the class.
    weights : ndarray of shape (n_documents,)

    Returns
    -------
    scales : ndarray of shape (n_features,), dtype float64
        Twice the standard deviation over the classes; of two, the absolute difference. One document is added to those
        of each class that have the feature, and to those that would have it if the classes did not differ: a class
        of few documents, about which little is known, differs little.

    References
    ----------
    S. Wang and C. D. Manning, "Baselines and Bigrams: Simple, Good Sentiment and Topic
    Classification", ACL 2012. https://aclanthology.org/P12-2018/
    """
    document = np.repeat(np.arange(len(labels)), np.diff(features.indptr))
    shape = (int(labels.max()) + 1, features.shape[1])
    place = labels[document] * shape[1] + features.indices
    found = np.bincount(place, weights[document], minlength=shape[0] * shape[1]).reshape(shape)
    expected = found.sum(axis=1, keepdims=True) * found.sum(axis=0) / (found.sum() or 1.0)
    return np.asarray(2 * np.log((found + 1) / (expected + 1)).std(axis=0))


def _scaled(features: Any, factors: NDArray[np.float64]) -> Any:
    if not sp.issparse(features):
        return features * factors
    factors = np.broadcast_to(factors, features.shape[1:])
    return sp.csr_array(
        (features.data * factors[features.indices], features.indices, features.indptr), shape=features.shape
    )


def _rotated(features: Any, n_outputs: int) -> tuple[Any, Any]:
    """Features in as many dimensions as documents, and a function that maps a kernel back.

    The solution of an L2-penalised regression lies in the span of the documents, and its penalty does not change under
    rotation. With fewer documents than features, it is therefore computed in coordinates of that span.
    """
    n_documents, n_features = features.shape
    if n_documents >= n_features or n_documents > min(_DOCUMENTS_TO_ROTATE * n_outputs, _MOST_TO_ROTATE):
        return features, lambda kernel: kernel
    # The rows of the Cholesky factor of the Gram matrix are the documents in such coordinates.
    factor, pivots, rank, _ = dpstrf(_gram(features), tol=_NO_VARIANCE, lower=1)
    if not rank:
        return np.zeros((n_documents, 1)), lambda kernel: np.zeros((n_features, kernel.shape[1]))
    pivots = pivots - 1
    factor = np.tril(factor)[:, :rank]
    rotated = np.empty_like(factor)
    rotated[pivots] = factor

    def back(kernel: NDArray[np.float64]) -> NDArray[np.float64]:
        parts = solve_triangular(factor[:rank], kernel, lower=True, trans="T")
        return np.asarray(features[pivots[:rank]].T @ parts)

    return rotated, back


def _gram(features: Any) -> NDArray[np.float64]:
    """Scalar products of all rows."""
    if not sp.issparse(features):
        return np.asarray(features @ features.T)
    # A feature of n documents costs n squared operations in a sparse product.
    n_documents = np.bincount(features.indices, minlength=features.shape[1])
    frequent = n_documents > max(len(features.indptr) * _SHARE_OF_FREQUENT, 1)
    dense, rare = features[:, frequent].toarray(), features[:, ~frequent & (n_documents > 1)]
    gram = np.asarray(dense @ dense.T + (rare @ rare.T).toarray())
    # Features of a single document only add to the length of its row.
    gram[np.diag_indices_from(gram)] = features.power(2).sum(axis=1)
    return gram


def _known_lengths(
    features: Any, train: NDArray[np.integer], test: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Lengths of the left-out rows without the n-grams that no training document has, as a column.

    Rows have length 1 over the known n-grams. Rows of new documents do not contain n-grams that the labelled documents lack.
    With the lengths of the whole rows, logits of left-out documents would be too small, and stacking weights too large.
    """
    known = np.zeros(features.shape[1])
    known[features[train].indices] = 1
    squares = features[test].power(2) @ known
    return np.sqrt(np.where(squares > 0, squares, 1.0))[:, None]


def _regression(**options: Any) -> LogisticRegression:
    return LogisticRegression(max_iter=_MAX_ITER, **options)


class OnlineModel:
    """Continues the training of a linear model with AdaGrad, one pass over each batch.

    Parameters
    ----------
    model : LinearModel
        The initial model; changed in place.

    References
    ----------
    J. Duchi, E. Hazan and Y. Singer, "Adaptive Subgradient Methods for Online Learning and
    Stochastic Optimization", JMLR 12 (2011). https://jmlr.org/papers/v12/duchi11a.html
    """

    def __init__(self, model: LinearModel) -> None:
        self.model = model
        self.kernel_squares = np.full_like(model.kernel, _INITIAL_SQUARES)
        self.bias_squares = np.full_like(model.bias, _INITIAL_SQUARES)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Files of format 1 name the model "term".
        self.__dict__.update({"model" if name == "term" else name: value for name, value in state.items()})

    def train(
        self,
        features: Any,
        labels: NDArray[np.integer],
        weights: NDArray[np.floating],
        offset: NDArray[np.floating],
    ) -> None:
        """One pass over documents.

        Parameters
        ----------
        features : array or CSR array of shape (n_documents, n_features)
        labels : ndarray of shape (n_documents,)
            Index of the class.
        weights : ndarray of shape (n_documents,)
        offset : ndarray of shape (n_documents, n_outputs)
            Logits of the other models.
        """
        # Arrays that joblib has mapped into memory are read-only.
        for holder, names in ((self.model, ("kernel", "bias")), (self, ("kernel_squares", "bias_squares"))):
            for name in names:
                if not getattr(holder, name).flags.writeable:
                    setattr(holder, name, getattr(holder, name).copy())
        step = _ONLINE_STEP if sp.issparse(features) else _ONLINE_STEP_OF_DENSE
        for start in range(0, len(labels), _ONLINE_BATCH):
            rows = np.arange(start, min(start + _ONLINE_BATCH, len(labels)))
            batch = features[rows]
            residual = residual_of(self.model.logits(batch) + offset[rows], labels[rows], weights[rows])
            residual = (residual / len(rows)).astype(np.float32)
            gradients = (batch.T @ residual, residual.sum(axis=0))
            for values, squares, gradient in zip(
                (self.model.kernel, self.model.bias),
                (self.kernel_squares, self.bias_squares),
                gradients,
                strict=True,
            ):
                squares += gradient**2
                values -= step * gradient / np.sqrt(squares)
