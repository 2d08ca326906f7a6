"""Many explicit seeds from one `random_state`. No global generator is read or changed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from sklearn.utils import check_random_state


def draw_seed(random_state: Any) -> int:
    """Draw the integer from which a fit derives all its random numbers.

    Parameters
    ----------
    random_state : int, RandomState instance or None
        None gives a new seed each time, without using NumPy's global generator.

    Returns
    -------
    seed : int
        Between 0 and 2**31 - 1.
    """
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0] >> 1)
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def scrambled(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A one-to-one map to random-looking 64-bit numbers: the output function of SplitMix64.

    References
    ----------
    G. L. Steele, D. Lea and C. H. Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014.
    https://doi.org/10.1145/2660193.2660195
    """
    mixed = (numbers + _GOLDEN).astype(np.uint64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))


class DocumentNoise:
    """Noise that depends on a document's content, not on its row or on other documents.

    It replaces a `numpy.random.Generator`, whose noise belongs to rows: estimates for a
    document would depend on the other documents.

    Parameters
    ----------
    keys : ndarray of shape (n_documents,), dtype uint64
        A hash of the content of each document.
    seed : int
        Equal seeds give equal noise.
    """

    def __init__(self, keys: NDArray[np.uint64], seed: int) -> None:
        self._streams = scrambled(keys ^ scrambled(np.array([seed], dtype=np.uint64)))
        self._n_drawn = 0

    def standard_normal(self, size: tuple[int, int], dtype: Any = np.float64) -> NDArray[Any]:
        """The next draws, of shape (n_documents, n_columns)."""
        n_rows, n_columns = size
        if n_rows != len(self._streams):
            raise ValueError(f"size={size!r}; expected as many rows as there are keys, {len(self._streams)}.")
        places = np.arange(self._n_drawn, self._n_drawn + n_columns, dtype=np.uint64)
        self._n_drawn += n_columns
        bits = scrambled(self._streams[:, None] + _GOLDEN * places)
        # 52 bits plus half a step: with one more bit, the largest value would be rounded to 1, whose quantile is infinite.
        return np.asarray(ndtri(((bits >> np.uint64(12)) + 0.5) * 2.0**-52), dtype=dtype)


class SeedSequence:
    """A sequence of independent seeds.

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
