"""Predictions of a classifier, from the logits of its class head."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from .._head.head import ClassHead
from .._head.logits import log_probabilities, margins, summed
from .._network.fitted import FittedAutoencoder


def logit_parts(
    autoencoder: FittedAutoencoder, head: ClassHead, X: Any, fitted: Any
) -> Iterator[dict[str, NDArray[np.float32]]]:
    """Logits of each part of the head, for blocks of documents.

    Parameters
    ----------
    autoencoder : FittedAutoencoder
    head : ClassHead
    X : collection of str, or array of int
        Documents, as passed by a user.
    fitted : estimator
        The one whose method was called.
    """
    for corpus in autoencoder.read_in_blocks(X, fitted=fitted):
        documents = autoencoder.prepare(corpus)
        yield head.parts(autoencoder.features(documents), head.inputs(corpus, documents))


class ClassPredictorMixin:
    """Predicts classes with the autoencoder in `vae_` and the class head in `_class_head`."""

    classes_: NDArray[Any]
    vae_: Any
    _class_head: ClassHead

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probability of each class.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,), or array of int of shape \
                (n_samples, max_length)
            Texts, or token ids.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes), dtype float64
            Columns in the order of `classes_`.
        """
        return np.exp(self.predict_log_proba(X))

    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """Log-probability of each class.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,), or array of int of shape \
                (n_samples, max_length)
            Texts, or token ids.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes), dtype float64
        """
        return log_probabilities(self._class_logits(X))

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Margin of each class, in nats.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,), or array of int of shape \
                (n_samples, max_length)
            Texts, or token ids.

        Returns
        -------
        margins : ndarray of shape (n_samples,) or (n_samples, n_classes), dtype float64
            With two classes, the log-odds of the second. With more, the logit of each class minus the average
            logit. `explain` splits these margins into contributions.
        """
        return margins(self._class_logits(X))

    def _class_logits(self, X: Any) -> NDArray[np.float32]:
        check_is_fitted(self)
        return np.concatenate(
            [
                summed(list(parts.values()))
                for parts in logit_parts(self.vae_._autoencoder, self._class_head, X, self)
            ]
        )

    def predict(self, X: Any) -> NDArray[Any]:
        """The most likely class of each text.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,), or array of int of shape \
                (n_samples, max_length)
            Texts, or token ids.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
        """
        check_is_fitted(self)
        return np.asarray(self.classes_[self.predict_log_proba(X).argmax(axis=1)])
