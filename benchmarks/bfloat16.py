"""Whether bfloat16 pays: seconds of a training step of the network of 2017 in both precisions.

    python benchmarks/bfloat16.py [--repeats 3]

Times one gradient of the encoder and the text decoder of `keras_vae_2017()` on a batch of 20 texts
of 300 tokens, in float32 and with the policy mixed_bfloat16 for all layers, by turns. Prints a line
for each and writes benchmarks/results/bfloat16.json.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from kept import keep_results

from skvae._base.seeds import SeedSequence
from skvae._network.decoders import RepeatTextDecoder
from skvae._network.encoders import build_encoder
from skvae._network.objectives import sequence_nll
from skvae.presets import keras_vae_2017

POLICIES = ("float32", "mixed_bfloat16")
BATCH, LENGTH = 20, 300


def step(policy: str, ids: Any) -> Callable[[], Any]:
    """A compiled function that takes one gradient."""
    vae = keras_vae_2017().vae
    config = vae._config(vae.tokenizer.max_features + 3, 1, LENGTH)
    seeds = SeedSequence(0)
    encoder, decoder = build_encoder(config, seeds), RepeatTextDecoder(config, seeds)
    decoder.build()
    # The networks are in single precision whatever Keras' own policy is.
    for part in (encoder, decoder):
        for layer in part._flatten_layers():
            layer.dtype_policy = keras.DTypePolicy(policy)
    weights = [weight.value for part in (encoder, decoder) for weight in part.trainable_weights]

    @tf.function
    def gradient() -> Any:
        with tf.GradientTape() as tape:
            mean, _ = encoder(ids, training=True)
            logits = tf.cast(decoder.logits(mean, ids, training=True), tf.float32)
            loss = tf.reduce_mean(sequence_nll(logits, ids))
        return [tf.reduce_sum(each) for each in tape.gradient(loss, weights) if each is not None]

    return gradient


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    ids = tf.constant(np.random.default_rng(0).integers(3, 1_000, (BATCH, LENGTH)), tf.int32)
    steps = {policy: step(policy, ids) for policy in POLICIES}
    for each in steps.values():
        each()
    seconds: dict[str, list[float]] = {policy: [] for policy in POLICIES}
    for _ in range(options.repeats):
        for policy, each in steps.items():
            start = time.perf_counter()
            each()
            seconds[policy].append(time.perf_counter() - start)
    medians = {policy: float(np.median(values)) for policy, values in seconds.items()}
    for policy, median in medians.items():
        print(f"{policy:>15}: {median:.2f} s a step of {BATCH} texts")
    ratio = medians["mixed_bfloat16"] / medians["float32"]
    keep_results("bfloat16", {"seconds": seconds, "median": medians, "ratio": ratio})


if __name__ == "__main__":
    main()
