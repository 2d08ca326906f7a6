"""Restores an estimator after a failure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def attributes_restored(estimator: Any, *failures: type[BaseException]) -> Iterator[None]:
    """Restore the attributes of the estimator after an exception (of these types, or any) in the block."""
    failures = failures or (BaseException,)
    before = dict(estimator.__dict__)
    try:
        yield
    except failures:
        estimator.__dict__.clear()
        estimator.__dict__.update(before)
        raise
