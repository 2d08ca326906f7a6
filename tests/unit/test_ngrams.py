"""TF-IDF from token ids, held against scikit-learn's from strings."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from skvae._texts.corpus import Corpus
from skvae._texts.ids import FIRST_TOKEN_ID
from skvae._texts.ngrams import NgramFeatures, TokenPairs

WORDS = np.array(["", "?", ".", "a", "b", "c", "d", "e"])


def corpus_of(documents):
    ids = np.array([token for document in documents for token in document], dtype=np.int32)
    return Corpus.from_lengths(ids, np.array([len(document) for document in documents]))


def names_of(ngrams, tokens):
    """All n-grams, their tokens joined by spaces."""
    ids = ngrams.token_ids(np.arange(ngrams.n_features))
    return np.array([" ".join(str(tokens[each]) for each in own) for own in ids], dtype=object)


@pytest.fixture
def documents():
    random = np.random.default_rng(0)
    return [random.integers(FIRST_TOKEN_ID, len(WORDS), size=size).tolist() for size in (1, 5, 9, 30, 12)]


@pytest.mark.parametrize("ngram_range", [(1, 1), (1, 2), (2, 3)])
def test_weights_are_those_of_scikit_learn(ngram_range, documents):
    features = NgramFeatures(ngram_range)
    weights = features.fit_transform(corpus_of(documents), len(WORDS)).toarray()
    names = names_of(features, WORDS)
    plain = TfidfVectorizer(ngram_range=ngram_range, sublinear_tf=True, analyzer="word", token_pattern=r"\w+")
    texts = [" ".join(WORDS[document]) for document in documents]
    expected = plain.fit_transform(texts).toarray()
    order = [plain.vocabulary_[name] for name in names]
    assert sorted(order) == list(range(expected.shape[1]))
    np.testing.assert_allclose(weights, expected[:, order], rtol=1e-5)
    new = [[3, 3, 4], [7]]
    np.testing.assert_allclose(
        features.transform(corpus_of(new)).toarray(),
        plain.transform([" ".join(WORDS[document]) for document in new]).toarray()[:, order],
        rtol=1e-5,
    )


def test_reserved_ids_break_ngrams_and_stop_words_do_not():
    features = NgramFeatures((2, 2))
    features.fit_transform(corpus_of([[3, 1, 4, 5]]), len(WORDS))
    assert names_of(features, WORDS).tolist() == ["b c"]
    features.fit_transform(corpus_of([[3, 4, 5]]), len(WORDS), np.array([4]))
    assert names_of(features, WORDS).tolist() == ["a c"]


@pytest.mark.parametrize("shortest", [1, 2])
def test_of_many_ngrams_those_in_the_most_documents_are_kept(documents, monkeypatch, shortest):
    everything = NgramFeatures((shortest, 3))
    weights = everything.fit_transform(corpus_of(documents), len(WORDS))
    frequency = np.bincount(weights.indices, minlength=everything.n_features)
    limit = int((frequency > 1).sum())
    monkeypatch.setattr("skvae._texts.ngrams._MAX_FEATURES", limit)
    features = NgramFeatures((shortest, 3))
    some = features.fit_transform(corpus_of(documents), len(WORDS))
    assert 0 < features.n_features == some.shape[1] == limit < everything.n_features
    names, kept = (names_of(each, WORDS) for each in (everything, features))
    assert kept.tolist() == names[frequency > 1].tolist()
    np.testing.assert_allclose(np.linalg.norm(some.toarray(), axis=1), some.toarray().any(axis=1), rtol=1e-5)


def test_pairs_are_added_up():
    one = TokenPairs(np.array([0, 0, 2, 3]), np.array([0, 2, 1]), np.array([[1.0], [2.0], [3.0]], np.float32))
    other = TokenPairs(np.array([0, 1, 2, 2]), np.array([1, 2]), np.array([[10.0], [20.0]], np.float32))
    total = one + other
    found = {
        (first, int(second)): float(weight[0])
        for first in range(3)
        for second, weight in zip(*total.after(first), strict=True)
    }
    assert found == {(0, 1): 10.0, (1, 0): 1.0, (1, 2): 22.0, (2, 1): 3.0}
