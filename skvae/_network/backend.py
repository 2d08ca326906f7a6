"""TensorFlow and Keras: the only module that imports them, without the lines that TensorFlow prints while it loads."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

# Lines of TensorFlow's C++ parts: none of them says anything about what the user does.
_CHATTER = re.compile(
    rb"(WARNING: All log messages before absl::InitializeLog|[IWE]\d{4} \d\d:\d\d:\d\d|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IWE] "
    rb"|To enable the following instructions: )"
)
_VARIABLE, _SILENCE = "TF_CPP_MIN_LOG_LEVEL", "3"


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Drop these lines from standard error in the block, unless the user has set the variable to less than silence.

    The variable that TensorFlow documents for this works only once its library has loaded, and some lines come
    before. So the file of standard error is exchanged for the time of the import, and all else goes on to it. If
    the interpreter crashes meanwhile, what it has written is lost; so this is not done if faulthandler looks for crashes,
    other than in a worker of joblib.
    """
    asked = os.environ.get(_VARIABLE)
    if asked not in (None, _SILENCE) or "tensorflow" in sys.modules:
        yield
        return
    with ExitStack() as stack:
        if asked is None:
            os.environ[_VARIABLE] = _SILENCE
            # TensorFlow has read it by the end of the import.
            stack.callback(os.environ.pop, _VARIABLE, None)
        if not faulthandler.is_enabled() or _enabled_by_joblib():
            stack.enter_context(_filtered())
        yield


def _enabled_by_joblib() -> bool:
    """Whether faulthandler is enabled, and as joblib does it in its workers."""
    is_worker = type(multiprocessing.current_process()).__module__.startswith("joblib.externals.loky")
    return is_worker and "PYTHONFAULTHANDLER" not in os.environ and faulthandler.is_enabled()


@contextmanager
def _filtered() -> Iterator[None]:
    with ExitStack() as stack:
        try:
            instead = stack.enter_context(tempfile.TemporaryFile())
            original = stack.enter_context(os.fdopen(os.dup(2), "wb", buffering=0))
        except OSError:
            # No standard error, or no place for files.
            yield
            return
        watched = _enabled_by_joblib()
        if watched:
            faulthandler.enable(original)
        _flush()
        os.dup2(instead.fileno(), 2)
        try:
            yield
        finally:
            _flush()
            os.dup2(original.fileno(), 2)
            if watched:
                faulthandler.enable()
            instead.seek(0)
            with suppress(OSError):
                original.writelines(line for line in instead if not _CHATTER.match(line))


def _flush() -> None:
    # In its place may be None, or an object that only writes.
    flush = getattr(sys.stderr, "flush", None)
    if flush is not None:
        flush()


with _without_chatter():
    import keras
    import tensorflow as tf
    from keras import layers, ops, tree

__all__ = ["keras", "layers", "ops", "tf", "tree"]
