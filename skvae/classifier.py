"""TextVAEClassifier: pre-training on all texts, a class head, fine-tuning."""

from __future__ import annotations

from functools import partial
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import (
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import accuracy_score
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from ._base.seeds import SeedSequence, draw_seed
from ._estimator.composition import (
    frozen_autoencoder,
    new_autoencoder,
    warn_that_nothing_is_measured,
    with_unlabelled,
)
from ._estimator.fine_tuning import FineTunedEstimator
from ._estimator.frames import ClassFramesMixin
from ._estimator.parameters import head_parameters
from ._estimator.predicting import ClassPredictorMixin
from ._estimator.restoring import attributes_restored
from ._estimator.routing import routes_to_keras
from ._estimator.sklearn import (
    CallbackSupportMixin,
    DocumentedMixin,
    HasMethods,
    Interval,
    StrOptions,
    begin_fit_task,
    fit_context,
    with_callbacks,
)
from ._estimator.texts import TextInputMixin
from ._estimator.training import progress_of
from ._estimator.writing import ClassWriterMixin
from ._head.documents import TrainingDocuments
from ._head.fitting import fit_class_head
from ._head.labels import (
    LabelledFirst,
    check_labels,
    check_sample_weight,
    check_validation_set,
    class_indices,
    indexed,
    named_classes,
)
from ._texts.containers import read_once
from ._texts.corpus import Corpus
from ._texts.documents import Documents
from ._texts.validation import check_documents, read_documents
from ._writing.steering import LatentClasses
from .serving import fitted_pipeline
from .transformer import TextVAETransformer


class TextVAEClassifier(
    ClassPredictorMixin,
    ClassFramesMixin,
    ClassWriterMixin,
    TextInputMixin,
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    CallbackSupportMixin,
    DocumentedMixin,
    FineTunedEstimator,
):
    """Text classifier with a variational autoencoder, for few labels and many texts.

    `fit` has three steps. It pre-trains the autoencoder on all texts, labelled or not, fits
    a class head to the labelled ones, and fine-tunes both together. The head is wide and deep [1]_: the sum of
    linear models of n-grams [2]_, of the encoder's output and of the text's vector, and an intercept. The
    stacking weights and the intercept are fitted to out-of-fold predictions. Equal documents are in one fold, so
    k copies of a text count as much as one text of weight k (approximately, if the head has hidden layers or is
    fine-tuned). Fine-tuning keeps the mean probability of each class in unlabelled texts.

    Parameters
    ----------
    vae : TextVAETransformer, FrozenEstimator or None, default=None
        The autoencoder; cloned, not modified. None means `TextVAETransformer(decoder="bow")`. A
        fitted one in a `sklearn.frozen.FrozenEstimator` is used without further training: only the head is
        trained.

    lexical : bool, default=True
        Whether the head contains the linear model of n-grams.

    ngram_range : tuple of int, default=(1, 2)
        Lengths of the shortest and the longest n-grams of tokens.

    head_units : tuple of int, default=()
        Width of each hidden layer of the head.

    head_activation : str, default="relu"
        Keras activation of these layers.

    classification_weight : float, default=1.0
        Weight of the cross-entropy of a labelled text, relative to its ELBO, in fine-tuning.

    class_weight : dict, "balanced" or None, default=None
        Weight of each class, as in scikit-learn; multiplies `sample_weight`.

    unlabeled_label : int, str, float or None, default=None
        Texts whose `y` equals this have no label; `float("nan")` means any missing value. None:
        every text has a label. Since -1 is a real class in many data sets, it is only a marker
        if you set it here.

    epochs : int, default=2
        Number of fine-tuning epochs over the labelled texts; 0 means no fine-tuning. A frozen `vae` is
        not fine-tuned: then only `head_units` are trained. Epochs of pre-training are
        `vae__epochs`.

    batch_size : int or "auto", default="auto"
        Number of documents in a batch. "auto": as in `TextVAETransformer`.

    optimizer : str, keras.optimizers.Optimizer or its class, default="adam"
        Name, class or instance. An instance is copied and keeps its own learning rate.

    learning_rate : float, default=3e-4
        Step size of the optimizer.

    callbacks : keras.callbacks.Callback, its class, a list or tuple of them, or None, default=None
        Keras callbacks for fine-tuning. A class is instantiated without arguments.

    warm_start : bool, default=False
        Whether pre-training continues from the autoencoder and the vocabulary of the last fit, unless
        that autoencoder was frozen. It continues from the weights before fine-tuning, which do not depend on labels.
        Files contain these weights only if `warm_start` is True. Without them, a fit starts anew with a warning.

    random_state : int, RandomState instance or None, default=None
        An int gives the same predictions, and texts of `sample`, each time. It also seeds `vae`, unless `vae` has its
        own `random_state`. No global random generator is read or changed.

    keras_params : dict or None, default=None
        Options of the optimizer of fine-tuning and of Keras' `fit`, by their names, for example `{"optimizer__clipnorm": 1.0}` or
        `{"fit__verbose": 2}`. The constructor, `set_params` and searches also take them as arguments.

    verbose : int, default=0
        1 prints a line for each step and epoch, with seconds and an estimate of those left in the step. With
        `vae=None`, also those of the autoencoder.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels.

    vae_ : TextVAETransformer
        The fitted autoencoder.

    tokenizer_ : TextTokenizer or None
        The tokenizer of `vae_`.

    model_ : keras.Model
        The network, with `vae` and `class_head`.

    encoder_, decoder_, class_head_ : keras.Model
        Its parts as separate models that share its weights. The first two are those of
        `vae_`. The last maps the posterior mean (and the hidden layers of a "bow"
        encoder) to the logits of the latent model: one logit for two classes.

    term_weights_ : dict of str to float
        Stacking weights of "lexical", "latent", "vector" and "embedding", as fitted before fine-tuning. With
        `head_units`, the hidden layers replace "latent".

    history_ : dict of str to list of float
        Each part of the loss for each epoch of fine-tuning, in nats per document, and the accuracies of
        classes and of tokens. `vae_.history_` has those of pre-training. Calls of `partial_fit` without
        fine-tuning add no entry: the first call with a frozen `vae` and no `head_units`, calls with
        `epochs=0`, and batches without labels.

    n_iter_ : int
        Number of fine-tuning epochs in `fit`, plus one for each call of `partial_fit`.

    See Also
    --------
    TextVAETransformer : The autoencoder alone.

    References
    ----------
    .. [1] H.-T. Cheng et al., "Wide & Deep Learning for Recommender Systems", 2016.
       https://arxiv.org/abs/1606.07792
    .. [2] S. Wang and C. D. Manning, "Baselines and Bigrams: Simple, Good Sentiment and Topic
       Classification", ACL 2012. https://aclanthology.org/P12-2018/

    Examples
    --------
    >>> from skvae import TextVAEClassifier
    >>> from skvae.datasets import make_reviews
    >>> texts, labels = make_reviews(200, random_state=0)
    >>> classifier = TextVAEClassifier(epochs=1, random_state=0)
    >>> classifier.fit(texts[:40], labels[:40], X_unlabeled=texts[40:]).predict(["a dull mess", "a delight"])
    array([0, 1])
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "vae": [HasMethods(["fit", "transform"]), None],
        "lexical": ["boolean"],
        "ngram_range": [tuple, list],
        "head_units": [tuple, list],
        "head_activation": [str],
        "classification_weight": [Interval(Real, 0, None, closed="neither")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "unlabeled_label": "no_validation",  # type: ignore[dict-item]
        "epochs": [Interval(Integral, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "optimizer": [str, type, HasMethods(["get_config", "apply_gradients"])],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "callbacks": [list, tuple, HasMethods("on_epoch_end"), None],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "keras_params": [dict, None],
        "verbose": ["verbose"],
    }

    @routes_to_keras
    def __init__(
        self,
        vae: TextVAETransformer | FrozenEstimator | None = None,
        *,
        lexical: bool = True,
        ngram_range: tuple[int, int] = (1, 2),
        head_units: tuple[int, ...] = (),
        head_activation: str = "relu",
        classification_weight: float = 1.0,
        class_weight: dict[Any, float] | str | None = None,
        unlabeled_label: Any = None,
        epochs: int = 2,
        batch_size: int | str = "auto",
        optimizer: Any = "adam",
        learning_rate: float = 3e-4,
        callbacks: Any = None,
        warm_start: bool = False,
        random_state: Any = None,
        keras_params: dict[str, Any] | None = None,
        verbose: int = 0,
    ) -> None:
        self.vae = vae
        self.lexical = lexical
        self.ngram_range = ngram_range
        self.head_units = head_units
        self.head_activation = head_activation
        self.classification_weight = classification_weight
        self.class_weight = class_weight
        self.unlabeled_label = unlabeled_label
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
        self.keras_params = keras_params

    @staticmethod
    def _default_vae(verbose: int) -> TextVAETransformer:
        return TextVAETransformer(decoder="bow", verbose=verbose)

    # Fitting

    @with_callbacks
    @fit_context
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        X_unlabeled: Any = None,
        X_val: Any = None,
        y_val: Any = None,
    ) -> TextVAEClassifier:
        """Train the autoencoder on all texts and the class head on the labelled ones.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,), or array of int of shape \
                (n_samples, max_length)
            The texts, or the output of `TextTokenizer.transform`.
        y : array-like of shape (n_samples,)
            The class of each text.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each labelled text. A text of weight 0 counts as unlabelled.
        X_unlabeled : like X, of shape (n_unlabeled,), function that returns such, or None, \
                default=None
            Further texts without labels. A frozen `vae` does not use them and warns. Searches and
            cross-validation pass all of them to every fold, unless there are exactly as many as
            in `X`: scikit-learn would then split them like a weight. Pass a function in that case. The words of
            the labelled texts are kept first in the vocabulary. The subwords of analyzer="bpe" are merged by
            their frequency in all texts together.
        X_val, y_val : like X and y, of any length, or None, default=None
            Labelled texts on which each epoch of fine-tuning is evaluated. They are not trained on. The
            metrics are in `history_` under names that begin with `val_`, and `callbacks` can use them, for example
            `keras.callbacks.EarlyStopping("val_cross_entropy")`. Without fine-tuning, nothing is measured, and
            `fit` warns.

        Returns
        -------
        self : TextVAEClassifier

        Raises
        ------
        ValueError
            If a parameter, or the shape or a row of an argument, is wrong, if `y` contains only one
            class, or if the loss becomes infinite.
        TypeError
            If a row of the texts is not a `str`.

        Warns
        -----
        CollapseWarning
            If the decoder ignores the latents.
        """
        trains_vae = not self._is_frozen
        fine_tunes = bool(self.epochs) and (trains_vae or len(self.head_units) > 0)
        X, column = read_documents(X, fitting=trains_vae, in_lists=self._reads_lists)
        y = read_once(y)
        task = begin_fit_task(self, X, y, trains_vae + fine_tunes)
        with attributes_restored(self):
            validation = check_validation_set(X_val, y_val, X, self.unlabeled_label)
            if validation is not None and not fine_tunes:
                warn_that_nothing_is_measured(self.epochs)
            self._fit_steps(X, y, sample_weight, X_unlabeled, validation, task=task)
            self._column_name = column
        return self

    @fit_context
    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None, X_unlabeled: Any = None
    ) -> TextVAEClassifier:
        """Train for one pass over a batch, continuing from the current state.

        The first call runs the steps of `fit` with one epoch each. It fixes the vocabulary
        and the n-grams, so pass a large and varied batch. A class without texts in this batch is
        unlikely until a text of it arrives. Later calls train the autoencoder (unless it is frozen), the head and the
        lexical model for one pass each. With `epochs=0`, the head is trained on labels, and the autoencoder on
        texts only. A later batch may have no labels: it trains the autoencoder, and the head is unchanged.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,), or array of int of shape \
                (n_samples, max_length)
            A batch of texts, or of token ids.
        y : array-like of shape (n_samples,)
            The class of each text.
        classes : array-like of shape (n_classes,) or None, default=None
            All classes that will occur. Required in the first call.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each labelled text. A text of weight 0 counts as unlabelled.
        X_unlabeled : like X, of shape (n_unlabeled,), function that returns such, or None, default=None
            Further texts of the batch, without labels: the autoencoder is trained on them too. A frozen `vae` does
            not use them and warns.

        Returns
        -------
        self : TextVAEClassifier

        Raises
        ------
        ValueError
            As in `fit`, except that a batch may contain only one class. Also if `classes` is missing or differs
            from that of the first call, if `y` contains another class, if `vae` would now make another network, and with
            `class_weight="balanced"` or `vae__early_stopping=True`, which need all texts at once.
        """
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight 'balanced' is not supported for partial_fit. In order to use 'balanced' weights, use"
                " compute_class_weight('balanced', classes=classes, y=y). In place of y you can use a large enough"
                " sample of the full training set target to properly estimate the class frequency distributions."
                " Pass the resulting weights, as a dict, as the class_weight parameter."
            )
        if not self._is_frozen and getattr(self.vae, "early_stopping", False):
            raise ValueError("partial_fit does not support vae__early_stopping=True.")
        with attributes_restored(self):
            if self.__sklearn_is_fitted__():
                X = check_documents(X, fitted=self)
                self._go_on(X, y, read_once(classes), sample_weight, X_unlabeled)
                return self
            X, column = read_documents(X, fitting=not self._is_frozen, in_lists=self._reads_lists)
            y, classes = read_once(y), read_once(classes)
            if classes is None:
                raise ValueError("classes must be passed on the first call to partial_fit.")
            named = named_classes(classes, self.unlabeled_label)
            if len(named) < 2:
                raise ValueError(f"classes={named.tolist()}; a classifier needs at least 2 classes.")
            self._fit_steps(X, y, sample_weight, X_unlabeled, None, one_pass=True, classes=named)
            self.n_iter_ = 1
            self._column_name = column
        return self

    def _fit_steps(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        X_unlabeled: Any,
        validation: tuple[list[str] | NDArray[np.int32], NDArray[Any]] | None,
        *,
        one_pass: bool = False,
        classes: NDArray[Any] | None = None,
        task: Any = None,
    ) -> None:
        """Pre-train, fit the head, fine-tune, normalise."""
        seeds = SeedSequence(draw_seed(self.random_state))
        ngram_range, head_units = head_parameters(self.ngram_range, self.head_units, self.epochs)
        self._check_routed()
        given = self._labelled_first(X, y, sample_weight, classes)
        classes, labels = indexed(given.labels, classes)
        if validation is not None:
            validation = (validation[0], class_indices(validation[1], classes, argument="y_val"))
        vae, corpus, read = self._pretrain(given, X_unlabeled, validation, seeds, one_pass, task)
        autoencoder = vae._autoencoder
        documents = TrainingDocuments(corpus, read, labels, given.weights)
        # X_val is validated even if it is not used.
        measured = None if validation is None else autoencoder.read(validation[0], name="X_val")
        progress = progress_of(self)
        with progress.step(f"class head of {len(labels):,} labelled texts"):
            fitted = fit_class_head(
                autoencoder,
                documents,
                len(classes),
                ngram_range=ngram_range if self.lexical else None,
                activation=self.head_activation,
                labelled_only=self._is_frozen,
                seed=seeds.next(),
            )
        self._take(vae, classes, fitted)
        X, y = given.labelled, classes[labels]
        epochs = min(1, self.epochs) if one_pass else self.epochs
        if epochs and (head_units or not self._was_frozen):
            progress.say("fine-tuning")
            self._fine_tune_on_labels(
                documents,
                fitted,
                seeds,
                epochs=epochs,
                head_units=head_units,
                validation=None
                if measured is None or validation is None
                else self._validation_set(measured, validation[1]),
                reporter=None if task is None else partial(self._report, task, epochs, read, X, y),
            )
        self.n_iter_ = len(self.history_.get("loss", []))
        if autoencoder.has_text_decoder:
            # The decoder sees only the latents.
            latents = autoencoder.posterior(read.take(fitted.data.rows))[0]
            self._latent_classes = LatentClasses.of(latents, fitted, len(classes))
        if task is not None:
            task.call_on_fit_task_end(estimator=self, X=X, y=y, reconstruction_attributes={})

    def _pretrain(
        self,
        given: LabelledFirst,
        X_unlabeled: Any,
        validation: Any,
        seeds: SeedSequence,
        one_pass: bool,
        task: Any,
    ) -> tuple[TextVAETransformer, Corpus, Documents]:
        """A fitted autoencoder, the documents for the next steps, and the network's input for them."""
        # Judged even if it is not used.
        known = self.vae_.tokenizer_ if self._goes_on else None
        X = with_unlabelled(given.documents, X_unlabeled, None if known is None else known.n_tokens_)
        if self._is_frozen:
            vae = frozen_autoencoder(self.vae, TextVAETransformer, X_unlabeled)
            corpus = vae._autoencoder.read(given.labelled)
            return vae, corpus, vae._autoencoder.prepare(corpus)
        if validation is not None and isinstance(X, np.ndarray) and not isinstance(validation[0], np.ndarray):
            raise ValueError(
                "X_val holds texts, but X holds token ids; pass the output of transform of the same TextTokenizer."
            )
        vae = new_autoencoder(self, TextVAETransformer, self._default_vae(self.verbose), seeds)
        texts = vae._read_for_fit(X, len(given.labels))
        if task is None:
            read = vae._fit_corpus(texts, one_pass=one_pass, n_labelled=len(given.labels))
        else:
            with task.subcontext(task_name="fit-autoencoder").propagate_callback_context(vae):
                read = vae._fit_corpus(texts, n_labelled=len(given.labels), given=(X, None))
        if not isinstance(self.random_state, Integral) and getattr(self.vae, "random_state", None) is None:
            # With the seed of the fit, `sample` would write the same texts on every call.
            vae.set_params(random_state=self.random_state)
        return vae, texts.corpus, read

    # Using

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy of the predicted classes.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,), or array of int of shape \
                (n_samples, max_length)
            Texts, or token ids.
        y : array-like of shape (n_samples,)
            Their classes. Texts whose `y` equals `unlabeled_label` are ignored. Other scikit-learn scorers
            count them as errors.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each text.

        Returns
        -------
        accuracy : float

        Raises
        ------
        ValueError
            If no text has a label.
        """
        check_is_fitted(self)
        X = check_documents(X, fitted=self)
        labelled, labels = check_labels(y, len(X), unlabeled=self.unlabeled_label)
        weights = None if sample_weight is None else check_sample_weight(sample_weight, len(X))[labelled]
        if weights is not None and not weights.any():
            raise ValueError("sample_weight is zero for every text with a label; at least one must count.")
        return float(accuracy_score(labels, self.predict(X)[labelled], sample_weight=weights))

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Posterior means of the latents of each text, from the fine-tuned autoencoder.

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
        latents: NDArray[np.float32] = self.vae_._latents(X, fitted=self)
        return latents

    def to_pipeline(self) -> Pipeline:
        """The fitted classifier as a pipeline for serving, which predicts the same bits.

        It cannot write texts or be trained: its `fit` does nothing, so do not cross-validate it. With a "bow" encoder, and
        no `head_units` or a `head_activation` of "relu" or "linear", neither loading nor predicting imports TensorFlow,
        and the file lacks the decoders. Otherwise TensorFlow is imported when it predicts.

        Returns
        -------
        pipeline : sklearn.pipeline.Pipeline
            Of a fitted `skvae.serving.HeadLogits` and `skvae.serving.LogitClassifier`.

        Examples
        --------
        >>> from skvae import TextVAEClassifier
        >>> from skvae.datasets import make_reviews
        >>> texts, labels = make_reviews(200, random_state=0)
        >>> classifier = TextVAEClassifier(epochs=0, random_state=0).fit(texts, labels)
        >>> pipeline = classifier.to_pipeline()
        >>> bool((pipeline.predict_proba(texts) == classifier.predict_proba(texts)).all())
        True
        """
        check_is_fitted(self)
        return fitted_pipeline(self.vae_._autoencoder, self._class_head, self.classes_, self._column_name)
