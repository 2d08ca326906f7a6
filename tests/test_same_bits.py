"""Equal random states give equal bits: whatever the process, the backend, the thread and the global generators."""

import pickle
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import joblib
import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skvae import TextTokenizer, TextVAEClassifier, TextVAETransformer

from .conftest import SMALL

N_THREADS = 8

pytestmark = pytest.mark.processes


def small_classifier(random_state=0, **options):
    # With "auto", a recurrent encoder beside the decoder: its sums have most ways to differ.
    default = {"decoder": "gru", "tokenizer": TextTokenizer(max_length=6), "epochs": 1}
    vae = TextVAETransformer(**(default | SMALL | {"encoder": "auto"} | options))
    return TextVAEClassifier(vae.set_params(random_state=None), epochs=1, random_state=random_state)


def everything(classifier, X):
    latents = classifier.transform(X)
    return {
        "weights": classifier.vae_._autoencoder.network.weights,
        "latents": latents,
        "probabilities": classifier.predict_proba(X),
        "texts": classifier.inverse_transform(latents[:4]),
        "sampled": classifier.sample(4, y=1),
    }


def assert_same(found, expected):
    assert found["weights"].keys() == expected["weights"].keys()
    for name, weight in expected["weights"].items():
        np.testing.assert_array_equal(found["weights"][name], weight, err_msg=name)
    for name in expected.keys() - {"weights"}:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)


def global_states():
    """What the generators of NumPy, Python, Keras and TensorFlow that all share would give next."""
    keras_seed = keras.src.backend.common.global_state.get_global_attribute("global_seed_generator")
    return (
        random.getstate(),
        np.random.get_state()[1].tolist(),  # noqa: NPY002
        np.random.get_state()[2],  # noqa: NPY002
        None if keras_seed is None else keras_seed.state.numpy().tolist(),
        tf.random.get_global_generator().state.numpy().tolist(),
    )


@pytest.fixture(scope="module")
def fitted(reviews):
    X, y = reviews
    keras.utils.set_random_seed(1)
    return small_classifier().fit(X[:60], y[:60])


def test_global_generators_are_neither_read_nor_moved(fitted, reviews):
    X, y = reviews
    expected = everything(fitted, X)
    keras.utils.set_random_seed(2)
    before = global_states()
    again = small_classifier().fit(X[:60], y[:60])
    assert_same(everything(again, X), expected)
    assert_same(everything(pickle.loads(pickle.dumps(again)), X), expected)
    assert global_states() == before


def test_without_a_random_state_each_fit_differs(reviews):
    X, _ = reviews
    vae = TextVAETransformer(**(SMALL | {"decoder": "bow", "epochs": 1, "random_state": None}))
    keras.utils.set_random_seed(3)
    first = vae.fit(X).transform(X)
    keras.utils.set_random_seed(3)
    assert np.abs(vae.fit(X).transform(X) - first).max() > 1e-3


def test_another_process_fits_the_same_bits(fitted, reviews, tmp_path):
    X, y = reviews
    joblib.dump((X, y, everything(fitted, X)), tmp_path / "expected.joblib")
    code = (
        "import joblib, sys\n"
        "from tests.test_same_bits import assert_same, everything, small_classifier\n"
        "X, y, expected = joblib.load(sys.argv[1])\n"
        "assert_same(everything(small_classifier().fit(X[:60], y[:60]), X), expected)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "expected.joblib")], check=True)


def search_results(reviews, backend, **options):
    X, y = reviews
    classifier = small_classifier(decoder="bow")
    # The best one would be fitted again in this process, whatever the backend.
    search = GridSearchCV(
        classifier,
        {"vae__n_components": [3, 4]},
        cv=2,
        scoring="neg_log_loss",
        error_score="raise",
        refit=False,
    )
    with joblib.parallel_config(backend, **options):
        search.fit(X[:40], y[:40], X_unlabeled=X[40:])
    return {name: values for name, values in search.cv_results_.items() if "time" not in name}


@pytest.fixture(scope="module")
def sequential(reviews):
    return search_results(reviews, "sequential")


@pytest.mark.parametrize("backend", ["threading", "loky", "dask"])
def test_a_search_gives_the_same_results_on_every_backend(backend, sequential, reviews):
    if backend == "dask":
        distributed = pytest.importorskip("distributed", reason="the extra 'distributed' is not installed")
        with (
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
            ) as cluster,
            distributed.Client(cluster),
        ):
            found = search_results(reviews, "dask")
    else:
        found = search_results(reviews, backend, n_jobs=2)
    assert found.keys() == sequential.keys()
    for name, values in sequential.items():
        assert list(found[name]) == list(values), name


@pytest.mark.parametrize("name", ["classifier", "writing_classifier", "lstm_vae"])
def test_eight_threads_get_the_answers_of_one(name, request, reviews):
    X = reviews[0][:40]
    estimator = request.getfixturevalue(name)

    def answers(one):
        latents = one.transform(X)
        found = [latents]
        if hasattr(one, "predict_proba"):
            found.append(one.predict_proba(X))
        if name != "classifier":
            found.append(one.inverse_transform(latents[:3]))
        return found

    expected = answers(estimator)
    # A fresh copy, so that the threads also meet where the network is built.
    served, together = pickle.loads(pickle.dumps(estimator)), Barrier(N_THREADS)

    def serve(_):
        together.wait()
        return [answers(served) for _ in range(2)]

    with ThreadPoolExecutor(N_THREADS) as pool:
        for rounds in pool.map(serve, range(N_THREADS)):
            for found in rounds:
                for ours, theirs in zip(found, expected, strict=True):
                    np.testing.assert_array_equal(ours, theirs)


def test_fits_in_threads_are_those_of_one_thread(reviews):
    X, _ = reviews
    vaes = [
        TextVAETransformer(**(SMALL | {"decoder": "bow", "epochs": 1, "random_state": k})) for k in (1, 2)
    ]
    expected = [clone(vae).fit(X).transform(X) for vae in vaes]
    with ThreadPoolExecutor(2) as pool:
        for vae, latents in zip(pool.map(lambda vae: vae.fit(X), vaes), expected, strict=True):
            np.testing.assert_array_equal(vae.transform(X), latents)
