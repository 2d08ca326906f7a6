import pickle
import threading

import keras
import numpy as np
import pytest
from sklearn.base import clone

from skvae._network.optimizer import single_precision


@pytest.fixture
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
@pytest.mark.parametrize(
    ("fixture", "global_precision"),
    [
        ("lstm_vae", "mixed_float16"),
        ("lstm_vae", "float64"),
        ("repeat_vae", "mixed_bfloat16"),
        ("repeat_vae", "float16"),
        ("classifier", "mixed_bfloat16"),
        ("classifier", "float16"),
        ("classifier", "float64"),
    ],
    indirect=["global_precision"],
)
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
# One that only computes in another precision, and one that stores in it as well.
@pytest.mark.parametrize("global_precision", ["mixed_float16", "float64"], indirect=True)
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
