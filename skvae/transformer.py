"""TextVAETransformer: texts to latent vectors, and latent vectors back to texts."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from ._autoencoder import FittedAutoencoder
from ._batches import Documents, word_columns
from ._characters import Characters
from ._containers import column_name
from ._corpus import Corpus
from ._decoding_options import DecodingOptions, check_option_names, is_count
from ._guidance import Guidance
from ._network_config import NetworkConfig
from ._seeds import SeedSequence, draw_seed
from ._sklearn import (
    CallbackSupportMixin,
    DocumentedMixin,
    HasMethods,
    Interval,
    StrOptions,
    begin_fit_task,
    fit_context,
    names_without,
    set_params,
    stacklevel_of_user,
    with_callbacks,
)
from ._state import FittedNetwork, StoredMixin
from ._validation import (
    FIRST_TOKEN_ID,
    check_documents,
    check_latents,
    resolve_threshold,
)
from .diagnostics import CollapseWarning
from .tokenization import TextTokenizer

_DEFAULT_ENCODER_UNITS = {"bow": (128, 128), "bilstm": (256,)}
# Nats per document: above what decoders show that ignore the latents, and a tenth of what the others do (see
# docs/architecture.md).
_COLLAPSED_USE = 0.2
_FEW_DRAWS = 5
# Fewer documents than this say nothing about how long texts are.
_DOCUMENTS_TO_JUDGE_BY = 100


class TextVAETransformer(
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    CallbackSupportMixin,
    StoredMixin,
    DocumentedMixin,
    BaseEstimator,
):
    """Variational autoencoder for text.

    `transform` gives the posterior means of the latent variables, which are features learned
    without labels; `inverse_transform`, `sample` and `interpolate` write texts from latents.
    The model maximises the evidence lower bound (ELBO) of [1]_.

    Parameters
    ----------
    n_components : int, default=64
        Number of latent dimensions.

    tokenizer : TextTokenizer, FrozenEstimator or None, default=None
        How texts become tokens; cloned, not modified. None means `TextTokenizer()`. A fitted one in
        a `sklearn.frozen.FrozenEstimator` keeps its vocabulary. Its
        `max_length` bounds what a text decoder writes and what a "bilstm" encoder reads. Not
        used when fitted on token ids.

    encoder : {"bow", "bilstm"}, default="bow"
        "bow": a bag of words of the whole document, the better features and much the faster.
        "bilstm": reads the tokens in order; better at rebuilding short sentences.

    encoder_units : tuple of int or None, default=None
        Width of each encoder layer. None: (128, 128) for "bow", (256,) for "bilstm".

    bottleneck_units : int or None, default=None
        Width of a further dense layer between encoder and latents.

    decoder : {"gru", "lstm", "repeat", "bow"}, default="gru"
        "gru" and "lstm" write tokens in order, seeing the latents at each step [2]_. "repeat"
        sees the latents only. "bow" has no order: texts are lists of words, and fitting
        is many times faster; choose it where only features are wanted.

    decoder_units : tuple of int, default=(256,)
        Width of each layer of the text decoder.

    embedding_dim : int, default=128
        Width of token embeddings.

    posterior_scale : float or None, default=0.6
        Standard deviation that batch normalisation gives to each posterior mean over the
        documents [3]_, which keeps the KL at `n_components * posterior_scale ** 2 / 2` nats or
        more: the latents say something of the document at no further cost. Whether the decoder
        listens, "latent_use" of `diagnostics` tells. None turns it off.

    beta : float, default=1.0
        Weight of the KL term. Below 1, latents carry more and samples are worse.

    free_bits : float, default=0.0
        KL of each latent dimension, in nats on average over a batch, that is not penalised: another way
        to keep the KL near `n_components * free_bits` nats or above [4]_. Nothing pushes it back up, so that
        large steps end below. Beside a `posterior_scale`, only values above `posterior_scale ** 2 / 2`
        change anything.

    kl_warmup : float, default=0.33
        Share of the training in which the weight of the KL term rises from 0 to `beta`. Trainings that go on
        from another, by `warm_start` or `partial_fit`, have none.

    bow_weight : float, default=1.0
        Weight of the bag-of-words term, which makes the latents answer for the content of the
        whole document. Beside a text decoder it is an auxiliary loss, which `score` does not count.
        0 leaves that decoder out (and with it `components_`).

    max_df : float or int, default=0.5
        Tokens found in more documents than this (a share if float, a count if int) stay out of
        the bag of words. So do the tokenizer's `stop_words`.

    dropout : float, default=0.2
        Rate of dropout between layers.

    word_dropout : float, default=0.3
        Share of previous tokens hidden from the text decoder in training, so that it has to ask
        the latents [2]_.

    epochs : int, default=8
        Number of passes over the documents.

    batch_size : int or "auto", default="auto"
        Documents of a batch. "auto": about 100 batches an epoch, of 16 to 256 documents (64 with
        a text decoder).

    optimizer : str, keras.optimizers.Optimizer or its class, default="adam"
        Name, class or instance. An instance is copied and keeps its own learning rate.

    learning_rate : float, default=4e-3
        Step size of the optimizer.

    early_stopping : bool, default=False
        Whether to set documents aside, stop when their loss no longer falls, and go back to the weights of
        the epoch in which it was lowest. Epochs of the warm-up of the KL (`kl_warmup`) are not compared: what is
        minimised in them is another loss. So at least one epoch must come after the warm-up; if none
        does, the weights of the last epoch stay, and a warning says so. Not with `partial_fit`.

    validation_fraction : float, default=0.1
        Share of the documents set aside by `early_stopping`.

    n_iter_no_change : int, default=3
        Number of epochs without a better validation loss that `early_stopping` allows.

    callbacks : keras.callbacks.Callback, its class, a list or tuple of them, or None, default=None
        Further Keras callbacks. A class is instantiated without arguments.

    warm_start : bool, default=False
        Whether `fit` goes on from the weights and the vocabulary of the last fit.

    random_state : int, RandomState instance or None, default=None
        An int gives the same weights, latents and texts each time. No global random generator
        is read or changed.

    verbose : int, default=0
        1 prints a line for each epoch.

    Attributes
    ----------
    tokenizer_ : TextTokenizer or None
        The fitted tokenizer; None when fitted on token ids.

    model_ : keras.Model
        The network, with `encoder`, `text_decoder` and `bow_decoder`.

    encoder_, decoder_ : keras.Model
        Its parts as models of their own, which share its weights: from log(1 + counts) of the words in
        `words_` ("bow") or token ids ("bilstm") to posterior mean and log-variance; from latents
        (and, with "gru" and "lstm", the token ids as second input) to logits.

    components_ : ndarray of shape (n_components, n_words), dtype float32
        What each latent dimension adds to the log-probability of each word, as the bag-of-words
        decoder has it. Only if `bow_weight > 0`. The largest entries belong to rare words; to
        list the words that a dimension is about, weigh them by the square root of the words'
        frequencies.

    words_ : ndarray of shape (n_words,), dtype object
        The word of each column of `components_`; token ids when fitted on token ids.

    history_ : dict of str to list of float
        Each part of the loss for each epoch, in nats per document, and the accuracy of the text
        decoder's tokens.

    n_iter_ : int
        Number of epochs run, those of all passes of `partial_fit` and of the fits that a warm start goes
        on from included.

    See Also
    --------
    TextVAEClassifier : Trains the same autoencoder together with a class head.
    sklearn.decomposition.TruncatedSVD : Linear features of TF-IDF matrices; faster, no way
        back to texts.
    sklearn.decomposition.LatentDirichletAllocation : Topics as non-negative mixtures.

    References
    ----------
    .. [1] D. P. Kingma and M. Welling, "Auto-Encoding Variational Bayes", ICLR 2014.
       https://arxiv.org/abs/1312.6114
    .. [2] S. R. Bowman et al., "Generating Sentences from a Continuous Space", CoNLL 2016.
       https://aclanthology.org/K16-1002/
    .. [3] Q. Zhu et al., "A Batch Normalized Inference Network Keeps the KL Vanishing Away",
       ACL 2020. https://aclanthology.org/2020.acl-main.235/
    .. [4] D. P. Kingma et al., "Improved Variational Inference with Inverse Autoregressive
       Flow", NIPS 2016. https://arxiv.org/abs/1606.04934

    Examples
    --------
    >>> from skvae import TextVAETransformer
    >>> from skvae.datasets import make_reviews
    >>> texts, _ = make_reviews(200, random_state=0)
    >>> vae = TextVAETransformer(n_components=8, epochs=2, random_state=0).fit(texts)
    >>> latents = vae.transform(texts)
    >>> latents.shape, latents.dtype
    ((200, 8), dtype('float32'))
    >>> vae.inverse_transform(latents[:2]).shape
    (2,)
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "tokenizer": [TextTokenizer, FrozenEstimator, None],
        "encoder": [StrOptions({"bow", "bilstm"})],
        "encoder_units": [tuple, list, None],
        "bottleneck_units": [Interval(Integral, 1, None, closed="left"), None],
        "decoder": [StrOptions({"gru", "lstm", "repeat", "bow"})],
        "decoder_units": [tuple, list],
        "embedding_dim": [Interval(Integral, 1, None, closed="left")],
        "posterior_scale": [Interval(Real, 0, None, closed="neither"), None],
        "beta": [Interval(Real, 0, None, closed="left")],
        "free_bits": [Interval(Real, 0, None, closed="left")],
        "kl_warmup": [Interval(Real, 0, 1, closed="both")],
        "bow_weight": [Interval(Real, 0, None, closed="left")],
        "max_df": [Interval(Integral, 1, None, closed="left"), Interval(Real, 0, 1, closed="right")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "word_dropout": [Interval(Real, 0, 1, closed="left")],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "optimizer": [str, type, HasMethods(["get_config", "apply_gradients"])],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "callbacks": [list, tuple, HasMethods("on_epoch_end"), None],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_components: int = 64,
        *,
        tokenizer: TextTokenizer | None = None,
        encoder: str = "bow",
        encoder_units: tuple[int, ...] | None = None,
        bottleneck_units: int | None = None,
        decoder: str = "gru",
        decoder_units: tuple[int, ...] = (256,),
        embedding_dim: int = 128,
        posterior_scale: float | None = 0.6,
        beta: float = 1.0,
        free_bits: float = 0.0,
        kl_warmup: float = 0.33,
        bow_weight: float = 1.0,
        max_df: float = 0.5,
        dropout: float = 0.2,
        word_dropout: float = 0.3,
        epochs: int = 8,
        batch_size: int | str = "auto",
        optimizer: Any = "adam",
        learning_rate: float = 4e-3,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 3,
        callbacks: Any = None,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.n_components = n_components
        self.tokenizer = tokenizer
        self.encoder = encoder
        self.encoder_units = encoder_units
        self.bottleneck_units = bottleneck_units
        self.decoder = decoder
        self.decoder_units = decoder_units
        self.embedding_dim = embedding_dim
        self.posterior_scale = posterior_scale
        self.beta = beta
        self.free_bits = free_bits
        self.kl_warmup = kl_warmup
        self.bow_weight = bow_weight
        self.max_df = max_df
        self.dropout = dropout
        self.word_dropout = word_dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def set_params(self, **params: Any) -> TextVAETransformer:
        """Set parameters of this estimator and of its tokenizer.

        Parameters
        ----------
        **params : dict
            Parameters, for example `n_components=32` or `tokenizer__max_length=32`.

        Returns
        -------
        self : TextVAETransformer
        """
        set_params(self, params, {"tokenizer": "tokenizer=TextTokenizer()"})
        return self

    # Fitting

    _autoencoder: FittedAutoencoder
    history_: dict[str, list[float]]
    # A name for warnings, where `feature_names_in_` would promise a matrix of features.
    _column_name: str | None = None

    @fit_context
    def fit(self, X: Any, y: Any = None) -> TextVAETransformer:
        """Learn the vocabulary and train the autoencoder.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,), or array of int of shape \
                (n_samples, max_length)
            The training texts, or what `TextTokenizer.transform` made of them.
        y : None
            Ignored.

        Returns
        -------
        self : TextVAETransformer

        Raises
        ------
        ValueError
            If a parameter, or the shape or a row of `X`, is wrong, or if the loss becomes infinite.
        TypeError
            If a row of `X` is not a `str`.

        Warns
        -----
        CollapseWarning
            If the decoder ignores the latents: "latent_use" of `diagnostics`, here of 128 of the documents, is
            below 0.2 nats per document.
        """
        column = column_name(X)
        X = check_documents(X, fitting=not (self.warm_start and self.__sklearn_is_fitted__()))
        with self._all_or_nothing():
            self._fit_corpus(*self._read_for_fit(X), given=(X, y))
            self._column_name = column
        return self

    @fit_context
    def partial_fit(self, X: Any, y: Any = None) -> TextVAETransformer:
        """Train for one pass over `X`, going on from the current weights.

        The first call fixes the vocabulary; hand it a batch that is large and varied enough.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,), or array of int of shape \
                (n_samples, max_length)
            A batch of texts, or of token ids.
        y : None
            Ignored.

        Returns
        -------
        self : TextVAETransformer

        Raises
        ------
        ValueError
            As in `fit`, and if `early_stopping` is True.
        """
        if self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True.")
        if self.__sklearn_is_fitted__():
            # An interruption leaves what has been learned so far.
            with self._all_or_nothing(Exception):
                self._go_on(self._autoencoder.prepare(self._autoencoder.read(X, fitted=self)))
        else:
            column = column_name(X)
            with self._all_or_nothing():
                tokenizer, corpus = self._read_for_fit(check_documents(X, fitting=True))
                self._fit_corpus(tokenizer, corpus, epochs=1, warmup=False)
                self._column_name = column
        return self

    def _go_on(self, documents: Documents) -> None:
        """One more pass, over these documents."""
        history = self._train(
            self._autoencoder, documents, self._new_seeds(), epochs=1, resume=True, validates=False
        )
        self.history_ = {name: self.history_.get(name, []) + values for name, values in history.items()}
        self.n_iter_ = len(self.history_["loss"])

    @contextmanager
    def _all_or_nothing(self, *failures: type[BaseException]) -> Iterator[None]:
        """After an exception (of these kinds), the estimator and its network are as before."""
        failures = failures or (BaseException,)
        before = dict(self.__dict__)
        fitted = before.get("_autoencoder")
        moments = getattr(fitted, "_moments", None)
        try:
            with nullcontext() if fitted is None else fitted.network.restored_after(*failures):
                yield
        except failures:
            self.__dict__.clear()
            self.__dict__.update(before)
            if fitted is not None:
                fitted._moments = moments
            raise

    @property
    def _from_lists(self) -> bool:
        tokenizer = self._autoencoder.tokenizer
        return tokenizer is not None and tokenizer._from_lists

    def _new_seeds(self) -> SeedSequence:
        return SeedSequence(draw_seed(self.random_state))

    def _read_for_fit(
        self, X: list[str] | NDArray[np.int32], n_first: int = 0
    ) -> tuple[TextTokenizer | None, Corpus]:
        """Documents to fit on, and the tokenizer that read them (None for token ids).

        The words of the first `n_first` documents have ids before those of the others do.
        """
        if self.warm_start and self.__sklearn_is_fitted__():
            return self._autoencoder.tokenizer, self._autoencoder.read(X)
        if isinstance(X, np.ndarray):
            self._check_enough_tokens(X)
            return None, Corpus.from_matrix(X)
        if isinstance(self.tokenizer, FrozenEstimator):
            frozen = self.tokenizer.estimator
            if not isinstance(frozen, TextTokenizer):
                raise TypeError(
                    f"tokenizer is a frozen {type(frozen).__name__}; expected FrozenEstimator(TextTokenizer)."
                )
            check_is_fitted(frozen)
            return frozen, frozen.encode(X)
        tokenizer = TextTokenizer() if self.tokenizer is None else clone(self.tokenizer)
        # `fit_context` leaves out the validation of what is fitted inside `fit`.
        tokenizer._validate_params()
        return tokenizer, tokenizer._fit_corpus(X, n_first)

    @staticmethod
    def _check_enough_tokens(matrix: NDArray[np.int32]) -> None:
        if matrix.max(initial=0) < FIRST_TOKEN_ID:
            raise ValueError(
                f"X holds no token id of {FIRST_TOKEN_ID} or more; ids 0, 1 and 2 are reserved (padding, unknown,"
                " boundary). Pass what TextTokenizer.transform returned."
            )

    @with_callbacks
    def _fit_corpus(
        self,
        tokenizer: TextTokenizer | None,
        corpus: Corpus,
        *,
        epochs: int | None = None,
        warmup: bool = True,
        given: tuple[Any, Any] | None = None,
    ) -> Documents:
        """Build and train on documents that `tokenizer` read, then set the fitted attributes.

        Nothing is set before training has ended well. `given`, the X and y of `fit`, is for
        callbacks of scikit-learn.
        """
        task = None if given is None else begin_fit_task(self, *given, epochs or self.epochs)
        resume = self.warm_start and self.__sklearn_is_fitted__()
        seeds = self._new_seeds()
        if resume:
            autoencoder = self._autoencoder
            self._check_unchanged(autoencoder.network.config)
        else:
            autoencoder = self._build(tokenizer, corpus, seeds)
            self._warn_if_cut(tokenizer, corpus)
        documents = autoencoder.prepare(corpus)
        previous = getattr(self, "history_", {}) if resume else {}
        history = self._train(
            autoencoder,
            documents,
            seeds,
            epochs=epochs or self.epochs,
            resume=resume,
            warmup=warmup,
            task=task,
            given=given,
        )
        for name in previous:
            history[name] = previous[name] + history.get(name, [])
        self._autoencoder = autoencoder
        self.history_ = history
        self.n_iter_ = len(history["loss"])
        # After the one pass of a first `partial_fit`, it is too early to judge.
        if warmup:
            self._warn_if_collapsed(documents)
        if task is not None and given is not None:
            task.call_on_fit_task_end(estimator=self, X=given[0], y=given[1], reconstruction_attributes={})
        return documents

    def _warn_if_cut(self, tokenizer: TextTokenizer | None, corpus: Corpus) -> None:
        """Say that what a text decoder writes will lack an end or a beginning, where most of what it learns from does."""
        if tokenizer is None or self.decoder == "bow" or len(corpus) < _DOCUMENTS_TO_JUDGE_BY:
            return
        share = (corpus.lengths >= tokenizer.max_length).mean()
        if share > 0.5:
            learns = (
                "ends only: most of what it writes begins in mid-sentence"
                if tokenizer.truncation == "pre"
                else "beginnings only: most of what it writes stops there in mid-sentence"
            )
            # In tenths, so that the fits of a cross-validation say the same thing, once.
            warnings.warn(
                f"about {10 * share:.0f} in 10 texts have max_length={tokenizer.max_length} tokens or more, and the"
                f" decoder learns their {learns}. Set"
                f" tokenizer=TextTokenizer(max_length={_round_up(np.quantile(corpus.lengths, 0.9))}) to hold 9 in 10 whole,"
                " split the texts into sentences, or set decoder='bow' if only features are wanted.",
                UserWarning,
                stacklevel=stacklevel_of_user(),
            )

    def _check_unchanged(self, config: NetworkConfig) -> None:
        """Refuse to go on with a network that the parameters no longer describe."""
        wanted = self._config(config.n_tokens, config.n_words, config.max_length).as_dict()
        for name, value in config.as_dict().items():
            if wanted[name] != value:
                raise ValueError(
                    f"warm_start goes on from a network with {name}={value!r}, and now {name}={wanted[name]!r};"
                    " set it back, or set warm_start=False to fit anew."
                )

    def _build(
        self, tokenizer: TextTokenizer | None, corpus: Corpus, seeds: SeedSequence
    ) -> FittedAutoencoder:
        from .networks import TextVAE

        if tokenizer is None:
            n_tokens = int(corpus.ids.max(initial=FIRST_TOKEN_ID)) + 1
            max_length = max(1, int(corpus.lengths.max()))
            document_frequency = np.bincount(corpus.counts(n_tokens).indices, minlength=n_tokens)
            n_documents = len(corpus)
        else:
            n_tokens, max_length = tokenizer.n_tokens_, int(tokenizer.max_length)
            document_frequency = tokenizer.document_frequency_
            n_documents = tokenizer.n_documents_
        columns = word_columns(
            document_frequency,
            resolve_threshold(self.max_df, n_documents),
            None if tokenizer is None else tokenizer._stop_ids,
        )
        config = self._config(n_tokens, int(columns.max() + 1), max_length)
        model = TextVAE(config, seeds.next())
        model.set_background(np.bincount(corpus.ids, minlength=n_tokens)[columns >= 0])
        return FittedAutoencoder(FittedNetwork(config, model), tokenizer, columns, max_length)

    def _config(self, n_tokens: int, n_words: int, max_length: int) -> NetworkConfig:
        """What the parameters say of the network."""
        units = self.encoder_units
        config = NetworkConfig(
            n_components=int(self.n_components),
            n_tokens=n_tokens,
            n_words=n_words,
            max_length=max_length,
            encoder=self.encoder,
            decoder=self.decoder,
            encoder_units=self._check_units(
                _DEFAULT_ENCODER_UNITS[self.encoder] if units is None else units, "encoder_units"
            ),
            decoder_units=self._check_units(self.decoder_units, "decoder_units"),
            bottleneck_units=self.bottleneck_units,
            embedding_dim=int(self.embedding_dim),
            posterior_scale=None if self.posterior_scale is None else float(self.posterior_scale),
            dropout=float(self.dropout),
            word_dropout=float(self.word_dropout),
            beta=float(self.beta),
            bow_weight=float(self.bow_weight),
            free_bits=float(self.free_bits),
        )
        if config.decoder == "bow" and config.bow_weight == 0:
            raise ValueError(
                "bow_weight=0 leaves out the bag-of-words decoder, and decoder='bow' has no other;"
                " set bow_weight above 0 or choose decoder='gru'."
            )
        return config

    @staticmethod
    def _check_units(units: Any, name: str) -> tuple[int, ...]:
        if not len(units) or not all(isinstance(width, Integral) and int(width) > 0 for width in units):
            raise ValueError(f"{name}={units!r}; expected a tuple of positive ints, one for each layer.")
        return tuple(int(width) for width in units)

    def _train(
        self,
        autoencoder: FittedAutoencoder,
        documents: Documents,
        seeds: SeedSequence,
        *,
        epochs: int,
        resume: bool,
        warmup: bool = True,
        validates: bool = True,
        task: Any = None,
        given: tuple[Any, Any] | None = None,
    ) -> dict[str, list[float]]:
        from . import _training

        network = autoencoder.network
        model = network.model
        callbacks = _training.user_callbacks(self.callbacks)
        training, validation = documents, None
        if self.early_stopping and validates:
            training, validation = self._split(documents, seeds.next())
            if not resume and training.counts is not None:
                # How often words occur in what is set aside must not help there.
                model.set_background(np.asarray(training.counts.sum(axis=0)).ravel())
        batch_size = resolve_batch_size(self.batch_size, len(training), model.config.decoder != "bow")
        batches = _training.Batches(training, batch_size, seeds.next())
        recipe = (str(self.optimizer), self.learning_rate)
        if not (resume and model.compiled and model.recipe == recipe):
            model.recipe = recipe
            with _training.single_precision():
                model.compile(
                    optimizer=_training.make_optimizer(self.optimizer, self.learning_rate), jit_compile=False
                )
                # Variables that appear while the first batch is traced would cause a second tracing.
                model.optimizer.build(model.trainable_variables)
            steps = epochs * batches.steps_per_epoch
            model.warmup_steps = int(self.kl_warmup * steps) if warmup and not resume else 0
        first_compared = self._first_compared(model, batches.steps_per_epoch)
        if validation is not None and first_compared >= epochs:
            warnings.warn(
                f"early_stopping=True compares nothing, and the weights of the last epoch stay: the warm-up of the KL"
                f" (kl_warmup={self.kl_warmup}) lasts into the last of epochs={epochs}. Set more epochs or a lower"
                " kl_warmup.",
                UserWarning,
                stacklevel=stacklevel_of_user(),
            )
        report = None
        if task is not None and given is not None:
            report = _training.ReportEpochs(
                task,
                self,
                lambda: {"_autoencoder": autoencoder.as_of_now(training, keep_history=resume)},
                *given,
            )
        try:
            history = model.fit(
                batches.as_dataset(),
                epochs=epochs,
                validation_data=None
                if validation is None
                else _training.Batches(validation, batch_size, None).as_dataset(),
                callbacks=_training.training_callbacks(
                    batches,
                    callbacks,
                    name=type(self).__name__,
                    verbose=self.verbose,
                    patience=None if validation is None else self.n_iter_no_change,
                    first_compared=first_compared,
                    report=report,
                ),
                # The batches shuffle themselves, from an explicit seed.
                shuffle=False,
                verbose=0,
            ).history
        finally:
            # However training ended, the weights are no longer those of before.
            network.changed()
            _training.release(callbacks)
        autoencoder.normalise_over(training, keep_history=resume)
        return {name: [float(value) for value in values] for name, values in history.items()}

    @staticmethod
    def _first_compared(model: Any, steps_per_epoch: int) -> int:
        """Index of the first epoch of a training all of which comes after the warm-up of the KL."""
        left = int(model.warmup_steps) - int(model.optimizer.iterations.numpy())
        return max(0, -(-left // steps_per_epoch))

    def _split(self, documents: Documents, seed: int) -> tuple[Documents, Documents]:
        n_validation = max(1, round(self.validation_fraction * len(documents)))
        if n_validation >= len(documents):
            raise ValueError(
                f"early_stopping=True with validation_fraction={self.validation_fraction} leaves no training document"
                f" of {len(documents)}; pass more documents or set early_stopping=False."
            )
        order = np.random.default_rng(seed).permutation(len(documents))
        return documents.take(order[n_validation:]), documents.take(order[:n_validation])

    def _warn_if_collapsed(self, documents: Documents) -> None:
        if len(documents) < 2:
            return
        use = self._autoencoder.latent_use(documents)
        if use < _COLLAPSED_USE:
            warnings.warn(
                f"the decoder ignores the latents: with those of another document, a document is only {use:.2g} nats"
                " less likely. Train for more epochs, set posterior_scale (default 0.6) or free_bits, raise"
                " word_dropout, or lower beta.",
                CollapseWarning,
                stacklevel=stacklevel_of_user(),
            )

    # Using

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Posterior means of the latents of each document.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,), or array of int of shape \
                (n_samples, max_length)
            Texts, or token ids.

        Returns
        -------
        latents : ndarray of shape (n_samples, n_components), dtype float32
        """
        check_is_fitted(self)
        return self._latents(X, fitted=self)

    def _latents(self, X: Any, *, fitted: Any = None) -> NDArray[np.float32]:
        """What `transform` returns, whatever output `set_output` asks it for."""
        autoencoder = self._autoencoder
        blocks = [
            autoencoder.posterior(autoencoder.prepare(corpus))[0]
            for corpus in autoencoder.read_in_blocks(X, fitted=fitted)
        ]
        return np.concatenate(blocks)

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
            Latent vectors, as `transform` gives them.
        decoding : {"greedy", "sample", "beam"}, default="greedy"
            "greedy": the likeliest token at each step. "sample": one drawn with its probability.
            "beam": the likeliest text that a search finds, by log-probability over length ** 0.7; to
            a "repeat" decoder, which chooses each token for itself, the same as "greedy". A "bow"
            decoder always lists the words that set the document apart, weightiest first.
        temperature : float, default=1.0
            Below 1, draws are safer; above 1, more varied.
        top_k : int or None, default=None
            Draw from this many likeliest tokens only.
        top_p : float or None, default=None
            Draw from the fewest tokens that make up this probability only (nucleus sampling [1]_).
        beam_width : int, default=4
            Texts that the search follows at a time.
        no_repeat_ngram_size : int or None, default=None
            So many tokens in a row never come twice; not with a "repeat" decoder. 3 suits words.
        random_state : int, RandomState instance or None, default=None
            Decides the draws. None means that of the estimator.

        Returns
        -------
        texts : ndarray of shape (n_samples,), dtype object, or ndarray of int32 of shape \
                (n_samples, max_length)
            One `str` a document; token ids when fitted on token ids.

        Raises
        ------
        ValueError
            If the latents are not finite, have another width than `n_components`, or an option
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
        latents = check_latents(X, self._autoencoder.n_components)
        return self._autoencoder.write(latents, options, self._random(random_state), guidance)

    def sample(
        self, n_samples: int = 1, *, decoding: str = "sample", random_state: Any = None, **options: Any
    ) -> NDArray[Any]:
        """Write documents from latents drawn from the prior N(0, I).

        Parameters
        ----------
        n_samples : int, default=1
            How many.
        decoding : {"greedy", "sample", "beam"}, default="sample"
            How tokens are chosen, as in `inverse_transform`.
        random_state : int, RandomState instance or None, default=None
            Decides the latents and the tokens. None means that of the estimator; if that is an int, each
            call writes the same texts.
        **options : dict
            `temperature`, `top_k`, `top_p`, `beam_width` and `no_repeat_ngram_size` of
            `inverse_transform`.

        Returns
        -------
        texts : ndarray of shape (n_samples,), dtype object
            As `inverse_transform` returns them.
        """
        check_is_fitted(self)
        check_option_names("TextVAETransformer.sample", options)
        random, latents = self._draw_latents(n_samples, random_state)
        return self.inverse_transform(latents, decoding=decoding, random_state=random, **options)

    def _draw_latents(
        self, n_samples: int, random_state: Any
    ) -> tuple[np.random.Generator, NDArray[np.float32]]:
        """A generator, and latents that it drew from the prior."""
        if not is_count(n_samples):
            raise ValueError(f"n_samples={n_samples!r}; expected an int of at least 1.")
        random = self._random(random_state)
        latents = random.standard_normal((n_samples, self._autoencoder.n_components), dtype=np.float32)
        return random, latents

    def interpolate(
        self, start: Any, end: Any, n_steps: int = 5, *, path: str = "line", **options: Any
    ) -> NDArray[Any]:
        """Write the documents between two points of latent space.

        Parameters
        ----------
        start, end : str, or array-like of float of shape (n_components,)
            The ends: texts, or latent vectors.
        n_steps : int, default=5
            Number of points, both ends included.
        path : {"line", "sphere"}, default="line"
            "line": straight. "sphere": along a great circle, so that the points are about as far from
            the origin as the ends, where documents lie; the middle of a line is nearer to it [1]_.
            Between exactly opposite ends there is no one such circle, and the path is a line.
        **options : dict
            How tokens are chosen, as in `inverse_transform`.

        Returns
        -------
        texts : ndarray of shape (n_steps,), dtype object
            As `inverse_transform` returns them.

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
        between = _on_sphere if path == "sphere" else _on_line
        return self.inverse_transform(between(first, last, weights), **options)

    def score(self, X: Any, y: Any = None) -> float:
        """Average evidence lower bound (ELBO) of the documents.

        A higher ELBO does not mean better latents: a collapsed model, whose decoder ignores them,
        often has the best; and a smaller vocabulary leaves more tokens unknown, which are easy to
        predict. Compare it between models of one shape and one tokenizer only, and see `diagnostics`,
        whose "nats_per_character" compares tokenizers.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,), or array of int of shape \
                (n_samples, max_length)
            Texts, or token ids.
        y : None
            Ignored.

        Returns
        -------
        elbo : float
            Nats per document. With a text decoder, of the first `max_length` tokens; with "bow", of
            the bag of words.
        """
        return float(self.diagnostics(X)["elbo"])

    def diagnostics(self, X: Any, *, n_importance_samples: int = 0) -> dict[str, float]:
        """Figures that tell what the latents carry.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,), or array of int of shape \
                (n_samples, max_length)
            Documents that were not trained on.
        n_importance_samples : int, default=0
            Latents drawn for each document to estimate "iw_nll"; 0 leaves it out. As many times
            slower. 500 or more, where the KL is tens of nats.

        Returns
        -------
        figures : dict of str to float
            - "elbo", "nll", "kl": nats per document; elbo = -(nll + kl). With a text decoder the words of
              `bow_weight` do not count: their term helps training and is no part of the text's likelihood.
            - "latent_use": nats per document by which "nll" rises when each document gets the latents of another
              one (permutation importance [2]_; of 2,000 documents at most, evenly spread). 0: the decoder ignores
              the latents, whatever the KL. A good value is as large as "mutual_information" or "kl"; one far below
              both says that the latents carry what the decoder does not use. It may well exceed both, since the
              latents of another document are not merely missing but wrong: a decoder that fits the encoder gives
              the mutual information and the lautum information together [5]_. Not for a single document.
            - "mutual_information": of documents and latents, in nats; at most the logarithm of the number of
              documents (2,000 at most, evenly spread), and about that where each has latents of its own.
            - "active_units": latent dimensions whose mean varies.
            - "token_accuracy", "majority_token_accuracy": share of tokens that the text decoder
              puts first given the true ones before, and the share that the most frequent token
              alone would get; padding is not counted. Not with decoder="bow".
            - "nats_per_character": -elbo, and what it takes to spell out the unknown tokens, for each
              character of the texts as far as `max_length` lets them be read. For comparisons between
              tokenizers: a small vocabulary makes texts likely by leaving them unknown. Spelling takes
              log(n + 1) nats for each character and one more for the end of the token [3]_, n being the number
              of distinct characters in `X`. Not with decoder="bow", nor for token ids.
            - "iw_nll": importance-weighted negative log-likelihood [1]_, nats per document; nearer to
              the truth than -elbo. What other models' likelihoods are to be compared with.
            - "iw_ess": effective sample size [4]_ of the draws behind "iw_nll", from 1 to
              `n_importance_samples`, mean over documents. Where it is small, "iw_nll" is too high.

        Warns
        -----
        UserWarning
            If "iw_ess" is below 5.

        References
        ----------
        .. [1] Y. Burda, R. Grosse and R. Salakhutdinov, "Importance Weighted Autoencoders",
           ICLR 2016. https://arxiv.org/abs/1509.00519
        .. [2] L. Breiman, "Random Forests", Machine Learning 45, 2001, section 10.
           https://doi.org/10.1023/A:1010933404324
        .. [3] S. J. Mielke and J. Eisner, "Spell Once, Summon Anywhere: A Two-Level Open-Vocabulary Language
           Model", AAAI 2019. https://arxiv.org/abs/1804.08205
        .. [4] A. Kong, "A Note on Importance Sampling Using Standardized Weights", technical report
           348, Department of Statistics, University of Chicago, 1992.
        .. [5] D. P. Palomar and S. Verdú, "Lautum Information", IEEE Transactions on Information Theory 54 (3),
           2008, pages 964-975.
        """
        check_is_fitted(self)
        if not is_count(n_importance_samples, 0):
            raise ValueError(f"n_importance_samples={n_importance_samples!r}; expected an int of at least 0.")
        characters, tokenizer = None, self._autoencoder.tokenizer
        X = check_documents(X, fitted=self)
        if (
            tokenizer is not None
            and isinstance(X, list)
            and self._autoencoder.network.config.decoder != "bow"
        ):
            characters = Characters.of_texts(X, tokenizer)
        documents = self._autoencoder.prepare(self._autoencoder.read(X))
        figures = self._autoencoder.diagnostics(documents, int(n_importance_samples), characters)
        if n_importance_samples and figures["iw_ess"] < _FEW_DRAWS:
            warnings.warn(
                f"iw_nll rests on few latents: of {n_importance_samples} drawn for each document, the effective sample"
                f" size is {figures['iw_ess']:.2g}, so that the figure is too high. Raise n_importance_samples, and"
                " compare with figures of as many only.",
                UserWarning,
                stacklevel=stacklevel_of_user(),
            )
        return figures

    def _point(self, end: Any, name: str) -> NDArray[np.float32]:
        if isinstance(end, str):
            return self._latents([end])
        try:
            vector = np.atleast_2d(np.asarray(end, dtype=np.float32))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name}={end!r}; expected one text or one latent vector.") from error
        latents = check_latents(vector, self._autoencoder.n_components, name=name)
        if len(latents) != 1:
            raise ValueError(f"{name} has {len(latents)} rows; expected a text or one latent vector.")
        return latents

    def _random(self, random_state: Any) -> np.random.Generator:
        if isinstance(random_state, np.random.Generator):
            return random_state
        return np.random.default_rng(draw_seed(self.random_state if random_state is None else random_state))

    @property
    def tokenizer_(self) -> TextTokenizer | None:
        check_is_fitted(self)
        return self._autoencoder.tokenizer

    @property
    def model_(self) -> Any:
        check_is_fitted(self)
        return self._autoencoder.network.model

    @property
    def encoder_(self) -> Any:
        return self.model_.encoder

    @property
    def decoder_(self) -> Any:
        check_is_fitted(self)
        return self._autoencoder.network.decoder

    @property
    def components_(self) -> NDArray[np.float32]:
        check_is_fitted(self)
        if self._autoencoder.network.config.bow_weight == 0:
            raise AttributeError("components_ needs the bag-of-words decoder; fit with bow_weight above 0.")
        components: NDArray[np.float32] = self._autoencoder.network.weights["bow_decoder/kernel"].view()
        components.flags.writeable = False
        return components

    @property
    def words_(self) -> NDArray[np.object_]:
        check_is_fitted(self)
        return self._autoencoder.words

    @property
    def _n_features_out(self) -> int:
        return self._autoencoder.n_components

    def __dir__(self) -> list[str]:
        # What goes through all attributes, as the display in a notebook does, must not build networks.
        return names_without(self, self._unbuilt())

    def _unbuilt(self) -> set[str]:
        """Attributes that would build a network if they were asked for now."""
        network = self._autoencoder.network if self.__sklearn_is_fitted__() else None
        unbuilt = set() if network is not None and network.is_live else {"model_", "encoder_"}
        return unbuilt if network is not None and network.has_decoder else unbuilt | {"decoder_"}

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_autoencoder")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.target_tags.required = False
        tags.transformer_tags.preserves_dtype = []
        return tags


def _on_line(
    start: NDArray[np.float32], end: NDArray[np.float32], weights: NDArray[np.float32]
) -> NDArray[np.float32]:
    return (1 - weights) * start + weights * end


def _on_sphere(
    start: NDArray[np.float32], end: NDArray[np.float32], weights: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Points at even angles between two vectors; their lengths change evenly too."""
    lengths = np.linalg.norm(start), np.linalg.norm(end)
    if min(lengths) == 0:
        return _on_line(start, end, weights)
    cosine = np.clip((start @ end.T).item() / (lengths[0] * lengths[1]), -1, 1)
    angle = np.arccos(cosine)
    # Of opposite ends every great circle is the nearest, and of equal ones none is needed.
    if np.sin(angle) < 1e-4:
        return _on_line(start, end, weights)
    turned = (
        np.sin((1 - weights) * angle) * start / lengths[0] + np.sin(weights * angle) * end / lengths[1]
    ) / np.sin(angle)
    return np.asarray(turned * ((1 - weights) * lengths[0] + weights * lengths[1]), dtype=np.float32)


def _round_up(length: float) -> int:
    """A length with two digits that count, of one more than is needed: a text and its end."""
    step = 10 ** max(0, len(str(int(length) + 1)) - 2)
    return int(-(-(length + 1) // step) * step)


def resolve_batch_size(batch_size: int | str, n_documents: int, has_text_decoder: bool) -> int:
    """The number given, or with "auto" what makes about 100 batches an epoch."""
    if batch_size != "auto":
        return int(batch_size)
    return int(np.clip(n_documents // 100, 16, 64 if has_text_decoder else 256))
