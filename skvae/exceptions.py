"""Warnings of skvae."""

from __future__ import annotations


class CollapseWarning(UserWarning):
    """The decoder ignores the latents (posterior collapse): those of any other document would do as well."""
