"""Tables of what was learned: latents and documents as pandas frames."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from .._head.explanation import class_directions
from .._head.head import ClassHead
from .._head.logits import log_probabilities
from .._network.fitted import FittedAutoencoder
from .._network.likelihood import bounds_of_each
from .._texts.corpus import Corpus
from .._texts.documents import Documents
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
        return _latents_frame(self._autoencoder, self._autoencoder.read(X, fitted=self), n_words)

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
            A row for each document, with the index of `X` if that is a pandas object, and the columns:

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
        texts, index = _texts_and_index(X, self._autoencoder, self)
        corpus = self._autoencoder.read(texts)
        documents = self._autoencoder.prepare(corpus)
        return _documents_frame(self._autoencoder, texts, corpus, documents, n_words, index)


class ClassFramesMixin:
    """Tables about the classifier with the autoencoder in `vae_`."""

    classes_: NDArray[Any]
    vae_: Any
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
        corpus = autoencoder.read(X, fitted=self)
        frame = _latents_frame(autoencoder, corpus, n_words)
        features = autoencoder.features(autoencoder.prepare(corpus))
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
        autoencoder, head = self.vae_._autoencoder, self._class_head
        texts, index = _texts_and_index(X, autoencoder, self)
        corpus = autoencoder.read(texts)
        documents = autoencoder.prepare(corpus)
        frame = _documents_frame(autoencoder, texts, corpus, documents, n_words, index)
        logits = head.logits(autoencoder.features(documents), head.inputs(corpus, documents))
        probabilities = np.exp(log_probabilities(logits))
        frame["class"] = self.classes_[probabilities.argmax(axis=1)]
        frame["probability"] = probabilities.max(axis=1)
        return frame


def _latents_frame(autoencoder: FittedAutoencoder, corpus: Corpus, n_words: int) -> Any:
    pandas = pandas_for("latents_frame")
    _check_n_words(n_words)
    mean, log_variance = autoencoder.posterior(autoencoder.prepare(corpus))
    kl = _kl_of_latents(mean, log_variance).mean(axis=0)
    std = mean.std(axis=0).astype(np.float64)
    frame = pandas.DataFrame({"latent": np.arange(mean.shape[1]), "kl": kl, "std": std})
    if autoencoder.has_bow_decoder:
        frame["more"], frame["less"] = _words_of_ends(autoencoder, n_words)
    return frame


def _kl_of_latents(mean: NDArray[np.float32], log_variance: NDArray[np.float32]) -> NDArray[np.float64]:
    """Nats of each latent of each document: the prior is independent in its dimensions."""
    each = [gaussian_kl(mean[:, [row]], log_variance[:, [row]]) for row in range(mean.shape[1])]
    return np.stack(each, axis=1)


def _words_of_ends(autoencoder: FittedAutoencoder, n_words: int) -> list[list[str]]:
    """For the upper and the lower end of each latent, its words joined by ", "."""
    weights, words = autoencoder.distinctive_words(), autoencoder.words
    ends = []
    for signed in (weights, -weights):
        orders = np.argsort(-signed, axis=1, kind="stable")[:, :n_words]
        ends.append(
            [", ".join(map(str, words[o[own[o] > 0]])) for own, o in zip(signed, orders, strict=True)]
        )
    return ends


def _texts_and_index(X: Any, autoencoder: FittedAutoencoder, fitted: Any) -> tuple[Any, Any]:
    """Validated documents, and the row labels of a pandas object."""
    index = X.index if hasattr(X, "iloc") else None
    n_tokens = None if autoencoder.tokenizer is None else autoencoder.tokenizer.n_tokens_
    return check_documents(X, fitted=fitted, n_tokens=n_tokens), index


def _documents_frame(
    autoencoder: FittedAutoencoder,
    texts: Any,
    corpus: Corpus,
    documents: Documents,
    n_words: int,
    index: Any,
) -> Any:
    pandas = pandas_for("documents_frame")
    _check_n_words(n_words)
    mean, log_variance = autoencoder.posterior(documents)
    latents = _kl_of_latents(mean, log_variance).argmax(axis=1)
    n_unknown = np.add.reduceat(np.append(corpus.ids == UNKNOWN_ID, False), corpus.starts[:-1])
    columns: dict[str, Any] = {} if isinstance(texts, np.ndarray) else {"text": texts}
    columns |= {
        "n_tokens": corpus.lengths,
        "unknown": np.where(corpus.lengths > 0, n_unknown, 0) / np.maximum(corpus.lengths, 1),
        "elbo": bounds_of_each(autoencoder, corpus).per_token(),
        "latent": latents,
    }
    if autoencoder.has_bow_decoder:
        more, less = (np.array(words, dtype=object) for words in _words_of_ends(autoencoder, n_words))
        upper = mean[np.arange(len(mean)), latents] > 0
        columns["words"] = np.where(upper, more[latents], less[latents])
    return pandas.DataFrame(columns, index=index)


def _check_n_words(n_words: int) -> None:
    if not is_count(n_words):
        raise ValueError(f"n_words={n_words!r}; expected an int of at least 1.")
