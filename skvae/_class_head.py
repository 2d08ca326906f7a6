"""The class head: linear models fitted by convex optimisation, and how they are added up.

A document's logits are a sum: one linear model reads n-grams (wide), one reads what the encoder
made of the document (deep), and an intercept carries the frequencies of the classes. Each linear model
is a logistic regression; their stacking weights and the intercept are fitted to out-of-fold predictions, so a
model that knows nothing new counts for little, and probabilities are calibrated.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.linalg.lapack import dpstrf
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from ._corpus import Corpus
from ._forking import check_can_run

# The more folds, the nearer out-of-fold logits are to those of the model that is fitted to all documents: with five,
# mean probabilities of a class of share 0.1 are a hundredth too large, with ten a third of that. Where models take seconds, fewer have to do.
_FEW_LOGITS, _MANY_LOGITS, _MANY_DOCUMENTS = 5_000, 20_000, 5_000
_MAX_ITER = 1_000
# Of the gradient; with scikit-learn's 1e-4, coefficients depend on where the solver came from in their third digit.
_FINAL_TOLERANCE = 1e-6
_LARGEST_WEIGHT = 10.0
_ONLINE_BATCH = 32
_ONLINE_STEP = 0.5
_INITIAL_SQUARES = 0.01
# Above, the products of all documents with each other cost more than they save.
_DOCUMENTS_TO_ROTATE = 3_000
_NO_VARIANCE = 1e-10


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

    def scaled(self, weight: float, intercept: Any = 0.0) -> LinearTerm:
        """The linear model times a number, plus an intercept."""
        bias = np.asarray(self.bias * weight + intercept, dtype=np.float32)
        return LinearTerm(self.kernel * np.float32(weight), bias)


@dataclass(frozen=True)
class LabelledDocuments:
    """The distinct pairs of a document and a label, with the weight that all its copies have together.

    What is fitted to them cannot tell k copies of a document from one of weight k.

    Parameters
    ----------
    rows : ndarray of shape (n_distinct,), dtype int64
        The first of the given documents of each pair.
    pair_of : ndarray of shape (n_documents,), dtype int64
        Index of the pair of each of the given documents.
    documents : ndarray of shape (n_distinct,), dtype int64
        Index of the document of each pair, in an order that is the documents' own, not that in which they came.
    labels : ndarray of shape (n_distinct,), dtype int64
        Index of its class.
    weights : ndarray of shape (n_distinct,), dtype float64
    """

    rows: NDArray[np.int64]
    pair_of: NDArray[np.int64]
    documents: NDArray[np.int64]
    labels: NDArray[np.int64]
    weights: NDArray[np.float64]

    @classmethod
    def of(
        cls, corpus: Corpus, labels: NDArray[np.integer], weights: NDArray[np.floating], seed: int
    ) -> LabelledDocuments:
        """From documents, the index of the class of each, and weights.

        `seed` decides the order of `documents`.
        """
        contents = [
            corpus.ids[start:end].tobytes()
            for start, end in zip(corpus.starts[:-1], corpus.starts[1:], strict=True)
        ]
        ranked = sorted(set(contents), key=lambda content: (zlib.crc32(content, seed), content))
        number = {content: rank for rank, content in enumerate(ranked)}
        documents = np.array([number[content] for content in contents], dtype=np.int64)
        pairs = np.stack([documents, labels.astype(np.int64)], axis=1)
        distinct, rows, pair_of = np.unique(pairs, axis=0, return_index=True, return_inverse=True)
        pair_of = pair_of.reshape(-1)
        summed = np.bincount(pair_of, weights=weights, minlength=len(distinct)).astype(np.float64)
        return cls(rows, pair_of, distinct[:, 0], distinct[:, 1], summed)

    @property
    def n_outputs(self) -> int:
        """Number of logits: 1 for two classes, else one for each class."""
        n_classes = int(self.labels.max()) + 1
        return 1 if n_classes == 2 else n_classes

    def folds(self) -> NDArray[np.int64]:
        """The fold that leaves each pair out; -1 for those that none may leave out.

        Equal documents are in one fold. Each class is spread over the folds, and stays in the training part
        of each: a class with a single document is never left out.

        Returns
        -------
        folds : ndarray of shape (n_distinct,), dtype int64
            All -1 where less than two classes can be left out.
        """
        # The heaviest label of a document that has several.
        heaviest = np.lexsort((-self.weights, self.documents))
        documents, first = np.unique(self.documents[heaviest], return_index=True)
        labels = self.labels[heaviest][first]
        counts = np.bincount(labels)
        n_logits = len(documents) * self.n_outputs
        many = len(documents) >= _MANY_DOCUMENTS or n_logits >= _MANY_LOGITS
        n_folds = min(10 if n_logits <= _FEW_LOGITS else 3 if many else 5, int(counts.max()))
        # Neighbours in this order are of one class and in different folds.
        fold_of = np.empty(len(documents), dtype=np.int64)
        fold_of[np.argsort(labels, kind="stable")] = np.arange(len(documents)) % n_folds
        folds = fold_of[np.searchsorted(documents, self.documents)]
        places = np.unique(np.stack([self.labels, folds], axis=1), axis=0)[:, 0]
        alone = np.flatnonzero(np.bincount(places, minlength=int(self.labels.max()) + 1) == 1)
        kept = np.isin(self.documents, self.documents[np.isin(self.labels, alone)])
        folds[kept] = -1
        if len(np.unique(self.labels[folds >= 0])) < 2:
            folds[:] = -1
        return folds


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


def cross_entropy(logits: NDArray[Any], labels: NDArray[np.integer], weights: NDArray[np.floating]) -> float:
    """Weighted average of the negative log-probability of the labels, in nats."""
    own = log_probabilities(logits)[np.arange(len(labels)), labels]
    return float(-(weights @ own) / weights.sum())


def fit_linear_term(
    features: Any, data: LabelledDocuments, folds: NDArray[np.int64], candidates: Sequence[float]
) -> tuple[LinearTerm, NDArray[np.float64] | None]:
    """Logistic regression whose `C` is chosen by cross-validation.

    Parameters
    ----------
    features : array or CSR array of shape (n_distinct, n_features)
    data : LabelledDocuments
    folds : ndarray of shape (n_distinct,)
        The fold that leaves each document out, -1 for none.
    candidates : sequence of float
        The values of `C`, ascending; the best log-loss, with the best stacking weight and intercept, wins.

    Returns
    -------
    model : LinearTerm
        Fitted on all the documents.
    out_of_fold : ndarray of shape (n_distinct, n_outputs), dtype float64, or None
        Logits of each document from the model of the fold that left it out; of those in no fold, the average of the others.
        None where there are no folds.
    """
    # Threads of BLAS wait for each other longer than problems of this size take.
    with threadpool_limits(limits=1, user_api="blas"):
        return _fit_linear_term(features, data, folds, candidates)


def _fit_linear_term(
    features: Any, data: LabelledDocuments, folds: NDArray[np.int64], candidates: Sequence[float]
) -> tuple[LinearTerm, NDArray[np.float64] | None]:
    # In single precision the line search of L-BFGS can end at the limit of the numbers, on some processors
    # and not on others, which scikit-learn reports as a failure to converge.
    features = features.astype(np.float64)
    rotated, back = _rotated(features)
    best, out_of_fold = candidates[len(candidates) // 2], None
    left_out = folds >= 0
    if left_out.any():
        logits = np.zeros((len(candidates), len(folds), data.n_outputs))
        for fold in np.unique(folds[left_out]):
            train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
            lengths = _known_lengths(features, train, test) if sp.issparse(features) else 1.0
            # Each value of C starts from the solution of the one before.
            regression, rows = _regression(warm_start=True), rotated[train]
            for number, candidate in enumerate(candidates):
                regression.set_params(C=candidate).fit(
                    rows, data.labels[train], sample_weight=data.weights[train]
                )
                logits[number, test] = rotated[test] @ regression.coef_.T / lengths + regression.intercept_
        # A model's own scale and intercept are of no account: it will be stacked anyway.
        stacked = [fit_stacking([each], data, folds).logits([each])[left_out] for each in logits]
        losses = [cross_entropy(each, data.labels[left_out], data.weights[left_out]) for each in stacked]
        best, out_of_fold = candidates[int(np.argmin(losses))], logits[int(np.argmin(losses))]
        out_of_fold[~left_out] = np.average(out_of_fold[left_out], axis=0, weights=data.weights[left_out])
    regression = (
        _regression(tol=_FINAL_TOLERANCE)
        .set_params(C=best)
        .fit(rotated, data.labels, sample_weight=data.weights)
    )
    kernel, bias = back(regression.coef_.T), regression.intercept_
    return LinearTerm(kernel.astype(np.float32), bias.astype(np.float32)), out_of_fold


def _rotated(features: Any) -> tuple[Any, Any]:
    """Features in as many dimensions as documents, and the way back for a kernel.

    The solution of an L2-penalised regression lies in the span of the documents, and its penalty does not change under
    rotation; so with fewer documents than features, it is found in the coordinates of that span.
    """
    n_documents, n_features = features.shape
    if n_documents >= n_features or n_documents > _DOCUMENTS_TO_ROTATE:
        return features, lambda kernel: kernel
    gram = features @ features.T
    # With L the Cholesky factor of the rows' products, the rows of L are the documents in such coordinates.
    factor, pivots, rank, _ = dpstrf(gram.toarray() if sp.issparse(gram) else gram, tol=_NO_VARIANCE, lower=1)
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


def _known_lengths(
    features: Any, train: NDArray[np.integer], test: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Lengths of the left-out rows without the n-grams that no training document has, as a column.

    Rows have length 1 over the n-grams that are known. Those of a new document leave out what the labelled ones do not have;
    with the lengths of the whole, logits of left-out documents would be too small, and stacking weights too large.
    """
    known = np.zeros(features.shape[1])
    known[features[train].indices] = 1
    squares = features[test].power(2) @ known
    return np.sqrt(np.where(squares > 0, squares, 1.0))[:, None]


def _regression(**options: Any) -> LogisticRegression:
    return LogisticRegression(max_iter=_MAX_ITER, **options)


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


@dataclass(frozen=True)
class Stacking:
    """How linear models are added up.

    Parameters
    ----------
    weights : ndarray of shape (n_models,), dtype float64
        Stacking weight of each model, not negative.
    intercept : ndarray of shape (n_outputs,), dtype float64
    """

    weights: NDArray[np.float64]
    intercept: NDArray[np.float64]

    def logits(self, logits: Sequence[NDArray[np.floating]]) -> NDArray[np.float64]:
        """Their sum, of shape (n_documents, n_outputs), from the logits of each model."""
        return np.asarray(np.tensordot(self.weights, np.stack(logits), axes=1) + self.intercept)


def fit_stacking(
    logits: Sequence[NDArray[np.float64] | None], data: LabelledDocuments, folds: NDArray[np.int64]
) -> Stacking:
    """How much each linear model counts in the sum, and the intercept.

    Each model has learned the frequencies of the classes; if models were added up as they are, these would
    count as often as the stacking weights come to. So the weights scale the differences from the models' average
    logits, and the intercept is free.

    Parameters
    ----------
    logits : sequence of ndarray of shape (n_distinct, n_outputs), or None
        Out-of-fold logits of each model.
    data : LabelledDocuments
    folds : ndarray of shape (n_distinct,)
        The fold that left each document out, -1 for none: those do not count.

    Returns
    -------
    stacking : Stacking
        Equal shares where there are no out-of-fold logits.

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
        residual = _residual(total, labels, weights)
        gradient = np.concatenate([np.einsum("tno,no->t", stacked, residual), residual.sum(axis=0)])
        # Worth one document: keeps all finite where every document is told apart.
        penalty = np.concatenate([scales - share, shift])
        return float(value + 0.5 * penalty @ penalty), gradient + penalty

    start = np.concatenate([np.full(n_models, share), np.zeros(n_outputs)])
    bounds = [(0.0, _LARGEST_WEIGHT)] * n_models + [(None, None)] * n_outputs
    solution = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x
    scales = solution[:n_models]
    return Stacking(scales, base + solution[n_models:] - scales @ centre)


def frequency_shift(before: NDArray[Any], after: NDArray[Any]) -> NDArray[np.float64]:
    """What to add to logits so that the mean probability of each class is what it was.

    Parameters
    ----------
    before, after : ndarray of shape (n_documents, n_outputs)
        Logits of the same documents.

    Returns
    -------
    shift : ndarray of shape (n_outputs,), dtype float64
    """
    wanted = np.exp(log_probabilities(before))

    # The shift of least cross-entropy is the one at which the sums of the probabilities agree.
    def loss(shift: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        log_probability = log_probabilities(after + shift)
        residual = np.exp(log_probability) - wanted
        # Keeps a class finite that no document has.
        value = -(wanted * log_probability).sum() + 0.5e-3 * shift @ shift
        return float(value), residual.sum(axis=0)[-len(shift) :] + 1e-3 * shift

    return np.asarray(minimize(loss, np.zeros(after.shape[1]), jac=True, method="L-BFGS-B").x)


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
