"""The only module that validates documents passed by users.

All functions raise `TypeError` or `ValueError` that say what was got, what was
expected and what to do. No other code needs to check again.
"""

from __future__ import annotations

import numbers
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._base.stacklevel import stacklevel_of_user
from .containers import column_name, unpack
from .ids import FIRST_TOKEN_ID

_GRADES_OF_A_SCALE = 11


_EXPECTED = "a 1-D collection of str (list, tuple, array, Series or a single column)"


def is_missing(item: Any) -> bool:
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
    """Return `X` as texts or as token ids, whichever it contains; it is read once, so it may be an iterator.

    Parameters
    ----------
    X : 1-D collection of str of shape (n_samples,), or array of int of shape (n_samples, max_length)
        Any container: list, tuple, iterator, array, series, or frame of one column; or the output of
        `TextTokenizer.transform`, in any format.
    name : str, default="X"
        Name of the argument in messages.
    n_tokens : int or None, default=None
        Number of known token ids; None accepts all non-negative ids.
    allow_empty : bool, default=False
        Whether `X` may be empty.
    fitted : estimator or None, default=None
        A fitted estimator; a warning is raised if the column name of `X` differs from that in its `fit`.
    in_lists : bool, default=False
        Whether rows of one `str` each are lists of one token, as in the fit of `fitted`, and not a column of texts.
    fitting : bool, default=False
        Whether a vocabulary is to be learned from `X`. Token ids are then checked more strictly, since no
        later call can detect other numbers.

    Returns
    -------
    documents : list of length n_samples, or ndarray of shape (n_samples, max_length), dtype int32
        A list of texts (`str`) or of lists of tokens (lists of `str`).

    Raises
    ------
    TypeError
        If `X` is not a collection, or a row is not a `str`.
    ValueError
        If `X` is a bare string, has no or several columns, is empty, if a row is missing, or if it contains
        numbers that do not look like the output of `TextTokenizer.transform`.

    Warns
    -----
    UserWarning
        If the column name of `X` differs from that in the fit of the estimator.
    """
    if fitted is not None:
        warn_if_renamed(X, fitted, name)
    in_lists = in_lists or getattr(fitted, "_from_lists", False)
    values, names = unpack(X, name, _EXPECTED)
    values = _matrix_of_numbers(values, names, name, in_lists)
    if isinstance(values, list):
        return _judge_texts(values, name, allow_empty)
    integers = _judge_integers(values, name, allow_empty)
    # Checked first, so that other numbers are not reported as unknown ids.
    _check_like_tokenizer_output(integers, names, name, fitting)
    return _judge_ids(integers, name, n_tokens)


def read_documents(X: Any, **options: Any) -> tuple[list[Any] | NDArray[np.int32], str | None]:
    """The result of `check_documents`, and the column name of `X`, which the estimator stores.

    The name is read first, since `check_documents` exhausts iterators.
    """
    column = column_name(X)
    return check_documents(X, **options), column


def read_texts(X: Any) -> tuple[list[Any], str | None]:
    """The result of `check_texts`, and the column name of `X`."""
    column = column_name(X)
    return check_texts(X), column


def check_texts(X: Any, *, name: str = "X", allow_empty: bool = False, in_lists: bool = False) -> list[Any]:
    """Return `X` as a list of `str` or of lists of tokens; errors name the invalid row.

    Parameters
    ----------
    X : 1-D collection of str of shape (n_samples,)
        Any container: list, tuple, iterator, array, series, or frame of one column.
    name : str, default="X"
        Name of the argument in messages.
    allow_empty : bool, default=False
        Whether `X` may be empty.
    in_lists : bool, default=False
        Whether rows of one `str` each are lists of one token, and not a column of texts.

    Returns
    -------
    texts : list of length n_samples
        Texts (`str`) or lists of tokens (lists of `str`).

    Raises
    ------
    TypeError
        If `X` is not a collection, or a row is not a `str`.
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
            # Converted, since the methods of np.str_ return np.str_ and plain str is faster.
            texts.append(str(item))
        elif is_missing(item):
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
    """The error for lists of tokens mixed with other types."""
    listed = [isinstance(item, (list, tuple, np.ndarray)) for item in items]
    row = listed.index(True)
    if all(listed):
        return TypeError(f"{name} has {type(items[row]).__name__} in row {row}; expected str.")
    missing = next((place for place, item in enumerate(items) if is_missing(item)), None)
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
    """Items that may be texts, or a matrix, from the values that `unpack` returned."""
    if not isinstance(values, list) or not values:
        return values
    if names is not None and all(isinstance(item, numbers.Real) for item in values):
        # A frame of one column is a matrix; a series is not.
        return np.array(values).reshape(-1, 1)
    if not all(isinstance(row, (list, tuple, np.ndarray)) for row in values):
        return values
    # The form of `np.array([[text], [text]]).tolist()`.
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
    """Texts that are lists of tokens; two columns of texts are refused."""
    for place, row in enumerate(rows):
        wrong = next((item for item in row if not isinstance(item, str) or len(item.split()) != 1), None)
        if isinstance(wrong, str):
            raise ValueError(
                f"{name} has several str in row {place}, one of them empty or with white space ({wrong!r:.60}); expected {_EXPECTED},"
                " or lists of tokens. Select the column of the texts."
            )
        if len(row) and not all(isinstance(item, str) for item in row):
            raise TypeError(
                f"{name} has {type(wrong).__name__} among the tokens of row {place} ({wrong!r:.60}); expected str."
            )
    return [list(map(str, row)) for row in rows]


def _judge_integers(values: NDArray[Any], name: str, allow_empty: bool = False) -> NDArray[np.integer]:
    """A matrix of integers; other matrices raise an error."""
    if values.ndim != 2:
        raise ValueError(f"{name} has shape {values.shape}; expected {_EXPECTED}.")
    if allow_empty and not len(values):
        return np.zeros(values.shape, dtype=np.int32)
    if values.dtype.kind not in "iufb":
        items = values.ravel().tolist()
        if not all(isinstance(item, numbers.Real) or is_missing(item) for item in items):
            raise ValueError(
                f"{name} has {values.shape[1]} columns (shape {values.shape}); expected {_EXPECTED}. Select the text"
                " column, or use a ColumnTransformer."
            )
        missing = next((place for place, item in enumerate(items) if is_missing(item)), None)
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
    """A matrix of integers as known token ids."""
    if values.size and values.min() < 0:
        row = int(np.argwhere(values < 0)[0, 0])
        raise ValueError(f"{name} has a negative token id in row {row}; ids start at 0 (padding).")
    limit = np.iinfo(np.int32).max if n_tokens is None else n_tokens
    if values.size and values.max() >= limit:
        row = int(np.argwhere(values >= limit)[0, 0])
        raise ValueError(
            f"{name} has token id {values.max()} in row {row}, but only {limit} ids are known."
            " Use the tokenizer that the estimator was fitted with; if these numbers are not token ids, pass texts."
        )
    return np.asarray(values.astype(np.int32, copy=False))


def _check_like_tokenizer_output(
    ids: NDArray[np.integer], names: list[Any] | None, name: str, fitting: bool
) -> None:
    """Refuse integers that `TextTokenizer.transform` cannot have returned."""
    reason = _unlike_tokenizer_output(ids, names) or (fitting and _unlike_training_ids(ids, names))
    if reason:
        raise ValueError(
            f"{name} holds integers which are neither texts nor token ids of TextTokenizer.transform: {reason}. Pass"
            f" {_EXPECTED}, or the whole output of TextTokenizer.transform without other columns."
        )


def _unlike_tokenizer_output(ids: NDArray[np.integer], names: list[Any] | None) -> str | None:
    if names is not None and not _are_numbered(names):
        return f"the columns ({', '.join(map(str, names))[:60]}) are not numbered from 0 on, as transform names them"
    if ids.size and ids.min() < 0:
        return f"row {int(np.argwhere(ids < 0)[0, 0])} holds a negative number"
    boundary = FIRST_TOKEN_ID - 1
    if (ids == boundary).any():
        row = int(np.argwhere(ids == boundary)[0, 0])
        return f"row {row} holds {boundary}, which is reserved and never in its output"
    known = ids != 0
    filled = known.any(axis=1)
    first = known.argmax(axis=1)
    last = ids.shape[1] - 1 - known[:, ::-1].argmax(axis=1)
    holes = filled & (known.sum(axis=1) != last - first + 1)
    if holes.any():
        return f"row {int(holes.argmax())} has a 0 (padding) between other numbers"
    pre, post = filled & (first > 0), filled & (last < ids.shape[1] - 1)
    if pre.any() and post.any():
        return f"row {int(pre.argmax())} has its padding (0) at the beginning and row {int(post.argmax())} at the end"
    return None


def _unlike_training_ids(ids: NDArray[np.integer], names: list[Any] | None) -> str | None:
    # Columns with the names that `transform` gives are its output.
    if names is not None and isinstance(names[0], str):
        return None
    if ids.shape[1] == 1:
        return "one column without a name may be numbers of any kind"
    # The most frequent word or character has this id. Subwords and given vocabularies may lack it, but
    # texts have more distinct tokens than a scale has grades. Reserved ids alone raise another error.
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


def hold_lists(documents: list[Any] | NDArray[np.int32]) -> bool:
    """Whether these validated documents are lists of tokens."""
    return isinstance(documents, list) and bool(documents) and isinstance(documents[0], list)


def joined(
    X: list[Any] | NDArray[np.int32], X_unlabeled: Any, n_tokens: int | None = None
) -> list[Any] | NDArray[np.int32]:
    """Validated documents, followed by others that are validated here."""
    in_lists = hold_lists(X)
    unlabeled = check_documents(
        X_unlabeled, name="X_unlabeled", allow_empty=True, in_lists=in_lists, n_tokens=n_tokens
    )
    if not len(unlabeled):
        return X
    if isinstance(X, list) and isinstance(unlabeled, list) and hold_lists(unlabeled) != in_lists:
        kinds = ("texts", "lists of tokens") if in_lists else ("lists of tokens", "texts")
        raise ValueError(
            f"X_unlabeled holds {kinds[0]}, but X holds {kinds[1]}; pass the same kind for both."
        )
    if isinstance(X, list) and isinstance(unlabeled, list):
        return X + unlabeled
    if isinstance(X, list):
        raise ValueError("X_unlabeled holds token ids, but X holds texts; pass the same kind for both.")
    if isinstance(unlabeled, list):
        raise ValueError(
            "X_unlabeled holds texts, but X holds token ids; pass the output of transform of the same TextTokenizer."
        )
    width = max(X.shape[1], unlabeled.shape[1])
    return np.vstack([np.pad(each, ((0, 0), (0, width - each.shape[1]))) for each in (X, unlabeled)])


def check_enough_tokens(matrix: NDArray[np.int32]) -> None:
    """Refuse to fit on a matrix of reserved token ids only."""
    if matrix.max(initial=0) < FIRST_TOKEN_ID:
        raise ValueError(
            f"X holds no token id of {FIRST_TOKEN_ID} or more; ids 0, 1 and 2 are reserved (padding, unknown,"
            " boundary). Pass the output of TextTokenizer.transform."
        )


def warn_if_renamed(X: Any, fitted: Any, name: str = "X") -> None:
    """Warn if the column name of `X` differs from that in the fit of the estimator."""
    before, now = getattr(fitted, "_column_name", None), column_name(X)
    # Texts without a name are usual, even after fitting on a column.
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
    """Return the id matrix `X` as int32; refuse negative and unknown ids.

    Parameters
    ----------
    X : array-like of int of shape (n_samples, max_length)
        Token ids, 0 = padding; any container.
    n_tokens : int or None, default=None
        Number of known ids; None accepts all non-negative ids.
    name : str, default="X"
        Name of the argument in messages.

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
            f"{name} is not a matrix of numbers; expected {expected}."
            + (" Wrap the ids of one document in a list: [ids]." if one and values else "")
        )
    return _judge_ids(_judge_integers(values, name), name, n_tokens)


def resolve_threshold(value: float, n_samples: int) -> float:
    """An absolute document count from an int (unchanged) or a float (a share of `n_samples`)."""
    return float(value) if isinstance(value, numbers.Integral) else float(value) * n_samples
