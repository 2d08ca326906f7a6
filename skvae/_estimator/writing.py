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
from .._head.head import ClassHead, NgramClasses
from .._head.labels import check_labels, class_indices
from .._network.fitted import FittedAutoencoder
from .._texts.containers import is_one, read_once
from .._texts.corpus import Corpus
from .._writing.editing import Editor, pieces_of
from .._writing.guidance import Guidance
from .._writing.latents import check_latents, on_line, on_sphere
from .._writing.options import DecodingOptions, check_option_names, is_count
from .._writing.steering import LatentClasses
from .._writing.writer import write, write_edited

# Of each method of `rewrite`: guidance where the likeliest class leads the next by one nat on average, and content weight.
_REWRITING_WEIGHTS = {"edit": (25.0, 2.0), "decode": (20.0, 6.0)}
# A head that can hardly tell the classes must not overrule the decoder. Without out-of-fold predictions, the lead is taken
# for a usual one.
_SMALLEST_LEAD, _USUAL_LEAD = 0.5, 4.0


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
        decoding: str = "beam",
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
        decoding : {"beam", "greedy", "sample"}, default="beam"
            "beam": the most likely text that a beam search finds, by the mean log-probability of its
            tokens, the end included. With a "repeat" decoder, which chooses tokens independently, it is the same as "greedy". "greedy": the most
            likely token at each step, several times as fast. "sample": a token drawn with its probability. A "bow"
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
            If the latents are not finite or do not have `n_components` columns, if an option is out of range, or if
            `temperature`, `top_k` or `top_p` is set and nothing is drawn.

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
        # A `RandomState` does not go on if nothing is drawn from it.
        random = self._random(random_state) if options.decoding == "sample" else None
        return write(self._autoencoder, latents, options, random, guidance)

    def _check_latents(self, Z: Any, name: str = "X") -> NDArray[np.float32]:
        """Latents alone, from the output of `transform`."""
        config = self._autoencoder.config
        return check_latents(Z, config.n_components, name=name, n_beside=self.passthrough * config.dense_dim)

    def sample(
        self,
        n_samples: int = 1,
        *,
        prior: str = "fitted",
        decoding: str = "beam",
        random_state: Any = None,
        **options: Any,
    ) -> NDArray[Any]:
        """Write documents from latents drawn from a prior.

        Parameters
        ----------
        n_samples : int, default=1
            Number of documents.
        prior : {"fitted", "standard"}, default="fitted"
            "fitted": a Gaussian with the mean and the covariance of the latents of the training documents (ex-post
            density estimation [1]_). "standard": N(0, I), where some regions hold no document.
        decoding : {"beam", "greedy", "sample"}, default="beam"
            How tokens are chosen, as in `inverse_transform`. The draw of the latents makes documents differ. If the
            tokens are drawn too ("sample"), they are more varied and less fluent.
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

        Raises
        ------
        ValueError
            If `n_samples` is not a positive int, and as in `inverse_transform`.
        TypeError
            If an option is unknown.

        References
        ----------
        .. [1] P. Ghosh et al., "From Variational to Deterministic Autoencoders", ICLR 2020.
           https://arxiv.org/abs/1903.12436
        """
        check_is_fitted(self)
        check_option_names("TextVAETransformer.sample", options)
        random, latents = self._draw_latents(n_samples, random_state, prior)
        return self.inverse_transform(latents, decoding=decoding, random_state=random, **options)

    def _draw_latents(
        self, n_samples: int, random_state: Any, prior: str
    ) -> tuple[np.random.Generator, NDArray[np.float32]]:
        """A generator, and latents drawn from the prior with it."""
        if not is_count(n_samples):
            raise ValueError(f"n_samples={n_samples!r}; expected an int of at least 1.")
        if not isinstance(prior, str) or prior not in ("fitted", "standard"):
            raise ValueError(f"prior={prior!r}; expected 'fitted' or 'standard'.")
        random = self._random(random_state)
        return random, self._autoencoder.draw_latents(n_samples, random, prior=prior)

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
    random_state: Any
    vae_: TextWriterMixin
    _class_head: ClassHead
    _latent_classes: LatentClasses | None

    def inverse_transform(
        self,
        X: Any,
        y: Any = None,
        *,
        guidance: float = 4.0,
        decoding: str = "beam",
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
            Latent vectors, as returned by `transform`.
        y : class, array-like of shape (n_samples,), or None, default=None
            The class of the documents to write, one for all or one for each. Latents are moved a
            short distance to where the class is clear, and tokens that support the class are preferred. None
            changes neither latents nor tokens.
        guidance : float, default=4.0
            Influence of the class on the choice of tokens. 0: none. 1: Bayes' rule, with what n-grams alone tell
            about the class, by a lexical model and by their vectors, as the classifier [1]_. Above 1: more than Bayes'
            rule, since a class is seldom clear from a word or two [2]_. With the default, n-grams tell the class about
            as often as in real texts. With much more, texts begin with the words that tell the class best. Once the class is
            clear, guidance has no further effect. It is not used with a "repeat" decoder, or with neither
            `lexical` nor vectors.
        decoding : {"beam", "greedy", "sample"}, default="beam"
            How tokens are chosen: this and the following as in `TextVAETransformer.inverse_transform`.
        temperature : float, default=1.0
            With "sample": below 1, likely tokens are preferred; above 1, texts are more varied.
        top_k : int or None, default=None
            With "sample": draw only from this many most likely tokens.
        top_p : float or None, default=None
            With "sample": draw only from the smallest set of tokens with this total probability.
        beam_width : int, default=4
            Number of texts that the beam search keeps.
        no_repeat_ngram_size : int or None, default=None
            N-grams of this length never occur twice in a text.
        random_state : int, RandomState instance or None, default=None
            Seed of the draws. None means that of the classifier, or of `vae_` if that is None.

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
        classes = self._latent_classes_for("inverse_transform")
        latents = self.vae_._check_latents(X)
        _check_weight(guidance, "guidance")
        options = DecodingOptions(decoding, temperature, top_k, top_p, beam_width, no_repeat_ngram_size)
        seed = self._seed_of_draws(random_state)
        if y is None:
            return self.vae_._write(latents, options, seed)
        labels = self._classes_of(y, len(latents))
        guide = self._guidance(labels, guidance)
        return self.vae_._write(classes.moved(latents, labels), options, seed, guide)

    def _seed_of_draws(self, random_state: Any) -> Any:
        """That of a call, or else of the classifier; None leaves it to `vae_`."""
        return self.random_state if random_state is None else random_state

    def _guidance(self, labels: NDArray[np.integer], strength: float) -> Guidance:
        autoencoder = self.vae_._autoencoder
        return Guidance.of_ngrams(
            self._ngram_classes(),
            self._class_head.ngrams,
            autoencoder.ngram_vectors,
            labels,
            float(strength),
            autoencoder.n_tokens,
        )

    def sample(
        self,
        n_samples: int = 1,
        y: Any = None,
        *,
        prior: str = "fitted",
        decoding: str = "beam",
        random_state: Any = None,
        **options: Any,
    ) -> NDArray[Any]:
        """Write documents of a class from latents drawn from a prior.

        Parameters
        ----------
        n_samples : int, default=1
            Number of documents.
        y : class, array-like of shape (n_samples,), or None, default=None
            The class, one for all documents or one for each, as in `inverse_transform`. None means any.
        prior : {"fitted", "standard"}, default="fitted"
            As in `TextVAETransformer.sample`.
        decoding : {"beam", "greedy", "sample"}, default="beam"
            How tokens are chosen, as in `TextVAETransformer.sample`.
        random_state : int, RandomState instance or None, default=None
            Seed of the latents and the tokens. None means that of the classifier, or of `vae_` if that is None.
        **options : dict
            `guidance`, and further options of `TextVAETransformer.inverse_transform`.

        Returns
        -------
        texts : ndarray of shape (n_samples,), dtype object
            As returned by `inverse_transform`.

        Raises
        ------
        ValueError, TypeError
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
        random, latents = self.vae_._draw_latents(n_samples, self._seed_of_draws(random_state), prior)
        return self.inverse_transform(latents, y, decoding=decoding, random_state=random, **options)

    def rewrite(
        self,
        X: Any,
        y: Any,
        *,
        method: str = "edit",
        guidance: float | None = None,
        content_weight: float | None = None,
        random_state: Any = None,
        **options: Any,
    ) -> NDArray[Any]:
        """Rewrite each document as one of a given class, with similar content.

        "edit" changes as few tokens as it can: what speaks against the class is left out or replaced, and everything
        else, including unknown words and upper case, stays as it is [1]_, [2]_; white space between words becomes one space. With another
        `analyzer` than "word", the text is written as `TextTokenizer.inverse_transform` writes it. A beam search edits one span at
        a time. An edit is judged by the class head, by how likely the decoder finds it, and by how much is lost. Long
        documents are edited piece by piece, with pieces that end with a sentence where possible. An embedder is not asked
        while a text is edited: the head takes its embedding for an average one.

        "decode" writes a new text, for documents that must change throughout. In both, the document's latents are
        first moved a short distance (with two classes, the shortest) to where the class is as clear as in the clearest
        tenth of its labelled texts.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,), or array of int of shape \
                (n_samples, max_length)
            Texts, or token ids.
        y : class, or array-like of shape (n_samples,)
            The target class, one for all documents or one for each.
        method : {"edit", "decode"}, default="edit"
            Whether to edit the document or to write a new one.
        guidance : float or None, default=None
            Influence of the class. With "edit", the weight of its log-probability; with "decode", as in
            `inverse_transform`. None depends on how clear labelled texts are: it is 25, or 20 with "decode", divided by the
            square root of the number of nats by which the likeliest class leads the next on average (out-of-fold, before
            fine-tuning; with "decode", by n-grams alone; at least half a nat, and 4 where classes have too few texts
            for folds). The less clear texts are, as sentences with the class of a whole review, the less an edit
            changes the log-probability.
        content_weight : float or None, default=None
            With "edit", the cost in nats of each token that is lost or added; None means 2. With "decode", a
            bonus in nats for the token that follows the last written token in the document; None means 6. There, unknown
            tokens are skipped, and a written token that is not in the document takes the place of the one that was
            due. Higher values keep more of the document, including words of the other class. With "decode" and
            0, only the latents determine the content. Not used to decode with a "repeat" decoder.
        random_state : int, RandomState instance or None, default=None
            Seed of the draws, with "decode". None means that of the classifier, or of `vae_` if that is None.
        **options : dict
            With "decode", how tokens are chosen, as in `TextVAETransformer.inverse_transform`.

        Returns
        -------
        texts : ndarray of shape (n_samples,), dtype object
            As returned by `inverse_transform`. Edited token ids have as many columns as `X`, or as the longest of them needs.

        Raises
        ------
        ValueError
            As in `inverse_transform`, if `y` is None, and if options of "decode" are given to "edit".

        References
        ----------
        .. [1] J. Li, R. Jia, H. He and P. Liang, "Delete, Retrieve, Generate", NAACL 2018.
           https://aclanthology.org/N18-1169/
        .. [2] N. Miao et al., "CGMH: Constrained Sentence Generation by Metropolis-Hastings Sampling", AAAI
           2019. https://arxiv.org/abs/1811.10996
        """
        check_is_fitted(self)
        check_option_names("TextVAEClassifier.rewrite", options)
        classes = self._latent_classes_for("rewrite")
        if not isinstance(method, str) or method not in _REWRITING_WEIGHTS:
            raise ValueError(f"method={method!r}; expected 'edit' or 'decode'.")
        if method == "edit" and options:
            raise ValueError(
                f"{next(iter(options))} is an option of method='decode', but method='edit'; remove it, or set"
                " method='decode'."
            )
        # The class of an edited text is judged by the whole head, that of a text that is being written by its n-grams.
        lead = classes.mean_lead if method == "edit" else self._ngram_classes().mean_lead
        default = default_weights(method, lead)
        weights = (
            _weight(guidance, "guidance", default[0]),
            _weight(content_weight, "content_weight", default[1]),
        )
        if y is None:
            raise ValueError(
                f"y is None; expected one of the classes {self.classes_.tolist()}, or one for each text."
            )
        autoencoder = self.vae_._autoencoder
        documents = autoencoder.judged(X, "X", self)
        corpus = autoencoder.corpus_of(documents, "X")
        labels = self._classes_of(y, len(corpus))
        if method == "edit":
            edited = self._edited(corpus, labels, classes, weights)
            return write_edited(autoencoder, documents, corpus, edited)
        latents = autoencoder.posterior(autoencoder.prepare(corpus))[0]
        tokenizer = autoencoder.tokenizer
        if tokenizer is not None and tokenizer.truncation == "pre":
            # The decoder was trained on the ends of documents.
            corpus = Corpus.from_matrix(corpus.padded(autoencoder.max_length, truncation="pre"))
        guide = replace(
            self._guidance(labels, weights[0]),
            source=corpus,
            content_weight=weights[1],
        )
        return self.vae_._write(
            classes.moved(latents, labels),
            DecodingOptions(**options),
            self._seed_of_draws(random_state),
            guide,
        )

    def _edited(
        self,
        corpus: Corpus,
        labels: NDArray[np.integer],
        classes: LatentClasses,
        weights: tuple[float, float],
    ) -> list[tuple[list[int], list[int]]]:
        """Ids of rewritten documents, and where each comes from, piece by piece."""
        autoencoder = self.vae_._autoencoder
        pieces, owners = pieces_of(corpus, max(1, autoencoder.max_length - 1), autoencoder.sentence_ends)
        latents = autoencoder.posterior(autoencoder.prepare(pieces))[0]
        guide = self._guidance(labels[owners], 1.0)
        editor = Editor(
            autoencoder, self._class_head, guide, classes.moved(latents, labels[owners]), *weights
        )
        edited: list[tuple[list[int], list[int]]] = [([], []) for _ in range(len(corpus))]
        first = pieces.starts[:-1] - corpus.starts[owners]
        for owner, before, piece in zip(owners, first, editor.edit(pieces, owners), strict=True):
            edited[owner][0].extend(piece.ids)
            edited[owner][1].extend(origin + int(before) * (origin >= 0) for origin in piece.origins)
        return edited

    def _ngram_classes(self) -> NgramClasses:
        """What n-grams alone tell about the class; of earlier files, with the weights of the head."""
        classes = self._latent_classes
        assert classes is not None
        if classes.ngram_classes is None:
            assert classes.feature_means is not None
            classes.ngram_classes = NgramClasses.beside(self._class_head, classes.feature_means)
        return classes.ngram_classes

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


def default_weights(method: str, mean_lead: float) -> tuple[float, float]:
    """Guidance and content weight of a method of `rewrite`.

    Where single texts are less clear, an edit changes the log-probability of the class less, and this counts for more.
    """
    guidance, content_weight = _REWRITING_WEIGHTS[method]
    lead = _USUAL_LEAD if np.isnan(mean_lead) else max(mean_lead, _SMALLEST_LEAD)
    return float(guidance / np.sqrt(lead)), content_weight


def _weight(weight: Any, name: str, default: float) -> float:
    """The default for None."""
    weight = default if weight is None else weight
    _check_weight(weight, name)
    return float(weight)


def _check_weight(weight: Any, name: str) -> None:
    if not isinstance(weight, Real) or not 0 <= float(weight) < np.inf:
        raise ValueError(f"{name}={weight!r}; expected a finite number of at least 0.")
