"""The part of the classifier that is a Keras network: how scikeras builds, compiles and trains it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from .._base.forking import check_can_run
from .._base.seeds import SeedSequence, draw_seed
from .._head.documents import TrainingDocuments
from .._head.fitting import FittedHead, random_layers
from .._head.frequencies import ClassFrequencies
from .._head.head import ClassHead
from .._head.labels import LabelledFirst, class_indices, labelled_first, named_classes
from .._head.linear import LinearModel
from .._head.logits import leads
from .._network.callbacks import ReportEpochs, release, training_callbacks, user_callbacks
from .._network.fitted import FittedAutoencoder
from .._network.stored import TrainingState
from .._network.training import Batches, Targets, resolve_batch_size
from .._network.with_class_head import TextVAEWithClassHead, build_class_head
from .._texts.corpus import Corpus
from .._texts.documents import Documents
from .._writing.steering import LatentClasses
from .composition import parameters_to_go_on, warn_if_unused, with_unlabelled
from .scikeras import NOT_PARAMETERS, KerasEstimator
from .sklearn import names_without
from .storing import StoredMixin, head_from_store, head_to_store
from .texts import reads_lists
from .training import appended_history, progress_of

_model_lock = threading.Lock()


class FineTunedEstimator(StoredMixin, KerasEstimator):
    """Fine-tunes the autoencoder in `vae_` and the class head in `_class_head`."""

    classes_: NDArray[Any]
    vae_: Any
    history_: dict[str, list[float]]
    _class_head: ClassHead
    _latent_classes: LatentClasses | None = None
    _was_frozen: bool
    _pretrained: FittedAutoencoder | None = None
    _n_passes_before: int | None = None

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
        # Code that lists all attributes, such as the notebook display, must not build networks.
        fitted = self.__sklearn_is_fitted__()
        unbuilt = self.vae_._unbuilt() - {"model_"} if fitted else {"encoder_", "decoder_"}
        if getattr(self, "_model", None) is None:
            unbuilt |= {"model_", "class_head_"}
        return names_without(self, unbuilt | NOT_PARAMETERS)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "classes_")

    @property
    def _trains_head_alone(self) -> bool:
        return self._was_frozen or not self.epochs

    def _targets(
        self, labels: NDArray[np.integer], weights: NDArray[np.floating], offset: NDArray[np.float32]
    ) -> Targets:
        probabilities = np.eye(len(self.classes_), dtype=np.float32)[labels]
        return Targets(probabilities, weights.astype(np.float32), offset)

    def _validation_set(self, corpus: Corpus, labels: NDArray[np.integer]) -> tuple[Documents, Targets]:
        """The data on which each epoch of fine-tuning is evaluated."""
        autoencoder, head = self.vae_._autoencoder, self._class_head
        documents = autoencoder.prepare(corpus)
        offset = head.linear_logits(head.inputs(corpus, documents), len(labels))
        if self._was_frozen:
            documents = Documents(features=autoencoder.features(documents))
        return documents, self._targets(labels, np.ones(len(labels)), offset)

    def _fine_tune(
        self,
        documents: Documents,
        targets: Targets,
        seeds: SeedSequence,
        *,
        epochs: int,
        validation: tuple[Documents, Targets] | None = None,
        report: ReportEpochs | None = None,
    ) -> None:
        """Let scikeras build the network, compile it and run `Model.fit`."""
        # Rebuilt from the current head if parameters have changed.
        model = self.__dict__.get("_model")
        if model is not None and (
            model.trains_vae == self._trains_head_alone or (model.compiled and model.recipe != self._recipe())
        ):
            del self._model
        batch_size = resolve_batch_size(
            self.batch_size, len(documents), self.vae_._autoencoder.has_text_decoder
        )
        batches = Batches(documents, batch_size, seeds.next(), targets=targets)
        options: dict[str, Any] = {} if "fit__verbose" in self._routed() else {"verbose": 0}
        if validation is not None:
            measured, measured_targets = validation
            options["validation_data"] = Batches(
                measured, batch_size, None, targets=measured_targets
            ).as_dataset()
        callbacks = user_callbacks(self.callbacks)
        self._fit_callbacks = training_callbacks(
            batches, callbacks, progress=progress_of(self), report=report
        )
        try:
            self._fit(
                X=batches.as_dataset(),
                y=None,
                sample_weight=None,
                # In partial_fit, training continues with the compiled network.
                warm_start=True,
                epochs=epochs,
                initial_epoch=0,
                shuffle=False,
                **options,
            )
        finally:
            release(callbacks)
        self._class_head.layers = self._trained_layers()
        self.history_ = {name: [float(value) for value in values] for name, values in self.history_.items()}
        # scikeras leaves these attributes behind; they are not used, and callbacks may not be picklable.
        self.__dict__.pop("_fit_callbacks", None)

    def _fine_tune_on_labels(
        self,
        documents: TrainingDocuments,
        fitted: FittedHead,
        seeds: SeedSequence,
        *,
        epochs: int,
        head_units: tuple[int, ...],
        validation: tuple[Documents, Targets] | None,
        reporter: Callable[[ClassFrequencies | None], ReportEpochs] | None,
    ) -> None:
        """Train the head, and the autoencoder unless it is frozen; normalise, and restore the class frequencies."""
        autoencoder, frequencies = self.vae_._autoencoder, None
        if not self._was_frozen:
            frequencies = ClassFrequencies(fitted.head, autoencoder, documents)
            # A warm start from fine-tuned weights would leak labels into the features of the head.
            self._keep_pretrained()
        report = None if reporter is None else reporter(frequencies)
        if head_units:
            bias = fitted.head.layers[0].logits(fitted.features[fitted.data.rows]).mean(axis=0)
            fitted.head.layers = random_layers(fitted.features.shape[1], head_units, bias, seeds.next())
        self._fine_tune(
            Documents(features=fitted.features)
            if self._was_frozen
            else documents.read.take(documents.labelled),
            self._targets(documents.labels, documents.weights, fitted.offset),
            seeds,
            epochs=epochs,
            validation=validation,
            report=report,
        )
        if report is not None:
            report.task.call_on_fit_task_end(**report.given)
        if frequencies is not None:
            autoencoder.changed()
            autoencoder.normalise_over(documents.read)
            self._shift_intercept(frequencies.shift(fitted.head, autoencoder))

    def _report(
        self,
        task: Any,
        epochs: int,
        documents: Documents,
        X: Any,
        y: NDArray[Any],
        frequencies: ClassFrequencies | None,
    ) -> ReportEpochs:
        """Reports the epochs of fine-tuning to scikit-learn's callbacks."""
        task = task.subcontext(task_name="fine-tuning", max_subtasks=epochs)
        task = task.call_on_fit_task_begin(estimator=self, X=X, y=y)
        return ReportEpochs(task, self, lambda: self._as_of_now(documents, frequencies), X, y)

    def _recipe(self) -> str:
        """The parameters that the compiled network depends on."""
        options = sorted(self._optimizer_options().items())
        return repr((self.optimizer, self.learning_rate, self.classification_weight, options))

    def _trained_layers(self) -> list[LinearModel]:
        # Copies, since `numpy` may return memory that is shared with a variable.
        return [
            LinearModel(np.array(layer.kernel.numpy()), np.array(layer.bias.numpy()))
            for layer in self.model_.class_head.layers
            if layer.weights
        ]

    def _shift_intercept(self, shift: NDArray[np.floating]) -> None:
        """Add to the intercept of the head, and of its network."""
        self._class_head.shift(shift)
        model = getattr(self, "_model", None)
        if model is not None:
            last = [layer for layer in model.class_head.layers if layer.weights][-1]
            last.bias.assign(self._class_head.layers[-1].bias)

    def _keras_build_fn(self) -> TextVAEWithClassHead:
        layers = self._class_head.layers
        head = build_class_head(
            layers[0].kernel.shape[0],
            tuple(layer.kernel.shape[1] for layer in layers[:-1]),
            self._class_head.activation,
            self._class_head.n_outputs,
            SeedSequence(0),
        )
        for layer, linear in zip([layer for layer in head.layers if layer.weights], layers, strict=True):
            layer.set_weights([linear.kernel, linear.bias])
        model = TextVAEWithClassHead(
            self.vae_._autoencoder.network.model,
            head,
            self.classification_weight,
            trains_vae=not self._trains_head_alone,
        )
        model.recipe = self._recipe()
        return model

    def _as_of_now(self, documents: Documents, frequencies: ClassFrequencies | None) -> dict[str, Any]:
        """Attributes that would differ from this estimator's if fine-tuning ended now."""
        vae, head = self.vae_, self._class_head.with_layers(self._trained_layers())
        if not self._was_frozen:
            autoencoder = vae._autoencoder.as_of_now(documents)
            vae = clone(vae)
            vae._autoencoder = autoencoder
        if frequencies is not None:
            head.shift(frequencies.shift(head, vae._autoencoder))
        return {"vae_": vae, "_class_head": head}

    @contextmanager
    def _network_restored(self) -> Iterator[None]:
        """After an exception, restore the weights of head and autoencoder and the state of their optimizers."""
        model = self.__dict__.get("_model")
        before = None if model is None else TrainingState(model)
        try:
            with nullcontext() if self._was_frozen else self.vae_._all_or_nothing():
                yield
        except BaseException:
            if before is not None:
                before.restore()
            raise

    def _learn_batch(
        self,
        corpus: Corpus,
        labels: NDArray[np.integer],
        weights: NDArray[np.float64],
        seeds: SeedSequence,
        parameters: dict[str, Any],
    ) -> None:
        """Train all parts for one pass over a batch whose first documents have labels.

        `parameters` are those of the autoencoder for this pass.
        """
        vae, autoencoder = self.vae_, self.vae_._autoencoder
        documents = autoencoder.prepare(corpus)
        labelled = np.arange(len(labels))
        # Copies, so that a failure leaves the previous head unchanged: its models are trained in place.
        self._class_head = head = self._class_head.copy()
        if len(labels):
            if self._latent_classes is not None:
                self._ngram_classes()
            head.models, head.online, self._latent_classes = deepcopy(
                (head.models, head.online, self._latent_classes)
            )
            clear = self._leads(corpus.take(labelled), documents.take(labelled))
        # Statistics before this batch, since fine-tuning shifts the part that its documents add.
        moments = autoencoder.moments
        with self._network_restored():
            if not self._was_frozen:
                documents = vae.set_params(**parameters)._go_on(corpus, len(labels))
            if not len(labels):
                return
            own = documents.take(labelled)
            inputs = head.inputs(corpus.take(labelled), own)
            targets = self._targets(labels, weights, head.linear_logits(inputs, len(labels)))
            self._tune_on_batch(own, targets, seeds)
            if not self._trains_head_alone:
                autoencoder.changed()
                autoencoder.moments = moments
                autoencoder.normalise_over(documents, keep_history=True)
            if self._latent_classes is not None:
                self._latent_classes.go_on(autoencoder.posterior(own)[0], labels, weights, clear, inputs)
            head.train_linear(inputs, labels, weights, autoencoder.features(own))

    def _leads(self, corpus: Corpus, documents: Documents) -> NDArray[np.float64]:
        """By how much the likeliest class of each document leads the next, in nats."""
        head = self._class_head
        return leads(head.logits(self.vae_._autoencoder.features(documents), head.inputs(corpus, documents)))

    def _tune_on_batch(self, documents: Documents, targets: Targets, seeds: SeedSequence) -> None:
        """One epoch of fine-tuning, appended to `history_`."""
        if self._trains_head_alone:
            documents = Documents(features=self.vae_._autoencoder.features(documents))
        elif not self.history_:
            self._keep_pretrained()
        previous = self.history_
        self._fine_tune(documents, targets, seeds, epochs=1)
        self.history_ = appended_history(previous, self.history_ if self.epochs else {})

    def _go_on(self, X: Any, y: Any, classes: Any, sample_weight: Any, X_unlabeled: Any) -> None:
        seeds = SeedSequence(draw_seed(self.random_state))
        parameters = parameters_to_go_on(self, self._default_vae(self.verbose))
        if classes is not None:
            named = named_classes(classes, self.unlabeled_label)
            if not np.array_equal(named, self.classes_):
                raise ValueError(
                    f"classes={named.tolist()} is not the same as on the first call to partial_fit:"
                    f" {self.classes_.tolist()}."
                )
        given = self._labelled_first(X, y, sample_weight, self.classes_, goes_on=True)
        labels = class_indices(given.labels, self.classes_)
        tokenizer = self.vae_.tokenizer_
        # Judged even if it is not used.
        read = with_unlabelled(
            given.documents, X_unlabeled, None if tokenizer is None else tokenizer.n_tokens_
        )
        if self._was_frozen:
            warn_if_unused(X_unlabeled)
            read = given.labelled
        self.n_iter_ += 1
        if len(read):
            self._learn_batch(self.vae_._autoencoder.read(read), labels, given.weights, seeds, parameters)

    def _labelled_first(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        classes: NDArray[Any] | None,
        *,
        goes_on: bool = False,
    ) -> LabelledFirst:
        return labelled_first(
            X,
            y,
            sample_weight,
            unlabeled=self.unlabeled_label,
            class_weight=self.class_weight,
            classes=classes,
            goes_on=goes_on,
        )

    def _take(self, vae: Any, classes: NDArray[Any], fitted: FittedHead) -> None:
        """Set the fitted attributes that exist before fine-tuning."""
        self.__dict__.pop("_model", None)
        self.classes_ = classes
        self.vae_ = vae
        self.term_weights_ = fitted.stacking_weights
        self.history_ = {}
        self._was_frozen = self._is_frozen
        self._class_head = fitted.head
        self._latent_classes = None
        self._pretrained = None
        self._n_passes_before = None

    def _keep_pretrained(self) -> None:
        """Keep the autoencoder as it is before its first fine-tuning."""
        self._pretrained = self.vae_._autoencoder.snapshot()
        self._n_passes_before = self.vae_.n_iter_

    @property
    def _from_lists(self) -> bool:
        return bool(self.vae_._autoencoder.from_lists)

    @property
    def _goes_on(self) -> bool:
        """Whether the next `fit` continues from the autoencoder of the last one."""
        return bool(self.warm_start) and self.__sklearn_is_fitted__() and not self._was_frozen

    @property
    def _reads_lists(self) -> bool:
        """Whether the next `fit` reads documents with a tokenizer that was fitted on lists of tokens."""
        if self._goes_on:
            return self._from_lists
        if self._is_frozen:
            return bool(getattr(self.vae.estimator, "_from_lists", False))
        return self.vae is not None and reads_lists(self.vae)

    @property
    def _is_frozen(self) -> bool:
        return isinstance(self.vae, FrozenEstimator)

    @property
    def _n_features_out(self) -> int:
        return int(self.vae_._autoencoder.n_components)

    def _to_store(self, state: dict[str, Any]) -> dict[str, Any]:
        state.pop("_model", None)
        if not self.warm_start:
            state.pop("_pretrained", None)
        return head_to_store(state)

    def _from_store(self, state: dict[str, Any]) -> dict[str, Any]:
        # In files of format 1, arguments for Keras are separate attributes.
        routed = {name: state.pop(name) for name in list(state) if name.startswith(("optimizer__", "fit__"))}
        return head_from_store({"keras_params": routed or None} | state)
