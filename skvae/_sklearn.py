"""The private names of scikit-learn that third-party estimators use, in one place."""

from __future__ import annotations

from sklearn.base import _fit_context
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions

fit_context = _fit_context(prefer_skip_nested_validation=True)

__all__ = ["HasMethods", "Interval", "Options", "StrOptions", "fit_context"]
