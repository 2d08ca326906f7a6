"""Speed and memory of the foundation beside scikit-learn's TF-IDF and truncated SVD.

    python benchmarks/foundation.py [--documents 25000] [--repeats 3]

Prints a table and writes benchmarks/results/foundation.json. Each measurement runs in a process of
its own, the two pipelines by turns, so that what else the machine does hits both. Imports are not
timed, neither scikit-learn's nor TensorFlow's (about 4 s, once in a process).
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

from kept import keep_results


def measure_reference(texts: list[str]) -> dict[str, float]:
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline

    return _timed(make_pipeline(TfidfVectorizer(), TruncatedSVD(64, random_state=0)), texts)


def measure_skvae(texts: list[str]) -> dict[str, float]:
    import skvae._network.training  # noqa: F401 (imports TensorFlow, which is not timed)
    from skvae import TextVAETransformer

    return _timed(TextVAETransformer(decoder="bow", random_state=0), texts)


def measure_latency(texts: list[str]) -> dict[str, float]:
    from skvae import TextVAEClassifier, TextVAETransformer
    from skvae.datasets import load_imdb

    labels = load_imdb(n_samples=len(texts), random_state=0).target
    vae = TextVAETransformer(decoder="bow", epochs=1)
    classifier = TextVAEClassifier(vae, epochs=1, random_state=0).fit(texts[:4000], labels[:4000])
    transformer, seconds = classifier.vae_, {"predict_proba": [], "transform": []}
    for text in texts[:501]:
        for name, call in (("predict_proba", classifier.predict_proba), ("transform", transformer.transform)):
            start = time.perf_counter()
            call([text])
            seconds[name].append(time.perf_counter() - start)
    return {f"{name}_ms": 1000 * statistics.median(each[1:]) for name, each in seconds.items()}


def _timed(estimator: object, texts: list[str]) -> dict[str, float]:
    start = time.perf_counter()
    estimator.fit(texts)
    fitted = time.perf_counter()
    estimator.transform(texts)
    return {
        "fit_seconds": fitted - start,
        "transform_seconds": time.perf_counter() - fitted,
        "peak_rss_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2,
    }


def run_apart(name: str, n_documents: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--documents", str(n_documents), "--only", name]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=25_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", choices=["reference", "skvae", "latency"])
    arguments = parser.parse_args()
    if arguments.only:
        from skvae.datasets import load_imdb

        texts = load_imdb(n_samples=arguments.documents, random_state=0).data.tolist()
        measure = {
            "reference": measure_reference,
            "skvae": measure_skvae,
            "latency": measure_latency,
        }[arguments.only]
        print(json.dumps(measure(texts)))
        return

    runs: dict[str, list[dict[str, float]]] = {"reference": [], "skvae": []}
    for _ in range(arguments.repeats):
        for name, measured in runs.items():
            measured.append(run_apart(name, arguments.documents))
    latency = run_apart("latency", arguments.documents)
    median = {
        name: {key: statistics.median(each[key] for each in measured) for key in measured[0]}
        for name, measured in runs.items()
    }
    pairs = list(zip(runs["skvae"], runs["reference"], strict=True))
    ratios = {
        f"{step}_ratio": statistics.median(
            ours[f"{step}_seconds"] / theirs[f"{step}_seconds"] for ours, theirs in pairs
        )
        for step in ("fit", "transform")
    }

    print(f"{arguments.documents} reviews, medians of {arguments.repeats} runs by turns")
    print("| | fit, s | transform, s | peak resident, GB |")
    print("| --- | --- | --- | --- |")
    for name, label in (
        ("reference", "TfidfVectorizer + TruncatedSVD(64)"),
        ("skvae", "TextVAETransformer(decoder='bow')"),
    ):
        row = median[name]
        print(
            f"| {label} | {row['fit_seconds']:.1f} | {row['transform_seconds']:.1f} | {row['peak_rss_gb']:.2f} |"
        )
    print(f"| ratio (median of each run's) | {ratios['fit_ratio']:.2f} | {ratios['transform_ratio']:.2f} | |")
    print(
        f"one document: predict_proba {latency['predict_proba_ms']:.1f} ms, transform {latency['transform_ms']:.1f} ms"
        " (medians of 500 calls)"
    )
    figures = {"runs": runs, "median": median, "ratios": ratios, "latency": latency}
    keep_results("foundation", figures, "tokenizers")


if __name__ == "__main__":
    main()
