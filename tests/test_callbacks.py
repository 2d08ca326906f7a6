"""scikit-learn's own callbacks, where it has them: from 1.9 on."""

import re

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skvae import TextVAEClassifier, TextVAETransformer
from skvae._base.progress import Progress, duration

from .conftest import SMALL

try:
    from sklearn import callback
except ImportError:
    callback = None
since_1_9 = pytest.mark.skipif(callback is None, reason="scikit-learn 1.9 brought callbacks")


def small_vae(**options):
    return TextVAETransformer(**({"decoder": "bow", "epochs": 2} | SMALL | options))


def elbo(vae, X, y):
    return vae.score(X)


class Record:
    """Notes the tasks that end, and ends the training after some epochs."""

    def __init__(self, n_epochs=1_000):
        self.n_epochs, self.ended, self.log = n_epochs, 0, []

    def setup(self, estimator, context):
        self.log.append("setup")

    def teardown(self, estimator, context):
        self.log.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        self.log.append(context.task_name)
        return context.task_name == "epoch" and context.task_id + 1 >= self.n_epochs


@since_1_9
def test_every_epoch_is_a_task_and_a_callback_may_end_the_training(reviews):
    X, y = reviews
    record = Record(n_epochs=2)
    vae = small_vae(epochs=5).set_callbacks(record).fit(X)
    assert record.log == ["setup", "epoch", "epoch", "fit", "teardown"]
    assert vae.n_iter_ == 2
    record = Record()
    classifier = TextVAEClassifier(small_vae(), epochs=1, random_state=0).set_callbacks(record)
    classifier.fit(X[:60], y[:60])
    assert record.log == ["setup", "epoch", "fine-tuning", "fit", "teardown"]
    plain = clone(classifier).set_callbacks().fit(X[:60], y[:60])
    np.testing.assert_array_equal(classifier.predict_proba(X), plain.predict_proba(X))


@since_1_9
def test_scores_of_each_epoch_are_those_of_the_estimator_as_it_is_then(reviews):
    X, y = reviews
    monitor = callback.ScoringMonitor(scoring="neg_log_loss")
    classifier = TextVAEClassifier(small_vae(), epochs=2, learning_rate=1e-2, random_state=0)
    classifier.set_callbacks(monitor).fit(X[:60], y[:60])
    scores = {(row["task_name"], row["task_id"]): row["neg_log_loss"] for row in monitor.get_logs().data}
    first, second, last = scores["epoch", 0], scores["epoch", 1], scores["fit", 0]
    own = classifier.predict_log_proba(X[:60])[np.arange(60), y[:60]].mean()
    assert last == pytest.approx(own)
    assert second == pytest.approx(own)
    assert first != pytest.approx(own, rel=1e-3)


@since_1_9
def test_the_score_of_the_last_epoch_is_that_of_the_fit_beside_unlabelled_texts(reviews):
    X, y = reviews
    monitor = callback.ScoringMonitor(scoring="neg_log_loss")
    classifier = TextVAEClassifier(small_vae(), epochs=2, learning_rate=3e-2, random_state=0)
    # So many that their frequencies of the classes are kept.
    classifier.set_callbacks(monitor).fit(X[:60], y[:60], X_unlabeled=X[60:])
    scores = {(row["task_name"], row["task_id"]): row["neg_log_loss"] for row in monitor.get_logs().data}
    assert scores["epoch", 1] == pytest.approx(scores["fit", 0], rel=1e-4)


@since_1_9
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_progress_and_scores_under_a_search(n_jobs, reviews, capsys):
    X, y = reviews
    monitor = callback.ScoringMonitor(scoring={"elbo": elbo})
    vae = small_vae().set_callbacks(monitor)
    search = GridSearchCV(vae, {"n_components": [2]}, cv=2, refit=False, n_jobs=n_jobs)
    search.set_callbacks(callback.ProgressBar(max_propagation_depth=None)).fit(X[:60], y[:60])
    epochs = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(epochs) == 2 * 2
    assert all(np.isfinite(row["elbo"]) for row in epochs)
    assert "TextVAETransformer" in capsys.readouterr().out


@pytest.mark.skipif(callback is not None, reason="from scikit-learn 1.9 on there are callbacks")
def test_without_callbacks_in_scikit_learn_there_is_no_method_to_set_them(bow_vae, classifier):
    assert not hasattr(bow_vae, "set_callbacks")
    assert not hasattr(classifier, "set_callbacks")


def test_each_step_of_a_fit_is_told(reviews, capsys):
    X, y = reviews
    vae = small_vae(decoder="bow", epochs=3, kl_warmup=0.5, verbose=1)
    classifier = TextVAEClassifier(vae, epochs=2, verbose=1, random_state=0)
    classifier.fit(X[:60], y[:60], X_unlabeled=X[60:], X_val=X[:9], y_val=y[:9])
    lines = capsys.readouterr().out.splitlines()
    names = [line.split("] ")[0][1:] for line in lines]
    assert names == sorted(names, reverse=True)
    told = [line.split("] ")[1] for line in lines]
    steps = [
        r"tokenisation of 160 texts: [\d.]+ s",
        *[rf"vectors of \d+ n-grams, epoch {n}/30: [\d.]+ s, [\d.]+ s left" for n in (10, 20)],
        r"vectors of \d+ n-grams, epoch 30/30: [\d.]+ s",
        r"training of the autoencoder on 160 documents",
        r"epoch 1/3: ELBO .* \(trained with a weight of 0.\d+ of the KL\); [\d.]+ s, at most about [\d.]+ s left",
        r"epoch 2/3: ELBO [^;]* KL [\d.]+\); [\d.]+ s, [\d.]+ s left",
        r"epoch 3/3: ELBO [^;]*; [\d.]+ s",
        r"class head of 60 labelled texts: [\d.]+ s",
        r"fine-tuning",
        r"epoch 1/2: cross-entropy .*, accuracy .*; held out: cross-entropy .*; [\d.]+ s, at most about [\d.]+ s left",
        r"epoch 2/2: .* s",
    ]
    assert len(told) == len(steps)
    for line, pattern in zip(told, steps, strict=True):
        assert re.fullmatch(pattern, line), line
    # Of full weight, so that it does not fall while the weight of the KL rises.
    for line, nll, kl in zip(
        told[5:8], *(classifier.vae_.history_[name] for name in ("nll_bow", "kl")), strict=True
    ):
        assert f"ELBO {-nll - kl:.2f} (NLL {nll:.2f}, KL {kl:.2f})" in line
    TextVAEClassifier(small_vae(epochs=1), epochs=0, random_state=0).fit(X[:60], y[:60])
    assert not capsys.readouterr().out


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (99.4, "99 s"), (100, "1 min 40 s"), (3599.6, "60 min 0 s")],
)
def test_durations_in_words(seconds, words):
    assert duration(seconds) == words


def test_the_seconds_that_are_left_are_those_of_rounds_after_the_first(monkeypatch, capsys):
    """The first one also compiles."""
    ends = iter([0.0, 2.0, 2.5, 3.0])
    monkeypatch.setattr("skvae._base.progress.perf_counter", lambda: next(ends))
    rounds = Progress("fit", verbose=1).rounds("epoch", 30)
    for _ in range(3):
        rounds.done()
    assert capsys.readouterr().out.splitlines() == [
        "[fit] epoch 1/30: 2.0 s, at most about 58 s left",
        "[fit] epoch 2/30: 2.5 s, 14 s left",
        "[fit] epoch 3/30: 3.0 s, 14 s left",
    ]
