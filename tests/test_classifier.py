import copy
import io
import pickle
import subprocess
import sys

import joblib
import keras
import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from skvae import TextTokenizer, TextVAEClassifier, TextVAETransformer
from skvae._head.documents import LabelledDocuments
from skvae._head.fitting import fit_feature_model
from skvae._texts.ngrams import NgramFeatures
from skvae._writing.steering import LatentClasses
from skvae.datasets import make_reviews

from .conftest import SMALL, small_vae
from .unit.test_ngrams import names_of

TWO = ["a dull film", "a great film"]


def test_probabilities(classifier, reviews):
    X, y = reviews
    probabilities = classifier.predict_proba(X)
    assert probabilities.shape == (160, 2)
    assert classifier.predict_proba(X[:1]).shape == (1, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_allclose(np.exp(classifier.predict_log_proba(X)), probabilities)
    assert (classifier.predict(X) == classifier.classes_[probabilities.argmax(axis=1)]).all()
    assert classifier.score(X[60:], y[60:]) > 0.9


def test_three_classes_named_by_strings(writing_classifier):
    X, y = make_reviews(60, n_classes=3, random_state=2)
    assert writing_classifier.classes_.tolist() == ["bad", "good", "mixed"]
    assert writing_classifier.predict_proba(X).shape == (60, 3)
    assert (writing_classifier.predict(X) == writing_classifier.classes_[y]).mean() > 0.7


@pytest.mark.parametrize("names", [np.array([False, True]), [-1, 1], ["no", "yes"]])
def test_any_label_type(bow_vae, reviews, names):
    X, y = reviews
    labels = np.asarray(names)[y]
    frozen = TextVAEClassifier(FrozenEstimator(bow_vae), random_state=0)
    for same in (labels, labels.tolist(), pd.Series(labels)):
        predicted = frozen.fit(X, same).predict(X)
        assert predicted.dtype == labels.dtype
        assert (predicted == labels).mean() > 0.9


def test_training_together_changes_the_autoencoder_and_names_every_part(classifier, reviews):
    X, y = reviews
    assert set(classifier.history_) == {"loss", "cross_entropy", "accuracy", "nll_bow", "kl"}
    assert classifier.n_iter_ == 1
    assert classifier.history_["cross_entropy"][0] > 0
    apart = clone(classifier).set_params(epochs=0).fit(X[:60], y[:60], X_unlabeled=X[60:])
    assert apart.n_iter_ == 0
    assert np.abs(apart.transform(X) - classifier.transform(X)).max() > 1e-3
    np.testing.assert_allclose(classifier.transform(X).std(axis=0), 0.6, rtol=1e-3)


def test_network_and_numpy_agree(classifier, reviews):
    documents = classifier.vae_._autoencoder.prepare(classifier.vae_._autoencoder.read(reviews[0]))
    inputs = documents.batch(np.arange(len(documents))) | {"offset": np.zeros((160, 1), dtype=np.float32)}
    latent = classifier.model_(inputs)["logits"].numpy()[:, 0]
    head, corpus = classifier._class_head, classifier.tokenizer_._encode(reviews[0])
    expected = latent + head.linear_logits(head.inputs(corpus, documents), len(latent))[:, 0]
    log_probabilities = classifier.predict_log_proba(reviews[0])
    np.testing.assert_allclose(log_probabilities[:, 1] - log_probabilities[:, 0], expected, atol=1e-3)


def test_ngram_weights_are_those_of_scikit_learn(reviews):
    tokenizer = TextTokenizer()
    corpus = tokenizer._fit(reviews[0])
    tokens = [" ".join(tokenizer.tokens_[corpus.take([row]).ids]) for row in range(len(corpus))]
    expected = TfidfVectorizer(
        ngram_range=(1, 3), sublinear_tf=True, lowercase=False, tokenizer=str.split, token_pattern=None
    )
    matrix = expected.fit_transform(tokens)
    ngrams = NgramFeatures((1, 3))
    ours = ngrams.fit_transform(corpus, tokenizer.n_tokens_)
    names = names_of(ngrams, tokenizer.tokens_)
    columns = [expected.vocabulary_[name] for name in names]
    assert len(names) == len(expected.vocabulary_)
    np.testing.assert_allclose(ours.toarray(), matrix[:, columns].toarray(), atol=1e-6)
    np.testing.assert_array_equal(ngrams.transform(corpus).toarray(), ours.toarray())
    assert ngrams.transform(tokenizer._encode(["", "qwertz"])).nnz == 0


def test_a_frozen_autoencoder_is_left_as_it_was(gru_vae, writing_classifier, reviews):
    assert writing_classifier.vae_ is gru_vae
    assert writing_classifier.n_iter_ == 0
    np.testing.assert_array_equal(writing_classifier.transform(reviews[0]), gru_vae.transform(reviews[0]))


def test_head_with_hidden_layers(bow_vae, reviews):
    X, y = reviews
    before = bow_vae.transform(X)
    classifier = TextVAEClassifier(
        FrozenEstimator(bow_vae),
        lexical=False,
        head_units=(8,),
        head_activation="tanh",
        epochs=30,
        learning_rate=1e-2,
        random_state=0,
    ).fit(X, y)
    assert classifier.score(X, y) > 0.9
    assert set(classifier.history_) == {"loss", "cross_entropy", "accuracy"}
    assert [layer.units for layer in classifier.model_.class_head.layers[1:]] == [8, 1]
    np.testing.assert_array_equal(bow_vae.transform(X), before)


def test_unlabelled_texts_by_either_way(reviews):
    X, y = reviews
    apart = TextVAEClassifier(small_vae(), epochs=1, random_state=0).fit(X[:40], y[:40], X_unlabeled=X[40:])
    marked = TextVAEClassifier(small_vae(), epochs=1, random_state=0, unlabeled_label=-1)
    marked.fit(X, np.where(np.arange(160) < 40, y, -1))
    assert marked.classes_.tolist() == [0, 1]
    np.testing.assert_array_equal(marked.predict_proba(X), apart.predict_proba(X))


def test_weights(bow_vae, reviews):
    X, y = reviews
    # With classes that are always clear, weights would change no probability.
    y = np.where(np.arange(len(y)) % 5 == 0, 1 - y, y)
    frozen = TextVAEClassifier(FrozenEstimator(bow_vae), random_state=0)
    even = frozen.fit(X, y).predict_proba(X)[:, 1].mean()
    weights = np.where(y == 1, 20.0, 1.0)
    kept = weights.copy()
    weighted = frozen.fit(X, y, sample_weight=weights).predict_proba(X)
    np.testing.assert_array_equal(weights, kept)
    assert weighted[:, 1].mean() > even + 0.1
    same = clone(frozen).set_params(class_weight={0: 1.0, 1: 20.0}).fit(X, y).predict_proba(X)
    np.testing.assert_allclose(same, weighted)
    clone(frozen).set_params(class_weight="balanced").fit(X, y)


def test_token_ids(reviews):
    X, y = reviews
    ids = TextTokenizer(max_length=16).fit_transform(X)
    classifier = TextVAEClassifier(small_vae(), epochs=0, random_state=0)
    classifier.fit(ids[:60], y[:60], X_unlabeled=ids[60:])
    assert classifier.score(ids, y) > 0.9
    with pytest.raises(ValueError, match="fitted on token ids"):
        classifier.predict(X)
    with pytest.raises(ValueError, match="pass the output of transform of the same TextTokenizer"):
        classifier.fit(ids, y, X_unlabeled=X)
    with pytest.raises(ValueError, match="pass the same kind for both"):
        classifier.fit(X, y, X_unlabeled=ids)


def test_texts_come_back(writing_classifier, classifier, reviews):
    latents = writing_classifier.transform(reviews[0][:3])
    texts = writing_classifier.inverse_transform(latents)
    assert texts.shape == (3,)
    assert all(type(text) is str for text in texts)
    with pytest.raises(ValueError, match="decoder='gru'"):
        classifier.inverse_transform(classifier.transform(reviews[0][:3]))


def test_keras_parameters_are_routed(reviews):
    X, y = reviews
    seen = []

    class Remember(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            seen.append((float(self.model.optimizer.learning_rate), float(self.model.optimizer.beta_1)))

    classifier = TextVAEClassifier(
        small_vae(), epochs=1, callbacks=[Remember()], optimizer__learning_rate=0.25, random_state=0
    )
    assert clone(classifier).get_params()["optimizer__learning_rate"] == 0.25
    classifier.set_params(optimizer__learning_rate=0.125, optimizer__beta_1=0.5, fit__verbose=0)
    classifier.fit(X[:60], y[:60])
    assert seen == [(0.125, 0.5)]
    with pytest.raises(TypeError, match="epoch"):
        TextVAEClassifier(epoch=3)
    with pytest.raises(ValueError, match="epoch"):
        classifier.set_params(epoch=3)
    with pytest.raises(ValueError, match="does not take the options"):
        classifier.set_params(optimizer__speed=3).fit(X[:60], y[:60])


def test_scikit_learn_sees_a_classifier():
    classifier = TextVAEClassifier()
    assert is_classifier(classifier)
    assert get_tags(classifier).input_tags.string
    assert repr(TextVAEClassifier(epochs=3)) == "TextVAEClassifier(epochs=3)"
    assert "model" not in classifier.get_params()
    assert clone(classifier).get_params() == classifier.get_params()


@pytest.mark.same_bits
def test_same_seed_same_bits_and_no_global_generator(classifier, reviews):
    X, y = reviews
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    again = clone(classifier).fit(X[:60], y[:60], X_unlabeled=X[60:])
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    np.testing.assert_array_equal(again.predict_proba(X), classifier.predict_proba(X))


@pytest.mark.parametrize("name", ["classifier", "writing_classifier"])
def test_copies_keep_every_bit(name, request, reviews):
    fitted, X = request.getfixturevalue(name), reviews[0]
    file = io.BytesIO()
    joblib.dump(fitted, file, compress=3)
    file.seek(0)
    for again in (pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted), joblib.load(file)):
        np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
        np.testing.assert_array_equal(again.transform(X), fitted.transform(X))


@pytest.mark.processes
def test_a_fresh_process_gives_the_same_bits(writing_classifier, reviews, tmp_path):
    X = list(reviews[0][:20])
    latents = writing_classifier.transform(X)
    expected = (writing_classifier.predict_proba(X), latents, writing_classifier.inverse_transform(latents))
    joblib.dump((writing_classifier, X, expected), tmp_path / "classifier.joblib")
    code = (
        "import joblib, sys\n"
        "classifier, X, (probabilities, latents, texts) = joblib.load(sys.argv[1])\n"
        "assert (classifier.predict_proba(X) == probabilities).all()\n"
        "assert (classifier.transform(X) == latents).all()\n"
        "assert (classifier.inverse_transform(latents) == texts).all()\n"
        "assert classifier.model_.class_head is not None\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "classifier.joblib")], check=True)


@pytest.mark.parametrize(
    ("X", "y", "error", "message"),
    [
        ("one text", [0], ValueError, "single str"),
        ([], [], ValueError, "0 sample"),
        (["a", None], [0, 1], ValueError, "row 1"),
        (TWO, [0, 1, 0], ValueError, "3 labels for 2 texts"),
        (TWO, [0, float("nan")], ValueError, "row 1"),
        (TWO, ["bad", None], ValueError, "row 1"),
        (TWO, pd.Series(["bad", pd.NA], dtype="string"), ValueError, "row 1"),
        (TWO, [0, 0], ValueError, "one class"),
        (TWO, [0.25, 0.75], ValueError, "continuous"),
        (TWO, None, ValueError, "y is None"),
        (TWO, ["bad", 1], ValueError, "mixes labels of the types int, str"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_fitted(X, y, error, message):
    classifier = TextVAEClassifier()
    with pytest.raises(error, match=message):
        classifier.fit(X, y)
    assert vars(classifier).keys() == vars(TextVAEClassifier()).keys()
    with pytest.raises(NotFittedError):
        classifier.predict(["a"])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"epochs": -1}, ValueError, "epochs"),
        ({"ngram_range": (2, 1)}, ValueError, "ngram_range"),
        ({"head_units": (0,)}, ValueError, "head_units"),
        ({"head_units": (4,), "epochs": 0}, ValueError, "does not train them"),
        ({"class_weight": "even"}, ValueError, "class_weight"),
        ({"vae": TfidfVectorizer()}, TypeError, "TfidfVectorizer"),
        ({"vae": FrozenEstimator(small_vae())}, NotFittedError, "not fitted"),
        ({"vae": FrozenEstimator(TfidfVectorizer())}, TypeError, "frozen TfidfVectorizer"),
        ({"optimizer": "quick"}, ValueError, "quick"),
        ({"unlabeled_label": 1}, ValueError, "one class"),
        ({"class_weight": {0: 0, 1: 1}}, ValueError, "no weight above 0"),
        ({"class_weight": {0: -1, 1: 1}}, ValueError, "negative"),
        ({"optimizer": int}, TypeError, "optimizer"),
        ({"callbacks": [3]}, TypeError, "callbacks holds a int"),
    ],
)
def test_bad_parameters_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        TextVAEClassifier(**({"vae": small_vae()} | options)).fit(TWO, [0, 1])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (["a third film"], "X_unlabeled=texts"),
        ([1, 2, 3], "shape"),
        ([1, -1], "negative"),
        ([0, 0], "every text"),
        ([1, float("nan")], "NaN"),
    ],
)
def test_bad_weights_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        TextVAEClassifier().fit(TWO, [0, 1], sample_weight=weights)


def test_a_failing_refit_leaves_the_last_fit(bow_vae, reviews):
    X, y = reviews
    classifier = TextVAEClassifier(FrozenEstimator(bow_vae), random_state=0).fit(X, y)
    before = classifier.predict_proba(X)
    with pytest.raises(ValueError, match="one class"):
        classifier.fit(X, np.zeros(160))
    np.testing.assert_array_equal(classifier.predict_proba(X), before)


def test_a_class_with_a_single_text(reviews):
    X, _ = reviews
    classifier = TextVAEClassifier(small_vae(), epochs=0, random_state=0)
    assert np.isfinite(classifier.fit(X[:5], [0, 0, 1, 1, 2]).predict_proba(X)).all()


def test_empty_and_unknown_documents_have_probabilities(classifier):
    probabilities = classifier.predict_proba(["", "qwertz"])
    assert np.isfinite(probabilities).all()


def test_only_what_the_marker_says_is_unlabelled(bow_vae, reviews):
    X, y = reviews
    names = np.array(["bad", "good"], dtype=object)[y].tolist()
    frozen = FrozenEstimator(bow_vae)
    for marker, hidden in ((-1, -1), (float("nan"), None), (float("nan"), pd.NA), ("?", "?")):
        labels = names[:100] + [hidden] * 60
        classifier = TextVAEClassifier(frozen, unlabeled_label=marker, random_state=0).fit(X, labels)
        assert classifier.classes_.tolist() == ["bad", "good"]
    assert TextVAEClassifier(frozen, unlabeled_label=False).fit(X, y).classes_.tolist() == [0, 1]
    with pytest.raises(ValueError, match="no text has a label"):
        TextVAEClassifier(frozen, unlabeled_label=-1).fit(TWO, [-1, -1])


def test_texts_of_weight_zero_are_unlabelled(reviews):
    X, y = reviews
    classifier = TextVAEClassifier(small_vae(), epochs=0, random_state=0)
    weighted = classifier.fit(X, y, sample_weight=(np.arange(160) < 40).astype(float)).predict_proba(X)
    apart = clone(classifier).fit(X[:40], y[:40], X_unlabeled=X[40:]).predict_proba(X)
    np.testing.assert_array_equal(weighted, apart)


def test_rows_of_one_token_are_lists_for_a_tokenizer_of_lists(reviews):
    X = [text.split() for text in reviews[0][:40]]
    X[0], X[1] = ["e-mail"], ["COVID-19"]
    tokenizer = TextTokenizer(max_length=4).fit(X)
    vae = small_vae(tokenizer=FrozenEstimator(tokenizer)).fit(X)
    rows = [["e-mail"], ["COVID-19"]]
    expected = vae.transform(rows)
    assert (expected[0] != expected[1]).any()
    classifier = TextVAEClassifier(FrozenEstimator(vae), random_state=0).fit(rows * 5, [0, 1] * 5)
    assert classifier.predict(rows).tolist() == [0, 1]
    again = small_vae(tokenizer=FrozenEstimator(tokenizer), warm_start=True)
    for _ in range(2):
        # As texts, they would be unknown words, and too few tokens to learn from.
        again.fit(rows * 20)
        assert again.documents_frame(rows)["unknown"].tolist() == [0, 0]


def test_options_of_decoding_are_routed(writing_classifier):
    with config_context(enable_metadata_routing=True):
        copied = copy.copy(writing_classifier).set_inverse_transform_request(decoding=True, top_k=True)
        pipeline = Pipeline([("classifier", copied)])
        latents = copied.transform(["a dull film"])
        written = pipeline.inverse_transform(latents, decoding="sample", top_k=1)
    assert written.tolist() == writing_classifier.inverse_transform(latents, decoding="greedy").tolist()


def test_a_warm_start_goes_on_from_a_copy(bow_vae, reviews):
    X, y = reviews
    classifier = TextVAEClassifier(small_vae(), warm_start=True, random_state=0).fit(X, y)
    first, before = classifier.vae_, classifier.transform(X)
    classifier.fit(X, y)
    assert classifier.vae_.n_iter_ == 2
    assert np.abs(classifier.transform(X) - before).max() > 0
    np.testing.assert_array_equal(first.transform(X), before)
    with pytest.raises(ValueError, match="n_components=6, but now n_components=5"):
        classifier.set_params(vae__n_components=5).fit(X, y)
    frozen = TextVAEClassifier(FrozenEstimator(bow_vae), warm_start=True, random_state=0).fit(X, y)
    latents = bow_vae.transform(X)
    frozen.set_params(vae=small_vae(), epochs=0).fit(X, y)
    np.testing.assert_array_equal(bow_vae.transform(X), latents)


def test_the_model_is_that_of_the_last_fit(bow_vae, reviews):
    X, y = reviews
    classifier = TextVAEClassifier(FrozenEstimator(bow_vae), random_state=0).fit(X, y)
    assert classifier.model_.class_head.output_shape == (None, 1)
    classifier.fit(X, np.arange(160) % 3)
    assert classifier.model_.class_head.output_shape == (None, 3)


def test_callbacks_by_instance_class_or_tuple_and_pickling_after(reviews):
    X, y = reviews
    stop = keras.callbacks.EarlyStopping(monitor="loss", patience=5)
    for callbacks in (stop, [stop], (stop, keras.callbacks.TerminateOnNaN), keras.callbacks.TerminateOnNaN):
        classifier = TextVAEClassifier(small_vae(callbacks=callbacks), callbacks=callbacks, random_state=0)
        classifier.fit(X[:60], y[:60])
        pickle.loads(pickle.dumps(classifier)).predict(X)
        clone(classifier)


def test_documents_without_ngrams_leave_the_latent_term(reviews):
    X, _ = reviews
    classifier = TextVAEClassifier(small_vae(), ngram_range=(2, 2), epochs=0, random_state=0)
    classifier.fit(["good", "bad"] * 10, [1, 0] * 10)
    assert list(classifier.term_weights_) == ["latent", "vector"]
    assert classifier.fit([""] * 10, [0, 1] * 5, X_unlabeled=X).predict(X).shape == (160,)


def test_an_interrupted_fit_leaves_the_last_one(reviews):
    X, y = reviews

    class Interrupt(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt

    classifier = TextVAEClassifier(small_vae(), random_state=0).fit(X, y)
    before = classifier.predict_proba(X)
    with pytest.raises(KeyboardInterrupt):
        classifier.set_params(callbacks=Interrupt).fit(X[:100], y[:100])
    np.testing.assert_array_equal(classifier.predict_proba(X), before)


def test_methods_that_scikeras_would_lend_are_absent(classifier):
    for name in ("initialize", "current_epoch"):
        assert not hasattr(classifier, name)


@pytest.mark.parametrize("empty", [[], np.empty((0, 16), dtype=np.int32)])
def test_no_unlabelled_texts_at_all(reviews, empty):
    ids = TextTokenizer(max_length=16).fit_transform(reviews[0])
    classifier = TextVAEClassifier(small_vae(), epochs=0, random_state=0)
    expected = classifier.fit(ids, reviews[1]).predict_proba(ids)
    again = classifier.fit(ids, reviews[1], X_unlabeled=empty).predict_proba(ids)
    np.testing.assert_array_equal(again, expected)


# Keras converts its weights in a way that NumPy 2 frowns upon.
@pytest.mark.processes
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_networks_are_saved_and_loaded_by_keras(writing_classifier, reviews, tmp_path):
    autoencoder = writing_classifier.vae_._autoencoder
    inputs = autoencoder.prepare(autoencoder.read(reviews[0][:10])).batch(np.arange(10))
    mean, _ = autoencoder.network.model.encode(inputs)
    logits = writing_classifier.model_.class_head(
        autoencoder.features(autoencoder.prepare(autoencoder.read(reviews[0][:10])))
    )
    writing_classifier.model_.save(tmp_path / "network.keras")
    joblib.dump((inputs, mean.numpy(), logits.numpy()), tmp_path / "expected.joblib")
    code = (
        "import joblib, keras, numpy, sys\n"
        "import skvae.classifier\n"
        "network = keras.saving.load_model(sys.argv[1])\n"
        "inputs, mean, logits = joblib.load(sys.argv[2])\n"
        "assert (network.vae.encode(inputs)[0].numpy() == mean).all()\n"
        "features = network.read(inputs)[2]\n"
        "numpy.testing.assert_allclose(network.class_head(features).numpy(), logits, atol=1e-4)\n"
    )
    paths = [str(tmp_path / name) for name in ("network.keras", "expected.joblib")]
    subprocess.run([sys.executable, "-c", code, *paths], check=True)


@pytest.mark.parametrize("random_state", [None, np.random.RandomState(0)])
def test_without_a_seed_each_call_writes_other_texts(reviews, random_state):
    X, y = reviews
    vae = small_vae(decoder="gru", random_state=None, tokenizer=TextTokenizer(max_length=16))
    classifier = TextVAEClassifier(vae, epochs=0, random_state=random_state).fit(X, y)
    for write in (
        lambda: classifier.sample(3),
        lambda: classifier.sample(3, 1),
        lambda: classifier.vae_.sample(3),
        lambda: classifier.rewrite(X[:3], 1, method="decode", decoding="sample"),
    ):
        assert write().tolist() != write().tolist()
    assert classifier.sample(3, random_state=0).tolist() == classifier.sample(3, random_state=0).tolist()
    seeded = TextVAEClassifier(vae, epochs=0, random_state=0).fit(X, y)
    assert seeded.sample(3).tolist() == seeded.sample(3).tolist()


def test_a_class_that_the_latents_do_not_tell_apart_is_not_chased():
    random = np.random.default_rng(0)
    latents = random.standard_normal((400, 6)).astype(np.float32)
    labels = (np.arange(400) % 20 == 0).astype(np.int64)
    rows = np.arange(400)
    data = LabelledDocuments(rows, rows, rows, labels, np.ones(400))
    model, _ = fit_feature_model(latents, latents, data, data.folds())
    classes = LatentClasses(model, latents, labels, 2)
    moved = classes.moved(latents, np.ones(400, dtype=np.int64))
    largest = np.linalg.norm(latents, axis=1).max()
    assert np.linalg.norm(moved, axis=1).max() < 1.5 * largest


@pytest.mark.parametrize(
    ("vae", "message"),
    [
        (TextVAETransformer(decoder="bows"), "'decoder' parameter of TextVAETransformer"),
        (TextVAETransformer(n_components=-1), "'n_components' parameter of TextVAETransformer"),
        (TextVAETransformer(tokenizer=TextTokenizer(analyzer="x")), "'analyzer' parameter of TextTokenizer"),
    ],
)
def test_wrong_parameters_of_the_parts_are_named(vae, message, reviews):
    with pytest.raises(ValueError, match=message):
        TextVAEClassifier(vae).fit(*reviews)
    with pytest.raises(ValueError, match=message):
        vae.fit(reviews[0])


def test_unlabelled_texts_beside_a_frozen_autoencoder_are_not_ignored_in_silence(bow_vae, reviews):
    X, y = reviews
    frozen = TextVAEClassifier(FrozenEstimator(bow_vae), random_state=0)
    with pytest.warns(UserWarning, match="X_unlabeled is not used: vae is frozen"):
        frozen.fit(X[:40], y[:40], X_unlabeled=X[80:])


def test_what_cannot_be_written_is_said_by_the_method_that_was_called(writing_classifier, gru_vae, reviews):
    X, latents = reviews[0][:2], np.zeros((2, 6))
    for method, call in (
        ("TextVAEClassifier.sample", lambda: writing_classifier.sample(2, temprature=2)),
        ("TextVAEClassifier.rewrite", lambda: writing_classifier.rewrite(X, "good", temprature=2)),
        ("TextVAETransformer.sample", lambda: gru_vae.sample(2, temprature=2)),
        ("TextVAETransformer.interpolate", lambda: gru_vae.interpolate("a", "b", temprature=2)),
    ):
        with pytest.raises(
            TypeError, match=rf"{method}\(\) got an unexpected keyword argument 'temprature'.*temperature"
        ):
            call()
    # Its options are named in its signature, where metadata routing finds them.
    for estimator in (writing_classifier, gru_vae):
        with pytest.raises(
            TypeError, match=r"inverse_transform\(\) got an unexpected keyword .* 'temprature'"
        ):
            estimator.inverse_transform(latents, temprature=2)
    with pytest.raises(ValueError, match=r"y has 2 classes and n_samples=1; .* n_samples=2"):
        writing_classifier.sample(y=["good", "bad"])
    for width in (0, 1_001):
        with pytest.raises(ValueError, match=f"beam_width={width}; expected an int from 1 to 1000"):
            gru_vae.sample(1, decoding="beam", beam_width=width)


def test_a_function_that_returns_no_texts_is_refused(reviews):
    with pytest.raises(ValueError, match="X_unlabeled returned None"):
        TextVAEClassifier(small_vae()).fit(*reviews, X_unlabeled=lambda: None)


def log_loss(classifier, X, y):
    return -classifier.predict_log_proba(X)[np.arange(len(y)), y].mean()


def test_a_term_that_knows_nothing_counts_for_little(bow_vae, lstm_vae):
    X, y = make_reviews(240, random_state=5)
    random = np.random.default_rng(0)
    # The class stands where the encoder does not read any more: it reads 16 tokens.
    filler = [" ".join(random.choice(["a", "the", "film", "story", "music", "is", "was"], 20)) for _ in X]
    late = [f"{text} {'dull' if label == 0 else 'great'}" for text, label in zip(filler, y, strict=True)]
    classifier = TextVAEClassifier(FrozenEstimator(lstm_vae), random_state=0).fit(late, y)
    assert classifier.term_weights_["lexical"] > 2 * classifier.term_weights_["latent"]
    # The order of the words, in which the class is not.
    shuffled = [" ".join(random.permutation(text.split())) for text in X]
    options = {"ngram_range": (3, 3), "random_state": 0}
    both = TextVAEClassifier(FrozenEstimator(bow_vae), **options).fit(shuffled[:120], y[:120])
    alone = clone(both).set_params(lexical=False).fit(shuffled[:120], y[:120])
    losses = [log_loss(each, shuffled[120:], y[120:]) for each in (both, alone)]
    assert losses[0] < 1.2 * losses[1]


def test_emoji_alone_tell_classes_apart():
    texts = [f"{word} film {face}" for word in ("nice", "bad", "odd") for face in ("😀", "😡")] * 20
    y = np.array([1, 0] * 60)
    vae = TextVAETransformer(decoder="bow", epochs=5, max_df=0.9, **SMALL)
    classifier = TextVAEClassifier(vae, lexical=False, epochs=1, random_state=0).fit(texts, y)
    assert classifier.score(["nice film 😡", "bad film 😀", "odd film 😡"], [0, 1, 0]) == 1


def test_stop_words_are_in_no_ngram(reviews):
    X, y = reviews
    tokenizer = TextTokenizer(stop_words=["the", "is", "was"])
    vae = TextVAETransformer(tokenizer=tokenizer, decoder="bow", epochs=1, **SMALL)
    classifier = TextVAEClassifier(vae, epochs=0, ngram_range=(1, 2), random_state=0).fit(X[:80], y[:80])
    ngrams = classifier._class_head.ngrams
    names = names_of(ngrams, classifier.vae_.tokenizer_.tokens_)
    assert not {"the", "is", "was"} & {token for name in names for token in name.split()}
    again = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(again.predict_proba(X[80:]), classifier.predict_proba(X[80:]))
    # What stands on either side of a stop word follows on one another.
    with_stop_words, without = classifier.predict_proba(["the story is great", "story great"])
    np.testing.assert_allclose(with_stop_words, without, rtol=1e-6)


def test_words_of_labelled_texts_are_kept_first(reviews):
    X, y = reviews
    random = np.random.default_rng(0)
    foreign = [" ".join(f"w{index}" for index in random.integers(0, 30, size=12)) for _ in range(300)]
    vae = TextVAETransformer(tokenizer=TextTokenizer(max_features=60), decoder="bow", epochs=1, **SMALL)
    classifier = TextVAEClassifier(vae, epochs=0, random_state=0)
    with pytest.warns(UserWarning, match=r"hardly overlap \(0 %.*Remove X_unlabeled") as found:
        classifier.fit(X[:60], y[:60], X_unlabeled=foreign)
    assert len(found) == 1
    alone = TextTokenizer(max_features=60, min_df=2).fit(X[:60]).vocabulary_
    assert set(alone) - set(classifier.vae_.tokenizer_.vocabulary_) == set()


@pytest.mark.parametrize("marker", [-1, float("nan")])
def test_rows_without_a_label_are_left_out_of_the_validation_set(marker, reviews, bow_vae):
    X, y = reviews
    marked = y[:20].astype(float)
    marked[::3] = marker
    kept = [row for row in range(20) if row % 3]

    def history(X_val, y_val):
        classifier = TextVAEClassifier(
            FrozenEstimator(bow_vae), head_units=(4,), epochs=1, unlabeled_label=marker, random_state=0
        )
        classifier.fit(X[:60], y[:60].astype(float), X_val=X_val, y_val=y_val)
        return classifier.history_["val_cross_entropy"]

    assert history(X[:20], marked) == history([X[row] for row in kept], y[kept].astype(float))
    with pytest.raises(ValueError, match="every y_val equals unlabeled_label"):
        history(X[:20], [marker] * 20)


@pytest.mark.parametrize("name", ["epochs", "batch_size", "callbacks", "shuffle", "class_weight", "x", "foo"])
def test_arguments_that_cannot_be_routed_are_named(name, bow_vae, reviews):
    X, y = reviews
    classifier = TextVAEClassifier(FrozenEstimator(bow_vae)).set_params(**{f"fit__{name}": 1})
    with pytest.raises(ValueError, match=f"fit__{name} cannot be passed on: .* Expected fit__verbose or"):
        classifier.fit(X, y)
