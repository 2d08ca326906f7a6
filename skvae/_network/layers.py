"""Layers with explicit seeds and single precision, whatever Keras' global state is."""

from __future__ import annotations

from typing import Any

from .._base.seeds import SeedSequence
from .backend import keras, layers, tf
from .config import NetworkConfig
from .recurrence import LSTM

# Used for all layers, models, metrics and random draws, whatever Keras' global policy and floatx are: batches are
# in single precision, and the hand-written gradients support no other.
DTYPE = "float32"


def glorot(seeds: SeedSequence) -> Any:
    # An explicit seed everywhere: an initializer without one draws from Python's global generator.
    return keras.initializers.GlorotUniform(seed=seeds.next())


def dense_layer(units: int, seeds: SeedSequence, name: str, **kwargs: Any) -> Any:
    kwargs.setdefault("kernel_initializer", glorot(seeds))
    return layers.Dense(units, name=name, dtype=DTYPE, **kwargs)


def recurrent_layer(kind: str, units: int, seeds: SeedSequence, name: str, **kwargs: Any) -> Any:
    layer = {"gru": layers.GRU, "lstm": LSTM}[kind]
    return layer(
        units,
        kernel_initializer=glorot(seeds),
        recurrent_initializer=keras.initializers.Orthogonal(seed=seeds.next()),
        seed=seeds.next(),
        name=name,
        dtype=DTYPE,
        **kwargs,
    )


def embedding_layer(config: NetworkConfig, seeds: SeedSequence, name: str, **kwargs: Any) -> Any:
    return layers.Embedding(
        config.n_tokens,
        config.embedding_dim,
        embeddings_initializer=keras.initializers.RandomNormal(stddev=0.05, seed=seeds.next()),
        name=name,
        dtype=DTYPE,
        **kwargs,
    )


def dropout_layer(rate: float, seeds: SeedSequence, name: str) -> Any:
    return layers.Dropout(rate, seed=seeds.next(), name=name, dtype=DTYPE)


def functional(inputs: Any, outputs: Any, name: str) -> Any:
    model = keras.Model(inputs, outputs, name=name)
    # The constructor has no argument for it.
    model.dtype_policy = keras.DTypePolicy(DTYPE)
    return model


def mean_tracker(name: str) -> Any:
    tracker = keras.metrics.Mean(name=name, dtype=DTYPE)
    # Keras reads from this attribute in which direction a metric improves.
    tracker._direction = "up" if name.endswith("accuracy") else "down"
    return tracker


def share_of_replica(loss: Any) -> Any:
    """The share of its loss that a `tf.distribute` replica contributes; the gradients of all are summed."""
    n_replicas = tf.distribute.get_strategy().num_replicas_in_sync
    return loss if n_replicas == 1 else loss / n_replicas
