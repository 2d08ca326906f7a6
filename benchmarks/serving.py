"""What it costs to start and to serve: imports, a saved pipeline's first answer, one document at a time.

    python benchmarks/serving.py [--repeats 5]

Writes benchmarks/results/serving.json. Each start is a process of its own; medians. The estimators are fitted on
generated reviews with a vocabulary of 10,000 words, so that their size is that of a real text collection.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time

from kept import keep_results

N_WORDS = 10_000
N_CALLS = 500

# Prints the seconds that a snippet took, the memory of the process in MB, and whether it imported TensorFlow.
TIMED = """
import resource, sys, time
start = time.perf_counter()
{code}
seconds = time.perf_counter() - start
print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "tensorflow" in sys.modules)
"""
STARTS = {
    "import skvae": "import skvae",
    "import scikit-learn alone": "import sklearn.pipeline, sklearn.linear_model",
    "load and answer: transformer and LogisticRegression": (
        "import joblib\njoblib.load({path!r} + '/pipeline.joblib').predict(['a dull, badly acted film'])"
    ),
    "load and answer: to_pipeline() of a classifier": (
        "import joblib\njoblib.load({path!r} + '/served.joblib').predict(['a dull, badly acted film'])"
    ),
    "load and answer: classifier": (
        "import joblib\njoblib.load({path!r} + '/classifier.joblib').predict(['a dull, badly acted film'])"
    ),
}


def corpus() -> tuple[list[str], list[int]]:
    """Generated reviews, and words that make the vocabulary large."""
    from skvae.datasets import make_reviews

    texts, labels = make_reviews(2_000, random_state=0)
    words = [f"word{number}" for number in range(N_WORDS)]
    return [f"{text} {' '.join(words[5 * row : 5 * row + 5])}" for row, text in enumerate(texts)], list(
        labels
    )


def save(path: str) -> None:
    import joblib
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    from skvae import TextVAEClassifier, TextVAETransformer

    texts, labels = corpus()
    vae = TextVAETransformer(decoder="bow", epochs=1, random_state=0)
    joblib.dump(make_pipeline(vae, LogisticRegression()).fit(texts, labels), f"{path}/pipeline.joblib")
    classifier = TextVAEClassifier(vae, epochs=1, random_state=0).fit(texts, labels)
    joblib.dump(classifier, f"{path}/classifier.joblib")
    joblib.dump(classifier.to_pipeline(), f"{path}/served.joblib")


def serve(path: str) -> None:
    """Prints milliseconds of one document's answer, each the median of many calls."""
    import joblib

    texts, _ = corpus()
    pipeline = joblib.load(f"{path}/pipeline.joblib")
    classifier = joblib.load(f"{path}/classifier.joblib")
    calls = {
        "TextVAEClassifier.predict_proba": classifier.predict_proba,
        "TextVAEClassifier.to_pipeline().predict_proba": joblib.load(f"{path}/served.joblib").predict_proba,
        "TextVAETransformer.transform": pipeline[0].transform,
        "pipeline.predict_proba": pipeline.predict_proba,
    }
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for text in texts[: N_CALLS + 1]:
        for name, call in calls.items():
            start = time.perf_counter()
            call([text])
            seconds[name].append(time.perf_counter() - start)
    print(json.dumps({name: 1000 * statistics.median(each[1:]) for name, each in seconds.items()}))


def in_process(*arguments: str) -> str:
    return subprocess.run(
        [sys.executable, *arguments], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.splitlines()[-1:][0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--save")
    parser.add_argument("--serve")
    options = parser.parse_args()
    if options.save:
        save(options.save)
        return
    if options.serve:
        serve(options.serve)
        return
    with tempfile.TemporaryDirectory() as path:
        subprocess.run([sys.executable, __file__, "--save", path], check=True)
        runs: dict[str, list[tuple[float, float, bool]]] = {name: [] for name in STARTS}
        for _ in range(options.repeats):
            for name, code in STARTS.items():
                answer = in_process("-c", TIMED.format(code=code.format(path=path)))
                seconds, megabytes, imported = answer.split()
                runs[name].append((float(seconds), float(megabytes), imported == "True"))
        latency = json.loads(in_process(__file__, "--serve", path))
    starts = {
        name: {
            "seconds": statistics.median(seconds for seconds, _, _ in each),
            "megabytes": statistics.median(megabytes for _, megabytes, _ in each),
            "imports_tensorflow": any(imported for _, _, imported in each),
            "runs": [seconds for seconds, _, _ in each],
        }
        for name, each in runs.items()
    }
    keep_results("serving", {"starts": starts, "one_document_ms": latency}, "tokenizers")


if __name__ == "__main__":
    main()
