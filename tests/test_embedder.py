"""What a model of the user's knows, beside what the texts teach."""

import copy
import pickle
import threading
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
from skvae.datasets import make_reviews
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
    asked = Counter(set(X)) + Counter(set(X[:5]))
    assert encoder.asked == asked
    assert classifier.score(X[60:], y[60:]) > 0.95
    assert encoder.asked == asked + Counter(set(X[60:]))


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
    assert (classifier.vae_.embedder is embedder) == (not hasattr(embedder, "get_params"))
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


def test_going_on_with_another_embedder_is_an_error(reviews):
    X, y = reviews
    vae = small_vae(embedder=letters, warm_start=True, random_state=0).fit(X)
    message = "warm_start continues with the embedder of the last fit; set it back, or set warm_start=False"
    vae.set_params(embedder=Embedder())
    with pytest.raises(ValueError, match=message):
        vae.fit(X)
    vae.set_params(embedder=letters).fit(X)
    again = pickle.loads(pickle.dumps(vae)).fit(X)
    with pytest.raises(ValueError, match=message):
        again.set_params(embedder=Embedder()).fit(X)
    embedder = FunctionTransformer(letters)
    classifier = TextVAEClassifier(small_vae(embedder=embedder), epochs=0, warm_start=True, random_state=0)
    classifier.fit(X, y).fit(X, y)
    with pytest.raises(ValueError, match=message):
        classifier.set_params(vae__embedder=Embedder()).fit(X, y)


def test_copies_and_warm_starts_need_no_file(reviews):
    X, y = reviews
    vae = small_vae(
        embedder=lambda texts: letters(texts), tokenizer=TextTokenizer(analyzer=lambda text: text.split())
    )
    classifier = TextVAEClassifier(vae, epochs=1, warm_start=True, random_state=0).fit(X, y)
    expected = classifier.predict_proba(X)
    copied = copy.copy(classifier)
    classifier.fit(X, y)
    assert classifier.vae_.n_iter_ == 2
    assert (classifier.predict_proba(X) != expected).any()
    np.testing.assert_array_equal(copied.predict_proba(X), expected)
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(classifier)


def test_a_fit_draws_once_from_a_random_state(reviews):
    X, _ = reviews
    left = []
    for embedder in (None, letters):
        random = np.random.RandomState(0)
        small_vae(embedder=embedder, random_state=random).fit(X)
        left.append(random.randint(1_000_000))
    assert left[0] == left[1]


def test_texts_of_unknown_words_are_told_apart_by_their_embeddings(reviews):
    X, _ = reviews
    vae = FrozenEstimator(small_vae(embedder=letters, random_state=0).fit(X))
    # All words are unknown, so all texts have the same token ids.
    unknown = [f"{letter * 4}{'xz' * number} zz" for letter in "aq" for number in range(30)]
    y = np.repeat([0, 1], 30)
    classifier = TextVAEClassifier(vae, random_state=0).fit(unknown, y)
    assert classifier.score(unknown, y) == 1
    # Copies count as weight, whatever stands between them.
    copied = TextVAEClassifier(vae, random_state=0).fit([*unknown, *unknown[::-1]], [*y, *y[::-1]])
    weighted = TextVAEClassifier(vae, random_state=0).fit(unknown, y, sample_weight=np.full(60, 2.0))
    np.testing.assert_allclose(
        copied.predict_proba(unknown), weighted.predict_proba(unknown), rtol=1e-4, atol=1e-6
    )


class WithConstants(Encoder):
    """Knows labels; its other columns are constants, whose means are rounded."""

    def encode(self, texts):
        return [[self.known.get(text, 0.5), *np.arange(1, 30) / 10 + self.width] for text in texts]


def test_a_constant_column_of_an_embedding_is_no_feature():
    X, _ = make_reviews(400, random_state=0)
    y = np.random.default_rng(5).integers(0, 2, len(X))
    embedder = WithConstants(dict(zip(X, y.tolist(), strict=True)), width=0)
    classifier = TextVAEClassifier(small_vae(embedder=embedder), epochs=0, random_state=0).fit(X, y)
    assert classifier.score(X, y) > 0.95
    before = classifier.decision_function(X)
    embedder.width = 0.1
    # The encoder sees that something has changed; the head has learned nothing of it.
    assert np.abs(classifier.decision_function(X) - before).max() < np.abs(before).mean()


def test_an_embedder_that_knows_nothing(reviews):
    X, _ = reviews
    embedder = WithConstants({}, width=0)
    vae = small_vae(embedder=embedder, epochs=1, random_state=0).fit(X)
    embedder.width = 0.1
    assert np.abs(vae.transform(X)).max() < 100


class Locked:
    """Cannot be copied, as a client of a server or a session of another runtime."""

    def __init__(self):
        self.lock = threading.Lock()

    def encode(self, texts):
        return letters(texts)


def test_an_embedder_that_cannot_be_copied(reviews):
    X, y = reviews
    classifier = TextVAEClassifier(small_vae(embedder=Locked()), epochs=0, random_state=0).fit(X, y)
    assert classifier.score(X, y) > 0.9
    again = clone(classifier)
    assert again.vae.embedder is classifier.vae.embedder
    # Another estimator is copied, since its parameters can be set.
    vae = small_vae(embedder=FunctionTransformer(letters))
    assert clone(vae).embedder is not vae.embedder


def test_random_embedders_follow_the_seed_of_the_fit(reviews):
    X, _ = reviews
    embedder = make_pipeline(TfidfVectorizer(), TruncatedSVD(8))
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    vaes = [small_vae(embedder=embedder, random_state=0).fit(X) for _ in range(2)]
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    np.testing.assert_array_equal(*(vae.transform(X) for vae in vaes))
    assert embedder[-1].random_state is None


def test_an_encoder_that_returns_the_same_array_each_time(reviews, monkeypatch):
    X, _ = reviews
    monkeypatch.setattr("skvae._texts.embedding._TEXTS_PER_CALL", 2)
    buffer = np.zeros((2, 26), dtype=np.float32)

    def encode(texts):
        buffer[: len(texts)] = letters(texts)
        return buffer[: len(texts)]

    vaes = [small_vae(embedder=each, random_state=0).fit(X) for each in (encode, letters)]
    np.testing.assert_array_equal(*(vae.transform(X) for vae in vaes))


def test_an_embedder_that_yields_its_vectors(reviews):
    X, _ = reviews
    vaes = [
        small_vae(embedder=each, random_state=0).fit(X)
        for each in (lambda texts: (row for row in letters(texts)), letters)
    ]
    np.testing.assert_array_equal(*(vae.transform(X) for vae in vaes))


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
            r"Faulty, returned an array of shape \(158,\) for 158 different texts; expected \(158, n_dims\)",
        ),
        (lambda texts: np.zeros((3, 4)), ValueError, r"shape \(3, 4\) for 158 different texts"),
        (lambda texts: np.zeros((len(texts), 0)), ValueError, r"shape \(158, 0\)"),
        (
            lambda texts: np.full((len(texts), 2), np.nan),
            ValueError,
            "returned NaN or infinity for 158 of 158 different texts, the first of which is '",
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
        ("all-MiniLM-L6-v2", "embedder is the str 'all-MiniLM-L6-v2'; pass the loaded model itself"),
        (Path("glove.txt"), r"embedder is the .*Path '.*glove.txt'; pass the loaded model itself"),
    ],
    ids=["int", "class", "mapping", "name", "path"],
)
def test_what_is_no_embedder(embedder, message, reviews):
    with pytest.raises(TypeError, match=message):
        small_vae(embedder=embedder).fit(reviews[0])


def test_another_width_than_in_fit_is_an_error(reviews):
    X, _ = reviews
    vae = small_vae(embedder=Encoder({}), random_state=0).fit(X)
    vae._autoencoder.embedder.model.width = 5
    with pytest.raises(
        ValueError,
        match=r"Encoder, returned an array of shape \(2, 5\) for 2 different texts; expected \(2, 3\)",
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
    assert "[TextVAETransformer] embedding of 158 different texts, part 1/1: " in capsys.readouterr().out


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


def test_clones_of_word_vectors_keep_what_was_configured():
    class Own(WordVectors):
        pass

    embedder = Own(WORDS).set_output(transform="pandas")
    again = clone(embedder)
    assert type(again) is Own
    assert again.fit_transform(TEXTS).columns.tolist() == ["own0", "own1", "own2"]


def test_fitted_word_vectors_are_copied_after_other_vectors_were_set():
    embedder = WordVectors(WORDS).fit(TEXTS)
    expected = embedder.transform(TEXTS)
    embedder.set_params(vectors={"other": [1.0, 2.0]})
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(embedder)).transform(TEXTS), expected)


def test_many_word_vectors_are_not_printed():
    class Counting(dict):
        n_read = 0

        def items(self):
            self.n_read += 1
            return super().items()

        def __iter__(self):
            self.n_read += 1
            return super().__iter__()

    vectors = Counting({f"word{number}": np.zeros(300) for number in range(2_000)})
    vae = small_vae(embedder=WordVectors(vectors))
    assert "<2,000 words>" in repr(vae)
    assert "2,000 words" in vae._repr_html_()
    assert len(repr(make_pipeline(vae))) < 10_000
    assert vectors.n_read == 0
    assert vae.embedder.vectors is vectors
    assert clone(vae).embedder.vectors is vectors
    given = vae.get_params()["embedder__vectors"]
    assert given["word7"] is vectors["word7"]
    assert small_vae(embedder=WordVectors(given)).embedder.fit(["word1"]).vocabulary_ == {"word1": 0}


def test_word_vectors_of_one_dimension_or_of_one_text():
    lexicon = {"good": [1.0], "bad": [-1.0]}
    embedded = WordVectors(lexicon).fit(["good film", "bad film", "good"]).transform(["good", "bad"])
    assert embedded[0] > 0 > embedded[1]
    assert np.abs(WordVectors(WORDS).fit(["the good film"]).transform(["good"])).max() > 0


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
