"""The private names of scikit-learn that third-party estimators use, in one place."""

from __future__ import annotations

from typing import Any

from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions

DOCUMENTATION = "https://skvae.readthedocs.io/en/stable/"

fit_context = _fit_context(prefer_skip_nested_validation=True)


def set_params(estimator: BaseEstimator, params: dict[str, Any], nested: dict[str, str]) -> None:
    """`BaseEstimator.set_params`, with a clear error where the contained estimator is None.

    Parameters
    ----------
    estimator : estimator
    params : dict of str to object
    nested : dict of str to str
        For each parameter that holds an estimator or None, how to set one.
    """
    for name, remedy in nested.items():
        inner = [key for key in params if key.startswith(f"{name}__")]
        if inner and params.get(name, getattr(estimator, name)) is None:
            raise ValueError(
                f"cannot set {inner[0]}: {name} is None. Pass {remedy} to the constructor first."
            )
    BaseEstimator.set_params(estimator, **params)


class DocumentedMixin:
    """The "?" of an estimator's diagram in a notebook opens its page in our API reference."""

    _doc_link_module = "skvae"
    _doc_link_template = f"{DOCUMENTATION}generated/skvae.{{estimator_name}}.html"


__all__ = [
    "DOCUMENTATION",
    "DocumentedMixin",
    "HasMethods",
    "Interval",
    "Options",
    "StrOptions",
    "fit_context",
    "set_params",
]
