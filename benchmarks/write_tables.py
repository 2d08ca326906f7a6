"""Writes docs/benchmarks.md from what the benchmarks left in benchmarks/results.

python benchmarks/write_tables.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from few_labels import FIGURES, table

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "benchmarks.md"

INTRODUCTION = """\
# Benchmarks

Written by `python benchmarks/write_tables.py` from the JSON files in `benchmarks/results`. Seconds are those of one machine with
two cores that did other work besides; compare those of one table only.
"""

FOUNDATION = """\
## Time and memory of the features

25,000 IMDB reviews, medians of three runs by turns, each in a process of its own. Importing scikit-learn or TensorFlow is
not in the seconds.
"""

FEW_LABELS = """\
## Few labels

Accuracy on the test texts in percent, mean and standard deviation over five draws of the labelled texts (one draw from
10,000 labels on); then log-loss in nats, expected calibration error (15 bins), seconds of a fit and the peak of its
process's memory, data and libraries included. Every method chooses its settings by cross-validation on the labelled
texts. LSA, like skvae, learns its features from unlabelled texts too: the first 20,000, and n-grams in three of
them or more.
"""

SETS = {
    "imdb": "### IMDB reviews\n\n48,887 further reviews without labels, 5,000 to test on; the defaults of `TextVAEClassifier`.\n",
    "sst2": "### Stanford Sentiment Treebank, sentences\n\nThe rest of the 6,920 training sentences as unlabelled text; 1,821 to test on.\n",
    "nsmc": (
        "### Korean film comments (NSMC)\n\nThe rest of 10,000 training comments as unlabelled text; 2,000 to test on. Here"
        ' skvae is\n`TextVAEClassifier(TextVAETransformer(tokenizer=TextTokenizer(analyzer="char"), decoder="bow"),'
        " ngram_range=(1, 4))`,\nand the other methods read n-grams of one to four characters within words.\n"
    ),
}
TITLES = {
    "accuracy": "Accuracy",
    "log_loss": "Log-loss",
    "calibration_error": "Expected calibration error",
    "seconds": "Seconds of a fit",
    "peak_rss_gb": "Peak memory, GB",
}


def source(document: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in document["versions"].items())
    machine = document["machine"]
    return f"`{document['command']}`; Python {machine['python']}, {machine['cpus']} cores, {versions}.\n"


def foundation(document: dict[str, Any]) -> str:
    rows = ["| | fit, s | transform, s | peak resident, GB |", "| --- | --- | --- | --- |"]
    for name, label in (
        ("reference", "`TfidfVectorizer` + `TruncatedSVD(64)`"),
        ("skvae", '`TextVAETransformer(decoder="bow")`'),
    ):
        median = document["median"][name]
        cells = (median["fit_seconds"], median["transform_seconds"], median["peak_rss_gb"])
        rows.append(f"| {label} | {cells[0]:.1f} | {cells[1]:.1f} | {cells[2]:.2f} |")
    ratios, latency = document["ratios"], document["latency"]
    rows.append(f"| ratio | {ratios['fit_ratio']:.2f} | {ratios['transform_ratio']:.2f} | |")
    one = (
        f"One document: `predict_proba` {latency['predict_proba_ms']:.1f} ms,"
        f" `transform` {latency['transform_ms']:.1f} ms.\n"
    )
    return "\n".join([FOUNDATION, *rows, "", one, source(document)])


def few_labels(document: dict[str, Any]) -> str:
    parts = [FEW_LABELS]
    for name, heading in SETS.items():
        runs = [run for run in document["runs"] if run["set"] == name]
        if runs:
            parts.append(heading)
            parts += [f"{TITLES[figure]}:\n\n{table(runs, figure)}\n" for figure in FIGURES]
    return "\n".join([*parts, source(document)])


def page() -> str:
    """The whole page, as the committed results give it."""
    sections = [INTRODUCTION]
    for name, section in (("few_labels", few_labels), ("foundation", foundation)):
        sections.append(section(json.loads((HERE / "results" / f"{name}.json").read_text())))
    return "\n".join(sections)


if __name__ == "__main__":
    PAGE.write_text(page())
