"""The bag-of-words encoder in NumPy: a fitted one needs no TensorFlow to read documents.

The layers are those of `encoders.build_encoder`; a test compares the two. The first layer is
a sparse product, so its cost depends on the words of a document only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._base.products import product
from .._texts.documents import Documents
from .config import NetworkConfig

_EPSILON = 1e-8
_LOG_VARIANCE_RANGE = (-20.0, 1.0)


def hidden_layers(
    documents: Documents, weights: dict[str, NDArray[Any]], config: NetworkConfig
) -> list[NDArray[np.float32]]:
    """Activations of each hidden layer.

    Parameters
    ----------
    documents : Documents
        Their counts, and their vectors if the network reads them.
    weights : dict of str to ndarray
        Weights of a fitted network.
    config : NetworkConfig
        Its configuration.

    Returns
    -------
    layers : list of ndarray of shape (n_documents, units), dtype float32
        From the first to the last, including the bottleneck.
    """
    assert documents.counts is not None
    log_counts = documents.counts.copy()
    log_counts.data = np.log1p(log_counts.data)
    layers: list[NDArray[np.float32]] = []
    for name in config.hidden_layer_names:
        kernel = weights[f"encoder/{name}/kernel"]
        if layers:
            raw = product(layers[-1], kernel)
        else:
            raw = product(log_counts, kernel[: config.n_words])
            if config.dense_dim:
                raw = raw + product(documents.dense, kernel[config.n_words :])
        layers.append(np.maximum(raw + weights[f"encoder/{name}/bias"], 0))
    return layers


def posterior(
    documents: Documents, weights: dict[str, NDArray[Any]], config: NetworkConfig
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Posterior mean and log-variance of each document.

    Parameters
    ----------
    documents : Documents
        Their counts, and their vectors if the network reads them.
    weights : dict of str to ndarray
        Weights of a fitted network.
    config : NetworkConfig
        Its configuration.

    Returns
    -------
    mean, log_variance : ndarray of shape (n_documents, n_components), dtype float32
    """
    return _posterior(hidden_layers(documents, weights, config)[-1], weights, config)


def features(
    documents: Documents, weights: dict[str, NDArray[Any]], config: NetworkConfig
) -> NDArray[np.float32]:
    """Posterior mean and hidden layers side by side.

    Parameters
    ----------
    documents : Documents
        Their counts, and their vectors if the network reads them.
    weights : dict of str to ndarray
        Weights of a fitted network.
    config : NetworkConfig
        Its configuration.

    Returns
    -------
    features : ndarray of shape (n_documents, n_components + sum of units), dtype float32
    """
    hidden = hidden_layers(documents, weights, config)
    mean, _ = _posterior(hidden[-1], weights, config)
    return np.concatenate([mean, *hidden], axis=1)


def _posterior(
    hidden: NDArray[np.float32], weights: dict[str, NDArray[Any]], config: NetworkConfig
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    mean = product(hidden, weights["encoder/mean/kernel"]) + weights["encoder/mean/bias"]
    scale = config.posterior_scale
    if scale is not None:
        variance = weights["encoder/normalization/moving_variance"]
        centred = mean - weights["encoder/normalization/moving_mean"]
        mean = scale * centred / np.sqrt(variance + _EPSILON)
    log_variance = product(hidden, weights["encoder/log_variance/kernel"])
    log_variance = log_variance + weights["encoder/log_variance/bias"]
    return mean.astype(np.float32), np.clip(log_variance, *_LOG_VARIANCE_RANGE).astype(np.float32)
