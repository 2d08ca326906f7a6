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
    return [np.maximum(raw, 0) for raw in pre_activations(documents, weights, config)]


def pre_activations(
    documents: Documents, weights: dict[str, NDArray[Any]], config: NetworkConfig
) -> list[NDArray[np.float32]]:
    """What the activations of `hidden_layers` are computed from."""
    assert documents.counts is not None
    log_counts = documents.counts.copy()
    log_counts.data = np.log1p(log_counts.data)
    layers: list[NDArray[np.float32]] = []
    for name in config.hidden_layer_names:
        kernel = weights[f"encoder/{name}/kernel"]
        if layers:
            raw = product(np.maximum(layers[-1], 0), kernel)
        else:
            raw = product(log_counts, kernel[: config.n_words])
            if config.dense_dim:
                raw = raw + product(documents.dense, kernel[config.n_words :])
        layers.append(raw + weights[f"encoder/{name}/bias"])
    return layers


def slopes_of_inputs(
    slopes: NDArray[np.float32],
    of_activations: list[NDArray[np.float32]],
    weights: dict[str, NDArray[Any]],
    config: NetworkConfig,
) -> NDArray[np.float32]:
    """Slopes of a linear function of the features in what the first layer reads.

    Parameters
    ----------
    slopes : ndarray of shape (n_documents, n_features)
        The linear function of each document's `features`.
    of_activations : list of ndarray of shape (n_documents, units)
        Slope of each activation.
    weights : dict of str to ndarray
        Weights of a fitted network.
    config : NetworkConfig
        Its configuration.

    Returns
    -------
    slopes : ndarray of shape (n_documents, n_words + dense_dim), dtype float32
    """
    kernels = [weights[f"encoder/{name}/kernel"] for name in config.hidden_layer_names]
    ends = np.cumsum([config.n_components, *(kernel.shape[1] for kernel in kernels)])
    of_mean: NDArray[Any]
    of_mean, *of_layers = np.split(slopes, ends[:-1], axis=1)
    if config.posterior_scale is not None:
        variance = weights["encoder/normalization/moving_variance"]
        of_mean = of_mean * config.posterior_scale / np.sqrt(variance + _EPSILON)
    after: NDArray[Any] = of_mean @ weights["encoder/mean/kernel"].T
    for kernel, of_layer, of_activation in zip(
        reversed(kernels), reversed(of_layers), reversed(of_activations), strict=True
    ):
        after = ((after + of_layer) * of_activation) @ kernel.T
    return np.asarray(after, dtype=np.float32)


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
