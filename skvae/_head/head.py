"""The class head: class logits of a document."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._base.forking import check_can_run
from .._network.attribution import mean_slopes
from .._texts.corpus import Corpus
from .._texts.documents import Documents
from .._texts.ngrams import NgramFeatures
from .linear import LinearModel, OnlineModel
from .logits import summed

# Those that read n-grams.
NGRAM_MODELS = ("lexical", "vector")


@dataclass
class ClassHead:
    """A sum of linear models of a document's n-grams (wide), and of layers that read the encoder's output (deep).

    The intercept, which represents the class frequencies, is in the bias of the last layer.

    Parameters
    ----------
    layers : list of LinearModel
        From the encoder's features to logits; one layer unless there are hidden ones.
    activation : str
        Keras activation of all layers but the last.
    models : dict of str to LinearModel
        "lexical" reads TF-IDF of n-grams, "vector" the document's vector, "embedding" that of the user's embedder.
        Fine-tuning does not change them.
    ngrams : NgramFeatures or None
        Input of the lexical model; None without one.
    online : dict of str to OnlineModel
        Continues the training of `models`.
    """

    layers: list[LinearModel]
    activation: str
    models: dict[str, LinearModel]
    ngrams: NgramFeatures | None
    online: dict[str, OnlineModel] = field(default_factory=dict)

    def with_layers(self, layers: list[LinearModel]) -> ClassHead:
        """The same head with other layers."""
        return replace(self, layers=layers)

    def copy(self) -> ClassHead:
        """A shallow copy; the linear models and their online training are shared."""
        return replace(self, online=dict(self.online))

    @property
    def n_outputs(self) -> int:
        """Number of logits: 1 for two classes, else one for each class."""
        return int(self.layers[-1].kernel.shape[1])

    def inputs(self, corpus: Corpus, documents: Documents) -> dict[str, Any]:
        """Input of each linear model, an array or CSR array with a row for each document.

        Parameters
        ----------
        corpus : Corpus
        documents : Documents
            The autoencoder's input for the same documents.
        """
        inputs: dict[str, Any] = {}
        if "lexical" in self.models and self.ngrams is not None:
            inputs["lexical"] = self.ngrams.transform(corpus)
        dense = {"vector": documents.vectors, "embedding": documents.embeddings}
        return inputs | {name: given for name, given in dense.items() if name in self.models}

    def linear_logits(self, inputs: dict[str, Any], n_documents: int) -> NDArray[np.float32]:
        """Logits of the linear models alone, of shape (n_documents, n_outputs)."""
        logits = np.zeros((n_documents, self.n_outputs), dtype=np.float32)
        for name, given in inputs.items():
            logits += self.models[name].logits(given)
        return logits

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

    def latent_slopes(
        self,
        features: NDArray[np.float32],
        reference: NDArray[np.float32],
        directions: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Slopes of a weighted sum of `latent_logits` in the features, on average between reference and features.

        With a linear layer, they are its kernel; with hidden layers, they follow the rescale rule of DeepLIFT.

        Parameters
        ----------
        features : ndarray of shape (n_documents, n_features)
        reference : ndarray of shape (1, n_features)
        directions : ndarray of shape (n_documents, n_outputs)
            Weights of the sum.

        Returns
        -------
        slopes : ndarray of shape (n_documents, n_features)
        """
        of_activations = []
        for layer in self.layers[:-1]:
            features, reference = layer.logits(features), layer.logits(reference)
            of_activations.append(mean_slopes(partial(_activate, self.activation), features, reference))
            features, reference = _activate(self.activation, features), _activate(self.activation, reference)
        slopes = directions @ self.layers[-1].kernel.T
        for layer, of_activation in zip(reversed(self.layers[:-1]), reversed(of_activations), strict=True):
            slopes = (slopes * of_activation) @ layer.kernel.T
        return np.asarray(slopes)

    def parts(self, features: NDArray[np.float32], inputs: dict[str, Any]) -> dict[str, NDArray[np.float32]]:
        """Logits of the layers ("latent") and of each linear model, each of shape (n_documents, n_outputs)."""
        linear = {name: self.models[name].logits(given) for name, given in inputs.items()}
        return {"latent": self.latent_logits(features)} | linear

    def logits(self, features: NDArray[np.float32], inputs: dict[str, Any]) -> NDArray[np.float32]:
        """Logits of documents, of shape (n_documents, n_outputs)."""
        return summed(list(self.parts(features, inputs).values()))

    def shift(self, shift: NDArray[np.floating]) -> None:
        """Add to the intercept, of shape (n_outputs,)."""
        self.layers[-1].bias = (self.layers[-1].bias + shift).astype(np.float32)

    def train_linear(
        self,
        inputs: dict[str, Any],
        labels: NDArray[np.integer],
        weights: NDArray[np.floating],
        features: NDArray[np.float32],
    ) -> None:
        """Train each linear model for one pass over documents, given the logits of all other parts."""
        _train_each(self.models, self.online, inputs, labels, weights, self.latent_logits(features))


@dataclass
class NgramClasses:
    """What n-grams alone tell about the class: the linear models that read them, stacked without those of other inputs.

    In a `ClassHead`, these models have little weight if the encoder's output tells as much. Of a text that is being
    written, only n-grams are known.

    Parameters
    ----------
    models : dict of str to LinearModel
        "lexical" and "vector", as in `ClassHead`.
    intercept : ndarray of shape (n_outputs,), dtype float32
        Added to the biases of the models.
    mean_lead : float, default=nan
        As in `Stacking`.
    online : dict of str to OnlineModel
        Continues the training of `models`.
    """

    models: dict[str, LinearModel]
    intercept: NDArray[np.float32]
    mean_lead: float = np.nan
    online: dict[str, OnlineModel] = field(default_factory=dict)

    @classmethod
    def beside(cls, head: ClassHead, means: NDArray[np.float32]) -> NgramClasses:
        """Copies of the models of a head, and the logits of its other parts with average features."""
        intercept = head.latent_logits(means[None])[0]
        if "embedding" in head.models:
            intercept = intercept + head.models["embedding"].bias
        names = [name for name in NGRAM_MODELS if name in head.models]
        models, online = deepcopy(
            (
                {name: head.models[name] for name in names},
                {name: head.online[name] for name in names if name in head.online},
            )
        )
        return cls(models, intercept, online=online)

    def logits(self, inputs: dict[str, Any], n_documents: int) -> NDArray[np.float32]:
        """Logits of documents, of shape (n_documents, n_outputs); `inputs` are those of a `ClassHead`."""
        base = np.tile(self.intercept, (n_documents, 1))
        return summed([base, *(model.logits(inputs[name]) for name, model in self.models.items())])

    def train(
        self, inputs: dict[str, Any], labels: NDArray[np.integer], weights: NDArray[np.floating]
    ) -> None:
        """Train each model for one pass over documents, given the logits of the other.

        `inputs` are those of a `ClassHead`.
        """
        own = {name: given for name, given in inputs.items() if name in self.models}
        base = np.tile(self.intercept, (len(labels), 1))
        _train_each(self.models, self.online, own, labels, weights, base)


def _train_each(
    models: dict[str, LinearModel],
    online: dict[str, OnlineModel],
    inputs: dict[str, Any],
    labels: NDArray[np.integer],
    weights: NDArray[np.floating],
    base: NDArray[np.float32],
) -> None:
    """Train linear models one after the other; `base`, of shape (n_documents, n_outputs), is added to their logits."""
    for name, given in inputs.items():
        if name not in online:
            online[name] = OnlineModel(models[name])
        others = [models[other].logits(inputs[other]) for other in inputs if other != name]
        online[name].train(given, labels, weights, summed([base, *others]))


def _activate(name: str, values: NDArray[np.float32]) -> NDArray[np.float32]:
    if name == "linear":
        return values
    if name == "relu":
        return np.maximum(values, 0)
    check_can_run()
    from .._network.backend import keras

    return np.asarray(keras.ops.convert_to_numpy(keras.activations.get(name)(values)))
