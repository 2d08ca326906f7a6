"""Parameters that are routed to Keras by their name, such as `optimizer__clipnorm`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from sklearn.base import BaseEstimator

# Arguments of `Model.fit` that do not change what is trained on.
_OF_FIT = ("verbose", "validation_freq")


class KerasParamsMixin:
    """An estimator whose parameter `keras_params` holds what is routed to Keras."""

    keras_params: dict[str, Any] | None
    _routed_to: tuple[str, ...] = ("optimizer",)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters of this estimator; with `deep`, also those routed to Keras, by name.

        Parameters
        ----------
        deep : bool, default=True
            Whether to also list the parameters of contained estimators.

        Returns
        -------
        params : dict of str to object
        """
        params: dict[str, Any] = BaseEstimator.get_params(self, deep=deep)
        return params | self._routed() if deep else params

    def _without_routed(self, params: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in params.items() if not is_routed(name, self._routed_to)}

    def _take_routed(self, params: dict[str, Any]) -> None:
        """Set those parameters that are routed to Keras."""
        routed = {name: value for name, value in params.items() if is_routed(name, self._routed_to)}
        if routed:
            # A new dict, since clones may share the old one.
            self.keras_params = self._routed() | routed

    def _routed(self) -> dict[str, Any]:
        # Constructors do not validate: `fit` refuses other types than dict.
        return dict(self.keras_params) if isinstance(self.keras_params, dict) else {}

    def _check_routed(self) -> None:
        """Refuse entries of `keras_params` that have no target."""
        wrong = [name for name in self.keras_params or () if not is_routed(name, self._routed_to)]
        if wrong:
            prefixes = " or ".join(f"{name}__" for name in self._routed_to)
            raise ValueError(
                f"keras_params holds {wrong[0]!r}; expected names that begin with {prefixes}, for example"
                " 'optimizer__clipnorm'."
            )

        for name in self.keras_params or ():
            if name.startswith("fit__") and name.removeprefix("fit__") not in _OF_FIT:
                raise ValueError(
                    f"{name} cannot be passed on: the network is trained on batches that skvae makes. Expected"
                    f" {' or '.join(f'fit__{option}' for option in _OF_FIT)}; epochs, batch_size, callbacks and the like are"
                    " parameters of the estimators."
                )

    def _optimizer_options(self) -> dict[str, Any]:
        """Arguments of the optimizer."""
        return {
            name.removeprefix("optimizer__"): value
            for name, value in self._routed().items()
            if name.startswith("optimizer__")
        }


def routes_to_keras(init: Callable[..., None]) -> Callable[..., None]:
    """Let a constructor take `optimizer__...` and the like as arguments, which become entries of `keras_params`.

    The signature is unchanged, since scikit-learn reads the parameters from it.
    """

    @functools.wraps(init)
    def wrapped(self: Any, *args: Any, **params: Any) -> None:
        routed = {name: params.pop(name) for name in list(params) if is_routed(name, self._routed_to)}
        if routed:
            params["keras_params"] = (params.get("keras_params") or {}) | routed
        init(self, *args, **params)

    return wrapped


def is_routed(name: Any, routed_to: tuple[str, ...]) -> bool:
    """Whether a parameter has a name such as `optimizer__clipnorm`."""
    prefix, separator, rest = str(name).partition("__")
    return prefix in routed_to and bool(separator) and bool(rest)
