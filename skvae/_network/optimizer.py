"""Keras optimizers from the parameter `optimizer`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .backend import keras
from .private import skip_reduction_of_one_replica

_floatx_lock = threading.RLock()

# Networks saved by version 0.1 name a custom Adam with the same settings.
keras.saving.get_custom_objects()["skvae>FusedAdam"] = keras.optimizers.Adam


@contextmanager
def single_precision() -> Iterator[None]:
    """In the block, Keras creates its learning rates and averages in single precision, whatever its floatx."""
    # One thread at a time: floatx is global, and a second thread would mistake this value for the user's.
    with _floatx_lock:
        before = keras.config.floatx()
        if before == "float32":
            yield
            return
        keras.config.set_floatx("float32")
        try:
            yield
        finally:
            keras.config.set_floatx(before)


def has_schedule(optimizer: Any) -> bool:
    """Whether an optimizer's learning rate is a Keras schedule."""
    return isinstance(optimizer._learning_rate, keras.optimizers.schedules.LearningRateSchedule)


def make_optimizer(optimizer: Any, learning_rate: Any, options: dict[str, Any] | None = None) -> Any:
    """A new Keras optimizer from a name, a class or an instance.

    Parameters
    ----------
    optimizer : str, keras.optimizers.Optimizer or its class
        An instance is copied, since its state belongs to one network, and keeps its options.
    learning_rate : float or keras.optimizers.schedules.LearningRateSchedule
        Used for a name or a class.
    options : dict or None, default=None
        Further arguments of the optimizer; they override `learning_rate`.

    Returns
    -------
    optimizer : keras.optimizers.Optimizer

    Raises
    ------
    ValueError
        If Keras has no optimizer of that name, or the optimizer has no such option.
    """
    options = options or {}
    if isinstance(optimizer, str):
        try:
            kind = type(keras.optimizers.get(optimizer))
        except ValueError as error:
            raise ValueError(
                f"optimizer={optimizer!r} is unknown to Keras; expected a name such as 'adam' or 'sgd',"
                " an optimizer class or an optimizer."
            ) from error
    else:
        kind = optimizer if isinstance(optimizer, type) else type(optimizer)
        if not issubclass(kind, keras.optimizers.Optimizer):
            raise TypeError(
                f"optimizer={optimizer!r}; expected a name, a keras.optimizers.Optimizer or its class."
            )
        if kind is not optimizer:
            options = optimizer.get_config() | options
    try:
        with single_precision():
            made = kind.from_config({"learning_rate": learning_rate} | options)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"optimizer={optimizer!r} does not take the options {options}: {error}. Options are named as in"
            " Keras, for example optimizer__learning_rate."
        ) from error
    skip_reduction_of_one_replica(made)
    return made
