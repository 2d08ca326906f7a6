"""Axes to draw on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def pyplot() -> Any:
    """`matplotlib.pyplot`, or an error that says how to install it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "skvae.plotting needs matplotlib; install it with: pip install 'skvae[plot]'"
        ) from error
    return plt


def literal(name: Any) -> str:
    """A name that is drawn as it is: matplotlib reads "$" as the beginning of a formula."""
    return str(name).replace("$", r"\$")


def new_axes(ax: Any, size: tuple[float, float] | None = None) -> Any:
    """The given axes, or those of a new figure."""
    return pyplot().subplots(layout="constrained", figsize=size)[1] if ax is None else ax


def new_panels(ax: Any, n_panels: int, n_columns: int, size: tuple[float, float]) -> NDArray[np.object_]:
    """The given axes, one for each panel, or the axes of a new figure."""
    if ax is not None:
        panels = np.ravel(np.asarray(ax, dtype=object))
        if len(panels) != n_panels:
            raise ValueError(f"ax holds {len(panels)} axes; expected {n_panels}, one for each panel.")
        return panels
    n_rows = -(-n_panels // n_columns)
    _, panels = pyplot().subplots(
        n_rows,
        n_columns,
        figsize=(size[0] * n_columns, size[1] * n_rows),
        layout="constrained",
        squeeze=False,
    )
    for unused in panels.ravel()[n_panels:]:
        unused.remove()
    return np.asarray(panels.ravel()[:n_panels])
