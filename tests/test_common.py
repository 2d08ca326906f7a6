"""scikit-learn's own checks of estimators.

They feed numbers, so a subclass of each estimator turns the rows of a matrix into texts first.
"""

import numpy as np
import pytest
import sklearn
import tensorflow as tf
from sklearn.base import ClassifierMixin
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks
from sklearn.utils.fixes import parse_version
from sklearn.utils.validation import check_is_fitted, validate_data

from skvae import TextTokenizer, TextVAEClassifier, TextVAETransformer

# tf.data says that it is not run eagerly.
pytestmark = pytest.mark.filterwarnings("ignore:Even though the `tf:UserWarning")

CHECKS_AT_LEAST = 45
OLD_TAGS = parse_version(sklearn.__version__) < parse_version("1.7")


@pytest.fixture(autouse=True)
def untraced():
    """Tracing takes most of a fit of one batch, and the checks are about what is around the networks."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def as_texts(X):
    """A word for each column and half unit of its value."""
    halves = np.floor(2 * np.clip(np.asarray(X, dtype=float), -1e6, 1e6)).astype(int)
    return [" ".join(f"c{column}v{value}" for column, value in enumerate(row)) for row in halves]


class FromNumbers:
    """Puts `as_texts` before everything that takes documents."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = False
        tags.input_tags.one_d_array = False
        tags.input_tags.two_d_array = True
        return tags

    def _texts(self, X, reset=False):
        if not reset:
            check_is_fitted(self)
        return as_texts(validate_data(self, X, reset=reset))

    def fit(self, X, y=None, **options):
        return super().fit(self._texts(X, reset=True), y, **options)

    def transform(self, X):
        return super().transform(self._texts(X))


class NumberTokenizer(FromNumbers, TextTokenizer):
    def fit_transform(self, X, y=None):
        return self.fit(X, y).transform(X)


class NumberTransformer(FromNumbers, TextVAETransformer):
    def partial_fit(self, X, y=None):
        return super().partial_fit(self._texts(X, reset=not self.__sklearn_is_fitted__()), y)

    def score_samples(self, X):
        return super().score_samples(self._texts(X))


class NumberClassifier(FromNumbers, TextVAEClassifier):
    def fit(self, X, y, sample_weight=None):
        return super().fit(X, y, sample_weight=sample_weight)

    def partial_fit(self, X, y, classes=None):
        return super().partial_fit(self._texts(X, reset=not self.__sklearn_is_fitted__()), y, classes)

    def predict_log_proba(self, X):
        return super().predict_log_proba(self._texts(X))

    def decision_function(self, X):
        return super().decision_function(self._texts(X))

    def score(self, X, y, sample_weight=None):
        # The classifier's own would judge numbers; what it adds to scikit-learn's are unlabelled texts.
        return ClassifierMixin.score(self, X, y, sample_weight)


SMALL_VAE = {
    "n_components": 2,
    "encoder_units": (8,),
    "decoder": "bow",
    "max_df": 1.0,
    "epochs": 1,
    # Of untraced steps, each costs the same whatever its size.
    "batch_size": 128,
    "random_state": 0,
}
ESTIMATORS = [
    NumberTokenizer(),
    NumberTransformer(**SMALL_VAE),
    NumberClassifier(TextVAETransformer(**SMALL_VAE), epochs=1, batch_size=128, random_state=0),
]


def expected_failures(estimator):
    if not isinstance(estimator, NumberClassifier):
        return {}
    # Each name with its reason.
    of_old_versions = {}
    if OLD_TAGS:
        of_old_versions["check_classifier_multioutput"] = (
            "scikit-learn 1.6 reads scikeras' _more_tags, which promise several outputs"
        )
    return of_old_versions | {
        "check_estimator_tags_renamed": "walks the classes and finds scikeras' _more_tags",
        "check_sample_weight_equivalence_on_dense_data": (
            "a text of weight 0 still teaches the autoencoder; one given twice fills two places of a batch"
        ),
    }


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: type(estimator).__name__)
def test_enough_checks_are_run(estimator):
    names = [check.func.__name__ for _, check in estimator_checks_generator(estimator)]
    assert len(names) >= CHECKS_AT_LEAST
    assert set(expected_failures(estimator)) <= set(names)


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
def test_scikit_learn_checks(estimator, check):
    check(estimator)
