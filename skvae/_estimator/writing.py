"""Methods that write texts, and the validation of their arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from .._base.seeds import draw_seed
from .._head.head import ClassHead
from .._head.labels import check_labels, class_indices
from .._network.fitted import FittedAutoencoder
from .._texts.containers import is_one, read_once
from .._texts.corpus import Corpus
from .._writing.guidance import Guidance
from .._writing.latents import check_latents, on_line, on_sphere
from .._writing.options import DecodingOptions, check_option_names, is_count
from .._writing.steering import LatentClasses
from .._writing.writer import write


class TextWriterMixin:
    """Writes texts from latents with the autoencoder in `_autoencoder`."""

    random_state: Any
    _autoencoder: FittedAutoencoder
    _latents: Callable[..., NDArray[np.float32]]
    passthrough: bool

    def inverse_transform(
        self,
        X: Any,
        *,
        decoding: str = "greedy",
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        beam_width: int = 4,
        no_repeat_ngram_size: int | None = None,
        random_state: Any = None,
    ) -> NDArray[Any]:
        """Write a document from each latent vector.

        Parameters
        ----------
        X : array-like of float of shape (n_samples, n_components)
            Latent vectors, as returned by `transform`. The vectors beside them, with `passthrough`, are ignored.
        decoding : {"greedy", "sample", "beam"}, default="greedy"
            "greedy": the most likely token at each step. "sample": a token drawn with its probability.
            "beam": the most likely text that a beam search finds, by log-probability over length ** 0.7. With
            a "repeat" decoder, which chooses tokens independently, it is the same as "greedy". A "bow"
            decoder always lists the words that distinguish the document, largest weight first.
        temperature : float, default=1.0
            Below 1, likely tokens are preferred; above 1, texts are more varied.
        top_k : int or None, default=None
            Draw only from this many most likely tokens.
        top_p : float or None, default=None
            Draw only from the smallest set of tokens with this total probability (nucleus sampling [1]_).
        beam_width : int, default=4
            Number of texts that the beam search keeps.
        no_repeat_ngram_size : int or None, default=None
            N-grams of this length never occur twice in a text; not with a "repeat" decoder. 3 is suitable for words.
        random_state : int, RandomState instance or None, default=None
            Seed of the draws. None means that of the estimator.

        Returns
        -------
        texts : ndarray of shape (n_samples,), dtype object, or ndarray of int32 of shape \
                (n_samples, max_length)
            One `str` per document; token ids when fitted on token ids.

        Raises
        ------
        ValueError
            If the latents are not finite or do not have `n_components` columns, or if an option
            is unknown.

        References
        ----------
        .. [1] A. Holtzman et al., "The Curious Case of Neural Text Degeneration", ICLR 2020.
           https://arxiv.org/abs/1904.09751
        """
        check_is_fitted(self)
        options = DecodingOptions(decoding, temperature, top_k, top_p, beam_width, no_repeat_ngram_size)
        return self._write(X, options, random_state)

    def _write(
        self, X: Any, options: DecodingOptions, random_state: Any, guidance: Guidance | None = None
    ) -> NDArray[Any]:
        latents = self._check_latents(X)
        return write(self._autoencoder, latents, options, self._random(random_state), guidance)

    def _check_latents(self, Z: Any, name: str = "X") -> NDArray[np.float32]:
        """Latents alone, from the output of `transform`."""
        config = self._autoencoder.config
        return check_latents(Z, config.n_components, name=name, n_beside=self.passthrough * config.dense_dim)

    def sample(
        self, n_samples: int = 1, *, decoding: str = "sample", random_state: Any = None, **options: Any
    ) -> NDArray[Any]:
        """Write documents from latents drawn from the prior N(0, I).

        Parameters
        ----------
        n_samples : int, default=1
            Number of documents.
        decoding : {"greedy", "sample", "beam"}, default="sample"
            How tokens are chosen, as in `inverse_transform`.
        random_state : int, RandomState instance or None, default=None
            Seed of the latents and the tokens. None means that of the estimator; if that is an int, each
            call writes the same texts.
        **options : dict
            `temperature`, `top_k`, `top_p`, `beam_width` and `no_repeat_ngram_size` of
            `inverse_transform`.

        Returns
        -------
        texts : ndarray of shape (n_samples,), dtype object
            As returned by `inverse_transform`.
        """
        check_is_fitted(self)
        check_option_names("TextVAETransformer.sample", options)
        random, latents = self._draw_latents(n_samples, random_state)
        return self.inverse_transform(latents, decoding=decoding, random_state=random, **options)

    def _draw_latents(
        self, n_samples: int, random_state: Any
    ) -> tuple[np.random.Generator, NDArray[np.float32]]:
        """A generator, and latents drawn from the prior with it."""
        if not is_count(n_samples):
            raise ValueError(f"n_samples={n_samples!r}; expected an int of at least 1.")
        random = self._random(random_state)
        latents = random.standard_normal((n_samples, self._autoencoder.n_components), dtype=np.float32)
        return random, latents

    def interpolate(
        self, start: Any, end: Any, n_steps: int = 5, *, path: str = "line", **options: Any
    ) -> NDArray[Any]:
        """Write documents between two points of latent space.

        Parameters
        ----------
        start, end : str, or array-like of float of shape (n_components,)
            The ends: texts, or latent vectors.
        n_steps : int, default=5
            Number of points, including both ends.
        path : {"line", "sphere"}, default="line"
            "line": straight. "sphere": along a great circle. Its points are about as far from
            the origin as the ends, where documents lie; the middle of a line is closer to it [1]_.
            Between exactly opposite ends the circle is not unique, and the path is a line.
        **options : dict
            How tokens are chosen, as in `inverse_transform`.

        Returns
        -------
        texts : ndarray of shape (n_steps,), dtype object
            As returned by `inverse_transform`.

        References
        ----------
        .. [1] T. White, "Sampling Generative Networks", 2016. https://arxiv.org/abs/1609.04468
        """
        check_is_fitted(self)
        check_option_names("TextVAETransformer.interpolate", options, "random_state")
        if not is_count(n_steps, 2):
            raise ValueError(f"n_steps={n_steps!r}; expected an int of at least 2 (both ends count).")
        if path not in ("line", "sphere"):
            raise ValueError(f"path={path!r}; expected 'line' or 'sphere'.")
        first, last = self._point(start, "start"), self._point(end, "end")
        weights = np.linspace(0.0, 1.0, n_steps, dtype=np.float32)[:, None]
        between = on_sphere if path == "sphere" else on_line
        return self.inverse_transform(between(first, last, weights), **options)

    def _point(self, end: Any, name: str) -> NDArray[np.float32]:
        if isinstance(end, str):
            return self._latents([end])
        try:
            vector = np.atleast_2d(np.asarray(end, dtype=np.float32))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name}={end!r}; expected one text or one latent vector.") from error
        latents = self._check_latents(vector, name)
        if len(latents) != 1:
            raise ValueError(f"{name} has {len(latents)} rows; expected a text or one latent vector.")
        return latents

    def _random(self, random_state: Any) -> np.random.Generator:
        if isinstance(random_state, np.random.Generator):
            return random_state
        return np.random.default_rng(draw_seed(self.random_state if random_state is None else random_state))


class ClassWriterMixin:
    """Writes texts of a class with the autoencoder in `vae_` and the class head in `_class_head`."""

    classes_: NDArray[Any]
    vae_: TextWriterMixin
    _class_head: ClassHead
    _latent_classes: LatentClasses | None

    def inverse_transform(
        self, X: Any, y: Any = None, *, guidance: float = 24.0, random_state: Any = None, **options: Any
    ) -> NDArray[Any]:
        """Write a document from each latent vector.

        Parameters
        ----------
        X : array-like of float of shape (n_samples, n_components)
            Latent vectors, as returned by `transform`.
        y : class, array-like of shape (n_samples,), or None, default=None
            The class of the documents to write, one for all or one for each. Latents are moved a
            short distance to where the class is clear, and tokens that support the class are preferred. None
            changes neither latents nor tokens.
        guidance : float, default=24.0
            Influence of the class on the choice of tokens. 0: none. 1: Bayes' rule, with what the class head
            reads of n-grams, in its lexical model and by their vectors, as the classifier [1]_. Above 1: more than Bayes'
            rule. A class is seldom clear from a word or two, so values far above 1 are needed [2]_. Once the class
            is clear, guidance has no further effect. It is not used with a "repeat" decoder, or with neither
            `lexical` nor vectors.
        random_state : int, RandomState instance or None, default=None
            Seed of the draws. None means that of `vae_`.
        **options : dict
            How tokens are chosen, as in `TextVAETransformer.inverse_transform`.

        Returns
        -------
        texts : ndarray of shape (n_samples,), dtype object
            One `str` per document; token ids when fitted on token ids.

        Raises
        ------
        ValueError
            If `vae` has no text decoder, if `y` contains a class that is not in `classes_`, and as in
            `TextVAETransformer.inverse_transform`.

        References
        ----------
        .. [1] K. Yang and D. Klein, "FUDGE: Controlled Text Generation With Future
           Discriminators", NAACL 2021. https://aclanthology.org/2021.naacl-main.276/
        .. [2] B. Krause et al., "GeDi: Generative Discriminator Guided Sequence Generation",
           Findings of EMNLP 2021. https://aclanthology.org/2021.findings-emnlp.424/
        """
        check_is_fitted(self)
        check_option_names("TextVAEClassifier.inverse_transform", options)
        classes = self._latent_classes_for("inverse_transform")
        latents = self.vae_._check_latents(X)
        _check_weight(guidance, "guidance")
        if y is None:
            return self.vae_.inverse_transform(latents, random_state=random_state, **options)
        labels = self._classes_of(y, len(latents))
        guide = self._guidance(labels, guidance)
        return self.vae_._write(
            classes.moved(latents, labels), DecodingOptions(**options), random_state, guide
        )

    def _guidance(self, labels: NDArray[np.integer], strength: float) -> Guidance:
        autoencoder = self.vae_._autoencoder
        return Guidance.of_head(
            self._class_head, autoencoder.ngram_vectors, labels, float(strength), autoencoder.n_tokens
        )

    def sample(
        self,
        n_samples: int = 1,
        y: Any = None,
        *,
        decoding: str = "sample",
        random_state: Any = None,
        **options: Any,
    ) -> NDArray[Any]:
        """Write documents of a class from latents drawn from the prior.

        Parameters
        ----------
        n_samples : int, default=1
            Number of documents.
        y : class, array-like of shape (n_samples,), or None, default=None
            The class, one for all documents or one for each, as in `inverse_transform`. None means any.
        decoding : {"greedy", "sample", "beam"}, default="sample"
            How tokens are chosen, as in `TextVAETransformer.inverse_transform`.
        random_state : int, RandomState instance or None, default=None
            Seed of the latents and the tokens. None means that of `vae_`.
        **options : dict
            `guidance`, and further options of `TextVAETransformer.inverse_transform`.

        Returns
        -------
        texts : ndarray of shape (n_samples,), dtype object
            As returned by `inverse_transform`.

        Raises
        ------
        ValueError
            As in `inverse_transform`.
        """
        check_is_fitted(self)
        check_option_names("TextVAEClassifier.sample", options, "guidance")
        self._latent_classes_for("sample")
        y = read_once(y)
        if not is_one(y) and len(y) != n_samples:
            raise ValueError(
                f"y has {len(y)} classes and n_samples={n_samples}; expected one class for all, or one for each"
                f" text: set n_samples={len(y)}."
            )
        random, latents = self.vae_._draw_latents(n_samples, random_state)
        return self.inverse_transform(latents, y, decoding=decoding, random_state=random, **options)

    def rewrite(
        self,
        X: Any,
        y: Any,
        *,
        guidance: float = 24.0,
        content_weight: float = 6.0,
        random_state: Any = None,
        **options: Any,
    ) -> NDArray[Any]:
        """Rewrite each document as one of a given class, with similar content.

        The document's latents are moved a short distance (with two classes, the shortest) to where the class is
        as clear as in the clearest tenth of its labelled texts, and decoded. Tokens are preferred that support
        the class and follow the document.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,), or array of int of shape \
                (n_samples, max_length)
            Texts, or token ids.
        y : class, or array-like of shape (n_samples,)
            The target class, one for all documents or one for each.
        guidance : float, default=24.0
            Influence of the class on the choice of tokens, as in `inverse_transform`.
        content_weight : float, default=6.0
            Bonus, in nats, for the token that follows the last written token in the document.
            Unknown tokens are skipped. A written token that is not in the document takes the place of the
            one that was due. Higher values keep more of the document, including words of the other class. With 0, only
            the latents determine the content. Not used with a "repeat" decoder.
        random_state : int, RandomState instance or None, default=None
            Seed of the draws. None means that of `vae_`.
        **options : dict
            How tokens are chosen, as in `TextVAETransformer.inverse_transform`.

        Returns
        -------
        texts : ndarray of shape (n_samples,), dtype object
            As returned by `inverse_transform`.

        Raises
        ------
        ValueError
            As in `inverse_transform`, and if `y` is None.
        """
        check_is_fitted(self)
        check_option_names("TextVAEClassifier.rewrite", options)
        classes = self._latent_classes_for("rewrite")
        _check_weight(guidance, "guidance")
        _check_weight(content_weight, "content_weight")
        if y is None:
            raise ValueError(
                f"y is None; expected one of the classes {self.classes_.tolist()}, or one for each text."
            )
        autoencoder = self.vae_._autoencoder
        corpus = autoencoder.read(X, fitted=self)
        labels = self._classes_of(y, len(corpus))
        latents = autoencoder.posterior(autoencoder.prepare(corpus))[0]
        tokenizer = autoencoder.tokenizer
        if tokenizer is not None and tokenizer.truncation == "pre":
            # The decoder was trained on the ends of documents.
            corpus = Corpus.from_matrix(corpus.padded(autoencoder.max_length, truncation="pre"))
        guide = replace(
            self._guidance(labels, guidance),
            source=corpus,
            content_weight=float(content_weight),
        )
        return self.vae_._write(
            classes.moved(latents, labels), DecodingOptions(**options), random_state, guide
        )

    def _classes_of(self, y: Any, n_samples: int) -> NDArray[np.int64]:
        """Index of the class of each document, from one class for all or one for each."""
        if is_one(y):
            y = [y.item() if isinstance(y, np.ndarray) else y] * n_samples
        return class_indices(check_labels(y, n_samples)[1], self.classes_)

    def _latent_classes_for(self, method: str) -> LatentClasses:
        if self._latent_classes is None:
            raise ValueError(
                f"{method} needs a text decoder, but vae has decoder='bow'; fit with"
                " vae=TextVAETransformer(decoder='gru')."
            )
        return self._latent_classes


def _check_weight(weight: Any, name: str) -> None:
    if not isinstance(weight, Real) or not 0 <= float(weight) < np.inf:
        raise ValueError(f"{name}={weight!r}; expected a finite number of at least 0.")
