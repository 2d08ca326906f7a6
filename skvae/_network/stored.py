"""A network that is live (a Keras model), stored (its weights), or both."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._base.forking import check_can_run
from .config import NetworkConfig

# Attributes of a live network that a fit sets: `recipe` determines whether training continues with its optimizer.
_OF_TRAINING = ("recipe", "warmup_steps")

_build_lock = threading.Lock()


class TrainingState:
    """The state that training changes in a live network, to be restored after a failure.

    Parameters
    ----------
    model : keras.Model
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.optimizer = model.optimizer if model.compiled else None
        self.attributes = {name: getattr(model, name) for name in _OF_TRAINING if hasattr(model, name)}
        variables = [*model.variables, *(() if self.optimizer is None else self.optimizer.variables)]
        self.values = [(variable, np.array(variable.numpy())) for variable in variables]

    def restore(self) -> None:
        """Restore every variable of network and optimizer, and the optimizer itself if it was replaced."""
        from .optimizer import single_precision

        if self.optimizer is not None and self.model.optimizer is not self.optimizer:
            with single_precision():
                self.model.compile(optimizer=self.optimizer, jit_compile=False)
        for variable, value in self.values:
            variable.assign(value)
        for name, value in self.attributes.items():
            setattr(self.model, name, value)


class FittedNetwork:
    """A network that is live (a Keras model), stored (its weights), or both.

    The Keras model is built on first access. Only the weights are stored.

    Parameters
    ----------
    config : NetworkConfig
        The configuration of the network.
    model : keras.Model or None, default=None
        The live model.
    """

    def __init__(self, config: NetworkConfig, model: Any = None) -> None:
        self.config = config
        self._model = model
        self._weights: dict[str, NDArray[Any]] | None = None
        self._decoder: Any = None

    @property
    def is_live(self) -> bool:
        """Whether the Keras model has been built."""
        return self._model is not None

    @property
    def has_decoder(self) -> bool:
        """Whether the decoder has been built as a separate model."""
        return self._decoder is not None

    @property
    def decoder(self) -> Any:
        """The decoder of the live model as a separate model that shares its weights."""
        from .decoders import build_decoder

        model = self.model
        with _build_lock:
            if self._decoder is None:
                self._decoder = build_decoder(model.text_decoder or model.bow_decoder)
            return self._decoder

    @property
    def model(self) -> Any:
        """The live Keras model."""
        check_can_run()
        if self._model is None:
            with _build_lock:
                if self._model is None:
                    self._model = self._rebuild()
        return self._model

    @property
    def weights(self) -> dict[str, NDArray[Any]]:
        """Every weight by its path in the network."""
        weights = self._weights
        if weights is None:
            named = self._model.named_weights()
            self._weights = weights = {name: np.array(weight.numpy()) for name, weight in named.items()}
        return weights

    def as_of_now(self) -> FittedNetwork:
        """A stored network with the current weights of the live model."""
        stored = FittedNetwork(self.config)
        stored._weights = FittedNetwork(self.config, self.model).weights
        return stored

    def encoder_alone(self) -> FittedNetwork:
        """A stored network that holds the weights of the encoder only."""
        stored = FittedNetwork(self.config)
        stored._weights = {
            name: weight for name, weight in self.weights.items() if name.startswith("encoder/")
        }
        return stored

    @contextmanager
    def restored_after(self, *failures: type[BaseException]) -> Iterator[None]:
        """Restore the network and its optimizer after one of these exceptions in the block."""
        weights = self.weights
        before = None if self._model is None else TrainingState(self._model)
        try:
            yield
        except failures:
            if before is None:
                self._model = None
            else:
                before.restore()
            self._weights = weights
            raise

    def changed(self) -> None:
        """Mark the stored weights as stale after the live model was trained."""
        assert self._model is not None
        self._weights = self._decoder = None

    def _rebuild(self) -> Any:
        from .autoencoder import TextVAE

        model = TextVAE(self.config, seed=0)
        stored, named = self.weights, model.named_weights()
        if named.keys() != stored.keys():
            differing = sorted(named.keys() ^ stored.keys())
            raise ValueError(
                f"the stored network does not fit this version of skvae: weights {differing[:3]} differ."
                " Load it with the version that saved it, or fit again."
            )
        for name, weight in named.items():
            weight.assign(stored[name])
        return model

    def __getstate__(self) -> dict[str, Any]:
        return {"config": self.config.as_dict(), "weights": self.weights}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.config = NetworkConfig.from_dict(state["config"])
        self._weights = state["weights"]
        self._model = self._decoder = None
