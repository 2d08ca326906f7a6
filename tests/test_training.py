import gc
import os
import pickle
import subprocess
import sys
import threading
from collections import Counter
from typing import ClassVar

import joblib
import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from skvae import TextTokenizer, TextVAEClassifier, TextVAETransformer
from skvae._network.autoencoder import TextVAE
from skvae._network.objectives import multinomial_nll, sparse_matmul
from skvae._network.optimizer import make_optimizer, single_precision
from skvae._network.training import Batches
from skvae._texts.corpus import Corpus
from skvae._texts.documents import Documents, epoch_order
from skvae._texts.ids import BOUNDARY_ID
from skvae._texts.ngram_vectors import NgramVectors
from skvae.datasets import make_reviews

from .conftest import SMALL, small_vae


def test_an_optimizer_takes_the_settings_of_an_instance():
    given = keras.optimizers.Adam(
        keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5), beta_1=0.8, clipnorm=1.0
    )
    made = make_optimizer(given, 0.01)
    assert type(made) is keras.optimizers.Adam
    assert made.get_config() == given.get_config()


def test_networks_saved_with_an_adam_of_ours_are_loaded_with_that_of_keras():
    saved = {
        "module": "skvae._training",
        "class_name": "FusedAdam",
        "config": {"name": "fused_adam", "learning_rate": 0.004, "beta_1": 0.8},
        "registered_name": "skvae>FusedAdam",
    }
    loaded = keras.saving.deserialize_keras_object(saved)
    assert type(loaded) is keras.optimizers.Adam
    assert loaded.beta_1 == 0.8


@pytest.mark.same_bits
def test_a_keras_without_the_private_name_trains_as_well(reviews, monkeypatch, bow_vae):
    monkeypatch.setattr("skvae._network.private.REDUCTION", "_of_another_version")
    again = TextVAETransformer(**bow_vae.get_params()).fit(reviews[0])
    np.testing.assert_array_equal(again.transform(reviews[0]), bow_vae.transform(reviews[0]))


def test_sparse_product_and_its_gradient_are_the_dense_ones():
    random = np.random.default_rng(0)
    dense = random.poisson(0.3, size=(5, 7)).astype(np.float32)
    dense[2] = 0
    positions = np.argwhere(dense)
    kernel = tf.constant(random.normal(size=(7, 3)), tf.float32)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(kernel)
        sparse = tf.reduce_sum(tf.square(sparse_matmul(positions, dense[dense > 0], 5, kernel)))
        expected = tf.reduce_sum(tf.square(dense @ kernel))
    np.testing.assert_allclose(sparse, expected, rtol=1e-5)
    np.testing.assert_allclose(tape.gradient(sparse, kernel), tape.gradient(expected, kernel), rtol=1e-4)


def test_gradient_of_a_bag_of_words_is_the_derived_one():
    random = np.random.default_rng(0)
    counts = random.poisson(0.5, size=(4, 6)).astype(np.float32)
    logits = tf.constant(random.normal(size=(4, 6)), tf.float32)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        by_hand = tf.square(multinomial_nll(logits, np.argwhere(counts), tf.constant(counts[counts > 0])))
        derived = tf.square(-tf.reduce_sum(counts * tf.nn.log_softmax(logits), axis=1))
    np.testing.assert_allclose(by_hand, derived, rtol=1e-5)
    np.testing.assert_allclose(
        tape.gradient(by_hand, logits), tape.gradient(derived, logits), rtol=1e-4, atol=1e-4
    )


def test_short_texts_do_not_pay_for_long_ones():
    random = np.random.default_rng(0)
    lengths = random.integers(1, 100, 2_000)
    texts = Corpus.from_lengths(np.ones(lengths.sum(), dtype=np.int32), lengths)
    batches = epoch_order(Documents(texts=texts), 32, random)
    assert sorted(np.concatenate(batches)) == list(range(2_000))
    padded = sum(len(rows) * lengths[rows].max() for rows in batches)
    assert padded < 1.1 * lengths.sum()
    at_random = sum(
        len(rows) * lengths[rows].max() for rows in np.array_split(np.arange(2_000), len(batches))
    )
    assert at_random > 1.5 * lengths.sum()


def test_a_fit_is_traced_once_whatever_the_shapes(reviews, monkeypatch):
    shapes = []
    parts = TextVAE.parts

    def counted(self, mean, log_variance, inputs, training):
        shapes.append(inputs["ids"].shape)
        return parts(self, mean, log_variance, inputs, training)

    monkeypatch.setattr(TextVAE, "parts", counted)
    texts = [" ".join([text] * (1 + row % 4)) for row, text in enumerate(reviews[0])]
    TextVAETransformer(tokenizer=TextTokenizer(max_length=40), epochs=2, **SMALL).fit(texts)
    assert len(shapes) == 1


def alive():
    gc.collect()
    return Counter(type(each) for each in gc.get_objects() if type(each) in (Batches, Documents, TextVAE))


def test_nothing_of_a_fit_outlives_the_estimator(reviews):
    X, y = reviews
    before = alive()
    vae = TextVAETransformer(**(SMALL | {"decoder": "bow", "epochs": 2, "early_stopping": True}))
    classifier = TextVAEClassifier(vae, epochs=1, random_state=0)
    classifier.fit(X, y, X_val=X[:20], y_val=y[:20])
    classifier.set_params(vae__early_stopping=False).partial_fit(X, y)
    del classifier
    assert alive() == before


def test_a_series_of_fits_leaves_nothing_behind(reviews):
    X, y = reviews
    vae = TextVAETransformer(**(SMALL | {"epochs": 1, "tokenizer": TextTokenizer(max_length=16)}))
    classifier = TextVAEClassifier(vae, epochs=1, random_state=0)

    def objects():
        classifier.fit(X, y).predict(X)
        gc.collect()
        return len(gc.get_objects())

    objects()
    before = objects()
    # A network that was traced is some ten thousand objects.
    assert objects() - before < 2_000


class Interrupt(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise KeyboardInterrupt


# Keras converts its weights in a way that NumPy 2 frowns upon.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_an_interrupted_training_goes_on_from_a_backup_to_the_same_weights(reviews, tmp_path):
    X, y = reviews
    options = {"epochs": 4, "tokenizer": TextTokenizer(max_length=16)} | SMALL
    whole = TextVAETransformer(**options).fit(X)

    def backup():
        return keras.callbacks.BackupAndRestore(str(tmp_path / "backup"))

    with pytest.raises(KeyboardInterrupt):
        TextVAETransformer(callbacks=[backup(), Interrupt()], **options).fit(X)
    resumed = TextVAETransformer(callbacks=backup(), **options).fit(X)
    assert resumed.n_iter_ == 2
    np.testing.assert_array_equal(resumed.transform(X), whole.transform(X))
    np.testing.assert_array_equal(resumed.sample(3), whole.sample(3))

    whole = TextVAEClassifier(TextVAETransformer(**options), epochs=4, random_state=0).fit(X, y)
    interrupted = TextVAEClassifier(TextVAETransformer(**options), epochs=4, random_state=0)
    interrupted.set_params(callbacks=[backup(), Interrupt()])
    with pytest.raises(KeyboardInterrupt):
        interrupted.fit(X, y)
    assert not hasattr(interrupted, "classes_")
    resumed = interrupted.set_params(callbacks=backup()).fit(X, y)
    assert resumed.n_iter_ == 2
    np.testing.assert_array_equal(resumed.predict_proba(X), whole.predict_proba(X))


ON_TWO_DEVICES = """
import tensorflow as tf
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])

import joblib
import keras
from skvae import TextTokenizer, TextVAEClassifier, TextVAETransformer
from skvae.datasets import make_reviews

n_steps = 0

class Count(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        global n_steps
        n_steps += 1

texts, labels = make_reviews(200, random_state=0)
settings = dict(tokenizer=TextTokenizer(max_length=16), decoder_units=(16,), epochs=2, batch_size=16, random_state=0)
with strategy.scope():
    vae = TextVAETransformer(8, callbacks=Count(), **settings).fit(texts)
    classifier = TextVAEClassifier(TextVAETransformer(8, decoder="bow"), epochs=2, random_state=0).fit(texts, labels)
# 13 batches for two replicas: seven steps an epoch.
assert n_steps == 14
print(vae.history_["loss"][-1], classifier.score(texts, labels))
joblib.dump(classifier, "classifier.joblib")
"""


@pytest.mark.processes
def test_fit_under_a_strategy_of_two_devices(reviews, tmp_path):
    # In a process of its own: devices can be split before TensorFlow starts only.
    ended = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", ON_TWO_DEVICES],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    loss, accuracy = map(float, ended.stdout.split()[-2:])
    texts = make_reviews(200, random_state=0)[0]
    settings = {"tokenizer": TextTokenizer(max_length=16), "decoder_units": (16,), "epochs": 2}
    alone = TextVAETransformer(8, **settings, batch_size=32, random_state=0).fit(texts)
    # Two batches of 16 in a step are to the loss what one of 32 is.
    assert loss == pytest.approx(alone.history_["loss"][-1], rel=0.05)
    assert accuracy > 0.9
    assert joblib.load(tmp_path / "classifier.joblib").predict(reviews[0][:3]).shape == (3,)


def n_threads(number):
    code = """
import os
from skvae import TextVAETransformer
from skvae.datasets import make_reviews

TextVAETransformer(4, decoder="bow", epochs=1, random_state=0).fit(make_reviews(50, random_state=0)[0])
print(len(os.listdir("/proc/self/task")))
"""
    threads = {name: str(number) for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")}
    return int(subprocess.check_output([sys.executable, "-c", code], env=os.environ | threads))


@pytest.mark.processes
@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="counts threads as Linux lists them")
def test_the_environment_limits_the_threads_of_a_worker():
    assert n_threads(1) < n_threads(4)


class Recorded(keras.callbacks.Callback):
    """The number of batches, and the bag-of-words decoder after each epoch."""

    def __init__(self):
        super().__init__()
        self.n_batches, self.kernels = 0, []

    def on_train_batch_end(self, batch, logs=None):
        self.n_batches += 1

    def on_epoch_end(self, epoch, logs=None):
        self.kernels.append(self.model.bow_decoder.kernel.numpy().copy())


def texts_at_random(n_texts, n_words, seed=0):
    """Ten words each: what is learnt of one says nothing about another."""
    words = [f"word{number}" for number in range(n_words)]
    return [" ".join(text) for text in np.random.default_rng(seed).choice(words, (n_texts, 10))]


def test_early_stopping_brings_back_the_weights_of_the_best_epoch():
    recorded = Recorded()
    vae = TextVAETransformer(
        **SMALL,
        decoder="bow",
        dropout=0,
        epochs=60,
        batch_size=10,
        learning_rate=3e-2,
        kl_warmup=0,
        early_stopping=True,
        validation_fraction=0.3,
        n_iter_no_change=3,
        callbacks=recorded,
    ).fit(texts_at_random(100, 60))
    best = int(np.argmin(vae.history_["val_loss"]))
    # It ended three epochs later, and other weights than these were reached by then.
    assert vae.n_iter_ == best + 4
    assert recorded.n_batches == 7 * vae.n_iter_
    assert np.abs(recorded.kernels[best] - recorded.kernels[best + 2]).max() > 1e-2
    np.testing.assert_array_equal(vae.components_, recorded.kernels[best])


def test_texts_of_early_stopping_are_not_trained_on():
    vae = TextVAETransformer(
        16,
        decoder="bow",
        encoder_units=(64,),
        dropout=0,
        epochs=30,
        learning_rate=3e-2,
        kl_warmup=0,
        posterior_scale=2.0,
        early_stopping=True,
        validation_fraction=0.5,
        n_iter_no_change=100,
        random_state=0,
    ).fit(texts_at_random(80, 60))
    history = vae.history_
    # Words at random can be learnt by heart only.
    assert history["nll_bow"][-1] < history["nll_bow"][0] - 5
    assert history["val_nll_bow"][-1] > history["nll_bow"][-1] + 5


def test_vectors_of_ngrams_are_not_learned_from_texts_of_early_stopping(monkeypatch, reviews):
    X, _ = reviews
    n_read = []

    def stop(self, corpus, *args, **options):
        n_read.append(len(corpus))
        raise InterruptedError

    monkeypatch.setattr(NgramVectors, "fit", stop)
    vae = TextVAETransformer(decoder="bow", validation_fraction=0.25)
    for early_stopping in (False, True):
        with pytest.raises(InterruptedError):
            vae.set_params(early_stopping=early_stopping).fit(X)
    assert n_read == [160, 120]
    # Those of a class head are left out as well, if enough others remain.
    for fraction, n_kept in ((0.25, 120), (0.75, 40)):
        classifier = TextVAEClassifier(vae.set_params(validation_fraction=fraction, random_state=0))
        with pytest.raises(InterruptedError):
            classifier.fit(X[:20], reviews[1][:20], X_unlabeled=X[20:])
        assert (100 <= n_read[-1] < 120) if n_kept == 120 else n_read[-1] == n_kept


def test_what_is_minimised_is_the_weighted_sum_of_the_parts(reviews):
    vae = TextVAETransformer(
        **SMALL,
        tokenizer=TextTokenizer(max_length=16),
        beta=0.5,
        bow_weight=2.5,
        kl_warmup=0.5,
        epochs=8,
        batch_size=160,
    ).fit(reviews[0])
    history = {name: np.array(values) for name, values in vae.history_.items()}
    # One step an epoch, so that each epoch has one weight of the KL term.
    warmup = np.minimum(1, np.arange(8) / 4)
    expected = history["nll_text"] + 2.5 * history["nll_bow"] + 0.5 * warmup * history["kl"]
    assert history["kl"].min() > 0.5
    np.testing.assert_allclose(history["loss"], expected, rtol=1e-5)


def cycles(n_texts):
    """Texts in which each word says what the next one is."""
    words = [f"word{number}" for number in range(12)]
    return [" ".join(words[(start + step) % 12] for step in range(7)) for start in range(n_texts)]


@pytest.mark.filterwarnings("ignore::skvae.CollapseWarning")
def test_words_and_units_of_the_text_decoder_are_hidden_at_the_rates_asked_for():
    nll = {}
    for rates in ((0, 0), (0, 0.3), (0, 0.9), (0.9, 0)):
        vae = TextVAETransformer(
            2,
            tokenizer=TextTokenizer(max_length=8),
            embedding_dim=12,
            decoder_units=(24,),
            encoder_units=(4,),
            dropout=rates[0],
            word_dropout=rates[1],
            bow_weight=0,
            posterior_scale=0.1,
            epochs=30,
            batch_size=16,
            learning_rate=3e-2,
            random_state=0,
        ).fit(cycles(64))
        nll[rates] = np.mean(vae.history_["nll_text"][-5:])
    assert nll[0, 0] + 1 < nll[0, 0.3] < nll[0, 0.9] - 1
    assert nll[0, 0] + 2 < nll[0.9, 0]


def test_latents_are_hidden_from_the_bag_of_words_at_the_rate_asked_for(reviews):
    nll = []
    for rate in (0, 0.4, 0.9):
        vae = TextVAETransformer(
            **SMALL, decoder="bow", dropout=rate, posterior_scale=2.0, epochs=15, learning_rate=3e-2
        ).fit(reviews[0])
        nll.append(vae.history_["nll_bow"][-1])
    assert nll[0] + 0.5 < nll[1] < nll[2] - 0.5


@pytest.mark.filterwarnings("ignore::skvae.CollapseWarning")
def test_units_of_the_encoder_are_hidden_at_the_rate_asked_for(reviews):
    kl = []
    for rate in (0, 0.5, 0.9):
        vae = TextVAETransformer(
            6,
            decoder="bow",
            encoder_units=(16, 16),
            dropout=rate,
            posterior_scale=None,
            epochs=1,
            batch_size=160,
            random_state=0,
        ).fit(reviews[0])
        # Of the first step, before which nothing was learnt: the others are scaled up, and means spread.
        kl.append(vae.history_["kl"][0])
    assert kl[0] + 0.1 < kl[1] < kl[2] - 0.5


@pytest.fixture(params=["mixed_float16", "mixed_bfloat16", "float64", "float16"])
def global_precision(request):
    """Keras' global state: a policy, or the type of floats from which new policies follow."""
    policy, floatx = keras.config.dtype_policy(), keras.config.floatx()
    if "mixed" in request.param:
        keras.config.set_dtype_policy(request.param)
    else:
        keras.config.set_floatx(request.param)
        keras.config.set_dtype_policy(request.param)
    yield
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)


@pytest.mark.same_bits
@pytest.mark.parametrize("fixture", ["lstm_vae", "repeat_vae", "classifier"])
def test_fits_are_in_single_precision_whatever_keras_is_set_to(fixture, global_precision, request, reviews):
    X, y = reviews
    fitted = request.getfixturevalue(fixture)
    if fixture == "classifier":
        again = clone(fitted).fit(X[:60], y[:60], X_unlabeled=X[60:])
        np.testing.assert_allclose(again.predict_proba(X), fitted.predict_proba(X), rtol=1e-4)
    else:
        again = clone(fitted).fit(X)
    latents = again.transform(X)
    assert latents.dtype == np.float32
    np.testing.assert_allclose(latents, fitted.transform(X), rtol=1e-4, atol=1e-5)
    assert {variable.dtype for variable in again.model_.trainable_variables} == {"float32"}


# Keras converts its weights in a way that NumPy 2 frowns upon.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_files_answer_in_single_precision_whatever_keras_is_set_to(
    global_precision, lstm_vae, gru_vae, writing_classifier, reviews, tmp_path
):
    X, _ = reviews
    for fitted in (lstm_vae, gru_vae):
        again = pickle.loads(pickle.dumps(fitted))
        np.testing.assert_array_equal(again.transform(X), fitted.transform(X))
        assert again.transform(X).dtype == np.float32
        assert again.sample(3).tolist() == fitted.sample(3).tolist()
        assert again.score(X) == pytest.approx(fitted.score(X))
        assert np.isfinite(again.partial_fit(X).transform(X)).all()
    again = pickle.loads(pickle.dumps(writing_classifier))
    assert again.rewrite(X[:2], "bad").tolist() == writing_classifier.rewrite(X[:2], "bad").tolist()
    lstm_vae.encoder_.save(tmp_path / "encoder.keras")
    ids = lstm_vae.tokenizer_.transform(X)[:5]
    mean, _ = keras.saving.load_model(tmp_path / "encoder.keras")([ids, np.zeros((5, 64), np.float32)])
    assert keras.backend.standardize_dtype(mean.dtype) == "float32"


class Record(keras.callbacks.Callback):
    """Weights of before the training, and at the end of each epoch."""

    def on_train_begin(self, logs=None):
        self.weights = [[np.array(each) for each in self.model.get_weights()]]

    def on_epoch_end(self, epoch, logs=None):
        self.weights.append([np.array(each) for each in self.model.get_weights()])

    def epoch_of(self, network):
        """Number of the epoch, from 1 on, that a network has the kernels of."""
        kernels = [number for number, each in enumerate(network.weights) if "kernel" in each.path]
        now = network.get_weights()
        for epoch, weights in enumerate(self.weights):
            if all(np.array_equal(now[number], weights[number]) for number in kernels):
                return epoch


def stopping_vae(record, **options):
    defaults = {"decoder": "bow", "posterior_scale": None, "n_iter_no_change": 3}
    return TextVAETransformer(
        **(SMALL | defaults | {"early_stopping": True, "learning_rate": 2e-2, "callbacks": record} | options)
    )


# Its latents may be empty: what is tested is which weights come back.
@pytest.mark.filterwarnings("ignore::skvae.CollapseWarning")
@pytest.mark.parametrize(("kl_warmup", "n_warmup"), [(0.0, 0), (0.6, 60), (0.605, 61)])
def test_early_stopping_compares_from_the_end_of_the_warmup_on(reviews, kl_warmup, n_warmup):
    record = Record()
    vae = stopping_vae(record, epochs=100, kl_warmup=kl_warmup, dropout=0.0, batch_size=40).fit(reviews[0])
    losses = np.array(vae.history_["val_loss"])
    best = n_warmup + 1 + int(losses[n_warmup:].argmin())
    assert record.epoch_of(vae.model_) == best
    assert vae.n_iter_ == best + 3 < 100
    if n_warmup:
        # Within the warm-up, it did not fall for as many epochs as are waited for.
        assert losses[:4].argmin() == 0
    # A fit that goes on has no warm-up.
    vae.set_params(warm_start=True).fit(reviews[0])
    own = vae.history_["val_loss"][len(losses) :]
    assert record.epoch_of(vae.model_) == 1 + int(np.argmin(own))


def test_early_stopping_without_an_epoch_after_the_warmup(reviews):
    record = Record()
    vae = stopping_vae(record, epochs=3, kl_warmup=1.0, posterior_scale=0.6)
    with pytest.warns(UserWarning, match=r"compares nothing.*kl_warmup=1.0"):
        vae.fit(reviews[0])
    assert record.epoch_of(vae.model_) == vae.n_iter_ == 3


@pytest.mark.parametrize("early_stopping", [True, False])
def test_validation_texts_are_not_trained_on(early_stopping):
    record = Record()
    texts = [
        f"{text} own{row}word own{row}word" for row, text in enumerate(make_reviews(80, random_state=0)[0])
    ]
    vae = stopping_vae(
        record,
        posterior_scale=0.6,
        epochs=4,
        early_stopping=early_stopping,
        validation_fraction=0.2,
        tokenizer=TextTokenizer(min_df=1),
    ).fit(texts)
    first = [each.path for each in vae.model_.weights].index("hidden_0/kernel")
    # Words that occur in no text trained on have no gradient in the encoder.
    # The last rows read the texts' vectors.
    as_before = (record.weights[0][first] == record.weights[-1][first]).all(axis=1)[: len(vae.words_)]
    assert as_before.sum() == (16 if early_stopping else 0)
    assert all(word.startswith("own") for word in vae.words_[as_before])
    if early_stopping:
        # Nor are their words counted.
        background = vae.model_.bow_decoder.background.numpy()
        assert background[as_before].max() < background[~as_before].min()


def watching(*names):
    """Callbacks that no epoch satisfies, by which way the figures get better, and callbacks that each does."""
    return (
        [
            keras.callbacks.EarlyStopping(
                name, patience=9, baseline=sign * (1e9 if "accuracy" in name else -1e9)
            )
            for name in names
        ]
        for sign in (1, -1)
    )


def test_keras_callbacks_know_which_way_the_figures_of_an_autoencoder_get_better(reviews):
    never, always = watching("nll_text", "nll_bow", "kl", "token_accuracy", "loss", "val_token_accuracy")
    options = {"early_stopping": True, "kl_warmup": 0.0, "epochs": 2, "callbacks": never + always}
    TextVAETransformer(**(options | SMALL)).fit(reviews[0][:40])
    assert [callback.wait for callback in never] == [2] * 6
    assert [callback.wait < 2 for callback in always] == [True] * 6


@pytest.mark.parametrize("frozen", [True, False])
def test_keras_callbacks_know_which_way_the_figures_of_classes_get_better(frozen, bow_vae, reviews):
    X, y = reviews
    names = ["cross_entropy", "accuracy", "loss"]
    vae = FrozenEstimator(bow_vae)
    if not frozen:
        vae, names = TextVAETransformer(decoder="bow", epochs=1, **SMALL), [*names, "nll_bow"]
    never, always = watching(*names, *(f"val_{name}" for name in names))
    TextVAEClassifier(
        vae, head_units=(4,), epochs=2, callbacks=never + always, lexical=False, random_state=0
    ).fit(X[:40], y[:40], X_val=X[40:80], y_val=y[40:80])
    assert [callback.wait for callback in never] == [2] * len(never)
    assert [callback.wait < 2 for callback in always] == [True] * len(always)


def test_threads_that_need_single_precision_leave_the_floatx_of_the_user():
    entered, leave, found = threading.Event(), threading.Event(), []

    def first():
        with single_precision():
            entered.set()
            leave.wait(10)

    def second():
        with single_precision():
            found.append(keras.config.floatx())

    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    try:
        threads = [threading.Thread(target=first), threading.Thread(target=second)]
        threads[0].start()
        assert entered.wait(10)
        threads[1].start()
        threads[1].join(0.2)
        # The second would find the floatx of the first, and lose it before its own work is done.
        assert found == []
        leave.set()
        for thread in threads:
            thread.join(10)
        assert found == ["float32"]
        assert keras.config.floatx() == "float64"
    finally:
        keras.config.set_floatx(before)


class RecordRates(keras.callbacks.Callback):
    """The learning rate of each step."""

    seen: ClassVar[list] = []

    def on_train_begin(self, logs=None):
        type(self).seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(float(self.model.optimizer.learning_rate))


def test_the_learning_rate_falls_along_half_a_cosine(reviews):
    X = reviews[0]
    vae = small_vae(
        learning_rate=1e-2, learning_rate_schedule="cosine", epochs=4, batch_size=16, callbacks=RecordRates
    )
    vae.fit(X)
    rates = np.array(RecordRates.seen)
    assert len(rates) == 40
    expected = 1e-2 * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * np.arange(40) / 40)))
    np.testing.assert_allclose(rates, expected, rtol=1e-4)
    # The end of a stream is not known, and a warm start begins at the full rate.
    vae.partial_fit(X)
    np.testing.assert_allclose(RecordRates.seen, 1e-2, rtol=1e-5)
    vae.set_params(warm_start=True).fit(X)
    np.testing.assert_allclose(RecordRates.seen, expected, rtol=1e-4)
    small_vae(learning_rate_schedule="constant", callbacks=RecordRates).fit(X)
    assert len(set(RecordRates.seen)) == 1


def test_a_keras_schedule_is_a_learning_rate(reviews):
    schedule = keras.optimizers.schedules.PolynomialDecay(1e-2, 20, 1e-3)
    vae = small_vae(
        learning_rate=schedule,
        learning_rate_schedule="cosine",
        epochs=2,
        batch_size=16,
        callbacks=RecordRates,
    )
    clone(vae).fit(reviews[0])
    np.testing.assert_allclose(RecordRates.seen[-1], 1e-3, rtol=1e-3)
    assert len(set(RecordRates.seen)) == 20


def test_options_reach_the_optimizer_by_their_names(reviews):
    vae = small_vae(optimizer__clipnorm=0.5).set_params(optimizer__beta_1=0.8)
    assert vae.get_params()["optimizer__clipnorm"] == 0.5
    fitted = clone(vae).fit(reviews[0])
    assert fitted.model_.optimizer.clipnorm == 0.5
    assert fitted.model_.optimizer.beta_1 == 0.8
    nested = TextVAEClassifier(small_vae()).set_params(vae__optimizer__clipnorm=0.25, optimizer__clipnorm=2.0)
    assert clone(nested).vae.keras_params == {"optimizer__clipnorm": 0.25}
    assert nested.keras_params == {"optimizer__clipnorm": 2.0}
    with pytest.raises(ValueError, match="does not take the options"):
        small_vae(optimizer__momentum_of_inertia=1).fit(reviews[0])
    with pytest.raises(ValueError, match="expected names that begin with optimizer__"):
        small_vae(keras_params={"fit__verbose": 1}).fit(reviews[0])
    with pytest.raises(ValueError, match="Invalid parameter 'fit'"):
        small_vae().set_params(fit__verbose=1)


def test_recombined_texts_are_read_in_each_epoch(reviews):
    X, _ = reviews
    options = {"decoder": "gru", "batch_size": 16, "epochs": 2, "word_dropout": 0.0}
    plain = small_vae(**options).fit(X)
    more = small_vae(**options, recombination=2.0).fit(X)
    n_steps = [int(vae.model_.optimizer.iterations.numpy()) for vae in (plain, more)]
    assert n_steps == [2 * len(X) // 16, 3 * 2 * len(X) // 16]
    # Latents are normalised over the texts themselves.
    np.testing.assert_allclose(more.transform(X).mean(axis=0), 0, atol=1e-4)
    # Nothing more is read in a pass over a batch, and by a decoder without texts.
    batch = small_vae(**options, recombination=2.0).partial_fit(X)
    bag = small_vae(batch_size=16, recombination=2.0).fit(X)
    recurrent = small_vae(
        encoder="bilstm", batch_size=16, recombination=2.0, embedder=lambda texts: np.ones((len(texts), 2))
    ).fit(X)
    n_steps = [int(vae.model_.optimizer.iterations.numpy()) for vae in (batch, bag, recurrent)]
    assert n_steps == [len(X) // 16] * 3


@pytest.mark.filterwarnings("ignore:about .* in 10 texts have max_length=9")
@pytest.mark.parametrize("truncation", ["pre", "post"])
def test_recombined_texts_end_as_texts_do(monkeypatch, reviews, truncation):
    read = []

    def recording(documents, *arguments):
        read.append(documents)
        raise InterruptedError

    monkeypatch.setattr("skvae._network.pretraining.Batches", recording)
    tokenizer = TextTokenizer(max_length=9, truncation=truncation)
    with pytest.raises(InterruptedError):
        TextVAETransformer(tokenizer=tokenizer, recombination=3).fit(reviews[0])
    texts = read[0].texts
    n_own = len(reviews[0])
    assert len(texts) > 2 * n_own
    is_end = texts.ids == BOUNDARY_ID
    n_ends = np.add.reduceat(is_end, texts.starts[:-1])
    closed = is_end[texts.starts[1:] - 1]
    # Whole texts have one at their end; those that are cut have none.
    np.testing.assert_array_equal(n_ends, closed)
    assert (0 < closed[:n_own].mean() < 1) == (truncation == "post")
    assert (0 < closed[n_own:].mean() < 1) == (truncation == "post")


class Halved(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            rate = self.model.optimizer.learning_rate
            rate.assign(rate / 2)


def test_callbacks_change_a_learning_rate_that_decays(reviews):
    options = {"learning_rate": 1e-2, "learning_rate_schedule": "cosine", "epochs": 4, "batch_size": 16}
    small_vae(**options, callbacks=RecordRates).fit(reviews[0])
    expected = np.array(RecordRates.seen)
    small_vae(**options, callbacks=[Halved(), RecordRates]).fit(reviews[0])
    np.testing.assert_allclose(RecordRates.seen[:20], expected[:20], rtol=1e-4)
    np.testing.assert_allclose(RecordRates.seen[20:], expected[20:] / 2, rtol=1e-4)


def test_a_first_batch_does_not_fix_the_length_of_texts(reviews):
    X, _ = reviews
    short = [" ".join(text.split()[:3]) for text in X]
    vae = small_vae(decoder="gru", tokenizer=TextTokenizer(), batch_size=160).partial_fit(short)
    n_steps = vae.partial_fit(X).decoder_.output_shape[1]
    assert n_steps is None or n_steps > 20
    assert max(len(text.split()) for text in vae.sample(50, temperature=5.0, random_state=0)) > 5
    fitted = small_vae(decoder="gru", warm_start=True, batch_size=160).fit(short)
    message = "about 10 in 10 texts have 5 tokens or more, as many as the longest text of the first fit"
    with pytest.warns(UserWarning, match=message):
        fitted.fit(X)
    with pytest.warns(UserWarning, match=message):
        fitted.partial_fit(X)


def test_texts_that_nobody_wrote_have_no_embedding(reviews):
    with pytest.raises(ValueError, match=r"recombination=2.0 .* no embedding, but embedder is set"):
        small_vae(decoder="gru", recombination=2.0, embedder=lambda texts: np.ones((len(texts), 2))).fit(
            reviews[0]
        )
