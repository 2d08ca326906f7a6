"""Warnings of skvae."""

from __future__ import annotations


class CollapseWarning(UserWarning):
    """The decoder ignores the latents (posterior collapse): any other document's would serve as well."""
