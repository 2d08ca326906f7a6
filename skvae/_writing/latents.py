"""Validates latent vectors, and interpolates between two."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array

from .._texts.containers import unpack
from .._texts.validation import is_missing


def check_latents(Z: Any, n_components: int, *, name: str = "X", n_beside: int = 0) -> NDArray[np.float32]:
    """Return the latent vectors `Z` as finite float32 of the right width.

    Parameters
    ----------
    Z : array-like of float of shape (n_samples, n_components)
        Latent vectors, as `transform` returns them; any container.
    n_components : int
        The number of components of the fitted estimator.
    name : str, default="X"
        Name of the argument in messages.
    n_beside : int, default=0
        Number of further columns that may follow the latents, and are ignored.

    Returns
    -------
    latents : ndarray of shape (n_samples, n_components), dtype float32
    """
    expected = f"latent vectors of {n_components} components"
    values, names = unpack(Z, name, f"{expected}. Call transform first")
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name} has rows of different lengths; expected {expected}.") from error
    if names is not None and array.ndim == 1:
        array = array[:, None]
    if array.dtype.kind not in "iufb":
        items = array.ravel().tolist()
        if any(isinstance(item, str) for item in items):
            raise ValueError(f"{name} holds texts; expected {expected}. Call transform first.")
        array = np.array([np.nan if is_missing(item) else item for item in items], dtype=object)
        array = array.reshape(np.shape(values) if names is None else (len(values), -1))
    latents = check_array(array, dtype=np.float32, ensure_min_samples=1, input_name=name)
    if n_beside and latents.shape[1] == n_components + n_beside:
        latents = latents[:, :n_components]
    if latents.shape[1] != n_components:
        raise ValueError(
            f"{name} has {latents.shape[1]} columns; expected latents of {n_components} components."
            " Pass the output of transform."
        )
    return np.asarray(latents)


def on_line(
    start: NDArray[np.float32], end: NDArray[np.float32], weights: NDArray[np.float32]
) -> NDArray[np.float32]:
    return (1 - weights) * start + weights * end


def on_sphere(
    start: NDArray[np.float32], end: NDArray[np.float32], weights: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Points at equal angles between two vectors; their lengths change linearly."""
    # Squares of large numbers would overflow.
    start, end = start.astype(np.float64), end.astype(np.float64)
    lengths = np.linalg.norm(start), np.linalg.norm(end)
    if min(lengths) == 0:
        return np.asarray(on_line(start, end, weights), dtype=np.float32)
    cosine = np.clip((start @ end.T).item() / (lengths[0] * lengths[1]), -1, 1)
    angle = np.arccos(cosine)
    # For opposite ends, the great circle is not unique; for equal ends, none is needed.
    if np.sin(angle) < 1e-4:
        return np.asarray(on_line(start, end, weights), dtype=np.float32)
    turned = (
        np.sin((1 - weights) * angle) * start / lengths[0] + np.sin(weights * angle) * end / lengths[1]
    ) / np.sin(angle)
    return np.asarray(turned * ((1 - weights) * lengths[0] + weights * lengths[1]), dtype=np.float32)
