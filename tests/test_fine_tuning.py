"""Training together with the class head: what is validated and what each weight counts."""

import keras
import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator

from skvae import TextTokenizer, TextVAEClassifier

from .conftest import small_vae


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
    with pytest.raises(ValueError, match="not one of the classes"):
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
    # Of clear classes, the vector model leaves nothing to learn.
    y = np.where(np.arange(len(y)) % 5 == 0, 1 - y, y)
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
