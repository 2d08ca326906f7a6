"""The autoencoder in a classifier: frozen, new, or from a warm start."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from .._base.seeds import SeedSequence
from .._base.stacklevel import stacklevel_of_user
from .._texts.validation import joined
from .parameters import check_unchanged


def with_unlabelled(
    X: list[Any] | NDArray[np.int32], X_unlabeled: Any, n_tokens: int | None = None
) -> list[Any] | NDArray[np.int32]:
    """Documents, followed by those of the fit parameter `X_unlabeled`, which may be a function.

    `n_tokens` is the number of known token ids, if there is a fitted tokenizer.
    """
    if callable(X_unlabeled):
        X_unlabeled = X_unlabeled()
        if X_unlabeled is None:
            raise ValueError("the function X_unlabeled returned None; expected texts.")
    return X if X_unlabeled is None else joined(X, X_unlabeled, n_tokens)


def frozen_autoencoder(vae: Any, kind: type, X_unlabeled: Any) -> Any:
    """The fitted estimator, of the class `kind`, in a `FrozenEstimator`."""
    fitted = vae.estimator
    if not isinstance(fitted, kind):
        raise TypeError(
            f"vae is a frozen {type(fitted).__name__}; expected FrozenEstimator({kind.__name__})."
        )
    check_is_fitted(fitted)
    warn_if_unused(X_unlabeled)
    return fitted


def warn_if_unused(X_unlabeled: Any) -> None:
    """Warn that a frozen autoencoder does not learn from `X_unlabeled`."""
    if X_unlabeled is not None:
        warnings.warn(
            "X_unlabeled is not used: vae is frozen, so it learns nothing from further texts. Remove"
            " X_unlabeled, or pass a vae that is not frozen.",
            UserWarning,
            stacklevel=stacklevel_of_user(),
        )


def new_autoencoder(classifier: Any, kind: type, default: Any, seeds: SeedSequence) -> Any:
    """The autoencoder to fit: a clone of the parameter `vae`, or a copy of `vae_` for a warm start.

    Parameters
    ----------
    classifier : TextVAEClassifier
        Not changed.
    kind : type
        The required class of `vae`.
    default : estimator
        Used if `vae` is None.
    seeds : SeedSequence
        Seeds an autoencoder without its own seed.
    """
    vae = clone(_of_kind(classifier.vae, kind, default))
    # `fit_context` skips the validation of estimators that are fitted inside `fit`.
    vae._validate_params()
    if vae.random_state is None:
        vae.set_params(random_state=seeds.next())
    if not classifier._goes_on:
        return vae
    pretrained = classifier._pretrained
    if classifier.history_ and pretrained is None:
        warnings.warn(
            "warm_start begins anew: it continues from the weights before fine-tuning, and these are not"
            " stored. Files contain them if they were saved with warm_start=True.",
            UserWarning,
            stacklevel=stacklevel_of_user(),
        )
        return vae
    fitted = classifier.vae_
    # Unknown for files of earlier versions.
    n_passes = classifier._n_passes_before if pretrained is not None else None
    n_passes = fitted.n_iter_ if n_passes is None else n_passes
    if n_passes < fitted.n_iter_:
        warnings.warn(
            f"warm_start continues from the weights before fine-tuning, which are those after {n_passes} passes over the"
            f" texts: what was learned in {fitted.n_iter_ - n_passes} later calls of partial_fit is not in them.",
            UserWarning,
            stacklevel=stacklevel_of_user(),
        )
    # A copy, so that a failing fit leaves the last one unchanged.
    vae._autoencoder = (pretrained or fitted._autoencoder).snapshot()
    vae.history_ = {name: values[:n_passes] for name, values in fitted.history_.items()}
    vae.n_iter_ = n_passes
    return vae.set_params(warm_start=True)


def _of_kind(vae: Any, kind: type, default: Any) -> Any:
    """The parameter `vae`, or what None means."""
    vae = default if vae is None else vae
    if not isinstance(vae, kind):
        raise TypeError(
            f"vae is a {type(vae).__name__}; expected a {kind.__name__}, a FrozenEstimator of a fitted one, or None."
        )
    return vae


def parameters_to_go_on(classifier: Any, default: Any) -> dict[str, Any]:
    """The parameters of `vae` for the next pass of `partial_fit`, without those whose fitted parts stay; of a frozen one, none.

    Parameters
    ----------
    classifier : TextVAEClassifier
        Fitted; not changed.
    default : estimator
        Used if `vae` is None.
    """
    if classifier._is_frozen != classifier._was_frozen:
        raise ValueError(
            f"partial_fit continues with a vae that {'was' if classifier._was_frozen else 'was not'} frozen; set vae back,"
            " or call fit to begin anew."
        )
    if classifier._is_frozen:
        return {}
    vae = _of_kind(classifier.vae, type(default), default)
    vae._validate_params()
    parameters = vae.get_params(deep=False)
    check_unchanged(classifier.vae_._autoencoder.config, parameters, "partial_fit")
    # The classifier seeds an autoencoder without its own seed.
    stays = {"tokenizer", "embedder"} | ({"random_state"} if parameters["random_state"] is None else set())
    return {name: value for name, value in parameters.items() if name not in stays}


def warn_that_nothing_is_measured(epochs: int) -> None:
    """Warn that validation texts are not used; `epochs` is the requested number of fine-tuning epochs."""
    reason = "vae is frozen and there are no head_units" if epochs else "epochs=0"
    warnings.warn(
        "X_val and y_val are not used: they measure fine-tuning, but nothing is fine-tuned"
        f" ({reason}). Remove them.",
        UserWarning,
        stacklevel=stacklevel_of_user(),
    )
