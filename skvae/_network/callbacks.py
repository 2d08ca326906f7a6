"""Keras callbacks: those of skvae and the user's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._base.progress import Progress
from .backend import keras
from .training import Batches

# Share of the learning rate that is left at the end of its decay.
_LAST_RATE = 0.02


class _EpochStart(keras.callbacks.Callback):
    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.batches.epoch = epoch


class _CosineDecay(keras.callbacks.Callback):
    """Lowers the learning rate along half a cosine, to a small share of it in the last step.

    It is no `LearningRateSchedule`, because a warm start begins at the full rate again and keeps the optimizer's state. Each
    step multiplies the rate that it finds, so that other callbacks may change it.

    References
    ----------
    I. Loshchilov and F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017.
    https://arxiv.org/abs/1608.03983
    """

    def __init__(self, n_steps: int, steps_per_epoch: int) -> None:
        super().__init__()
        self.n_steps, self.steps_per_epoch = n_steps, steps_per_epoch

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self.full = float(self.model.optimizer.learning_rate.numpy())

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        # A training that goes on from a backup begins with a later epoch.
        self.step = epoch * self.steps_per_epoch

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        rate = self.model.optimizer.learning_rate
        rate.assign(float(rate.numpy()) * self._share(self.step) / self._share(self.step - 1))
        self.step += 1

    def _share(self, step: int) -> float:
        """Share of the full rate that is left in a step; all of it before the first."""
        left = 0.5 * (1 + float(np.cos(np.pi * max(step, 0) / self.n_steps)))
        return _LAST_RATE + (1 - _LAST_RATE) * left

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self.model.optimizer.learning_rate.assign(self.full)


class _Directions(keras.callbacks.Callback):
    """Tells callbacks that monitor a part of the loss or an accuracy in which direction it improves.

    Keras only knows the metrics with which a network was compiled, and raises an error for others.
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
                " Lower learning_rate, or set beta and bow_weight closer to their defaults."
            )


class ReportEpochs(keras.callbacks.Callback):
    """Reports each epoch to scikit-learn's callbacks; any of them may end the training.

    Parameters
    ----------
    task : sklearn.callback.CallbackContext
        The task that the epochs belong to.
    estimator : estimator
        The estimator that is being fitted.
    fitted : callable
        Returns the attributes that the estimator would have if training ended now.
    X, y : array-like
        Passed to scorers among the callbacks.
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


class _TellEpoch(keras.callbacks.Callback):
    """Prints the parts of the ELBO of each epoch, whose sum does not depend on the weight of the KL in training."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self.progress = progress

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self.rounds = self.progress.rounds("epoch", self.params["epochs"])

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        figures = _in_words(logs or {})
        warmup = getattr(self.model, "warmup_steps", 0)
        weight = int(self.model.optimizer.iterations.numpy()) / warmup if warmup else 1.0
        if weight < 1:
            figures += f" (trained with a weight of {weight:.2g} of the KL)"
        held_out = _in_words({name[4:]: value for name, value in (logs or {}).items() if name[:4] == "val_"})
        self.rounds.done(f"{figures}; held out: {held_out}" if held_out else figures)


def _in_words(figures: dict[str, float]) -> str:
    parts = []
    if "cross_entropy" in figures:
        parts.append(f"cross-entropy {figures['cross_entropy']:.3f}, accuracy {figures['accuracy']:.3f}")
    if "kl" in figures:
        nll = figures.get("nll_text", figures.get("nll_bow", 0.0))
        parts.append(f"ELBO {-nll - figures['kl']:.2f} (NLL {nll:.2f}, KL {figures['kl']:.2f})")
    return ", ".join(parts)


def user_callbacks(callbacks: Any) -> list[Any]:
    """A list of callback instances from an instance, a class, a list or tuple of them, or None."""
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
    """Remove the network from callbacks after training: with it, they cannot be pickled or cloned."""
    for callback in callbacks:
        callback._model = None


def training_callbacks(
    batches: Batches,
    callbacks: list[Any],
    *,
    progress: Progress,
    patience: int | None = None,
    first_compared: int = 0,
    decay_steps: int | None = None,
    report: ReportEpochs | None = None,
) -> list[Any]:
    """The Keras callbacks of skvae and of the user, in the order in which they must run.

    Parameters
    ----------
    batches : Batches
        The training batches.
    callbacks : list of keras.callbacks.Callback
        The user's callbacks.
    progress : Progress
        Told of each epoch.
    patience : int or None, default=None
        Stop after this many epochs without a lower validation loss.
    first_compared : int, default=0
        Index of the first epoch whose validation loss is compared.
    decay_steps : int or None, default=None
        Number of steps in which the learning rate decays; None: it is constant.
    report : ReportEpochs or None, default=None
        Reports to scikit-learn's callbacks.

    Returns
    -------
    callbacks : list of keras.callbacks.Callback
    """
    ours: list[Any] = [_EpochStart(batches), _Directions(callbacks), _StopOnNonFinite()]
    if decay_steps is not None:
        ours.append(_CosineDecay(decay_steps, batches.steps_per_epoch))
    if progress.verbose:
        ours.append(_TellEpoch(progress))
    if patience is not None:
        # "min" is explicit, since Keras does not infer it for a custom loss.
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
