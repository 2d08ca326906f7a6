"""Detection of forks: TensorFlow's threads do not survive them, and a child that waits for the threads hangs."""

from __future__ import annotations

import os
import sys

_used = False
_forked = False


def _has_run() -> bool:
    """Whether TensorFlow has started its threads, for skvae or for other code."""
    # Looked up, not imported: if TensorFlow is not imported, it has not run.
    context = getattr(sys.modules.get("tensorflow.python.eager.context"), "context_safe", lambda: None)()
    return _used or bool(getattr(context, "_initialized", False))


def _in_child() -> None:
    global _forked
    _forked = _forked or _has_run()


# Registered once, when skvae is imported. Windows has no fork.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


def check_can_run() -> None:
    """Call this before TensorFlow is used; from then on, forked children are refused.

    Raises
    ------
    RuntimeError
        If this process was forked from one in which TensorFlow had been used.
    """
    global _used
    if _forked:
        raise RuntimeError(
            "this process was forked from one in which TensorFlow had run, and would wait for ever for threads that"
            " do not exist after a fork. Start workers by another method: joblib's default backend,"
            " joblib.parallel_config('loky'), or multiprocessing.get_context('spawn')."
        )
    _used = True
