"""What goes wrong during training, and what is left of the estimator after it."""

import errno
import os
import pickle
import signal

import joblib
import keras
import numpy as np
import pytest
from joblib.externals.loky.process_executor import TerminatedWorkerError
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV

from skvae import TextVAEClassifier, TextVAETransformer

from .conftest import SMALL


class RaiseIn(keras.callbacks.Callback):
    """Raises at the end of an epoch."""

    def __init__(self, error, epoch=0):
        super().__init__()
        self.error, self.epoch = error, epoch

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.epoch:
            raise self.error


class OnFullDisk(keras.callbacks.ModelCheckpoint):
    """Checkpoints whose bytes go to a device that is always full."""

    def __init__(self, path):
        super().__init__(str(path))
        path.symlink_to("/dev/full")


def small_vae(**options):
    return TextVAETransformer(**({"decoder": "bow", "epochs": 2} | SMALL | options))


# Keras converts its weights in a way that NumPy 2 frowns upon.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("fault", ["interrupt", "callback", "disk"])
def test_a_fault_in_fit_reaches_the_user_and_leaves_the_estimator_as_it_was(fault, reviews, tmp_path):
    X, y = reviews
    callback, error = {
        "interrupt": lambda: (RaiseIn(KeyboardInterrupt(), 1), KeyboardInterrupt),
        "callback": lambda: (RaiseIn(RuntimeError("no more")), RuntimeError),
        "disk": lambda: (OnFullDisk(tmp_path / "full.keras"), OSError),
    }[fault]()
    vae = small_vae(callbacks=callback)
    with pytest.raises(error) as raised:
        vae.fit(X)
    if fault == "disk":
        assert raised.value.errno == errno.ENOSPC
    with pytest.raises(NotFittedError):
        vae.transform(X)
    before = vae.set_params(callbacks=None).fit(X).transform(X)
    with pytest.raises(error):
        vae.set_params(callbacks=callback).fit(X[:80])
    np.testing.assert_array_equal(vae.transform(X), before)
    # The callback has let go of the network, so that what holds it can be stored.
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(vae)).transform(X), before)

    classifier = TextVAEClassifier(small_vae(epochs=1), callbacks=callback, epochs=2, random_state=0)
    with pytest.raises(error):
        classifier.fit(X, y)
    with pytest.raises(NotFittedError):
        classifier.predict(X)


def test_an_interrupted_partial_fit_has_learned_and_answers(reviews):
    X, _ = reviews
    vae = small_vae().fit(X)
    before = vae.transform(X)
    with pytest.raises(KeyboardInterrupt):
        vae.set_params(callbacks=RaiseIn(KeyboardInterrupt())).partial_fit(X)
    latents = vae.set_params(callbacks=None).transform(X)
    assert np.abs(latents - before).max() > 0
    # Normalised by what was known before, so about as wide as promised.
    np.testing.assert_allclose(latents.std(axis=0), vae.posterior_scale, rtol=0.5)
    assert np.isfinite(vae.partial_fit(X).transform(X)).all()


class KillWorker(keras.callbacks.Callback):
    """Kills the process it trains in, if that is not the one that made it."""

    def __init__(self):
        super().__init__()
        self.maker = os.getpid()

    def on_train_begin(self, logs=None):
        if os.getpid() != self.maker:
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.timeout(120)
def test_a_killed_worker_ends_a_search_with_joblibs_error(reviews):
    search = GridSearchCV(small_vae(callbacks=KillWorker()), {"epochs": [1, 2]}, cv=2, n_jobs=2)
    with joblib.parallel_config("loky"), pytest.raises(TerminatedWorkerError):
        search.fit(reviews[0])
