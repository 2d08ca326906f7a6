"""Training of an autoencoder, from its first epoch to its normalisation."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._base.progress import Progress
from .._base.seeds import SeedSequence
from .._base.stacklevel import stacklevel_of_user
from .._texts.documents import Documents
from .._texts.recombination import recombined
from .callbacks import ReportEpochs, release, training_callbacks, user_callbacks
from .fitted import FittedAutoencoder
from .optimizer import has_schedule, make_optimizer, single_precision
from .training import Batches, resolve_batch_size, without_warnings_of_tracing


@dataclass(frozen=True)
class Pretraining:
    """Training settings of an autoencoder; fields without a description are parameters of `TextVAETransformer`.

    Parameters
    ----------
    epochs, recombination, batch_size, optimizer
    optimizer_options : dict of str to object
        Further arguments of the optimizer.
    learning_rate
    decays : bool
        Whether the learning rate falls along half a cosine. One that the optimizer has as a Keras schedule does not.
    kl_warmup, callbacks
    patience : int or None
        Epochs without a better validation loss after which training stops; None goes on to the last.
    held_out : ndarray of int64 or None
        Rows of the documents that measure the validation loss.
    progress : Progress
        Told of each epoch.
    goes_on : bool
        Whether weights, normalisation and optimizer continue from an earlier training. There is then no warm-up.
    """

    epochs: int
    recombination: float
    batch_size: int | str
    optimizer: Any
    optimizer_options: dict[str, Any]
    learning_rate: Any
    decays: bool
    kl_warmup: float
    callbacks: Any
    patience: int | None
    held_out: NDArray[np.int64] | None
    progress: Progress
    goes_on: bool


def pretrain(
    autoencoder: FittedAutoencoder,
    documents: Documents,
    seeds: SeedSequence,
    how: Pretraining,
    report_of: Callable[[Callable[[], FittedAutoencoder]], ReportEpochs] | None = None,
) -> dict[str, list[float]]:
    """Train on documents, and normalise the latents over them.

    Parameters
    ----------
    autoencoder : FittedAutoencoder
        Trained in place.
    documents : Documents
    seeds : SeedSequence
        Determines the held-out documents, and the order of the documents.
    how : Pretraining
    report_of : callable or None, default=None
        Makes a callback from a function that returns the autoencoder as if training ended now.

    Returns
    -------
    history : dict of str to list of float
        Each part of the loss for each epoch, in nats per document.

    Raises
    ------
    ValueError
        If nothing is left to train on, or the loss becomes infinite.
    """
    network = autoencoder.network
    model = network.model
    callbacks = user_callbacks(how.callbacks)
    training, validation = documents, None
    if how.held_out is not None:
        training = documents.take(np.setdiff1d(np.arange(len(documents)), how.held_out))
        validation = documents.take(how.held_out)
        if not how.goes_on and training.counts is not None:
            # Word frequencies of the held-out documents must not be used in training.
            model.set_background(np.asarray(training.counts.sum(axis=0)).ravel())
    read = _with_recombined(training, autoencoder, how.recombination, seeds)
    batch_size = resolve_batch_size(how.batch_size, len(read), autoencoder.has_text_decoder)
    batches = Batches(read, batch_size, seeds.next())
    n_steps = how.epochs * batches.steps_per_epoch
    _compile(model, how, n_steps)
    first_compared = _first_compared(model, batches.steps_per_epoch)
    if validation is not None and first_compared >= how.epochs:
        _warn_that_nothing_is_compared(how)
    report = None
    if report_of is not None:
        report = report_of(lambda: autoencoder.as_of_now(training, keep_history=how.goes_on))
    try:
        with without_warnings_of_tracing():
            history = model.fit(
                batches.as_dataset(),
                epochs=how.epochs,
                validation_data=None
                if validation is None
                else Batches(validation, batch_size, None).as_dataset(),
                callbacks=training_callbacks(
                    batches,
                    callbacks,
                    progress=how.progress,
                    patience=how.patience,
                    first_compared=first_compared,
                    decay_steps=n_steps if how.decays and not has_schedule(model.optimizer) else None,
                    report=report,
                ),
                # The batches shuffle themselves, from an explicit seed.
                shuffle=False,
                verbose=0,
            ).history
    finally:
        # The weights may have changed even if training failed.
        network.changed()
        release(callbacks)
    autoencoder.normalise_over(training, keep_history=how.goes_on)
    return {name: [float(value) for value in values] for name, values in history.items()}


def _with_recombined(
    documents: Documents, autoencoder: FittedAutoencoder, share: float, seeds: SeedSequence
) -> Documents:
    """Documents, followed by so many recombined texts for each of them."""
    if not share or documents.texts is None or not autoencoder.has_text_decoder:
        return documents
    random = np.random.default_rng(seeds.next())
    texts = recombined(documents.texts, round(share * len(documents)), random)
    # They have the boundaries of the documents that they end as; `prepare` would add another.
    return documents.followed_by(replace(autoencoder.prepare(texts), texts=texts))


def _compile(model: Any, how: Pretraining, n_steps: int) -> None:
    """Give the network a new optimizer, unless it continues with its current one."""
    recipe = (str(how.optimizer), how.learning_rate, sorted(how.optimizer_options.items()))
    if how.goes_on and model.compiled and model.recipe == recipe:
        return
    model.recipe = recipe
    with single_precision():
        optimizer = make_optimizer(how.optimizer, how.learning_rate, how.optimizer_options)
        model.compile(optimizer=optimizer, jit_compile=False)
        # Variables that are created while the first batch is traced would cause a second tracing.
        model.optimizer.build(model.trainable_variables)
    model.warmup_steps = int(how.kl_warmup * n_steps) if not how.goes_on else 0


def _first_compared(model: Any, steps_per_epoch: int) -> int:
    """Index of the first epoch that is entirely after the warm-up of the KL."""
    left = int(model.warmup_steps) - int(model.optimizer.iterations.numpy())
    return max(0, -(-left // steps_per_epoch))


def _warn_that_nothing_is_compared(how: Pretraining) -> None:
    warnings.warn(
        f"early_stopping=True compares nothing, and the weights of the last epoch are kept: the warm-up of the KL"
        f" (kl_warmup={how.kl_warmup}) lasts into the last of epochs={how.epochs}. Set more epochs or a lower"
        " kl_warmup.",
        UserWarning,
        stacklevel=stacklevel_of_user(),
    )
