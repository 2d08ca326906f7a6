"""Vectors of n-grams and of documents, on token ids."""

import copy

import numpy as np
import pytest
import scipy.sparse as sp

import skvae._texts.ngram_training as training
import skvae._texts.ngram_vectors as ngram_vectors
from skvae._base.progress import Progress
from skvae._texts.corpus import Corpus
from skvae._texts.ngram_training import train_vectors
from skvae._texts.ngram_vectors import NgramVectors
from skvae._texts.ngrams import Ngrams

from .test_ngrams import names_of

N_TOKENS = 63


def corpus_of(documents):
    ids = np.array([token for document in documents for token in document], dtype=np.int32)
    return Corpus.from_lengths(ids, np.array([len(document) for document in documents], dtype=np.int64))


@pytest.fixture(scope="module")
def topics():
    """Documents that take their tokens from one of two halves, and the half of each."""
    random = np.random.default_rng(0)
    halves = np.arange(200) % 2
    return corpus_of(
        [3 + 30 * half + random.integers(0, 30, random.integers(5, 30)) for half in halves]
    ), halves


@pytest.fixture(scope="module")
def fitted(topics):
    return NgramVectors(8).fit(topics[0], N_TOKENS, seed=0)


def test_frequent_ngrams_are_counted_in_documents():
    corpus = corpus_of([[5, 6, 7, 5, 6], [5, 6, 7], [6, 7, 9], [9, 9, 9]])
    ngrams = Ngrams((1, 3))
    frequency = ngrams.find_frequent(corpus, N_TOKENS, min_df=2, max_features=100)
    names = names_of(ngrams, np.arange(N_TOKENS).astype(object))
    assert dict(zip(names, frequency, strict=True)) == {
        "5": 2,
        "6": 3,
        "7": 3,
        "9": 2,
        "5 6": 2,
        "6 7": 3,
        "5 6 7": 2,
    }
    np.testing.assert_array_equal(
        ngrams.counts(corpus).toarray()[0],
        [{"5": 2, "6": 2, "9": 0, "5 6": 2}.get(name, 1) for name in names],
    )


@pytest.mark.parametrize(
    ("largest", "kept"), [(6, {"6", "7", "6 7"}), (7, None), (3, {"6", "7", "6 7"}), (2, set())]
)
def test_the_number_of_ngrams_is_limited_by_document_frequency(largest, kept):
    corpus = corpus_of([[5, 6, 7, 5, 6], [5, 6, 7], [6, 7, 9], [9, 9, 9]])
    ngrams, everything = Ngrams((1, 3)), Ngrams((1, 3))
    ngrams.find_frequent(corpus, N_TOKENS, min_df=2, max_features=largest)
    everything.find_frequent(corpus, N_TOKENS, min_df=2, max_features=100)
    tokens = np.arange(N_TOKENS).astype(object)
    names = names_of(ngrams, tokens)
    all_names = names_of(everything, tokens)
    assert set(names) == (set(all_names) if kept is None else kept)
    columns = [all_names.tolist().index(name) for name in names]
    np.testing.assert_array_equal(
        ngrams.counts(corpus).toarray(), everything.counts(corpus).toarray()[:, columns]
    )


def expected_step(vectors, counts, step):
    """One step on all documents at once, as docs and docstring state it."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    sums = counts @ unit
    sizes = counts.sum(axis=1)
    gradient = np.zeros_like(vectors)

    def chance(logit):
        return 1 / (1 + np.exp(-logit))

    for document, own in enumerate(counts):
        others = counts.sum(axis=0) - own
        for ngram in range(len(vectors)):
            # The gradient of 6 cos in the unit vector, the document being held constant.
            if own[ngram]:
                without = sums[document] - own[ngram] * unit[ngram]
                if np.linalg.norm(without) > 1e-6:
                    direction = without / np.linalg.norm(without)
                    gradient[ngram] += own[ngram] * 6 * chance(-6 * direction @ unit[ngram]) * direction
            direction = sums[document] / np.linalg.norm(sums[document])
            drawn = 2 * sizes[document] * others[ngram] / others.sum()
            gradient[ngram] -= drawn * 6 * chance(6 * direction @ unit[ngram]) * direction
    gradient -= (gradient * unit).sum(axis=1, keepdims=True) * unit
    return vectors + step * gradient / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_a_step_is_the_gradient_of_the_loss():
    random = np.random.default_rng(1)
    counts = random.poisson(0.5, size=(9, 14)).astype(np.float32)
    # A document of a single n-gram has nothing left without it.
    counts[3] = 0
    counts[3, 5] = 2
    vectors = random.normal(size=(14, 6)).astype(np.float32)
    learned = vectors.copy()
    train_vectors(learned, sp.csr_array(counts), epochs=1, first_step=0.05, seed=0, progress=Progress())
    np.testing.assert_allclose(learned, expected_step(vectors, counts, 0.05), atol=3e-4)
    assert np.abs(learned - vectors).max() > 0.05


@pytest.mark.parametrize("n_threads", [2, 3])
def test_the_number_of_threads_does_not_matter(topics, monkeypatch, n_threads):
    ngrams = Ngrams((1, 2))
    ngrams.find_frequent(topics[0], N_TOKENS, min_df=1, max_features=10_000)
    counts = ngrams.counts(topics[0])
    first = np.random.default_rng(0).normal(size=(counts.shape[1], 8)).astype(np.float32)
    found = []
    for limit in (1, n_threads):
        vectors = first.copy()
        monkeypatch.setattr("numba.get_num_threads", lambda limit=limit: limit)
        monkeypatch.setattr(training, "_ROWS_WORTH_SHARING", 0 if limit > 1 else np.inf)
        train_vectors(vectors, counts, epochs=2, first_step=0.05, seed=3, progress=Progress())
        found.append(vectors)
    np.testing.assert_array_equal(*found)


def test_documents_of_a_topic_are_close(topics, fitted):
    corpus, halves = topics
    vectors = fitted.read(corpus)
    assert vectors.dtype == np.float32
    # Topics are recognised in documents that share no token with the others.
    random = np.random.default_rng(2)
    first, second = (
        fitted.read(corpus_of([start + 30 * half + random.integers(0, 15, 10) for half in halves]))
        for start in (3, 18)
    )
    means = np.stack([first[halves == half].mean(axis=0) for half in (0, 1)])
    nearest = np.square(second[:, None] - means).sum(axis=2).argmin(axis=1)
    assert (nearest == halves).mean() > 0.95
    # Centred and scaled as a whole.
    np.testing.assert_allclose(vectors.mean(axis=0), 0, atol=1e-4)
    assert np.square(vectors).sum(axis=1).mean() == pytest.approx(16, abs=0.1)


def test_a_vector_depends_on_its_document_only(topics, fitted, monkeypatch):
    corpus, _ = topics
    together = fitted.read(corpus)
    alone = np.concatenate([fitted.read(corpus.take(np.array([row]))) for row in range(30)])
    np.testing.assert_array_equal(together[:30], alone)
    backwards = fitted.read(corpus.take(np.arange(len(corpus))[::-1]))[::-1]
    np.testing.assert_array_equal(together, backwards)


def test_a_document_without_known_ngrams_is_the_mean(fitted):
    assert not fitted.read(corpus_of([[], [1], [1, 1]])).any()
    assert fitted.read(corpus_of([[5]])).any()


def test_same_seed_same_vectors(topics, fitted):
    again = NgramVectors(8).fit(topics[0], N_TOKENS, seed=0)
    np.testing.assert_array_equal(again.read(topics[0]), fitted.read(topics[0]))
    other = NgramVectors(8).fit(topics[0], N_TOKENS, seed=1)
    assert np.abs(other.read(topics[0]) - fitted.read(topics[0])).max() > 0.1


def test_directions_are_rounded_to_bytes(fitted, topics, monkeypatch):
    assert fitted.directions.dtype == np.int8
    unit = fitted.directions * fitted.units[:, None]
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, atol=0.01)


def test_going_on_trains_a_copy(topics, fitted):
    corpus, halves = topics
    before = fitted.read(corpus)
    later = fitted.after(corpus.take(np.flatnonzero(halves == 0)), seed=1)
    np.testing.assert_array_equal(fitted.read(corpus), before)
    assert np.abs(later.read(corpus) - before).max() > 0.01
    assert (later.lengths >= fitted.lengths - 0.01).all()
    assert later.n_features == fitted.n_features
    # A batch without known n-grams changes nothing.
    np.testing.assert_allclose(fitted.after(corpus_of([[1], []]), seed=1).read(corpus), before, atol=0.05)


def test_contributions_add_up(topics, fitted):
    random = np.random.default_rng(0)
    documents = corpus_of([[5, 6, 7, 40], [9, 9, 9], [1], []])
    gradient = random.normal(size=(4, 8)).astype(np.float32)
    parts = fitted.contributions(documents, gradient)
    expected = (gradient * fitted.read(documents)).sum(axis=1)
    np.testing.assert_allclose(parts.sum(axis=1), expected, rtol=1e-3, atol=1e-4)


def test_few_documents_are_read_more_often(topics, monkeypatch):
    epochs = []
    monkeypatch.setattr(
        ngram_vectors, "train_vectors", lambda *arrays, **options: epochs.append(options["epochs"])
    )
    for visits in (1, 10_000, 10**9):
        monkeypatch.setattr(ngram_vectors, "_VISITS", visits)
        NgramVectors(2).fit(topics[0], N_TOKENS, seed=0)
    assert epochs[0] == 3
    assert epochs[-1] == 30


@pytest.mark.parametrize("documents", [[[]], [[5, 6, 7]], [[5, 6, 7]] * 3])
def test_a_corpus_with_nothing_to_learn(documents):
    corpus = corpus_of(documents)
    vectors = NgramVectors(4).fit(corpus, N_TOKENS, seed=0)
    assert np.isfinite(vectors.read(corpus)).all()
    assert np.isfinite(vectors.after(corpus, seed=0).read(corpus)).all()


def test_what_next_tokens_add_is_what_they_contribute_to_a_usual_text(topics, fitted):
    kernel = np.random.default_rng(0).normal(size=(8, 1)).astype(np.float32)
    document = corpus_of([[3, 4, 5, 7, 9, 10, 11, 12, 8]])
    usual, weights = copy.copy(fitted), fitted.weights(document)
    usual.usual_weight = float(weights.sum())
    usual.usual_length = float(
        np.linalg.norm(weights @ (fitted.directions * fitted.units[:, None].astype(np.float32)))
    )
    alone, pairs = usual.next_token_weights(kernel)
    names = names_of(fitted, np.arange(N_TOKENS).astype(object))
    parts = dict(zip(names, fitted.contributions(document, kernel.T).toarray()[0], strict=True))
    for token in (3, 7, 8):
        assert alone[token, 0] == pytest.approx(parts[str(token)], rel=1e-3)
    found = 0
    for first, second in ((3, 4), (4, 5), (9, 10), (10, 11), (11, 12)):
        seconds, added = pairs.after(first)
        if second in seconds:
            found += 1
            assert added[seconds.tolist().index(second), 0] == pytest.approx(
                parts[f"{first} {second}"], rel=1e-3
            )
    assert found
    assert fitted.usual_length > 0
    assert np.median(np.asarray(fitted.weights(topics[0]).sum(axis=1))) == pytest.approx(fitted.usual_weight)
