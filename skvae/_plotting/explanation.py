"""The explanation of a prediction as a picture."""

from __future__ import annotations

import html
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._writing.options import is_count
from .axes import literal, new_axes


class ExplanationDisplay:
    """What moved the margin of a class, as bars, and the text with its words coloured.

    In a notebook, the display shows the text: words that support the class on blue, words that speak against it on
    orange. A word has an equal share of each n-gram that it is in.

    Parameters
    ----------
    explanation : pandas.DataFrame
        The output of `TextVAEClassifier.explain` for one text.
    pieces : list of (str, float), default=()
        The text in pieces, and the contribution of each, in nats.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure
    bars_ : matplotlib.container.BarContainer
        Above, the parts of the class head; below, the contributions.

    See Also
    --------
    TextVAEClassifier.explain : The same as a table.

    Examples
    --------
    >>> from skvae import TextVAEClassifier
    >>> from skvae.datasets import make_reviews
    >>> from skvae.plotting import ExplanationDisplay
    >>> texts, labels = make_reviews(200, random_state=0)
    >>> classifier = TextVAEClassifier(epochs=0, random_state=0).fit(texts, labels)
    >>> display = ExplanationDisplay.from_estimator(classifier, "a dull mess", n_contributions=3)
    >>> [label.get_text() for label in display.ax_.get_yticklabels()][:4]
    ['lexical', 'vector', 'latent', 'intercept']
    >>> display.to_html().count("<span")
    3
    """

    def __init__(self, explanation: Any, pieces: Any = ()) -> None:
        self.explanation = explanation
        self.pieces = pieces

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        text: Any,
        y: Any = None,
        *,
        n_contributions: int = 10,
        merge_ngrams: bool = True,
        ax: Any = None,
        **kwargs: Any,
    ) -> ExplanationDisplay:
        """Explain the prediction for a text.

        Parameters
        ----------
        estimator : TextVAEClassifier
            Fitted on texts.
        text : str
            The text; a list of its tokens if the classifier was fitted on such.
        y : class or None, default=None
            The class to explain. None means the predicted class.
        n_contributions : int, default=10
            As in `TextVAEClassifier.explain`.
        merge_ngrams : bool, default=True
            As in `TextVAEClassifier.explain`.
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None makes a new figure.
        **kwargs : dict
            For `matplotlib.axes.Axes.barh`.

        Returns
        -------
        display : ExplanationDisplay

        Raises
        ------
        TypeError
            If `estimator` does not explain, or `text` is not one text.
        ValueError
            If the classifier was fitted on token ids, and as in `TextVAEClassifier.explain`.
        """
        if not hasattr(estimator, "explain"):
            raise TypeError(f"estimator is a {type(estimator).__name__}; expected a TextVAEClassifier.")
        check_is_fitted(estimator)
        if estimator.tokenizer_ is None:
            raise ValueError(
                "the classifier was fitted on token ids, whose words it does not know; use explain."
            )
        kind = list if estimator.tokenizer_._from_lists else str
        if not isinstance(text, kind):
            raise TypeError(
                f"text is a {type(text).__name__}; expected one text, as a {kind.__name__}, as in the fit."
            )
        if not is_count(n_contributions):
            raise ValueError(f"n_contributions={n_contributions!r}; expected an int of at least 1.")
        explanation, pieces = estimator._explanation_of_text(
            text, y, n_contributions=int(n_contributions), merge_ngrams=bool(merge_ngrams)
        )
        return cls(explanation, pieces).plot(ax=ax, **kwargs)

    def plot(self, *, ax: Any = None, **kwargs: Any) -> ExplanationDisplay:
        """Draw a bar for each part of the class head, and for each contribution.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None makes a new figure.
        **kwargs : dict
            For `matplotlib.axes.Axes.barh`.

        Returns
        -------
        display : ExplanationDisplay
        """
        if self.explanation["document"].nunique() != 1:
            n_texts = self.explanation["document"].nunique()
            raise ValueError(f"explanation is about {n_texts} texts; expected the rows of one.")
        margin, *rows = self.explanation.to_dict("records")
        parts = self.explanation.columns[list(self.explanation.columns).index("contribution") + 1 :]
        names = [*parts, *(row["name"] or row["part"] for row in rows)]
        values = np.array([*(margin[part] for part in parts), *(row["contribution"] for row in rows)])
        places = np.arange(len(names)) + 0.8 * (np.arange(len(names)) >= len(parts))
        self.ax_ = new_axes(ax, (6.0, 1.0 + 0.26 * len(names)))
        self.figure_ = self.ax_.figure
        options = {"color": np.where(values < 0, "C1", "C0")} | kwargs
        self.bars_ = self.ax_.barh(places, values, **options)
        self.ax_.bar_label(self.bars_, fmt="{:+.2f}", padding=3, fontsize="small")
        self.ax_.set_yticks(places, labels=[literal(name) for name in names])
        self.ax_.yaxis.set_inverted(True)
        self.ax_.margins(x=0.18)
        self.ax_.axvline(0, color="0.5", linewidth=1)
        self.ax_.axhline(len(parts) - 0.1, color="0.8", linewidth=1)
        self.ax_.set(
            title=f"margin of {literal(margin['class'])}: {margin['contribution']:+.2f} nats",
            xlabel="contribution, nats",
        )
        return self

    def to_html(self) -> str:
        """The text with coloured words.

        Returns
        -------
        html : str
            An element of HTML. The contribution of a word is shown when the pointer rests on it.
        """
        largest = max((abs(value) for _, value in self.pieces), default=0.0) or 1.0
        parts = []
        for piece, value in self.pieces:
            if not value:
                parts.append(html.escape(piece))
                continue
            colour = "255, 127, 14" if value < 0 else "31, 119, 180"
            parts.append(
                f'<span style="background: rgba({colour}, {0.7 * abs(value) / largest:.2f})"'
                f' title="{value:+.2f} nats">{html.escape(piece)}</span>'
            )
        margin = self.explanation.iloc[0]
        head = html.escape(f"margin of {margin['class']}: {margin['contribution']:+.2f} nats")
        return f'<div><b>{head}</b><p style="white-space: pre-wrap">{"".join(parts)}</p></div>'

    def _repr_html_(self) -> str:
        return self.to_html()
