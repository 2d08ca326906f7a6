"""TextVAEClassifier: pre-training on all texts, a class head, fine-tuning."""

from __future__ import annotations

import pickle
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from itertools import compress, pairwise
from numbers import Integral, Real
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import (
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    clone,
)
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import accuracy_score
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import check_is_fitted

from . import _class_head, _explanation, _training
from ._autoencoder import FittedAutoencoder
from ._batches import Documents, spread_rows
from ._class_head import LabelledDocuments, LinearTerm
from ._containers import column_name, is_one, read_once
from ._corpus import Corpus
from ._decoding_options import DecodingOptions, check_option_names, is_count
from ._explanation import Contributions
from ._forking import check_can_run
from ._guidance import Guidance
from ._ngrams import NgramFeatures
from ._scikeras import KerasEstimator
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
    stacklevel_of_user,
    with_callbacks,
)
from ._state import StoredMixin, TrainingState
from ._steering import LatentClasses
from ._validation import (
    check_documents,
    check_labels,
    check_latents,
    check_sample_weight,
)
from .networks import TextVAEWithClassHead, build_class_head
from .transformer import TextVAETransformer, resolve_batch_size

# Values of `C` of each linear model; cross-validation in fit picks one.
_LEXICAL_CANDIDATES = (10.0, 100.0)
_FEATURE_CANDIDATES = (1e-3, 1e-2, 1e-1)
_DOCUMENTS_TO_STANDARDISE_BY = 10_000
# Fine-tuning fits the texts that it sees, and then finds the rarer classes too seldom in others. So the mean
# probability of each class in unlabelled texts is kept as it was before.
_DOCUMENTS_TO_KEEP_FREQUENCIES_BY = 2_000
_FEWEST_TO_KEEP_FREQUENCIES_BY = 100

_model_lock = threading.Lock()


class TextVAEClassifier(
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    CallbackSupportMixin,
    StoredMixin,
    DocumentedMixin,
    KerasEstimator,
):
    """Text classifier with a variational autoencoder inside, for few labels and much text.

    `fit` has three steps: pre-training of the autoencoder on all texts, labelled or not; fitting
    a class head to the labelled ones; fine-tuning both together. The head is wide and deep [1]_: it adds up
    a linear model of n-grams, a linear model of what the encoder made of the document, and an intercept. The
    stacking weights and the intercept are fitted to out-of-fold predictions. Equal documents are in one fold, so
    that k copies of a text count as much as one of weight k (where the head has hidden layers or is fine-tuned, about as
    much). Fine-tuning leaves the mean probability of each class in unlabelled texts as it was.

    Parameters
    ----------
    vae : TextVAETransformer, FrozenEstimator or None, default=None
        The autoencoder; cloned, not modified. None means `TextVAETransformer(decoder="bow")`. A
        fitted one in a `sklearn.frozen.FrozenEstimator` is used as it is: only the head is
        trained.

    lexical : bool, default=True
        Whether the head has the term of n-grams.

    ngram_range : tuple of int, default=(1, 2)
        Lengths of the shortest and the longest n-grams of tokens.

    head_units : tuple of int, default=()
        Width of each hidden layer of the head.

    head_activation : str, default="relu"
        Keras activation of these layers.

    classification_weight : float, default=1.0
        Weight of the cross-entropy of a labelled text beside its ELBO in fine-tuning.

    class_weight : dict, "balanced" or None, default=None
        Weight of each class, as in scikit-learn; multiplies `sample_weight`.

    unlabeled_label : int, str, float or None, default=None
        Texts whose `y` equals this have no label; `float("nan")` means any missing value. None:
        every text has one. Since -1 is a real class in many data sets, it does not mean this
        unless you say so.

    epochs : int, default=2
        Number of passes of fine-tuning over the labelled texts; 0 leaves it out. A frozen `vae` is
        not fine-tuned: then only `head_units` are trained. Epochs of pre-training are
        `vae__epochs`.

    batch_size : int or "auto", default="auto"
        Documents of a batch. "auto": as in `TextVAETransformer`.

    optimizer : str, keras.optimizers.Optimizer or its class, default="adam"
        Name, class or instance. An instance is copied and keeps its own learning rate.

    learning_rate : float, default=3e-4
        Step size of the optimizer.

    callbacks : keras.callbacks.Callback, its class, a list or tuple of them, or None, default=None
        Keras callbacks for fine-tuning. A class is instantiated without arguments.

    warm_start : bool, default=False
        Whether pre-training goes on from the autoencoder and the vocabulary of the last fit, unless
        that was frozen: from its weights before fine-tuning, which the labels have not touched. Files keep these
        weights only where `warm_start` is True; without them a fit begins anew, and a warning says so.

    random_state : int, RandomState instance or None, default=None
        An int gives the same predictions each time. Seeds `vae` too, unless that has a
        `random_state` of its own. No global random generator is read or changed.

    verbose : int, default=0
        1 prints a line for each epoch.

    **routed : dict
        Further arguments for Keras, as scikeras routes them: `optimizer__...` for the optimizer,
        `fit__...` for `keras.Model.fit`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels.

    vae_ : TextVAETransformer
        The fitted autoencoder.

    tokenizer_ : TextTokenizer or None
        That of `vae_`.

    model_ : keras.Model
        The network, with `vae` and `class_head`.

    encoder_, decoder_, class_head_ : keras.Model
        Its parts as models of their own, which share its weights. The first two are those of
        `vae_`; the last goes from the posterior mean (and, after a "bow" encoder, its hidden
        layers beside it) to the logits of the latent term: one for two classes.

    term_weights_ : dict of str to float
        Stacking weights of "lexical" and "latent", as fitted before fine-tuning. With
        `head_units`, the layers take the place of "latent".

    history_ : dict of str to list of float
        Each part of the loss for each epoch of fine-tuning, in nats per document, and the accuracies of
        classes and of tokens. `vae_.history_` has those of pre-training. It has no entry for calls of `partial_fit`
        in which Keras trained no head: the first one with a frozen `vae` and no `head_units`, those with
        `epochs=0`, and batches without labels.

    n_iter_ : int
        Number of epochs of fine-tuning in `fit`, and one for each call of `partial_fit`.

    See Also
    --------
    TextVAETransformer : The autoencoder alone.

    References
    ----------
    .. [1] H.-T. Cheng et al., "Wide & Deep Learning for Recommender Systems", 2016.
       https://arxiv.org/abs/1606.07792

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
        "verbose": ["verbose"],
    }

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
        verbose: int = 0,
        **routed: Any,
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
        self._keep_routed(routed)

    # Fitting

    history_: dict[str, list[float]]
    _head: list[LinearTerm]
    _online: _class_head.OnlineTerm | None
    _lexical: tuple[NgramFeatures, LinearTerm] | None
    _latent_classes: LatentClasses | None = None
    _pretrained: FittedAutoencoder | None = None
    _feature_means: NDArray[np.float32]
    # A name for warnings, where `feature_names_in_` would promise a matrix of features.
    _column_name: str | None = None

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
            The texts, or what `TextTokenizer.transform` made of them.
        y : array-like of shape (n_samples,)
            The class of each.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each labelled text. A text of weight 0 counts as unlabelled.
        X_unlabeled : like X, of shape (n_unlabeled,), function that returns such, or None, \
                default=None
            Further texts, without labels; a frozen `vae` has no use for them, and a warning says so. Searches and
            cross-validation hand all of them to every fold, unless there are exactly as many as
            in `X`: scikit-learn would cut them into folds like a weight. Pass a function then. The words of
            the labelled texts are kept first in the vocabulary; the subwords of analyzer="bpe" are merged by
            their frequency in all texts together.
        X_val, y_val : like X and y, of any length, or None, default=None
            Labelled texts to measure each epoch of fine-tuning by. They are not trained on. What is
            measured is in `history_` with names that begin with `val_`, and `callbacks` see it, for example
            `keras.callbacks.EarlyStopping("val_cross_entropy")`. Where nothing is fine-tuned, nothing is measured,
            and a warning says so.

        Returns
        -------
        self : TextVAEClassifier

        Raises
        ------
        ValueError
            If a parameter, or the shape or a row of an argument, is wrong, if `y` holds one class
            only, or if the loss becomes infinite.
        TypeError
            If a row of the texts is not a `str`.

        Warns
        -----
        CollapseWarning
            If the decoder ignores the latents.
        """
        trains_vae = not self._is_frozen
        fine_tunes = bool(self.epochs) and (trains_vae or len(self.head_units) > 0)
        column = column_name(X)
        X, y = check_documents(X, fitting=trains_vae), read_once(y)
        task = begin_fit_task(self, X, y, trains_vae + fine_tunes)
        with self._all_or_nothing():
            validation = _check_validation_set(X_val, y_val, X, self.unlabeled_label)
            if validation is not None and not fine_tunes:
                warnings.warn(
                    "X_val and y_val are not used: they measure fine-tuning, and nothing is fine-tuned"
                    f" ({'vae is frozen and there are no head_units' if self.epochs else 'epochs=0'}). Leave them out.",
                    UserWarning,
                    stacklevel=stacklevel_of_user(),
                )
            self._fit_steps(X, y, sample_weight, X_unlabeled, validation, task=task)
            self._column_name = column
        return self

    @fit_context
    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> TextVAEClassifier:
        """Train for one pass over a batch, going on from what there is.

        The first call does what `fit` does, with one epoch for each step; it fixes the vocabulary
        and the n-grams, so hand it a large and varied batch. A class that it has no text of is
        unlikely until one comes. Later calls train the autoencoder (unless it is frozen), the head and the
        lexical term for one pass each; with `epochs=0` the head is trained, and the autoencoder learns from
        texts only. A later batch may be without labels: the autoencoder learns from it, and the head stays.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,), or array of int of shape \
                (n_samples, max_length)
            A batch of texts, or of token ids.
        y : array-like of shape (n_samples,)
            The class of each.
        classes : array-like of shape (n_classes,) or None, default=None
            All classes there will be. Needed at the first call.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each labelled text. A text of weight 0 counts as unlabelled.

        Returns
        -------
        self : TextVAEClassifier

        Raises
        ------
        ValueError
            As in `fit`, except that a batch may hold one class only; if `classes` is missing or differs
            from that of the first call, or `y` holds a class that is not among them; and with
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
        with self._all_or_nothing():
            if self.__sklearn_is_fitted__():
                self._go_on(check_documents(X, fitted=self), y, read_once(classes), sample_weight)
            else:
                column = column_name(X)
                self._begin(
                    check_documents(X, fitting=not self._is_frozen),
                    read_once(y),
                    read_once(classes),
                    sample_weight,
                )
                self._column_name = column
        return self

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """After an exception, the estimator has the attributes of before."""
        before = dict(self.__dict__)
        try:
            yield
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def _begin(self, X: Any, y: Any, classes: Any, sample_weight: Any) -> None:
        if classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        classes = self._named_classes(classes)
        if len(classes) < 2:
            raise ValueError(f"classes={classes.tolist()}; a classifier needs at least 2 classes.")
        self._fit_steps(X, y, sample_weight, None, None, one_pass=True, classes=classes)
        self.n_iter_ = 1

    def _named_classes(self, classes: Any) -> NDArray[Any]:
        """Each class once, in order."""
        if is_one(classes) or isinstance(classes, (set, frozenset, Mapping)):
            raise ValueError(f"classes is {classes!r:.60}; expected a 1-D collection of class labels.")
        known, names = check_labels(classes, np.size(classes), unlabeled=self.unlabeled_label, name="classes")
        if not known.all():
            raise ValueError(
                f"classes holds unlabeled_label={self.unlabeled_label!r}, which is no class; leave it out."
            )
        return np.asarray(np.unique(names))

    def _go_on(self, X: Any, y: Any, classes: Any, sample_weight: Any) -> None:
        seeds = SeedSequence(draw_seed(self.random_state))
        if classes is not None and not np.array_equal(self._named_classes(classes), self.classes_):
            raise ValueError(
                f"classes={self._named_classes(classes).tolist()} is not the same as on the first call to"
                f" partial_fit: {self.classes_.tolist()}."
            )
        X, names, weights = self._labelled_first(X, y, sample_weight, self.classes_, goes_on=True)
        labels = _class_indices(names, self.classes_)
        vae, autoencoder = self.vae_, self.vae_._autoencoder
        self.n_iter_ += 1
        if not len(labels):
            with self._network_restored():
                self._go_on_without_labels(X)
            return
        corpus = autoencoder.read(X[: len(labels)] if self._was_frozen else X)
        documents = autoencoder.prepare(corpus)
        labelled = np.arange(len(labels))
        means_before = _some_features(autoencoder, documents).mean(axis=0)
        # Statistics of before this batch: fine-tuning moves what its documents have added to them.
        moments = autoencoder._moments
        with self._network_restored():
            if not self._was_frozen:
                vae._go_on(documents)
            tfidf, offset = None, np.zeros((len(labels), self._head[-1].kernel.shape[1]), dtype=np.float32)
            if self._lexical is not None:
                ngrams, term = self._lexical
                tfidf = ngrams.transform(corpus.take(labelled))
                offset = term.logits(tfidf)
            read = documents.take(labelled)
            if self._trains_head_alone:
                read = Documents(features=autoencoder.features(read))
            previous = self.history_
            self._fine_tune(read, self._targets(labels, weights, offset), seeds, epochs=1)
            added = self.history_ if self.epochs else {}
            self.history_ = previous | {name: previous.get(name, []) + added[name] for name in added}
            if not self._trains_head_alone:
                autoencoder.network.changed()
                autoencoder._moments = moments
                autoencoder.normalise_over(documents, keep_history=True)
            self._follow_means(means_before, documents)
        if self._latent_classes is not None:
            latents = autoencoder.posterior(documents.take(labelled))[0]
            self._latent_classes.go_on(latents, labels, weights)
        if tfidf is not None:
            self._online = self._online or _class_head.OnlineTerm(term)
            features = autoencoder.features(documents.take(labelled))
            latent = _class_head.apply(self._head, self._activation, features)
            self._online.train(tfidf, labels, weights, latent)

    def _go_on_without_labels(self, X: Any) -> None:
        """The autoencoder alone learns from texts without labels, unless it is frozen."""
        if self._was_frozen:
            return
        autoencoder = self.vae_._autoencoder
        documents = autoencoder.prepare(autoencoder.read(X))
        means_before = _some_features(autoencoder, documents).mean(axis=0)
        self.vae_._go_on(documents)
        self._follow_means(means_before, documents)

    @contextmanager
    def _network_restored(self) -> Iterator[None]:
        """After an exception, head and autoencoder have the weights of before, and their optimizers the state."""
        model = self.__dict__.get("_model")
        before = None if model is None else TrainingState(model)
        try:
            with nullcontext() if self._was_frozen else self.vae_._all_or_nothing():
                yield
        except BaseException:
            if before is not None:
                before.restore()
            raise

    def _follow_means(self, before: NDArray[np.float32], documents: Documents) -> None:
        """Keep the average features of all documents so far, given those of a batch before it was trained on."""
        n_before = getattr(self, "_n_averaged", len(documents))
        if not self._was_frozen:
            # An encoder that moves makes earlier averages ever less true.
            n_before = min(n_before, _DOCUMENTS_TO_STANDARDISE_BY)
        after = _some_features(self.vae_._autoencoder, documents).mean(axis=0)
        # Earlier documents have moved about as those of the batch.
        moved = self._feature_means + (after - before)
        self._n_averaged = n_before + len(documents)
        self._feature_means = ((n_before * moved + len(documents) * after) / self._n_averaged).astype(
            np.float32
        )

    @property
    def _trains_head_alone(self) -> bool:
        return self._was_frozen or not self.epochs

    def _targets(
        self, labels: NDArray[np.integer], weights: NDArray[np.float64], offset: NDArray[np.float32]
    ) -> _training.Targets:
        probabilities = np.eye(len(self.classes_), dtype=np.float32)[labels]
        return _training.Targets(probabilities, weights.astype(np.float32), offset)

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
        epochs = min(1, self.epochs) if one_pass else self.epochs
        seeds = SeedSequence(draw_seed(self.random_state))
        ngram_range, head_units = self._check_parameters()
        X, labels, weights = self._labelled_first(X, y, sample_weight, classes)
        n_labelled = len(labels)
        classes, labels = _indexed(labels, classes)
        if len(classes) < 2:
            raise ValueError(
                f"y holds one class only, {classes.tolist()[0]!r}; a classifier needs texts of at least 2 classes."
            )
        if validation is not None:
            validation = (validation[0], _class_indices(validation[1], classes, argument="y_val"))
            if (
                isinstance(X, np.ndarray)
                and not isinstance(validation[0], np.ndarray)
                and not self._is_frozen
            ):
                raise ValueError(
                    "X_val holds texts, but X holds token ids; pass what the same TextTokenizer's transform returns."
                )
        vae, corpus, documents = self._first_step(X, n_labelled, X_unlabeled, seeds, one_pass, task)
        autoencoder = vae._autoencoder
        # Judged also where nothing is measured.
        measured = None if validation is None else autoencoder.read(validation[0], name="X_val")
        labelled = np.arange(n_labelled)
        present, of_present = np.unique(labels, return_inverse=True)
        data = LabelledDocuments.of(corpus.take(labelled), of_present, weights, seeds.next())
        features = autoencoder.features(documents.take(labelled))
        # Copies of labelled texts must not count where there are no others.
        population = documents.take(data.rows) if self._is_frozen else documents

        ngrams, tfidf = NgramFeatures(ngram_range), None
        if self.lexical:
            stop_ids = None if vae.tokenizer_ is None else vae.tokenizer_._stop_ids
            tfidf = ngrams.fit_transform(
                corpus.take(data.rows), autoencoder.network.config.n_tokens, stop_ids
            )
        some_features = _some_features(autoencoder, population)
        if len(present) > 1:
            terms, stacking_weights, offset = _fit_terms(tfidf, features[data.rows], some_features, data)
        else:
            terms, stacking_weights, offset = _terms_of_one_class(tfidf, features[data.rows])
        offset = offset[data.pair_of]
        if len(present) < len(classes):
            terms = {name: _for_all_classes(term, present, len(classes)) for name, term in terms.items()}
            terms["latent"].bias += _rare_where_absent(labels, len(classes))
            offset = _columns_of_all(offset, present, len(classes))

        self.__dict__.pop("_model", None)
        self._pretrained = None
        self.classes_ = classes
        self.vae_ = vae
        self.term_weights_ = stacking_weights
        self.history_ = {}
        self._was_frozen = self._is_frozen
        self._activation = self.head_activation
        self._online = None
        self._lexical = (ngrams, terms["lexical"]) if "lexical" in terms else None
        self._head = [terms["latent"]]
        n_others, before = len(documents) - n_labelled, None
        others = n_labelled + spread_rows(n_others, _DOCUMENTS_TO_KEEP_FREQUENCIES_BY)
        if epochs and not self._was_frozen and len(others) >= _FEWEST_TO_KEEP_FREQUENCIES_BY:
            before = self._logits(*self._features_of(corpus, documents, others))
        if head_units:
            self._head = _random_head(
                features.shape[1], head_units, terms["latent"].logits(features[data.rows]).mean(axis=0), seeds
            )
        # The linear head of a frozen autoencoder is fitted already.
        if epochs and (head_units or not self._was_frozen):
            read = Documents(features=features) if self._was_frozen else documents.take(labelled)
            if not self._was_frozen:
                # A warm start from weights fitted to the labels would fit the head to its own answers.
                self._pretrained = autoencoder.snapshot()
            report = None
            if task is not None:
                report = _training.ReportEpochs(
                    task.subcontext(task_name="fine-tuning", max_subtasks=epochs).call_on_fit_task_begin(
                        estimator=self, X=X[:n_labelled], y=classes[labels]
                    ),
                    self,
                    lambda: self._as_of_now(documents),
                    X[:n_labelled],
                    classes[labels],
                )
            self._fine_tune(
                read,
                self._targets(labels, weights, offset),
                seeds,
                epochs=epochs,
                validation=None
                if measured is None or validation is None
                else self._validation_set(measured, validation[1]),
                report=report,
            )
            if report is not None:
                report.task.call_on_fit_task_end(**report.given)
        if epochs and not self._was_frozen:
            autoencoder.network.changed()
            autoencoder.normalise_over(documents)
            some_features = _some_features(autoencoder, population)
            if before is not None:
                after = self._logits(*self._features_of(corpus, documents, others))
                self._shift_intercept(_class_head.frequency_shift(before, after))
        self.n_iter_ = len(self.history_.get("loss", []))
        self._feature_means = (features if self._was_frozen else some_features).mean(axis=0)
        self._n_averaged = len(documents)
        self._latent_classes = None
        if autoencoder.network.config.decoder != "bow":
            self._latent_classes = self._find_classes(documents, data, present)
        if task is not None:
            task.call_on_fit_task_end(
                estimator=self, X=X[:n_labelled], y=classes[labels], reconstruction_attributes={}
            )

    def _as_of_now(self, documents: Documents) -> dict[str, Any]:
        """Attributes that differ from this estimator's if training ended in the midst of fine-tuning."""
        vae = self.vae_
        if not self._was_frozen:
            autoencoder = vae._autoencoder.as_of_now(documents)
            vae = clone(vae)
            vae._autoencoder = autoencoder
        return {"vae_": vae, "_head": self._trained_head()}

    def _find_classes(
        self, documents: Documents, data: LabelledDocuments, present: NDArray[np.integer]
    ) -> LatentClasses:
        """Where the classes lie among the latents, which alone the decoder sees."""
        latents = self.vae_._autoencoder.posterior(documents.take(data.rows))[0]
        if len(present) > 1:
            term, _ = _fit_feature_term(latents, latents, data)
        else:
            term = _terms_of_one_class(None, latents)[0]["latent"]
        if len(present) < len(self.classes_):
            term = _for_all_classes(term, present, len(self.classes_))
        return LatentClasses(term, latents, present[data.labels], len(self.classes_))

    def _validation_set(
        self, corpus: Corpus, labels: NDArray[np.integer]
    ) -> tuple[Documents, _training.Targets]:
        autoencoder = self.vae_._autoencoder
        documents = autoencoder.prepare(corpus)
        offset = np.zeros((len(labels), self._head[-1].kernel.shape[1]), dtype=np.float32)
        if self._lexical is not None:
            ngrams, term = self._lexical
            offset += term.logits(ngrams.transform(corpus))
        if self._was_frozen:
            documents = Documents(features=autoencoder.features(documents))
        return documents, self._targets(labels, np.ones(len(labels)), offset)

    def _check_parameters(self) -> tuple[tuple[int, int], tuple[int, ...]]:
        ngram_range = tuple(self.ngram_range)
        whole = len(ngram_range) == 2 and all(isinstance(length, Integral) for length in ngram_range)
        if not whole or not 1 <= ngram_range[0] <= ngram_range[1]:
            raise ValueError(
                f"ngram_range={self.ngram_range!r}; expected two ints, the first at least 1 and at most the second."
            )
        if not all(isinstance(width, Integral) and width > 0 for width in self.head_units):
            raise ValueError(
                f"head_units={self.head_units!r}; expected a tuple of positive ints, one for each layer."
            )
        if len(self.head_units) and not self.epochs:
            raise ValueError(
                "head_units asks for hidden layers, and epochs=0 does not train them; set epochs=1."
            )
        return (int(ngram_range[0]), int(ngram_range[1])), tuple(int(width) for width in self.head_units)

    def _labelled_first(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        classes: NDArray[Any] | None = None,
        *,
        goes_on: bool = False,
    ) -> tuple[Any, NDArray[Any], NDArray[np.float64]]:
        """Documents, those that count for the head first; labels and weights of these.

        `classes` are all there are, where `y` may lack some; it may lack all where training goes on.
        """
        counts, labels = check_labels(y, len(X), unlabeled=self.unlabeled_label, allow_unlabeled=goes_on)
        weights = check_sample_weight(sample_weight, len(X), allow_zeros=goes_on)[counts]
        if not len(labels):
            return X, labels, weights
        if not goes_on and weights.max() == 0:
            raise ValueError("sample_weight is 0 for every text that has a label; expected a weight above 0.")
        if classes is None:
            _check_each_class_counts(labels, weights, "sample_weight is 0 for each of its texts")
        class_weight = self.class_weight
        if class_weight is not None:
            if class_weight == "balanced":
                class_weight = _balanced(labels, weights)
            named = labels if classes is None else np.concatenate([labels, classes])
            of_class = compute_sample_weight(class_weight, named)[: len(labels)]
            if of_class.min() < 0:
                raise ValueError(
                    f"class_weight={self.class_weight!r} has a negative weight; expected weights of at least 0."
                )
            _check_each_class_counts(labels, of_class, f"class_weight={self.class_weight!r}")
            weights = weights * of_class
        counts[counts] = weights > 0
        order = np.argsort(~counts, kind="stable")
        X = X[order] if isinstance(X, np.ndarray) else [X[row] for row in order]
        return X, labels[weights > 0], weights[weights > 0]

    @property
    def _from_lists(self) -> bool:
        return self.vae_._from_lists

    @property
    def _is_frozen(self) -> bool:
        return isinstance(self.vae, FrozenEstimator)

    def _first_step(
        self, X: Any, n_labelled: int, X_unlabeled: Any, seeds: SeedSequence, one_pass: bool, task: Any
    ) -> tuple[TextVAETransformer, Corpus, Documents]:
        """A fitted autoencoder, the documents that count for the next steps, and what it reads of them."""
        if callable(X_unlabeled):
            X_unlabeled = X_unlabeled()
            if X_unlabeled is None:
                raise ValueError("the function X_unlabeled returned None; expected texts.")
        labelled = X[:n_labelled]
        if X_unlabeled is not None:
            X = _joined(X, X_unlabeled)
        if isinstance(self.vae, FrozenEstimator):
            vae = self.vae.estimator
            if not isinstance(vae, TextVAETransformer):
                raise TypeError(
                    f"vae is a frozen {type(vae).__name__}; expected FrozenEstimator(TextVAETransformer)."
                )
            check_is_fitted(vae)
            if X_unlabeled is not None:
                warnings.warn(
                    "X_unlabeled is not used: vae is frozen, so it learns nothing from further texts. Leave"
                    " X_unlabeled out, or pass a vae that is not frozen.",
                    UserWarning,
                    stacklevel=stacklevel_of_user(),
                )
            corpus = vae._autoencoder.read(labelled)
            return vae, corpus, vae._autoencoder.prepare(corpus)
        vae = self._new_vae(seeds)
        tokenizer, corpus = vae._read_for_fit(X, n_labelled)
        if one_pass:
            documents = vae._fit_corpus(tokenizer, corpus, epochs=1, warmup=False)
        elif task is None:
            documents = vae._fit_corpus(tokenizer, corpus)
        else:
            with task.subcontext(task_name="fit-autoencoder").propagate_callback_context(vae):
                documents = vae._fit_corpus(tokenizer, corpus, given=(X, None))
        if not isinstance(self.random_state, Integral) and getattr(self.vae, "random_state", None) is None:
            # The seed that it was fitted from would write the same texts on every call.
            vae.set_params(random_state=self.random_state)
        return vae, corpus, documents

    def _new_vae(self, seeds: SeedSequence) -> TextVAETransformer:
        if self.vae is None:
            vae = TextVAETransformer(decoder="bow", verbose=self.verbose)
        elif isinstance(self.vae, TextVAETransformer):
            vae = clone(self.vae)
        else:
            raise TypeError(
                f"vae is a {type(self.vae).__name__}; expected a TextVAETransformer, a FrozenEstimator of a fitted"
                " one, or None."
            )
        # `fit_context` leaves out the validation of what is fitted inside `fit`.
        vae._validate_params()
        if vae.random_state is None:
            vae.set_params(random_state=seeds.next())
        if self.warm_start and hasattr(self, "vae_") and not self._was_frozen:
            if self.history_ and self._pretrained is None:
                warnings.warn(
                    "warm_start begins anew: the weights of before the fine-tuning, from which it would go on, are not"
                    " stored. Files hold them where they were saved with warm_start=True.",
                    UserWarning,
                    stacklevel=stacklevel_of_user(),
                )
                return vae
            # A copy, so that a fit that fails leaves the last one as it was.
            fitted = pickle.loads(pickle.dumps(self.vae_))
            if self._pretrained is not None:
                fitted._autoencoder = pickle.loads(pickle.dumps(self._pretrained))
            vae = fitted.set_params(**vae.get_params(deep=False) | {"warm_start": True})
        return vae

    def _fine_tune(
        self,
        documents: Documents,
        targets: _training.Targets,
        seeds: SeedSequence,
        *,
        epochs: int,
        validation: tuple[Documents, _training.Targets] | None = None,
        report: _training.ReportEpochs | None = None,
    ) -> None:
        """Let scikeras build the network, compile it and run `Model.fit`."""
        config = self.vae_._autoencoder.network.config
        # Built anew from the head of now where parameters say something else since.
        model = self.__dict__.get("_model")
        if model is not None and (
            model.trains_vae == self._trains_head_alone or (model.compiled and model.recipe != self._recipe())
        ):
            del self._model
        batch_size = resolve_batch_size(self.batch_size, len(documents), config.decoder != "bow")
        batches = _training.Batches(documents, batch_size, seeds.next(), targets=targets)
        options: dict[str, Any] = {} if hasattr(self, "fit__verbose") else {"verbose": 0}
        if validation is not None:
            measured, measured_targets = validation
            options["validation_data"] = _training.Batches(
                measured, batch_size, None, targets=measured_targets
            ).as_dataset()
        callbacks = _training.user_callbacks(self.callbacks)
        self._fit_callbacks = _training.training_callbacks(
            batches, callbacks, name=type(self).__name__, verbose=self.verbose, report=report
        )
        try:
            self._fit(
                X=batches.as_dataset(),
                y=None,
                sample_weight=None,
                # Goes on with a compiled network where there is one: in partial_fit.
                warm_start=True,
                epochs=epochs,
                initial_epoch=0,
                shuffle=False,
                **options,
            )
        finally:
            _training.release(callbacks)
        self._head = self._trained_head()
        self.history_ = {name: [float(value) for value in values] for name, values in self.history_.items()}
        # What scikeras leaves behind is of no use to anybody, and callbacks may not pickle.
        self.__dict__.pop("_fit_callbacks", None)

    def _recipe(self) -> str:
        """What decides how the network is trained."""
        routed = {name: value for name, value in vars(self).items() if name.startswith("optimizer__")}
        return repr((self.optimizer, self.learning_rate, self.classification_weight, sorted(routed.items())))

    def _trained_head(self) -> list[LinearTerm]:
        # Copies: what `numpy` gives may share the memory of a variable that is trained on.
        return [
            LinearTerm(np.array(layer.kernel.numpy()), np.array(layer.bias.numpy()))
            for layer in self.model_.class_head.layers
            if layer.weights
        ]

    def _keras_build_fn(self) -> TextVAEWithClassHead:
        head = build_class_head(
            self._head[0].kernel.shape[0],
            tuple(term.kernel.shape[1] for term in self._head[:-1]),
            self._activation,
            self._head[-1].kernel.shape[1],
            SeedSequence(0),
        )
        for layer, term in zip([layer for layer in head.layers if layer.weights], self._head, strict=True):
            layer.set_weights([term.kernel, term.bias])
        model = TextVAEWithClassHead(
            self.vae_._autoencoder.network.model,
            head,
            self.classification_weight,
            trains_vae=not self._trains_head_alone,
        )
        model.recipe = self._recipe()
        return model

    # Using

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probability of each class.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,), or array of int of shape \
                (n_samples, max_length)
            Texts, or token ids.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes), dtype float64
            Columns in the order of `classes_`.
        """
        return np.exp(self.predict_log_proba(X))

    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """Log-probability of each class.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,), or array of int of shape \
                (n_samples, max_length)
            Texts, or token ids.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes), dtype float64
        """
        check_is_fitted(self)
        blocks = [
            self._logits(*self._read(corpus))
            for corpus in self.vae_._autoencoder.read_in_blocks(X, fitted=self)
        ]
        return _class_head.log_probabilities(np.concatenate(blocks))

    def _features_of(
        self, corpus: Corpus, documents: Documents, rows: NDArray[np.integer]
    ) -> tuple[NDArray[np.float32], Any]:
        """What each linear model of the head reads of some of the documents."""
        tfidf = None if self._lexical is None else self._lexical[0].transform(corpus.take(rows))
        return self.vae_._autoencoder.features(documents.take(rows)), tfidf

    def _shift_intercept(self, shift: NDArray[np.floating]) -> None:
        self._head[-1].bias = (self._head[-1].bias + shift).astype(np.float32)
        model = getattr(self, "_model", None)
        if model is not None:
            last = [layer for layer in model.class_head.layers if layer.weights][-1]
            last.bias.assign(self._head[-1].bias)

    def _read(self, corpus: Corpus) -> tuple[NDArray[np.float32], Any]:
        """What each term of the head reads; None in the place of a lexical term that there is not."""
        autoencoder = self.vae_._autoencoder
        tfidf = None if self._lexical is None else self._lexical[0].transform(corpus)
        return autoencoder.features(autoencoder.prepare(corpus)), tfidf

    def _logits(self, features: NDArray[np.float32], tfidf: Any) -> NDArray[np.float32]:
        logits = _class_head.apply(self._head, self._activation, features)
        return logits if self._lexical is None else logits + self._lexical[1].logits(tfidf)

    def predict(self, X: Any) -> NDArray[Any]:
        """The likeliest class of each text.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,), or array of int of shape \
                (n_samples, max_length)
            Texts, or token ids.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
        """
        check_is_fitted(self)
        return np.asarray(self.classes_[self.predict_log_proba(X).argmax(axis=1)])

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy of the predicted classes.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,), or array of int of shape \
                (n_samples, max_length)
            Texts, or token ids.
        y : array-like of shape (n_samples,)
            Their classes. Texts whose `y` equals `unlabeled_label` are left out; other scorers of scikit-learn would
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

    def explain(self, X: Any, y: Any = None, *, n_contributions: int = 10) -> Any:
        """Which n-grams and which latents spoke for a class, and how loudly.

        The head adds up what it makes of each n-gram, each latent and each hidden unit of the
        encoder, so its margin splits into their contributions without approximation. That of a
        latent or unit counts from its average over the training texts (and with `head_units`, by
        the gradient at the text).

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,), or array of int of shape \
                (n_samples, max_length)
            Texts, or token ids; a few, not a corpus.
        y : class, array-like of shape (n_samples,), or None, default=None
            The class of all, or of each, to explain. None means the predicted one.
        n_contributions : int, default=10
            How many contributions of each text to list, those farthest from 0.

        Returns
        -------
        explanation : pandas.DataFrame
            A row for each contribution, and for each text a last one, "rest", with all others and the
            intercept. Columns:

            - "document": the text's position in `X`.
            - "class": the class explained.
            - "part": "lexical" for an n-gram, "latent" for a latent, "hidden_0", ... for a unit of the
              encoder's hidden layers.
            - "name": the n-gram; or the number of the latent or unit, with the words that its
              value in this text stands for.
            - "contribution": what it adds to the margin, in nats; above 0 it spoke for the class.
              With two classes, a text's contributions add up to the log-odds of the class; with
              more, to its logit less the average logit.

        Raises
        ------
        ValueError
            If `y` holds a class that is not in `classes_`, or as `predict`.
        ImportError
            If pandas is not installed.

        Examples
        --------
        >>> from skvae import TextVAEClassifier
        >>> from skvae.datasets import make_reviews
        >>> texts, labels = make_reviews(200, random_state=0)
        >>> classifier = TextVAEClassifier(epochs=0, random_state=0).fit(texts, labels)
        >>> frame = classifier.explain(["a dull mess"], n_contributions=3)
        >>> frame.columns.tolist(), len(frame)
        (['document', 'class', 'part', 'name', 'contribution'], 4)
        """
        check_is_fitted(self)
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError("explain needs pandas; install it with: pip install pandas") from error
        if not is_count(n_contributions):
            raise ValueError(f"n_contributions={n_contributions!r}; expected an int of at least 1.")
        features, tfidf = self._read(self.vae_._autoencoder.read(X, fitted=self))
        logits = self._logits(features, tfidf)
        if y is None:
            labels = _class_head.log_probabilities(logits).argmax(axis=1)
        else:
            labels = self._classes_of(y, len(features))
        directions = _explanation.class_directions(labels, logits.shape[1])
        terms = [self._latent_contributions(features, directions)]
        if self._lexical is not None:
            terms.append(self._lexical_contributions(tfidf, directions))
        rows = _explanation.largest_contributions(
            terms, (logits * directions).sum(axis=1), int(n_contributions)
        )
        frame = pd.DataFrame(rows, columns=["document", "part", "name", "contribution"])
        frame.insert(1, "class", self.classes_[labels[frame["document"]]])
        return frame

    def _lexical_contributions(self, tfidf: Any, directions: NDArray[np.float32]) -> Contributions:
        assert self._lexical is not None
        ngrams, term = self._lexical
        tokens = self.vae_._autoencoder.tokens

        def name(document: int, feature: int) -> tuple[str, str]:
            return "lexical", ngrams.names(tokens, np.array([feature]))[0]

        return Contributions(_explanation.linear_contributions(tfidf, term.kernel, directions), name)

    def _latent_contributions(
        self, features: NDArray[np.float32], directions: NDArray[np.float32]
    ) -> Contributions:
        if len(self._head) == 1:
            gradient = directions @ self._head[0].kernel.T
        else:
            gradient = self.model_.head_gradient(features, directions)
        features = features - self._feature_means
        autoencoder = self.vae_._autoencoder
        parts, words_of = autoencoder.feature_directions()

        def name(document: int, feature: int) -> tuple[str, str]:
            number = str(feature - parts.index(parts[feature]))
            if words_of is None:
                return parts[feature], number
            words = _explanation.in_words(words_of[feature], features[document, feature], autoencoder.words)
            return parts[feature], f"{number} ({words})"

        return Contributions(sp.csr_array(features * gradient), name)

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Posterior means of the latents of each text, by the autoencoder as fine-tuned.

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

    def inverse_transform(
        self, X: Any, y: Any = None, *, guidance: float = 24.0, random_state: Any = None, **options: Any
    ) -> NDArray[Any]:
        """Write a document from each latent vector.

        Parameters
        ----------
        X : array-like of float of shape (n_samples, n_components)
            Latent vectors, as `transform` gives them.
        y : class, array-like of shape (n_samples,), or None, default=None
            One class for all, or one for each, that the documents shall have: latents are moved a
            short way to where the class is clear, and tokens are chosen with an eye on it. None leaves
            latents and tokens to themselves.
        guidance : float, default=24.0
            How much the choice of tokens heeds the class: 0 not at all, 1 as by Bayes' rule with the
            lexical term of the class head as the judge of what is written [1]_, above 1 more. A class
            is seldom clear from a word or two, so that much more than 1 is needed [2]_; where it is clear,
            no more is done. Without `lexical`, and by a "repeat" decoder, it is not used.
        random_state : int, RandomState instance or None, default=None
            Decides the draws. None means that of `vae_`.
        **options : dict
            How tokens are chosen, as in `TextVAETransformer.inverse_transform`.

        Returns
        -------
        texts : ndarray of shape (n_samples,), dtype object
            One `str` a document; token ids when fitted on token ids.

        Raises
        ------
        ValueError
            If `vae` has no text decoder, if `y` holds a class that is not in `classes_`, or as
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
        latents = check_latents(X, self._n_features_out)
        _check_weight(guidance, "guidance")
        if y is None:
            return self.vae_.inverse_transform(latents, random_state=random_state, **options)
        labels = self._classes_of(y, len(latents))
        guide = self._guidance(labels, guidance)
        return self.vae_._write(
            classes.moved(latents, labels), DecodingOptions(**options), random_state, guide
        )

    def _guidance(self, labels: NDArray[np.integer], strength: float) -> Guidance:
        n_tokens = self.vae_._autoencoder.network.config.n_tokens
        # What is not written yet counts as it does on average, so that the classes have their shares; so does
        # the latent term, which is not asked about what is written.
        intercept = _class_head.apply(self._head, self._activation, self._feature_means[None])[0]
        if self._lexical is None:
            alone, pairs, strength = np.zeros((n_tokens, len(intercept)), dtype=np.float32), None, 0
        else:
            ngrams, term = self._lexical
            alone, pairs = ngrams.next_token_weights(term.kernel)
            intercept = intercept + term.bias
        return Guidance.of_outputs(intercept, alone, pairs, labels, float(strength))

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
            How many.
        y : class, array-like of shape (n_samples,), or None, default=None
            The class of all, or of each, as in `inverse_transform`. None means any.
        decoding : {"greedy", "sample", "beam"}, default="sample"
            How tokens are chosen, as in `TextVAETransformer.inverse_transform`.
        random_state : int, RandomState instance or None, default=None
            Decides the latents and the tokens. None means that of `vae_`.
        **options : dict
            `guidance`, and further options of `TextVAETransformer.inverse_transform`.

        Returns
        -------
        texts : ndarray of shape (n_samples,), dtype object
            As `inverse_transform` returns them.

        Raises
        ------
        ValueError
            As `inverse_transform`.
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
        """Write each document anew as one of a class, near in content.

        The document's latents are moved a short way (with two classes, the shortest) to where the class is
        as clear as in the clearest tenth of its labelled texts, and decoded; tokens are chosen with an eye
        on the class and on the document.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,), or array of int of shape \
                (n_samples, max_length)
            Texts, or token ids.
        y : class, or array-like of shape (n_samples,)
            The class that all, or each, shall have.
        guidance : float, default=24.0
            How much the choice of tokens heeds the class, as in `inverse_transform`.
        content_weight : float, default=6.0
            By how much the token is preferred, in nats, that follows in the document on the one just written;
            unknown tokens are left out, and a token that the document does not have stands for the one in
            its place. More keeps more of the document, words of the other class among it; 0 leaves the
            content to the latents. Not used by a "repeat" decoder.
        random_state : int, RandomState instance or None, default=None
            Decides the draws. None means that of `vae_`.
        **options : dict
            How tokens are chosen, as in `TextVAETransformer.inverse_transform`.

        Returns
        -------
        texts : ndarray of shape (n_samples,), dtype object
            As `inverse_transform` returns them.

        Raises
        ------
        ValueError
            As `inverse_transform`, and if `y` is None.
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
            # The decoder has learned to write ends of documents.
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
        return _class_indices(check_labels(y, n_samples)[1], self.classes_)

    def _latent_classes_for(self, method: str) -> LatentClasses:
        if self._latent_classes is None:
            raise ValueError(
                f"{method} needs a text decoder, and vae has decoder='bow'; fit with"
                " vae=TextVAETransformer(decoder='gru')."
            )
        return self._latent_classes

    # Keras and scikit-learn

    @property
    def model_(self) -> TextVAEWithClassHead:
        check_is_fitted(self)
        check_can_run()
        with _model_lock:
            if getattr(self, "_model", None) is None:
                self._model = self._keras_build_fn()
        return self._model

    @model_.setter
    def model_(self, model: TextVAEWithClassHead) -> None:
        self._model = model

    @property
    def encoder_(self) -> Any:
        check_is_fitted(self)
        return self.vae_.encoder_

    @property
    def decoder_(self) -> Any:
        check_is_fitted(self)
        return self.vae_.decoder_

    @property
    def class_head_(self) -> Any:
        return self.model_.class_head

    @property
    def tokenizer_(self) -> Any:
        check_is_fitted(self)
        return self.vae_.tokenizer_

    def __dir__(self) -> list[str]:
        # What goes through all attributes, as the display in a notebook does, must not build networks.
        unbuilt = (
            self.vae_._unbuilt() - {"model_"} if self.__sklearn_is_fitted__() else {"encoder_", "decoder_"}
        )
        if getattr(self, "_model", None) is None:
            unbuilt |= {"model_", "class_head_"}
        return names_without(self, unbuilt)

    @property
    def _n_features_out(self) -> int:
        return self.vae_._n_features_out

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "classes_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _to_store(self, state: dict[str, Any]) -> dict[str, Any]:
        state.pop("_model", None)
        if not self.warm_start:
            state.pop("_pretrained", None)
        return state


def _check_weight(weight: Any, name: str) -> None:
    if not isinstance(weight, Real) or not 0 <= float(weight) < np.inf:
        raise ValueError(f"{name}={weight!r}; expected a finite number of at least 0.")


def _check_each_class_counts(labels: NDArray[Any], weights: NDArray[np.float64], cause: str) -> None:
    """Refuse a class none of whose weights is above 0; `cause` says what gave them."""
    for label in np.unique(labels):
        if not weights[labels == label].max() > 0:
            raise ValueError(
                f"class {(label.item() if isinstance(label, np.generic) else label)!r} has no weight above 0"
                f" ({cause}); leave the texts of a class out if they must not count."
            )


def _class_indices(names: NDArray[Any], classes: NDArray[Any], *, argument: str = "y") -> NDArray[np.int64]:
    """Index of each label among the classes."""
    known = {name: index for index, name in enumerate(classes.tolist())}
    unknown = sorted({name for name in names.tolist() if name not in known}, key=str)
    if unknown:
        raise ValueError(f"{argument} holds {unknown}, which is none of the classes {classes.tolist()}.")
    return np.array([known[name] for name in names.tolist()], dtype=np.int64)


def _indexed(names: NDArray[Any], classes: NDArray[Any] | None) -> tuple[NDArray[Any], NDArray[np.integer]]:
    """All classes, those of the labels if none are given, and the index of each label."""
    found, labels = np.unique(names, return_inverse=True)
    if classes is None or np.array_equal(classes, found):
        return found, labels
    labels = _class_indices(names, classes)
    return classes.astype(object) if names.dtype == object else classes, labels


def _check_validation_set(
    X: Any, y: Any, X_train: Any, unlabeled: Any
) -> tuple[list[Any] | NDArray[np.int32], NDArray[Any]] | None:
    """The documents that have a label, and these labels."""
    if (X is None) != (y is None):
        given, missing = ("X_val", "y_val") if y is None else ("y_val", "X_val")
        raise ValueError(
            f"{given} was passed without {missing}; X_val and y_val belong together: pass both or none."
        )
    if X is None:
        return None
    documents = check_documents(X, name="X_val", in_lists=_holds_lists(X_train))
    labelled, labels = check_labels(y, len(documents), unlabeled=unlabeled, name="y_val")
    if isinstance(documents, list):
        return list(compress(documents, labelled)), labels
    return documents[labelled], labels


def _holds_lists(documents: list[Any] | NDArray[np.int32]) -> bool:
    return isinstance(documents, list) and bool(documents) and isinstance(documents[0], list)


def _joined(X: list[Any] | NDArray[np.int32], X_unlabeled: Any) -> list[Any] | NDArray[np.int32]:
    in_lists = _holds_lists(X)
    unlabeled = check_documents(X_unlabeled, name="X_unlabeled", allow_empty=True, in_lists=in_lists)
    if not len(unlabeled):
        return X
    if isinstance(X, list) and isinstance(unlabeled, list) and _holds_lists(unlabeled) != in_lists:
        kinds = ("texts", "lists of tokens") if in_lists else ("lists of tokens", "texts")
        raise ValueError(f"X_unlabeled holds {kinds[0]}, but X holds {kinds[1]}; pass both alike.")
    if isinstance(X, list) and isinstance(unlabeled, list):
        return X + unlabeled
    if isinstance(X, list):
        raise ValueError("X_unlabeled holds token ids, but X holds texts; pass both alike.")
    if isinstance(unlabeled, list):
        raise ValueError(
            "X_unlabeled holds texts, but X holds token ids; pass what the same TextTokenizer's transform returns."
        )
    width = max(X.shape[1], unlabeled.shape[1])
    return np.vstack([np.pad(each, ((0, 0), (0, width - each.shape[1]))) for each in (X, unlabeled)])


def _some_features(autoencoder: FittedAutoencoder, documents: Documents) -> NDArray[np.float32]:
    """Features of some of all documents, spread evenly."""
    return autoencoder.features(documents.take(spread_rows(len(documents), _DOCUMENTS_TO_STANDARDISE_BY)))


def _fit_terms(
    tfidf: Any, features: NDArray[np.float32], some_features: NDArray[np.float32], data: LabelledDocuments
) -> tuple[dict[str, LinearTerm], dict[str, float], NDArray[np.float32]]:
    """The linear models, each times its stacking weight; these weights; out-of-fold logits of the lexical model.

    The intercept of the stacking is in the "latent" model. All rows are those of `data`.
    """
    folds = data.folds()
    terms, out_of_fold = {}, {}
    if tfidf is not None and tfidf.shape[1]:
        terms["lexical"], out_of_fold["lexical"] = _class_head.fit_linear_term(
            tfidf, data, folds, _LEXICAL_CANDIDATES
        )
    terms["latent"], out_of_fold["latent"] = _fit_feature_term(features, some_features, data, folds)
    stacking = _class_head.fit_stacking(list(out_of_fold.values()), data, folds)
    weights = {name: float(weight) for name, weight in zip(terms, stacking.weights, strict=True)}
    intercepts = {name: stacking.intercept if name == "latent" else 0.0 for name in terms}
    terms = {name: term.scaled(weights[name], intercepts[name]) for name, term in terms.items()}
    offset = np.zeros((len(data.rows), data.n_outputs), dtype=np.float32)
    unseen = out_of_fold.get("lexical")
    if unseen is not None:
        # Logits for documents that the n-grams were fitted to would leave nothing to learn.
        offset += (weights["lexical"] * unseen).astype(np.float32)
    return terms, weights, offset


def _terms_of_one_class(
    tfidf: Any, features: NDArray[np.float32]
) -> tuple[dict[str, LinearTerm], dict[str, float], NDArray[np.float32]]:
    """As `_fit_terms` where all documents are of one class, which they tell nothing about."""
    read = {"latent": features.shape[1]}
    if tfidf is not None and tfidf.shape[1]:
        read = {"lexical": tfidf.shape[1]} | read
    terms = {
        name: LinearTerm(np.zeros((width, 1), dtype=np.float32), np.zeros(1, dtype=np.float32))
        for name, width in read.items()
    }
    share = 1 / len(terms)
    return terms, dict.fromkeys(terms, share), np.zeros((features.shape[0], 1), dtype=np.float32)


def _columns_of_all(
    outputs: NDArray[np.float32], present: NDArray[np.integer], n_classes: int
) -> NDArray[np.float32]:
    """Outputs for all classes, the last axis, from those for some; of the others 0, the average output."""
    if len(present) == 2:
        outputs = np.concatenate([-outputs / 2, outputs / 2], axis=-1)
    columns = np.zeros((*outputs.shape[:-1], n_classes), dtype=np.float32)
    columns[..., present] = outputs - outputs.mean(axis=-1, keepdims=True)
    return columns[..., 1:] - columns[..., :1] if n_classes == 2 else columns


def _for_all_classes(term: LinearTerm, present: NDArray[np.integer], n_classes: int) -> LinearTerm:
    return LinearTerm(*(_columns_of_all(each, present, n_classes) for each in (term.kernel, term.bias)))


def _rare_where_absent(labels: NDArray[np.integer], n_classes: int) -> NDArray[np.float32]:
    """Logits of the classes that no document has, as by the rule of succession (Laplace); of the others 0.

    Each has the odds of one document to those of all classes present, and less in a text that one of these
    is clear of.
    """
    n_present = len(np.unique(labels))
    logits = np.full(n_classes, np.log(n_present) - np.log(len(labels) + n_present), dtype=np.float32)
    logits[labels] = 0
    return logits[1:] - logits[:1] if n_classes == 2 else logits


def _fit_feature_term(
    features: NDArray[np.float32],
    all_features: NDArray[np.float32],
    data: LabelledDocuments,
    folds: NDArray[np.int64] | None = None,
) -> tuple[LinearTerm, NDArray[np.float64] | None]:
    """A linear model of features that are standardised by their spread over all documents."""
    centre, spread = all_features.mean(axis=0), all_features.std(axis=0)
    spread[spread == 0] = 1
    term, out_of_fold = _class_head.fit_linear_term(
        (features - centre) / spread, data, data.folds() if folds is None else folds, _FEATURE_CANDIDATES
    )
    kernel = term.kernel / spread[:, None]
    return LinearTerm(kernel, term.bias - centre @ kernel), out_of_fold


def _random_head(
    n_features: int, units: tuple[int, ...], bias: NDArray[np.float32], seeds: SeedSequence
) -> list[LinearTerm]:
    """Layers of these widths; the last one gives one logit for each entry of `bias`, which it starts from."""
    random = np.random.default_rng(seeds.next())
    head = []
    for before, after in pairwise([n_features, *units, len(bias)]):
        limit = np.sqrt(6 / (before + after))
        kernel = random.uniform(-limit, limit, (before, after)).astype(np.float32)
        head.append(LinearTerm(kernel, np.zeros(after, dtype=np.float32)))
    head[-1].bias = bias.astype(np.float32)
    return head


def _balanced(labels: NDArray[Any], weights: NDArray[np.float64]) -> dict[Any, float]:
    """Weights with which the classes count the same; a text counts by its weight, as its copies would."""
    classes, index = np.unique(labels, return_inverse=True)
    totals = np.bincount(index, weights=weights)
    # A class without weight is refused by who multiplies.
    shares = np.where(totals > 0, totals, totals.sum()) * max((totals > 0).sum(), 1) / totals.sum()
    return dict(zip(classes.tolist(), (1 / shares).tolist(), strict=True))
