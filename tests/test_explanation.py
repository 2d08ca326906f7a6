"""What a margin is made of."""

import copy
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator

from skvae import TextTokenizer, TextVAEClassifier, TextVAETransformer
from skvae._network.attribution import attributions
from skvae.datasets import make_reviews
from skvae.plotting import ExplanationDisplay

from .conftest import small_vae


def margins_of(model, X, labels):
    """Log-odds of the classes with two of them, logits less their average with more."""
    log_probabilities = model.predict_log_proba(X)
    own = log_probabilities[np.arange(len(labels)), labels]
    if len(model.classes_) == 2:
        return own - log_probabilities[np.arange(len(labels)), 1 - labels]
    return own - log_probabilities.mean(axis=1)


def contributions_of(frame):
    """The rows that make up the margin, without the margin itself."""
    return frame[frame["part"] != "margin"]


@pytest.fixture(scope="module")
def deep(bow_vae, reviews):
    X, y = reviews
    return TextVAEClassifier(
        FrozenEstimator(bow_vae),
        lexical=False,
        head_units=(4, 3),
        head_activation="tanh",
        epochs=10,
        learning_rate=3e-2,
        random_state=0,
    ).fit(X, y)


@pytest.fixture(scope="module")
def recurrent(lstm_vae, reviews):
    X, y = reviews
    return TextVAEClassifier(FrozenEstimator(lstm_vae), lexical=False, random_state=0).fit(X, y)


@pytest.mark.parametrize("merge_ngrams", [True, False])
@pytest.mark.parametrize("name", ["classifier", "writing_classifier", "deep", "recurrent"])
def test_explanations_add_up_to_the_margin_and_to_each_part_of_the_head(name, merge_ngrams, request, reviews):
    model = request.getfixturevalue(name)
    texts = [*reviews[0][:3], ""]
    frame = model.explain(texts, n_contributions=4, merge_ngrams=merge_ngrams)
    parts = frame.columns.tolist()[5:]
    assert frame.columns.tolist()[:5] == ["document", "class", "part", "name", "contribution"]
    assert set(parts) == {*model.term_weights_, "intercept"}
    np.testing.assert_allclose(frame[parts].sum(axis=1), frame["contribution"], atol=1e-4)
    labels = np.searchsorted(model.classes_, model.predict(texts))
    assert frame["class"].tolist() == model.classes_[labels][frame["document"]].tolist()
    margins = frame[frame["part"] == "margin"].set_index("document")
    np.testing.assert_allclose(
        margins["contribution"], margins_of(model, texts, labels), rtol=1e-3, atol=1e-3
    )
    added = contributions_of(frame).groupby("document")[["contribution", *parts]].sum()
    np.testing.assert_allclose(added, margins[["contribution", *parts]], atol=1e-4)
    first = frame[frame["document"] == 0]["part"].tolist()
    assert first[0] == "margin"
    assert first[-1] == "rest"
    assert len(first) == 6
    other = model.explain(texts, y=[model.classes_[0]] * 4)
    expected = margins_of(model, texts, np.zeros(4, dtype=int))
    found = other[other["part"] == "margin"]["contribution"]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", ["classifier", "writing_classifier", "deep"])
def test_all_ngrams_together_leave_no_rest(name, request, reviews):
    # "rest" would hide an error in the others.
    model = request.getfixturevalue(name)
    texts = [*reviews[0][:12], "", "great music", "dull dull dull film"]
    for merge_ngrams in (True, False):
        frame = model.explain(texts, n_contributions=10_000, merge_ngrams=merge_ngrams)
        rest = frame[frame["part"] == "rest"].drop(columns=["document", "class", "part", "name"])
        assert np.abs(rest.to_numpy()).max() < 1e-4
        assert frame["contribution"].abs().max() > 0.3
        assert set(frame["part"]) == {"margin", "ngram", "intercept", "rest"}


def test_the_intercept_is_the_margin_of_a_text_without_words(classifier, deep, reviews):
    for model in (classifier, deep):
        label = model.classes_[1]
        frame = model.explain([*reviews[0][:4], ""], y=label, n_contributions=10_000)
        intercepts = frame[frame["part"] == "intercept"]["contribution"]
        empty = margins_of(model, [""], np.array([1]))[0]
        np.testing.assert_allclose(intercepts, empty, atol=1e-4)
        assert empty != 0


def test_what_passes_the_encoder_is_its_slope_if_texts_hardly_differ_from_none(bow_vae, reviews):
    """The rescale rule by differences of outputs: of single words, whose contribution is all that there is."""
    X, y = reviews
    model = TextVAEClassifier(FrozenEstimator(bow_vae), lexical=False, random_state=0).fit(X, y)
    head, vae = model._class_head, model.vae_._autoencoder
    texts = ["great", "dull", "music"]
    documents = vae.prepare(vae.read(texts))
    alone = replace(documents, vectors=np.zeros_like(documents.vectors))
    logits = head.latent_logits(vae.features(alone)) - head.latent_logits(vae.features(vae.without_words()))
    found = attributions(vae, alone, np.tile(head.layers[0].kernel.T, (3, 1)))
    assert np.abs(logits).max() > 0.01
    np.testing.assert_allclose(found.tokens.sum(axis=1), logits[:, 0], atol=1e-5)
    columns = [vae.tokens.tolist().index(text) for text in texts]
    np.testing.assert_allclose(found.tokens.toarray()[np.arange(3), columns], logits[:, 0], atol=1e-5)


def test_tokens_of_a_recurrent_encoder_explain_most_of_what_it_adds(recurrent, reviews):
    X = reviews[0][:20]
    # Beside the vectors, latents have no weight in reviews this simple.
    recurrent = copy.deepcopy(recurrent)
    layer = recurrent._class_head.layers[0]
    layer.kernel = np.random.default_rng(0).normal(size=layer.kernel.shape).astype(np.float32)
    frame = recurrent.explain(X, y=1, n_contributions=10_000)
    margin, rest = (frame[frame["part"] == part]["latent"].to_numpy() for part in ("margin", "rest"))
    assert np.std(margin) > 0.05
    # What is left is due to the number of words: the margin if the embeddings of all words, and the vectors, are zero.
    vae, head = recurrent.vae_._autoencoder, recurrent._class_head
    encoder, documents = vae.network.model.encoder, vae.prepare(vae.read(X))
    weights = [
        np.zeros(each.shape) if "embedding" in each.path else each for each in encoder.trainable_variables
    ]
    ids, vectors = vae.network.model.read(documents.batch(np.arange(20)))
    blank_inputs = [ids, np.zeros_like(vectors)]
    (blank, _), _ = encoder.stateless_call(
        weights, encoder.non_trainable_variables, blank_inputs, training=False
    )
    none = vae.features(vae.without_words())
    expected = (head.latent_logits(blank.numpy()) - head.latent_logits(none))[:, 0]
    # The mark at the end is no word either, and adds nearly the same to all texts.
    assert np.std(rest - expected) < 0.02 * np.std(margin)
    names = frame[frame["part"] == "ngram"]["name"]
    known = set(recurrent.tokenizer_.tokens_)
    assert {token for name in names for token in re.findall(r"\w+(?:'\w+)*|[^\w\s]", name)} <= known


def test_an_ngram_stands_for_those_within_it_or_for_itself(classifier, reviews):
    text = reviews[0][1]
    alone = classifier.explain([text], y=1, n_contributions=10_000, merge_ngrams=False)
    alone = alone[alone["part"] == "ngram"]
    assert alone["name"].is_unique
    assert set(alone["name"].str.split().map(len)) == {1, 2, 3}
    assert (np.diff(alone["contribution"].abs()) <= 0).all()
    values = alone.set_index("name")["contribution"]
    merged = classifier.explain([text], y=1, n_contributions=10_000)
    merged = merged[merged["part"] == "ngram"]
    assert len(merged) < len(alone)
    assert merged["name"].is_unique
    first = merged.iloc[0]
    tokens = first["name"].split()
    within = {" ".join(tokens[i:j]) for i in range(len(tokens)) for j in range(i + 1, len(tokens) + 1)}
    assert len(within) > 1
    assert first["contribution"] == pytest.approx(sum(values.get(name, 0) for name in within), abs=1e-5)
    assert not within & set(merged["name"][1:])
    assert merged["contribution"].sum() == pytest.approx(values.sum(), abs=1e-4)


def test_ten_rows_cover_most_of_the_margin_of_a_sentence(classifier, reviews):
    frame = classifier.explain(reviews[0][:60])
    margin, rest = (
        frame[frame["part"] == part]["contribution"].abs().median() for part in ("margin", "rest")
    )
    assert rest < 0.1 * margin


def test_an_explanation_names_the_words_that_matter(bow_vae, reviews):
    X, y = reviews
    classifier = TextVAEClassifier(FrozenEstimator(bow_vae), random_state=0).fit(X, y)
    good = X[np.flatnonzero(y == 1)[0]]
    frame = classifier.explain([good], n_contributions=1000, merge_ngrams=False)
    names = frame[frame["part"] == "ngram"]["name"]
    assert len(names) > 5
    tokens = set(classifier.tokenizer_.inverse_transform(classifier.tokenizer_.transform([good]))[0].split())
    own = {token for name in names for token in name.split()}
    assert {token for token in own if token.isalpha()} <= {token.strip(".,;:!") for token in tokens}


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
    names = frame[frame["part"] == "ngram"]["name"]
    assert len(names) > 5
    assert {int(token) for name in names for token in name.split()} <= set(ids[0].tolist())
    with pytest.raises(ValueError, match="fitted on token ids"):
        ExplanationDisplay.from_estimator(classifier, "great music")


def test_explaining_without_a_bag_of_words_decoder(reviews):
    X, y = reviews
    vae = small_vae(decoder="gru", bow_weight=0, tokenizer=TextTokenizer(max_length=16))
    classifier = TextVAEClassifier(vae, epochs=0, random_state=0).fit(X, y)
    assert set(classifier.explain(X[:2])["part"]) == {"margin", "ngram", "rest", "intercept"}


# The text with coloured words, and the picture


@pytest.mark.parametrize("name", ["classifier", "recurrent"])
def test_the_words_of_a_text_share_the_contributions_of_its_ngrams(name, request):
    model = request.getfixturevalue(name)
    text = "Great  music,\nbut a dull <b> cast & great music"
    display = ExplanationDisplay.from_estimator(model, text, y=1, n_contributions=3)
    pieces = display.pieces
    assert "".join(piece for piece, _ in pieces) == text
    shares = np.array([value for piece, value in pieces if piece.strip()])
    assert not any(value for piece, value in pieces if not piece.strip())
    frame = model.explain([text], y=1, n_contributions=10_000)
    expected = frame[frame["part"] == "ngram"]["contribution"].sum()
    assert shares.sum() == pytest.approx(expected, abs=1e-4)
    alone = model.explain([text], y=1, n_contributions=10_000, merge_ngrams=False)
    tokens = alone[alone["part"] == "ngram"].set_index("name")["contribution"]
    # Equal shares of the distinct tokens of an n-gram.
    of_great = sum(
        value * ("great" in name.split()) / len(set(name.split())) for name, value in tokens.items()
    )
    of_first, of_second = (value for piece, value in pieces if piece.lower() == "great")
    assert of_first + of_second == pytest.approx(of_great, abs=1e-4)
    html = display._repr_html_()
    assert "&lt;b&gt;" in html
    assert "&amp;" in html
    assert "<b>" not in html.split("<p", 1)[1]
    # Words that support the class are blue, others orange.
    for piece, value in pieces:
        if value and piece.isalpha():
            colour = "31, 119, 180" if value > 0 else "255, 127, 14"
            shown = re.escape(f'title="{value:+.2f} nats">{piece}<')
            assert re.search(rf'rgba\({colour}, [\d.]+\)" {shown}', html)


def test_the_picture_shows_the_parts_and_the_contributions(classifier):
    display = ExplanationDisplay.from_estimator(classifier, "great music", y=1, n_contributions=2)
    frame = display.explanation
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert labels[:4] == ["lexical", "vector", "latent", "intercept"]
    assert labels[4] == frame["name"].iloc[1]
    assert labels[-1] == "rest"
    widths = [bar.get_width() for bar in display.bars_]
    np.testing.assert_allclose(
        widths[:4], frame.loc[0, ["lexical", "vector", "latent", "intercept"]].astype(float)
    )
    np.testing.assert_allclose(widths[4:], frame["contribution"][1:])
    assert f"{frame['contribution'][0]:+.2f}" in display.ax_.get_title()


@pytest.mark.parametrize(
    ("tokenizer", "text"),
    [
        (TextTokenizer("char", max_length=99), "a dull   cast"),
        (TextTokenizer("bpe", max_features=150, max_length=99), "a dull cast, a delight"),
        (TextTokenizer(token_pattern=r"a \w+|\w+", max_length=99), "a dull film and a delight"),
        (TextTokenizer(str.split, max_length=99), "a dull film and a delight"),
        (TextTokenizer(stop_words=["the"], max_length=99), "the music is the dull dull part"),
    ],
    ids=["char", "bpe", "pattern", "callable", "stop words"],
)
def test_pieces_of_a_text_add_up_whatever_its_tokens_are(tokenizer, text, reviews):
    X, y = reviews
    model = TextVAEClassifier(small_vae(tokenizer=tokenizer), epochs=0, random_state=0).fit(X[:80], y[:80])
    pieces = ExplanationDisplay.from_estimator(model, text, y=1).pieces
    frame = model.explain([text], y=1, n_contributions=10_000)
    assert sum(value for _, value in pieces) == pytest.approx(
        frame[frame["part"] == "ngram"]["contribution"].sum(), abs=1e-4
    )
    assert sum(value != 0 for _, value in pieces) >= 3
    assert "".join(piece for piece, _ in pieces).replace(" ", "") == text.replace(" ", "")


def test_a_text_of_tokens_is_coloured_by_token(reviews):
    X, y = reviews
    lists = TextVAEClassifier(small_vae(), epochs=0, random_state=0)
    lists.fit([text.split() for text in X[:80]], y[:80])
    pieces = ExplanationDisplay.from_estimator(lists, ["a", "dull", "cast"]).pieces
    assert [piece for piece, _ in pieces] == ["a", " ", "dull", " ", "cast"]
    assert pieces[2][1] != 0
    with pytest.raises(TypeError, match="text is a str; expected one text, as a list"):
        ExplanationDisplay.from_estimator(lists, "a dull cast")


def test_a_picture_is_of_one_text_and_of_a_classifier(classifier, bow_vae, reviews):
    X = reviews[0]
    with pytest.raises(TypeError, match="text is a list; expected one text, as a str"):
        ExplanationDisplay.from_estimator(classifier, [X[0]])
    with pytest.raises(TypeError, match="estimator is a TextVAETransformer; expected a TextVAEClassifier"):
        ExplanationDisplay.from_estimator(bow_vae, X[0])
    with pytest.raises(ValueError, match="explanation is about 2 texts; expected the rows of one"):
        ExplanationDisplay(classifier.explain(X[:2])).plot()
    with pytest.raises(ValueError, match="n_contributions=0"):
        ExplanationDisplay.from_estimator(classifier, X[0], n_contributions=0)


def test_many_long_texts_are_explained_one_by_one(classifier, reviews):
    X = [" ".join(reviews[0][start : start + 20]) for start in range(0, 140, 20)]
    together = classifier.explain(X, y=1, n_contributions=5)
    alone = pd.concat([classifier.explain([text], y=1, n_contributions=5) for text in X], ignore_index=True)
    pd.testing.assert_frame_equal(
        together.drop(columns="document"), alone.drop(columns="document"), atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize(
    ("analyzer", "names"),
    [
        ("word", {"dull", "is dull", "dull!", "-a"}),
        ("char", {"d", "du", "dul", " du", "l!", "s d", "-"}),
        ("bpe", {"is dull"}),
    ],
)
def test_an_ngram_is_named_as_it_stands_in_the_text(analyzer, names):
    texts, y = make_reviews(60, random_state=0)
    texts = [f"{text} it is dull! x-a" for text in texts]
    vae = TextVAETransformer(
        4, decoder="bow", epochs=1, ngram_dim=None, tokenizer=TextTokenizer(analyzer=analyzer)
    )
    classifier = TextVAEClassifier(vae, epochs=0, ngram_range=(1, 3), random_state=0).fit(texts, y)
    frame = classifier.explain(["it is dull! x-a"], n_contributions=1_000, merge_ngrams=False)
    found = set(frame[frame["part"] == "ngram"]["name"])
    assert names <= found
    assert not any("▁" in name or "￭" in name for name in found)


def test_what_rounding_leaves_is_no_rest(classifier, reviews):
    frame = classifier.explain(reviews[0][:20], n_contributions=10_000)
    rest = frame[frame["part"] == "rest"]
    assert (rest[["contribution", "lexical", "latent"]] == 0).all(axis=None)


@pytest.mark.parametrize(
    ("analyzer", "names"), [("word", {"[UNK]", "dull [UNK]"}), ("char", {"[UNK]", "l[UNK]", " d"})]
)
def test_an_ngram_with_an_unknown_token_has_a_name(analyzer, names):
    tokenizer = TextTokenizer(analyzer=analyzer).fit([f"{text} it is dull" for text in make_reviews(60)[0]])
    ids = tokenizer.transform(["it is dull 字" if analyzer == "word" else "it is dull字"])[0]
    ids = ids[ids > 0]
    spans = [ids[start:end] for start in range(len(ids)) for end in range(start + 1, len(ids) + 1)]
    found = {tokenizer._phrase(span) for span in spans}
    assert names <= found
    assert "" not in found
