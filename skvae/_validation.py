"""The only place that judges what a user hands over.

Everything here raises `TypeError` or `ValueError` with what was got, what was
expected and what to do; nothing downstream has to check again.
"""

from __future__ import annotations

import numbers
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from ._containers import column_name, is_one, unpack
from ._sklearn import stacklevel_of_user

FIRST_TOKEN_ID = 3
"""Ids below this one are reserved: 0 padding, 1 unknown, 2 document boundary."""

_GRADES_OF_A_SCALE = 11
_NO_LABELS = (list, tuple, set, frozenset, dict, np.ndarray)
_EXPECTED = "a 1-D collection of str (list, tuple, array, Series or a single column)"


def _is_missing(item: Any) -> bool:
    """Whether `item` is None, NaN, NaT or `pandas.NA` (which equals nothing, not even itself)."""
    if item is None or type(item).__name__ in {"NAType", "NaTType"}:
        return True
    return isinstance(item, numbers.Real) and bool(np.isnan(float(item)))


def check_documents(
    X: Any,
    *,
    name: str = "X",
    n_tokens: int | None = None,
    allow_empty: bool = False,
    fitted: Any = None,
    in_lists: bool = False,
    fitting: bool = False,
) -> list[Any] | NDArray[np.int32]:
    """Return `X` as texts or as token ids, whichever it holds; read once, so that an iterator will do.

    Parameters
    ----------
    X : 1-D collection of str of shape (n_samples,), or array of int of shape (n_samples, max_length)
        Any container: list, tuple, iterator, array, series, or frame of one column; or what
        `TextTokenizer.transform` returned, in any output format.
    name : str, default="X"
        How messages name the argument.
    n_tokens : int or None, default=None
        Number of known token ids; None accepts any that is not negative.
    allow_empty : bool, default=False
        Whether no texts at all are legal.
    fitted : estimator or None, default=None
        One that remembers the column that it was fitted on, to warn of another.
    in_lists : bool, default=False
        Whether rows of one `str` each are lists of one token, as those of `fitted` were, and not a column of texts.
    fitting : bool, default=False
        Whether a vocabulary is to be learned from `X`. Token ids must look more like those of the tokenizer then: no
        later call can tell that they are none.

    Returns
    -------
    documents : list of length n_samples, or ndarray of shape (n_samples, max_length), dtype int32
        A list holds texts (`str`) or, where each row is one, lists of tokens (lists of `str`).

    Raises
    ------
    TypeError
        If `X` is no collection, or a row holds something else than a `str`.
    ValueError
        If `X` is a bare string, has no or several columns, is empty, if a row is missing, or if it holds
        numbers that do not look like the output of `TextTokenizer.transform`.

    Warns
    -----
    UserWarning
        If `X` is a column of another name than that which the estimator was fitted on.
    """
    if fitted is not None:
        warn_if_renamed(X, fitted, name)
    in_lists = in_lists or getattr(fitted, "_from_lists", False)
    values, names = unpack(X, name, _EXPECTED)
    values = _matrix_of_numbers(values, names, name, in_lists)
    if isinstance(values, list):
        return _judge_texts(values, name, allow_empty)
    integers = _judge_integers(values, name, allow_empty)
    # First, so that numbers of another meaning are not called unknown ids.
    _check_like_tokenizer_output(integers, names, name, fitting)
    return _judge_ids(integers, name, n_tokens)


def check_texts(X: Any, *, name: str = "X", allow_empty: bool = False, in_lists: bool = False) -> list[Any]:
    """Return `X` as a list of `str` or of lists of tokens, or say which row is wrong.

    Parameters
    ----------
    X : 1-D collection of str of shape (n_samples,)
        Any container: list, tuple, iterator, array, series, or frame of one column.
    name : str, default="X"
        How messages name the argument.
    allow_empty : bool, default=False
        Whether a collection with no texts is legal.
    in_lists : bool, default=False
        Whether rows of one `str` each are lists of one token, and not a column of texts.

    Returns
    -------
    texts : list of length n_samples
        Texts (`str`) or, where each row is one, lists of tokens (lists of `str`).

    Raises
    ------
    TypeError
        If `X` is no collection, or a row holds something else than a `str`.
    ValueError
        If `X` is a bare string, has no or several columns, is empty, or a row is missing.
    """
    values, names = unpack(X, name, _EXPECTED)
    values = _matrix_of_numbers(values, names, name, in_lists)
    if isinstance(values, list):
        return _judge_texts(values, name, allow_empty)
    if values.dtype.kind not in "iufb":
        _judge_integers(values, name)
    raise ValueError(
        f"{name} is a matrix of numbers ({values.dtype}) of shape {values.shape}; expected {_EXPECTED}."
    )


def _judge_texts(items: list[Any], name: str, allow_empty: bool) -> list[Any]:
    if not items and not allow_empty:
        raise ValueError(f"Found array with 0 sample(s): {name} is empty while a minimum of 1 is required.")
    if all(type(item) is str for item in items) or all(type(item) is list for item in items):
        return items
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
        elif isinstance(item, (list, tuple, np.ndarray)) or isinstance(items[0], (list, tuple, np.ndarray)):
            raise _of_two_kinds(items, name)
        else:
            ids = (
                isinstance(item, numbers.Number)
                and " Token ids come as TextTokenizer.transform returns them."
            )
            raise TypeError(
                f"{name} has {type(item).__name__} in row {row} ({item!r:.60}); expected str.{ids or ''}"
            )
    return texts


def _of_two_kinds(items: list[Any], name: str) -> Exception:
    """The error of lists of tokens with something else among them."""
    listed = [isinstance(item, (list, tuple, np.ndarray)) for item in items]
    row = listed.index(True)
    if all(listed):
        return TypeError(f"{name} has {type(items[row]).__name__} in row {row}; expected str.")
    missing = next((place for place, item in enumerate(items) if _is_missing(item)), None)
    if missing is not None:
        return ValueError(
            f"{name} has a missing value ({items[missing]!r}) in row {missing}; expected lists of tokens. Drop such rows"
            " or fill them with []."
        )
    other = listed.index(False)
    return TypeError(
        f"{name} has {type(items[row]).__name__} in row {row}, but {type(items[other]).__name__} in row {other}"
        f" ({items[other]!r:.60}); expected texts (str) in all rows, or lists of tokens in all."
    )


def _matrix_of_numbers(
    values: list[Any] | NDArray[Any], names: list[Any] | None, name: str, in_lists: bool = False
) -> list[Any] | NDArray[Any]:
    """Items that may be texts, or a matrix, from what `unpack` found."""
    if not isinstance(values, list) or not values:
        return values
    if names is not None and all(isinstance(item, numbers.Real) for item in values):
        # A frame of one column is a matrix where a series is none.
        return np.array(values).reshape(-1, 1)
    if not all(isinstance(row, (list, tuple, np.ndarray)) for row in values):
        return values
    # What `np.array([[text], [text]]).tolist()` gives.
    if not in_lists and all(len(row) == 1 for row in values) and not isinstance(values[0][0], numbers.Number):
        return [row[0] for row in values]
    if any(isinstance(item, str) for row in values for item in row) or (
        in_lists and not any(len(row) for row in values)
    ):
        return _tokenised(values, name)
    if len({len(row) for row in values}) > 1:
        raise ValueError(
            f"{name} has rows of different lengths; expected {_EXPECTED}, or token ids padded as"
            " TextTokenizer.transform returns them."
        )
    return np.array(values)


def _tokenised(rows: list[Any], name: str) -> list[Any]:
    """Texts that come as lists of tokens; two columns of texts are no such thing."""
    for place, row in enumerate(rows):
        wrong = next((item for item in row if not isinstance(item, str) or len(item.split()) != 1), None)
        if isinstance(wrong, str):
            raise ValueError(
                f"{name} has several str in row {place}, with white space or nothing in one ({wrong!r:.60}); expected {_EXPECTED},"
                " or lists of tokens. Select the column of the texts."
            )
        if len(row) and not all(isinstance(item, str) for item in row):
            raise TypeError(
                f"{name} has {type(wrong).__name__} among the tokens of row {place} ({wrong!r:.60}); expected str."
            )
    return [list(map(str, row)) for row in rows]


def _judge_integers(values: NDArray[Any], name: str, allow_empty: bool = False) -> NDArray[np.integer]:
    """A matrix of integers, or what else there is instead."""
    if values.ndim != 2:
        raise ValueError(f"{name} has shape {values.shape}; expected {_EXPECTED}.")
    if allow_empty and not len(values):
        return np.zeros(values.shape, dtype=np.int32)
    if values.dtype.kind not in "iufb":
        items = values.ravel().tolist()
        if not all(isinstance(item, numbers.Real) or _is_missing(item) for item in items):
            raise ValueError(
                f"{name} has {values.shape[1]} columns (shape {values.shape}); expected {_EXPECTED}. Select the text"
                " column, or use a ColumnTransformer."
            )
        missing = next((place for place, item in enumerate(items) if _is_missing(item)), None)
        if missing is not None:
            raise ValueError(
                f"{name} has a missing value ({items[missing]!r}) in row {missing // values.shape[1]}; expected token ids"
                " as TextTokenizer.transform returns them, or texts."
            )
        values = np.array(items).reshape(values.shape)
    if not values.size:
        raise ValueError(
            f"Found array with {values.shape[0]} sample(s) and {values.shape[1]} feature(s) (shape {values.shape}):"
            f" {name} is empty while a minimum of 1 is required."
        )
    if values.dtype.kind == "f" and (np.floor(values) == values).all():
        raise TypeError(
            f"{name} holds whole numbers as floats ({values.dtype}); expected texts (str) or token ids (integers). If"
            f" they are ids of TextTokenizer.transform, cast them back: {name}.astype('int32')."
        )
    if values.dtype.kind not in "iu":
        raise TypeError(
            f"{name} holds numbers of dtype {values.dtype} (shape {values.shape}); expected texts (str), or token ids"
            " (integers) as TextTokenizer.transform returns them."
        )
    return values


def _judge_ids(values: NDArray[np.integer], name: str, n_tokens: int | None) -> NDArray[np.int32]:
    """A matrix of integers as token ids that are known."""
    if values.size and values.min() < 0:
        row = int(np.argwhere(values < 0)[0, 0])
        raise ValueError(f"{name} has a negative token id in row {row}; ids start at 0 (padding).")
    limit = np.iinfo(np.int32).max if n_tokens is None else n_tokens
    if values.size and values.max() >= limit:
        row = int(np.argwhere(values >= limit)[0, 0])
        raise ValueError(
            f"{name} has token id {values.max()} in row {row}, but only {limit} ids are known."
            " Use the tokenizer that the estimator was fitted with; if these numbers are no token ids, pass texts."
        )
    return np.asarray(values.astype(np.int32, copy=False))


def _check_like_tokenizer_output(
    ids: NDArray[np.integer], names: list[Any] | None, name: str, fitting: bool
) -> None:
    """Refuse integers that `TextTokenizer.transform` cannot have returned: they mean something else."""
    reason = _unlike_tokenizer_output(ids, names) or (fitting and _unlike_training_ids(ids, names))
    if reason:
        raise ValueError(
            f"{name} holds integers which are neither texts nor token ids of TextTokenizer.transform: {reason}. Pass"
            f" {_EXPECTED}, or what TextTokenizer.transform returned, whole and with nothing beside it."
        )


def _unlike_tokenizer_output(ids: NDArray[np.integer], names: list[Any] | None) -> str | None:
    if names is not None and not _are_numbered(names):
        return f"the columns ({', '.join(map(str, names))[:60]}) are not numbered from 0 on, as transform names them"
    if ids.size and ids.min() < 0:
        return f"row {int(np.argwhere(ids < 0)[0, 0])} holds a negative number"
    boundary = FIRST_TOKEN_ID - 1
    if (ids == boundary).any():
        row = int(np.argwhere(ids == boundary)[0, 0])
        return f"row {row} holds {boundary}, which is reserved and never comes out of it"
    known = ids != 0
    filled = known.any(axis=1)
    first = known.argmax(axis=1)
    last = ids.shape[1] - 1 - known[:, ::-1].argmax(axis=1)
    holes = filled & (known.sum(axis=1) != last - first + 1)
    if holes.any():
        return f"row {int(holes.argmax())} has a 0 (padding) amid other numbers"
    pre, post = filled & (first > 0), filled & (last < ids.shape[1] - 1)
    if pre.any() and post.any():
        return f"row {int(pre.argmax())} has its padding (0) at the beginning and row {int(post.argmax())} at the end"
    return None


def _unlike_training_ids(ids: NDArray[np.integer], names: list[Any] | None) -> str | None:
    # Named as `transform` names its columns, they are its output.
    if names is not None and isinstance(names[0], str):
        return None
    if ids.shape[1] == 1:
        return "one column without a name may be numbers of any kind"
    # The most frequent word or character has this id; of subwords and given vocabularies it may be any, but
    # texts hold more distinct tokens than a scale has grades. What has reserved ids only gets an error of its own.
    few = len(np.unique(ids)) <= _GRADES_OF_A_SCALE
    if few and (ids > FIRST_TOKEN_ID).any() and not (ids == FIRST_TOKEN_ID).any():
        return (
            f"{len(np.unique(ids))} distinct numbers without {FIRST_TOKEN_ID}, the id of the first token, look like grades or"
            " counts"
        )
    return None


def _are_numbered(names: list[Any]) -> bool:
    """Whether the columns are 0, 1, 2, ... or a common name with these numbers."""
    if all(isinstance(column, numbers.Integral) for column in names):
        return names == list(range(len(names)))
    if not all(isinstance(column, str) for column in names):
        return False
    common = names[0].removesuffix("0")
    return names == [f"{common}{place}" for place in range(len(names))]


def warn_if_renamed(X: Any, fitted: Any, name: str = "X") -> None:
    """Warn where `X` is a column of another name than that which the estimator was fitted on."""
    before, now = getattr(fitted, "_column_name", None), column_name(X)
    # Texts without a name are the rule, even after fitting on a column.
    if before is None or now is None or now == before:
        return
    warnings.warn(
        f"The feature names should match those that were passed during fit ({name} is a column of another name).\n"
        f"Feature names unseen at fit time:\n- {now}\n"
        f"Feature names seen at fit time, yet now missing:\n- {before}\n",
        UserWarning,
        stacklevel=stacklevel_of_user(),
    )


def check_token_matrix(X: Any, *, n_tokens: int | None = None, name: str = "X") -> NDArray[np.int32]:
    """Return the id matrix `X` as int32, refusing negative ids and ids no fitted table knows.

    Parameters
    ----------
    X : array-like of int of shape (n_samples, max_length)
        Token ids, 0 = padding; any container.
    n_tokens : int or None, default=None
        Number of known ids; None accepts any that is not negative.
    name : str, default="X"
        How messages name the argument.

    Returns
    -------
    ids : ndarray of shape (n_samples, max_length), dtype int32
    """
    expected = (
        "token ids (integers) of shape (n_samples, max_length), as TextTokenizer.transform returns them"
    )
    values, names = unpack(X, name, expected)
    values = _matrix_of_numbers(values, names, name)
    if isinstance(values, list):
        one = all(isinstance(item, numbers.Real) for item in values)
        raise TypeError(
            f"{name} is no matrix of numbers; expected {expected}."
            + (" Wrap the ids of one document in a list: [ids]." if one and values else "")
        )
    return _judge_ids(_judge_integers(values, name), name, n_tokens)


def check_latents(Z: Any, n_components: int, *, name: str = "X") -> NDArray[np.float32]:
    """Return the latent vectors `Z` as finite float32 of the right width.

    Parameters
    ----------
    Z : array-like of float of shape (n_samples, n_components)
        Latent vectors, as `transform` returns them; any container.
    n_components : int
        The width that the estimator was fitted with.
    name : str, default="X"
        How messages name the argument.

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
        array = np.array([np.nan if _is_missing(item) else item for item in items], dtype=object)
        array = array.reshape(np.shape(values) if names is None else (len(values), -1))
    latents = check_array(array, dtype=np.float32, ensure_min_samples=1, input_name=name)
    if latents.shape[1] != n_components:
        raise ValueError(
            f"{name} has {latents.shape[1]} columns; expected latents of {n_components} components."
            " Pass what transform returned."
        )
    return np.asarray(latents)


def check_labels(
    y: Any, n_samples: int, *, unlabeled: Any = None, name: str = "y", allow_unlabeled: bool = False
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
    allow_unlabeled : bool, default=False
        Whether there may be no label at all.

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
    array, listed = _labels_array(y, name)
    array = column_or_1d(array, warn=True)
    if len(array) != n_samples:
        raise ValueError(
            f"{name} has {len(array)} labels for {n_samples} texts; expected one label a text"
            " (inconsistent numbers of samples)."
        )
    labelled = np.ones(len(array), dtype=bool)
    if unlabeled is not None:
        labelled = np.array([not _marks(label, unlabeled) for label in array])
        if not labelled.any() and allow_unlabeled:
            return labelled, array[labelled]
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


def _labels_array(y: Any, name: str) -> tuple[NDArray[Any], bool]:
    """Labels of one dimension or one column, and whether they are Python objects rather than of a NumPy type."""
    expected = "one class for each text, in a 1d array or one column"
    if isinstance(y, np.ndarray):
        if y.ndim not in (1, 2) or (y.ndim == 2 and y.shape[1] != 1):
            raise ValueError(f"{name} has shape {y.shape}; expected {expected}.")
        # Of NumPy's StringDType ("T") not even `unique` and `isnan` know what to make.
        return (y.astype(object) if y.dtype.kind == "T" else y), False
    values, names = unpack(y, name, expected)
    if isinstance(values, np.ndarray):
        raise ValueError(f"{name} has shape {values.shape}; expected {expected}.")
    rows = [isinstance(item, _NO_LABELS) for item in values]
    in_rows = bool(rows) and all(rows)
    if in_rows and all(isinstance(row, (list, tuple, np.ndarray)) and len(row) == 1 for row in values):
        values = [row[0] for row in values]
        rows = [isinstance(item, _NO_LABELS) for item in values]
    if any(rows):
        row = rows.index(True)
        raise ValueError(f"{name} has {type(values[row]).__name__} in row {row}; expected {expected}.")
    # As objects, because asarray would make text of numbers and of missing values among texts.
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return (array[:, None] if in_rows or names is not None else array), True


def _marks(label: Any, marker: Any) -> bool:
    if _is_missing(marker):
        return _is_missing(label)
    if _is_missing(label):
        # `pandas.NA` does not even say whether it equals something.
        return False
    # False equals 0, and -1 equals -1.0: a bool marks only bools.
    return isinstance(label, (bool, np.bool_)) == isinstance(marker, (bool, np.bool_)) and bool(
        label == marker
    )


def check_sample_weight(
    sample_weight: Any, n_samples: int, *, allow_zeros: bool = False
) -> NDArray[np.float64]:
    """Return one finite weight a document, not negative, as an array of its own.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,) or None
        None means 1.
    n_samples : int
    allow_zeros : bool, default=False
        Whether all may be 0.

    Returns
    -------
    weights : ndarray of shape (n_samples,), dtype float64
    """
    if sample_weight is None:
        return np.ones(n_samples)
    if is_one(sample_weight):
        raise ValueError(
            f"sample_weight is {sample_weight!r:.60}; expected one number a text, or None for equal weights."
        )
    if not isinstance(sample_weight, np.ndarray):
        sample_weight, _ = unpack(sample_weight, "sample_weight", "one number a text")
    try:
        array = np.asarray(sample_weight)
    except ValueError as error:
        raise ValueError(
            "sample_weight has rows of different lengths; expected one number a text."
        ) from error
    if array.dtype.kind not in "iufb":
        items = array.ravel().tolist()
        if any(isinstance(weight, str) for weight in items):
            raise ValueError(
                "sample_weight holds texts; expected one number a text. Pass texts without labels by name:"
                " X_unlabeled=texts."
            )
        array = np.array(
            [np.nan if _is_missing(weight) else weight for weight in items], dtype=object
        ).reshape(array.shape)
    weights = check_array(array, ensure_2d=False, dtype=np.float64, input_name="sample_weight", copy=True)
    if weights.shape != (n_samples,):
        raise ValueError(
            f"sample_weight.shape == {weights.shape}, expected {(n_samples,)}: one weight a text."
        )
    if weights.min() < 0:
        raise ValueError(f"sample_weight has a negative value in row {int(weights.argmin())}.")
    if weights.max() == 0 and not allow_zeros:
        raise ValueError("sample_weight is zero for every text; at least one must count.")
    return np.asarray(weights)


def resolve_threshold(value: float, n_samples: int) -> float:
    """An absolute document count from an int (as it is) or a float (a share of `n_samples`)."""
    return float(value) if isinstance(value, numbers.Integral) else float(value) * n_samples
