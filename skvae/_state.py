"""Fitted networks as plain arrays: what is pickled, and how a network comes back."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._network_config import NetworkConfig

FORMAT = 1

_build_lock = threading.Lock()


class FittedNetwork:
    """A network that is either live (a Keras model) or stored (its weights), or both.

    The Keras model is built when somebody first asks for it; pickling keeps the weights
    only, so a file holds no Keras object and no code.

    Parameters
    ----------
    config : NetworkConfig
        The shape of the network.
    model : keras.Model or None, default=None
        The live model.
    """

    def __init__(self, config: NetworkConfig, model: Any = None) -> None:
        self.config = config
        self._model = model
        self._weights: dict[str, NDArray[Any]] | None = None

    @property
    def model(self) -> Any:
        """The live Keras model."""
        if self._model is None:
            with _build_lock:
                if self._model is None:
                    self._model = self._rebuild()
        return self._model

    @property
    def weights(self) -> dict[str, NDArray[Any]]:
        """Every weight by its path in the network."""
        if self._weights is None:
            named = self._model.named_weights()
            self._weights = {name: np.array(weight.numpy()) for name, weight in named.items()}
        return self._weights

    def changed(self) -> None:
        """Say that the live model was trained, so that the stored weights are stale."""
        assert self._model is not None
        self._weights = None

    def _rebuild(self) -> Any:
        from .networks import TextVAE

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
        return {"format": FORMAT, "config": self.config.as_dict(), "weights": self.weights}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if state.get("format") != FORMAT:
            raise ValueError(
                f"this file holds a network of format {state.get('format')!r}; this version of skvae reads format"
                f" {FORMAT}. Load it with the version that saved it, or fit again."
            )
        self.config = NetworkConfig.from_dict(state["config"])
        self._weights = state["weights"]
        self._model = None
