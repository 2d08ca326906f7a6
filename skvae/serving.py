"""A fitted classifier in parts that predict without TensorFlow, as `TextVAEClassifier.to_pipeline` returns them."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from ._estimator.predicting import logit_parts
from ._estimator.storing import StoredMixin, head_from_store, head_to_store
from ._estimator.texts import TextInputMixin
from ._head.head import ClassHead
from ._head.logits import log_probabilities, margins, summed
from ._network.fitted import FittedAutoencoder


class _FittedElsewhere:
    """Like `sklearn.frozen.FrozenEstimator`: `fit` does nothing, and a clone is the estimator itself.

    Not that class, which would hide the names of the steps, and would store the parts outside of this package's files.
    """

    # The attribute that only fitted ones have.
    _learned: str

    def __sklearn_clone__(self) -> Any:
        return self

    def fit(self, X: Any, y: Any = None) -> Any:
        """Do nothing: it was fitted as a part of a classifier.

        Parameters
        ----------
        X, y : object
            Ignored.

        Returns
        -------
        self : estimator

        Raises
        ------
        NotFittedError
            If it was not made by `TextVAEClassifier.to_pipeline`.
        """
        if not self.__sklearn_is_fitted__():
            raise NotFittedError(
                f"a {type(self).__name__} cannot be fitted; call to_pipeline() of a fitted TextVAEClassifier."
            )
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, self._learned)


class HeadLogits(_FittedElsewhere, TextInputMixin, TransformerMixin, StoredMixin, BaseEstimator):
    """Logits of each part of a class head: what each of its models says about a text.

    The first step of `TextVAEClassifier.to_pipeline`. It is fitted, and cannot be trained further.

    See Also
    --------
    LogitClassifier : The second step, which adds the logits up.

    Examples
    --------
    >>> from skvae import TextVAEClassifier
    >>> from skvae.datasets import make_reviews
    >>> texts, labels = make_reviews(200, random_state=0)
    >>> pipeline = TextVAEClassifier(epochs=0, random_state=0).fit(texts, labels).to_pipeline()
    >>> logits = pipeline[0].transform(["a dull mess", "a delight"])
    >>> logits.shape, logits.dtype
    ((2, 3), dtype('float32'))
    >>> pipeline[0].get_feature_names_out().tolist()
    ['latent', 'lexical', 'vector']
    """

    _learned = "_class_head"
    _autoencoder: FittedAutoencoder
    _class_head: ClassHead
    _names: list[str]

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Logits of each part of the head.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,), or array of int of shape (n_samples, max_length)
            Texts, or token ids, whichever the classifier was fitted on.

        Returns
        -------
        logits : ndarray of shape (n_samples, n_parts * n_outputs), dtype float32
            One output for two classes, else one for each class.
        """
        check_is_fitted(self)
        blocks = logit_parts(self._autoencoder, self._class_head, X, self)
        return np.concatenate([np.hstack(list(parts.values())) for parts in blocks])

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Names of the logits: the part, and with more than two classes the class.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        names : ndarray of shape (n_parts * n_outputs,), dtype object
        """
        check_is_fitted(self)
        return np.array(self._names, dtype=object)

    def _to_store(self, state: dict[str, Any]) -> dict[str, Any]:
        return head_to_store(state)

    def _from_store(self, state: dict[str, Any]) -> dict[str, Any]:
        return head_from_store(state)


class LogitClassifier(_FittedElsewhere, ClassifierMixin, StoredMixin, BaseEstimator):
    """Adds the logits of the parts of a class head up.

    The second step of `TextVAEClassifier.to_pipeline`. It is fitted, and cannot be trained further.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels.

    n_features_in_ : int
        Number of logits: of parts, times the classes if there are more than two.

    See Also
    --------
    HeadLogits : The first step.

    Examples
    --------
    >>> from skvae import TextVAEClassifier
    >>> from skvae.datasets import make_reviews
    >>> texts, labels = make_reviews(200, random_state=0)
    >>> pipeline = TextVAEClassifier(epochs=0, random_state=0).fit(texts, labels).to_pipeline()
    >>> pipeline[1].predict([[1.0, 2.0, -0.5], [0.5, -2.0, 0.0]])
    array([1, 0])
    """

    _learned = "classes_"
    classes_: NDArray[Any]
    n_features_in_: int

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Margin of each class, in nats.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Logits of the parts.

        Returns
        -------
        margins : ndarray of shape (n_samples,) or (n_samples, n_classes), dtype float64
            As in `TextVAEClassifier.decision_function`.
        """
        return margins(self._logits(X))

    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """Log-probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Logits of the parts.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes), dtype float64
        """
        return log_probabilities(self._logits(X))

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Logits of the parts.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes), dtype float64
        """
        return np.exp(self.predict_log_proba(X))

    def predict(self, X: Any) -> NDArray[Any]:
        """The most likely class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Logits of the parts.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
        """
        most_likely = self.predict_log_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[most_likely])

    def _logits(self, X: Any) -> NDArray[np.float32]:
        check_is_fitted(self)
        logits = check_array(X, dtype=np.float32, input_name="X")
        if logits.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {logits.shape[1]} features, but LogitClassifier is expecting {self.n_features_in_} features as input:"
                " pass the output of HeadLogits.transform."
            )
        n_outputs = 1 if len(self.classes_) == 2 else len(self.classes_)
        return summed(np.split(logits, logits.shape[1] // n_outputs, axis=1))


def fitted_pipeline(
    autoencoder: FittedAutoencoder, head: ClassHead, classes: NDArray[Any], column: str | None
) -> Pipeline:
    """A pipeline that predicts as a class head does.

    Parameters
    ----------
    autoencoder : FittedAutoencoder
    head : ClassHead
    classes : ndarray of shape (n_classes,)
    column : str or None
        Name of the column that the texts of the fit came from.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline
    """
    logits = HeadLogits()
    logits._autoencoder = autoencoder.reader()
    # Copies, since `partial_fit` trains them in place.
    logits._class_head = replace(head, layers=deepcopy(head.layers), models=deepcopy(head.models), online={})
    parts = ["latent", *head.models]
    logits._names = parts if head.n_outputs == 1 else [f"{part}_{each}" for part in parts for each in classes]
    logits._column_name = column
    classifier = LogitClassifier()
    classifier.classes_ = classes
    classifier.n_features_in_ = len(logits._names)
    return Pipeline([("logits", logits), ("classifier", classifier)])
