"""Matrix products whose rows do not depend on one another."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray


def product(rows: Any, kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows times a kernel, in single precision; equal rows give equal results wherever they stand.

    On some processors, BLAS adds up the terms of a row in an order that depends on the row's place. In double
    precision, the difference all but vanishes when the result is rounded.

    Parameters
    ----------
    rows : ndarray or CSR array of shape (n_rows, n_features), dtype float32
    kernel : ndarray of shape (n_features, n_outputs), dtype float32

    Returns
    -------
    product : ndarray of shape (n_rows, n_outputs), dtype float32
    """
    if sp.issparse(rows):
        # SciPy adds up each row by itself.
        return np.asarray(rows @ kernel)
    exact = np.asarray(rows, dtype=np.float64) @ np.asarray(kernel, dtype=np.float64)
    return exact.astype(np.float32)
