"""What leaves an estimator as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def attributes_restored(estimator: Any, *failures: type[BaseException]) -> Iterator[None]:
    """Within, an exception (of these kinds, or any) leaves the estimator with the attributes of before."""
    failures = failures or (BaseException,)
    before = dict(estimator.__dict__)
    try:
        yield
    except failures:
        estimator.__dict__.clear()
        estimator.__dict__.update(before)
        raise
