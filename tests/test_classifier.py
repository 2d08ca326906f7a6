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
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.utils import get_tags

from skvae import TextTokenizer, TextVAEClassifier, TextVAETransformer
from skvae._head.documents import LabelledDocuments
from skvae._head.fitting import fit_feature_model
from skvae._texts.ngrams import NgramFeatures
from skvae._writing.steering import LatentClasses
from skvae.datasets import make_reviews

from .conftest import SMALL


def small_vae(**options):
    return TextVAETransformer(**({"decoder": "bow", "epochs": 1} | SMALL | options))


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
    ngrams, lexical = classifier._class_head.ngrams, classifier._class_head.lexical
    corpus = classifier.tokenizer_._encode(reviews[0])
    expected = latent + lexical.logits(ngrams.transform(corpus))[:, 0]
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
    names = ngrams.names(tokenizer.tokens_, np.arange(ngrams.n_features))
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
    frozen = TextVAEClassifier(FrozenEstimator(bow_vae), random_state=0)
    even = frozen.fit(X, y).predict_proba(X)[:, 1].mean()
    weights = np.where(y == 1, 20.0, 1.0)
    kept = weights.copy()
    weighted = frozen.fit(X, y, sample_weight=weights).predict_proba(X)
    np.testing.assert_array_equal(weights, kept)
    assert weighted[:, 1].mean() > even
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
    with pytest.raises(ValueError, match="pass what the same TextTokenizer"):
        classifier.fit(ids, y, X_unlabeled=X)
    with pytest.raises(ValueError, match="pass both alike"):
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


TWO = ["a dull film", "a great film"]


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


def test_a_warm_start_goes_on_from_a_copy(bow_vae, reviews):
    X, y = reviews
    classifier = TextVAEClassifier(small_vae(), warm_start=True, random_state=0).fit(X, y)
    first, before = classifier.vae_, classifier.transform(X)
    classifier.fit(X, y)
    assert classifier.vae_.n_iter_ == 2
    assert np.abs(classifier.transform(X) - before).max() > 0
    np.testing.assert_array_equal(first.transform(X), before)
    with pytest.raises(ValueError, match="n_components=6, and now n_components=5"):
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
    assert list(classifier.term_weights_) == ["latent"]
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


@pytest.mark.parametrize("head_units", [(), (8,)])
def test_partial_fit_learns_from_batch_after_batch(reviews, head_units):
    X, y = make_reviews(480, n_classes=3, random_state=0)
    names = np.array(["bad", "good", "mixed"])[y]
    classifier = TextVAEClassifier(small_vae(), head_units=head_units, random_state=0)
    classifier.partial_fit(X[:80], names[:80], classes=["mixed", "good", "bad"])
    vocabulary = classifier.tokenizer_.vocabulary_
    losses = []
    for start in range(80, 480, 80):
        batch = slice(start, start + 80)
        own = classifier.predict_log_proba(X[batch])[np.arange(80), y[batch]]
        losses.append(-own.mean())
        classifier.partial_fit(X[batch], names[batch])
    assert losses[-1] < losses[0]
    assert classifier.n_iter_ == 6
    assert classifier.tokenizer_.vocabulary_ == vocabulary
    again = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(again.predict_proba(X), classifier.predict_proba(X))
    again.partial_fit(X[:2], ["good", "good"])


def test_partial_fit_with_a_frozen_autoencoder_leaves_it(bow_vae, reviews):
    X, y = reviews
    before = bow_vae.transform(X)
    classifier = TextVAEClassifier(FrozenEstimator(bow_vae), random_state=0)
    classifier.partial_fit(X[:40], y[:40], classes=[0, 1]).partial_fit(X[40:], y[40:])
    assert classifier.score(X, y) > 0.9
    np.testing.assert_array_equal(bow_vae.transform(X), before)


def three_classes():
    X, y = make_reviews(480, n_classes=3, random_state=0)
    return np.array(X, dtype=object), np.array(["bad", "good", "mixed"], dtype=object)[y]


@pytest.mark.parametrize("decoder", ["bow", "gru"])
@pytest.mark.parametrize("head_units", [(), (8,)])
@pytest.mark.parametrize("present", [["good"], ["bad", "mixed"]])
def test_a_first_batch_may_lack_classes(decoder, head_units, present):
    X, y = three_classes()
    classes = ["mixed", "good", "bad"]
    vae = small_vae(decoder=decoder, tokenizer=TextTokenizer(max_length=8), epochs=1)
    stream = TextVAEClassifier(
        vae,
        head_units=head_units,
        epochs=1,
        learning_rate=3e-3,
        random_state=0,
        class_weight={"bad": 1.5},
    )
    known = np.isin(y, present)
    first = np.flatnonzero(known)[:60]
    stream.partial_fit(X[first], y[first], classes=classes)
    assert stream.classes_.tolist() == ["bad", "good", "mixed"]
    probabilities = stream.predict_proba(X)
    absent = ~np.isin(stream.classes_, present)
    assert (probabilities[:, absent] > 0).all()
    assert (probabilities[:, absent] < 0.1).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert np.isfinite(stream.explain(X[:3], "bad")["contribution"]).all()
    if decoder == "gru":
        for label in classes:
            assert stream.rewrite(X[:3], label).shape == (3,)
    again = pickle.loads(pickle.dumps(stream))
    for start in range(0, 480, 60):
        again.partial_fit(X[start : start + 60], y[start : start + 60])
    assert (again.predict(X) == y).mean() > 0.6
    if decoder == "gru":
        assert np.isfinite(again._latent_classes.clear_margins).all()


@pytest.mark.parametrize("first", [0, 1])
def test_a_first_batch_of_one_class_of_two(bow_vae, reviews, first):
    X, y = np.array(reviews[0], dtype=object), reviews[1]
    for lexical in (True, False):
        stream = TextVAEClassifier(FrozenEstimator(bow_vae), lexical=lexical, random_state=0)
        stream.partial_fit(X[y == first][:40], y[y == first][:40], classes=[0, 1])
        # One more text of one class than there are, by the rule of succession: 1 of 42.
        np.testing.assert_allclose(stream.predict_proba(X)[:, 1 - first], 1 / 42, rtol=1e-3)
    stream = TextVAEClassifier(FrozenEstimator(bow_vae), random_state=0)
    stream.partial_fit(X[y == first][:40], y[y == first][:40], classes=[0, 1])
    for _ in range(3):
        stream.partial_fit(X, y)
    # Its n-grams are those of one class only.
    assert stream.score(X, y) > 0.8


def test_a_pass_counts_each_document_once(reviews):
    X, y = np.array(reviews[0], dtype=object), reviews[1]
    marked = np.where(np.arange(160) % 4 == 0, -1, y)
    stream = TextVAEClassifier(small_vae(learning_rate=1e-2), epochs=1, unlabeled_label=-1, random_state=0)
    for start in range(0, 160, 40):
        stream.partial_fit(X[start : start + 40], marked[start : start + 40], classes=[0, 1])
    assert stream.vae_._autoencoder.moments[2] == 160
    assert stream.n_iter_ == len(stream.history_["loss"]) == stream.vae_.n_iter_ == 4
    # Of the last batch, with the weights of now.
    autoencoder = stream.vae_._autoencoder
    features = autoencoder.features(autoencoder.prepare(autoencoder.read(X)))
    means = stream._class_head.feature_means
    assert np.abs(means - features.mean(axis=0)).max() < 0.3 * features.std(axis=0).mean()


def test_explanations_follow_what_later_batches_are_like(bow_vae, reviews):
    X, y = np.array(reviews[0], dtype=object), reviews[1]
    order = np.argsort(bow_vae.transform(X)[:, 0])
    order = np.concatenate([order[:80], order[80:]])
    stream = TextVAEClassifier(FrozenEstimator(bow_vae), epochs=1, random_state=0)
    stream.partial_fit(X[order[:80]], y[order[:80]], classes=[0, 1]).partial_fit(X[order[80:]], y[order[80:]])
    autoencoder = bow_vae._autoencoder
    features = autoencoder.features(autoencoder.prepare(autoencoder.read(X)))
    np.testing.assert_allclose(stream._class_head.feature_means, features.mean(axis=0), rtol=1e-4, atol=1e-5)


def test_no_epochs_of_fine_tuning_is_none_in_partial_fit_either(reviews):
    X, y = np.array(reviews[0], dtype=object), reviews[1]
    names = np.array(["bad", "good"])
    stream, same = (
        TextVAEClassifier(small_vae(), epochs=0, lexical=False, random_state=0).partial_fit(
            X[:80], names[y[:80]], classes=names
        )
        for _ in range(2)
    )
    vae = same.vae_.partial_fit(X[80:])
    before = stream.predict_log_proba(X[80:])
    stream.partial_fit(X[80:], names[y[80:]])
    # The autoencoder has learned from the texts alone, and the head from the labels.
    np.testing.assert_allclose(stream.transform(X), vae.transform(X), atol=1e-5)
    assert np.abs(stream.predict_log_proba(X[80:]) - before).max() > 0
    assert stream.history_ == {}
    assert stream.n_iter_ == 2
    # Fine-tuning can be turned on later, and off again.
    stream.set_params(epochs=1).partial_fit(X, names[y]).set_params(epochs=0).partial_fit(X, names[y])
    assert stream.n_iter_ == 4
    assert len(stream.history_["loss"]) == 1


@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("how", ["labels", "weights"])
def test_a_later_batch_without_labels_trains_the_autoencoder_alone(how, frozen, bow_vae, reviews):
    X, y = np.array(reviews[0], dtype=object), reviews[1]
    vae = FrozenEstimator(bow_vae) if frozen else small_vae()
    stream = TextVAEClassifier(vae, epochs=1, unlabeled_label=-1, class_weight={0: 1, 1: 2}, random_state=0)
    without = {
        "labels": {"y": np.full(80, -1)},
        "weights": {"y": y[80:], "sample_weight": np.zeros(80)},
    }[how]
    with pytest.raises(ValueError, match=r"no text has a label|zero for every text"):
        stream.partial_fit(X[80:], classes=[0, 1], **without)
    stream.partial_fit(X[:80], y[:80], classes=[0, 1])
    head = [layer.kernel.copy() for layer in stream._class_head.layers]
    latents, history = stream.transform(X), stream.history_
    stream.partial_fit(X[80:], **without)
    assert all(
        np.array_equal(*each)
        for each in zip(head, (layer.kernel for layer in stream._class_head.layers), strict=True)
    )
    assert (np.abs(stream.transform(X) - latents).max() > 0) == (not frozen)
    assert stream.history_ == history
    assert stream.n_iter_ == 2
    if not frozen:
        assert stream.vae_.n_iter_ == 2
        assert stream.vae_._autoencoder.moments[2] == 160
        assert stream._class_head.n_averaged == 160
    stream.partial_fit(X[:80], y[:80])
    assert stream.n_iter_ == 3
    assert np.isfinite(stream.predict_log_proba(X)).all()


@pytest.mark.parametrize(
    "changed",
    [
        {"learning_rate": 1e-9},
        {"optimizer": keras.optimizers.SGD(1e-9)},
        {"optimizer__learning_rate": 1e-9},
        {"classification_weight": 1e-9, "optimizer": "sgd", "learning_rate": 1e-3},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_pass_goes_by_the_parameters_of_now(changed, bow_vae, reviews):
    X, y = reviews
    stream = TextVAEClassifier(
        FrozenEstimator(bow_vae), lexical=False, learning_rate=0.1, optimizer__beta_1=0.9, random_state=0
    )
    stream.partial_fit(X, y, classes=[0, 1]).partial_fit(X, y)
    before = stream.predict_log_proba(X)
    assert np.abs(stream.partial_fit(X, y).predict_log_proba(X) - before).max() > 1e-2
    before = stream.predict_log_proba(X)
    if "optimizer" in changed:
        stream.keras_params = None
    stream.set_params(**changed).partial_fit(X, y)
    np.testing.assert_allclose(stream.predict_log_proba(X), before, atol=1e-4)


def test_weights_that_leave_a_class_out_are_named(bow_vae, reviews):
    X, y = reviews
    names = np.array(["bad", "good"])[y]
    classifier = TextVAEClassifier(FrozenEstimator(bow_vae))
    with pytest.raises(ValueError, match=r"class 'good' has no weight above 0 \(sample_weight"):
        classifier.fit(X, names, sample_weight=1.0 - y)
    with pytest.raises(ValueError, match=r"class 'bad' has no weight above 0 \(class_weight={'bad': 0"):
        classifier.set_params(class_weight={"bad": 0, "good": 1}).fit(X, names)
    with pytest.raises(ValueError, match=r"class_weight={'bad': -1, 'good': 1} has a negative weight"):
        classifier.set_params(class_weight={"bad": -1, "good": 1}).fit(X, names)
    with pytest.raises(ValueError, match="0 for every text that has a label"):
        classifier.set_params(class_weight=None, unlabeled_label="bad").fit(X, names, sample_weight=1.0 - y)


def test_bad_batches_are_refused(bow_vae, reviews):
    X, y = reviews
    classifier = TextVAEClassifier(FrozenEstimator(bow_vae), random_state=0)
    with pytest.raises(ValueError, match="classes must be passed"):
        classifier.partial_fit(X, y)
    with pytest.raises(ValueError, match=r"y holds \[1\], which is none of the classes \[0, 2\]"):
        classifier.partial_fit(X, y, classes=[0, 2])
    with pytest.raises(ValueError, match="at least 2 classes"):
        classifier.partial_fit(X, y, classes=[0])
    for classes, message in (([0, None], "missing value"), ([0, 1, -1], "unlabeled_label=-1"), (1, "1-D")):
        marking = clone(classifier).set_params(unlabeled_label=-1)
        with pytest.raises((TypeError, ValueError), match=message):
            marking.partial_fit(X, y, classes=classes)
    with pytest.raises(ValueError, match="class_weight 'balanced' is not supported for partial_fit"):
        clone(classifier).set_params(class_weight="balanced").partial_fit(X, y, classes=[0, 1])
    stopping = TextVAEClassifier(small_vae(early_stopping=True))
    with pytest.raises(ValueError, match="partial_fit does not support vae__early_stopping=True"):
        stopping.partial_fit(X, y, classes=[0, 1])
    classifier.partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match="not the same as on the first call"):
        classifier.partial_fit(X, y, classes=[0, 2])
    with pytest.raises(ValueError, match="none of the classes"):
        classifier.partial_fit(X[:2], [0, 7])


# Keras converts its weights in a way that NumPy 2 frowns upon.
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
        "features = network.reader(network.vae.read(inputs))[2]\n"
        "numpy.testing.assert_allclose(network.class_head(features).numpy(), logits, atol=1e-4)\n"
    )
    paths = [str(tmp_path / name) for name in ("network.keras", "expected.joblib")]
    subprocess.run([sys.executable, "-c", code, *paths], check=True)


def margins_of(model, X, labels):
    """Log-odds of the classes with two of them, logits less their average with more."""
    log_probabilities = model.predict_log_proba(X)
    own = log_probabilities[np.arange(len(labels)), labels]
    if len(model.classes_) == 2:
        return own - log_probabilities[np.arange(len(labels)), 1 - labels]
    return own - log_probabilities.mean(axis=1)


def test_explanations_add_up_to_the_margin(classifier, writing_classifier, bow_vae, reviews):
    X, y = reviews
    deep = TextVAEClassifier(
        FrozenEstimator(bow_vae), lexical=False, head_units=(4,), head_activation="tanh", random_state=0
    ).fit(X, y)
    for model in (classifier, writing_classifier, deep):
        texts = [*X[:3], ""]
        frame = model.explain(texts, n_contributions=4)
        assert frame.columns.tolist() == ["document", "class", "part", "name", "contribution"]
        sums = frame.groupby("document")["contribution"].sum()
        labels = np.searchsorted(model.classes_, model.predict(texts))
        np.testing.assert_allclose(sums, margins_of(model, texts, labels), rtol=1e-3, atol=1e-3)
        first = frame[frame["document"] == 0]
        assert first["part"].iloc[-1] == "rest"
        assert len(first) == 5
        assert (np.diff(first["contribution"].abs()[:-1]) <= 0).all()
        if len(model._class_head.layers) == 1:
            # With every contribution listed, the intercept is left, and what average latents add.
            everything = model.explain(texts, n_contributions=10_000)
            rest = everything[everything["part"] == "rest"]["contribution"]
            average = np.asarray(model._class_head.feature_means) @ model._class_head.layers[0].kernel
            intercept = average + model._class_head.layers[0].bias + model._class_head.lexical.bias
            if len(intercept) == 1:
                expected = np.where(labels == 1, intercept[0], -intercept[0])
            else:
                expected = intercept[labels] - intercept.mean()
            np.testing.assert_allclose(rest, expected, rtol=1e-3, atol=1e-3)
        assert frame["class"].tolist() == model.predict(texts)[frame["document"]].tolist()
        other = model.explain(texts, y=[model.classes_[0]] * 4)
        sums = other.groupby("document")["contribution"].sum()
        expected = margins_of(model, texts, np.zeros(4, dtype=int))
        np.testing.assert_allclose(sums, expected, rtol=1e-3, atol=1e-3)


def test_an_explanation_names_the_words_that_matter(bow_vae, reviews):
    X, y = reviews
    classifier = TextVAEClassifier(FrozenEstimator(bow_vae), random_state=0).fit(X, y)
    good = X[np.flatnonzero(y == 1)[0]]
    frame = classifier.explain([good], n_contributions=1000)
    lexical = frame[frame["part"] == "lexical"].set_index("name")["contribution"]
    assert len(lexical) > 5
    tokens = set(classifier.tokenizer_.inverse_transform(classifier.tokenizer_.transform([good]))[0].split())
    own = {token for name in lexical.index for token in name.split()}
    assert {token for token in own if token.isalpha()} <= {token.strip(".,;:!") for token in tokens}
    parts = set(frame["part"])
    assert parts == {"lexical", "latent", "hidden_0", "rest"}
    latent = frame[frame["part"] == "latent"]["name"]
    numbers = latent.str.extract(r"^(\d+) \((\S+), (\S+), (\S+)\)$")
    assert not numbers.isna().any(axis=None)
    assert set(numbers[0].astype(int)) == set(range(6))
    assert set(numbers[[1, 2, 3]].to_numpy().ravel()) <= set(bow_vae.words_)


def test_explain_refuses_what_it_cannot_explain(classifier, reviews):
    X, _ = reviews
    with pytest.raises(ValueError, match="none of the classes"):
        classifier.explain(X[:2], y=[0, 7])
    assert set(classifier.explain(X[:2], y=1)["class"]) == {1}
    with pytest.raises(ValueError, match="n_contributions=0; expected an int"):
        classifier.explain(X[:2], n_contributions=0)
    with pytest.raises(NotFittedError):
        TextVAEClassifier().explain(X[:2])


def test_explaining_token_ids(reviews):
    X, y = reviews
    ids = TextTokenizer(max_length=16).fit_transform(X)
    classifier = TextVAEClassifier(small_vae(), epochs=0, random_state=0).fit(ids, y)
    frame = classifier.explain(ids[:1], n_contributions=100)
    lexical = frame[frame["part"] == "lexical"]["name"]
    assert len(lexical) > 5
    assert {int(token) for name in lexical for token in name.split()} <= set(ids[0].tolist())


def test_explaining_without_a_bag_of_words_decoder(reviews):
    X, y = reviews
    vae = small_vae(decoder="gru", bow_weight=0, tokenizer=TextTokenizer(max_length=16))
    classifier = TextVAEClassifier(vae, epochs=0, random_state=0).fit(X, y)
    frame = classifier.explain(X[:2], n_contributions=100)
    assert set(frame["part"]) == {"lexical", "latent", "hidden_0", "rest"}
    assert frame[frame["part"] == "latent"]["name"].str.isdigit().all()


def test_writing_follows_latents_that_partial_fit_moves(reviews):
    X, y = reviews
    vae = small_vae(decoder="gru", tokenizer=TextTokenizer(max_length=16), learning_rate=3e-2)
    classifier = TextVAEClassifier(vae, epochs=1, random_state=0)
    for _ in range(8):
        classifier.partial_fit(X, y, classes=[0, 1])
    latents = classifier.transform(X)
    margins, _ = classifier._latent_classes.margins(latents, y)
    assert (margins > 0).mean() > 0.8
    assert classifier.rewrite(X[:3], 1).shape == (3,)


@pytest.mark.parametrize("random_state", [None, np.random.RandomState(0)])
def test_without_a_seed_each_call_writes_other_texts(reviews, random_state):
    X, y = reviews
    vae = small_vae(decoder="gru", random_state=None, tokenizer=TextTokenizer(max_length=16))
    classifier = TextVAEClassifier(vae, epochs=0, random_state=random_state).fit(X, y)
    for write in (
        lambda: classifier.sample(3),
        lambda: classifier.sample(3, 1),
        lambda: classifier.vae_.sample(3),
        lambda: classifier.rewrite(X[:3], 1, decoding="sample"),
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
        frozen.fit(X[:40], y[:40], X_unlabeled=X[40:])


def test_what_cannot_be_written_is_said_by_the_method_that_was_called(writing_classifier, gru_vae, reviews):
    X, latents = reviews[0][:2], np.zeros((2, 6))
    for method, call in (
        ("TextVAEClassifier.sample", lambda: writing_classifier.sample(2, temprature=2)),
        ("TextVAEClassifier.rewrite", lambda: writing_classifier.rewrite(X, "good", temprature=2)),
        (
            "TextVAEClassifier.inverse_transform",
            lambda: writing_classifier.inverse_transform(latents, temprature=2),
        ),
        ("TextVAETransformer.sample", lambda: gru_vae.sample(2, temprature=2)),
        ("TextVAETransformer.interpolate", lambda: gru_vae.interpolate("a", "b", temprature=2)),
    ):
        with pytest.raises(
            TypeError, match=rf"{method}\(\) got an unexpected keyword argument 'temprature'.*temperature"
        ):
            call()
    with pytest.raises(ValueError, match=r"y has 2 classes and n_samples=1; .* n_samples=2"):
        writing_classifier.sample(y=["good", "bad"])
    for width in (0, 1_001):
        with pytest.raises(ValueError, match=f"beam_width={width}; expected an int from 1 to 1000"):
            gru_vae.sample(1, decoding="beam", beam_width=width)


def test_a_function_that_returns_no_texts_is_refused(reviews):
    with pytest.raises(ValueError, match="X_unlabeled returned None"):
        TextVAEClassifier(small_vae()).fit(*reviews, X_unlabeled=lambda: None)


# Keras converts its weights in a way that NumPy 2 frowns upon.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_validation_texts_are_measured_each_epoch_and_not_trained_on(reviews, tmp_path):
    X, y = reviews
    path = str(tmp_path / "{epoch:02d}-{val_token_accuracy:.2f}-{val_cross_entropy:.3f}.weights.h5")
    checkpoint = keras.callbacks.ModelCheckpoint(path, save_weights_only=True)
    vae = small_vae(decoder="gru", tokenizer=TextTokenizer(max_length=8))
    options = {"epochs": 2, "learning_rate": 1e-2, "random_state": 0}
    classifier = TextVAEClassifier(vae, callbacks=checkpoint, **options)
    classifier.fit(X[:60], y[:60], X_val=X[60:], y_val=y[60:])
    plain = TextVAEClassifier(vae, **options).fit(X[:60], y[:60])
    np.testing.assert_array_equal(classifier.predict_proba(X), plain.predict_proba(X))
    trained = {"loss", "cross_entropy", "accuracy", "nll_text", "nll_bow", "kl", "token_accuracy"}
    assert set(classifier.history_) == trained | {f"val_{name}" for name in trained}
    # The last epoch's are those of the fitted estimator, up to the statistics that normalise the latents.
    assert classifier.history_["val_accuracy"][-1] == pytest.approx(classifier.score(X[60:], y[60:]), abs=0.1)
    log_loss = -classifier.predict_log_proba(X[60:])[np.arange(100), y[60:]].mean()
    assert classifier.history_["val_cross_entropy"][-1] == pytest.approx(log_loss, rel=0.2)
    names = sorted(each.name for each in tmp_path.iterdir())
    assert [name[:3] for name in names] == ["01-", "02-"]
    assert f"-{classifier.history_['val_cross_entropy'][-1]:.3f}." in names[-1]


def test_validation_of_a_frozen_autoencoders_head_and_early_stopping(bow_vae, reviews):
    X, y = reviews
    stop = keras.callbacks.EarlyStopping("val_cross_entropy", patience=1, min_delta=10.0, mode="min")
    classifier = TextVAEClassifier(
        FrozenEstimator(bow_vae), head_units=(4,), epochs=9, callbacks=stop, random_state=0
    ).fit(X[:60], y[:60], X_val=X[60:], y_val=y[60:])
    assert classifier.n_iter_ == 2
    assert len(classifier.history_["val_accuracy"]) == 2


def test_validation_data_that_do_not_fit_are_refused(bow_vae, reviews):
    X, y = reviews
    classifier = TextVAEClassifier(FrozenEstimator(bow_vae), head_units=(4,), random_state=0)
    with pytest.raises(ValueError, match="belong together"):
        classifier.fit(X, y, X_val=X)
    with pytest.raises(ValueError, match="none of the classes"):
        classifier.fit(X, y, X_val=X[:2], y_val=[0, 5])
    with pytest.raises(ValueError, match="y_val"):
        classifier.fit(X, y, X_val=X[:2], y_val=[0])


def test_each_weight_counts_in_fine_tuning(reviews):
    X = reviews[0]
    # At random, so that there is something to lose.
    y = np.random.default_rng(0).permutation(np.arange(160) % 2)
    weights = np.where(np.arange(160) % 4 == 0, 8.0, 1.0)
    options = {"classification_weight": 3.0, "batch_size": 160, "epochs": 2, "random_state": 0}
    classifier = TextVAEClassifier(small_vae(), **options).fit(X, y, sample_weight=weights)
    history = {name: np.array(values) for name, values in classifier.history_.items()}
    assert history["cross_entropy"].min() > 0.1
    # The cross-entropy is an average by weight.
    expected = history["nll_bow"] + history["kl"] + 3 * weights.mean() * history["cross_entropy"]
    np.testing.assert_allclose(history["loss"], expected, rtol=1e-4)


def test_texts_count_by_their_weight_where_labels_contradict(bow_vae, reviews):
    X = np.repeat(reviews[0][:60], 2)
    y = np.arange(120) % 2
    classifier = TextVAEClassifier(
        FrozenEstimator(bow_vae),
        lexical=False,
        head_units=(4,),
        epochs=60,
        batch_size=60,
        learning_rate=5e-2,
        random_state=0,
    )
    share = classifier.fit(X, y, sample_weight=np.where(y == 1, 9.0, 1.0)).predict_proba(X)[:, 1]
    assert share.mean() == pytest.approx(0.9, abs=0.05)


def test_a_heavier_classification_takes_longer_steps(bow_vae, reviews):
    X, y = reviews
    found = []
    for weight, step in ((4.0, 0.05), (1.0, 0.2), (1.0, 0.05)):
        classifier = TextVAEClassifier(
            FrozenEstimator(bow_vae),
            lexical=False,
            head_units=(4,),
            classification_weight=weight,
            optimizer="sgd",
            learning_rate=step,
            random_state=0,
        )
        found.append(classifier.fit(X, y).predict_proba(X))
    np.testing.assert_allclose(found[0], found[1], atol=1e-4)
    assert np.abs(found[0] - found[2]).max() > 1e-2


def test_the_lexical_term_goes_on_by_the_weights_of_a_batch(bow_vae, reviews):
    X, y = reviews
    # A step so small that the latent term stays as it is.
    options = {"learning_rate": 1e-9, "random_state": 0}
    begun = TextVAEClassifier(FrozenEstimator(bow_vae), **options).partial_fit(X, y, classes=[0, 1])
    again, labels = np.repeat(X[:64], 2), np.arange(128) % 2
    margins = []
    for heavy in (0, 1):
        gone_on = copy.deepcopy(begun)
        for _ in range(2):
            gone_on.partial_fit(again, labels, sample_weight=np.where(labels == heavy, 5.0, 1.0))
        margins.append(np.diff(gone_on.predict_log_proba(X), axis=1).mean())
    assert margins[0] + 1 < margins[1]


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


def test_contributions_make_up_the_differences_between_texts(classifier, writing_classifier, reviews):
    # "rest" is what is left, and so would hide an error in the others: it has to be the same for all texts.
    for model in (classifier, writing_classifier):
        texts = [*reviews[0][:30], "", "great music", "dull dull dull film"]
        for label in model.classes_:
            frame = model.explain(texts, y=label, n_contributions=10_000)
            listed = frame[frame["part"] != "rest"].groupby("document")["contribution"].sum()
            listed = listed.reindex(range(len(texts)), fill_value=0).to_numpy()
            margins = margins_of(model, texts, np.full(len(texts), list(model.classes_).index(label)))
            assert np.ptp(margins) > 1
            np.testing.assert_allclose(listed - listed.mean(), margins - margins.mean(), atol=1e-3)


def test_latents_of_average_texts_contribute_nothing(bow_vae, reviews):
    X, y = reviews
    classifier = TextVAEClassifier(FrozenEstimator(bow_vae), random_state=0).fit(X, y)
    frame = classifier.explain(X, y=1, n_contributions=10_000)
    frame = frame[frame["part"].isin(["latent", "hidden_0"])]
    numbers = frame["name"].str.split(" ").str[0]
    sums = frame.groupby([frame["part"], numbers])["contribution"].sum() / len(X)
    spread = frame.groupby([frame["part"], numbers])["contribution"].std()
    assert spread.max() > 0.02
    assert sums.abs().max() < 1e-4


def test_contributions_to_a_deep_head_are_by_its_slope_at_the_text(lstm_vae, reviews):
    X, y = reviews
    classifier = TextVAEClassifier(
        FrozenEstimator(lstm_vae),
        lexical=False,
        head_units=(8,),
        head_activation="tanh",
        epochs=10,
        learning_rate=3e-2,
        random_state=0,
    ).fit(X, y)
    head, latents = classifier.class_head_, classifier.transform(X)
    step = 1e-2 * np.eye(6, dtype=np.float32)
    slopes = np.stack(
        [(head(latents + each).numpy() - head(latents - each).numpy())[:, 0] / 2e-2 for each in step], axis=1
    )
    expected = slopes * (latents - latents.mean(axis=0))
    frame = classifier.explain(X, y=1, n_contributions=100)
    rest = frame[frame["part"] == "rest"]["contribution"].to_numpy()
    frame = frame[frame["part"] == "latent"]
    found = np.zeros_like(expected)
    found[frame["document"], frame["name"].str.split(" ").str[0].astype(int)] = frame["contribution"]
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(found, expected, atol=1e-2 * np.abs(expected).max())
    np.testing.assert_allclose(rest + found.sum(axis=1), head(latents).numpy()[:, 0], atol=1e-3)


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
    names = ngrams.names(classifier.vae_.tokenizer_.tokens_, np.arange(ngrams.n_features))
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
    with pytest.warns(UserWarning, match=r"hardly overlap \(0 %.*Leave out X_unlabeled") as found:
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
