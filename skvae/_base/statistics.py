"""Centre, spread and principal axes of columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

_ROUNDING = 10 * float(np.finfo(np.float32).eps)
_ROWS_PER_BLOCK = 4_096


def centre_and_spread(values: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation of each column; the spread of a constant column is exactly 0.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns), dtype float32

    Returns
    -------
    centre, spread : ndarray of shape (n_columns,), dtype float32
    """
    # In single precision, the mean of a constant is rounded, and its distance from the constant would be a spread.
    centre = values.mean(axis=0, dtype=np.float64)
    spread = values.std(axis=0, dtype=np.float64)
    spread[spread <= _ROUNDING * np.abs(centre)] = 0
    return centre.astype(np.float32), spread.astype(np.float32)


def principal_axes(
    values: NDArray[np.float32], centre: NDArray[np.float32], spread: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Principal axes of standardised columns, and the standard deviation along each.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns), dtype float32
    centre, spread : ndarray of shape (n_columns,), dtype float32
        Of each column; no spread is 0.

    Returns
    -------
    axes : ndarray of shape (n_columns, n_columns), dtype float32
        Each column is an axis of length 1.
    deviations : ndarray of shape (n_columns,), dtype float64
        In units in which rows that are multiplied by them have the same mean square as before. All 1 if every row equals
        `centre`.
    """
    covariance = np.zeros((values.shape[1], values.shape[1]))
    # One thread: the last digits would depend on how many there are.
    with threadpool_limits(limits=1, user_api="blas"):
        for start in range(0, len(values), _ROWS_PER_BLOCK):
            block = ((values[start : start + _ROWS_PER_BLOCK] - centre) / spread).astype(np.float64)
            covariance += block.T @ block
        variances, axes = np.linalg.eigh(covariance / max(len(values), 1))
    variances = np.maximum(variances, 0.0)
    squares = np.sum(variances**2)
    deviations = np.sqrt(variances * variances.sum() / squares) if squares > 0 else np.ones(len(variances))
    return axes.astype(np.float32), deviations
