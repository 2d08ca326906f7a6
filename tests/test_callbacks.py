"""scikit-learn's own callbacks, where it has them: from 1.9 on."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skvae import TextVAEClassifier, TextVAETransformer

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
