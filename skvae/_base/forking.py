"""TensorFlow does not survive a fork: its threads are gone, and whoever waits for them waits for ever."""

from __future__ import annotations

import os
import sys

_used = False
_forked = False


def _has_run() -> bool:
    """Whether TensorFlow has started its threads, for us or for somebody else."""
    # Looked up, not imported: who has not imported TensorFlow has not run it.
    context = getattr(sys.modules.get("tensorflow.python.eager.context"), "context_safe", lambda: None)()
    return _used or bool(getattr(context, "_initialized", False))


def _in_child() -> None:
    global _forked
    _forked = _forked or _has_run()


# Once, when skvae is imported. There is no forking on Windows.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


def check_can_run() -> None:
    """To be called before TensorFlow is used; from then on, forked children are refused.

    Raises
    ------
    RuntimeError
        If this process was forked from one in which TensorFlow had been used.
    """
    global _used
    if _forked:
        raise RuntimeError(
            "this process was forked from one in which TensorFlow had run, and would wait for ever for threads that"
            " the fork left behind. Start workers by another method: joblib's default backend,"
            " joblib.parallel_config('loky'), or multiprocessing.get_context('spawn')."
        )
    _used = True
