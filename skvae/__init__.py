"""skvae: a variational autoencoder for text that works in scikit-learn pipelines."""

from __future__ import annotations

import importlib
from typing import Any

# The fork hook must be set early, since other code may run TensorFlow.
from ._base import forking  # noqa: F401

__version__ = "0.2.0"

# Public names are imported on first access: importing skvae must not import TensorFlow.
_HOMES = {
    "CollapseWarning": "exceptions",
    "TextTokenizer": "tokenization",
    "TextVAEClassifier": "classifier",
    "TextVAETransformer": "transformer",
    "WordVectors": "word_vectors",
}
_MODULES = ("datasets", "metrics", "plotting", "presets")

__all__ = [
    "CollapseWarning",
    "TextTokenizer",
    "TextVAEClassifier",
    "TextVAETransformer",
    "WordVectors",
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
