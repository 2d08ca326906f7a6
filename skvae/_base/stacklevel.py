"""Stack levels with which warnings point at the user's code."""

from __future__ import annotations

import sys
from typing import Any


def stacklevel_of_user() -> int:
    """The `stacklevel` with which a warning of the calling function points at the user's line."""
    # Counted, since the number of scikit-learn's wrappers of `fit` depends on its version.
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and _is_ours(frame.f_globals.get("__name__")):
        level, frame = level + 1, frame.f_back
    return level


def _is_ours(module: Any) -> bool:
    return str(module).partition(".")[0] in ("skvae", "sklearn")
