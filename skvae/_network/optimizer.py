"""Keras optimizers from what users pass."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

_floatx_lock = threading.RLock()


@contextmanager
def single_precision() -> Iterator[None]:
    """Within, Keras makes learning rates and averages of its own in single precision, whatever its floatx."""
    # One thread at a time: floatx is of the whole process, and a second thread would take ours for the user's.
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


@keras.saving.register_keras_serializable(package="skvae")
class FusedAdam(keras.optimizers.Adam):
    """Keras' Adam with one pass over the memory of each variable instead of a dozen."""

    def _all_reduce_sum_gradients(self, grads_and_vars: Any) -> Any:
        # A sum over one replica changes nothing, and TensorFlow keeps the network that it was traced in for
        # ever: 10 MB a fit.
        if tf.distribute.get_strategy().num_replicas_in_sync == 1:
            return list(grads_and_vars)
        return super()._all_reduce_sum_gradients(grads_and_vars)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(self.beta_1, step),
            beta2_power=tf.pow(self.beta_2, step),
            lr=tf.cast(learning_rate, variable.dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=tf.cast(tf.convert_to_tensor(gradient), variable.dtype),
        )


def make_optimizer(optimizer: Any, learning_rate: float, options: dict[str, Any] | None = None) -> Any:
    """A fresh Keras optimizer from a name, a class or an instance.

    Parameters
    ----------
    optimizer : str, keras.optimizers.Optimizer or its class
        An instance is copied, since its state belongs to one network, and keeps its options.
    learning_rate : float
        For a name or a class.
    options : dict or None, default=None
        Further arguments of the optimizer; they count more than `learning_rate`.

    Returns
    -------
    optimizer : keras.optimizers.Optimizer

    Raises
    ------
    ValueError
        If Keras knows no optimizer of that name, or the optimizer no such option.
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
    if kind is keras.optimizers.Adam and not options.get("amsgrad"):
        kind = FusedAdam
    try:
        with single_precision():
            return kind.from_config({"learning_rate": learning_rate} | options)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"optimizer={optimizer!r} does not take the options {options}: {error}. Options are named as in"
            " Keras, for example optimizer__learning_rate."
        ) from error
