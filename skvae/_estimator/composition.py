"""The autoencoder that a classifier holds: a frozen one, a new one, or one that goes on."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from .._base.seeds import SeedSequence
from .._base.stacklevel import stacklevel_of_user
from .._texts.validation import joined


def with_unlabelled(X: list[Any] | NDArray[np.int32], X_unlabeled: Any) -> list[Any] | NDArray[np.int32]:
    """Documents, and behind them those of the fit parameter `X_unlabeled`, which may be a function."""
    if callable(X_unlabeled):
        X_unlabeled = X_unlabeled()
        if X_unlabeled is None:
            raise ValueError("the function X_unlabeled returned None; expected texts.")
    return X if X_unlabeled is None else joined(X, X_unlabeled)


def frozen_autoencoder(vae: Any, kind: type, X_unlabeled: Any) -> Any:
    """The fitted estimator, of the class `kind`, in a `FrozenEstimator`."""
    fitted = vae.estimator
    if not isinstance(fitted, kind):
        raise TypeError(
            f"vae is a frozen {type(fitted).__name__}; expected FrozenEstimator({kind.__name__})."
        )
    check_is_fitted(fitted)
    if X_unlabeled is not None:
        warnings.warn(
            "X_unlabeled is not used: vae is frozen, so it learns nothing from further texts. Leave"
            " X_unlabeled out, or pass a vae that is not frozen.",
            UserWarning,
            stacklevel=stacklevel_of_user(),
        )
    return fitted


def new_autoencoder(classifier: Any, kind: type, default: Any, seeds: SeedSequence) -> Any:
    """What is to be fitted: a clone of the parameter `vae`, or with a warm start a copy of `vae_`.

    Parameters
    ----------
    classifier : TextVAEClassifier
        Is not changed.
    kind : type
        The class that `vae` must be of.
    default : estimator
        In the place of None.
    seeds : SeedSequence
        Gives the seed of an autoencoder that has none of its own.
    """
    vae = default if classifier.vae is None else classifier.vae
    if not isinstance(vae, kind):
        raise TypeError(
            f"vae is a {type(vae).__name__}; expected a {kind.__name__}, a FrozenEstimator of a fitted one, or None."
        )
    vae = clone(vae)
    # `fit_context` leaves out the validation of what is fitted inside `fit`.
    vae._validate_params()
    if vae.random_state is None:
        vae.set_params(random_state=seeds.next())
    if not classifier.warm_start or not classifier.__sklearn_is_fitted__() or classifier._was_frozen:
        return vae
    pretrained = classifier._pretrained
    if classifier.history_ and pretrained is None:
        warnings.warn(
            "warm_start begins anew: the weights of before the fine-tuning, from which it would go on, are not"
            " stored. Files hold them where they were saved with warm_start=True.",
            UserWarning,
            stacklevel=stacklevel_of_user(),
        )
        return vae
    # A copy, so that a fit that fails leaves the last one as it was.
    fitted = pickle.loads(pickle.dumps(classifier.vae_))
    if pretrained is not None:
        fitted._autoencoder = pickle.loads(pickle.dumps(pretrained))
    return fitted.set_params(**vae.get_params(deep=False) | {"warm_start": True})


def warn_that_nothing_is_measured(epochs: int) -> None:
    """Say that validation texts are of no use; `epochs` are those of fine-tuning that were asked for."""
    reason = "vae is frozen and there are no head_units" if epochs else "epochs=0"
    warnings.warn(
        "X_val and y_val are not used: they measure fine-tuning, and nothing is fine-tuned"
        f" ({reason}). Leave them out.",
        UserWarning,
        stacklevel=stacklevel_of_user(),
    )
