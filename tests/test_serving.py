"""The pipeline that a fitted classifier becomes for serving."""

import pickle
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline

from skvae import TextTokenizer, TextVAEClassifier
from skvae.datasets import make_reviews
from skvae.serving import HeadLogits, LogitClassifier

from .conftest import small_vae

METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function")


def assert_same_bits(pipeline, classifier, X):
    for method in METHODS:
        np.testing.assert_array_equal(getattr(pipeline, method)(X), getattr(classifier, method)(X))


@pytest.mark.parametrize("name", ["classifier", "writing_classifier"])
def test_a_pipeline_predicts_the_same_bits_as_its_classifier(name, request, reviews):
    classifier = request.getfixturevalue(name)
    pipeline = classifier.to_pipeline()
    assert isinstance(pipeline, Pipeline)
    assert_same_bits(pipeline, classifier, reviews[0])
    assert pipeline.score(*reviews) == classifier.score(*reviews) if name == "classifier" else True
    assert pipeline.classes_.tolist() == classifier.classes_.tolist()


def test_its_logits_are_those_of_each_part(writing_classifier, reviews):
    pipeline = writing_classifier.to_pipeline()
    logits = pipeline[0].set_output(transform="pandas").transform(reviews[0])
    assert logits.columns[:4].tolist() == ["latent_bad", "latent_good", "latent_mixed", "lexical_bad"]
    of_good = logits.filter(like="_good").sum(axis=1)
    average = logits.sum(axis=1) / 3
    np.testing.assert_allclose(
        of_good - average, writing_classifier.decision_function(reviews[0])[:, 1], atol=1e-4
    )
    assert_same_bits(pipeline, writing_classifier, reviews[0])


def test_files_of_it_predict_the_same_bits(classifier, reviews, tmp_path):
    pipeline = classifier.to_pipeline()
    joblib.dump(pipeline, tmp_path / "pipeline.joblib")
    stored = skops.io.dumps(pipeline)
    untrusted = skops.io.get_untrusted_types(data=stored)
    ours = {name for name in untrusted if not name.startswith("sklearn.")}
    assert ours == {
        "skvae.serving.HeadLogits",
        "skvae.serving.LogitClassifier",
        "skvae.tokenization.TextTokenizer",
    }
    for again in (
        pickle.loads(pickle.dumps(pipeline)),
        joblib.load(tmp_path / "pipeline.joblib", mmap_mode="r"),
        skops.io.loads(stored, trusted=untrusted),
        clone(pipeline),
        clone(pipeline).fit(reviews[0]),
    ):
        assert_same_bits(again, classifier, reviews[0])


@pytest.mark.processes
def test_a_fresh_process_predicts_without_tensorflow(classifier, reviews, tmp_path):
    joblib.dump((classifier.to_pipeline(), reviews[0][:5]), tmp_path / "pipeline.joblib")
    code = f"""
import joblib, sys
pipeline, texts = joblib.load({str(tmp_path / "pipeline.joblib")!r})
print(pipeline.predict_proba(texts).tobytes().hex())
print(sorted({{"tensorflow", "keras", "scikeras", "numba"}} & set(sys.modules)))
"""
    answer, imported = subprocess.check_output([sys.executable, "-c", code], text=True).split("\n")[:2]
    assert answer == classifier.predict_proba(reviews[0][:5]).tobytes().hex()
    assert imported == "[]"


def test_its_file_lacks_the_decoders(writing_classifier, classifier):
    for each in (classifier, writing_classifier):
        weights = each.to_pipeline()[0]._autoencoder.network.weights
        assert {name.split("/")[0] for name in weights} == {"encoder"}
    assert len(pickle.dumps(writing_classifier.to_pipeline())) < len(pickle.dumps(writing_classifier))


def test_it_is_not_changed_by_further_training(reviews):
    X, y = reviews
    classifier = TextVAEClassifier(small_vae(), random_state=0).partial_fit(X[:80], y[:80], classes=[0, 1])
    pipeline = classifier.to_pipeline()
    before = pipeline.predict_proba(X)
    assert (before == classifier.predict_proba(X)).all()
    classifier.partial_fit(X[80:], y[80:])
    np.testing.assert_array_equal(pipeline.predict_proba(X), before)
    assert (before != classifier.predict_proba(X)).any()


def test_a_recurrent_encoder_and_hidden_layers(reviews):
    X, y = reviews
    vae = small_vae(encoder="bilstm", tokenizer=TextTokenizer(max_length=8))
    classifier = TextVAEClassifier(vae, head_units=(4,), head_activation="tanh", random_state=0).fit(X, y)
    assert_same_bits(pickle.loads(pickle.dumps(classifier.to_pipeline())), classifier, X)


def test_token_ids(reviews):
    X, y = reviews
    ids = TextTokenizer(max_length=12).fit_transform(X)
    classifier = TextVAEClassifier(small_vae(), epochs=0, random_state=0).fit(ids, y)
    assert_same_bits(classifier.to_pipeline(), classifier, ids)
    with pytest.raises(ValueError, match="fitted on token ids"):
        classifier.to_pipeline().predict(X)


def test_bad_input_is_named(classifier):
    pipeline = classifier.to_pipeline()
    with pytest.raises(ValueError, match="missing value"):
        pipeline.predict(["fine", None])
    with pytest.raises(ValueError, match="X has 2 features, but LogitClassifier is expecting 3"):
        pipeline[1].predict([[1.0, 2.0]])
    for part in (HeadLogits(), LogitClassifier()):
        with pytest.raises(NotFittedError, match="to_pipeline"):
            part.fit(["a text"])
    with pytest.raises(NotFittedError):
        TextVAEClassifier().to_pipeline()


def test_margins(classifier, writing_classifier, reviews):
    X, _ = reviews
    margins = classifier.decision_function(X)
    assert margins.shape == (len(X),)
    np.testing.assert_allclose(1 / (1 + np.exp(-margins)), classifier.predict_proba(X)[:, 1], rtol=1e-9)
    assert (classifier.classes_[(margins > 0).astype(int)] == classifier.predict(X)).all()
    texts, y = make_reviews(90, n_classes=3, random_state=1)
    # Fine-tuning with weight on one class: the logits do not sum to 0 by themselves.
    tuned = TextVAEClassifier(
        small_vae(), class_weight={0: 5, 1: 1, 2: 1}, learning_rate=0.02, random_state=0
    )
    for three in (writing_classifier, tuned.fit(texts, y)):
        margins = three.decision_function(X)
        np.testing.assert_allclose(margins.sum(axis=1), 0, atol=1e-5)
        explained = three.explain(X[:4], three.classes_[1], n_contributions=3)
        own = explained[explained["part"] == "margin"]["contribution"]
        np.testing.assert_allclose(own, margins[:4, 1], atol=1e-4)


def test_a_column_of_a_frame(classifier):
    X, y = make_reviews(80, random_state=3)
    fitted = TextVAEClassifier(small_vae(), epochs=0, random_state=0).fit(pd.DataFrame({"text": X}), y)
    pipeline = fitted.to_pipeline()
    np.testing.assert_array_equal(pipeline.predict(pd.DataFrame({"text": X})), fitted.predict(X))
    with pytest.warns(UserWarning, match="text"):
        pipeline.predict(pd.DataFrame({"other": X}))
