"""Validates labels and weights, and converts labels to class indices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets

from .._texts.containers import is_one, unpack
from .._texts.validation import check_documents, hold_lists, is_missing

_NO_LABELS = (list, tuple, set, frozenset, dict, np.ndarray)


def check_labels(
    y: Any,
    n_samples: int,
    *,
    unlabeled: Any = None,
    name: str = "y",
    allow_unlabeled: bool = False,
    for_fit: bool = False,
) -> tuple[NDArray[np.bool_], NDArray[Any]]:
    """Return which texts have a label, and these labels; refuse missing labels and targets that are not classes.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Class labels of any sortable type: int, bool, str.
    n_samples : int
        The required number of labels.
    unlabeled : object, default=None
        Marker of texts without a label: NaN means any missing value, None means no marker.
    name : str, default="y"
        Name of the argument in messages.
    allow_unlabeled : bool, default=False
        Whether all labels may be absent.
    for_fit : bool, default=False
        Whether they are all that a classifier learns from: scikit-learn then warns if they look like those of a regression.

    Returns
    -------
    labelled : ndarray of shape (n_samples,), dtype bool
    labels : ndarray of shape (n_labelled,)

    Raises
    ------
    ValueError
        If labels are missing, NaN or continuous, if their number differs from that of the texts, or if none is left.
    TypeError
        If labels are bytes.
    """
    if y is None:
        raise ValueError(
            "this estimator requires y to be passed, but the target y is None; pass the class of each text."
        )
    array, listed = labels_array(y, name)
    array = column_or_1d(array, warn=True)
    if len(array) != n_samples:
        raise ValueError(
            f"{name} has {len(array)} labels for {n_samples} texts; expected one label per text"
            " (inconsistent numbers of samples)."
        )
    labelled = np.ones(len(array), dtype=bool)
    if unlabeled is not None:
        labelled = np.array([not _marks(label, unlabeled) for label in array])
        if labelled.all():
            _refuse_marker_of_other_type(array, unlabeled, name)
        if not labelled.any() and allow_unlabeled:
            return labelled, array[labelled]
        if not labelled.any():
            raise ValueError(f"every {name} equals unlabeled_label={unlabeled!r}; no text has a label.")
    for row in np.flatnonzero(labelled):
        if is_missing(array[row]):
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
    # To test whether floats are whole, scikit-learn casts floats of any size to int.
    with np.errstate(invalid="ignore"):
        # The warning goes by the share of distinct labels, which says nothing of those of a batch, or of a list of classes.
        check_classification_targets(labels if for_fit else np.tile(labels, 3))
    return labelled, labels


def labels_array(y: Any, name: str) -> tuple[NDArray[Any], bool]:
    """Labels of one dimension or one column, and whether they are Python objects rather than a NumPy type."""
    expected = "one class for each text, in a 1d array or one column"
    # `unpack` makes masked values None; here they would be those under the mask.
    if isinstance(y, np.ndarray) and not isinstance(y, np.ma.MaskedArray):
        if y.ndim not in (1, 2) or (y.ndim == 2 and y.shape[1] != 1):
            raise ValueError(f"{name} has shape {y.shape}; expected {expected}.")
        # `unique` and `isnan` do not support NumPy's StringDType ("T").
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
    # As objects, since asarray would convert numbers and missing values among texts to text.
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return (array[:, None] if in_rows or names is not None else array), True


def _marks(label: Any, marker: Any) -> bool:
    if is_missing(marker):
        return is_missing(label)
    if is_missing(label):
        # A comparison with `pandas.NA` has no truth value.
        return False
    # False equals 0, and -1 equals -1.0: a bool marks only bools.
    return isinstance(label, (bool, np.bool_)) == isinstance(marker, (bool, np.bool_)) and bool(
        label == marker
    )


def _refuse_marker_of_other_type(labels: NDArray[Any], marker: Any, name: str) -> None:
    """NumPy turns a marker among texts into a text, which would silently be a class."""
    alike = [label for label in labels if str(label) == str(marker) and not is_missing(label)]
    if alike:
        kinds = [
            type(each.item() if isinstance(each, np.generic) else each).__name__
            for each in (alike[0], marker)
        ]
        raise ValueError(
            f"{name} holds the {kinds[0]} {str(alike[0])!r}, but unlabeled_label is the {kinds[1]} {marker!r}; pass both as the same"
            " type."
        )


def check_sample_weight(
    sample_weight: Any, n_samples: int, *, allow_zeros: bool = False
) -> NDArray[np.float64]:
    """Return one finite, non-negative weight per document, as a new array.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,) or None
        None means 1.
    n_samples : int
    allow_zeros : bool, default=False
        Whether all weights may be 0.

    Returns
    -------
    weights : ndarray of shape (n_samples,), dtype float64
    """
    if sample_weight is None:
        return np.ones(n_samples)
    if is_one(sample_weight):
        raise ValueError(
            f"sample_weight is {sample_weight!r:.60}; expected one number per text, or None for equal weights."
        )
    if not isinstance(sample_weight, np.ndarray) or isinstance(sample_weight, np.ma.MaskedArray):
        sample_weight, _ = unpack(sample_weight, "sample_weight", "one number per text")
    try:
        array = np.asarray(sample_weight)
    except ValueError as error:
        raise ValueError(
            "sample_weight has rows of different lengths; expected one number per text."
        ) from error
    if array.dtype.kind not in "iufb":
        items = array.ravel().tolist()
        if any(isinstance(weight, str) for weight in items):
            raise ValueError(
                "sample_weight holds texts; expected one number per text. Pass texts without labels by name:"
                " X_unlabeled=texts."
            )
        array = np.array(
            [np.nan if is_missing(weight) else weight for weight in items], dtype=object
        ).reshape(array.shape)
    weights = check_array(array, ensure_2d=False, dtype=np.float64, input_name="sample_weight", copy=True)
    if weights.shape != (n_samples,):
        raise ValueError(
            f"sample_weight.shape == {weights.shape}, expected {(n_samples,)}: one weight per text."
        )
    if weights.min() < 0:
        raise ValueError(f"sample_weight has a negative value in row {int(weights.argmin())}.")
    if weights.max() == 0 and not allow_zeros:
        raise ValueError("sample_weight is zero for every text; at least one must count.")
    return np.asarray(weights)


def _check_each_class_counts(labels: NDArray[Any], weights: NDArray[np.float64], cause: str) -> None:
    """Refuse a class without a positive weight; `cause` names the argument responsible."""
    for label in np.unique(labels):
        if not weights[labels == label].max() > 0:
            raise ValueError(
                f"class {(label.item() if isinstance(label, np.generic) else label)!r} has no weight above 0"
                f" ({cause}); remove the texts of a class if they should not count."
            )


def class_indices(names: NDArray[Any], classes: NDArray[Any], *, argument: str = "y") -> NDArray[np.int64]:
    """Index of each label among the classes."""
    known = {name: index for index, name in enumerate(classes.tolist())}
    unknown = sorted({name for name in names.tolist() if name not in known}, key=str)
    if unknown:
        raise ValueError(f"{argument} holds {unknown}, which is not one of the classes {classes.tolist()}.")
    return np.array([known[name] for name in names.tolist()], dtype=np.int64)


def indexed(names: NDArray[Any], classes: NDArray[Any] | None) -> tuple[NDArray[Any], NDArray[np.integer]]:
    """All classes (those of the labels if none are given), and the index of each label."""
    found, labels = np.unique(names, return_inverse=True)
    if classes is None and len(found) < 2:
        raise ValueError(
            f"y holds only one class, {found.tolist()[0]!r}; a classifier needs texts of at least 2 classes."
        )
    if classes is None or np.array_equal(classes, found):
        return found, labels
    labels = class_indices(names, classes)
    return classes.astype(object) if names.dtype == object else classes, labels


def _balanced(labels: NDArray[Any], weights: NDArray[np.float64]) -> dict[Any, float]:
    """Weights that balance the classes; a text counts by its weight, as its copies would."""
    classes, index = np.unique(labels, return_inverse=True)
    totals = np.bincount(index, weights=weights)
    # The caller refuses a class without weight.
    shares = np.where(totals > 0, totals, totals.sum()) * max((totals > 0).sum(), 1) / totals.sum()
    return dict(zip(classes.tolist(), (1 / shares).tolist(), strict=True))


def named_classes(classes: Any, unlabeled: Any) -> NDArray[Any]:
    """Each of the given classes once, in order; `unlabeled` marks documents without a label."""
    if is_one(classes) or isinstance(classes, (set, frozenset, Mapping)):
        raise ValueError(f"classes is {classes!r:.60}; expected a 1-D collection of class labels.")
    known, names = check_labels(classes, np.size(classes), unlabeled=unlabeled, name="classes")
    if not known.all():
        raise ValueError(f"classes holds unlabeled_label={unlabeled!r}, which is not a class; remove it.")
    return np.asarray(np.unique(names))


def check_validation_set(
    X: Any, y: Any, X_train: list[Any] | NDArray[np.int32], unlabeled: Any
) -> tuple[list[Any] | NDArray[np.int32], NDArray[Any]] | None:
    """The labelled documents of a validation set, and their labels; None without a validation set."""
    if (X is None) != (y is None):
        given, missing = ("X_val", "y_val") if y is None else ("y_val", "X_val")
        raise ValueError(
            f"{given} was passed without {missing}; X_val and y_val belong together: pass both or neither."
        )
    if X is None:
        return None
    documents = check_documents(X, name="X_val", in_lists=hold_lists(X_train))
    labelled, labels = check_labels(y, len(documents), unlabeled=unlabeled, name="y_val")
    if isinstance(documents, list):
        return list(compress(documents, labelled)), labels
    return documents[labelled], labels


@dataclass(frozen=True)
class LabelledFirst:
    """Documents sorted so that those with a label and a positive weight come first.

    Parameters
    ----------
    documents : list, or ndarray of shape (n_documents, max_length), dtype int32
        Those with a label and a weight above 0 first, otherwise in their original order.
    labels : ndarray of shape (n_labelled,)
        The class of each of the first documents.
    weights : ndarray of shape (n_labelled,), dtype float64
        `sample_weight` times the weight of the class.
    """

    documents: list[Any] | NDArray[np.int32]
    labels: NDArray[Any]
    weights: NDArray[np.float64]

    @property
    def labelled(self) -> list[Any] | NDArray[np.int32]:
        """The documents that have a label."""
        return self.documents[: len(self.labels)]


def labelled_first(
    documents: list[Any] | NDArray[np.int32],
    y: Any,
    sample_weight: Any,
    *,
    unlabeled: Any,
    class_weight: Any,
    classes: NDArray[Any] | None = None,
    goes_on: bool = False,
) -> LabelledFirst:
    """Validate labels and weights, and move the documents that the head is fitted to to the front.

    Parameters
    ----------
    documents : list or ndarray
        Validated documents.
    y, sample_weight, class_weight
        As in `TextVAEClassifier`.
    unlabeled : object
        Marker of documents without a label.
    classes : ndarray or None, default=None
        All classes, if `y` may lack some.
    goes_on : bool, default=False
        Whether training continues: then `y` may lack all classes.

    Returns
    -------
    labelled : LabelledFirst
    """
    counts, labels = check_labels(
        y, len(documents), unlabeled=unlabeled, allow_unlabeled=goes_on, for_fit=classes is None
    )
    weights = check_sample_weight(sample_weight, len(documents), allow_zeros=goes_on)[counts]
    if not len(labels):
        return LabelledFirst(documents, labels, weights)
    if not goes_on and weights.max() == 0:
        raise ValueError("sample_weight is 0 for every text that has a label; expected a weight above 0.")
    if classes is None:
        _check_each_class_counts(labels, weights, "sample_weight is 0 for each of its texts")
    if class_weight is not None:
        weights = weights * _weights_of_classes(class_weight, labels, weights, classes)
    counts[counts] = weights > 0
    order = np.argsort(~counts, kind="stable")
    ordered = documents[order] if isinstance(documents, np.ndarray) else [documents[row] for row in order]
    return LabelledFirst(ordered, labels[weights > 0], weights[weights > 0])


def _weights_of_classes(
    class_weight: Any, labels: NDArray[Any], weights: NDArray[np.float64], classes: NDArray[Any] | None
) -> NDArray[np.float64]:
    """The weight of the class of each label, from the parameter `class_weight`."""
    given = _balanced(labels, weights) if isinstance(class_weight, str) else class_weight
    named = labels if classes is None else np.concatenate([labels, classes])
    of_class = np.asarray(compute_sample_weight(given, named)[: len(labels)])
    if not np.isfinite(of_class).all():
        raise ValueError(
            f"class_weight={class_weight!r} has a weight that is NaN or infinite; expected finite numbers."
        )
    if of_class.min() < 0:
        raise ValueError(
            f"class_weight={class_weight!r} has a negative weight; expected weights of at least 0."
        )
    _check_each_class_counts(labels, of_class, f"class_weight={class_weight!r}")
    return of_class
