"""TensorFlow does not survive a fork: its threads are gone, and whoever waits for them waits for ever."""

from __future__ import annotations

import os

_watched = False
_forked = False


def _in_child() -> None:
    global _forked
    _forked = True


def check_can_run() -> None:
    """To be called before TensorFlow is used; from then on, forked children are refused.

    Raises
    ------
    RuntimeError
        If this process was forked from one in which TensorFlow had been used.
    """
    global _watched
    if _forked:
        raise RuntimeError(
            "this process was forked from one in which TensorFlow had run, and would wait for ever for threads that"
            " the fork left behind. Start workers by another method: joblib's default backend,"
            " joblib.parallel_config('loky'), or multiprocessing.get_context('spawn')."
        )
    # There is no forking on Windows.
    if not _watched and hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_in_child)
        _watched = True
