"""How latents are decoded into texts: one value object for all methods that write."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real


@dataclass(frozen=True)
class DecodingOptions:
    """A way of choosing tokens; refuses what makes no sense.

    Parameters
    ----------
    decoding : {"greedy", "sample", "beam"}, default="greedy"
    temperature : float, default=1.0
    top_k : int or None, default=None
    top_p : float or None, default=None
    beam_width : int, default=4

    Raises
    ------
    ValueError
        If an option is unknown or out of range.
    """

    decoding: str = "greedy"
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    beam_width: int = 4

    def __post_init__(self) -> None:
        if self.decoding not in ("greedy", "sample", "beam"):
            raise ValueError(f"decoding={self.decoding!r}; expected 'greedy', 'sample' or 'beam'.")
        if not (_is_real(self.temperature) and self.temperature > 0):
            raise ValueError(f"temperature={self.temperature!r}; expected a number above 0.")
        if self.top_k is not None and not _is_count(self.top_k):
            raise ValueError(f"top_k={self.top_k!r}; expected an int of at least 1, or None.")
        if self.top_p is not None and not (_is_real(self.top_p) and 0 < self.top_p <= 1):
            raise ValueError(f"top_p={self.top_p!r}; expected a number above 0 and at most 1, or None.")
        if not _is_count(self.beam_width):
            raise ValueError(f"beam_width={self.beam_width!r}; expected an int of at least 1.")


def _is_real(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_count(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1
