from typing import ClassVar

import keras
import numpy as np
import pytest
from sklearn.base import clone

from skvae import TextVAEClassifier
from skvae._network.optimizer import make_optimizer

from .conftest import small_vae


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
