"""The values in a container of any library, without validation.

Containers are read with the methods that the libraries share (`to_pylist` of Arrow, `to_list` of pandas and polars,
`__array__`, `__arrow_c_stream__`), not with narwhals. narwhals is a dependency of scikit-learn from 1.9 on only, and
it reads neither lists, iterators and NumPy arrays nor plain arrays of Arrow, so this module would be as long with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def unpack(X: Any, name: str, expected: str) -> tuple[list[Any] | NDArray[Any], list[Any] | None]:
    """Values of a container, which is read once, and the names of its columns.

    Parameters
    ----------
    X : list, tuple, iterator, array, series, or frame
        Of NumPy, pandas, polars, Arrow, or any object with the same interface.
    name : str
        Name of the argument in messages.
    expected : str
        Description of the expected value in messages.

    Returns
    -------
    values : list, or ndarray of shape (n_samples, n_columns)
        A list for one dimension or one column; its items may be rows. An array for other frames and
        arrays.
    names : list or None
        The names of a frame's columns.

    Raises
    ------
    TypeError
        If `X` is not a container.
    ValueError
        If `X` is None or a single text, or has no column or more than two dimensions.
    """
    if isinstance(X, (str, bytes)):
        raise ValueError(
            f"{name} is a single {type(X).__name__}; expected {expected}. Wrap one text in a list: [text]."
        )
    if X is None:
        raise ValueError(f"{name} is None; expected {expected}.")
    if isinstance(X, Mapping):
        raise TypeError(f"{name} is a {type(X).__name__}; expected {expected}.")
    if hasattr(X, "toarray"):
        raise TypeError(f"{name} is a sparse matrix; expected {expected}.")
    if isinstance(X, (list, tuple)):
        return list(X), None
    if isinstance(X, np.ndarray):
        return _values_of_array(X, name, expected), None
    columns = _columns(X)
    if columns is not None:
        if not columns:
            raise ValueError(f"{name} is a data frame with 0 columns; expected {expected}.")
        if len(columns) == 1:
            return _items(columns[0][1]), [columns[0][0]]
        names = [column for column, _ in columns]
        return np.column_stack([_array(values) for _, values in columns]), names
    if hasattr(X, "to_pylist") or hasattr(X, "to_list"):
        return _items(X), None
    if hasattr(X, "__array__"):
        return _values_of_array(np.asarray(X), name, expected), None
    if hasattr(X, "__arrow_c_stream__"):
        return unpack(_by_arrow(X, name), name, expected)
    if isinstance(X, Iterable):
        return list(X), None
    lazy = " It is lazy: call its collect() first." if hasattr(X, "collect") else ""
    raise TypeError(f"{name} is a {type(X).__name__}; expected {expected}.{lazy}")


def read_once(X: Any) -> Any:
    """A list of the items of an iterator, which can be read only once; other values are returned unchanged."""
    return list(X) if isinstance(X, Iterator) else X


def is_one(y: Any) -> bool:
    """Whether `y` is one value and not a container of several."""
    if isinstance(y, np.ndarray):
        return not y.ndim
    # Arrow tables, and objects that can only be converted to arrays, are not iterable.
    return isinstance(y, (str, bytes, np.generic)) or not (hasattr(y, "__iter__") or hasattr(y, "__array__"))


def column_name(X: Any) -> str | None:
    """The name of a series, or of the only column of a frame; None if it has none that is a `str`."""
    if isinstance(X, (list, tuple, np.ndarray)):
        return None
    columns = _columns(X)
    name = None
    if columns is not None and len(columns) == 1:
        name = columns[0][0]
    elif columns is None and hasattr(X, "to_list"):
        name = getattr(X, "name", None)
    # An unnamed series of polars is named "".
    return name if isinstance(name, str) and name else None


def _columns(X: Any) -> list[tuple[Any, Any]] | None:
    """Name and values of each column; None if `X` is not a frame. Names may repeat."""
    if hasattr(X, "iloc") and hasattr(X, "columns"):
        return [(name, X.iloc[:, place]) for place, name in enumerate(X.columns)]
    if hasattr(X, "get_columns"):
        return [(column.name, column) for column in X.get_columns()]
    if hasattr(X, "column_names") and hasattr(X, "itercolumns"):
        return list(zip(X.column_names, X.itercolumns(), strict=True))
    return None


def _items(X: Any) -> list[Any]:
    return list(X.to_pylist() if hasattr(X, "to_pylist") else X.to_list())


def _array(column: Any) -> NDArray[Any]:
    return np.asarray(column.to_numpy() if hasattr(column, "to_numpy") else column)


def _values_of_array(X: NDArray[Any], name: str, expected: str) -> list[Any] | NDArray[Any]:
    if isinstance(X, np.ma.MaskedArray):
        # Masked values become None; `asarray` would return the values under the mask.
        X = np.array(X.tolist(), dtype=object)
    X = np.asarray(X)
    if X.ndim not in (1, 2):
        raise ValueError(
            f"{name} has shape {X.shape}; expected {expected}. Reshape your data to one text per row."
        )
    if X.ndim == 2 and X.shape[1] == 1 and X.dtype.kind not in "iufb":
        X = X[:, 0]
    return X if X.ndim == 2 else list(X.tolist())


def _by_arrow(X: Any, name: str) -> Any:
    try:
        import pyarrow as pa
    except ImportError as error:
        raise TypeError(
            f"{name} is a {type(X).__name__}, which only pyarrow can read; install it with: pip install pyarrow"
        ) from error
    # A stream of records has the type of a struct.
    values = pa.chunked_array(X)
    return pa.Table.from_struct_array(values) if pa.types.is_struct(values.type) else values
