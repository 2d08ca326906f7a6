"""Estimators fitted once for all tests: each fit costs a second of tracing."""

import gc
import os
import sys
from functools import wraps

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")
# With a worker for each core, several threads of one would wait for those of the others: the suite took twice as long.
if "PYTEST_XDIST_WORKER" in os.environ:
    for limit in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(limit, "1")

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator

from skvae import TextTokenizer, TextVAEClassifier, TextVAETransformer
from skvae.datasets import make_reviews

# A bag of words is traced in half of the time of a recurrent encoder. `lstm_vae` has one, and tests of encoders.
SMALL = {
    "n_components": 6,
    "encoder": "bow",
    "embedding_dim": 12,
    "decoder_units": (16,),
    "encoder_units": (16,),
    "ngram_dim": 64,
    "random_state": 0,
}


def optimise_graphs(enabled):
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": not enabled})


def pytest_runtest_setup(item):
    """Leave out the optimisation of graphs, a third of a tiny fit, where no fit made elsewhere is compared."""
    if "unit" in item.path.parts:
        return
    # The choice of a token may turn on the last bits, so texts are written as they are for users.
    optimise_graphs(
        item.path.stem == "test_decoding"
        or any(item.get_closest_marker(name) for name in ("processes", "same_bits"))
    )


def pytest_collection_finish():
    """Make collections of garbage cheaper: they leave out what was imported, and are rarer.

    By default they took 6 % of the time of the tests of classifiers.
    """
    gc.freeze()
    gc.set_threshold(5_000, 10, 10)


@pytest.fixture(autouse=True)
def no_open_figures():
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


def shared(fit):
    """Fixture for the session, fitted as for users whichever test asks for it first: its last bits turn on that."""

    @wraps(fit)
    def fit_as_for_users(*args, **kwargs):
        import tensorflow as tf

        disabled = tf.config.optimizer.get_experimental_options().get("disable_meta_optimizer", False)
        optimise_graphs(True)
        try:
            return fit(*args, **kwargs)
        finally:
            optimise_graphs(not disabled)

    return pytest.fixture(scope="session")(fit_as_for_users)


def small_vae(**options):
    return TextVAETransformer(**({"decoder": "bow", "epochs": 1} | SMALL | options))


@pytest.fixture(scope="session")
def reviews():
    return make_reviews(160, random_state=0)


@shared
def bow_vae(reviews):
    return TextVAETransformer(decoder="bow", epochs=3, **SMALL).fit(reviews[0])


@shared
def gru_vae(reviews):
    return TextVAETransformer(
        tokenizer=TextTokenizer(max_length=16),
        posterior_scale=0.6,
        epochs=8,
        learning_rate=1e-2,
        learning_rate_schedule="constant",
        **SMALL,
    ).fit(reviews[0])


@shared
def lstm_vae(reviews):
    return TextVAETransformer(
        tokenizer=TextTokenizer(max_length=16), decoder="lstm", epochs=1, **SMALL | {"encoder": "bilstm"}
    ).fit(reviews[0])


@shared
def repeat_vae(reviews):
    return TextVAETransformer(
        tokenizer=TextTokenizer(max_length=16), decoder="repeat", epochs=1, **SMALL
    ).fit(reviews[0])


@shared
def classifier(reviews):
    """Wide and deep, trained together, with a bag-of-words autoencoder."""
    X, y = reviews
    vae = TextVAETransformer(decoder="bow", epochs=3, **SMALL)
    return TextVAEClassifier(vae, epochs=1, random_state=0).fit(X[:60], y[:60], X_unlabeled=X[60:])


@shared
def writing_classifier(gru_vae, reviews):
    """Three classes named by strings, on a frozen autoencoder with a text decoder."""
    X, y = make_reviews(90, n_classes=3, random_state=1)
    names = np.array(["bad", "good", "mixed"], dtype=object)
    return TextVAEClassifier(FrozenEstimator(gru_vae), random_state=0).fit(X, names[y])
