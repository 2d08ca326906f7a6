"""skvae: a variational autoencoder for text that lives in scikit-learn pipelines."""

from __future__ import annotations

import importlib
from typing import Any

# Watches for forks from here on, since TensorFlow may run without us.
from ._base import forking  # noqa: F401

__version__ = "0.1.0"

# Public names are found when first touched: importing skvae must not import TensorFlow.
_HOMES = {
    "CollapseWarning": "exceptions",
    "TextTokenizer": "tokenization",
    "TextVAEClassifier": "classifier",
    "TextVAETransformer": "transformer",
}
_MODULES = ("datasets", "metrics", "plotting", "presets")

__all__ = [
    "CollapseWarning",
    "TextTokenizer",
    "TextVAEClassifier",
    "TextVAETransformer",
    "datasets",
    "metrics",
    "plotting",
    "presets",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
