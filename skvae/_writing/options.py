"""Decoding options: one value object for all methods that write."""

from __future__ import annotations

from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Any

import numpy as np

# Each text in a beam search needs logits of the whole vocabulary: 40 MB for this many texts and 10,000 tokens.
_WIDEST_BEAM = 1_000


@dataclass(frozen=True)
class DecodingOptions:
    """How tokens are chosen; invalid options raise an error.

    Parameters
    ----------
    decoding : {"greedy", "sample", "beam"}, default="beam"
    temperature : float, default=1.0
    top_k : int or None, default=None
    top_p : float or None, default=None
    beam_width : int, default=4
    no_repeat_ngram_size : int or None, default=None

    Raises
    ------
    ValueError
        If an option is unknown or out of range.
    """

    decoding: str = "beam"
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    beam_width: int = 4
    no_repeat_ngram_size: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.decoding, str) or self.decoding not in ("greedy", "sample", "beam"):
            raise ValueError(f"decoding={self.decoding!r}; expected 'greedy', 'sample' or 'beam'.")
        if not (_is_real(self.temperature) and 0 < self.temperature < np.inf):
            raise ValueError(f"temperature={self.temperature!r}; expected a finite number above 0.")
        for name in ("top_k", "no_repeat_ngram_size"):
            value = getattr(self, name)
            if value is not None and not is_count(value):
                raise ValueError(f"{name}={value!r}; expected an int of at least 1, or None.")
        if self.top_p is not None and not (_is_real(self.top_p) and 0 < self.top_p <= 1):
            raise ValueError(f"top_p={self.top_p!r}; expected a number above 0 and at most 1, or None.")
        if not (is_count(self.beam_width) and self.beam_width <= _WIDEST_BEAM):
            raise ValueError(f"beam_width={self.beam_width!r}; expected an int from 1 to {_WIDEST_BEAM}.")
        for name, neutral in (("temperature", 1), ("top_k", None), ("top_p", None)):
            if self.decoding != "sample" and getattr(self, name) != neutral:
                raise ValueError(
                    f"{name}={getattr(self, name)!r} with decoding={self.decoding!r}, which draws nothing;"
                    " set decoding='sample'."
                )


def check_option_names(method: str, options: dict[str, Any], *further: str) -> None:
    """Refuse unknown options, with the name of the called method in the message.

    Parameters
    ----------
    method : str
        Class and method.
    options : dict
        The options that it got.
    *further : str
        Options of the method in addition to those of `DecodingOptions`.
    """
    known = [*(field.name for field in fields(DecodingOptions)), *further]
    for name in options:
        if name not in known:
            raise TypeError(
                f"{method}() got an unexpected keyword argument {name!r}; expected {', '.join(known)}."
            )


def _is_real(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def is_count(value: Any, least: int = 1) -> bool:
    """Whether a value is a whole number of at least `least`."""
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least
