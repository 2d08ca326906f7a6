"""Statistics of the class head: frequencies of classes, copies and weights, rare classes, what a fit may see."""

import warnings
from contextlib import nullcontext

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_val_score

from skvae import TextVAEClassifier, TextVAETransformer
from skvae._head.documents import LabelledDocuments
from skvae._head.linear import fit_linear_model
from skvae._texts.corpus import Corpus
from skvae._texts.ngram_vectors import NgramVectors
from skvae.datasets import make_reviews

from .conftest import SMALL, small_vae


@pytest.fixture(scope="module")
def many():
    """Reviews of three classes, and an autoencoder that has not seen them."""
    X, y = make_reviews(3_000, n_classes=3, random_state=7)
    return np.array(X, dtype=object), y


@pytest.fixture(scope="module")
def head(bow_vae):
    return TextVAEClassifier(FrozenEstimator(bow_vae), random_state=0)


def _skewed(many, shares, n_train, seed):
    """Training and test texts with these shares of the classes; a fifth of the texts are those of another class."""
    X, y = many
    random = np.random.default_rng(seed)
    own = random.random(len(X)) < 0.8
    text_class = np.where(own, y, random.integers(0, len(shares), len(X)))
    taken, labels = [], []
    for label, share in enumerate(shares):
        rows = random.permutation(np.flatnonzero(text_class == label))
        size = round(share * n_train)
        taken.append(rows[: 2 * size])
        labels.append(np.full(2 * size, label))
    rows, labels = np.stack([np.concatenate(taken), np.concatenate(labels)])
    order = random.permutation(len(rows))
    half = [
        np.concatenate([order[labels[order] == label][part::2] for label in range(len(shares))])
        for part in (0, 1)
    ]
    train, test = half
    return X[rows[train]], labels[train], X[rows[test]], labels[test]


@pytest.mark.parametrize("shares", [(0.9, 0.1), (0.7, 0.2, 0.1)])
def test_the_mean_probability_is_the_share_of_the_class(many, head, shares):
    means, losses = [], []
    for seed in range(3):
        X, y, X_test, y_test = _skewed(many, shares, 400, seed)
        probabilities = head.fit(X, y).predict_proba(X_test)
        means.append(probabilities.mean(axis=0))
        losses.append(log_loss(y_test, probabilities))
    assert np.abs(np.mean(means, axis=0) - shares).max() < 0.01
    # Better than the shares alone.
    assert np.mean(losses) < 0.8 * -(np.array(shares) @ np.log(shares))


def test_copies_count_as_weights_do(many, head):
    X, y = many[0][:120], many[1][:120] % 2
    copies = np.random.default_rng(0).integers(1, 4, len(X))
    weighted = head.fit(X, y, sample_weight=copies).predict_log_proba(many[0][200:260])
    rows = np.random.default_rng(1).permutation(np.repeat(np.arange(len(X)), copies))
    copied = head.fit(X[rows], y[rows]).predict_log_proba(many[0][200:260])
    np.testing.assert_allclose(copied, weighted, atol=1e-3)
    alone = head.fit(X, y).predict_log_proba(many[0][200:260])
    assert np.abs(alone - weighted).max() > 0.01


@pytest.mark.parametrize("balanced", [None, "balanced"])
def test_copies_count_as_weights_do_with_class_weights(many, head, balanced):
    X, y = many[0][:90], (np.arange(90) % 4 == 0).astype(int)
    options = {"class_weight": balanced, "lexical": False}
    rows = np.repeat(np.arange(90), np.where(y, 3, 1))
    copied = TextVAEClassifier(head.vae, random_state=0, **options).fit(X[rows], y[rows])
    weighted = TextVAEClassifier(head.vae, random_state=0, **options).fit(
        X, y, sample_weight=np.where(y, 3, 1)
    )
    np.testing.assert_allclose(copied.predict_proba(X), weighted.predict_proba(X), atol=1e-3)


def test_labels_without_meaning_stay_uncertain_when_each_text_comes_three_times(many, head):
    X, y = many[0][:300], np.random.default_rng(3).integers(0, 2, 300)
    X_test, y_test = many[0][300:1300], np.random.default_rng(4).integers(0, 2, 1000)
    for copies in (1, 3):
        head.fit(np.tile(X, copies), np.tile(y, copies))
        assert log_loss(y_test, head.predict_proba(X_test)) < 0.71


def test_a_text_with_two_labels_is_left_out_with_both(many, head):
    X, y = many[0][:100], many[1][:100] % 2
    both = head.fit([*X, *X], [*y, *(1 - y)]).predict_proba(many[0][200:300])
    np.testing.assert_allclose(both, 0.5, atol=0.02)


def test_the_order_of_the_texts_does_not_matter(many, head):
    X, y = many[0][:150], many[1][:150]
    order = np.random.default_rng(0).permutation(150)
    np.testing.assert_allclose(
        head.fit(X, y).predict_proba(X[:20]), head.fit(X[order], y[order]).predict_proba(X[:20]), atol=1e-3
    )


def test_a_class_with_one_text_changes_little_for_the_others(many, head):
    X, y = many[0][:200], many[1][:200]
    X_test, y_test = many[0][300:800], many[1][300:800]
    before = head.fit(X, y)
    loss, weights = log_loss(y_test, before.predict_proba(X_test)), dict(before.term_weights_)
    after = head.fit([*X, "a text of its own"], [*y, 9])
    probabilities = after.predict_proba(X_test)
    assert (probabilities[:, 3] < 0.1).all()
    others = probabilities[:, :3] / probabilities[:, :3].sum(axis=1, keepdims=True)
    assert abs(log_loss(y_test, others) - loss) < 0.02
    assert after.term_weights_ == pytest.approx(weights, abs=0.2)


def test_two_texts_of_a_class_are_in_different_folds():
    labels = np.array([0] * 12 + [1] * 2 + [2])
    data = LabelledDocuments.of(
        Corpus.from_matrix(np.arange(3, 18, dtype=np.int32)[:, None]), labels, np.ones(15), seed=0
    )
    folds = data.folds()
    assert folds[data.labels == 2].tolist() == [-1]
    assert len(set(folds[data.labels == 1])) == 2
    assert set(folds[data.labels == 0]) == set(range(10))


@pytest.mark.parametrize("n_classes", [2, 4])
def test_few_documents_are_solved_in_few_dimensions_with_the_same_coefficients(n_classes):
    random = np.random.default_rng(0)
    features = sp.random_array((60, 900), density=0.05, random_state=random, format="csr")
    labels = np.arange(60) % n_classes
    data = LabelledDocuments(np.arange(60), np.arange(60), np.arange(60), labels, random.uniform(0.5, 2, 60))
    model, _ = fit_linear_model(features, data, data.folds(), (10.0,))
    expected = LogisticRegression(C=10.0, max_iter=10_000, tol=1e-8).fit(
        features, labels, sample_weight=data.weights
    )
    np.testing.assert_allclose(model.kernel.T, expected.coef_, atol=1e-3)
    np.testing.assert_allclose(model.bias, expected.intercept_, atol=1e-3)


def test_refits_from_a_warm_start_stay_where_they_were(many):
    X, y = many[0][:200], np.random.default_rng(0).integers(0, 2, 200)
    classifier = TextVAEClassifier(
        TextVAETransformer(decoder="bow", epochs=6, **SMALL),
        lexical=False,
        epochs=10,
        learning_rate=3e-3,
        warm_start=True,
        random_state=0,
    )
    losses = []
    for _ in range(3):
        classifier.fit(X, y, X_unlabeled=list(many[0][1000:1200]))
        losses.append(log_loss(np.arange(500) % 2, classifier.predict_proba(many[0][300:800])))
    assert np.ptp(losses) < 0.02


def test_a_warm_start_after_partial_fit_goes_on_from_before_any_fine_tuning(many):
    X, y = list(many[0][:60]), many[1][:60]
    found = []
    for passes in (0, 2):
        classifier = TextVAEClassifier(
            TextVAETransformer(decoder="bow", epochs=1, **SMALL),
            learning_rate=1e-2,
            warm_start=True,
            random_state=0,
        ).fit(X, y)
        for _ in range(passes):
            classifier.partial_fit(X, y)
        told = (
            pytest.warns(UserWarning, match="2 later calls of partial_fit is not")
            if passes
            else nullcontext()
        )
        with told:
            found.append(classifier.fit(X, y).predict_proba(X))
        assert classifier.vae_.n_iter_ == 2
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)


def test_the_weights_before_the_first_fine_tuning_are_kept_whichever_call_it_is(reviews):
    X, y = reviews
    classifier = TextVAEClassifier(small_vae(), epochs=0, warm_start=True, random_state=0).fit(X, y)
    classifier.set_params(epochs=1).partial_fit(X, y).fit(X, y)
    # One of the first fit, one of the pass before fine-tuning, and one now.
    assert classifier.vae_.n_iter_ == 3


def test_a_warm_start_without_the_weights_of_before_begins_anew_and_says_so(many):
    import pickle

    classifier = TextVAEClassifier(TextVAETransformer(decoder="bow", epochs=1, **SMALL), epochs=1)
    X, y = list(many[0][:60]), many[1][:60]
    loaded = pickle.loads(pickle.dumps(classifier.fit(X, y))).set_params(warm_start=True)
    with pytest.warns(UserWarning, match="begins anew"):
        loaded.fit(X, y)
    assert len(loaded.vae_.history_["loss"]) == 1
    again = pickle.loads(pickle.dumps(loaded)).fit(X, y)
    assert len(again.vae_.history_["loss"]) == 2


def test_balanced_class_weights_do_not_count_texts_of_weight_zero(many, bow_vae):
    X, y = many[0][:90], (np.arange(90) % 3 == 0).astype(int)
    weights = np.where((y == 0) & (np.arange(90) < 60), 0.0, 1.0)
    classifier = TextVAEClassifier(FrozenEstimator(bow_vae), class_weight="balanced", random_state=0)
    kept = weights > 0
    np.testing.assert_allclose(
        classifier.fit(X, y, sample_weight=weights).predict_proba(X),
        classifier.fit(X[kept], y[kept]).predict_proba(X),
        atol=1e-6,
    )


def test_score_leaves_out_what_has_no_label(many, bow_vae):
    X, y = list(many[0][:120]), many[1][:120] % 2
    classifier = TextVAEClassifier(FrozenEstimator(bow_vae), unlabeled_label=-1, random_state=0).fit(X, y)
    marked = np.where(np.arange(120) % 2, -1, y)
    rows = np.flatnonzero(marked >= 0)
    assert classifier.score(X, marked) == classifier.score([X[row] for row in rows], y[rows])
    weights = np.linspace(0.1, 1, 120)
    assert classifier.score(X, marked, weights) == pytest.approx(
        classifier.score([X[row] for row in rows], y[rows], weights[rows])
    )
    assert cross_val_score(classifier, X, marked, cv=3).mean() > 0.6
    with pytest.raises(ValueError, match="no text has a label"):
        classifier.score(X, np.full(120, -1))


def test_validation_data_are_judged_where_nothing_is_fine_tuned(many, head):
    X, y = list(many[0][:60]), many[1][:60]
    with pytest.warns(UserWarning, match="nothing is fine-tuned"):
        head.fit(X, y, X_val=X, y_val=y)
    for X_val, y_val, message in (
        (X, ["nonsense"] * 60, "y_val holds"),
        (X, y[:10], "y_val has 10 labels for 60 texts"),
        ([None] * 60, y, "X_val has a missing value"),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises((ValueError, TypeError), match=message):
                head.fit(X, y, X_val=X_val, y_val=y_val)


def test_fine_tuning_keeps_the_share_of_a_rare_class(many):
    X, y, X_test, _ = _skewed(many, (0.9, 0.1), 200, 0)
    unlabelled = many[0][:400]
    shares = {}
    for epochs in (0, 12):
        classifier = TextVAEClassifier(
            small_vae(epochs=3), epochs=epochs, learning_rate=1e-2, random_state=0
        ).fit(X, y, X_unlabeled=unlabelled)
        shares[epochs] = classifier.predict_proba(unlabelled)[:, 1].mean()
    # Without the correction, the difference is .005.
    assert shares[12] == pytest.approx(shares[0], abs=1e-4)
    assert classifier.predict_proba(X_test)[:, 1].mean() == pytest.approx(0.1, abs=0.01)


def test_out_of_fold_logits_are_as_large_as_those_of_new_documents():
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 900)
    # Ten words that hint at the class, and in the training rows twenty that no other row has.
    hints = np.where(random.random((900, 10)) < 0.6, labels[:, None], 1 - labels[:, None])
    known = np.zeros((900, 20))
    np.put_along_axis(known, 2 * np.arange(10) + hints, 1.0, axis=1)
    rows = np.arange(300)
    data = LabelledDocuments(rows, rows, rows, labels[:300], np.ones(300))
    training = sp.csr_array(np.hstack([known[:300], np.kron(np.eye(300), np.ones(20))]) / np.sqrt(30))
    model, out_of_fold = fit_linear_model(training, data, data.folds(), (10.0,))
    new = sp.csr_array(np.hstack([known[300:], np.zeros((600, 6000))]) / np.sqrt(10))
    assert out_of_fold.std() == pytest.approx(model.logits(new).std(), rel=0.2)


@pytest.mark.parametrize(("n_others", "n_read"), [(60, 60), (59, 79), (0, 20)])
def test_vectors_are_learned_from_other_texts_than_the_head(n_others, n_read, monkeypatch, reviews):
    X, y = reviews
    read = []
    fit = NgramVectors.fit

    def fit_and_count(self, corpus, *arguments, **options):
        read.append(len(corpus))
        return fit(self, corpus, *arguments, **options)

    monkeypatch.setattr(NgramVectors, "fit", fit_and_count)
    classifier = TextVAEClassifier(small_vae(), random_state=0)
    classifier.fit(X[:20], y[:20], X_unlabeled=list(X[20 : 20 + n_others]) or None)
    assert read == [n_read]
    # The same if unlabelled texts are marked.
    marked = np.where(np.arange(len(X)) < len(X) - 20, -1, y)[-20 - n_others :]
    classifier.set_params(unlabeled_label=-1).fit(X[-20 - n_others :], marked)
    assert read == [n_read, n_read]


def test_a_batch_teaches_vectors_without_its_labelled_texts(monkeypatch, reviews):
    X, y = reviews
    classifier = TextVAEClassifier(small_vae(), random_state=0).fit(X[:40], y[:40])
    read = []
    after = NgramVectors.after

    def after_and_count(self, corpus, **options):
        read.append(len(corpus))
        return after(self, corpus, **options)

    monkeypatch.setattr(NgramVectors, "after", after_and_count)
    classifier.partial_fit(X[40:60], y[40:60], X_unlabeled=list(X[60:120]))
    classifier.partial_fit(X[40:60], y[40:60])
    assert read == [60, 20]
