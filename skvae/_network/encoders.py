"""The encoder: from a document to its posterior."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._base.seeds import SeedSequence
from .backend import keras, layers, ops
from .config import NetworkConfig
from .layers import DTYPE, dense_layer, dropout_layer, embedding_layer, functional, recurrent_layer

# The upper limit, a variance of e (that of the prior is 1), is more than any posterior needs. Without it, unusual
# documents sometimes get a variance of thousands, which causes a spike in the loss.
_LOG_VARIANCE_RANGE = (-20.0, 1.0)
_INITIAL_LOG_VARIANCE = -2.0
_N_WAVES = 3


@keras.saving.register_keras_serializable(package="skvae")
class LongMemory(keras.initializers.Initializer):
    """Initial biases with which the units of an LSTM remember for one step up to the length of a text.

    With Keras' default, half of what a unit has read is lost after two tokens. The last state
    of a long text then only reflects its end, and training takes long to change that.

    Parameters
    ----------
    length : int
        Number of tokens of the longest text.
    seed : int
        Determines how long each unit remembers.

    References
    ----------
    C. Tallec and Y. Ollivier, "Can recurrent neural networks warp time?", ICLR 2018.
    https://arxiv.org/abs/1804.11188
    """

    def __init__(self, length: int, seed: int) -> None:
        self.length = length
        self.seed = seed

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        random = np.random.default_rng(self.seed)
        forget = np.log(random.uniform(1, max(2, self.length - 1), shape[0] // 4))
        # The gates in Keras' order: input, forget, cell, output.
        bias = np.concatenate([-forget, forget, np.zeros(2 * len(forget))])
        return ops.convert_to_tensor(bias, dtype=dtype or "float32")

    def get_config(self) -> dict[str, Any]:
        return {"length": self.length, "seed": self.seed}


@keras.saving.register_keras_serializable(package="skvae")
class PositionalPooling(layers.Layer):
    """Sums of token embeddings, each weighted by waves over the positions of a text.

    A linear function of them can tell which token stands about where, for combinations of tokens that were never trained on
    too. The state of a recurrent layer has to learn this.

    Parameters
    ----------
    length : int
        Number of tokens of the longest text: half a period of the slowest wave.
    **kwargs : dict
        Arguments of a Keras layer.

    References
    ----------
    A. Vaswani et al., "Attention Is All You Need", NIPS 2017. https://arxiv.org/abs/1706.03762
    """

    def __init__(self, length: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.length = int(length)
        self.supports_masking = True

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        return None

    def call(self, inputs: Any, mask: Any = None) -> Any:
        present = ops.ones_like(inputs[:, :, 0]) if mask is None else ops.cast(mask, inputs.dtype)
        phases = np.pi / self.length * ops.cumsum(present, axis=1)
        waves = [ops.ones_like(phases)]
        for frequency in range(1, _N_WAVES + 1):
            waves += [ops.cos(frequency * phases), ops.sin(frequency * phases)]
        weights = ops.expand_dims(present, -1) * ops.stack(waves, axis=-1) / self.length**0.5
        sums = ops.einsum("btd,btw->bwd", inputs, weights)
        return ops.reshape(sums, (-1, len(waves) * inputs.shape[-1]))

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, int]:
        return input_shape[0], (2 * _N_WAVES + 1) * input_shape[-1]

    def get_config(self) -> dict[str, Any]:
        base = super().get_config()
        kept = ("name", "trainable", "dtype")
        return {"length": self.length} | {key: base[key] for key in kept}


def build_encoder(config: NetworkConfig, seeds: SeedSequence) -> Any:
    """The network from a document to its posterior.

    Parameters
    ----------
    config : NetworkConfig
    seeds : SeedSequence
        Seeds of the initial weights.

    Returns
    -------
    encoder : keras.Model
        From log(1 + counts) (batch, n_words) or ids (batch, time), with the documents' vectors (batch, dense_dim) if
        there are any, to the posterior mean and log-variance, both (batch, n_components).
    """
    if config.encoder == "bow":
        hidden = inputs = keras.Input((config.n_words,), dtype=DTYPE, name="log_counts")
        if config.dense_dim:
            inputs = [inputs, keras.Input((config.dense_dim,), dtype=DTYPE, name="vectors")]
            hidden = ops.concatenate(inputs, axis=-1)
        for depth, units in enumerate(config.encoder_units):
            if depth:
                hidden = dropout_layer(config.dropout, seeds, f"dropout_{depth}")(hidden)
            hidden = dense_layer(units, seeds, f"hidden_{depth}", activation="relu")(hidden)
    else:
        inputs = keras.Input((None,), dtype="int32", name="ids")
        hidden = tokens = embedding_layer(config, seeds, "embedding", mask_zero=True)(inputs)
        for depth, units in enumerate(config.encoder_units):
            last = depth == len(config.encoder_units) - 1
            options = {
                "return_sequences": not last,
                "unit_forget_bias": False,
                "bias_initializer": LongMemory(config.max_length, seeds.next()),
            }
            forward = recurrent_layer("lstm", units, seeds, "forward", **options)
            backward = recurrent_layer("lstm", units, seeds, "backward", go_backwards=True, **options)
            hidden = layers.Bidirectional(
                forward, backward_layer=backward, name=f"hidden_{depth}", dtype=DTYPE
            )(hidden)
        if config.pools_positions:
            pooled = PositionalPooling(config.max_length, name="pooling", dtype=DTYPE)(tokens)
            hidden = ops.concatenate([hidden, pooled], axis=-1)
        if config.dense_dim:
            inputs = [inputs, keras.Input((config.dense_dim,), dtype=DTYPE, name="vectors")]
            hidden = ops.concatenate([hidden, inputs[1]], axis=-1)
    if config.bottleneck_units is not None:
        hidden = dense_layer(config.bottleneck_units, seeds, "bottleneck", activation="relu")(hidden)
    mean = dense_layer(config.n_components, seeds, "mean")(hidden)
    if config.posterior_scale is not None:
        mean = PosteriorNormalization(config.posterior_scale, name="normalization", dtype=DTYPE)(mean)
    variance = config.posterior_variance
    noise = dense_layer(
        config.n_components,
        seeds,
        "log_variance",
        kernel_initializer="zeros",
        bias_initializer=keras.initializers.Constant(
            _INITIAL_LOG_VARIANCE if variance is None else np.log(variance)
        ),
    )
    # A layer all the same, so that every encoder has the same weights.
    noise.trainable = variance is None
    log_variance = ops.clip(noise(hidden), *_LOG_VARIANCE_RANGE)
    return functional(inputs, [mean, log_variance], "encoder")


@keras.saving.register_keras_serializable(package="skvae")
class PosteriorNormalization(layers.BatchNormalization):
    """Batch normalisation of the posterior mean to a fixed standard deviation.

    With mean 0 and standard deviation `scale` over the documents, the KL of each latent
    dimension averages at least scale**2 / 2 nats over them, whether or not a decoder uses it.

    Parameters
    ----------
    scale : float
        Standard deviation of each posterior mean. It is fixed, since a learned one shrinks to 0.
    **kwargs : dict
        Arguments of a Keras layer.

    References
    ----------
    Q. Zhu et al., "A Batch Normalized Inference Network Keeps the KL Vanishing Away",
    ACL 2020. https://aclanthology.org/2020.acl-main.235/
    """

    def __init__(self, scale: float, **kwargs: Any) -> None:
        # Keras' default epsilon, 1e-3, exceeds the variance of a collapsing mean, which would
        # remove the lower bound on the KL.
        kwargs |= {"center": False, "scale": False, "epsilon": 1e-8, "momentum": 0.9}
        super().__init__(**kwargs)
        self.posterior_scale = float(scale)

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        return self.posterior_scale * super().call(inputs, training=training)

    def get_config(self) -> dict[str, Any]:
        base = super().get_config()
        kept = ("name", "trainable", "dtype")
        return {"scale": self.posterior_scale} | {key: base[key] for key in kept}
