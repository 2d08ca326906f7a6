"""Shared parts of estimators that read texts."""

from __future__ import annotations

from typing import Any


class TextInputMixin:
    """Reads a 1-D collection of `str`, or the output of a tokenizer.

    It must come before scikit-learn's mixins in the list of base classes.
    """

    # Only used in warnings: `feature_names_in_` would imply a matrix of features.
    _column_name: str | None = None

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.target_tags.required = tags.estimator_type == "classifier"
        tags.transformer_tags.preserves_dtype = []
        return tags
