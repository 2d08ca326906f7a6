"""Tables of what was learned."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from skvae import TextTokenizer, TextVAEClassifier, TextVAETransformer
from skvae.plotting import ExplanationDisplay

from .conftest import small_vae


def test_the_table_of_latents_adds_up_to_the_kl(bow_vae, reviews):
    X = reviews[0]
    frame = bow_vae.latents_frame(X, n_words=3)
    assert frame.columns.tolist() == ["latent", "kl", "std", "more", "less"]
    assert frame["latent"].tolist() == list(range(6))
    assert frame["kl"].sum() == pytest.approx(bow_vae.diagnostics(X)["kl"])
    np.testing.assert_allclose(frame["std"], bow_vae.transform(X).std(axis=0), rtol=1e-5)
    # More of the latent gives its words more weight, and the others less.
    words = bow_vae.words_.tolist()
    for row in frame.itertuples():
        for sign, listed in ((1, row.more), (-1, row.less)):
            assert 1 <= len(listed.split(", ")) <= 3
            for word in listed.split(", "):
                assert sign * bow_vae.components_[row.latent, words.index(word)] > 0


def test_the_table_of_latents_of_a_classifier_has_weights(classifier, writing_classifier, reviews):
    X = reviews[0]
    frame = classifier.latents_frame(X)
    assert frame.columns.tolist() == ["latent", "kl", "std", "more", "less", "weight"]
    kernel = classifier._class_head.layers[0].kernel[:6, 0]
    np.testing.assert_allclose(frame["weight"], kernel * frame["std"], rtol=1e-4, atol=1e-7)
    assert (frame["weight"] != 0).any()
    three = writing_classifier.latents_frame(X)
    weights = three[["weight_bad", "weight_good", "weight_mixed"]]
    np.testing.assert_allclose(weights.sum(axis=1), 0, atol=1e-5)
    pd.testing.assert_frame_equal(three.iloc[:, :5], writing_classifier.vae_.latents_frame(X))


@pytest.mark.parametrize("name", ["bow_vae", "gru_vae"])
def test_the_table_of_documents(name, request, reviews):
    vae = request.getfixturevalue(name)
    texts = [*reviews[0][:5], "zebra xylophone", "dull zebra", ""]
    frame = vae.documents_frame(texts, n_words=2)
    assert frame.columns.tolist() == ["text", "n_tokens", "unknown", "elbo", "latent", "words"]
    assert frame["text"].tolist() == texts
    assert frame["n_tokens"].tolist()[-3:] == [2, 2, 0]
    assert frame["unknown"].tolist()[-3:] == [1, 0.5, 0]
    assert (frame["unknown"][:5] == 0).all()
    np.testing.assert_allclose(frame["elbo"], vae.score_samples(texts, per_token=True), rtol=1e-5)
    latents = vae.transform(texts)
    table = vae.latents_frame(reviews[0], n_words=2).set_index("latent")
    for document, (latent, words) in enumerate(zip(frame["latent"], frame["words"], strict=True)):
        assert words == table.loc[latent, "more" if latents[document, latent] > 0 else "less"]


def test_the_table_of_documents_of_a_classifier_has_predictions(writing_classifier, reviews):
    X = reviews[0][:6]
    frame = writing_classifier.documents_frame(X)
    assert frame["class"].tolist() == writing_classifier.predict(X).tolist()
    np.testing.assert_allclose(frame["probability"], writing_classifier.predict_proba(X).max(axis=1))


def test_rows_keep_their_labels(classifier, reviews):
    X = pd.Series(reviews[0][:4], index=[7, 3, 9, 1])
    for frame in (classifier.documents_frame(X), classifier.vae_.documents_frame(X.to_frame("text"))):
        assert frame.index.tolist() == [7, 3, 9, 1]
        assert frame["text"].tolist() == X.tolist()


def test_tables_and_pictures_embed_each_text_once(reviews):
    X, y = reviews
    calls = []

    def embed(texts):
        calls.extend(texts)
        return np.array([[len(text), text.count("a")] for text in texts], dtype=np.float32)

    classifier = TextVAEClassifier(small_vae(embedder=embed), epochs=0, random_state=0).fit(X[:60], y[:60])
    for use in (
        lambda: classifier.latents_frame(X[:5]),
        lambda: classifier.documents_frame(X[:5]),
        lambda: classifier.vae_.documents_frame(X[:5]),
        lambda: classifier.explain(X[:5]),
    ):
        calls.clear()
        use()
        assert calls == X[:5].tolist()
    calls.clear()
    ExplanationDisplay.from_estimator(classifier, X[0])
    assert calls == [X[0]]


def test_tables_of_token_ids_and_without_words(reviews):
    X, y = reviews
    ids = TextTokenizer(max_length=12).fit_transform(X)
    vae = small_vae(decoder="gru", bow_weight=0).fit(ids)
    assert vae.latents_frame(ids).columns.tolist() == ["latent", "kl", "std"]
    assert vae.documents_frame(ids).columns.tolist() == ["n_tokens", "unknown", "elbo", "latent"]
    classifier = TextVAEClassifier(small_vae(), epochs=0, random_state=0).fit(ids, y)
    assert "text" not in classifier.documents_frame(ids)
    assert classifier.latents_frame(ids)["more"].str.match(r"^\d+(, \d+)*$").all()


def test_tables_say_what_is_wrong(bow_vae, classifier, reviews):
    for estimator in (bow_vae, classifier):
        for method in (estimator.latents_frame, estimator.documents_frame):
            with pytest.raises(ValueError, match="n_words=0; expected an int of at least 1"):
                method(reviews[0], n_words=0)
            with pytest.raises(ValueError, match=r"missing value \(None\) in row 1"):
                method(["a film", None])
    for estimator in (TextVAETransformer(), TextVAEClassifier()):
        with pytest.raises(NotFittedError):
            estimator.latents_frame(reviews[0])
        with pytest.raises(NotFittedError):
            estimator.documents_frame(reviews[0])
