"""Runs a Keras network over documents: one dataset, one call of `Model.fit`."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import tree
from numpy.typing import NDArray

from ._batches import Documents, epoch_order, sequential_batches

_BATCHES_AHEAD = 2

_floatx_lock = threading.RLock()


@dataclass
class Targets:
    """What a class head learns from, one entry a document.

    Parameters
    ----------
    probabilities : ndarray of shape (n_documents, n_classes), dtype float32
        Of each class.
    weights : ndarray of shape (n_documents,), dtype float32
        Weight of each document in the classification term.
    offset : ndarray of shape (n_documents, n_outputs), dtype float32
        Logits that other terms give.
    """

    probabilities: NDArray[np.float32]
    weights: NDArray[np.float32]
    offset: NDArray[np.float32]


class Batches:
    """The batches of each epoch as a `tf.data.Dataset`.

    Parameters
    ----------
    documents : Documents
        What to train on.
    batch_size : int
        Largest size of a batch.
    seed : int or None
        Decides the order of each epoch; None keeps the documents' own.
    targets : Targets or None, default=None
        For networks with a class head.
    """

    def __init__(
        self,
        documents: Documents,
        batch_size: int,
        seed: int | None,
        *,
        targets: Targets | None = None,
    ) -> None:
        self.documents = documents
        self.batch_size = batch_size
        self.seed = seed
        self.targets = targets
        # Set by `_EpochStart`, so that epoch k has the same order however training came to it.
        self.epoch = 0
        self._ordered: tuple[int, list[NDArray[np.int64]]] | None = None

    @property
    def per_epoch(self) -> int:
        """Number of batches of one epoch."""
        return len(self._order())

    @property
    def steps_per_epoch(self) -> int:
        """Number of updates of one epoch: replicas take a batch each."""
        return -(-self.per_epoch // tf.distribute.get_strategy().num_replicas_in_sync)

    def _order(self) -> list[NDArray[np.int64]]:
        """Rows of each batch of the current epoch."""
        if self._ordered is None or self._ordered[0] != self.epoch:
            if self.seed is None:
                batches = list(sequential_batches(len(self.documents), self.batch_size))
            else:
                random = np.random.default_rng([self.seed, self.epoch])
                batches = epoch_order(self.documents, self.batch_size, random)
            self._ordered = (self.epoch, batches)
        return self._ordered[1]

    def _assemble(self, rows: NDArray[np.int64]) -> tuple[Any, ...]:
        inputs = self.documents.batch(rows)
        if self.targets is None:
            return (inputs,)
        inputs["offset"] = self.targets.offset[rows]
        return inputs, self.targets.probabilities[rows], self.targets.weights[rows]

    def as_dataset(self) -> tf.data.Dataset:
        """A dataset with open shapes, so that no batch shape causes another tracing."""
        # Not Dataset.from_generator: its kernel tells the C library to give memory back at once, for
        # the whole process, and page faults then take up to half of the training time.
        structure = self._assemble(np.arange(1))
        example = tree.flatten(structure)

        # TensorFlow never forgets a function that it was given, nor what the function holds: here,
        # the documents of every fit.
        weakly = weakref.ref(self)

        def assembled(number: Any) -> list[NDArray[Any]]:
            batches = weakly()
            assert batches is not None
            return tree.flatten(batches._assemble(batches._order()[int(number) % batches.per_epoch]))

        def batch(number: Any) -> tuple[Any, ...]:
            arrays = tf.numpy_function(assembled, [number], [array.dtype for array in example], stateful=True)
            for tensor, array in zip(arrays, example, strict=True):
                tensor.set_shape([None] * array.ndim)
            packed: tuple[Any, ...] = tree.pack_sequence_as(structure, arrays)
            return packed

        strategy = tf.distribute.get_strategy()
        n_replicas = strategy.num_replicas_in_sync
        # Replicas take whole batches, since a bag of words cannot be split along its first axis; where the
        # last ones would find none left, they take the first again.
        n_batches = -(-self.per_epoch // n_replicas) * n_replicas
        dataset = tf.data.Dataset.range(n_batches).map(batch).prefetch(_BATCHES_AHEAD)
        # So that the batches live as long as who reads them.
        dataset.batches = self
        if n_replicas == 1:
            return dataset
        distributed = strategy.distribute_datasets_from_function(lambda _: dataset)
        distributed.batches = self
        # It is asked for its number of steps, and has that of its batches.
        distributed._cardinality = np.int64(n_batches // n_replicas)
        return distributed


class _EpochStart(keras.callbacks.Callback):
    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.batches.epoch = epoch


class _Directions(keras.callbacks.Callback):
    """Tells callbacks that watch a part of the loss or an accuracy which way that gets better.

    Keras itself asks metrics that a network was compiled with only, and raises for others.
    """

    def __init__(self, callbacks: list[Any]) -> None:
        super().__init__()
        self.callbacks = callbacks

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        modes = {
            metric.name: {"up": "max", "down": "min"}[metric._direction]
            for metric in self.model.metrics
            if getattr(metric, "_direction", None) in ("up", "down")
        }
        for callback in self.callbacks:
            name = getattr(callback, "monitor", None)
            if getattr(callback, "mode", None) == "auto" and isinstance(name, str):
                callback.mode = modes.get(name.removeprefix("val_"), "auto")


class _StopOnNonFinite(keras.callbacks.Callback):
    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        loss = (logs or {}).get("loss", 0.0)
        if not np.isfinite(loss):
            raise ValueError(
                f"the loss became {loss} in epoch {epoch + 1}; training stopped and nothing was fitted."
                " Lower learning_rate, or set beta and bow_weight nearer to their defaults."
            )


class ReportEpochs(keras.callbacks.Callback):
    """Tells scikit-learn's callbacks of each epoch; any of them may end the training.

    Parameters
    ----------
    task : sklearn.callback.CallbackContext
        The task that the epochs belong to.
    estimator : estimator
        The one that is being fitted.
    fitted : callable
        Gives the attributes that the estimator would have if training ended now.
    X, y : array-like
        What scorers among the callbacks are to be given.
    """

    def __init__(
        self, task: Any, estimator: Any, fitted: Callable[[], dict[str, Any]], X: Any, y: Any
    ) -> None:
        super().__init__()
        self.task, self.fitted = task, fitted
        self.given = {"estimator": estimator, "X": X, "y": y}

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.of_epoch = self.task.subcontext(task_name="epoch").call_on_fit_task_begin(**self.given)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if self.of_epoch.call_on_fit_task_end(**self.given, reconstruction_attributes=self.fitted):
            self.model.stop_training = True


class _PrintEpoch(keras.callbacks.Callback):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name_ = name

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        parts = ", ".join(f"{name} = {value:.4g}" for name, value in (logs or {}).items())
        print(f"[{self.name_}] epoch {epoch + 1}/{self.params['epochs']}, {parts}", flush=True)


def user_callbacks(callbacks: Any) -> list[Any]:
    """Callbacks as instances in a list, from an instance, a class, a list or tuple of them, or None."""
    if callbacks is None:
        return []
    given = callbacks if isinstance(callbacks, (list, tuple)) else [callbacks]
    instances = [callback() if isinstance(callback, type) else callback for callback in given]
    for callback in instances:
        if not isinstance(callback, keras.callbacks.Callback):
            raise TypeError(
                f"callbacks holds a {type(callback).__name__}; expected keras.callbacks.Callback instances or classes."
            )
    return instances


def release(callbacks: list[Any]) -> None:
    """Take the network from callbacks after training: with it they could not be pickled or cloned."""
    for callback in callbacks:
        callback._model = None


def training_callbacks(
    batches: Batches,
    callbacks: list[Any],
    *,
    name: str,
    verbose: int,
    patience: int | None = None,
    first_compared: int = 0,
    report: ReportEpochs | None = None,
) -> list[Any]:
    """Ours and the user's Keras callbacks, in the order in which they must run.

    Parameters
    ----------
    batches : Batches
        The training batches.
    callbacks : list of keras.callbacks.Callback
        The user's own.
    name : str
        What printed lines start with.
    verbose : int
        0 prints nothing.
    patience : int or None, default=None
        Stop after this many epochs in which the validation loss did not fall.
    first_compared : int, default=0
        Index of the first epoch whose validation loss counts for that.
    report : ReportEpochs or None, default=None
        For callbacks of scikit-learn.

    Returns
    -------
    callbacks : list of keras.callbacks.Callback
    """
    ours: list[Any] = [_EpochStart(batches), _Directions(callbacks), _StopOnNonFinite()]
    if verbose:
        ours.append(_PrintEpoch(name))
    if patience is not None:
        # "min" is said outright: Keras does not guess it for a loss of its own name.
        ours.append(
            keras.callbacks.EarlyStopping(
                monitor="val_loss",
                mode="min",
                patience=patience,
                restore_best_weights=True,
                start_from_epoch=first_compared,
            )
        )
    return [*ours, *callbacks] if report is None else [*ours, *callbacks, report]


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
