import keras
import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator

from skvae import TextTokenizer, TextVAEClassifier, TextVAETransformer
from skvae._texts.ngram_vectors import NgramVectors
from skvae.datasets import make_reviews

from .conftest import SMALL, small_vae


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


def test_figures_of_a_history_stand_at_their_epochs(reviews):
    vae = small_vae(epochs=2, warm_start=True).fit(reviews[0])
    vae.set_params(early_stopping=True).fit(reviews[0])
    vae.set_params(early_stopping=False).partial_fit(reviews[0])
    assert {len(values) for values in vae.history_.values()} == {5}
    assert np.isnan(vae.history_["val_loss"]).tolist() == [True, True, False, False, True]


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
