"""What goes wrong during training, and what is left of the estimator after it."""

import errno
import os
import pickle
import signal
import subprocess
import sys

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
    np.testing.assert_allclose(latents.std(axis=0), vae._autoencoder.config.posterior_scale, rtol=0.5)
    assert np.isfinite(vae.partial_fit(X).transform(X)).all()


FAULTS = {
    "loss": ({"learning_rate": 1e30, "epochs": 3}, ValueError),
    "callback": ({"callbacks": RaiseIn(RuntimeError("no more"), 1)}, RuntimeError),
    "interrupt": ({"callbacks": RaiseIn(KeyboardInterrupt(), 1)}, KeyboardInterrupt),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("source", ["fitted", "loaded"])
def test_a_warm_start_that_fails_leaves_network_and_optimizer_as_they_were(fault, source, reviews):
    X, _ = reviews
    vae, same = (small_vae(warm_start=True).fit(X) for _ in range(2))
    if source == "loaded":
        vae, same = (pickle.loads(pickle.dumps(each)) for each in (vae, same))
    before, stored = vae.transform(X), vae._autoencoder.network.weights
    params, error = FAULTS[fault]
    with pytest.raises(error):
        vae.set_params(**params).fit(X)
    np.testing.assert_array_equal(vae.transform(X), before)
    for name, weight in vae._autoencoder.network.model.named_weights().items():
        np.testing.assert_array_equal(weight.numpy(), stored[name])
    assert vae.history_ == same.history_
    assert vae.n_iter_ == same.n_iter_
    # Moments of the optimizer, generators and normalisation: training goes on as if nothing had been.
    vae.set_params(**{name: getattr(same, name) for name in params}).fit(X)
    np.testing.assert_array_equal(vae.transform(X), same.fit(X).transform(X))


def test_a_pass_that_fails_leaves_the_estimators_as_they_were(reviews):
    X, y = reviews
    vae = small_vae(batch_size=16).fit(X)
    before = vae.transform(X)
    with pytest.raises(ValueError, match="nothing was fitted"):
        vae.set_params(learning_rate=1e30).partial_fit(X)
    np.testing.assert_array_equal(vae.transform(X), before)
    classifier = TextVAEClassifier(small_vae(), epochs=1, random_state=0).partial_fit(X, y, classes=[0, 1])
    before = classifier.predict_proba(X), classifier.transform(X)
    for _, error in (FAULTS["interrupt"], FAULTS["callback"]):
        with pytest.raises(error):
            classifier.set_params(callbacks=RaiseIn(error())).partial_fit(X[:50], y[:50])
        np.testing.assert_array_equal(classifier.predict_proba(X), before[0])
        np.testing.assert_array_equal(classifier.transform(X), before[1])
        assert classifier.n_iter_ == classifier.vae_.n_iter_ == 1
    classifier.set_params(callbacks=None).partial_fit(X, y)
    assert classifier.n_iter_ == classifier.vae_.n_iter_ == 2


class KillWorker(keras.callbacks.Callback):
    """Kills the process it trains in, if that is not the one that made it."""

    def __init__(self):
        super().__init__()
        self.maker = os.getpid()

    def on_train_begin(self, logs=None):
        if os.getpid() != self.maker:
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.processes
@pytest.mark.timeout(120)
def test_a_killed_worker_ends_a_search_with_joblibs_error(reviews):
    search = GridSearchCV(small_vae(callbacks=KillWorker()), {"epochs": [1, 2]}, cv=2, n_jobs=2)
    with joblib.parallel_config("loky"), pytest.raises(TerminatedWorkerError):
        search.fit(reviews[0])


IN_A_FORKED_CHILD = """
import multiprocessing, pickle, sys, warnings

import numpy as np
from skvae import TextTokenizer, TextVAEClassifier, TextVAETransformer
from skvae.datasets import make_reviews

# Newer versions of Python warn of forking beside threads.
warnings.simplefilter("ignore", DeprecationWarning)
X, y = make_reviews(100, random_state=0)
small = dict(n_components=4, encoder_units=(8,), decoder_units=(8,), embedding_dim=4, epochs=1, random_state=0)
bag = TextVAETransformer(decoder="bow", **small).fit(X)
stored = pickle.loads(pickle.dumps(bag))
writer = TextVAETransformer(encoder="bilstm", tokenizer=TextTokenizer(max_length=8), **small).fit(X)
classifier = TextVAEClassifier(TextVAETransformer(decoder="bow", **small), epochs=1, random_state=0).fit(X, y)
streamed = TextVAETransformer(decoder="bow", **small).partial_fit(X).partial_fit(X)
expected = bag.transform(X), classifier.predict_proba(X)
likely = bag.score(X)

def refused(use):
    try:
        use()
    except RuntimeError as error:
        return "loky" in str(error) and "spawn" in str(error)

def child(answers):
    answers.put([
        np.array_equal(bag.transform(X), expected[0]),
        np.array_equal(stored.transform(X), expected[0]),
        np.allclose(classifier.predict_proba(X), expected[1]),
        streamed.transform(X).shape == (100, 4),
        refused(lambda: writer.transform(X)),
        refused(lambda: writer.sample(2)),
        refused(lambda: bag.fit(X)),
        refused(lambda: stored.fit(X)),
        refused(lambda: bag.partial_fit(X)),
        refused(lambda: stored.partial_fit(X)),
        bag.score(X) == likely,
        stored.score(X) == likely,
        refused(lambda: classifier.partial_fit(X, y)),
        refused(lambda: classifier.model_),
        refused(lambda: TextVAEClassifier(random_state=0).fit(X, y)),
        bool(pickle.dumps(streamed)),
    ])

context = multiprocessing.get_context("fork")
answers = context.SimpleQueue()
process = context.Process(target=child, args=(answers,))
process.start()
process.join(60)
hangs = process.exitcode is None
if hangs:
    process.kill()
print("hangs" if hangs else answers.get())
"""


forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that forks")


@pytest.mark.processes
@forks
def test_a_forked_child_reads_bags_of_words_and_is_refused_the_rest():
    ended = subprocess.run(
        [sys.executable, "-c", IN_A_FORKED_CHILD],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ended.stdout.strip() == str([True] * 16), ended.stdout + ended.stderr


@pytest.mark.processes
@forks
def test_a_child_is_refused_where_tensorflow_ran_for_somebody_else():
    code = """
import os, signal, sys
import keras
import numpy as np
import skvae

network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
network.compile("adam", "mse")
network.fit(np.ones((8, 3)), np.ones((8, 2)), verbose=0)
process = os.fork()
if not process:
    signal.alarm(60)
    try:
        vae = skvae.TextVAETransformer(2, epochs=1, decoder="bow", encoder_units=(4,))
        vae.fit(["good film", "bad film"] * 10)
    except RuntimeError as error:
        print(error, flush=True)
    os._exit(0)
print(os.waitpid(process, 0)[1])
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=200
    )
    assert "forked from one in which TensorFlow had run" in ended.stdout, ended.stdout + ended.stderr
    assert ended.stdout.strip().endswith("0")


@pytest.mark.processes
@forks
def test_a_child_is_free_to_run_tensorflow_where_the_parent_has_not():
    code = """
import os, sys
import skvae._base.forking
import skvae._network.autoencoder

status = os.waitpid(os.fork() or os._exit(bool(skvae._base.forking.check_can_run())), 0)[1]
sys.exit(status)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=100).returncode == 0


def _errors_of(code, *paths, level=None, folder=None):
    """What a fresh process writes on standard error."""
    kept = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    environment = kept | ({} if level is None else {"TF_CPP_MIN_LOG_LEVEL": level})
    if folder is not None:
        environment["PYTHONPATH"] = os.pathsep.join([str(folder), *sys.path])
    ended = subprocess.run(
        [sys.executable, "-c", code, *paths], env=environment, capture_output=True, text=True
    )
    return ended.stderr


@pytest.mark.processes
def test_a_fresh_process_loads_and_predicts_without_chatter(classifier, tmp_path):
    joblib.dump(classifier, tmp_path / "classifier.joblib")
    code = """
import sys, joblib
classifier = joblib.load(sys.argv[1])
classifier.predict(["a dull mess"])
classifier.vae_.model_.encode_many
import tensorflow as tf
print((tf.ones(3) * 2).numpy())
"""
    assert _errors_of(code, str(tmp_path / "classifier.joblib")) == ""


@pytest.mark.processes
@pytest.mark.parametrize(("level", "shows"), [(None, False), ("3", False), ("2", True), ("0", True)])
def test_only_lines_of_tensorflow_are_left_out(level, shows, tmp_path):
    """In place of TensorFlow and Keras, modules that write what it writes, and what a user must see."""
    (tmp_path / "tensorflow.py").write_text("")
    lines = "I0000 00:00:1795889559.341724   11877 port.cc:153] oneDNN\\nTo enable the following instructions: AVX2\\n"
    (tmp_path / "keras").mkdir()
    (tmp_path / "keras" / "__init__.py").write_text(
        f"import os, sys\nos.write(2, b'{lines}Segmentation fault\\n')\nprint('a warning', file=sys.stderr)\n"
    )
    for name in ("layers", "ops", "tree"):
        (tmp_path / "keras" / f"{name}.py").write_text("")
    told = _errors_of("import skvae._network.backend", level=level, folder=tmp_path)
    assert "Segmentation fault\n" in told
    assert "a warning\n" in told
    assert ("oneDNN" in told) == ("AVX2" in told) == shows


@pytest.mark.processes
@pytest.mark.parametrize(
    "before",
    [
        "import sys; sys.stderr = type('Writer', (), {'write': lambda self, text: None})()",
        "import sys; sys.stderr = None",
        "import os; os.close(2)",
        "import tempfile; tempfile.TemporaryFile = lambda: open('/no/such/folder')",
        "import sys; sys.modules['tensorflow'] = sys; import os; seen = dict(os.environ)",
        "import faulthandler; faulthandler.enable()",
    ],
    ids=["writes only", "none", "closed", "no files", "loaded before", "faulthandler"],
)
def test_tensorflow_is_imported_whatever_standard_error_is(before, tmp_path):
    (tmp_path / "tensorflow.py").write_text("")
    (tmp_path / "keras").mkdir()
    (tmp_path / "keras" / "__init__.py").write_text(
        "import os\nseen = os.environ.get('TF_CPP_MIN_LOG_LEVEL')\n"
    )
    for name in ("layers", "ops", "tree"):
        (tmp_path / "keras" / f"{name}.py").write_text("")
    code = f"""{before}
import skvae._network.backend as backend, os
loaded_before = "seen" in globals()
assert backend.keras.seen == (None if loaded_before else "3"), backend.keras.seen
assert "TF_CPP_MIN_LOG_LEVEL" not in os.environ
print("imported")
"""
    kept = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    kept["PYTHONPATH"] = os.pathsep.join([str(tmp_path), *sys.path])
    ended = subprocess.run([sys.executable, "-c", code], env=kept, capture_output=True, text=True)
    assert ended.stdout == "imported\n", ended.stderr


_IN_A_WORKER = """
import joblib
joblib.Parallel(n_jobs=2)([joblib.delayed(exec)("import worker")])
"""


@pytest.mark.processes
def test_workers_of_joblib_are_silent_too_and_still_report_crashes(tmp_path):
    """joblib enables faulthandler in its workers."""
    (tmp_path / "tensorflow.py").write_text("")
    (tmp_path / "worker.py").write_text("import skvae._network.backend\n")
    (tmp_path / "keras").mkdir()
    for name in ("layers", "ops", "tree"):
        (tmp_path / "keras" / f"{name}.py").write_text("")
    chatter = "import os\nos.write(2, b'I0000 00:00:1795889559.341724   11877 port.cc:153] oneDNN\\n')\n"
    (tmp_path / "keras" / "__init__.py").write_text(chatter)
    assert _errors_of(_IN_A_WORKER, folder=tmp_path) == ""
    # A crash within the import is shown, and one after it.
    crash = "import faulthandler\nassert faulthandler.is_enabled()\nfaulthandler._sigsegv()\n"
    for file, text in (
        ("keras/__init__.py", chatter + crash),
        ("worker.py", "import skvae._network.backend\n" + crash),
    ):
        (tmp_path / file).write_text(text)
        told = _errors_of(_IN_A_WORKER, folder=tmp_path)
        assert "Fatal Python error: Segmentation fault" in told
        (tmp_path / "keras" / "__init__.py").write_text(chatter)


@pytest.mark.processes
def test_what_fails_while_tensorflow_loads_is_shown(tmp_path):
    (tmp_path / "tensorflow.py").write_text("")
    (tmp_path / "keras.py").write_text(
        "import os\nos.write(2, b'no such library\\n')\nraise ImportError('broken')\n"
    )
    told = _errors_of("import skvae._network.backend", folder=tmp_path)
    assert told.startswith("no such library\n")
    assert told.endswith("ImportError: broken\n")
