"""The private names of scikit-learn that third-party estimators use, in one place."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any

from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:
    # Before scikit-learn 1.9 there are no callbacks, and estimators have no `set_callbacks`.
    class CallbackSupportMixin:  # type: ignore[no-redef]
        pass

    def with_callbacks(method: Any) -> Any:
        return method


DOCUMENTATION = "https://skvae.readthedocs.io/en/stable/"

fit_context = _fit_context(prefer_skip_nested_validation=True)


def set_params(
    estimator: BaseEstimator, params: dict[str, Any], defaults: dict[str, Callable[[], Any]]
) -> None:
    """`BaseEstimator.set_params`, which replaces a contained None by the default estimator if its parameters are set.

    Parameters
    ----------
    estimator : estimator
    params : dict of str to object
    defaults : dict of str to function
        For each parameter that is an estimator or None, a function that returns what None means.
    """
    params = dict(params)
    for name, default in defaults.items():
        inner = [key for key in params if key.startswith(f"{name}__")]
        if inner and params.get(name, getattr(estimator, name)) is None:
            # Set before it is assigned, so that a wrong name leaves the estimator unchanged.
            params[name] = default().set_params(
                **{key.removeprefix(f"{name}__"): params.pop(key) for key in inner}
            )
    BaseEstimator.set_params(estimator, **params)


def clone_that_shares(estimator: BaseEstimator, name: str) -> Any:
    """scikit-learn's clone, which has the same object as this parameter, not a copy of it."""
    without = object.__new__(type(estimator))
    # Not `setattr` on the estimator itself: other threads may use it.
    without.__dict__ |= estimator.__dict__ | {name: None}
    cloned = BaseEstimator.__sklearn_clone__(without)
    setattr(cloned, name, getattr(estimator, name))
    return cloned


def begin_fit_task(estimator: Any, X: Any, y: Any, n_subtasks: int) -> Any:
    """Tell scikit-learn's callbacks that a fit begins; None if it does not support callbacks.

    Parameters
    ----------
    estimator : estimator
    X, y : array-like
        Passed to scorers among the callbacks.
    n_subtasks : int
        Number of subtasks.

    Returns
    -------
    task : sklearn.callback.CallbackContext or None
    """
    if not hasattr(estimator, "_init_callback_context"):
        return None
    task = estimator._init_callback_context(max_subtasks=n_subtasks)
    return task.call_on_fit_task_begin(estimator=estimator, X=X, y=y)


def names_without(estimator: Any, left_out: Container[str]) -> list[str]:
    """The attributes that `dir` lists, except those in `left_out`, which are not accessed at all."""
    # Not by `super`: that of BaseEstimator accesses each attribute.
    return [name for name in object.__dir__(estimator) if name not in left_out and hasattr(estimator, name)]


class DocumentedMixin:
    """The "?" in the notebook diagram of an estimator opens its page in the API reference."""

    _doc_link_module = "skvae"
    _doc_link_template = f"{DOCUMENTATION}generated/skvae.{{estimator_name}}.html"


__all__ = [
    "DOCUMENTATION",
    "CallbackSupportMixin",
    "DocumentedMixin",
    "HasMethods",
    "Interval",
    "StrOptions",
    "begin_fit_task",
    "clone_that_shares",
    "fit_context",
    "names_without",
    "set_params",
    "with_callbacks",
]
