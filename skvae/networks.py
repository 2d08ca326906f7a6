"""The Keras networks: encoders, decoders and the autoencoder that joins them.

Nothing here knows scikit-learn. Tokens are ids (0 padding, 1 unknown, 2 boundary,
which both opens and ends a text); a bag of words is a row of counts.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from ._forking import check_can_run
from ._network_config import NetworkConfig
from ._recurrence import LSTM
from ._seeds import SeedSequence
from .objectives import (
    gaussian_kl,
    kl_above_free_bits,
    linear_warmup,
    multinomial_nll,
    sequence_nll,
    sparse_matmul,
    token_accuracy,
)

UNKNOWN_ID = 1
BOUNDARY_ID = 2
FIRST_TOKEN_ID = 3

# The upper end, a variance of e against the prior's 1, is more than any posterior needs. Without it, a
# document unlike the others now and then gets a variance of thousands, and the loss a spike.
_LOG_VARIANCE_RANGE = (-20.0, 1.0)
_INITIAL_LOG_VARIANCE = -2.0
# Of all layers, models, metrics and draws, whatever Keras' global policy and floatx are: batches come in
# single precision, and the gradients by hand are for it only.
_DTYPE = "float32"


def _glorot(seeds: SeedSequence) -> Any:
    # An explicit seed everywhere: an initializer without one draws from Python's global generator.
    return keras.initializers.GlorotUniform(seed=seeds.next())


def _dense(units: int, seeds: SeedSequence, name: str, **kwargs: Any) -> Any:
    kwargs.setdefault("kernel_initializer", _glorot(seeds))
    return layers.Dense(units, name=name, dtype=_DTYPE, **kwargs)


def _recurrent(kind: str, units: int, seeds: SeedSequence, name: str, **kwargs: Any) -> Any:
    layer = {"gru": layers.GRU, "lstm": LSTM}[kind]
    return layer(
        units,
        kernel_initializer=_glorot(seeds),
        recurrent_initializer=keras.initializers.Orthogonal(seed=seeds.next()),
        seed=seeds.next(),
        name=name,
        dtype=_DTYPE,
        **kwargs,
    )


def _embedding(config: NetworkConfig, seeds: SeedSequence, name: str, **kwargs: Any) -> Any:
    return layers.Embedding(
        config.n_tokens,
        config.embedding_dim,
        embeddings_initializer=keras.initializers.RandomNormal(stddev=0.05, seed=seeds.next()),
        name=name,
        dtype=_DTYPE,
        **kwargs,
    )


def _dropout(rate: float, seeds: SeedSequence, name: str) -> Any:
    return layers.Dropout(rate, seed=seeds.next(), name=name, dtype=_DTYPE)


def _functional(inputs: Any, outputs: Any, name: str) -> Any:
    model = keras.Model(inputs, outputs, name=name)
    # The constructor takes none.
    model.dtype_policy = keras.DTypePolicy(_DTYPE)
    return model


def _tracker(name: str) -> Any:
    tracker = keras.metrics.Mean(name=name, dtype=_DTYPE)
    # Where Keras notes which way a metric gets better.
    tracker._direction = "up" if name.endswith("accuracy") else "down"
    return tracker


@keras.saving.register_keras_serializable(package="skvae")
class LongMemory(keras.initializers.Initializer):
    """Biases with which the units of an LSTM remember for one step up to the length of a text.

    With Keras' own, half of what a unit has read is gone after two tokens; the last state
    of a long text then knows its end only, and training takes long to change that.

    Parameters
    ----------
    length : int
        Number of tokens of the longest text.
    seed : int
        Decides how long each unit remembers.

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


def build_encoder(config: NetworkConfig, seeds: SeedSequence) -> Any:
    """The network from a document to its posterior.

    Parameters
    ----------
    config : NetworkConfig
    seeds : SeedSequence
        Where the weights' initial values come from.

    Returns
    -------
    encoder : keras.Model
        From log(1 + counts) (batch, n_words) or ids (batch, time) to the posterior mean and log-variance,
        both (batch, n_components).
    """
    if config.encoder == "bow":
        hidden = inputs = keras.Input((config.n_words,), dtype=_DTYPE, name="log_counts")
        for depth, units in enumerate(config.encoder_units):
            if depth:
                hidden = _dropout(config.dropout, seeds, f"dropout_{depth}")(hidden)
            hidden = _dense(units, seeds, f"hidden_{depth}", activation="relu")(hidden)
    else:
        inputs = keras.Input((None,), dtype="int32", name="ids")
        hidden = _embedding(config, seeds, "embedding", mask_zero=True)(inputs)
        for depth, units in enumerate(config.encoder_units):
            last = depth == len(config.encoder_units) - 1
            options = {
                "return_sequences": not last,
                "unit_forget_bias": False,
                "bias_initializer": LongMemory(config.max_length, seeds.next()),
            }
            forward = _recurrent("lstm", units, seeds, "forward", **options)
            backward = _recurrent("lstm", units, seeds, "backward", go_backwards=True, **options)
            hidden = layers.Bidirectional(
                forward, backward_layer=backward, name=f"hidden_{depth}", dtype=_DTYPE
            )(hidden)
    if config.bottleneck_units is not None:
        hidden = _dense(config.bottleneck_units, seeds, "bottleneck", activation="relu")(hidden)
    mean = _dense(config.n_components, seeds, "mean")(hidden)
    if config.posterior_scale is not None:
        mean = PosteriorNormalization(config.posterior_scale, name="normalization", dtype=_DTYPE)(mean)
    log_variance = _dense(
        config.n_components,
        seeds,
        "log_variance",
        kernel_initializer="zeros",
        bias_initializer=keras.initializers.Constant(_INITIAL_LOG_VARIANCE),
    )(hidden)
    log_variance = ops.clip(log_variance, *_LOG_VARIANCE_RANGE)
    return _functional(inputs, [mean, log_variance], "encoder")


@keras.saving.register_keras_serializable(package="skvae")
class PosteriorNormalization(layers.BatchNormalization):
    """Batch normalisation of the posterior mean to a fixed standard deviation.

    With mean 0 and standard deviation `scale` over the documents, the KL of each latent
    dimension averages at least scale**2 / 2 nats over them, whether or not a decoder uses it.

    Parameters
    ----------
    scale : float
        Standard deviation of each posterior mean. Not learned: a learned one shrinks to 0.
    **kwargs : dict
        Arguments of a Keras layer.

    References
    ----------
    Q. Zhu et al., "A Batch Normalized Inference Network Keeps the KL Vanishing Away",
    ACL 2020. https://aclanthology.org/2020.acl-main.235/
    """

    def __init__(self, scale: float, **kwargs: Any) -> None:
        # Keras' default epsilon, 1e-3, exceeds the variance of a collapsing mean, and the
        # bound on the KL silently vanishes.
        kwargs |= {"center": False, "scale": False, "epsilon": 1e-8, "momentum": 0.9}
        super().__init__(**kwargs)
        self.posterior_scale = float(scale)

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        return self.posterior_scale * super().call(inputs, training=training)

    def get_config(self) -> dict[str, Any]:
        base = super().get_config()
        kept = ("name", "trainable", "dtype")
        return {"scale": self.posterior_scale} | {key: base[key] for key in kept}


class _Part(layers.Layer):
    """A part of the autoencoder that is a layer, and with `build_decoder` a model that can be saved."""

    config: NetworkConfig

    def get_config(self) -> dict[str, Any]:
        # The seed is of no account: weights and the state of the generators are saved beside.
        return {"config": self.config.as_dict()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(NetworkConfig.from_dict(config["config"]), SeedSequence(0))


@keras.saving.register_keras_serializable(package="skvae")
class RecurrentTextDecoder(_Part):
    """Writes a text token by token from a latent vector.

    The latent vector sets the initial state and is seen again at every step, beside the
    previous token. While training, previous tokens are the true ones (teacher forcing), and
    some of them are hidden (word dropout) so that the decoder has to ask the latents.

    Parameters
    ----------
    config : NetworkConfig
    seeds : SeedSequence
        Where the weights' initial values come from.

    References
    ----------
    S. R. Bowman et al., "Generating Sentences from a Continuous Space", CoNLL 2016.
    https://aclanthology.org/K16-1002/
    """

    def __init__(self, config: NetworkConfig, seeds: SeedSequence) -> None:
        super().__init__(name="text_decoder", dtype=_DTYPE)
        self.config = config
        self.kind = config.decoder
        self.word_dropout = config.word_dropout
        self.embedding = _embedding(config, seeds, "embedding")
        self.initial_states = [
            _dense(units, seeds, f"initial_state_{depth}", activation="tanh")
            for depth, units in enumerate(config.decoder_units)
        ]
        self.recurrent = [
            _recurrent(config.decoder, units, seeds, f"recurrent_{depth}", return_sequences=True)
            for depth, units in enumerate(config.decoder_units)
        ]
        self.projection = _dense(config.embedding_dim, seeds, "projection")
        self.dropout = _dropout(config.dropout, seeds, "dropout")
        self.random = keras.random.SeedGenerator(seeds.next())
        self.n_tokens = config.n_tokens
        self.n_components = config.n_components

    def build(self, input_shape: Any = None) -> None:
        # Explicitly, so that the weights exist before any batch is seen.
        self.embedding.build((None, None))
        width = self.embedding.output_dim
        for initial_state, recurrent in zip(self.initial_states, self.recurrent, strict=True):
            initial_state.build((None, self.n_components))
            recurrent.build((None, None, width + self.n_components))
            width = recurrent.units
        self.projection.build((None, None, width))
        self.output_bias = self.add_weight(shape=(self.n_tokens,), initializer="zeros", name="output_bias")
        self.built = True

    def start(self, z: Any) -> list[list[Any]]:
        """Initial states of each layer, from latents of shape (batch, n_components)."""
        states = []
        for initial_state in self.initial_states:
            state = initial_state(z)
            states.append([state, ops.zeros_like(state)] if self.kind == "lstm" else [state])
        return states

    def step(self, tokens: Any, states: list[list[Any]], z: Any) -> tuple[Any, list[list[Any]]]:
        """One token further.

        Parameters
        ----------
        tokens : integer tensor of shape (batch,)
            The previous tokens.
        states : list
            What `start` or the previous step returned.
        z : tensor of shape (batch, n_components)
            The latents.

        Returns
        -------
        logits : tensor of shape (batch, n_tokens)
            Unnormalised log-probabilities of the next token.
        states : list
            States for the next step.
        """
        hidden = self.embedding(tokens)
        new_states = []
        for recurrent, state in zip(self.recurrent, states, strict=True):
            hidden, state = recurrent.cell(ops.concatenate([hidden, z], axis=-1), state)
            new_states.append(list(state))
        return self._logits(hidden), new_states

    def logits(self, z: Any, targets: Any, training: bool = False) -> Any:
        """Teacher-forced logits of each target token.

        Parameters
        ----------
        z : tensor of shape (batch, n_components)
        targets : integer tensor of shape (batch, time)
        training : bool

        Returns
        -------
        logits : tensor of shape (batch, time, n_tokens)
        """
        boundary = ops.full_like(targets[:, :1], BOUNDARY_ID)
        previous = targets[:, :-1]
        if training and self.word_dropout > 0:
            hide = (
                keras.random.uniform(ops.shape(previous), dtype=_DTYPE, seed=self.random) < self.word_dropout
            )
            previous = ops.where(ops.logical_and(hide, previous > BOUNDARY_ID), UNKNOWN_ID, previous)
        hidden = self.embedding(ops.concatenate([boundary, previous], axis=1))
        repeated = ops.repeat(ops.expand_dims(z, 1), ops.shape(targets)[1], axis=1)
        for recurrent, state in zip(self.recurrent, self.start(z), strict=True):
            hidden = recurrent(ops.concatenate([hidden, repeated], axis=-1), initial_state=state)
        return self._logits(self.dropout(hidden, training=training))

    def call(self, inputs: list[Any], training: bool = False) -> Any:
        z, targets = inputs
        return self.logits(z, targets, training=training)

    def _logits(self, hidden: Any) -> Any:
        # The embedding serves as output layer too (Press and Wolf, EACL 2017).
        table = ops.transpose(ops.convert_to_tensor(self.embedding.embeddings))
        return ops.matmul(self.projection(hidden), table) + self.output_bias


@keras.saving.register_keras_serializable(package="skvae")
class RepeatTextDecoder(_Part):
    """The decoder of 2017: the latent vector again at every step, and no previous token.

    Parameters
    ----------
    config : NetworkConfig
    seeds : SeedSequence
        Where the weights' initial values come from.
    """

    def __init__(self, config: NetworkConfig, seeds: SeedSequence) -> None:
        super().__init__(name="text_decoder", dtype=_DTYPE)
        self.config = config
        self.recurrent = [
            _recurrent("lstm", units, seeds, f"recurrent_{depth}", return_sequences=True)
            for depth, units in enumerate(config.decoder_units)
        ]
        self.output_layer = _dense(config.n_tokens, seeds, "output")
        self.n_components = config.n_components

    def build(self, input_shape: Any = None) -> None:
        width = self.n_components
        for recurrent in self.recurrent:
            recurrent.build((None, None, width))
            width = recurrent.units
        self.output_layer.build((None, None, width))
        self.built = True

    def logits(self, z: Any, targets: Any, training: bool = False) -> Any:
        """Logits of each token; only the number of columns of `targets` is looked at.

        Parameters
        ----------
        z : tensor of shape (batch, n_components)
        targets : integer tensor of shape (batch, time)
        training : bool
            Ignored.

        Returns
        -------
        logits : tensor of shape (batch, time, n_tokens)
        """
        hidden = ops.repeat(ops.expand_dims(z, 1), ops.shape(targets)[1], axis=1)
        for recurrent in self.recurrent:
            hidden = recurrent(hidden)
        return self.output_layer(hidden)

    def call(self, z: Any, training: bool = False) -> Any:
        return self.logits(z, ops.zeros((1, self.config.max_length), dtype="int32"))


@keras.saving.register_keras_serializable(package="skvae")
class BowDecoder(_Part):
    """Log-linear model of the words of a document: one direction in word space for each latent.

    Parameters
    ----------
    config : NetworkConfig
    seeds : SeedSequence
        Where the weights' initial values come from.
    """

    def __init__(self, config: NetworkConfig, seeds: SeedSequence) -> None:
        super().__init__(name="bow_decoder", dtype=_DTYPE)
        self.config = config
        self.shape = (config.n_components, config.n_words)
        self.initializer = _glorot(seeds)
        self.dropout = _dropout(config.dropout, seeds, "dropout")

    def build(self, input_shape: Any = None) -> None:
        self.kernel = self.add_weight(shape=self.shape, initializer=self.initializer, name="kernel")
        # Log-frequencies of the words in the training documents: set, not learned.
        self.background = self.add_weight(
            shape=(self.shape[1],), initializer="zeros", trainable=False, name="background"
        )
        self.built = True

    def call(self, z: Any, training: bool = False) -> Any:
        return ops.matmul(self.dropout(z, training=training), self.kernel) + self.background


def _share_of_replica(loss: Any) -> Any:
    """What a replica of a `tf.distribute` strategy counts of its loss; the gradients of all are added up."""
    n_replicas = tf.distribute.get_strategy().num_replicas_in_sync
    return loss if n_replicas == 1 else loss / n_replicas


@keras.saving.register_keras_serializable(package="skvae")
class TextVAE(keras.Model):
    """Encoder, text decoder and bag-of-words decoder, with the loss in named parts.

    Parameters
    ----------
    config : NetworkConfig
    seed : int
        Everything random in the network derives from it.

    Notes
    -----
    Inputs are a dict as `Documents.batch` makes it: "ids" (batch, time), and the bag of words
    as "distinct" (batch,), "word_columns" and "word_counts" (n_nonzero,). Calling the model gives
    a dict of nats per document, each (batch,).
    """

    part_names = ("nll_text", "nll_bow", "kl")

    def __init__(self, config: NetworkConfig, seed: int) -> None:
        check_can_run()
        super().__init__(name="text_vae", dtype=_DTYPE)
        seeds = SeedSequence(seed)
        self.config = config
        self.encoder = build_encoder(config, seeds)
        self._after_entry = _functional(self.entry, self.encoder.outputs, "after_entry")
        self.text_decoder: Any = None
        if config.decoder == "repeat":
            self.text_decoder = RepeatTextDecoder(config, seeds)
        elif config.decoder != "bow":
            self.text_decoder = RecurrentTextDecoder(config, seeds)
        self.bow_decoder = BowDecoder(config, seeds) if config.bow_weight > 0 else None
        self.random = keras.random.SeedGenerator(seeds.next())
        # Of its own, so that measuring validation texts does not change what is trained.
        self.random_of_evaluation = keras.random.SeedGenerator(seeds.next())
        self.trackers = [_tracker(name) for name in self._tracked_parts()]
        if self.text_decoder is not None:
            self.trackers.append(_tracker("token_accuracy"))
        self.warmup_steps = 0
        # What the network was compiled with, as the estimator has it.
        self.recipe: Any = None
        for decoder in (self.text_decoder, self.bow_decoder):
            if decoder is not None:
                decoder.build()
        self.built = True

    def _tracked_parts(self) -> list[str]:
        absent = set()
        if self.config.decoder == "bow":
            absent.add("nll_text")
        if self.config.bow_weight == 0:
            absent.add("nll_bow")
        return [name for name in self.part_names if name not in absent]

    @property
    def entry(self) -> Any:
        """Where the encoder is entered with what `read` returns: its input, or after its first layer."""
        if self.config.encoder == "bow":
            return self.encoder.get_layer("hidden_0").output
        return self.encoder.input

    def read(self, inputs: dict[str, Any]) -> Any:
        """What the encoder makes of its inputs up to `entry`."""
        if self.config.encoder != "bow":
            # Without the boundary that closes a text of which these are the last tokens.
            return inputs["ids"][:, : self.config.max_length]
        # A batch of documents travels as its non-zero counts and is never made dense: the
        # first layer takes a tenth of the time that way.
        first = self.encoder.get_layer("hidden_0")
        product = sparse_matmul(
            self._positions(inputs),
            ops.log1p(inputs["word_counts"]),
            ops.shape(inputs["distinct"])[0],
            tf.convert_to_tensor(first.kernel),
        )
        return first.activation(product + first.bias)

    def encode(self, inputs: dict[str, Any], training: bool = False) -> tuple[Any, Any]:
        """Posterior mean and log-variance, both of shape (batch, n_components)."""
        mean, log_variance = self._after_entry(self.read(inputs), training=training)
        return mean, log_variance

    @cached_property
    def encode_many(self) -> Any:
        """`encode` for token ids (batch, time), compiled: of long texts it takes an eighth of the time."""
        return tf.function(
            lambda ids: self.encode({"ids": ids}), input_signature=[tf.TensorSpec((None, None), tf.int32)]
        )

    @cached_property
    def logits_of_many(self) -> Any:
        """The text decoder's `logits` for latents and token ids, compiled."""
        return tf.function(
            self.text_decoder.logits,
            input_signature=[
                tf.TensorSpec((None, self.config.n_components), tf.float32),
                tf.TensorSpec((None, None), tf.int32),
            ],
        )

    @staticmethod
    def _positions(inputs: dict[str, Any]) -> Any:
        """Row and column of each non-zero count, of shape (n_nonzero, 2)."""
        distinct = tf.convert_to_tensor(inputs["distinct"])
        rows = tf.repeat(tf.range(tf.shape(distinct)[0]), distinct)
        # TensorFlow's sparse operations take int64 only.
        return tf.cast(tf.stack([rows, inputs["word_columns"]], axis=1), tf.int64)

    def decode_nll(self, z: Any, inputs: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Reconstruction terms given latents.

        Parameters
        ----------
        z : tensor of shape (batch, n_components)
        inputs : dict of tensors
            As for calling the model.
        training : bool

        Returns
        -------
        parts : dict of str to tensor of shape (batch,)
            "nll_text" and "nll_bow", those of the decoders that exist, in nats per document; with a text
            decoder "token_accuracy", and "n_tokens" that it counted.
        """
        parts = {}
        if self.text_decoder is not None:
            logits = self.text_decoder.logits(z, inputs["ids"], training=training)
            parts["nll_text"] = sequence_nll(logits, inputs["ids"])
            parts["token_accuracy"], parts["n_tokens"] = token_accuracy(logits, inputs["ids"])
        if self.bow_decoder is not None:
            logits = self.bow_decoder(z, training=training)
            counts = tf.convert_to_tensor(inputs["word_counts"])
            parts["nll_bow"] = multinomial_nll(logits, self._positions(inputs), counts)
        return parts

    def parts(self, mean: Any, log_variance: Any, inputs: dict[str, Any], training: bool) -> dict[str, Any]:
        """Each part of the loss, of shape (batch,), with one latent drawn from each posterior."""
        random = self.random if training else self.random_of_evaluation
        noise = keras.random.normal(ops.shape(mean), dtype=_DTYPE, seed=random)
        z = mean + ops.exp(0.5 * log_variance) * noise
        parts = self.decode_nll(z, inputs, training) | {"kl": gaussian_kl(mean, log_variance)}
        if self.config.free_bits > 0:
            parts["penalised_kl"] = kl_above_free_bits(mean, log_variance, self.config.free_bits)
        return parts

    def call(self, inputs: dict[str, Any], training: bool = False) -> dict[str, Any]:
        return self.parts(*self.encode(inputs, training=training), inputs, training)

    def total(self, parts: dict[str, Any], kl_weight: Any = 1.0) -> Any:
        """The weighted sum of the parts: what is minimised, of shape (batch,)."""
        loss = self.config.beta * kl_weight * parts.get("penalised_kl", parts["kl"])
        if "nll_text" in parts:
            loss = loss + parts["nll_text"]
        if "nll_bow" in parts:
            loss = loss + self.config.bow_weight * parts["nll_bow"]
        return loss

    def track(self, parts: dict[str, Any]) -> None:
        """Count a batch in the averages that `Model.fit` reports."""
        for tracker in self.trackers:
            weights = parts["n_tokens"] if tracker.name == "token_accuracy" else None
            tracker.update_state(parts[tracker.name], weights)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        self.track(y_pred)
        kl_weight = linear_warmup(self.optimizer.iterations, self.warmup_steps) if training else 1.0
        return _share_of_replica(ops.mean(self.total(y_pred, kl_weight)))

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        return self.get_metrics_result()

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        # All is built. Under a `tf.distribute` strategy Keras would add up the batches of its replicas to
        # see their shape, and each has its own.
        pass

    def _generator_states(self) -> list[Any]:
        return [variable for variable in self.variables if variable.name == "seed_generator_state"]

    # Keras saves weights without them, and a training that goes on from a checkpoint would not end
    # where the uninterrupted one does.
    def save_own_variables(self, store: Any) -> None:
        for number, state in enumerate(self._generator_states()):
            store[f"generator_{number}"] = state.numpy()

    def load_own_variables(self, store: Any) -> None:
        for number, state in enumerate(self._generator_states()):
            state.assign(store[f"generator_{number}"])

    def get_config(self) -> dict[str, Any]:
        # The seed is of no account: weights and the state of the generators are saved beside.
        return {"config": self.config.as_dict(), "seed": 0}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> TextVAE:
        return cls(NetworkConfig.from_dict(config["config"]), config["seed"])

    def named_weights(self) -> dict[str, Any]:
        """Every weight by a name that lasts: the part of the network and the path within it."""
        named = {}
        parts = [self.encoder, self.text_decoder, self.bow_decoder]
        for part in filter(None, parts):
            for weight in part.weights:
                # Keras prefixes the paths within a layer, but not those within a functional model.
                named[f"{part.name}/{weight.path.removeprefix(part.name + '/')}"] = weight
        return named

    def set_background(self, word_counts: np.ndarray) -> None:
        """Set the word frequencies that the bag-of-words decoder starts from.

        Parameters
        ----------
        word_counts : ndarray of shape (n_words,)
            Occurrences of each word in the training documents.
        """
        if self.bow_decoder is not None:
            # One is added, so that a word that partial_fit has yet to see is not impossible.
            frequencies = word_counts + 1.0
            self.bow_decoder.background.assign(np.log(frequencies / frequencies.sum()).astype(np.float32))


def build_decoder(part: Any) -> Any:
    """A decoder as a model that can be used and saved alone; it shares the decoder's weights.

    Parameters
    ----------
    part : RecurrentTextDecoder, RepeatTextDecoder or BowDecoder

    Returns
    -------
    decoder : keras.Model
        From latents (batch, n_components) to logits: of each word (batch, n_words) of a bag; of each token
        (batch, max_length, n_tokens) of a "repeat" decoder. A recurrent one needs the true
        tokens (batch, time) as well, as its second input, and gives the logits of each of them
        from those before, (batch, time, n_tokens).
    """
    inputs = keras.Input((part.config.n_components,), dtype=_DTYPE, name="z")
    if isinstance(part, RecurrentTextDecoder):
        inputs = [inputs, keras.Input((None,), dtype="int32", name="ids")]
    return _functional(inputs, part(inputs), "decoder")


def build_class_head(
    n_features: int, units: tuple[int, ...], activation: str, n_outputs: int, seeds: SeedSequence
) -> Any:
    """The network from what an encoder made of a document to its class.

    Parameters
    ----------
    n_features : int
        Width of the posterior mean and the hidden layers that it reads.
    units : tuple of int
        Width of each hidden layer; none makes it linear.
    activation : str
        Activation of the hidden layers.
    n_outputs : int
        1 for two classes, else one for each class.
    seeds : SeedSequence
        Where the weights' initial values come from.

    Returns
    -------
    class_head : keras.Model
        From features (batch, n_features) to logits (batch, n_outputs).
    """
    hidden = inputs = keras.Input((n_features,), dtype=_DTYPE, name="features")
    for depth, width in enumerate(units):
        hidden = _dense(width, seeds, f"hidden_{depth}", activation=activation)(hidden)
    return _functional(inputs, _dense(n_outputs, seeds, "logits")(hidden), "class_head")


@keras.saving.register_keras_serializable(package="skvae")
class TextVAEWithClassHead(keras.Model):
    """An autoencoder and a class head on its encoder, trained together.

    Parameters
    ----------
    vae : TextVAE
    class_head : keras.Model
        As `build_class_head` makes it.
    classification_weight : float
        Weight of the cross-entropy of a labelled document beside its ELBO.
    trains_vae : bool
        Whether both are trained, or the class head alone.

    Notes
    -----
    Inputs are those of `TextVAE`, or without it "features" (batch, n_features), and "offset"
    (batch, n_outputs), the logits that other terms give.
    Targets are probabilities (batch, n_classes), sample weights (batch,) count in the cross-entropy.
    """

    def __init__(self, vae: TextVAE, class_head: Any, classification_weight: float, trains_vae: bool) -> None:
        super().__init__(name="text_vae_with_class_head", dtype=_DTYPE)
        self.trains_vae = trains_vae
        self.vae = vae
        self.class_head = class_head
        self.classification_weight = classification_weight
        encoder = vae.encoder
        read = [encoder.outputs[0]]
        if vae.config.encoder == "bow":
            read += [encoder.get_layer(name).output for name in vae.config.hidden_layer_names]
        features = ops.concatenate(read, axis=-1) if len(read) > 1 else read[0]
        self.reader = _functional(vae.entry, [*encoder.outputs, features], "reader")
        self.cross_entropy = _tracker("cross_entropy")
        self.accuracy = _tracker("accuracy")
        # What the network was made with, as the estimator has it.
        self.recipe: Any = None
        self.built = True

    def get_config(self) -> dict[str, Any]:
        return {
            "vae": keras.saving.serialize_keras_object(self.vae),
            "class_head": keras.saving.serialize_keras_object(self.class_head),
            "classification_weight": self.classification_weight,
            "trains_vae": self.trains_vae,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> TextVAEWithClassHead:
        parts = {name: keras.saving.deserialize_keras_object(config[name]) for name in ("vae", "class_head")}
        return cls(**config | parts)

    @property
    def trainable_weights(self) -> list[Any]:
        """What training changes; without the autoencoder where it is only borrowed."""
        # Not by `vae.trainable`, which would change the autoencoder for everybody who holds it.
        if not self.trains_vae:
            return list(self.class_head.trainable_weights)
        return list(super().trainable_weights)

    @property
    def trainable_variables(self) -> list[Any]:
        return self.trainable_weights

    @property
    def metrics(self) -> list[Any]:
        # Keras collects those of this model only.
        return [*super().metrics, *(self.vae.trackers if self.trains_vae else [])]

    def call(self, inputs: dict[str, Any], training: bool = False) -> dict[str, Any]:
        if not self.trains_vae:
            return {"logits": self.class_head(inputs["features"]) + inputs["offset"]}
        mean, log_variance, features = self.reader(self.vae.read(inputs), training=training)
        parts = self.vae.parts(mean, log_variance, inputs, training)
        return parts | {"logits": self.class_head(features) + inputs["offset"]}

    def head_gradient(self, features: Any, directions: Any) -> Any:
        """Gradient, in the features, of a weighted sum of the class head's logits.

        Parameters
        ----------
        features : array of shape (n_documents, n_features)
        directions : array of shape (n_documents, n_outputs)
            Weights of the sum.

        Returns
        -------
        gradient : ndarray of shape (n_documents, n_features), dtype float32
        """
        features = tf.convert_to_tensor(features)
        with tf.GradientTape() as tape:
            tape.watch(features)
            total = tf.reduce_sum(self.class_head(features, training=False) * directions)
        return tape.gradient(total, features).numpy()

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        logits = y_pred["logits"]
        # Asked of the head, because the logits' own width is open while they are traced.
        if self.class_head.output_shape[-1] == 1:
            logits = ops.concatenate([ops.zeros_like(logits), logits], axis=-1)
        cross_entropy = -ops.sum(y * ops.log_softmax(logits), axis=-1)
        self.cross_entropy.update_state(cross_entropy, sample_weight)
        right = ops.equal(ops.argmax(logits, axis=-1), ops.argmax(y, axis=-1))
        self.accuracy.update_state(ops.cast(right, "float32"), sample_weight)
        loss = self.classification_weight * ops.mean(sample_weight * cross_entropy)
        if not self.trains_vae:
            return _share_of_replica(loss)
        self.vae.track(y_pred)
        return _share_of_replica(loss + ops.mean(self.vae.total(y_pred)))

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        return self.get_metrics_result()

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        # All is built. Under a `tf.distribute` strategy Keras would add up the batches of its replicas to
        # see their shape, and each has its own.
        pass
