"""TextVAETransformer: texts to latent vectors, and latent vectors back to texts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from ._base.seeds import SeedSequence, draw_seed
from ._estimator.attributes import AutoencoderAttributesMixin
from ._estimator.frames import FramesMixin
from ._estimator.likelihood import LikelihoodMixin
from ._estimator.parameters import check_unchanged, network_config, resolved
from ._estimator.restoring import attributes_restored
from ._estimator.routing import KerasParamsMixin, routes_to_keras
from ._estimator.sklearn import (
    CallbackSupportMixin,
    DocumentedMixin,
    HasMethods,
    Interval,
    StrOptions,
    begin_fit_task,
    clone_that_shares,
    fit_context,
    set_params,
    with_callbacks,
)
from ._estimator.storing import StoredMixin
from ._estimator.texts import ReadTexts, TextInputMixin, read_for_fit, read_to_go_on, reads_lists
from ._estimator.training import appended_history, progress_of, train
from ._estimator.writing import TextWriterMixin
from ._network.building import build_autoencoder, warn_if_cut
from ._network.fitted import FittedAutoencoder
from ._network.likelihood import warn_if_collapsed
from ._texts.corpus import Corpus
from ._texts.documents import Documents, held_out_rows
from ._texts.validation import read_documents
from .tokenization import TextTokenizer


class TextVAETransformer(
    KerasParamsMixin,
    AutoencoderAttributesMixin,
    LikelihoodMixin,
    FramesMixin,
    TextWriterMixin,
    TextInputMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    CallbackSupportMixin,
    StoredMixin,
    DocumentedMixin,
    BaseEstimator,
):
    """Variational autoencoder for text.

    `transform` returns the posterior means of the latent variables, which are features learned
    without labels. `inverse_transform`, `sample` and `interpolate` write texts from latents.
    The model maximises the evidence lower bound (ELBO) of [1]_. Parameters that are "auto" depend on
    the decoder: "gru" and "lstm" are set to write well, "bow" and "repeat" to give good features fast.

    Parameters
    ----------
    n_components : int, default=64
        Number of latent dimensions.

    tokenizer : TextTokenizer, FrozenEstimator or None, default=None
        Splits texts into tokens; cloned, not modified. None means `TextTokenizer()`. A fitted one in
        a `sklearn.frozen.FrozenEstimator` keeps its vocabulary. The longest training text, and at most its
        `max_length`, limits what a text decoder writes and what a "bilstm" encoder reads. Not
        used when fitted on token ids.

    encoder : {"auto", "bow", "bilstm"}, default="auto"
        "bow": a bag of words of the whole document; better features and much faster.
        "bilstm": reads the tokens in order; better reconstruction of short sentences. "auto": "bilstm" with the
        decoders "gru" and "lstm", else "bow".

    encoder_units : tuple of int or None, default=None
        Width of each encoder layer. None: (128, 128) for "bow", (128,) for "bilstm".

    bottleneck_units : int or None, default=None
        Width of a further dense layer between encoder and latents.

    ngram_dim : int or None, default=256
        Width of the vectors of n-grams, which are learned before the autoencoder. Encoder and class heads read
        them. None turns them off.

    embedder : object or None, default=None
        What a pre-trained model knows: a scikit-learn transformer (a clone is fitted), an object with a method `encode` or `embed`,
        or a function, from a list of str to a float array of shape (n_texts, n_dims). The encoder reads it
        beside the words [5]_, and class heads read it. It is stored with the estimator, by its own pickling.

    passthrough : bool, default=False
        Whether `transform` returns what the encoder reads beside the words to the right of the latents: the
        vector of n-grams, and that of the embedder. Linear models gain most from these vectors, clusters
        from the latents.

    decoder : {"gru", "lstm", "repeat", "bow"}, default="gru"
        "gru" and "lstm" write tokens in order and see the latents at each step [2]_. "repeat"
        sees only the latents. "bow" has no order: decoded texts are lists of words, and fitting
        is many times faster. Choose it if you only need features.

    decoder_units : tuple of int, default=(256,)
        Width of each layer of the text decoder.

    embedding_dim : int, default=128
        Width of token embeddings.

    posterior_scale : float, "auto" or None, default="auto"
        Standard deviation that batch normalisation gives to each posterior mean over the
        documents [3]_. This keeps the KL at `n_components * posterior_scale ** 2 / 2` nats or
        more, so the latents can carry this much information at no further cost. "latent_use" of
        `diagnostics` shows whether the decoder uses it. "auto": 0.88 with the decoders "gru" and "lstm", else 0.6.
        None turns it off.

    posterior_variance : {"auto", "learned", "complement"}, default="auto"
        Variance of the posterior. "learned": the encoder computes it for each document and dimension. "complement":
        ``1 - posterior_scale ** 2`` everywhere, so that means and noise together have the variance of the prior
        [7]_. The KL is then ``-n_components * log(1 - posterior_scale ** 2) / 2`` nats on average, and all of it
        can be information. It needs a `posterior_scale` below 1. "auto": "complement" with the decoders "gru" and
        "lstm" if the scale is below 1, else "learned".

    beta : float, default=1.0
        Weight of the KL term. Below 1, latents carry more information and samples are worse.

    free_bits : float, default=0.0
        KL of each latent dimension that is not penalised, in nats on average over a batch. This is another way
        to keep the KL near or above `n_components * free_bits` nats [4]_. Nothing raises it again, so
        large steps can end below. With a `posterior_scale`, only values above `posterior_scale ** 2 / 2`
        have an effect.

    kl_warmup : float, default=0.33
        Share of the training in which the weight of the KL term rises from 0 to `beta`. Training that continues
        from an earlier one, by `warm_start` or `partial_fit`, has no warm-up.

    bow_weight : float, default=1.0
        Weight of the bag-of-words loss, which makes the latents predict the content of the
        whole document. With a text decoder it is an auxiliary loss that `score` does not include.
        0 omits the bag-of-words decoder (and `components_`).

    max_df : float or int, default=0.5
        Tokens found in more documents than this (a share if float, a count if int) are left out of
        the bag of words. So are the tokenizer's `stop_words`.

    dropout : float, default=0.2
        Rate of dropout between layers.

    word_dropout : float, default=0.3
        Share of previous tokens hidden from the text decoder in training, so that it must use
        the latents [2]_.

    recombination : float or "auto", default="auto"
        Recombined texts for each text that a text decoder learns from as well: the beginning of one text and the end of
        another one, joined at a word that both have [8]_. They are new in what they say, and hardly less grammatical, so
        that unseen texts are restored better. "auto": 3 with the decoders "gru" and "lstm", fewer if there are
        more than 25,000 texts; 0 with an `embedder`, with other decoders, or if `epochs` is set. Not used by
        `partial_fit` and by `decoder="bow"`.

    epochs : int or "auto", default="auto"
        Number of passes over the documents. "auto": 8; with the decoders "gru" and "lstm" as many as read 400,000
        documents, recombined ones included, from 4 to 8 (18 without recombination).

    batch_size : int or "auto", default="auto"
        Number of documents in a batch. "auto": about 100 batches per epoch, of 16 to 256 documents (64 with
        a text decoder).

    optimizer : str, keras.optimizers.Optimizer or its class, default="adam"
        Name, class or instance. An instance is copied and keeps its own learning rate. `optimizer__...` sets
        an option, for example `optimizer__clipnorm=1.0`.

    learning_rate : float, keras.optimizers.schedules.LearningRateSchedule or "auto", default="auto"
        Step size of the optimizer, or a schedule of it. "auto": 5e-3 with the decoders "gru" and "lstm", else 4e-3.

    learning_rate_schedule : {"auto", "constant", "cosine"}, default="auto"
        "cosine": the learning rate falls along half a cosine to a fiftieth of it at the end of `fit` [6]_.
        `partial_fit`, whose end is not known, does not lower it. Not used if `learning_rate` or `optimizer`
        has a schedule. "auto": "cosine" with the decoders "gru" and "lstm", else "constant".

    early_stopping : bool, default=False
        Whether to hold out documents, stop when their loss no longer falls, and restore the weights of
        the epoch with the lowest loss. Epochs within the warm-up of the KL (`kl_warmup`) are not compared, because
        they minimise another loss. At least one epoch must therefore come after the warm-up. Otherwise
        the weights of the last epoch are kept, with a warning. Not with `partial_fit`.

    validation_fraction : float, default=0.1
        Share of the documents held out by `early_stopping`.

    n_iter_no_change : int, default=3
        Number of epochs without a better validation loss that `early_stopping` allows.

    callbacks : keras.callbacks.Callback, its class, a list or tuple of them, or None, default=None
        Further Keras callbacks. A class is instantiated without arguments.

    warm_start : bool, default=False
        Whether `fit` continues from the weights and the vocabulary of the last fit.

    random_state : int, RandomState instance or None, default=None
        An int gives the same weights, latents and texts each time. No global random generator
        is read or changed.

    verbose : int, default=0
        1 prints a line for each step and epoch, with seconds and an estimate of those left in the step.

    keras_params : dict or None, default=None
        Options of the optimizer by their names, for example `{"optimizer__clipnorm": 1.0}`. The constructor and
        `set_params` also take them as arguments.

    Attributes
    ----------
    tokenizer_ : TextTokenizer or None
        The fitted tokenizer; None when fitted on token ids.

    model_ : keras.Model
        The network, with `encoder`, `text_decoder` and `bow_decoder`.

    encoder_, decoder_ : keras.Model
        Its parts as separate models that share its weights. The encoder maps log(1 + counts) of the words in
        `words_` ("bow") or token ids ("bilstm"), and vectors if there are any, to posterior mean and log-variance. The decoder maps latents
        (and, with "gru" and "lstm", the token ids as second input) to logits.

    components_ : ndarray of shape (n_components, n_words), dtype float32
        Weights of the bag-of-words decoder: what each latent dimension adds to the log-probability of each
        word. Only if `bow_weight > 0`. The largest entries belong to rare words. To
        list the words that a dimension represents, multiply the weights by the square root of the words'
        frequencies.

    words_ : ndarray of shape (n_words,), dtype object
        The word of each column of `components_`; token ids when fitted on token ids.

    history_ : dict of str to list of float
        Each part of the loss for each epoch, in nats per document, and the accuracy of the text
        decoder's tokens.

    n_iter_ : int
        Number of epochs, including all passes of `partial_fit` and the fits that a warm start continues
        from.

    See Also
    --------
    TextVAEClassifier : Trains the same autoencoder together with a class head.
    sklearn.decomposition.TruncatedSVD : Linear features of TF-IDF matrices; faster, but cannot
        write texts.
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
    .. [5] F. Bianchi, S. Terragni and D. Hovy, "Pre-training is a Hot Topic: Contextualized Document
       Embeddings Improve Topic Coherence", ACL 2021. https://aclanthology.org/2021.acl-short.96/
    .. [6] I. Loshchilov and F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017.
       https://arxiv.org/abs/1608.03983
    .. [7] P. Ghosh et al., "From Variational to Deterministic Autoencoders", ICLR 2020.
       https://arxiv.org/abs/1903.12436
    .. [8] R. Jia and P. Liang, "Data Recombination for Neural Semantic Parsing", ACL 2016.
       https://aclanthology.org/P16-1002/

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

    _parameter_constraints: dict[str, Any] = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "tokenizer": [TextTokenizer, FrozenEstimator, None],
        "encoder": [StrOptions({"auto", "bow", "bilstm"})],
        "encoder_units": [tuple, list, None],
        "bottleneck_units": [Interval(Integral, 1, None, closed="left"), None],
        "ngram_dim": [Interval(Integral, 1, None, closed="left"), None],
        "embedder": "no_validation",
        "passthrough": ["boolean"],
        "decoder": [StrOptions({"gru", "lstm", "repeat", "bow"})],
        "decoder_units": [tuple, list],
        "embedding_dim": [Interval(Integral, 1, None, closed="left")],
        "posterior_scale": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"}), None],
        "posterior_variance": [StrOptions({"auto", "learned", "complement"})],
        "beta": [Interval(Real, 0, None, closed="left")],
        "free_bits": [Interval(Real, 0, None, closed="left")],
        "kl_warmup": [Interval(Real, 0, 1, closed="both")],
        "bow_weight": [Interval(Real, 0, None, closed="left")],
        "max_df": [Interval(Integral, 1, None, closed="left"), Interval(Real, 0, 1, closed="right")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "word_dropout": [Interval(Real, 0, 1, closed="left")],
        "recombination": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
        "epochs": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "optimizer": [str, type, HasMethods(["get_config", "apply_gradients"])],
        "learning_rate": [
            Interval(Real, 0, None, closed="neither"),
            HasMethods(["__call__", "get_config"]),
            StrOptions({"auto"}),
        ],
        "learning_rate_schedule": [StrOptions({"auto", "constant", "cosine"})],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "callbacks": [list, tuple, HasMethods("on_epoch_end"), None],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "keras_params": [dict, None],
    }

    @routes_to_keras
    def __init__(
        self,
        n_components: int = 64,
        *,
        tokenizer: TextTokenizer | None = None,
        encoder: str = "auto",
        encoder_units: tuple[int, ...] | None = None,
        bottleneck_units: int | None = None,
        ngram_dim: int | None = 256,
        embedder: Any = None,
        passthrough: bool = False,
        decoder: str = "gru",
        decoder_units: tuple[int, ...] = (256,),
        embedding_dim: int = 128,
        posterior_scale: float | str | None = "auto",
        posterior_variance: str = "auto",
        beta: float = 1.0,
        free_bits: float = 0.0,
        kl_warmup: float = 0.33,
        bow_weight: float = 1.0,
        max_df: float = 0.5,
        dropout: float = 0.2,
        word_dropout: float = 0.3,
        recombination: float | str = "auto",
        epochs: int | str = "auto",
        batch_size: int | str = "auto",
        optimizer: Any = "adam",
        learning_rate: Any = "auto",
        learning_rate_schedule: str = "auto",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 3,
        callbacks: Any = None,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: int = 0,
        keras_params: dict[str, Any] | None = None,
    ) -> None:
        self.n_components = n_components
        self.tokenizer = tokenizer
        self.encoder = encoder
        self.encoder_units = encoder_units
        self.bottleneck_units = bottleneck_units
        self.ngram_dim = ngram_dim
        self.embedder = embedder
        self.passthrough = passthrough
        self.decoder = decoder
        self.decoder_units = decoder_units
        self.embedding_dim = embedding_dim
        self.posterior_scale = posterior_scale
        self.posterior_variance = posterior_variance
        self.beta = beta
        self.free_bits = free_bits
        self.kl_warmup = kl_warmup
        self.bow_weight = bow_weight
        self.max_df = max_df
        self.dropout = dropout
        self.word_dropout = word_dropout
        self.recombination = recombination
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.learning_rate_schedule = learning_rate_schedule
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
        self.keras_params = keras_params

    def __sklearn_clone__(self) -> TextVAETransformer:
        # A pre-trained model is never changed, can be large, and often cannot be copied.
        shares = self.embedder is not None and not hasattr(self.embedder, "get_params")
        return clone_that_shares(self, "embedder") if shares else super().__sklearn_clone__()  # type: ignore[no-any-return]

    def set_params(self, **params: Any) -> TextVAETransformer:
        """Set parameters of this estimator and of its tokenizer.

        Parameters
        ----------
        **params : dict
            Parameters, for example `n_components=32` or `tokenizer__max_length=32`. The latter sets
            `tokenizer` to `TextTokenizer(max_length=32)` if it is None. `optimizer__clipnorm=1.0` is an entry of
            `keras_params`.

        Returns
        -------
        self : TextVAETransformer
        """
        set_params(self, self._without_routed(params), {"tokenizer": TextTokenizer})
        self._take_routed(params)
        return self

    def _from_store(self, state: dict[str, Any]) -> dict[str, Any]:
        # Formats 1 to 3 had fewer parameters.
        before: dict[str, Any] = {
            "ngram_dim": None,
            "embedder": None,
            "passthrough": False,
            "keras_params": None,
            "learning_rate_schedule": "constant",
            "posterior_variance": "learned",
            "recombination": 0.0,
        }
        return before | state

    # Fitting

    _autoencoder: FittedAutoencoder
    history_: dict[str, list[float]]

    @fit_context
    def fit(self, X: Any, y: Any = None) -> TextVAETransformer:
        """Learn the vocabulary and train the autoencoder.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,), or array of int of shape \
                (n_samples, max_length)
            The training texts, or the output of `TextTokenizer.transform`.
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
            If the decoder ignores the latents: "latent_use" of `diagnostics`, computed on 128 of the documents, is
            below 0.2 nats per document.
        """
        X, column = read_documents(X, fitting=not self._goes_on, in_lists=reads_lists(self))
        with self._all_or_nothing():
            self._fit_corpus(self._read_for_fit(X), given=(X, y))
            self._column_name = column
        return self

    @fit_context
    def partial_fit(self, X: Any, y: Any = None) -> TextVAETransformer:
        """Train for one pass over `X`, continuing from the current weights.

        The first call fixes the vocabulary, so pass a large and varied batch.

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
            check_unchanged(self._autoencoder.config, self.get_params(deep=False), "partial_fit")
            # An interruption keeps what has been learned so far.
            with self._all_or_nothing(Exception):
                self._go_on(self._autoencoder.read(X, fitted=self))
        else:
            X, column = read_documents(X, fitting=True, in_lists=reads_lists(self))
            with self._all_or_nothing():
                self._fit_corpus(self._read_for_fit(X), one_pass=True)
                self._column_name = column
        return self

    @property
    def _goes_on(self) -> bool:
        """Whether the next `fit` continues from the last one."""
        return bool(self.warm_start) and self.__sklearn_is_fitted__()

    def _go_on(self, corpus: Corpus, n_labelled: int = 0) -> Documents:
        """One more pass, over these documents, which are returned as the network reads them.

        The first `n_labelled` are for a class head.
        """
        seeds = SeedSequence(draw_seed(self.random_state))
        warn_if_cut(self._autoencoder, corpus)
        self._autoencoder.learn_vectors(corpus, seeds.next(), progress_of(self), n_labelled)
        documents = self._autoencoder.prepare(corpus)
        history = train(self, self._autoencoder, documents, seeds, goes_on=True, one_pass=True)
        self.history_ = appended_history(self.history_, history)
        self.n_iter_ = len(self.history_["loss"])
        return documents

    @contextmanager
    def _all_or_nothing(self, *failures: type[BaseException]) -> Iterator[None]:
        """After an exception (of these types), restore the estimator and its network."""
        failures = failures or (BaseException,)
        fitted = self.__dict__.get("_autoencoder")
        network = nullcontext() if fitted is None else fitted.restored_after(*failures)
        with attributes_restored(self, *failures), network:
            yield

    def _read_for_fit(self, X: list[str] | NDArray[np.int32], n_first: int = 0) -> ReadTexts:
        """Documents to fit on; the words of the first `n_first` get their ids before those of the others."""
        if self._goes_on:
            return read_to_go_on(self._autoencoder, self, X)
        return read_for_fit(self, X, TextTokenizer(), n_first)

    @with_callbacks
    def _fit_corpus(
        self,
        read: ReadTexts,
        *,
        one_pass: bool = False,
        n_labelled: int = 0,
        given: tuple[Any, Any] | None = None,
    ) -> Documents:
        """Build and train on documents, then set the fitted attributes.

        Nothing is set before training has succeeded. The first `n_labelled` documents are for a class head. `given`,
        the X and y of `fit`, is for scikit-learn's callbacks.
        """
        self._check_routed()
        parameters = resolved(self.get_params(deep=False), len(read.corpus))
        task = None if given is None else begin_fit_task(self, *given, parameters["epochs"])
        seeds, goes_on = SeedSequence(read.seed), self._goes_on
        if goes_on:
            autoencoder = self._autoencoder
            check_unchanged(autoencoder.config, parameters)
        else:
            config = partial(network_config, parameters)
            autoencoder = build_autoencoder(
                read.tokenizer,
                read.corpus,
                self.max_df,
                config,
                seeds.next(),
                read.embedder,
                for_stream=one_pass,
            )
        progress = progress_of(self)
        stops = self.early_stopping and not one_pass
        held_out = held_out_rows(len(read.corpus), self.validation_fraction, seeds.next()) if stops else None
        autoencoder.learn_vectors(read.corpus, seeds.next(), progress, n_labelled, held_out)
        documents = autoencoder.prepare(read.corpus)
        progress.say(f"training of the autoencoder on {len(documents):,} documents")
        how: dict[str, Any] = {"goes_on": goes_on, "one_pass": one_pass, "held_out": held_out}
        history = train(self, autoencoder, documents, seeds, **how, task=task, given=given)
        self.history_ = appended_history(self.history_ if goes_on else {}, history)
        self.n_iter_ = len(self.history_["loss"])
        self._autoencoder = autoencoder
        # After the single pass of a first `partial_fit`, it is too early to check for collapse.
        if not one_pass:
            warn_if_collapsed(autoencoder, documents)
        if task is not None and given is not None:
            task.call_on_fit_task_end(estimator=self, X=given[0], y=given[1], reconstruction_attributes={})
        return documents

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
            With `passthrough`, followed by the vectors: `ngram_dim` columns, and those of the embedder.
        """
        check_is_fitted(self)
        return self._encoded(X, passthrough=self.passthrough, fitted=self)

    def _latents(self, X: Any, *, fitted: Any = None) -> NDArray[np.float32]:
        """Posterior means alone, independent of `set_output`."""
        return self._encoded(X, passthrough=False, fitted=fitted)

    def _encoded(self, X: Any, *, passthrough: bool, fitted: Any) -> NDArray[np.float32]:
        blocks = []
        for corpus in self._autoencoder.read_in_blocks(X, fitted=fitted):
            documents = self._autoencoder.prepare(corpus)
            latents = self._autoencoder.posterior(documents)[0]
            beside = documents.dense if passthrough and self._autoencoder.config.dense_dim else None
            blocks.append(latents if beside is None else np.hstack([latents, beside]))
        return np.concatenate(blocks)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Names of the columns of `transform`.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        names : ndarray of shape (n_features_out,), dtype object
            "textvaetransformer0", ... With `passthrough`, then "ngrams0", ... and "embedding0", ...
        """
        check_is_fitted(self)
        config = self._autoencoder.config
        latents = [f"{type(self).__name__.lower()}{number}" for number in range(config.n_components)]
        vectors = [f"ngrams{number}" for number in range(config.ngram_dim)]
        embeddings = [f"embedding{number}" for number in range(config.embedder_dim)]
        return np.array(latents + (vectors + embeddings) * bool(self.passthrough), dtype=object)
