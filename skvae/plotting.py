"""Plots of fitted estimators, in the style of scikit-learn's Displays."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from ._head.labels import labels_array
from ._plotting.axes import literal, new_axes, new_panels, pyplot
from ._plotting.explanation import ExplanationDisplay
from ._texts.containers import read_once
from ._texts.validation import is_missing
from ._writing.options import is_count

__all__ = [
    "ExplanationDisplay",
    "InterpolationDisplay",
    "LatentSpaceDisplay",
    "LatentWordsDisplay",
    "TrainingHistoryDisplay",
]

# Distinct colours of matplotlib's cycle.
_N_COLOURS = 10
_TEXT_WIDTH = 48


class LatentSpaceDisplay:
    """Documents as points on a plane through latent space.

    Parameters
    ----------
    points : ndarray of shape (n_samples, 2)
        Position of each document.
    labels : array-like of shape (n_samples,) or None, default=None
        Labels that determine the colours of the points.
    axis_names : tuple of str, default=("first axis", "second axis")
        Labels of the axes.

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
        """Draw the latents of a fitted estimator.

        Parameters
        ----------
        estimator : TextVAETransformer, TextVAEClassifier or a pipeline that ends in one
            Fitted.
        X : 1-D collection of str of shape (n_samples,)
            The documents.
        y : array-like of shape (n_samples,) or None, default=None
            Labels that determine the colours of the points; documents with a missing one (None, NaN) are grey.
        projection : transformer or None, default=None
            Maps latents to two dimensions, by `fit_transform`. None means `PCA(2)`, or the latent itself if there is one.
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None makes a new figure.
        **kwargs : dict
            For `matplotlib.axes.Axes.scatter`.

        Returns
        -------
        display : LatentSpaceDisplay
        """
        check_is_fitted(estimator)
        if isinstance(estimator, Pipeline):
            X = estimator[:-1].transform(X) if len(estimator) > 1 else X
            estimator = estimator[-1]
        # The latents alone, whatever `transform` hands on beside them.
        latents = getattr(estimator, "_latents", estimator.transform)(X)
        return cls.from_latents(latents, y, projection=projection, ax=ax, **kwargs)

    @classmethod
    def from_latents(
        cls, latents: Any, y: Any = None, *, projection: Any = None, ax: Any = None, **kwargs: Any
    ) -> LatentSpaceDisplay:
        """Draw latents.

        Parameters
        ----------
        latents : array-like of shape (n_samples, n_components)
            The output of `transform`; of one with `passthrough`, the first `n_components` columns.
        y : array-like of shape (n_samples,) or None, default=None
            Labels that determine the colours of the points.
        projection : transformer or None, default=None
            Maps latents to two dimensions, by `fit_transform`. None means `PCA(2)`; a single latent is drawn alone.
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None makes a new figure.
        **kwargs : dict
            For `matplotlib.axes.Axes.scatter`.

        Returns
        -------
        display : LatentSpaceDisplay
        """
        # The memory order is fixed, since it changes the last digit of sums.
        latents = np.ascontiguousarray(latents)
        y = None if y is None else labels_array(read_once(y), "y")[0].ravel()
        if y is not None and len(y) != len(latents):
            raise ValueError(f"y has {len(y)} labels for {len(latents)} documents; expected one each.")
        if projection is None:
            points, names = _principal_components(latents)
        else:
            points = np.asarray(projection.fit_transform(latents))
            if points.ndim != 2 or points.shape[1] != 2:
                raise ValueError(
                    f"projection returned points of shape {points.shape}; expected ({len(latents)}, 2), as from"
                    " PCA(n_components=2)."
                )
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
        self.ax_ = new_axes(ax)
        self.figure_ = self.ax_.figure
        options = {"s": 8, "alpha": 0.6, "linewidths": 0} | kwargs
        if self.labels is None:
            self.scatters_ = [self.ax_.scatter(*self.points.T, **options)]
        else:
            self.scatters_ = [
                self.ax_.scatter(*self.points[rows].T, **({"label": name, "color": colour} | options))
                for name, rows, colour in _groups(self.labels)
            ]
            legend = self.ax_.legend(markerscale=2)
            for handle in legend.legend_handles:
                handle.set_alpha(1)
        self.ax_.set(xlabel=self.axis_names[0], ylabel=self.axis_names[1])
        return self


def _principal_components(latents: NDArray[Any]) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Points in two dimensions, and names of the axes."""
    if latents.shape[1] == 1:
        return np.hstack([latents, np.zeros_like(latents)]), ("the latent", "")
    if len(latents) < 2:
        raise ValueError(
            "there is 1 document, which has no principal components; pass two documents or more."
        )
    # Another solver would be chosen by the number of documents, and draw from NumPy's global generator.
    projection = PCA(2, svd_solver="full")
    with np.errstate(invalid="ignore"):
        points = np.asarray(projection.fit_transform(latents))
    shares = projection.explained_variance_ratio_
    return points, tuple(
        f"{order} principal component" + (f" ({share:.0%} of the variance)" if np.isfinite(share) else "")
        for order, share in zip(("first", "second"), shares, strict=True)
    )


def _groups(labels: Any) -> list[tuple[str, NDArray[np.int64], Any]]:
    """Name, rows and colour of the documents of each label; those without one come first."""
    rows_of: dict[Any, list[int]] = {}
    for row, label in enumerate(labels):
        rows_of.setdefault(None if is_missing(label) else label, []).append(row)
    missing = rows_of.pop(None, None)
    try:
        order = sorted(rows_of)
    except TypeError:
        order = sorted(rows_of, key=str)
    colours = [f"C{number}" for number in range(len(order))]
    if len(order) > _N_COLOURS:
        colours = list(pyplot().get_cmap("nipy_spectral")(np.linspace(0.05, 0.95, len(order))))
    groups = [
        # A name that begins with "_" would not be in the legend.
        (" " * str(label).startswith("_") + literal(label), np.array(rows_of[label]), colour)
        for label, colour in zip(order, colours, strict=True)
    ]
    return groups if missing is None else [("no label", np.array(missing), "0.7"), *groups]


class TrainingHistoryDisplay:
    """Each part of the loss over the epochs, and the accuracies.

    Parameters
    ----------
    history : dict of str to list of float
        `history_` of an estimator: losses in nats per document, accuracies as shares.
    pretraining : dict of str to list of float or None, default=None
        `history_` of the autoencoder of a classifier, which minimises another loss; drawn first, in panels of its own.

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

    def __init__(
        self, history: dict[str, list[float]], *, pretraining: dict[str, list[float]] | None = None
    ) -> None:
        self.history = history
        self.pretraining = pretraining

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None) -> TrainingHistoryDisplay:
        """Draw the history of a fitted estimator.

        Parameters
        ----------
        estimator : TextVAETransformer or TextVAEClassifier
            Fitted. Of a classifier, the training of its autoencoder is drawn first.
        ax : array of matplotlib.axes.Axes or None, default=None
            Where to draw, one for each part; None makes a new figure.

        Returns
        -------
        display : TrainingHistoryDisplay
        """
        check_is_fitted(estimator)
        vae = getattr(estimator, "vae_", None)
        return cls(estimator.history_, pretraining=None if vae is None else vae.history_).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> TrainingHistoryDisplay:
        """Draw one panel for each part of the loss.

        Parameters
        ----------
        ax : array of matplotlib.axes.Axes or None, default=None
            Where to draw, one for each part; None makes a new figure.

        Returns
        -------
        display : TrainingHistoryDisplay
        """
        phases = {"": self.history}
        if self.pretraining is not None:
            phases = {"pre-training: ": self.pretraining, "fine-tuning: ": self.history}
        panels = [
            (phase, part, history)
            for phase, history in phases.items()
            for part in history
            if not part.startswith("val_")
        ]
        if not panels:
            raise ValueError("the history is empty: this estimator was fitted without training a network.")
        self.axes_ = new_panels(ax, len(panels), min(len(panels), 4), (3.2, 2.8))
        self.figure_ = self.axes_[0].figure
        for axis, (phase, part, history) in zip(self.axes_, panels, strict=True):
            for name, label in ((part, "training"), (f"val_{part}", "validation")):
                values = history.get(name)
                if values is not None:
                    axis.plot(range(1, len(values) + 1), values, marker=".", label=label)
            axis.set(title=phase + part, xlabel="epoch")
            axis.xaxis.get_major_locator().set_params(integer=True)
            axis.set_ylabel("share" if part.endswith("accuracy") else "nats per document")
            if len(axis.get_lines()) > 1 and not any(other.get_legend() for other in self.axes_):
                axis.legend()
        return self


class InterpolationDisplay:
    """Texts between two texts, with the predictions of a classifier.

    Parameters
    ----------
    texts : array-like of str of shape (n_steps,)
        The texts along the path, including both ends.
    probabilities : array-like of float of shape (n_steps,)
        Probability of the class for each text.
    class_name : object
        The class.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure
    line_ : matplotlib.lines.Line2D
        The curve.

    See Also
    --------
    TextVAETransformer.interpolate : The texts alone.

    Examples
    --------
    >>> from skvae.plotting import InterpolationDisplay
    >>> texts = ["a dull film", "a fair film", "a great film"]
    >>> display = InterpolationDisplay(texts, [0.1, 0.4, 0.9], class_name="good").plot()
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['a dull film', 'a fair film', 'a great film']
    """

    def __init__(self, texts: Any, probabilities: Any, *, class_name: Any) -> None:
        self.texts = texts
        self.probabilities = probabilities
        self.class_name = class_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        start: Any,
        end: Any,
        *,
        classifier: Any = None,
        y: Any = None,
        n_steps: int = 7,
        path: str = "line",
        ax: Any = None,
        **kwargs: Any,
    ) -> InterpolationDisplay:
        """Interpolate between two texts and draw the classifier's prediction for each step.

        Parameters
        ----------
        estimator : TextVAETransformer or TextVAEClassifier
            Fitted on texts, with a text decoder.
        start, end : str, or array-like of float of shape (n_components,)
            The ends: texts, or latent vectors.
        classifier : classifier of texts or None, default=None
            Its `predict_proba` classifies the texts. None means `estimator`.
        y : class or None, default=None
            The class whose probability is drawn; None means the last of `classifier.classes_`.
        n_steps : int, default=7
            Number of texts, including both ends.
        path : {"line", "sphere"}, default="line"
            As in `TextVAETransformer.interpolate`.
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None makes a new figure.
        **kwargs : dict
            For `matplotlib.axes.Axes.plot`.

        Returns
        -------
        display : InterpolationDisplay

        Raises
        ------
        ValueError
            If `y` is not a class of the classifier, or there is no classifier.
        """
        check_is_fitted(estimator)
        classifier = estimator if classifier is None else classifier
        if not hasattr(classifier, "predict_proba"):
            raise ValueError(
                f"{type(classifier).__name__} does not classify; pass a fitted text classifier as classifier=."
            )
        classes = list(classifier.classes_)
        y = classes[-1] if y is None else y
        if y not in classes:
            raise ValueError(f"y={y!r}; expected one of the classes {classes}.")
        writer = getattr(estimator, "vae_", estimator)
        texts = writer.interpolate(start, end, n_steps, path=path)
        probabilities = classifier.predict_proba(texts)[:, classes.index(y)]
        return cls(texts, probabilities, class_name=y).plot(ax=ax, **kwargs)

    def plot(self, *, ax: Any = None, **kwargs: Any) -> InterpolationDisplay:
        """Draw the texts along one axis and the probability along the other.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None makes a new figure.
        **kwargs : dict
            For `matplotlib.axes.Axes.plot`.

        Returns
        -------
        display : InterpolationDisplay
        """
        labels = [textwrap.fill(str(text), _TEXT_WIDTH) for text in self.texts]
        n_lines = sum(label.count("\n") + 1 for label in labels)
        steps = np.arange(len(labels))
        self.ax_ = new_axes(ax, (7.5, 1.0 + 0.24 * (n_lines + len(labels))))
        self.figure_ = self.ax_.figure
        (self.line_,) = self.ax_.plot(self.probabilities, steps, **({"marker": "o"} | kwargs))
        self.ax_.set_yticks(steps, labels=[literal(label) for label in labels])
        self.ax_.yaxis.set_inverted(True)
        self.ax_.set(xlim=(-0.03, 1.03), xlabel=f"probability of {literal(self.class_name)}")
        self.ax_.axvline(0.5, color="0.7", linewidth=1, zorder=0)
        return self


class LatentWordsDisplay:
    """The words that become less and more frequent as each latent grows.

    Parameters
    ----------
    weights : ndarray of shape (n_latents, n_words)
        How much the frequency of each word grows with each latent.
    words : array-like of str of shape (n_words,)
        The words.
    names : array-like of shape (n_latents,)
        Names of the latents.

    Attributes
    ----------
    axes_ : ndarray of matplotlib.axes.Axes of shape (n_latents,)
        One for each latent.
    figure_ : matplotlib.figure.Figure

    Examples
    --------
    >>> import numpy as np
    >>> from skvae.plotting import LatentWordsDisplay
    >>> weights = np.array([[-1.0, 0.2, 2.0], [0.1, 3.0, -2.0]])
    >>> display = LatentWordsDisplay(weights, ["dull", "cast", "great"], names=["0", "1"]).plot(n_words=2)
    >>> [label.get_text() for label in display.axes_[0].get_yticklabels()]
    ['dull', 'great']
    """

    def __init__(self, weights: NDArray[Any], words: Any, *, names: Any) -> None:
        self.weights = weights
        self.words = words
        self.names = names

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, latents: Any = None, n_words: int = 10, ax: Any = None, **kwargs: Any
    ) -> LatentWordsDisplay:
        """Draw the words of latents according to the bag-of-words decoder.

        Parameters
        ----------
        estimator : TextVAETransformer or TextVAEClassifier
            Fitted, with a `bow_weight` above 0.
        latents : array-like of int or None, default=None
            The latents to draw. None means the six with the largest effect on the words.
        n_words : int, default=10
            Number of words for each latent, half of them from each end.
        ax : array of matplotlib.axes.Axes or None, default=None
            Where to draw, one for each latent; None makes a new figure.
        **kwargs : dict
            For `matplotlib.axes.Axes.barh`.

        Returns
        -------
        display : LatentWordsDisplay

        Raises
        ------
        AttributeError
            If the autoencoder was fitted with `bow_weight=0`.
        ValueError
            If there is no such latent.
        """
        check_is_fitted(estimator)
        vae = getattr(estimator, "vae_", estimator)
        # The largest components belong to rare words, which hardly change the text. Reading them checks that they exist.
        n_latents = len(vae.components_)
        weights = vae._autoencoder.distinctive_words()
        if latents is None:
            latents = np.argsort(-np.linalg.norm(weights, axis=1), kind="stable")[:6]
        latents = np.atleast_1d(latents)
        if (
            not len(latents)
            or latents.dtype.kind not in "iu"
            or not np.isin(latents, np.arange(n_latents)).all()
        ):
            raise ValueError(f"latents={latents.tolist()}; expected numbers from 0 to {n_latents - 1}.")
        names = [f"latent {latent}" for latent in latents]
        return cls(weights[latents], vae.words_, names=names).plot(n_words=n_words, ax=ax, **kwargs)

    def plot(self, *, n_words: int = 10, ax: Any = None, **kwargs: Any) -> LatentWordsDisplay:
        """Draw a panel of bars for each latent.

        Parameters
        ----------
        n_words : int, default=10
            Number of words for each latent, half of them from each end.
        ax : array of matplotlib.axes.Axes or None, default=None
            Where to draw, one for each latent; None makes a new figure.
        **kwargs : dict
            For `matplotlib.axes.Axes.barh`.

        Returns
        -------
        display : LatentWordsDisplay
        """
        if not is_count(n_words):
            raise ValueError(f"n_words={n_words!r}; expected an int of at least 1.")
        words = np.asarray(self.words, dtype=object)
        self.axes_ = new_panels(ax, len(self.weights), min(len(self.weights), 3), (3.0, 0.6 + 0.22 * n_words))
        self.figure_ = self.axes_[0].figure
        for axis, weights, name in zip(self.axes_, self.weights, self.names, strict=True):
            order = np.argsort(weights, kind="stable")
            order = order[weights[order] != 0]
            less = order[: n_words // 2]
            chosen = np.concatenate([less, order[len(less) :][-(n_words - len(less)) :]])
            colours = np.where(weights[chosen] < 0, "C1", "C0")
            axis.barh(np.arange(len(chosen)), weights[chosen], **({"color": colours} | kwargs))
            axis.set_yticks(np.arange(len(chosen)), labels=[literal(word) for word in words[chosen]])
            axis.axvline(0, color="0.5", linewidth=1)
            axis.set(title=name, xticks=[])
        return self
