"""The old name of `skvae.metrics` and `skvae.exceptions`."""

from __future__ import annotations

import warnings

from .exceptions import CollapseWarning
from .metrics import (
    ACTIVE_UNIT_VARIANCE,
    active_units,
    draw_latents,
    effective_sample_size,
    gaussian_kl,
    importance_weighted_nll,
    mutual_information,
    permuted_latents,
)

__all__ = [
    "ACTIVE_UNIT_VARIANCE",
    "CollapseWarning",
    "active_units",
    "draw_latents",
    "effective_sample_size",
    "gaussian_kl",
    "importance_weighted_nll",
    "mutual_information",
    "permuted_latents",
]

warnings.warn(
    "skvae.diagnostics is now skvae.metrics, and CollapseWarning is in skvae; the old name will be removed in skvae 0.3.",
    FutureWarning,
    stacklevel=2,
)
