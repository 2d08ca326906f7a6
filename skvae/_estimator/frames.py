"""Tables of what was learned: latents and documents as pandas frames."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from .._head.explanation import class_directions
from .._head.head import ClassHead
from .._network.fitted import FittedAutoencoder
from .._network.likelihood import bounds_of_each
from .._texts.ids import UNKNOWN_ID
from .._texts.validation import check_documents
from .._writing.options import is_count
from ..metrics import gaussian_kl


def pandas_for(method: str) -> Any:
    """The module pandas, or an error that says that the method needs it."""
    try:
        import pandas
    except ImportError as error:
        raise ImportError(f"{method} needs pandas; install it with: pip install pandas") from error
    return pandas


class FramesMixin:
    """Tables about the autoencoder in `_autoencoder`."""

    _autoencoder: FittedAutoencoder

    def latents_frame(self, X: Any, *, n_words: int = 5) -> Any:
        """Table of the latents: what each is about, and how much it carries.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,), or array of int of shape \
                (n_samples, max_length)
            Documents to measure on.
        n_words : int, default=5
            Number of words at each end of a latent.

        Returns
        -------
        frame : pandas.DataFrame
            A row for each latent, with the columns:

            - "latent": its number, as in the columns of `transform`.
            - "kl": mean KL divergence from the prior, in nats per document. Near 0, the latent is not used.
            - "std": standard deviation of the posterior mean over `X`.
            - "more", "less": words that become more and less frequent as the latent grows, as
              `skvae.plotting.LatentWordsDisplay` names them. Not with `bow_weight=0`.

        Raises
        ------
        ImportError
            If pandas is not installed.

        Examples
        --------
        >>> from skvae import TextVAETransformer
        >>> from skvae.datasets import make_reviews
        >>> texts, _ = make_reviews(200, random_state=0)
        >>> vae = TextVAETransformer(4, decoder="bow", epochs=2, random_state=0).fit(texts)
        >>> vae.latents_frame(texts).columns.tolist()
        ['latent', 'kl', 'std', 'more', 'less']
        """
        check_is_fitted(self)
        return _latents_frame(self._autoencoder, X, n_words, self)

    def documents_frame(self, X: Any, *, n_words: int = 5) -> Any:
        """Table of documents: how usual each is, and what is special about it.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,), or array of int of shape \
                (n_samples, max_length)
            Texts, or token ids.
        n_words : int, default=5
            Number of words for each document.

        Returns
        -------
        frame : pandas.DataFrame
            A row for each document, with the columns:

            - "text": the text; not for token ids.
            - "n_tokens": number of its tokens; "unknown": share of those that are not in the vocabulary.
            - "elbo": nats per token, with unknown tokens counted, as from `score_samples`.
            - "latent": the latent with the largest KL divergence from the prior: what distinguishes it most.
            - "words": words of the end of this latent at which the document is. Not with `bow_weight=0`.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        check_is_fitted(self)
        return _documents_frame(self._autoencoder, X, n_words, self)


class ClassFramesMixin:
    """Tables about the classifier with the autoencoder in `vae_`."""

    classes_: NDArray[Any]
    vae_: Any
    predict_proba: Any
    _class_head: ClassHead

    def latents_frame(self, X: Any, *, n_words: int = 5) -> Any:
        """Table of the latents, with their weights in the class head.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,), or array of int of shape \
                (n_samples, max_length)
            Documents to measure on.
        n_words : int, default=5
            Number of words at each end of a latent.

        Returns
        -------
        frame : pandas.DataFrame
            The table of `TextVAETransformer.latents_frame`, and "weight": the nats that are added to the log-odds of the
            second class when the latent grows by its standard deviation. With more than two classes, a column
            "weight_<class>" for each, of logits minus the average logit. The head also reads the hidden layers of a
            "bow" encoder, and vectors and n-grams, which know much of the same: the weights are not
            correlations.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        check_is_fitted(self)
        autoencoder, head = self.vae_._autoencoder, self._class_head
        X = check_documents(X, fitted=self)
        frame = _latents_frame(autoencoder, X, n_words, None)
        features = autoencoder.features(autoencoder.prepare(autoencoder.read(X)))
        reference = autoencoder.features(autoencoder.without_words())
        for label, name in enumerate(self.classes_):
            if len(self.classes_) == 2 and label == 0:
                continue
            directions = class_directions(np.full(len(features), label), head.n_outputs)
            slopes = head.latent_slopes(features, reference, directions).mean(axis=0)
            column = "weight" if len(self.classes_) == 2 else f"weight_{name}"
            frame[column] = slopes[: autoencoder.n_components] * frame["std"]
        return frame

    def documents_frame(self, X: Any, *, n_words: int = 5) -> Any:
        """Table of documents, with the predicted class and its probability.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,), or array of int of shape \
                (n_samples, max_length)
            Texts, or token ids.
        n_words : int, default=5
            Number of words for each document.

        Returns
        -------
        frame : pandas.DataFrame
            The table of `TextVAETransformer.documents_frame`, with "class" and "probability".

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        check_is_fitted(self)
        X = check_documents(X, fitted=self)
        frame = _documents_frame(self.vae_._autoencoder, X, n_words, None)
        probabilities = self.predict_proba(X)
        frame["class"] = self.classes_[probabilities.argmax(axis=1)]
        frame["probability"] = probabilities.max(axis=1)
        return frame


def _latents_frame(autoencoder: FittedAutoencoder, X: Any, n_words: int, fitted: Any) -> Any:
    pandas = pandas_for("latents_frame")
    _check_n_words(n_words)
    mean, log_variance = autoencoder.posterior(autoencoder.prepare(autoencoder.read(X, fitted=fitted)))
    of_latents = [
        gaussian_kl(mean[:, [latent]], log_variance[:, [latent]]).mean() for latent in range(mean.shape[1])
    ]
    frame = pandas.DataFrame(
        {"latent": np.arange(mean.shape[1]), "kl": of_latents, "std": mean.std(axis=0).astype(np.float64)}
    )
    if autoencoder.has_bow_decoder:
        weights = autoencoder.distinctive_words()
        for name, sign in (("more", 1), ("less", -1)):
            frame[name] = [autoencoder.words_by(sign * each, n_words) for each in weights]
    return frame


def _documents_frame(autoencoder: FittedAutoencoder, X: Any, n_words: int, fitted: Any) -> Any:
    pandas = pandas_for("documents_frame")
    _check_n_words(n_words)
    X = check_documents(X, fitted=fitted, in_lists=autoencoder.from_lists)
    corpus = autoencoder.read(X)
    mean, log_variance = autoencoder.posterior(autoencoder.prepare(corpus))
    # Nats of each latent of each document, since the prior is independent in its dimensions.
    nats = np.stack(
        [gaussian_kl(mean[:, [each]], log_variance[:, [each]]) for each in range(mean.shape[1])], axis=1
    )
    latents = nats.argmax(axis=1)
    unknown = np.add.reduceat(np.append(corpus.ids == UNKNOWN_ID, False), corpus.starts[:-1])
    unknown = np.where(corpus.lengths > 0, unknown, 0) / np.maximum(corpus.lengths, 1)
    columns: dict[str, Any] = {} if isinstance(X, np.ndarray) else {"text": X}
    columns |= {
        "n_tokens": corpus.lengths,
        "unknown": unknown,
        "elbo": bounds_of_each(autoencoder, corpus).per_token(),
        "latent": latents,
    }
    if autoencoder.has_bow_decoder:
        weights, signs = autoencoder.distinctive_words(), np.sign(mean[np.arange(len(mean)), latents])
        columns["words"] = [
            autoencoder.words_by(sign * weights[latent], n_words)
            for sign, latent in zip(signs, latents, strict=True)
        ]
    return pandas.DataFrame(columns)


def _check_n_words(n_words: int) -> None:
    if not is_count(n_words):
        raise ValueError(f"n_words={n_words!r}; expected an int of at least 1.")
