"""The only place that judges what a user hands over.

Everything here raises `TypeError` or `ValueError` with what was got, what was
expected and what to do; nothing downstream has to check again.
"""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

FIRST_TOKEN_ID = 3
"""Ids below this one are reserved: 0 padding, 1 unknown, 2 document boundary."""

_EXPECTED = "a 1-D collection of str (list, tuple, array, Series or a single column)"


def _as_sequence(X: Any, name: str) -> Sequence[Any]:
    """The items of `X` in order, without looking at their types yet."""
    if isinstance(X, (str, bytes)):
        raise ValueError(
            f"{name} is a single {type(X).__name__}; expected {_EXPECTED}. Wrap one text in a list: [text]."
        )
    if X is None:
        raise ValueError(f"{name} is None; expected {_EXPECTED}.")
    if isinstance(X, dict):
        raise TypeError(f"{name} is a dict; expected {_EXPECTED}.")
    if hasattr(X, "columns") and hasattr(X, "shape") and len(X.shape) == 2:
        if X.shape[1] != 1:
            raise ValueError(
                f"{name} is a data frame with {X.shape[1]} columns; expected {_EXPECTED}."
                " Select the text column, or use a ColumnTransformer."
            )
        # iloc is pandas (whose column names may repeat); polars selects by position with [].
        X = X.iloc[:, 0] if hasattr(X, "iloc") else X[:, 0]
    if hasattr(X, "to_list"):
        items: Sequence[Any] = X.to_list()
        return items
    if isinstance(X, (list, tuple)):
        # A list of one-text lists is what `np.array([[text], [text]]).tolist()` gives.
        if len(X) and all(isinstance(item, (list, tuple, np.ndarray)) for item in X):
            X = np.asarray(X, dtype=object)
        else:
            return X
    if hasattr(X, "toarray"):
        raise TypeError(f"{name} is a sparse matrix; expected {_EXPECTED}.")
    if isinstance(X, np.ndarray):
        if X.ndim == 2 and X.shape[1] == 1:
            X = X[:, 0]
        if X.ndim != 1:
            raise ValueError(
                f"{name} has shape {X.shape}; expected {_EXPECTED}. Reshape your data to one text a row."
            )
        return list(X)
    if isinstance(X, Iterable):
        return list(X)
    raise TypeError(f"{name} is a {type(X).__name__}; expected {_EXPECTED}.")


def _is_missing(item: Any) -> bool:
    """Whether `item` is None, NaN, NaT or `pandas.NA` (which equals nothing, not even itself)."""
    if item is None or type(item).__name__ in {"NAType", "NaTType"}:
        return True
    return isinstance(item, numbers.Real) and bool(np.isnan(float(item)))


def check_texts(X: Any, *, name: str = "X", allow_empty: bool = False) -> list[str]:
    """Return `X` as a list of `str`, or say which row is wrong.

    Parameters
    ----------
    X : 1-D collection of str of shape (n_samples,)
        List, tuple, array, pandas or polars Series, or a single column.
    name : str, default="X"
        How messages name the argument.
    allow_empty : bool, default=False
        Whether a collection with no texts is legal.

    Returns
    -------
    texts : list of str of length n_samples

    Raises
    ------
    TypeError
        If `X` is no collection, or a row holds something else than a `str`.
    ValueError
        If `X` is a bare string, has no or several columns, is empty, or a row is missing.
    """
    items = _as_sequence(X, name)
    if not len(items) and not allow_empty:
        raise ValueError(f"Found array with 0 sample(s): {name} is empty while a minimum of 1 is required.")
    if all(type(item) is str for item in items):
        return list(items)
    texts = []
    for row, item in enumerate(items):
        if isinstance(item, str):
            # np.str_ is a str whose methods give np.str_ back; plain str is faster.
            texts.append(str(item))
        elif _is_missing(item):
            raise ValueError(
                f"{name} has a missing value ({item!r}) in row {row}; expected str. Drop such rows or fill them with ''."
            )
        elif isinstance(item, bytes):
            raise TypeError(f"{name} has bytes in row {row}; expected str. Decode it: x.decode('utf-8').")
        else:
            raise TypeError(f"{name} has a {type(item).__name__} in row {row} ({item!r:.60}); expected str.")
    return texts


def is_token_matrix(X: Any) -> bool:
    """Whether `X` is what `TextTokenizer.transform` returns: a 2-D integer array or frame."""
    if isinstance(X, (str, bytes)) or hasattr(X, "toarray"):
        return False
    if hasattr(X, "columns") and hasattr(X, "dtypes"):
        kinds = {np.dtype(kind).kind if _is_numpy_dtype(kind) else str(kind) for kind in X.dtypes}
        return bool(kinds) and all(kind in {"i", "u"} or kind.startswith(("Int", "UInt")) for kind in kinds)
    if isinstance(X, np.ndarray):
        return X.ndim == 2 and X.dtype.kind in "iu"
    return (
        isinstance(X, (list, tuple))
        and len(X) > 0
        and isinstance(X[0], (list, tuple, np.ndarray))
        and len(X[0]) > 0
        and isinstance(X[0][0], numbers.Integral)
    )


def _is_numpy_dtype(kind: Any) -> bool:
    try:
        np.dtype(kind)
    except TypeError:
        return False
    return True


def check_token_matrix(X: Any, *, n_tokens: int | None = None, name: str = "X") -> NDArray[np.int32]:
    """Return the id matrix `X` as int32, refusing negative ids and ids no fitted table knows.

    Parameters
    ----------
    X : array-like of int of shape (n_samples, max_length)
        Token ids, 0 = padding.
    n_tokens : int or None, default=None
        Number of known ids; None accepts any that is not negative.
    name : str, default="X"
        How messages name the argument.

    Returns
    -------
    ids : ndarray of shape (n_samples, max_length), dtype int32
    """
    if hasattr(X, "dtypes") and hasattr(X, "to_numpy"):
        # Frames of nullable integers would become floats.
        X = X.to_numpy(dtype=np.int64)
    array = check_array(X, dtype=None, ensure_min_features=1, input_name=name)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} has dtype {array.dtype}; expected token ids (integers) or texts (str).")
    if array.size and array.min() < 0:
        row = int(np.argwhere(array < 0)[0, 0])
        raise ValueError(f"{name} has a negative token id in row {row}; ids start at 0 (padding).")
    limit = np.iinfo(np.int32).max if n_tokens is None else n_tokens
    if array.size and array.max() >= limit:
        row = int(np.argwhere(array >= limit)[0, 0])
        raise ValueError(
            f"{name} has token id {array.max()} in row {row}, but only {limit} ids are known."
            " Use the tokenizer that the estimator was fitted with."
        )
    return np.asarray(array.astype(np.int32, copy=False))


def check_latents(Z: Any, n_components: int, *, name: str = "X") -> NDArray[np.float32]:
    """Return the latent vectors `Z` as finite float32 of the right width.

    Parameters
    ----------
    Z : array-like of float of shape (n_samples, n_components)
        Latent vectors, as `transform` returns them.
    n_components : int
        The width that the estimator was fitted with.
    name : str, default="X"
        How messages name the argument.

    Returns
    -------
    latents : ndarray of shape (n_samples, n_components), dtype float32
    """
    if hasattr(Z, "to_numpy"):
        Z = Z.to_numpy()
    if any(isinstance(value, str) for value in np.asarray(Z, dtype=object).ravel()[:1]):
        raise ValueError(
            f"{name} holds texts; expected latent vectors of {n_components} components. Call transform first."
        )
    latents = check_array(Z, dtype=np.float32, ensure_min_samples=1, input_name=name)
    if latents.shape[1] != n_components:
        raise ValueError(
            f"{name} has {latents.shape[1]} columns; expected latents of {n_components} components."
            " Pass what transform returned."
        )
    return np.asarray(latents)


def check_labels(
    y: Any, n_samples: int, *, unlabeled: Any = None, name: str = "y"
) -> tuple[NDArray[np.bool_], NDArray[Any]]:
    """Return which texts have a label, and these labels, refusing missing ones and targets that are no classes.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Class labels of any type that sorts: int, bool, str.
    n_samples : int
        How many there must be.
    unlabeled : object, default=None
        What marks a text without a label: NaN means any missing value, None means nothing does.
    name : str, default="y"
        How messages name the argument.

    Returns
    -------
    labelled : ndarray of shape (n_samples,), dtype bool
    labels : ndarray of shape (n_labelled,)

    Raises
    ------
    ValueError
        If labels are missing, NaN, continuous or of another number than the texts, or none is left.
    TypeError
        If labels are bytes.
    """
    if y is None:
        raise ValueError(
            "this estimator requires y to be passed, but the target y is None; pass the class of each text."
        )
    items = y.to_list() if hasattr(y, "to_list") else y
    listed = isinstance(items, (list, tuple)) and not any(isinstance(item, (list, tuple)) for item in items)
    if listed:
        # As objects, because asarray would make text of numbers and of missing values among texts.
        array = np.empty(len(items), dtype=object)
        array[:] = items
    else:
        array = np.asarray(items)
    array = column_or_1d(array, warn=True)
    if len(array) != n_samples:
        raise ValueError(
            f"{name} has {len(array)} labels for {n_samples} texts; expected one label a text"
            " (inconsistent numbers of samples)."
        )
    labelled = np.ones(len(array), dtype=bool)
    if unlabeled is not None:
        labelled = np.array([not _marks(label, unlabeled) for label in array])
        if not labelled.any():
            raise ValueError(f"every {name} equals unlabeled_label={unlabeled!r}; no text has a label.")
    for row in np.flatnonzero(labelled):
        if _is_missing(array[row]):
            raise ValueError(
                f"{name} contains a missing value ({array[row]!r}, as NaN) in row {row}; expected class labels."
                " Drop such rows, or set unlabeled_label=float('nan')."
            )
    labels = array[labelled]
    if labels.dtype == object:
        kinds = {str if isinstance(label, str) else type(label) for label in labels}
        if str in kinds and len(kinds) > 1:
            names = sorted(kind.__name__ for kind in kinds)
            raise ValueError(f"{name} mixes labels of the types {', '.join(names)}; expected one type.")
        if listed or str not in kinds:
            labels = np.array(labels.tolist())
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise ValueError(f"{name} contains infinity; expected class labels.")
    if labels.dtype.kind == "S":
        raise TypeError(
            f"{name} holds bytes ({labels[0]!r}); expected labels that are str or numbers. Decode them first."
        )
    # scikit-learn casts floats of any size to int to see whether they are whole.
    with np.errstate(invalid="ignore"):
        check_classification_targets(labels)
    return labelled, labels


def _marks(label: Any, marker: Any) -> bool:
    if _is_missing(marker):
        return _is_missing(label)
    # False equals 0, and -1 equals -1.0: a bool marks only bools.
    return isinstance(label, (bool, np.bool_)) == isinstance(marker, (bool, np.bool_)) and bool(
        label == marker
    )


def check_sample_weight(sample_weight: Any, n_samples: int) -> NDArray[np.float64]:
    """Return one finite weight a document, not negative, as an array of its own.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,) or None
        None means 1.
    n_samples : int

    Returns
    -------
    weights : ndarray of shape (n_samples,), dtype float64
    """
    if sample_weight is None:
        return np.ones(n_samples)
    if any(isinstance(weight, str) for weight in np.asarray(sample_weight, dtype=object).ravel()[:1]):
        raise ValueError(
            "sample_weight holds texts; expected one number a text. Pass texts without labels by name: X_unlabeled=texts."
        )
    weights = check_array(
        sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight", copy=True
    )
    if weights.shape != (n_samples,):
        raise ValueError(
            f"sample_weight.shape == {weights.shape}, expected {(n_samples,)}: one weight a text."
        )
    if weights.min() < 0:
        raise ValueError(f"sample_weight has a negative value in row {int(weights.argmin())}.")
    if weights.max() == 0:
        raise ValueError("sample_weight is zero for every text; at least one must count.")
    return np.asarray(weights)


def resolve_threshold(value: float, n_samples: int) -> float:
    """An absolute document count from an int (as it is) or a float (a share of `n_samples`)."""
    return float(value) if isinstance(value, numbers.Integral) else float(value) * n_samples
