"""Training of an autoencoder with the parameters of an estimator."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._base.progress import Progress
from .._base.seeds import SeedSequence
from .._network.fitted import FittedAutoencoder
from .._texts.documents import Documents
from .parameters import resolved


def progress_of(estimator: Any) -> Progress:
    """What tells the user how far a fit of the estimator is."""
    return Progress(type(estimator).__name__, estimator.verbose)


def appended_history(before: dict[str, list[float]], added: dict[str, list[float]]) -> dict[str, list[float]]:
    """Figures of epochs, and of further ones; NaN where one of the two lacks a figure, so that places are epochs."""
    gaps = [[math.nan] * max(map(len, each.values()), default=0) for each in (before, added)]
    names = dict.fromkeys([*before, *added])
    return {name: before.get(name, gaps[0]) + added.get(name, gaps[1]) for name in names}


def train(
    estimator: Any,
    autoencoder: FittedAutoencoder,
    documents: Documents,
    seeds: SeedSequence,
    *,
    goes_on: bool,
    one_pass: bool,
    held_out: NDArray[np.int64] | None = None,
    task: Any = None,
    given: tuple[Any, Any] | None = None,
) -> dict[str, list[float]]:
    """Train an autoencoder in place.

    Parameters
    ----------
    estimator : TextVAETransformer
        Only its parameters are read; no attribute is changed.
    autoencoder : FittedAutoencoder
    documents : Documents
    seeds : SeedSequence
    goes_on : bool
        Whether the autoencoder has been trained before.
    one_pass : bool
        Whether this is a call of `partial_fit`: one epoch, without warm-up and without validation.
    held_out : ndarray of int64 or None, default=None
        Rows of the documents that measure the training, for `early_stopping`.
    task, given
        scikit-learn's callback context of the fit, and the X and y for its callbacks.

    Returns
    -------
    history : dict of str to list of float
    """
    # Imported here, since only training needs TensorFlow.
    from .._network.callbacks import ReportEpochs
    from .._network.pretraining import Pretraining, pretrain

    parameters = resolved(estimator.get_params(deep=False), len(documents))
    how = Pretraining(
        epochs=1 if one_pass else parameters["epochs"],
        recombination=0.0 if one_pass else parameters["recombination"],
        batch_size=estimator.batch_size,
        optimizer=estimator.optimizer,
        optimizer_options=estimator._optimizer_options(),
        learning_rate=parameters["learning_rate"],
        # The end of a stream of batches is not known.
        decays=parameters["learning_rate_schedule"] == "cosine" and not one_pass,
        kl_warmup=0.0 if one_pass else estimator.kl_warmup,
        callbacks=estimator.callbacks,
        patience=None if held_out is None else estimator.n_iter_no_change,
        held_out=held_out,
        progress=progress_of(estimator),
        goes_on=goes_on,
    )

    def report_of(ended: Callable[[], FittedAutoencoder]) -> ReportEpochs:
        assert given is not None
        return ReportEpochs(task, estimator, lambda: {"_autoencoder": ended()}, *given)

    return pretrain(autoencoder, documents, seeds, how, None if task is None else report_of)
