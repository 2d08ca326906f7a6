"""The class head: class logits from a document's features and n-grams."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._base.forking import check_can_run
from .._texts.corpus import Corpus
from .._texts.ngrams import NgramFeatures
from .linear import LinearModel, OnlineModel

# Largest number of documents that earlier batches count as, in averages over a stream.
_DOCUMENTS_TO_COUNT = 10_000


@dataclass
class ClassHead:
    """A sum of two parts: one reads n-grams (wide), one reads the encoder's output (deep).

    The intercept, which represents the class frequencies, is in the bias of the last layer.

    Parameters
    ----------
    layers : list of LinearModel
        From the encoder's features to logits; one layer unless there are hidden ones.
    activation : str
        Keras activation of all layers but the last.
    ngrams : NgramFeatures or None
        Input of the lexical model; None without one.
    lexical : LinearModel or None
        From TF-IDF of n-grams to logits.
    feature_means : ndarray of shape (n_features,), dtype float32
        Average features of all training documents so far.
    n_averaged : int
        Number of these documents.
    online : OnlineModel or None, default=None
        Continues the training of `lexical`.
    """

    layers: list[LinearModel]
    activation: str
    ngrams: NgramFeatures | None
    lexical: LinearModel | None
    feature_means: NDArray[np.float32]
    n_averaged: int
    online: OnlineModel | None = None

    def with_layers(self, layers: list[LinearModel]) -> ClassHead:
        """The same head with other layers."""
        return replace(self, layers=layers)

    def copy(self) -> ClassHead:
        """A shallow copy; the lexical model and its online training are shared."""
        return replace(self)

    @property
    def n_outputs(self) -> int:
        """Number of logits: 1 for two classes, else one for each class."""
        return int(self.layers[-1].kernel.shape[1])

    def tfidf(self, corpus: Corpus) -> Any:
        """Input of the lexical model, CSR array of shape (n_documents, n_ngrams); None without a lexical model."""
        return None if self.ngrams is None else self.ngrams.transform(corpus)

    def lexical_logits(self, tfidf: Any, n_documents: int) -> NDArray[np.float32]:
        """Logits of the n-grams alone, of shape (n_documents, n_outputs); 0 without a lexical model."""
        if self.lexical is None:
            return np.zeros((n_documents, self.n_outputs), dtype=np.float32)
        return self.lexical.logits(tfidf)

    def latent_logits(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits of the encoder's features alone, without Keras if the activation permits it.

        Parameters
        ----------
        features : ndarray of shape (n_documents, n_features), dtype float32

        Returns
        -------
        logits : ndarray of shape (n_documents, n_outputs), dtype float32
        """
        for layer in self.layers[:-1]:
            features = _activate(self.activation, layer.logits(features))
        return self.layers[-1].logits(features)

    def logits(self, features: NDArray[np.float32], tfidf: Any) -> NDArray[np.float32]:
        """Logits of documents, of shape (n_documents, n_outputs)."""
        logits = self.latent_logits(features)
        return logits if self.lexical is None else logits + self.lexical.logits(tfidf)

    def shift(self, shift: NDArray[np.floating]) -> None:
        """Add to the intercept, of shape (n_outputs,)."""
        self.layers[-1].bias = (self.layers[-1].bias + shift).astype(np.float32)

    def train_lexical(
        self,
        tfidf: Any,
        labels: NDArray[np.integer],
        weights: NDArray[np.floating],
        features: NDArray[np.float32],
    ) -> None:
        """Train the lexical model for one pass over documents, given the logits of their features."""
        if self.lexical is None:
            return
        self.online = self.online or OnlineModel(self.lexical)
        self.online.train(tfidf, labels, weights, self.latent_logits(features))

    def follow_means(
        self, before: NDArray[np.float32], after: NDArray[np.float32], n_documents: int, *, moves: bool
    ) -> None:
        """Update the average features of all documents so far from those of a batch before and after training.

        Parameters
        ----------
        before, after : ndarray of shape (n_features,)
            Average features of the batch.
        n_documents : int
            Size of the batch.
        moves : bool
            Whether the encoder is trained, which makes the average of earlier documents outdated.
        """
        n_before = min(self.n_averaged, _DOCUMENTS_TO_COUNT) if moves else self.n_averaged
        # Earlier documents are assumed to move like those of the batch.
        moved = self.feature_means + (after - before)
        self.n_averaged = n_before + n_documents
        means = (n_before * moved + n_documents * after) / self.n_averaged
        self.feature_means = means.astype(np.float32)


def _activate(name: str, values: NDArray[np.float32]) -> NDArray[np.float32]:
    if name == "linear":
        return values
    if name == "relu":
        return np.maximum(values, 0)
    check_can_run()
    import keras

    return np.asarray(keras.ops.convert_to_numpy(keras.activations.get(name)(values)))
