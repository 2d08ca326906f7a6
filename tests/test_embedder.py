"""What a model of the user's knows, beside what the texts teach."""

import pickle
from collections import Counter
from pathlib import Path

import joblib
import numpy as np
import pytest
import skops.io
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skvae import TextTokenizer, TextVAEClassifier, WordVectors
from tests.conftest import small_vae


def letters(texts):
    """How often each letter occurs."""
    return np.array([[text.lower().count(chr(97 + letter)) for letter in range(26)] for text in texts], float)


class Encoder:
    """Knows the label of some texts, as a pre-trained model may."""

    def __init__(self, known, width=3):
        self.known, self.width = known, width
        self.asked = Counter()

    def __deepcopy__(self, memo):
        return self

    def encode(self, texts):
        assert all(type(text) is str for text in texts)
        self.asked.update(texts)
        random = np.random.default_rng(0).normal(size=self.width)
        return [[2.0 * self.known.get(text, 0.5), *random[1:]] for text in texts]


class Embedder:
    def embed(self, texts):
        return letters(texts)


@pytest.fixture(scope="module")
def knowing(reviews):
    """Labels without meaning for the words, which the embedder knows."""
    X, _ = reviews
    y = np.random.default_rng(5).integers(0, 2, len(X))
    return X, y, dict(zip(X, y.tolist(), strict=True))


@pytest.fixture(scope="module")
def embedded(knowing):
    X, y, known = knowing
    vae = small_vae(embedder=Encoder(known), random_state=0)
    return TextVAEClassifier(vae, random_state=0).fit(X[:100], y[:100], X_unlabeled=X[100:])


def test_the_class_head_learns_to_trust_what_the_embedder_knows(knowing, embedded):
    X, y, _ = knowing
    assert set(embedded.term_weights_) == {"lexical", "latent", "vector", "embedding"}
    assert embedded.term_weights_["embedding"] > 1
    assert embedded.score(X[100:], y[100:]) > 0.95
    alone = clone(embedded).set_params(vae__embedder=None).fit(X[:100], y[:100], X_unlabeled=X[100:])
    assert alone.score(X[100:], y[100:]) < 0.7


def test_each_text_is_embedded_once_in_a_fit(knowing, monkeypatch):
    X, y, known = knowing
    monkeypatch.setattr("skvae._texts.embedding._TEXTS_PER_CALL", 50)
    encoder = Encoder(known)
    classifier = TextVAEClassifier(small_vae(embedder=FunctionTransformer(encoder.encode)), random_state=0)
    classifier.fit(X[:60], y[:60], X_unlabeled=X[60:], X_val=X[:5], y_val=y[:5])
    occurrences = Counter([*X, *X[:5]])
    assert encoder.asked == occurrences
    assert classifier.score(X[60:], y[60:]) > 0.95
    assert encoder.asked == occurrences + Counter(X[60:])


def test_a_margin_names_the_embedding(knowing, embedded):
    X, _, _ = knowing
    frame = embedded.explain(X[:4], n_contributions=10_000)
    rows = frame[frame["part"] == "embedding"]
    assert rows["document"].tolist() == [0, 1, 2, 3]
    assert set(rows["name"]) == {""}
    margins = frame[frame["part"] == "margin"]["contribution"].to_numpy()
    assert (np.abs(rows["contribution"]) > 0.5 * np.abs(margins)).all()
    # Directly, and through the encoder.
    assert (rows[["embedding", "latent"]].abs() > 1e-4).all(axis=None)
    rest = frame[frame["part"] == "rest"]["contribution"]
    np.testing.assert_allclose(rest, 0, atol=1e-4)
    # Counted from the average training text.
    everything = embedded.explain(X, y=1, n_contributions=10_000)
    added = everything[everything["part"] == "embedding"]["embedding"]
    assert added.mean() == pytest.approx(0, abs=1e-3)


def test_latents_know_what_the_embedder_knows(knowing):
    X, _, known = knowing
    options = {"decoder": "bow", "ngram_dim": None, "epochs": 3, "random_state": 0}
    plain = small_vae(**options).fit(X)
    encoder = Encoder(known)
    read = small_vae(embedder=encoder, **options).fit(X)
    assert read.encoder_.input_shape[1] == (None, 3)
    documents = read._autoencoder.prepare(read._autoencoder.read(X))
    inputs = [np.log1p(documents.counts.toarray()), documents.embeddings]
    np.testing.assert_allclose(read.encoder_(inputs)[0].numpy(), read.transform(X), atol=1e-4)
    other = Encoder({text: 1 - label for text, label in known.items()})
    moved = pickle.loads(pickle.dumps(read))
    moved._autoencoder.embedder.model = other
    assert np.abs(moved.transform(X) - read.transform(X)).max() > 0.05
    assert not isinstance(plain.encoder_.input_shape, list)


@pytest.mark.parametrize(
    "embedder",
    [
        letters,
        Embedder(),
        FunctionTransformer(letters),
        make_pipeline(TfidfVectorizer(), TruncatedSVD(4, random_state=0)),
    ],
    ids=["function", "embed", "transformer", "pipeline"],
)
def test_kinds_of_embedders(embedder, reviews, tmp_path):
    X, y = reviews
    classifier = TextVAEClassifier(small_vae(embedder=embedder), epochs=0, random_state=0)
    classifier.fit(X[:40], y[:40], X_unlabeled=X[40:])
    assert classifier.score(X, y) > 0.9
    assert (classifier.vae_.embedder is embedder) == (embedder is letters)
    joblib.dump(classifier, tmp_path / "classifier.joblib")
    again = joblib.load(tmp_path / "classifier.joblib", mmap_mode="r")
    np.testing.assert_array_equal(again.predict_proba(X[:9]), classifier.predict_proba(X[:9]))
    # One text or many, the same answer.
    np.testing.assert_allclose(
        np.concatenate([again.predict_proba([text]) for text in X[:9]]), again.predict_proba(X[:9]), atol=1e-6
    )


@pytest.mark.parametrize("encoder", ["bow", "bilstm"])
def test_a_fitted_embedder_in_a_frozen_autoencoder(encoder, reviews):
    X, y = reviews
    vae = small_vae(encoder=encoder, embedder=letters, random_state=0).fit(X)
    frozen = TextVAEClassifier(FrozenEstimator(vae), random_state=0).fit(X[:80], y[:80])
    assert "embedding" in frozen.term_weights_
    np.testing.assert_array_equal(frozen.transform(X), vae.transform(X))
    frozen.partial_fit(X[80:], y[80:])
    assert frozen.score(X, y) > 0.9


def test_going_on_reads_with_the_same_embedder(reviews):
    X, _ = reviews
    vae = small_vae(
        embedder=make_pipeline(TfidfVectorizer(), TruncatedSVD(4, random_state=0)),
        warm_start=True,
        random_state=0,
    )
    first = vae.fit(X)._autoencoder.embedder
    assert vae.fit(X)._autoencoder.embedder is first
    vae.partial_fit(X[:20])
    assert vae._autoencoder.embedder is first
    vae.set_params(embedder=None)
    with pytest.raises(
        ValueError, match="warm_start continues from a network with an embedder; set embedder back"
    ):
        vae.fit(X)


def test_texts_are_written_with_an_embedder(reviews):
    X, y = reviews
    writer = TextVAEClassifier(small_vae(embedder=letters, decoder="gru"), epochs=0, random_state=0).fit(X, y)
    assert writer.sample(3, y=1).shape == (3,)
    assert writer.rewrite(X[:2], 0).shape == (2,)


class Faulty:
    def __init__(self, output):
        self.output = output

    def encode(self, texts):
        return self.output(texts)


@pytest.mark.parametrize(
    ("output", "error", "message"),
    [
        (
            lambda texts: np.zeros(len(texts)),
            ValueError,
            r"Faulty, returned an array of shape \(160,\) for 160 texts; expected \(160, n_dims\)",
        ),
        (lambda texts: np.zeros((3, 4)), ValueError, r"shape \(3, 4\) for 160 texts"),
        (lambda texts: np.zeros((len(texts), 0)), ValueError, r"shape \(160, 0\)"),
        (
            lambda texts: np.full((len(texts), 2), np.nan),
            ValueError,
            "returned NaN or infinity for 160 of 160 texts, the first at position 0",
        ),
        (
            lambda texts: ["no numbers"] * len(texts),
            TypeError,
            "returned a list that is not an array of numbers",
        ),
        (lambda texts: None, ValueError, r"returned an array of shape \(\)"),
    ],
    ids=["1-D", "rows", "no columns", "NaN", "strings", "None"],
)
def test_faulty_embedders_are_named(output, error, message, reviews):
    vae = small_vae(embedder=Faulty(output))
    with pytest.raises(error, match=message):
        vae.fit(reviews[0])
    assert not hasattr(vae, "n_iter_")


@pytest.mark.parametrize(
    ("embedder", "message"),
    [
        (
            3,
            "embedder is a int; expected a scikit-learn transformer, an object with a method encode or embed",
        ),
        (Embedder, "embedder=Embedder is a class; pass an object of it"),
        ({"good": [1.0]}, "which has vectors of words; pass skvae.WordVectors"),
    ],
    ids=["int", "class", "mapping"],
)
def test_what_is_no_embedder(embedder, message, reviews):
    with pytest.raises(TypeError, match=message):
        small_vae(embedder=embedder).fit(reviews[0])


def test_another_width_than_in_fit_is_an_error(reviews):
    X, _ = reviews
    vae = small_vae(embedder=Encoder({}), random_state=0).fit(X)
    vae._autoencoder.embedder.model.width = 5
    with pytest.raises(
        ValueError, match=r"Encoder, returned an array of shape \(2, 5\) for 2 texts; expected \(2, 3\)"
    ):
        vae.transform(X[:2])


def test_token_ids_have_no_text_to_embed(reviews):
    X, _ = reviews
    ids = TextTokenizer(max_length=8).fit_transform(X)
    with pytest.raises(ValueError, match="X holds token ids, but the embedder reads texts"):
        small_vae(embedder=letters).fit(ids)
    fitted = small_vae(embedder=letters, random_state=0).fit(X)
    with pytest.raises(ValueError, match="X holds token ids, but the embedder reads texts"):
        fitted.transform(fitted.tokenizer_.transform(X[:2]))


def test_an_embedder_that_cannot_be_pickled_is_named(reviews):
    vae = small_vae(embedder=lambda texts: letters(texts), random_state=0).fit(reviews[0])
    with pytest.raises(
        TypeError, match=r"the embedder, the function .*<lambda>, cannot be pickled .* __reduce__"
    ):
        pickle.dumps(vae)


def test_progress_is_told(reviews, capsys):
    small_vae(embedder=letters, verbose=1, epochs=1, random_state=0).fit(reviews[0])
    assert "[TextVAETransformer] embedding of 160 texts, part 1/1: " in capsys.readouterr().out


def test_lists_of_tokens_are_joined(reviews):
    X, _ = reviews
    lists = [text.split() for text in X]
    encoder = Encoder({})
    small_vae(embedder=encoder, random_state=0).fit(lists)
    assert set(encoder.asked) == {" ".join(each) for each in lists}


# Word vectors

WORDS = {
    "good": [1.0, 0.0, 0.2],
    "bad": [-1.0, 0.0, 0.1],
    "film": [0.0, 1.0, 0.0],
    "the": [0.3, 0.3, 0.3],
    "Unused": [9, 9, 9],
}
TEXTS = ["the good film", "The bad film", "good, good", "no one"]


class KeyedVectors:
    """The attributes of gensim's class."""

    def __init__(self, vectors):
        self.key_to_index = {word: row for row, word in enumerate(vectors)}
        self.vectors = np.array(list(vectors.values()))


@pytest.mark.parametrize(
    "given",
    [WORDS, KeyedVectors(WORDS), (list(WORDS), np.array(list(WORDS.values())))],
    ids=["mapping", "gensim", "tuple"],
)
def test_word_vectors_are_weighted_means_without_the_common_direction(given):
    embedder = WordVectors(given, smoothing=0.01).fit(TEXTS)
    assert set(embedder.vocabulary_) == {"good", "bad", "film", "the"}
    # A comma, "no" and "one" have no vector.
    assert embedder.coverage_ == pytest.approx(8 / 11)
    frequency = {"good": 3 / 11, "bad": 1 / 11, "film": 2 / 11, "the": 2 / 11}
    weighted = {word: np.array(WORDS[word]) * 0.01 / (0.01 + share) for word, share in frequency.items()}
    means = np.array(
        [
            np.mean([weighted["the"], weighted["good"], weighted["film"]], axis=0),
            np.mean([weighted["the"], weighted["bad"], weighted["film"]], axis=0),
            weighted["good"],
            np.zeros(3),
        ]
    )
    common = np.linalg.svd(means)[2][0]
    np.testing.assert_allclose(embedder.transform(TEXTS), means - np.outer(means @ common, common), atol=1e-5)
    again = pickle.loads(pickle.dumps(embedder))
    assert set(again.vectors[0]) == set(embedder.vocabulary_)
    np.testing.assert_array_equal(again.transform(TEXTS), embedder.transform(TEXTS))
    np.testing.assert_array_equal(again.fit(TEXTS).transform(TEXTS), embedder.transform(TEXTS))
    assert clone(embedder).vectors is given
    assert embedder.get_feature_names_out().tolist() == ["wordvectors0", "wordvectors1", "wordvectors2"]


def test_word_vectors_as_an_embedder(reviews):
    X, y = reviews
    words = sorted({word for text in X for word in text.lower().split()})
    vectors = np.random.default_rng(0).normal(size=(len(words), 8))
    classifier = TextVAEClassifier(
        small_vae(embedder=WordVectors((words, vectors))), epochs=0, random_state=0
    ).fit(X, y)
    assert classifier.score(X, y) > 0.9
    assert "embedding" in classifier.term_weights_


@pytest.mark.filterwarnings("error")
def test_word_vectors_that_hardly_fit_the_texts():
    with pytest.warns(UserWarning, match="only 25% of the words of X have a vector"):
        WordVectors({"one": [1.0]}).fit(["one two three four"])
    with pytest.raises(ValueError, match="none of the 2 different words of X has a vector"):
        WordVectors({"eins": [1.0]}).fit(["one two"])


@pytest.mark.parametrize(
    ("vectors", "error", "message"),
    [
        ([1.0], TypeError, "vectors is a list; expected a mapping"),
        (
            {"a": [1.0], "b": [1.0, 2.0]},
            ValueError,
            r"vectors have the shapes \[\(1,\), \(2,\)\]; expected 1-D arrays of one length",
        ),
        ({"a": 1.0}, ValueError, "expected 1-D arrays"),
        ({"a": [np.nan]}, ValueError, "the vector of 'a' holds NaN"),
        ((["a"], np.ones((2, 3))), ValueError, r"holds 1 words and an array of shape \(2, 3\)"),
    ],
    ids=["list", "lengths", "numbers", "NaN", "rows"],
)
def test_faulty_word_vectors(vectors, error, message):
    embedder = WordVectors(vectors)
    with pytest.raises(error, match=message):
        embedder.fit(["a b"])
    assert not vars(embedder).keys() - {"vectors", "smoothing"}
    with pytest.raises(ValueError, match="smoothing=0; expected a finite number above 0"):
        WordVectors(WORDS, smoothing=0).fit(TEXTS)


@pytest.fixture(scope="module")
def lettered(reviews):
    X, y = reviews
    vae = small_vae(embedder=FunctionTransformer(letters), passthrough=True)
    return TextVAEClassifier(vae, random_state=0).fit(X[:100], y[:100], X_unlabeled=X[100:])


def test_a_pipeline_for_serving_holds_the_embedder(lettered, reviews):
    X, _ = reviews
    pipeline = lettered.to_pipeline()
    assert pipeline[0].get_feature_names_out().tolist() == ["latent", "lexical", "vector", "embedding"]
    expected = lettered.predict_proba(X)
    np.testing.assert_array_equal(pipeline.predict_proba(X), expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(pipeline)).predict_proba(X), expected)


def test_skops_asks_to_trust_what_the_embedder_is_made_of(lettered, reviews):
    stored = skops.io.dumps(lettered)
    untrusted = skops.io.get_untrusted_types(data=stored)
    assert f"{letters.__module__}.letters" in untrusted
    again = skops.io.loads(stored, trusted=untrusted)
    np.testing.assert_array_equal(again.predict_proba(reviews[0]), lettered.predict_proba(reviews[0]))


def test_embeddings_are_handed_on_beside_the_latents(lettered, reviews):
    X, _ = reviews
    features = lettered.vae_.transform(X)
    names = lettered.vae_.get_feature_names_out().tolist()
    assert names[-27:-25] == ["ngrams63", "embedding0"]
    assert features.shape == (len(X), len(names))
    # Centred and scaled, but otherwise what the embedder returned.
    counts = letters(X)
    moved = features[:, -26:] - features[:1, -26:]
    given = counts - counts[:1]
    scale = np.linalg.norm(moved) / np.linalg.norm(given)
    np.testing.assert_allclose(moved, scale * given, atol=1e-4)


class Table:
    """Vectors in one large array, which pickle writes out of line."""

    def __init__(self):
        self.vectors = np.random.default_rng(0).normal(size=(20_000, 32)).astype(np.float32)

    def embed(self, texts):
        return self.vectors[[len(text) for text in texts]]


def test_an_embedder_of_a_large_array_is_stored(reviews, tmp_path):
    X, _ = reviews
    vae = small_vae(embedder=Table()).fit(X)
    joblib.dump(vae, tmp_path / "vae.joblib")
    for again in (pickle.loads(pickle.dumps(vae)), joblib.load(tmp_path / "vae.joblib")):
        np.testing.assert_array_equal(again.transform(X), vae.transform(X))


def test_static_vectors_of_english(reviews, tmp_path):
    wordllama = pytest.importorskip("wordllama", reason="in the extra 'test'; has no wheel for some Pythons")
    folder = Path(wordllama.__file__).parent
    model = wordllama.WordLlama.load(cache_dir=folder, disable_download=True)
    X, y = reviews
    classifier = TextVAEClassifier(small_vae(embedder=model), random_state=0).fit(X[:60], y[:60])
    joblib.dump(classifier, tmp_path / "classifier.joblib")
    again = joblib.load(tmp_path / "classifier.joblib")
    np.testing.assert_array_equal(again.predict_proba(X), classifier.predict_proba(X))
    assert classifier.term_weights_.keys() == {"latent", "lexical", "vector", "embedding"}
    assert "embedding" in set(classifier.explain(X[:2], n_contributions=100)["part"])


def kind_by_length(texts):
    """Three far points, by something that no word tells."""
    return np.eye(3)[[len(text) % 3 for text in texts]]


def test_latents_tell_what_the_embedding_tells(reviews):
    X = list(reviews[0])
    kinds = np.array([len(text) % 3 for text in X])
    vae = small_vae(embedder=kind_by_length, epochs=20, learning_rate=1e-2, batch_size=16).fit(X)
    nearest = NearestNeighbors(n_neighbors=6).fit(vae.transform(X)).kneighbors(return_distance=False)
    # A third by chance.
    assert (kinds[nearest] == kinds[:, None]).mean() > 0.9
    assert vae.history_["nll_embedding"][-1] < 0.5 * vae.history_["nll_embedding"][0]
