"""Learning from one batch after another."""

import copy
import pickle

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from skvae import TextTokenizer, TextVAEClassifier
from skvae._head.linear import OnlineModel
from skvae.datasets import make_reviews

from .conftest import small_vae


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


@pytest.mark.parametrize(
    ("decoder", "head_units", "present"),
    [
        ("bow", (), ["good"]),
        ("bow", (8,), ["good"]),
        ("bow", (), ["bad", "mixed"]),
        ("bow", (8,), ["bad", "mixed"]),
        ("gru", (8,), ["bad", "mixed"]),
    ],
)
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
        # To guidance, too, an absent class is rare.
        start = stream._guidance(np.array([0]), 1.0).intercept
        assert start[absent].max() < start[~absent].max() - 2
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
    # Of clear classes, the vector model leaves nothing to learn; it has a step of its own.
    y = np.where(np.arange(len(y)) % 5 == 0, 1 - y, y)
    stream.partial_fit(X, y, classes=[0, 1]).partial_fit(X, y)

    def kernel():
        return stream.class_head_.get_weights()[0]

    before = kernel()
    stream.partial_fit(X, y)
    assert np.abs(kernel() - before).max() > 1e-2
    before = kernel()
    if "optimizer" in changed:
        stream.keras_params = None
    stream.set_params(**changed).partial_fit(X, y)
    np.testing.assert_allclose(kernel(), before, atol=1e-4)


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
    for wrong in (np.inf, np.nan):
        with pytest.raises(ValueError, match=r"class_weight=.* has a weight that is NaN or infinite"):
            classifier.set_params(class_weight={"bad": wrong, "good": 1}).fit(X, names)
    with pytest.raises(ValueError, match="0 for every text that has a label"):
        classifier.set_params(class_weight=None, unlabeled_label="bad").fit(X, names, sample_weight=1.0 - y)


def test_bad_batches_are_refused(bow_vae, reviews):
    X, y = reviews
    classifier = TextVAEClassifier(FrozenEstimator(bow_vae), random_state=0)
    with pytest.raises(ValueError, match="classes must be passed"):
        classifier.partial_fit(X, y)
    with pytest.raises(ValueError, match=r"y holds \[1\], which is not one of the classes \[0, 2\]"):
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
    with pytest.raises(ValueError, match="not one of the classes"):
        classifier.partial_fit(X[:2], [0, 7])


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


def test_vectors_of_ngrams_go_on(reviews):
    X, _ = reviews
    vae = small_vae().partial_fit(X[:80])
    vectors = vae._autoencoder.ngram_vectors
    vae.partial_fit(X[80:])
    assert vae._autoencoder.ngram_vectors.n_features == vectors.n_features
    assert (vae._autoencoder.ngram_vectors.lengths > vectors.lengths).mean() > 0.5


def test_a_failing_batch_leaves_the_vectors(reviews):
    X, _ = reviews
    vae = small_vae().partial_fit(X[:80])
    vectors = vae._autoencoder.ngram_vectors

    class Fail(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise OSError("disk full")

    vae.set_params(callbacks=[Fail()])
    with pytest.raises(OSError, match="disk full"):
        vae.partial_fit(X[80:])
    assert vae._autoencoder.ngram_vectors is vectors


def test_a_batch_may_bring_texts_without_labels(reviews):
    X, y = reviews

    def learned(marked):
        classifier = TextVAEClassifier(small_vae(), unlabeled_label=-1, random_state=0)
        for start in (0, 80):
            texts, labels, rest = X[start : start + 40], y[start : start + 40], X[start + 40 : start + 80]
            if marked:
                both = np.concatenate([texts, rest])
                classifier.partial_fit(both, [*labels, *[-1] * 40], classes=[0, 1])
            else:
                classifier.partial_fit(texts, labels, classes=[0, 1], X_unlabeled=lambda rest=rest: rest)
        return classifier.predict_proba(X)

    np.testing.assert_array_equal(learned(marked=False), learned(marked=True))


def test_unlabelled_texts_of_a_batch_train_the_autoencoder(reviews):
    X, y = reviews
    classifier = TextVAEClassifier(small_vae(), random_state=0).partial_fit(X[:60], y[:60], classes=[0, 1])
    with_more = copy.deepcopy(classifier).partial_fit(X[60:80], y[60:80], X_unlabeled=X[80:])
    classifier.partial_fit(X[60:80], y[60:80])
    assert (with_more.transform(X) != classifier.transform(X)).any()
    before = pickle.dumps(classifier)
    with pytest.raises(TypeError, match="X_unlabeled has int"):
        classifier.partial_fit(X[:4], y[:4], X_unlabeled=["a text", 3])
    assert pickle.dumps(classifier) == before
    ids = classifier.tokenizer_.transform(X[:8])
    unknown = np.array(ids[:3])
    unknown[1, 0] = 9_999
    with pytest.raises(ValueError, match=r"X_unlabeled has token id 9999 in row 1,"):
        classifier.partial_fit(ids[:4], y[:4], X_unlabeled=unknown)
    with pytest.raises(ValueError, match=r"X_unlabeled has token id 9999 in row 1,"):
        classifier.set_params(warm_start=True).fit(ids, y[:8], X_unlabeled=unknown)


def test_many_classes_are_not_taken_for_a_regression(reviews):
    X, _ = reviews
    names = [f"class {number}" for number in range(25)]
    y = [names[row % 2] for row in range(len(X))]
    classifier = TextVAEClassifier(small_vae(), random_state=0).partial_fit(X, y, classes=names)
    classifier.partial_fit(X[:2], y[:2], classes=names).partial_fit(X[:25], names)
    assert classifier.score(X[:25], names) < 0.5
    assert len(classifier.explain(X[:25], y=names)) > 25


def test_a_pass_goes_by_the_parameters_of_the_autoencoder_of_now(reviews):
    X, y = reviews
    classifier = TextVAEClassifier(small_vae(), epochs=0, random_state=0).partial_fit(
        X[:80], y[:80], classes=[0, 1]
    )

    def moved_by(**options):
        later = copy.deepcopy(classifier).set_params(**options).partial_fit(X[80:], y[80:])
        # Of the first layer: the last is also scaled.
        before, after = (each.vae_.model_.get_weights()[0] for each in (classifier, later))
        return np.abs(before - after).max()

    assert moved_by(vae__learning_rate=1e-6) < 0.01 * moved_by(vae__learning_rate=1e-2)
    before = pickle.dumps(classifier)
    for options, message in (
        ({"vae__n_components": 8}, "n_components=6, but now n_components=8"),
        ({"vae": FrozenEstimator(classifier.vae_)}, "continues with a vae that was not frozen; set vae back"),
        ({"vae__learning_rate": -1.0}, "learning_rate"),
    ):
        changed = copy.deepcopy(classifier).set_params(**options)
        with pytest.raises(ValueError, match=message):
            changed.partial_fit(X[80:], y[80:])
        np.testing.assert_array_equal(changed.predict_proba(X), classifier.predict_proba(X))
    with pytest.raises(TypeError, match="vae is a int; expected a TextVAETransformer"):
        copy.deepcopy(classifier).set_params(vae=3).partial_fit(X[80:], y[80:])
    assert pickle.dumps(classifier) == before


def test_a_frozen_autoencoder_warns_of_unlabelled_texts_in_a_batch(bow_vae, reviews):
    X, y = reviews
    classifier = TextVAEClassifier(FrozenEstimator(bow_vae), random_state=0)
    for rows in (slice(40), slice(40, 80)):
        with pytest.warns(UserWarning, match="X_unlabeled is not used: vae is frozen"):
            classifier.partial_fit(X[rows], y[rows], classes=[0, 1], X_unlabeled=X[80:])


def test_an_interruption_while_linear_models_learn_changes_nothing(reviews, monkeypatch):
    X, y = reviews
    vae = small_vae(decoder="gru", tokenizer=TextTokenizer(max_length=16))
    classifier = TextVAEClassifier(vae, random_state=0).partial_fit(X[:80], y[:80], classes=[0, 1])
    classifier.partial_fit(X[80:90], y[80:90])

    def answers():
        guidance = classifier._guidance(np.array([0]), 1.0)
        return classifier.predict_proba(X), classifier.transform(X), guidance.intercept, guidance.alone

    before, n_passes = answers(), classifier.vae_.n_iter_
    train = OnlineModel.train
    # Of the models that guidance reads, and of those of the head.
    for last in (2, 5):
        calls = []

        def interrupted(self, *args, last=last, calls=calls):
            calls.append(1)
            train(self, *args)
            if len(calls) == last:
                raise KeyboardInterrupt

        monkeypatch.setattr(OnlineModel, "train", interrupted)
        with pytest.raises(KeyboardInterrupt):
            classifier.partial_fit(X[90:], y[90:], X_unlabeled=X[:40])
        monkeypatch.undo()
        for now, then in zip(answers(), before, strict=True):
            np.testing.assert_array_equal(now, then)
        assert (classifier.vae_.n_iter_, classifier.n_iter_) == (n_passes, 2)
