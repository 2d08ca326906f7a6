"""Predictions of a classifier, from the logits of its class head."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from .._head.explanation import Explanation, explain, shares_of_pieces
from .._head.head import ClassHead
from .._head.logits import log_probabilities, margins, summed
from .._network.fitted import FittedAutoencoder
from .._writing.options import is_count
from .frames import pandas_for


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
    _classes_of: Any

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

    def explain(self, X: Any, y: Any = None, *, n_contributions: int = 10, merge_ngrams: bool = True) -> Any:
        """Contributions of n-grams to the margin of a class.

        The margin is a sum of parts: of linear models of the text's n-grams, of its vector and of the embedding, and
        of what the class head makes of the encoder's output. Each part is split over the n-grams that it reads, so that an
        n-gram has one contribution through all of them. Contributions are relative to a text without words and with
        average vectors, whose margin is the intercept. What goes through the hidden layers of a "bow" encoder is split by
        the rescale rule of DeepLIFT [1]_, which is exact; through a recurrent encoder, by integrated gradients [2]_.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,), or array of int of shape \
                (n_samples, max_length)
            Texts, or token ids; a few, not a corpus.
        y : class, array-like of shape (n_samples,), or None, default=None
            The class to explain, for all texts or for each. None means the predicted class.
        n_contributions : int, default=10
            Number of contributions to list for each text, largest absolute values first.
        merge_ngrams : bool, default=True
            Whether the row of an n-gram contains what the shorter n-grams in it contribute, except for those of rows above.
            Fewer rows then cover more of the margin. Otherwise, each n-gram stands for itself.

        Returns
        -------
        explanation : pandas.DataFrame
            For each text: the margin, then the largest contributions, then the rest. Columns:

            - "document": the text's position in `X`.
            - "class": the class explained.
            - "part": "margin" for the first row of a text; "ngram" for an n-gram or a word, "embedding" for what the
              `embedder` returned, "intercept" for what does not depend on the text; "rest" for the sum of all
              contributions that are not listed.
            - "name": the n-gram, as it stands in a text. Tokens that differ only in the space before or after them, as the
              vocabulary may tell apart, have the same name.
            - "contribution": in nats; a positive value supports the class. Those after the margin add up to
              it. With two classes, the margin is the log-odds of the class; with more, its logit minus the average logit.
            - "lexical", "vector", "latent", "embedding", "intercept": the contribution through each part of the
              head: the linear models of n-grams, of the text's vector and of the embedding, and the encoder. They add up to
              "contribution". Only the parts of this classifier.

        Raises
        ------
        ValueError
            If `y` contains a class that is not in `classes_`, and as in `predict`.
        ImportError
            If pandas is not installed.

        See Also
        --------
        skvae.plotting.ExplanationDisplay : The same as a picture, and the text with coloured words.

        References
        ----------
        .. [1] A. Shrikumar, P. Greenside and A. Kundaje, "Learning Important Features Through Propagating Activation
           Differences", ICML 2017. https://arxiv.org/abs/1704.02685
        .. [2] M. Sundararajan, A. Taly and Q. Yan, "Axiomatic Attribution for Deep Networks", ICML 2017.
           https://arxiv.org/abs/1703.01365

        Examples
        --------
        >>> from skvae import TextVAEClassifier
        >>> from skvae.datasets import make_reviews
        >>> texts, labels = make_reviews(200, random_state=0)
        >>> classifier = TextVAEClassifier(epochs=0, random_state=0).fit(texts, labels)
        >>> frame = classifier.explain(["a dull mess"], n_contributions=3)
        >>> frame["part"].tolist()
        ['margin', 'ngram', 'ngram', 'ngram', 'rest']
        >>> frame.columns.tolist()[4:]
        ['contribution', 'lexical', 'vector', 'latent', 'intercept']
        """
        check_is_fitted(self)
        pandas_for("explain")
        if not is_count(n_contributions):
            raise ValueError(f"n_contributions={n_contributions!r}; expected an int of at least 1.")
        return self._explanation_frame(self._explained(X, y), int(n_contributions), bool(merge_ngrams))

    def _explanation_of_text(self, text: Any, y: Any, **options: Any) -> tuple[Any, list[tuple[str, float]]]:
        """The frame of `explain`, and the text in pieces with the contribution of each, for `ExplanationDisplay`."""
        explanation = self._explained([text], y)
        pieces = shares_of_pieces(explanation, self.vae_._autoencoder, text)
        return self._explanation_frame(explanation, **options), pieces

    def _explained(self, X: Any, y: Any) -> Explanation:
        autoencoder = self.vae_._autoencoder
        corpus = autoencoder.read(X, fitted=self)
        labels = None if y is None else self._classes_of(y, len(corpus))
        return explain(self._class_head, autoencoder, corpus, labels)

    def _explanation_frame(self, explanation: Explanation, n_contributions: int, merge_ngrams: bool) -> Any:
        rows = explanation.rows(self.vae_._autoencoder.phrase, n_contributions, merge_ngrams=merge_ngrams)
        columns = ["document", "part", "name", "contribution", *explanation.parts]
        frame = pandas_for("explain").DataFrame(rows, columns=columns)
        frame.insert(1, "class", self.classes_[explanation.labels[frame["document"]]])
        return frame
