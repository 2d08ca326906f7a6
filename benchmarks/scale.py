"""A corpus that is larger than memory: time and memory of training on a stream of documents, and of many fits.

    python benchmarks/scale.py [--documents 1000000] [--fits 30]

Writes benchmarks/results/scale.json and docs/images/scale.png. Documents are generated while training asks for
them, 10,000 at a time: 12 words each, from 20 topics over 20,000 words whose frequencies fall off as those of real
ones do. Each of the two measurements runs in a process of its own; making the documents is not timed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
RESULT = HERE / "results" / "scale.json"
PICTURE = HERE.parent / "docs" / "images" / "scale.png"
BATCH = 10_000
N_WORDS, N_TOPICS, LENGTH = 20_000, 20, 12


def documents(n_documents: int, seed: int = 0) -> Iterator[list[str]]:
    """Batches of generated documents; half of the words of each belong to its topic."""
    random = np.random.default_rng(seed)
    words = np.array([f"w{number}" for number in range(N_WORDS)])
    cumulative = np.cumsum(1 / np.arange(1, N_WORDS + 1))
    cumulative /= cumulative[-1]
    own = np.stack([random.permutation(N_WORDS) for _ in range(N_TOPICS)])
    for _ in range(n_documents // BATCH):
        ranks = np.searchsorted(cumulative, random.random((BATCH, LENGTH)))
        topics = random.integers(N_TOPICS, size=(BATCH, 1))
        chosen = np.where(random.random((BATCH, LENGTH)) < 0.5, own[topics, ranks], ranks)
        yield [" ".join(row) for row in words[chosen]]


def resident_mb() -> float:
    """Resident memory of this process, now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def measure_stream(n_documents: int) -> dict[str, object]:
    import skvae.networks  # noqa: F401 (imports TensorFlow, which is not timed)

    from skvae import TextVAETransformer

    vae = TextVAETransformer(decoder="bow", random_state=0)
    trace, n_seen = [], 0
    for batch in documents(n_documents):
        start = time.perf_counter()
        vae.partial_fit(batch)
        seconds = time.perf_counter() - start
        n_seen += len(batch)
        trace.append({"documents": n_seen, "seconds": seconds, "resident_mb": resident_mb()})
    many = [text for batch in documents(200_000, seed=1) for text in batch]
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


def draw(trace: list[dict[str, float]]) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    seen = [point["documents"] / 1e6 for point in trace]
    figure, (upper, lower) = plt.subplots(2, 1, sharex=True, figsize=(7, 4.5), layout="constrained")
    upper.plot(seen, [point["resident_mb"] for point in trace])
    upper.set_ylabel("resident memory, MB")
    lower.plot(seen, [1e6 * point["seconds"] / BATCH for point in trace])
    lower.set(ylabel="µs a document", xlabel="documents seen, millions")
    for axis in (upper, lower):
        axis.set_ylim(0, 1.2 * axis.dataLim.ymax)
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=100, metadata={"Software": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--fits", type=int, default=30)
    parser.add_argument("--measure", choices=["stream", "fits"])
    options = parser.parse_args()
    if options.measure:
        measured = (
            measure_stream(options.documents) if options.measure == "stream" else measure_fits(options.fits)
        )
        print(json.dumps(measured))
        return
    document: dict[str, object] = {
        "command": " ".join(["python benchmarks/scale.py", *sys.argv[1:]]),
        "machine": {"python": platform.python_version(), "cpus": os.cpu_count()},
        "versions": {name: version(name) for name in ("skvae", "scikit-learn", "tensorflow", "keras")},
    }
    for name in ("stream", "fits"):
        command = [sys.executable, __file__, *sys.argv[1:], "--measure", name]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        document[name] = json.loads(output.splitlines()[-1])
    RESULT.write_text(json.dumps(document, indent=1) + "\n")
    draw(document["stream"]["trace"])  # type: ignore[index]


if __name__ == "__main__":
    main()
