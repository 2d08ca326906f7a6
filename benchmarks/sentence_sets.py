"""Sentences that the scripts on writing learn from and are tested on, with the classifiers and judges that learned from them; read by other scripts here."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from judging import Judges

from skvae import TextVAEClassifier, TextVAETransformer
from skvae.datasets import load_imdb

N_TEST, N_TRAIN, N_JUDGE = 2_000, 24_000, 40_000


@dataclass
class SentencesWithClass:
    """Sentences to learn from, others for judges, and tests by name; each with an integer class."""

    train: tuple[list[str], np.ndarray]
    judge: tuple[list[str], np.ndarray]
    tests: dict[str, tuple[list[str], np.ndarray]]


def fitted(
    name: str, given: SentencesWithClass, folder: Path | None = None
) -> tuple[TextVAEClassifier, float]:
    """A classifier with default settings that also writes, and the seconds that its fit took."""

    def fit() -> tuple[TextVAEClassifier, float]:
        start = time.perf_counter()
        classifier = TextVAEClassifier(TextVAETransformer(decoder="gru"), random_state=0).fit(*given.train)
        return classifier, time.perf_counter() - start

    return _kept(f"{name}.joblib", folder, fit)


def judges_of(name: str, given: SentencesWithClass, folder: Path | None = None) -> Judges:
    """Judges that learned from the sentences for judges."""
    return _kept(f"{name}-judges.joblib", folder, lambda: Judges(*given.judge))


def _kept(file_name: str, folder: Path | None, make: Callable[[], Any]) -> Any:
    """What `make` returns; it is kept in `folder`, if there is one, and read from it the next time."""
    if folder is None:
        return make()
    file = folder / file_name
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        joblib.dump(make(), file)
    return joblib.load(file)


def sentences(texts: Any, shortest: int = 3, longest: int = 14) -> list[list[str]]:
    """The sentences of 3 to 14 words of each review."""
    found = []
    for text in texts:
        parts = re.split(r"(?<=[.!?])\s+", re.sub(r"<br ?/?>", " ", text))
        kept = (part.strip() for part in parts)
        found.append(
            [
                part
                for part in kept
                if part[-1:] in {".", "!", "?"} and shortest <= len(part.split()) <= longest
            ]
        )
    return found


def snli(folder: Path) -> tuple[list[str], list[str]]:
    """Training and test sentences; those with "<unk>" in the place of a word are left out."""
    table = pd.read_parquet(folder / "snli_sentences.parquet").sample(frac=1, random_state=0)
    texts = [text for text in table["text"] if "<unk>" not in text and 3 <= len(text.split()) <= 14]
    return texts[N_TEST:], texts[:N_TEST]


def treebank(folder: Path) -> pd.DataFrame:
    """Sentences of the Stanford Sentiment Treebank, with most marks put back on their words."""
    table = pd.read_parquet(folder / "sst2.parquet")
    table["text"] = [re.sub(r" (?=n't\b|'|[.,!?;:%)])", "", text) for text in table["text"]]
    table["n_words"] = table["text"].str.split().str.len()
    return table


def of_films(folder: Path) -> SentencesWithClass:
    """Sentences of IMDB reviews, which have the class of their review, and of the treebank, judged one by one.

    Those for judges are of 17,000 other reviews, and the treebank's long training sentences.
    """
    data = load_imdb(random_state=0)
    parts, labels = sentences(data.data), data.target

    def flat(first: int, last: int) -> dict[str, int]:
        pairs = zip(parts[first:last], labels[first:last], strict=True)
        return {part: int(label) for of_review, label in pairs for part in of_review}

    judged = treebank(folder)
    is_short = judged["n_words"].between(3, 14)
    known = judged[is_short & (judged["split"] == "train")]
    of_reviews = dict(list(flat(0, 7_000).items())[: N_TRAIN - len(known)])
    train = _shuffled([*of_reviews, *known["text"]], np.array([*of_reviews.values(), *known["label"]]))
    others = dict(list(flat(8_000, len(parts)).items())[:N_JUDGE])
    long = judged[~is_short & (judged["split"] == "train")]
    judge = _shuffled([*others, *long["text"]], np.array([*others.values(), *long["label"]]))
    # Some short sentences are in many reviews.
    seen = {*train[0], *judge[0]}
    imdb = dict([pair for pair in flat(7_000, 8_000).items() if pair[0] not in seen][:N_TEST])
    unseen = judged[is_short & (judged["split"] == "test")]
    return SentencesWithClass(
        train,
        judge,
        {
            "IMDB": (list(imdb), np.array(list(imdb.values()))),
            "SST-2": (unseen["text"].tolist(), unseen["label"].to_numpy()),
        },
    )


def of_yelp(folder: Path) -> SentencesWithClass:
    """Sentences of Yelp reviews."""
    table = pd.read_parquet(folder / "yelp" / "sentences.parquet")
    parts = {name: (rows["text"].tolist(), rows["label"].to_numpy()) for name, rows in table.groupby("part")}
    return SentencesWithClass(parts["train"], parts["judge"], {})


def questions(folder: Path) -> SentencesWithClass:
    """Questions with what they ask for, one of six: TREC's training questions in two halves, and its test questions."""
    table = pd.read_parquet(folder / "trec.parquet")
    train = table[table["split"] == "train"].sample(frac=1, random_state=0)
    test = table[table["split"] == "test"]
    halves = [
        (half["text"].tolist(), half["label"].to_numpy())
        for half in (train[: len(train) // 2], train[len(train) // 2 :])
    ]
    return SentencesWithClass(*halves, {"TREC": (test["text"].tolist(), test["label"].to_numpy())})


def _shuffled(texts: list[str], labels: np.ndarray) -> tuple[list[str], np.ndarray]:
    order = np.random.default_rng(0).permutation(len(texts))
    return [texts[row] for row in order], labels[order]
