"""What a margin is made of."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator

from skvae import TextTokenizer, TextVAEClassifier

from .conftest import small_vae


def margins_of(model, X, labels):
    """Log-odds of the classes with two of them, logits less their average with more."""
    log_probabilities = model.predict_log_proba(X)
    own = log_probabilities[np.arange(len(labels)), labels]
    if len(model.classes_) == 2:
        return own - log_probabilities[np.arange(len(labels)), 1 - labels]
    return own - log_probabilities.mean(axis=1)


def test_explanations_add_up_to_the_margin(classifier, writing_classifier, bow_vae, reviews):
    X, y = reviews
    deep = TextVAEClassifier(
        FrozenEstimator(bow_vae), lexical=False, head_units=(4,), head_activation="tanh", random_state=0
    ).fit(X, y)
    for model in (classifier, writing_classifier, deep):
        texts = [*X[:3], ""]
        frame = model.explain(texts, n_contributions=4)
        assert frame.columns.tolist() == ["document", "class", "part", "name", "contribution"]
        sums = frame.groupby("document")["contribution"].sum()
        labels = np.searchsorted(model.classes_, model.predict(texts))
        np.testing.assert_allclose(sums, margins_of(model, texts, labels), rtol=1e-3, atol=1e-3)
        first = frame[frame["document"] == 0]
        assert first["part"].iloc[-1] == "rest"
        assert len(first) == 5
        assert (np.diff(first["contribution"].abs()[:-1]) <= 0).all()
        if len(model._class_head.layers) == 1:
            # With every contribution listed, the intercept is left, and what average latents add.
            everything = model.explain(texts, n_contributions=10_000)
            rest = everything[everything["part"] == "rest"]["contribution"]
            head = model._class_head
            # Documents' vectors are centred, so that the average one adds the bias of its model.
            biases = [each.bias for each in head.models.values()]
            intercept = head.feature_means @ head.layers[0].kernel + head.layers[0].bias + sum(biases)
            if len(intercept) == 1:
                expected = np.where(labels == 1, intercept[0], -intercept[0])
            else:
                expected = intercept[labels] - intercept.mean()
            np.testing.assert_allclose(rest, expected, rtol=1e-3, atol=1e-3)
        assert frame["class"].tolist() == model.predict(texts)[frame["document"]].tolist()
        other = model.explain(texts, y=[model.classes_[0]] * 4)
        sums = other.groupby("document")["contribution"].sum()
        expected = margins_of(model, texts, np.zeros(4, dtype=int))
        np.testing.assert_allclose(sums, expected, rtol=1e-3, atol=1e-3)


def test_an_explanation_names_the_words_that_matter(bow_vae, reviews):
    X, y = reviews
    classifier = TextVAEClassifier(FrozenEstimator(bow_vae), random_state=0).fit(X, y)
    good = X[np.flatnonzero(y == 1)[0]]
    frame = classifier.explain([good], n_contributions=1000)
    lexical = frame[frame["part"] == "ngram"].set_index("name")["contribution"]
    assert len(lexical) > 5
    tokens = set(classifier.tokenizer_.inverse_transform(classifier.tokenizer_.transform([good]))[0].split())
    own = {token for name in lexical.index for token in name.split()}
    assert {token for token in own if token.isalpha()} <= {token.strip(".,;:!") for token in tokens}
    parts = set(frame["part"])
    assert parts == {"ngram", "latent", "hidden_0", "rest"}
    latent = frame[frame["part"] == "latent"]["name"]
    numbers = latent.str.extract(r"^(\d+) \((\S+), (\S+), (\S+)\)$")
    assert not numbers.isna().any(axis=None)
    assert set(numbers[0].astype(int)) == set(range(6))
    assert set(numbers[[1, 2, 3]].to_numpy().ravel()) <= set(bow_vae.words_)


def test_explain_refuses_what_it_cannot_explain(classifier, reviews):
    X, _ = reviews
    with pytest.raises(ValueError, match="not one of the classes"):
        classifier.explain(X[:2], y=[0, 7])
    assert set(classifier.explain(X[:2], y=1)["class"]) == {1}
    with pytest.raises(ValueError, match="n_contributions=0; expected an int"):
        classifier.explain(X[:2], n_contributions=0)
    with pytest.raises(NotFittedError):
        TextVAEClassifier().explain(X[:2])


def test_explaining_token_ids(reviews):
    X, y = reviews
    ids = TextTokenizer(max_length=16).fit_transform(X)
    classifier = TextVAEClassifier(small_vae(), epochs=0, random_state=0).fit(ids, y)
    frame = classifier.explain(ids[:1], n_contributions=100)
    lexical = frame[frame["part"] == "ngram"]["name"]
    assert len(lexical) > 5
    assert {int(token) for name in lexical for token in name.split()} <= set(ids[0].tolist())


def test_explaining_without_a_bag_of_words_decoder(reviews):
    X, y = reviews
    vae = small_vae(decoder="gru", bow_weight=0, tokenizer=TextTokenizer(max_length=16))
    classifier = TextVAEClassifier(vae, epochs=0, random_state=0).fit(X, y)
    frame = classifier.explain(X[:2], n_contributions=100)
    assert set(frame["part"]) == {"ngram", "latent", "hidden_0", "rest"}
    assert frame[frame["part"] == "latent"]["name"].str.isdigit().all()


def test_contributions_make_up_the_differences_between_texts(classifier, writing_classifier, reviews):
    # "rest" is what is left, and so would hide an error in the others: it has to be the same for all texts.
    for model in (classifier, writing_classifier):
        texts = [*reviews[0][:30], "", "great music", "dull dull dull film"]
        for label in model.classes_:
            frame = model.explain(texts, y=label, n_contributions=10_000)
            listed = frame[frame["part"] != "rest"].groupby("document")["contribution"].sum()
            listed = listed.reindex(range(len(texts)), fill_value=0).to_numpy()
            margins = margins_of(model, texts, np.full(len(texts), list(model.classes_).index(label)))
            assert np.ptp(margins) > 1
            np.testing.assert_allclose(listed - listed.mean(), margins - margins.mean(), atol=1e-3)


def test_an_ngram_has_one_contribution_or_one_for_each_model(classifier, reviews):
    texts = [*reviews[0][:5], "great music", ""]
    merged = classifier.explain(texts, n_contributions=10_000)
    split = classifier.explain(texts, n_contributions=10_000, merge_ngrams=False)
    assert set(split["part"]) - set(merged["part"]) == {"lexical", "vector"}
    of_ngrams = split[split["part"].isin(["lexical", "vector"])]
    expected = of_ngrams.groupby(["document", "name"])["contribution"].sum()
    found = merged[merged["part"] == "ngram"].set_index(["document", "name"])["contribution"]
    assert found.index.is_unique
    np.testing.assert_allclose(found.sort_index(), expected.sort_index(), rtol=1e-4, atol=1e-5)
    # Both models know "great"; "rest" is the same.
    assert len(of_ngrams[(of_ngrams["name"] == "great") & (of_ngrams["document"] == 5)]) == 2
    rest = [frame[frame["part"] == "rest"]["contribution"] for frame in (merged, split)]
    np.testing.assert_allclose(*map(np.asarray, rest), atol=1e-4)


def test_latents_of_average_texts_contribute_nothing(reviews):
    X, y = reviews
    # Beside n-grams and the texts' vectors, latents count for little.
    vae = small_vae(epochs=3, ngram_dim=None)
    classifier = TextVAEClassifier(vae, lexical=False, epochs=0, random_state=0).fit(X, y)
    frame = classifier.explain(X, y=1, n_contributions=10_000)
    frame = frame[frame["part"].isin(["latent", "hidden_0"])]
    numbers = frame["name"].str.split(" ").str[0]
    sums = frame.groupby([frame["part"], numbers])["contribution"].sum() / len(X)
    spread = frame.groupby([frame["part"], numbers])["contribution"].std()
    assert spread.max() > 0.02
    assert sums.abs().max() < 1e-4


def test_contributions_to_a_deep_head_are_by_its_slope_at_the_text(lstm_vae, reviews):
    X, y = reviews
    classifier = TextVAEClassifier(
        FrozenEstimator(lstm_vae),
        lexical=False,
        head_units=(8,),
        head_activation="tanh",
        epochs=10,
        learning_rate=3e-2,
        random_state=0,
    ).fit(X, y)
    head, latents = classifier.class_head_, classifier.transform(X)
    step = 1e-2 * np.eye(6, dtype=np.float32)
    slopes = np.stack(
        [(head(latents + each).numpy() - head(latents - each).numpy())[:, 0] / 2e-2 for each in step], axis=1
    )
    expected = slopes * (latents - latents.mean(axis=0))
    frame = classifier.explain(X, y=1, n_contributions=100)
    rest = frame[frame["part"] == "rest"]["contribution"].to_numpy()
    frame = frame[frame["part"] == "latent"]
    found = np.zeros_like(expected)
    found[frame["document"], frame["name"].str.split(" ").str[0].astype(int)] = frame["contribution"]
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(found, expected, atol=1e-2 * np.abs(expected).max())
    np.testing.assert_allclose(rest + found.sum(axis=1), head(latents).numpy()[:, 0], atol=1e-3)
