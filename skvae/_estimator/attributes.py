"""Fitted attributes that are created on access."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from .._network.fitted import FittedAutoencoder
from .sklearn import names_without


class AutoencoderAttributesMixin:
    """Tokenizer, networks and words of the fitted autoencoder in `_autoencoder`."""

    _autoencoder: FittedAutoencoder
    passthrough: bool

    @property
    def tokenizer_(self) -> Any:
        check_is_fitted(self)
        return self._autoencoder.tokenizer

    @property
    def model_(self) -> Any:
        check_is_fitted(self)
        return self._autoencoder.network.model

    @property
    def encoder_(self) -> Any:
        return self.model_.encoder

    @property
    def decoder_(self) -> Any:
        check_is_fitted(self)
        return self._autoencoder.network.decoder

    @property
    def components_(self) -> NDArray[np.float32]:
        check_is_fitted(self)
        if not self._autoencoder.has_bow_decoder:
            raise AttributeError("components_ needs the bag-of-words decoder; fit with bow_weight above 0.")
        components: NDArray[np.float32] = self._autoencoder.network.weights["bow_decoder/kernel"].view()
        components.flags.writeable = False
        return components

    @property
    def words_(self) -> NDArray[np.object_]:
        check_is_fitted(self)
        return self._autoencoder.words

    def __dir__(self) -> list[str]:
        # Code that lists all attributes, such as the notebook display, must not build networks.
        return names_without(self, self._unbuilt())

    def _unbuilt(self) -> set[str]:
        """Attributes whose access would build a network now."""
        network = self._autoencoder.network if self.__sklearn_is_fitted__() else None
        unbuilt = set() if network is not None and network.is_live else {"model_", "encoder_"}
        return unbuilt if network is not None and network.has_decoder else unbuilt | {"decoder_"}

    @property
    def _from_lists(self) -> bool:
        return self._autoencoder.from_lists

    @property
    def _n_features_out(self) -> int:
        config = self._autoencoder.config
        return config.n_components + self.passthrough * config.dense_dim

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_autoencoder")
