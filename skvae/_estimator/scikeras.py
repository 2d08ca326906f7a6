"""The only use of scikeras: the parts of `BaseWrapper` that are used, and the overrides that it needs.

Used: it requests the network (`_keras_build_fn`) and stores it, compiles it, routes `optimizer__...` and `fit__...`,
runs `Model.fit`, and collects `history_`. Not used: its encoders of X and y, its losses, metrics, seeds, files and
`predict`. scikeras 0.13 predates scikit-learn 1.6 and assumes numeric input arrays and one Keras loss. Each
override below gives its reason and has a test. No other module of skvae names scikeras.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

# First, since it keeps TensorFlow quiet, which scikeras would import.
from .._network.backend import keras  # noqa: F401

# isort: split
from scikeras.wrappers import BaseWrapper
from sklearn.base import BaseEstimator

from .._network.optimizer import make_optimizer, single_precision
from .._network.training import without_warnings_of_tracing
from .routing import KerasParamsMixin
from .sklearn import set_params

# Arguments of scikeras' constructor that are fixed below: tab completion does not offer them.
NOT_PARAMETERS = frozenset(
    {
        "model",
        "build_fn",
        "loss",
        "metrics",
        "validation_split",
        "validation_batch_size",
        "shuffle",
        "run_eagerly",
        "scorer",
    }
)


def _absent(estimator: Any) -> Any:
    raise AttributeError(f"{type(estimator).__name__} has no such method; use fit.")


class KerasEstimator(KerasParamsMixin, BaseWrapper):
    """A scikeras wrapper that follows the conventions of scikit-learn.

    scikeras builds the network (`_keras_build_fn`), compiles it, routes `fit__...` parameters,
    runs `Model.fit` and keeps `history_`.
    """

    # scikeras takes these as constructor arguments. They are fixed here, and not listed by get_params.
    _routed_to = ("optimizer", "fit")
    # From `verbose` to what `vae=None` means.
    _default_vae: Callable[[Any], Any]
    model = None
    build_fn = None
    loss = None
    metrics = None
    validation_split = 0.0
    validation_batch_size = None
    shuffle = False
    run_eagerly = False

    # A dataset provides the batches, so scikeras must pass only routed parameters to Model.fit.
    _fit_kwargs: set[str] = set()

    # scikeras reads the parameters from the instance's attributes and prints one per line.
    _get_param_names: Any = classmethod(BaseEstimator._get_param_names.__func__)  # type: ignore[attr-defined]
    __repr__ = BaseEstimator.__repr__

    @property
    def _random_state(self) -> None:
        # If it is not None, scikeras seeds Python, NumPy and TensorFlow for the whole process,
        # and results differ between threads. skvae passes seeds explicitly.
        return None

    @_random_state.setter
    def _random_state(self, value: Any) -> None:
        pass

    def set_params(self, **params: Any) -> KerasEstimator:
        """Set parameters of this estimator, of contained estimators, and those routed to Keras.

        Parameters
        ----------
        **params : dict
            Parameters, for example `vae__n_components=32` or `optimizer__clipnorm=1.0`; the latter is an
            entry of `keras_params`. If `vae` is None, `vae__n_components=32` sets it to
            `TextVAETransformer(decoder="bow", n_components=32)`.

        Returns
        -------
        self : estimator
        """
        own = self._without_routed(params)
        default = functools.partial(self._default_vae, own.get("verbose", self.verbose))
        set_params(self, own, {"vae": default})
        self._take_routed(params)
        return self

    # Those of scikeras would build or train without the checks and steps of `fit`.
    initialize: Any = property(_absent)
    current_epoch: Any = property(_absent)

    # Not available here: scikeras' conversion to numeric arrays, and its own record of the network.
    feature_encoder: Any = property(_absent)
    target_encoder: Any = property(_absent)
    initialized_: Any = property(_absent)

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        warm_start: bool,
        epochs: int,
        initial_epoch: int,
        **kwargs: Any,
    ) -> None:
        # That of scikeras encodes X and y first, and keeps the encoders.
        model = getattr(self, "_model", None)
        if model is None or not model.compiled:
            self.model_ = self._build_keras_model()
        self._initialize_callbacks()
        self._ensure_compiled_model()
        with without_warnings_of_tracing():
            self._fit_keras_model(
                X,
                y,
                sample_weight=sample_weight,
                warm_start=warm_start,
                epochs=epochs,
                initial_epoch=initial_epoch,
                **kwargs,
            )

    def _initialize_callbacks(self) -> None:
        # The list of callbacks is already complete; scikeras would refuse tuples and single classes.
        pass

    def _get_compile_kwargs(self) -> dict[str, Any]:
        # scikeras compiles a loss and metrics from parameters; this network computes its own.
        optimizer = make_optimizer(self.optimizer, self.learning_rate, self._optimizer_options())
        return {"optimizer": optimizer, "jit_compile": False}

    def _ensure_compiled_model(self) -> None:
        # scikeras refuses a network without a `loss` of Keras' own.
        if self.model_.compiled:
            return
        with single_precision():
            self.model_.compile(**self._get_compile_kwargs())
            # Variables that are created while the first batch is traced would cause a second tracing.
            self.model_.optimizer.build(self.model_.trainable_variables)
