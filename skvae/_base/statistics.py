"""Centre and spread of columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ROUNDING = 10 * float(np.finfo(np.float32).eps)


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
