"""A class head for labelled documents.

The logits of a document are a sum: linear models read n-grams and the document's vector (wide), one reads the
encoder's output (deep), and an intercept represents the class frequencies. Each linear model
is a logistic regression. The stacking weights and the intercept are fitted to out-of-fold predictions, so a
model that adds no information has little influence, and probabilities are calibrated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._base.statistics import centre_and_spread, principal_axes
from .._network.fitted import FittedAutoencoder
from .._texts.documents import spread_rows
from .._texts.ngrams import NgramFeatures
from .documents import LabelledDocuments, TrainingDocuments
from .head import NGRAM_MODELS, ClassHead, NgramClasses
from .linear import LinearModel, fit_linear_model, naive_bayes_scales
from .stacking import fit_stacking

# Values of `C` of each linear model; cross-validation picks one.
_LEXICAL_CANDIDATES = (10.0, 100.0)
_FEATURE_CANDIDATES = (1e-3, 1e-2, 1e-1)
# Evenly spread; with wide embeddings, more would take minutes.
_DOCUMENTS_FOR_AXES = 50_000


@dataclass(frozen=True)
class FittedHead:
    """Result of `fit_class_head`.

    Parameters
    ----------
    head : ClassHead
        It has one layer.
    stacking_weights : dict of str to float
        Of "lexical", "latent", "vector" and "embedding".
    offset : ndarray of shape (n_labelled, n_outputs), dtype float32
        Out-of-fold logits of the head's linear models for each labelled document; fine-tuning adds them to those of the
        layers.
    data : LabelledDocuments
    present : ndarray of int
        Indices of the classes that have a document.
    features : ndarray of shape (n_labelled, n_features), dtype float32
    mean_lead : float
        As in `LinearHead`.
    ngram_classes : NgramClasses or None
        None if the autoencoder does not write.
    """

    head: ClassHead
    stacking_weights: dict[str, float]
    offset: NDArray[np.float32]
    data: LabelledDocuments
    present: NDArray[np.integer]
    features: NDArray[np.float32]
    mean_lead: float
    ngram_classes: NgramClasses | None


def fit_class_head(
    autoencoder: FittedAutoencoder,
    documents: TrainingDocuments,
    n_classes: int,
    *,
    ngram_range: tuple[int, int] | None,
    activation: str,
    labelled_only: bool,
    seed: int,
) -> FittedHead:
    """Fit a head to the labelled documents.

    Parameters
    ----------
    autoencoder : FittedAutoencoder
    documents : TrainingDocuments
    n_classes : int
        Number of all classes; some may have no document.
    ngram_range : tuple of int, or None
        None omits the lexical model.
    activation : str
        Activation of hidden layers, if any are added later.
    labelled_only : bool
        Whether features are standardised by the labelled documents alone, each counted once: without other documents,
        copies must not change the statistics.
    seed : int
        Determines the folds.

    Returns
    -------
    fitted : FittedHead
    """
    present, of_present = np.unique(documents.labels, return_inverse=True)
    own = documents.corpus.take(documents.labelled)
    data = LabelledDocuments.of(own, of_present, documents.weights, seed)
    features = autoencoder.features(documents.read.take(documents.labelled))
    ngrams = tfidf = None
    if ngram_range is not None:
        ngrams = NgramFeatures(ngram_range)
        tfidf = ngrams.fit_transform(own.take(data.rows), autoencoder.n_tokens, autoencoder.stop_ids)
    population = documents.read.take(data.rows) if labelled_only else documents.read
    some_features = autoencoder.features_of_some(population)
    inputs: dict[str, Any] = {"lexical": tfidf, "latent": (features[data.rows], some_features)}
    for name, of_labelled, of_all in (
        ("vector", documents.read.vectors, population.vectors),
        ("embedding", documents.read.embeddings, population.embeddings),
    ):
        inputs[name] = None if of_labelled is None else (of_labelled[data.rows], of_all)
    linear = fit_linear_head(inputs, data, stack_ngrams=autoencoder.has_text_decoder)
    if len(present) < n_classes:
        linear = for_all_classes(linear, documents.labels, present, n_classes)
    head = ClassHead(
        layers=[linear.layer],
        activation=activation,
        models=linear.models,
        ngrams=ngrams if "lexical" in linear.models else None,
    )
    offset = linear.offset[data.pair_of]
    return FittedHead(
        head,
        linear.stacking_weights,
        offset,
        data,
        present,
        features,
        linear.mean_lead,
        linear.ngram_classes,
    )


@dataclass(frozen=True)
class LinearHead:
    """Result of `fit_linear_head`.

    Parameters
    ----------
    layer : LinearModel
        Reads the encoder's output, and contains the intercept. Like the other models, it is multiplied by its
        stacking weight.
    models : dict of str to LinearModel
        Those of the other inputs.
    stacking_weights : dict of str to float
    offset : ndarray of shape (n_distinct, n_outputs), dtype float32
        Out-of-fold logits of `models`, multiplied by their stacking weights.
    mean_lead : float
        As in `Stacking`.
    ngram_classes : NgramClasses or None, default=None
        Those of n-grams, stacked by themselves.
    """

    layer: LinearModel
    models: dict[str, LinearModel]
    stacking_weights: dict[str, float]
    offset: NDArray[np.float32]
    mean_lead: float
    ngram_classes: NgramClasses | None = None


def fit_linear_head(
    inputs: dict[str, Any], data: LabelledDocuments, *, stack_ngrams: bool = False
) -> LinearHead:
    """Fit the linear models of a head, and their stacking.

    Parameters
    ----------
    inputs : dict of str to object
        "lexical": CSR array of shape (n_distinct, n_ngrams), or None. Others, of which "latent" must exist: features
        of shape (n_distinct, n_features), and those of labelled and other documents, used for standardisation.
    data : LabelledDocuments
    stack_ngrams : bool, default=False
        Whether the models of n-grams are also stacked by themselves.

    Returns
    -------
    head : LinearHead
    """
    # Without an n-gram, there is nothing to read.
    inputs = {name: given for name, given in inputs.items() if given is not None and _width(given)}
    if data.n_classes < 2:
        return _head_of_one_class(inputs, stack_ngrams)
    folds = data.folds()
    models, out_of_fold = {}, {}
    for name, given in inputs.items():
        models[name], out_of_fold[name] = (
            fit_linear_model(given, data, folds, _LEXICAL_CANDIDATES, scales=naive_bayes_scales)
            if name == "lexical"
            # The prior of the latents has given each direction the variance that it is worth.
            else fit_feature_model(given[0], given[1], data, folds, by_variance=name != "latent")
        )
    alone = _stacked_ngrams(models, out_of_fold, data, folds) if stack_ngrams else None
    stacking = fit_stacking(list(out_of_fold.values()), data, folds)
    weights = {name: float(weight) for name, weight in zip(models, stacking.weights, strict=True)}
    intercepts = {name: stacking.intercept if name == "latent" else 0.0 for name in models}
    models = {name: model.scaled(weights[name], intercepts[name]) for name, model in models.items()}
    layer = models.pop("latent")
    offset = np.zeros((len(data.rows), data.n_outputs), dtype=np.float32)
    for name in models:
        logits = out_of_fold[name]
        if logits is not None:
            # In-sample logits would leave nothing to learn.
            offset += (weights[name] * logits).astype(np.float32)
    return LinearHead(layer, models, weights, offset, stacking.mean_lead, alone)


def _stacked_ngrams(
    models: dict[str, LinearModel],
    out_of_fold: dict[str, NDArray[np.float64] | None],
    data: LabelledDocuments,
    folds: NDArray[np.int64],
) -> NgramClasses:
    """The models of n-grams, stacked by themselves."""
    names = [name for name in NGRAM_MODELS if name in models]
    if not names:
        return NgramClasses({}, np.zeros(data.n_outputs, dtype=np.float32))
    stacking = fit_stacking([out_of_fold[name] for name in names], data, folds)
    scaled = {name: models[name].scaled(weight) for name, weight in zip(names, stacking.weights, strict=True)}
    return NgramClasses(scaled, stacking.intercept.astype(np.float32), stacking.mean_lead)


def _width(given: Any) -> int:
    return int((given[0] if isinstance(given, tuple) else given).shape[1])


def _head_of_one_class(inputs: dict[str, Any], stack_ngrams: bool) -> LinearHead:
    """With a single class, there is nothing to fit: models of zeros."""
    models = {
        name: LinearModel(np.zeros((_width(given), 1), dtype=np.float32), np.zeros(1, dtype=np.float32))
        for name, given in inputs.items()
    }
    weights = dict.fromkeys(models, 1 / len(models))
    offset = np.zeros((len(inputs["latent"][0]), 1), dtype=np.float32)
    layer = models.pop("latent")
    # Copies, since a stream trains both.
    ngrams = {name: model.scaled(1.0) for name, model in models.items() if name in NGRAM_MODELS}
    alone = NgramClasses(ngrams, np.zeros(1, dtype=np.float32)) if stack_ngrams else None
    return LinearHead(layer, models, weights, offset, np.nan, alone)


def fit_feature_model(
    features: NDArray[np.float32],
    all_features: NDArray[np.float32],
    data: LabelledDocuments,
    folds: NDArray[np.int64],
    *,
    by_variance: bool = False,
) -> tuple[LinearModel, NDArray[np.float64] | None]:
    """A linear model of features that are standardised over all documents.

    With `by_variance`, it is compared with one that multiplies each principal axis of the standardised features
    by their standard deviation along it. Few labelled documents then tell most about directions in which all documents
    differ most (Zhang and Ando 2005).

    References
    ----------
    T. Zhang and R. K. Ando, "Analysis of Spectral Kernel Design based Semi-supervised Learning", NIPS 2005.
    """
    centre, spread = centre_and_spread(all_features)
    spread[spread == 0] = 1
    standard, scales, axes = (features - centre) / spread, None, None
    if by_variance:
        # L2-penalised regression is invariant under rotation: without scales, the axes make no difference.
        some = all_features[spread_rows(len(all_features), _DOCUMENTS_FOR_AXES)]
        axes, deviations = principal_axes(some, centre, spread)
        standard, scales = standard @ axes, lambda *_: deviations
    model, out_of_fold = fit_linear_model(standard, data, folds, _FEATURE_CANDIDATES, scales=scales)
    kernel = (model.kernel if axes is None else axes @ model.kernel) / spread[:, None]
    return LinearModel(kernel, model.bias - centre @ kernel), out_of_fold


def random_layers(
    n_features: int, units: tuple[int, ...], bias: NDArray[np.float32], seed: int
) -> list[LinearModel]:
    """Layers of these widths; the last one has one logit for each entry of `bias`, which it returns before training."""
    random = np.random.default_rng(seed)
    layers = []
    for before, after in pairwise([n_features, *units, len(bias)]):
        limit = np.sqrt(6 / (before + after))
        kernel = random.uniform(-limit, limit, (before, after)).astype(np.float32)
        layers.append(LinearModel(kernel, np.zeros(after, dtype=np.float32)))
    # Random weights would give a class without documents a high probability in some texts.
    layers[-1] = LinearModel(np.zeros_like(layers[-1].kernel), bias.astype(np.float32))
    return layers


def for_all_classes(
    head: LinearHead, labels: NDArray[np.integer], present: NDArray[np.integer], n_classes: int
) -> LinearHead:
    """A head for all classes, including those without documents.

    Parameters
    ----------
    head : LinearHead
        Head of the classes that are present.
    labels : ndarray of shape (n_labelled,)
        Index, among all classes, of the class of each document.
    present : ndarray of int
        Indices of the classes that are present.
    n_classes : int
        Number of all classes.

    Returns
    -------
    head : LinearHead
    """
    models = _models_for_all(head.models, present, n_classes)
    layer, rare = model_for_all(head.layer, present, n_classes), _rare_where_absent(labels, n_classes)
    layer.bias += rare
    offset = _columns_of_all(head.offset, present, n_classes)
    ngram_classes = head.ngram_classes
    if ngram_classes is not None:
        ngram_classes = replace(
            ngram_classes,
            models=_models_for_all(ngram_classes.models, present, n_classes),
            intercept=_columns_of_all(ngram_classes.intercept, present, n_classes) + rare,
        )
    return replace(head, layer=layer, models=models, offset=offset, ngram_classes=ngram_classes)


def _models_for_all(
    models: dict[str, LinearModel], present: NDArray[np.integer], n_classes: int
) -> dict[str, LinearModel]:
    return {name: model_for_all(model, present, n_classes) for name, model in models.items()}


def model_for_all(model: LinearModel, present: NDArray[np.integer], n_classes: int) -> LinearModel:
    """A linear model in which classes that are not present get the average logit."""
    return LinearModel(*(_columns_of_all(each, present, n_classes) for each in (model.kernel, model.bias)))


def _columns_of_all(
    outputs: NDArray[np.float32], present: NDArray[np.integer], n_classes: int
) -> NDArray[np.float32]:
    """Outputs for all classes (last axis) from those for some; the others get 0, the average output."""
    if len(present) == 2:
        outputs = np.concatenate([-outputs / 2, outputs / 2], axis=-1)
    columns = np.zeros((*outputs.shape[:-1], n_classes), dtype=np.float32)
    columns[..., present] = outputs - outputs.mean(axis=-1, keepdims=True)
    return columns[..., 1:] - columns[..., :1] if n_classes == 2 else columns


def _rare_where_absent(labels: NDArray[np.integer], n_classes: int) -> NDArray[np.float32]:
    """Logits of the classes without documents, by the rule of succession (Laplace); 0 for the others.

    Each has the odds of one document to those of all classes present, and less in a text that is clearly of one
    of these.
    """
    n_present = len(np.unique(labels))
    logits = np.full(n_classes, np.log(n_present) - np.log(len(labels) + n_present), dtype=np.float32)
    logits[labels] = 0
    return logits[1:] - logits[:1] if n_classes == 2 else logits
