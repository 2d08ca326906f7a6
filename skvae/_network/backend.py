"""TensorFlow and Keras: the only module that imports them, without the lines that TensorFlow prints while it loads."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

# Lines of TensorFlow's C++ parts: none of them says anything about what the user does.
_CHATTER = re.compile(
    rb"(WARNING: All log messages before absl::InitializeLog|[IWE]\d{4} \d\d:\d\d:\d\d|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IWE] "
    rb"|To enable the following instructions: )"
)
_VARIABLE = "TF_CPP_MIN_LOG_LEVEL"


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Drop these lines from standard error in the block, unless the user has asked for them.

    The variable that TensorFlow documents for this works only once its library has loaded, and some lines come
    before. So the file of standard error is exchanged for the time of the import, and all else goes on to it.
    """
    asked = os.environ.setdefault(_VARIABLE, "3")
    if asked == "0" or "tensorflow" in sys.modules:
        yield
        return
    try:
        kept = os.dup(2)
    except OSError:
        # A process without standard error.
        yield
        return
    with tempfile.TemporaryFile() as instead:
        _flush()
        os.dup2(instead.fileno(), 2)
        try:
            yield
        finally:
            _flush()
            os.dup2(kept, 2)
            instead.seek(0)
            for line in instead:
                if not _CHATTER.match(line):
                    os.write(kept, line)
            os.close(kept)


def _flush() -> None:
    # Windows has no standard streams in programs without a console.
    if sys.stderr is not None:
        sys.stderr.flush()


with _without_chatter():
    import keras
    import tensorflow as tf
    from keras import layers, ops, tree

__all__ = ["keras", "layers", "ops", "tf", "tree"]
