"""New labels and new texts arrive the next day: what to do with a fitted classifier, and what it costs.

    python benchmarks/next_day.py DATA [--seeds 3]

DATA is a folder with reuters_r8.parquet (columns split, label, text). On the first day, 200 random training texts have labels
and 2,500 have none; on the second, 200 more have labels and the rest have none. All ways are judged on the
test texts. In a second part, no text of one class exists on the first day. Prints a line for each way and writes
benchmarks/results/next_day.json.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from kept import keep_results
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import log_loss

from skvae import TextVAEClassifier
from skvae.datasets import make_reviews

N_LABELLED, N_UNLABELLED = 200, 2_500
# Neither among the frequent classes nor among those with a handful of texts.
NEW_CLASS = "crude"


class Days:
    """Texts and labels of two days, and the test texts."""

    def __init__(self, table: pd.DataFrame, seed: int, new_class: Any = None) -> None:
        training, test = (table[table["split"] == split] for split in ("train", "test"))
        order = np.random.default_rng(seed).permutation(len(training))
        texts, labels = training["text"].to_numpy(dtype=object)[order], training["label"].to_numpy()[order]
        later = np.zeros(len(order), dtype=bool) if new_class is None else labels == new_class
        known, new = np.flatnonzero(~later), np.flatnonzero(later)
        end = N_LABELLED + N_UNLABELLED
        # The second day begins with the new class, in its share of the labels.
        rest = np.random.default_rng(seed).permutation(np.concatenate([new, known[end:]]))
        self.first = known[:N_LABELLED], known[N_LABELLED:end]
        self.second = rest[:N_LABELLED], rest[N_LABELLED:]
        self.texts, self.labels = texts, labels
        self.test_texts, self.test_labels = test["text"].tolist(), test["label"].to_numpy()

    def labelled(self, *days: Any) -> tuple[np.ndarray, np.ndarray]:
        rows = np.concatenate([day[0] for day in days])
        return self.texts[rows], self.labels[rows]

    def unlabelled(self, *days: Any) -> np.ndarray:
        return self.texts[np.concatenate([day[1] for day in days])]


def ways(yesterday: TextVAEClassifier, days: Days, seed: int, new_class: Any) -> dict[str, Callable[[], Any]]:
    """What can be done on the second day: name to a function that returns a classifier."""
    X, y = days.labelled(days.first, days.second)
    all_texts = days.unlabelled(days.first, days.second)
    later = copy.deepcopy(yesterday)

    def in_batch() -> TextVAEClassifier:
        batch = days.labelled(days.second)
        return later.partial_fit(*batch, X_unlabeled=days.unlabelled(days.second))

    return {
        "nothing": lambda: yesterday,
        **({} if new_class is not None else {"`partial_fit` of the new texts": in_batch}),
        "a new head on yesterday's frozen autoencoder": lambda: TextVAEClassifier(
            FrozenEstimator(yesterday.vae_), random_state=seed
        ).fit(X, y),
        "`warm_start` on all texts": lambda: (
            copy.deepcopy(yesterday).set_params(warm_start=True).fit(X, y, X_unlabeled=all_texts)
        ),
        "`fit` on all texts": lambda: TextVAEClassifier(random_state=seed).fit(X, y, X_unlabeled=all_texts),
    }


def measure(classifier: TextVAEClassifier, days: Days, new_class: Any) -> dict[str, float]:
    probabilities = classifier.predict_proba(days.test_texts)
    predicted = classifier.classes_[probabilities.argmax(axis=1)]
    figures = {"accuracy": float((predicted == days.test_labels).mean())}
    if set(days.test_labels) <= set(classifier.classes_):
        figures["log_loss"] = float(log_loss(days.test_labels, probabilities, labels=classifier.classes_))
    if new_class is not None:
        figures["recall"] = float((predicted == new_class)[days.test_labels == new_class].mean())
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    table = pd.read_parquet(arguments.data / "reuters_r8.parquet")
    # TensorFlow starts, and loops are compiled, before the clock does.
    TextVAEClassifier(random_state=0).fit(*make_reviews(50, random_state=0))
    runs = []
    for seed in range(arguments.seeds):
        for new_class in (None, NEW_CLASS):
            days = Days(table, seed, new_class)
            yesterday = TextVAEClassifier(random_state=seed, warm_start=True)
            yesterday.fit(*days.labelled(days.first), X_unlabeled=days.unlabelled(days.first))
            for name, way in ways(yesterday, days, seed, new_class).items():
                start = time.perf_counter()
                classifier = way()
                seconds = time.perf_counter() - start
                figures = {"seconds": seconds} | measure(classifier, days, new_class)
                runs.append({"way": name, "new_class": new_class, "seed": seed} | figures)
                print(runs[-1], flush=True)
    keep_results("next_day", {"runs": runs})


if __name__ == "__main__":
    main()
