"""Which texts do not belong? Areas under the ROC curve for texts of a foreign kind or topic among unseen texts.

    python benchmarks/anomalies.py DATA

DATA is a folder with reuters_r8.parquet, sst2.parquet and trec.parquet (columns split, label, text). Each method learns from the
training texts of one kind, without labels, and scores the test texts of that kind and those of a foreign one. The
distances are cosine distances of TF-IDF to the nearest training text and to their mean. Prints a table and writes
benchmarks/results/anomalies.json.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from kept import keep_results
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from skvae import TextVAETransformer


def read(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    table = pd.read_parquet(path)
    return table[table["split"] == "train"], table[table["split"] == "test"]


def cases(folder: Path) -> dict[str, tuple[pd.Series, pd.Series, pd.Series]]:
    """Training texts, unseen texts of the same kind, and foreign ones."""
    news, unseen = read(folder / "reuters_r8.parquet")
    films, unseen_films = read(folder / "sst2.parquet")
    questions, unseen_questions = read(folder / "trec.parquet")
    own = [table["label"].isin(news["label"].value_counts().index[:2]) for table in (news, unseen)]
    return {
        "news (R8); sentences on films (SST-2)": (news["text"], unseen["text"], unseen_films["text"]),
        "news of the two largest topics of R8; of the other six": (
            news["text"][own[0]],
            unseen["text"][own[1]],
            unseen["text"][~own[1]],
        ),
        "sentences on films; questions (TREC)": (
            films["text"],
            unseen_films["text"],
            unseen_questions["text"],
        ),
        "questions; sentences on films": (
            questions["text"],
            unseen_questions["text"],
            unseen_films["text"],
        ),
    }


def scores(training: list[str], texts: list[str]) -> dict[str, np.ndarray]:
    """How foreign each text is to each method."""
    vae = TextVAETransformer(decoder="bow", random_state=0).fit(training)
    tfidf = TfidfVectorizer(sublinear_tf=True)
    known, vectors = tfidf.fit_transform(training), tfidf.transform(texts)
    nearest = NearestNeighbors(n_neighbors=1, metric="cosine").fit(known)
    return {
        "`-score_samples(X)`": -vae.score_samples(texts),
        "`-score_samples(X, per_token=True)`": -vae.score_samples(texts, per_token=True),
        "TF-IDF, distance to the nearest": nearest.kneighbors(vectors)[0][:, 0],
        "TF-IDF, distance to the mean": -(vectors @ np.asarray(known.mean(axis=0)).ravel()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    arguments = parser.parse_args()
    rows = []
    for name, (training, unseen, foreign) in cases(arguments.data).items():
        is_foreign = np.repeat([False, True], [len(unseen), len(foreign)])
        found = scores(training.tolist(), [*unseen, *foreign])
        rows.append(
            {"case": name, "foreign": len(foreign), "unseen": len(unseen)}
            | {method: float(roc_auc_score(is_foreign, each)) for method, each in found.items()}
        )
        print(rows[-1], flush=True)
    keep_results("anomalies", {"rows": rows})


if __name__ == "__main__":
    main()
