"""Pictures of fitted estimators, in the idiom of scikit-learn's Displays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.utils.validation import check_is_fitted


def _new_axes(ax: Any) -> Any:
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "skvae.plotting needs matplotlib; install it with: pip install 'skvae[plot]'"
        ) from error
    return plt.subplots(layout="constrained")[1] if ax is None else ax


class LatentSpaceDisplay:
    """Documents as points on a plane through latent space.

    Parameters
    ----------
    points : ndarray of shape (n_samples, 2)
        Where each document lies.
    labels : array-like of shape (n_samples,) or None, default=None
        What the points are coloured by.
    axis_names : tuple of str, default=("first axis", "second axis")
        What the axes show.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure
    scatters_ : list of matplotlib.collections.PathCollection
        One for each label.

    Examples
    --------
    >>> from skvae import TextVAETransformer
    >>> from skvae.datasets import make_reviews
    >>> from skvae.plotting import LatentSpaceDisplay
    >>> texts, labels = make_reviews(100, random_state=0)
    >>> vae = TextVAETransformer(decoder="bow", epochs=1, random_state=0).fit(texts)
    >>> display = LatentSpaceDisplay.from_estimator(vae, texts, labels)
    >>> display.points.shape
    (100, 2)
    """

    def __init__(
        self,
        points: NDArray[Any],
        *,
        labels: Any = None,
        axis_names: tuple[str, str] = ("first axis", "second axis"),
    ) -> None:
        self.points = points
        self.labels = labels
        self.axis_names = axis_names

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any = None, *, projection: Any = None, ax: Any = None, **kwargs: Any
    ) -> LatentSpaceDisplay:
        """Draw the latents that a fitted estimator gives.

        Parameters
        ----------
        estimator : TextVAETransformer, TextVAEClassifier or a pipeline that ends in one
            Fitted.
        X : 1-D collection of str of shape (n_samples,)
            The documents.
        y : array-like of shape (n_samples,) or None, default=None
            What the points are coloured by.
        projection : transformer or None, default=None
            From latents to two dimensions, by `fit_transform`. None means `PCA(2)`.
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None makes a new figure.
        **kwargs : dict
            For `matplotlib.axes.Axes.scatter`.

        Returns
        -------
        display : LatentSpaceDisplay
        """
        check_is_fitted(estimator)
        return cls.from_latents(estimator.transform(X), y, projection=projection, ax=ax, **kwargs)

    @classmethod
    def from_latents(
        cls, latents: Any, y: Any = None, *, projection: Any = None, ax: Any = None, **kwargs: Any
    ) -> LatentSpaceDisplay:
        """Draw latents.

        Parameters
        ----------
        latents : array-like of shape (n_samples, n_components)
        y : array-like of shape (n_samples,) or None, default=None
            What the points are coloured by.
        projection : transformer or None, default=None
            From latents to two dimensions, by `fit_transform`. None means `PCA(2)`.
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None makes a new figure.
        **kwargs : dict
            For `matplotlib.axes.Axes.scatter`.

        Returns
        -------
        display : LatentSpaceDisplay
        """
        latents = np.asarray(latents)
        if y is not None and len(y) != len(latents):
            raise ValueError(f"y has {len(y)} labels for {len(latents)} documents; expected one each.")
        if projection is None:
            projection = PCA(2)
            points = projection.fit_transform(latents)
            shares = projection.explained_variance_ratio_
            names = tuple(
                f"{order} principal component ({share:.0%} of the variance)"
                for order, share in zip(("first", "second"), shares, strict=True)
            )
        else:
            points = np.asarray(projection.fit_transform(latents))
            names = tuple(f"{order} axis of {type(projection).__name__}" for order in ("first", "second"))
        return cls(points, labels=y, axis_names=(names[0], names[1])).plot(ax=ax, **kwargs)

    def plot(self, *, ax: Any = None, **kwargs: Any) -> LatentSpaceDisplay:
        """Draw the points.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None makes a new figure.
        **kwargs : dict
            For `matplotlib.axes.Axes.scatter`.

        Returns
        -------
        display : LatentSpaceDisplay
        """
        self.ax_ = _new_axes(ax)
        self.figure_ = self.ax_.figure
        options = {"s": 8, "alpha": 0.6, "linewidths": 0} | kwargs
        if self.labels is None:
            self.scatters_ = [self.ax_.scatter(*self.points.T, **options)]
        else:
            labels = np.asarray(self.labels)
            self.scatters_ = [
                self.ax_.scatter(*self.points[labels == label].T, label=str(label), **options)
                for label in np.unique(labels)
            ]
            legend = self.ax_.legend(markerscale=2)
            for handle in legend.legend_handles:
                handle.set_alpha(1)
        self.ax_.set(xlabel=self.axis_names[0], ylabel=self.axis_names[1])
        return self


class TrainingHistoryDisplay:
    """Each part of the loss over the epochs, and the accuracies.

    Parameters
    ----------
    history : dict of str to list of float
        As the estimators' `history_`: nats per document; accuracies as shares.

    Attributes
    ----------
    axes_ : ndarray of matplotlib.axes.Axes of shape (n_parts,)
        One for each part of the loss and each accuracy.
    figure_ : matplotlib.figure.Figure

    Examples
    --------
    >>> from skvae.plotting import TrainingHistoryDisplay
    >>> history = {"loss": [3.0, 2.0], "val_loss": [3.5, 2.5], "kl": [0.5, 1.0]}
    >>> display = TrainingHistoryDisplay(history).plot()
    >>> [axes.get_title() for axes in display.axes_]
    ['loss', 'kl']
    """

    def __init__(self, history: dict[str, list[float]]) -> None:
        self.history = history

    @classmethod
    def from_estimator(cls, estimator: Any) -> TrainingHistoryDisplay:
        """Draw the history of a fitted estimator.

        Parameters
        ----------
        estimator : TextVAETransformer or TextVAEClassifier
            Fitted.

        Returns
        -------
        display : TrainingHistoryDisplay
        """
        check_is_fitted(estimator)
        return cls(estimator.history_).plot()

    def plot(self) -> TrainingHistoryDisplay:
        """Draw one panel for each part of the loss.

        Returns
        -------
        display : TrainingHistoryDisplay
        """
        import matplotlib.pyplot as plt

        parts = [name for name in self.history if not name.startswith("val_")]
        if not parts:
            raise ValueError("the history is empty: this estimator was fitted without training a network.")
        self.figure_, axes = plt.subplots(
            1, len(parts), figsize=(3.2 * len(parts), 2.8), layout="constrained", squeeze=False
        )
        self.axes_ = axes[0]
        for axis, part in zip(self.axes_, parts, strict=True):
            for name, label in ((part, "training"), (f"val_{part}", "validation")):
                values = self.history.get(name)
                if values is not None:
                    axis.plot(range(1, len(values) + 1), values, marker=".", label=label)
            axis.set(title=part, xlabel="epoch")
            axis.xaxis.get_major_locator().set_params(integer=True)
            axis.set_ylabel("share" if part.endswith("accuracy") else "nats per document")
        if any(name.startswith("val_") for name in self.history):
            self.axes_[0].legend()
        return self
