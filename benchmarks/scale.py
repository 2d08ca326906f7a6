"""Many documents: time and memory of a fit and of a stream, of many fits, and of two worker processes.

    python benchmarks/scale.py [--parts growth stream fits workers] [--documents 1000000] [--fits 30]

Writes benchmarks/results/scale.json, and the pictures docs/images/growth.png and docs/images/scale.png. Documents are generated: 12 words each, from
20 topics over 20,000 words whose frequencies fall off as those of real ones do. "growth" fits to 1,000 documents, 10,000 and so on, up to --documents, each fit in
a process of its own. "stream" generates 10,000 documents at a time, while training asks for them. "workers" needs the extra `distributed`. Making documents and
importing libraries are not timed.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from kept import earlier_results, keep_results

HERE = Path(__file__).parent
PICTURES = HERE.parent / "docs" / "images"
BATCH = 10_000
N_WORDS, N_TOPICS, LENGTH = 20_000, 20, 12
SIZES = [1_000, 10_000, 100_000, 1_000_000]
METHODS = ["TfidfVectorizer + TruncatedSVD(64)", 'TextVAETransformer(decoder="bow")']


def documents(n_documents: int, seed: int = 0) -> Iterator[tuple[list[str], np.ndarray]]:
    """Batches of generated documents with their topics; half of the words of each belong to its topic."""
    random = np.random.default_rng(seed)
    words = np.array([f"w{number}" for number in range(N_WORDS)])
    cumulative = np.cumsum(1 / np.arange(1, N_WORDS + 1))
    cumulative /= cumulative[-1]
    own = np.stack([np.random.default_rng(topic).permutation(N_WORDS) for topic in range(N_TOPICS)])
    for start in range(0, n_documents, BATCH):
        size = min(BATCH, n_documents - start)
        ranks = np.searchsorted(cumulative, random.random((size, LENGTH)))
        topics = random.integers(N_TOPICS, size=(size, 1))
        chosen = np.where(random.random((size, LENGTH)) < 0.5, own[topics, ranks], ranks)
        yield [" ".join(row) for row in words[chosen]], topics.ravel()


def texts_of(n_documents: int, seed: int = 0) -> list[str]:
    return list(chain.from_iterable(texts for texts, _ in documents(n_documents, seed)))


def resident_mb() -> float:
    """Resident memory of this process, now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def measure_stream(n_documents: int) -> dict[str, object]:
    import skvae._network.training  # noqa: F401 (imports TensorFlow, which is not timed)
    from skvae import TextVAETransformer

    vae = TextVAETransformer(decoder="bow", random_state=0)
    trace, n_seen = [], 0
    for batch, _ in documents(n_documents):
        start = time.perf_counter()
        vae.partial_fit(batch)
        seconds = time.perf_counter() - start
        n_seen += len(batch)
        trace.append({"documents": n_seen, "seconds": seconds, "resident_mb": resident_mb()})
    many = texts_of(200_000, seed=1)
    before, start = resident_mb(), time.perf_counter()
    latents = vae.transform(many)
    seconds, after = time.perf_counter() - start, resident_mb()
    return {
        "trace": trace,
        "transform": {
            "documents": len(many),
            "seconds": seconds,
            "grown_mb": after - before,
            "latents_mb": latents.nbytes / 2**20,
        },
    }


def measure_fits(n_fits: int) -> dict[str, object]:
    from skvae import TextTokenizer, TextVAEClassifier, TextVAETransformer
    from skvae.datasets import make_reviews

    texts, labels = make_reviews(200, random_state=0)
    memory = []
    for seed in range(n_fits):
        vae = TextVAETransformer(
            8, tokenizer=TextTokenizer(max_length=16), decoder_units=(32,), embedding_dim=32, epochs=1
        )
        TextVAEClassifier(vae, epochs=1, random_state=seed).fit(texts, labels).predict(texts)
        memory.append(resident_mb())
    return {"resident_mb": memory}


def measure_growth(method: str, n_documents: int) -> dict[str, object]:
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline

    import skvae._network.training  # noqa: F401 (imports TensorFlow, which is not timed)
    from skvae import TextVAETransformer

    estimator = {
        METHODS[0]: make_pipeline(TfidfVectorizer(), TruncatedSVD(64, random_state=0)),
        METHODS[1]: TextVAETransformer(decoder="bow", random_state=0),
    }[method]
    texts = texts_of(n_documents)
    before, start = resident_mb(), time.perf_counter()
    estimator.fit(texts)
    fitted = time.perf_counter()
    estimator.transform(texts)
    return {
        "method": method,
        "documents": n_documents,
        "fit_seconds": fitted - start,
        "transform_seconds": time.perf_counter() - fitted,
        "grown_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before,
    }


def measure_workers() -> dict[str, object]:
    """A search and a `transform`, in this process and in two workers of one thread each."""
    import dask.bag
    import distributed
    import joblib
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import Pipeline

    from skvae import TextVAETransformer

    batches = list(documents(200_000))
    texts, topics = batches[0]
    search = GridSearchCV(
        Pipeline(
            [("vae", TextVAETransformer(decoder="bow", random_state=0)), ("topics", LogisticRegression())]
        ),
        {"vae__n_components": [16, 32, 64, 128]},
        cv=2,
    )

    def searched() -> tuple[float, np.ndarray]:
        start = time.perf_counter()
        search.fit(texts, topics)
        return time.perf_counter() - start, search.cv_results_["mean_test_score"]

    def transform(pipeline: Any, partition: list[str]) -> np.ndarray:
        return pipeline.transform(partition)

    one_search, one_scores = searched()
    pipeline = search.best_estimator_[:-1]
    start = time.perf_counter()
    expected = np.concatenate([pipeline.transform(partition) for partition, _ in batches])
    one_transform = time.perf_counter() - start

    # TensorFlow in a worker would otherwise start a thread for each core.
    os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        with joblib.parallel_config("dask"):
            two_search, two_scores = searched()
        bag = dask.bag.from_sequence(chain.from_iterable(texts for texts, _ in batches), npartitions=20)
        bag = client.persist(bag)
        distributed.wait(bag)
        start = time.perf_counter()
        shipped = client.scatter(pipeline, broadcast=True)
        latents = client.gather(
            [client.submit(transform, shipped, part) for part in distributed.futures_of(bag)]
        )
        two_transform = time.perf_counter() - start
    return {
        "search": {
            "documents": len(texts),
            "fits": len(one_scores) * search.cv + 1,
            "seconds": [one_search, two_search],
            "largest_difference": float(np.abs(one_scores - two_scores).max()),
        },
        "transform": {
            "documents": len(expected),
            "seconds": [one_transform, two_transform],
            "pickle_mb": len(pickle.dumps(pipeline)) / 2**20,
            "largest_difference": float(np.abs(np.concatenate(latents) - expected).max()),
        },
    }


def slope(runs: list[dict[str, Any]], figure: str) -> float:
    """Exponent of the growth with the number of documents: least squares on the logarithms."""
    sizes, values = ([run[key] for run in runs] for key in ("documents", figure))
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def draw(document: dict[str, Any]) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    PICTURES.mkdir(exist_ok=True)
    if "stream" in document:
        trace = document["stream"]["trace"]
        seen = [point["documents"] / 1e6 for point in trace]
        figure, (upper, lower) = plt.subplots(2, 1, sharex=True, figsize=(7, 4.5), layout="constrained")
        upper.plot(seen, [point["resident_mb"] for point in trace])
        upper.set_ylabel("resident memory, MB")
        lower.plot(seen, [1e6 * point["seconds"] / BATCH for point in trace])
        lower.set(ylabel="µs a document", xlabel="documents seen, millions")
        for axis in (upper, lower):
            axis.set_ylim(0, 1.2 * axis.dataLim.ymax)
        figure.savefig(PICTURES / "scale.png", dpi=100, metadata={"Software": None})
    if "growth" in document:
        figure, axes = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained")
        titles = {"fit_seconds": "fit, s", "transform_seconds": "transform, s", "grown_mb": "peak memory, MB"}
        for axis, (key, title) in zip(axes, titles.items(), strict=True):
            for method in METHODS:
                runs = [run for run in document["growth"] if run["method"] == method]
                sizes, values = ([run[name] for run in runs] for name in ("documents", key))
                axis.loglog(sizes, values, marker="o", label=f"slope {slope(runs[-2:], key):.2f}")
            axis.set(title=title, xlabel="documents of 12 words")
            axis.legend()
        figure.legend(
            axes[0].get_lines(), METHODS, loc="outside lower center", ncols=len(METHODS), frameon=False
        )
        figure.savefig(PICTURES / "growth.png", dpi=100, metadata={"Software": None})


def measured(*arguments: str) -> Any:
    """What a process of its own measures."""
    command = [sys.executable, __file__, "--measure", *arguments]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(output.splitlines()[-1])


def grown(n_documents: int) -> list[dict[str, Any]]:
    runs = []
    for size in [size for size in SIZES if size <= n_documents]:
        for method in METHODS:
            runs.append(measured("growth", method, str(size)))
            print(runs[-1], flush=True)
    return runs


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", nargs="+", choices=["growth", "stream", "fits", "workers"])
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--fits", type=int, default=30)
    parser.add_argument("--measure", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        name, *arguments = options.measure
        measures: dict[str, Callable[[], object]] = {
            "growth": lambda: measure_growth(arguments[0], int(arguments[1])),
            "stream": lambda: measure_stream(int(arguments[0])),
            "fits": lambda: measure_fits(int(arguments[0])),
            "workers": measure_workers,
        }
        print(json.dumps(measures[name]()))
        return
    earlier = earlier_results("scale") if options.parts else {}
    found: dict[str, Any] = {}
    parts: dict[str, Callable[[], object]] = {
        "growth": lambda: grown(options.documents),
        "stream": lambda: measured("stream", str(options.documents)),
        "fits": lambda: measured("fits", str(options.fits)),
        "workers": lambda: measured("workers"),
    }
    for name in options.parts or parts:
        found[name] = parts[name]()
        keep_results("scale", found, "dask", earlier=earlier)
    draw(earlier | found)


if __name__ == "__main__":
    main()
