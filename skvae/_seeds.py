"""One `random_state` to many explicit seeds. No global generator is read or moved."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_random_state


def draw_seed(random_state: Any) -> int:
    """Draw the one integer that a fit derives everything random from.

    Parameters
    ----------
    random_state : int, RandomState instance or None
        None gives another seed each time, and leaves NumPy's global generator alone.

    Returns
    -------
    seed : int
        Between 0 and 2**31 - 1.
    """
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0] >> 1)
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


class SeedSequence:
    """Seeds one after another, each independent of the others.

    Parameters
    ----------
    seed : int
        Equal seeds give equal sequences.
    """

    def __init__(self, seed: int) -> None:
        self._sequence = np.random.SeedSequence(seed)

    def next(self) -> int:
        """The next seed, between 0 and 2**31 - 1."""
        return int(self._sequence.spawn(1)[0].generate_state(1)[0] >> 1)
