import gc
import os
import subprocess
import sys
from collections import Counter

import joblib
import keras
import numpy as np
import pytest
import tensorflow as tf

from skvae import TextTokenizer, TextVAEClassifier, TextVAETransformer
from skvae._network.autoencoder import TextVAE
from skvae._network.objectives import multinomial_nll, sparse_matmul
from skvae._network.training import Batches
from skvae._texts.corpus import Corpus
from skvae._texts.documents import Documents, epoch_order
from skvae.datasets import make_reviews

from .conftest import SMALL, small_vae


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


def test_nothing_of_the_batches_is_left_to_tensorflow_to_tune(bow_vae, reviews):
    """Its tuning thread can miss that it is no longer needed, and what frees the iterator waits for it."""
    documents = bow_vae._autoencoder.prepare(bow_vae._autoencoder.read(reviews[0]))
    # None, which is the default, means that it tunes.
    assert Batches(documents, 16, None).as_dataset().options().autotune.enabled is False


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
    X, y = (part[:60] for part in reviews)
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

    # A bag of words is traced in half of the time.
    vae = TextVAETransformer(**options, decoder="bow")
    whole = TextVAEClassifier(vae, epochs=4, random_state=0).fit(X, y)
    interrupted = TextVAEClassifier(vae, epochs=4, random_state=0)
    interrupted.set_params(callbacks=[backup(), Interrupt()])
    with pytest.raises(KeyboardInterrupt):
        interrupted.fit(X, y)
    assert not hasattr(interrupted, "classes_")
    resumed = interrupted.set_params(callbacks=backup()).fit(X, y)
    assert resumed.n_iter_ == 2
    np.testing.assert_array_equal(resumed.predict_proba(X), whole.predict_proba(X))


ON_TWO_DEVICES = """
import tensorflow as tf

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
    bag = TextVAETransformer(8, decoder="bow", epochs=2)
    classifier = TextVAEClassifier(bag, epochs=2, random_state=0).fit(texts, labels)
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

vae = TextVAETransformer(4, decoder="bow", epochs=1, ngram_dim=None, random_state=0)
vae.fit(make_reviews(50, random_state=0)[0])
print(len(os.listdir("/proc/self/task")))
"""
    threads = {name: str(number) for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")}
    return int(subprocess.check_output([sys.executable, "-c", code], env=os.environ | threads))


@pytest.mark.processes
@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="counts threads as Linux lists them")
def test_the_environment_limits_the_threads_of_a_worker():
    assert n_threads(1) < n_threads(4)


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
            encoder="bow",
            decoder_units=(24,),
            encoder_units=(4,),
            dropout=rates[0],
            word_dropout=rates[1],
            bow_weight=0,
            posterior_scale=0.1,
            epochs=20,
            batch_size=32,
            learning_rate=4e-2,
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


def test_a_first_batch_does_not_fix_the_length_of_texts(reviews):
    X, _ = reviews
    short = [" ".join(text.split()[:3]) for text in X]
    vae = small_vae(decoder="gru", tokenizer=TextTokenizer(), batch_size=160).partial_fit(short)
    n_steps = vae.partial_fit(X).decoder_.output_shape[1]
    assert n_steps is None or n_steps > 20
    assert (
        max(len(text.split()) for text in vae.sample(50, decoding="sample", temperature=5.0, random_state=0))
        > 5
    )
    fitted = small_vae(decoder="gru", warm_start=True, batch_size=160).fit(short)
    message = "about 10 in 10 texts have 5 tokens or more, as many as the longest text of the first fit"
    with pytest.warns(UserWarning, match=message):
        fitted.fit(X)
    with pytest.warns(UserWarning, match=message):
        fitted.partial_fit(X)


@pytest.mark.parametrize("kind", ["autoencoder", "classifier"])
def test_a_fit_leaves_out_that_functions_are_traced_too_often_and_no_other_warning(reviews, caplog, kind):
    """Keras makes a function of the same code for each fit; TensorFlow takes the fifth of them for a mistake."""
    message = "5 out of the last 9 calls to <function> triggered tf.function retracing."

    class Warns(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            tf.get_logger().warning(message)
            tf.get_logger().warning("something else")

    vae = TextVAETransformer(4, decoder="bow", epochs=1, ngram_dim=None, random_state=0)
    if kind == "autoencoder":
        vae.set_params(callbacks=Warns).fit(reviews[0][:30])
    else:
        TextVAEClassifier(vae, epochs=1, callbacks=Warns, random_state=0).fit(
            reviews[0][:30], reviews[1][:30]
        )
    assert "something else" in caplog.text
    assert "retracing" not in caplog.text
    tf.get_logger().warning(message)
    assert "retracing" in caplog.text
