"""Both estimators inside scikit-learn's own meta-estimators."""

import copy
import pickle
import re
import subprocess
import sys

import joblib
import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, check_cv, cross_val_score
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.utils import estimator_html_repr

from skvae import TextTokenizer, TextVAEClassifier, TextVAETransformer

from .conftest import SMALL, small_vae


@pytest.fixture
def frozen(bow_vae):
    """A classifier that fits in a moment."""
    return TextVAEClassifier(FrozenEstimator(bow_vae), random_state=0)


def test_column_transformer_with_a_text_column(reviews):
    X, y = reviews
    frame = pd.DataFrame({"text": X, "length": [len(text) for text in X]})
    columns = ColumnTransformer([("text", small_vae(epochs=20), "text"), ("rest", "passthrough", ["length"])])
    model = make_pipeline(columns, LogisticRegression(max_iter=1000))
    assert model.fit(frame, y).score(frame, y) > 0.9
    names = model[0].get_feature_names_out()
    assert len(names) == 7
    assert names[0] == "text__textvaetransformer0"


def test_feature_union_with_tfidf(reviews):
    X, y = reviews
    features = FeatureUnion([("vae", small_vae()), ("tfidf", TfidfVectorizer())])
    model = make_pipeline(features, LogisticRegression())
    assert model.fit(X, y).score(X, y) > 0.9


def test_cross_validation_is_stratified_and_scores_auc(frozen, reviews):
    X, y = reviews
    cv = check_cv(3, y, classifier=True)
    assert type(cv).__name__ == "StratifiedKFold"
    plain = cross_val_score(frozen, X, y, cv=3)
    np.testing.assert_array_equal(plain, cross_val_score(frozen, X, y, cv=cv))
    assert (cross_val_score(frozen, X, y, cv=3, scoring="roc_auc") > 0.9).all()


def test_a_grid_of_nested_parameters(reviews):
    X, y = reviews
    grid = {"vae__tokenizer__max_features": [60], "epochs": [0, 1]}
    classifier = TextVAEClassifier(small_vae(tokenizer=TextTokenizer()), random_state=0)
    search = GridSearchCV(classifier, grid, cv=2, scoring="neg_log_loss", error_score="raise")
    search.fit(X[:40], y[:40], X_unlabeled=X[40:])
    assert len(set(search.cv_results_["mean_test_score"])) > 1
    assert search.best_estimator_.tokenizer_.max_features == 60


def test_nested_parameters_and_clone():
    classifier = TextVAEClassifier(TextVAETransformer(tokenizer=TextTokenizer()))
    classifier.set_params(vae__n_components=5, vae__tokenizer__max_features=50, epochs=7)
    again = clone(classifier)
    assert again.vae is not classifier.vae
    assert again.get_params()["vae__tokenizer__max_features"] == 50
    assert again.vae.n_components == 5


def test_setting_a_parameter_of_a_default_part_makes_it(reviews):
    classifier = TextVAEClassifier(verbose=1)
    classifier.set_params(vae__tokenizer__max_features=50, vae__n_components=5, epochs=7)
    assert isinstance(classifier.vae, TextVAETransformer)
    parameters = clone(classifier).get_params()
    expected = {"vae__decoder": "bow", "vae__verbose": 1, "vae__n_components": 5, "epochs": 7}
    assert parameters.items() >= expected.items()
    assert parameters["vae__tokenizer__max_features"] == 50
    vae = TextVAETransformer().set_params(tokenizer__max_features=5)
    assert vae.get_params()["tokenizer__max_features"] == 5
    assert vae.set_params(tokenizer=None, tokenizer__min_df=2).tokenizer.max_features == 10_000
    assert vae.set_params(tokenizer=None).tokenizer is None
    assert TextVAEClassifier().set_params(verbose=1, vae__n_components=3).vae.verbose == 1
    # A wrong name leaves the estimator as it was.
    untouched = TextVAEClassifier()
    for wrong in ("vae__n_component", "vae__tokenizer__max_feature"):
        with pytest.raises(ValueError, match="Invalid parameter"):
            untouched.set_params(**{wrong: 5})
    assert untouched.vae is None


def test_a_search_sets_parameters_of_default_parts(reviews):
    X, y = reviews
    small = {f"vae__{name}": [value] for name, value in SMALL.items()}
    grid = small | {"vae__tokenizer__max_features": [60], "vae__epochs": [1], "epochs": [0]}
    search = GridSearchCV(TextVAEClassifier(random_state=0), grid, cv=2, error_score="raise").fit(X, y)
    assert len(search.best_estimator_.tokenizer_.tokens_) <= 60
    assert search.best_estimator_.vae_.decoder == "bow"


def test_tab_completion_offers_nothing_of_scikeras(classifier):
    leftovers = {"build_fn", "run_eagerly", "loss", "metrics", "model", "shuffle", "validation_split"}
    for estimator in (TextVAEClassifier(), classifier):
        assert not leftovers & set(dir(estimator))


def test_pipeline_with_memory(reviews, tmp_path):
    X, y = reviews
    model = make_pipeline(small_vae(), LogisticRegression(), memory=joblib.Memory(tmp_path, verbose=0))
    first = model.fit(X, y).predict_proba(X)
    cached = clone(model).set_params(logisticregression__C=1.0).fit(X, y)
    np.testing.assert_array_equal(cached.predict_proba(X), first)


@pytest.mark.processes
def test_pipelines_survive_joblib_and_deepcopy(reviews, tmp_path):
    X, y = reviews
    model = make_pipeline(
        TextTokenizer(max_length=16), TextVAEClassifier(small_vae(), epochs=0, random_state=0)
    )
    expected = model.fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(copy.deepcopy(model).predict_proba(X), expected)
    writer = make_pipeline(TextTokenizer(max_length=16), TextVAETransformer(epochs=1, **SMALL)).fit(X)
    latents = writer.transform(X[:20])
    texts = writer.inverse_transform(latents)
    assert copy.deepcopy(writer).inverse_transform(latents).tolist() == texts.tolist()
    joblib.dump((model, writer, list(X), expected, latents, texts), tmp_path / "all.joblib")
    code = (
        "import joblib, sys\n"
        "model, writer, X, expected, latents, texts = joblib.load(sys.argv[1])\n"
        "assert (model.predict_proba(X) == expected).all()\n"
        "assert (writer.transform(X[:20]) == latents).all()\n"
        "assert (writer.inverse_transform(latents) == texts).all()\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "all.joblib")], check=True)


def test_unlabelled_texts_pass_through_a_pipeline(bow_vae, reviews):
    X, y = reviews
    model = make_pipeline(TextVAEClassifier(small_vae(), epochs=0, random_state=0))
    model.fit(X[:40], y[:40], textvaeclassifier__X_unlabeled=X[40:])
    direct = TextVAEClassifier(small_vae(), epochs=0, random_state=0).fit(X[:40], y[:40], X_unlabeled=X[40:])
    np.testing.assert_array_equal(model.predict_proba(X), direct.predict_proba(X))


def test_voting_and_calibration(frozen, reviews):
    X, y = reviews
    tfidf = make_pipeline(TfidfVectorizer(), LogisticRegression())
    voting = VotingClassifier([("vae", frozen), ("tfidf", tfidf)], voting="soft").fit(X, y)
    assert voting.score(X, y) > 0.9
    calibrated = CalibratedClassifierCV(frozen, cv=2).fit(X, y)
    assert calibrated.predict_proba(X).shape == (160, 2)


def test_fitted_classifier_can_be_frozen(classifier, reviews):
    X, y = reviews
    frozen = FrozenEstimator(classifier)
    np.testing.assert_array_equal(frozen.fit(X, 1 - y).predict(X), classifier.predict(X))


def test_as_features_for_another_estimator(classifier, reviews):
    X, y = reviews
    latents = copy.deepcopy(classifier).set_output(transform="pandas").transform(X)
    assert latents.columns[0] == "textvaeclassifier0"
    assert LogisticRegression().fit(latents, y).score(latents, y) > 0.7


def refuse_networks(monkeypatch):
    """Whoever builds a network fails."""

    def refuse(self, *arguments, **options):
        raise AssertionError("a network was built")

    monkeypatch.setattr(keras.layers.Layer, "__init__", refuse)


def described(estimator):
    """The attributes that the docstring describes."""
    section = type(estimator).__doc__.partition("    Attributes\n")[2].partition("    See Also\n")[0]
    named = re.findall(r"^    (\w[\w, ]*) : ", section, flags=re.MULTILINE)
    return {name for names in named for name in names.split(", ")}


@pytest.mark.parametrize("name", ["bow_vae", "gru_vae", "lstm_vae", "classifier", "writing_classifier"])
@pytest.mark.parametrize("stored", [True, False])
def test_a_display_builds_no_network_and_names_no_foreign_attribute(name, stored, request, monkeypatch):
    estimator = request.getfixturevalue(name)
    if stored:
        estimator = pickle.loads(pickle.dumps(estimator))
    refuse_networks(monkeypatch)
    for _ in range(2):
        html = estimator._repr_html_()
        names = {name for name in dir(estimator) if name.endswith("_") and not name.startswith("_")}
        for attribute in names:
            assert hasattr(estimator, attribute), attribute
        assert names <= described(estimator)
    for foreign in ("feature_encoder", "target_encoder", "initialized_"):
        assert foreign not in html
        assert foreign not in dir(estimator)
        assert not hasattr(estimator, foreign)
        assert not hasattr(estimator, f"{foreign}_")
    assert {"history_", "n_iter_"} <= names
    assert stored == (not {"model_", "encoder_"} & names)


def test_networks_are_listed_once_they_are_there(bow_vae, writing_classifier):
    for fitted in (bow_vae, writing_classifier):
        estimator = pickle.loads(pickle.dumps(fitted))
        networks = {"model_", "encoder_", "decoder_"}
        networks |= {"class_head_"} if estimator is not bow_vae and hasattr(estimator, "classes_") else set()
        assert not networks & set(dir(estimator))
        assert all(isinstance(getattr(estimator, network), keras.Model) for network in networks)
        assert networks <= set(dir(estimator))
        assert estimator._repr_html_()


@pytest.mark.parametrize("estimator", [TextTokenizer(), TextVAETransformer(), TextVAEClassifier()])
def test_nothing_is_fitted_before_fit(estimator):
    assert not [
        name for name in dir(estimator) if name.endswith("_") and name[0] != "_" and hasattr(estimator, name)
    ]


def test_html_diagram(classifier):
    html = estimator_html_repr(make_pipeline(TextTokenizer(), clone(classifier)))
    assert "TextVAEClassifier" in html
    assert "TextVAETransformer" in html


def test_a_search_cuts_no_unlabelled_texts_that_a_function_gives(reviews):
    X, y = reviews
    seen = []

    class Count(TextVAETransformer):
        def _fit_corpus(self, read, **options):
            seen.append(len(read.corpus))
            return super()._fit_corpus(read, **options)

    vae = Count(**({"decoder": "bow", "epochs": 1} | SMALL))
    search = GridSearchCV(TextVAEClassifier(vae, epochs=0, random_state=0), {"lexical": [True]}, cv=2)
    search.fit(X[:60], y[:60], X_unlabeled=lambda: X[60:120])
    assert seen == [90, 90, 120]


class CountTrainings(keras.callbacks.Callback):
    """Leaves a line in a file for each training, whichever process it runs in."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def on_train_begin(self, logs=None):
        with open(self.path, "a") as file:
            file.write("training\n")


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_search_over_the_head_trains_no_frozen_autoencoder(reviews, tmp_path, n_jobs):
    X, y = reviews
    path = tmp_path / "trainings"
    vae = small_vae(callbacks=CountTrainings(path)).fit(X)
    grid = {"ngram_range": [(1, 1), (1, 2)], "lexical": [True, False]}
    frozen = TextVAEClassifier(FrozenEstimator(vae), random_state=0)
    search = GridSearchCV(frozen, grid, cv=2, n_jobs=n_jobs, error_score="raise").fit(X, y)
    assert search.best_score_ > 0.9
    assert path.read_text().count("training") == 1
    GridSearchCV(TextVAEClassifier(vae, epochs=0), {}, cv=2, n_jobs=n_jobs).fit(X, y)
    assert path.read_text().count("training") == 1 + 3


def test_warnings_point_at_the_line_of_the_user(bow_vae, reviews):
    X, y = reviews
    frozen = TextVAEClassifier(FrozenEstimator(bow_vae), lexical=False)
    cut = TextVAETransformer(tokenizer=TextTokenizer(max_length=2), epochs=1, **SMALL)
    early = TextVAETransformer(decoder="bow", early_stopping=True, epochs=1, kl_warmup=1.0, **SMALL)
    calls = {
        "X_unlabeled is not used": lambda: frozen.fit(X, y, X_unlabeled=X),
        "X_val and y_val are not used": lambda: frozen.fit(X, y, X_val=X, y_val=y),
        "max_length=2 tokens or more": lambda: make_pipeline(cut).fit(X),
        "compares nothing": lambda: TextVAEClassifier(early, epochs=0, lexical=False).fit(X, y),
        "write it in lower case": lambda: TextTokenizer(vocabulary=["Good"]).fit_transform(X),
        "rests on few latents": lambda: bow_vae.diagnostics(X[:3], n_importance_samples=2),
    }
    for message, call in calls.items():
        with pytest.warns(UserWarning, match=message) as caught:
            call()
        places = {
            (each.filename, each.lineno)
            for each in caught
            if each.category is UserWarning or "skvae" in str(each.category)
        }
        assert places == {(__file__, call.__code__.co_firstlineno)}
