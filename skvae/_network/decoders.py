"""The decoders: from latents to the logits of tokens and words."""

from __future__ import annotations

from typing import Any

from .._base.seeds import SeedSequence
from .._texts.ids import BOUNDARY_ID, UNKNOWN_ID
from .backend import keras, layers, ops
from .config import NetworkConfig
from .layers import DTYPE, dense_layer, dropout_layer, embedding_layer, functional, glorot, recurrent_layer


class _Part(layers.Layer):
    """A part of the autoencoder that is a layer; `build_decoder` makes it a model that can be saved."""

    config: NetworkConfig

    def get_config(self) -> dict[str, Any]:
        # The seed is not needed: weights and generator states are saved separately.
        return {"config": self.config.as_dict()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(NetworkConfig.from_dict(config["config"]), SeedSequence(0))


@keras.saving.register_keras_serializable(package="skvae")
class RecurrentTextDecoder(_Part):
    """Writes a text token by token from a latent vector.

    The latent vector sets the initial state, and is an input of every step, beside the
    previous token, and of the output layer, where a gate chooses which of it is read at this step (skip connections). In training, previous tokens
    are the true ones (teacher forcing), and some of them are hidden (word dropout) so that
    the decoder must use the latents.

    Parameters
    ----------
    config : NetworkConfig
    seeds : SeedSequence
        Seeds of the initial weights.

    References
    ----------
    S. R. Bowman et al., "Generating Sentences from a Continuous Space", CoNLL 2016.
    https://aclanthology.org/K16-1002/
    A. B. Dieng et al., "Avoiding Latent Variable Collapse with Generative Skip Models", AISTATS 2019.
    https://arxiv.org/abs/1807.04863
    """

    def __init__(self, config: NetworkConfig, seeds: SeedSequence) -> None:
        super().__init__(name="text_decoder", dtype=DTYPE)
        self.config = config
        self.kind = config.decoder
        self.word_dropout = config.word_dropout
        self.embedding = embedding_layer(config, seeds, "embedding")
        self.initial_states = [
            dense_layer(units, seeds, f"initial_state_{depth}", activation="tanh")
            for depth, units in enumerate(config.decoder_units)
        ]
        self.recurrent = [
            recurrent_layer(config.decoder, units, seeds, f"recurrent_{depth}", return_sequences=True)
            for depth, units in enumerate(config.decoder_units)
        ]
        self.gated = config.output_gates_latents
        if self.gated:
            self.gate = dense_layer(config.embedding_dim, seeds, "gate", activation="sigmoid")
            self.of_latents = dense_layer(config.embedding_dim, seeds, "of_latents")
        self.projection = dense_layer(config.embedding_dim, seeds, "projection")
        self.dropout = dropout_layer(config.dropout, seeds, "dropout")
        self.random = keras.random.SeedGenerator(seeds.next())
        self.n_tokens = config.n_tokens
        self.n_components = config.n_components

    def build(self, input_shape: Any = None) -> None:
        # Explicitly, so that the weights exist before the first batch.
        self.embedding.build((None, None))
        width = self.embedding.output_dim
        for initial_state, recurrent in zip(self.initial_states, self.recurrent, strict=True):
            initial_state.build((None, self.n_components))
            recurrent.build((None, None, width + self.n_components))
            width = recurrent.units
        if self.gated:
            self.gate.build((None, None, width))
            self.of_latents.build((None, self.n_components))
        self.projection.build((None, None, width + (self.of_latents.units if self.gated else 0)))
        # An untrained decoder does not depend on the latents by chance.
        kernel = self.projection.kernel
        of_latents = ops.expand_dims(ops.arange(kernel.shape[0]) >= width, 1)
        kernel.assign(ops.where(of_latents, 0.0, kernel))
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
        """Compute the logits of the next token.

        Parameters
        ----------
        tokens : integer tensor of shape (batch,)
            The previous tokens.
        states : list
            As returned by `start` or the previous step.
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
        return self._logits(hidden, z), new_states

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
                keras.random.uniform(ops.shape(previous), dtype=DTYPE, seed=self.random) < self.word_dropout
            )
            previous = ops.where(ops.logical_and(hide, previous > BOUNDARY_ID), UNKNOWN_ID, previous)
        hidden = self.embedding(ops.concatenate([boundary, previous], axis=1))
        repeated = ops.repeat(ops.expand_dims(z, 1), ops.shape(targets)[1], axis=1)
        for recurrent, state in zip(self.recurrent, self.start(z), strict=True):
            hidden = recurrent(ops.concatenate([hidden, repeated], axis=-1), initial_state=state)
        return self._logits(self.dropout(hidden, training=training), ops.expand_dims(z, 1))

    def call(self, inputs: list[Any], training: bool = False) -> Any:
        z, targets = inputs
        return self.logits(z, targets, training=training)

    def _logits(self, hidden: Any, z: Any) -> Any:
        if self.gated:
            hidden = ops.concatenate([hidden, self.gate(hidden) * self.of_latents(z)], axis=-1)
        # The embedding is also the output layer (Press and Wolf, EACL 2017).
        table = ops.transpose(ops.convert_to_tensor(self.embedding.embeddings))
        return ops.matmul(self.projection(hidden), table) + self.output_bias


@keras.saving.register_keras_serializable(package="skvae")
class RepeatTextDecoder(_Part):
    """The decoder of 2017: the input of every step is the latent vector, without the previous token.

    Parameters
    ----------
    config : NetworkConfig
    seeds : SeedSequence
        Seeds of the initial weights.
    """

    def __init__(self, config: NetworkConfig, seeds: SeedSequence) -> None:
        super().__init__(name="text_decoder", dtype=DTYPE)
        self.config = config
        self.recurrent = [
            recurrent_layer("lstm", units, seeds, f"recurrent_{depth}", return_sequences=True)
            for depth, units in enumerate(config.decoder_units)
        ]
        self.output_layer = dense_layer(config.n_tokens, seeds, "output")
        self.n_components = config.n_components

    def build(self, input_shape: Any = None) -> None:
        width = self.n_components
        for recurrent in self.recurrent:
            recurrent.build((None, None, width))
            width = recurrent.units
        self.output_layer.build((None, None, width))
        self.built = True

    def logits(self, z: Any, targets: Any, training: bool = False) -> Any:
        """Logits of each token; only the number of columns of `targets` is used.

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
        Seeds of the initial weights.
    """

    def __init__(self, config: NetworkConfig, seeds: SeedSequence) -> None:
        super().__init__(name="bow_decoder", dtype=DTYPE)
        self.config = config
        self.shape = (config.n_components, config.n_words)
        self.initializer = glorot(seeds)
        self.dropout = dropout_layer(config.dropout, seeds, "dropout")

    def build(self, input_shape: Any = None) -> None:
        self.kernel = self.add_weight(shape=self.shape, initializer=self.initializer, name="kernel")
        # Log-frequencies of the words in the training documents are set, not learned.
        self.background = self.add_weight(
            shape=(self.shape[1],), initializer="zeros", trainable=False, name="background"
        )
        self.built = True

    def call(self, z: Any, training: bool = False) -> Any:
        return ops.matmul(self.dropout(z, training=training), self.kernel) + self.background


@keras.saving.register_keras_serializable(package="skvae")
class EmbeddingDecoder(_Part):
    """Linear model of the user's embedding of a document, with Gaussian noise.

    Parameters
    ----------
    config : NetworkConfig
    seeds : SeedSequence
        Seeds of the initial weights.
    """

    def __init__(self, config: NetworkConfig, seeds: SeedSequence) -> None:
        super().__init__(name="embedding_decoder", dtype=DTYPE)
        self.config = config
        self.initializer = glorot(seeds)

    def build(self, input_shape: Any = None) -> None:
        shape = (self.config.n_components, self.config.embedder_dim)
        self.kernel = self.add_weight(shape=shape, initializer=self.initializer, name="kernel")
        self.built = True

    def call(self, z: Any) -> Any:
        # Embeddings are centred, and so are the latents.
        return ops.matmul(z, self.kernel)


def build_decoder(part: Any) -> Any:
    """A decoder as a separate model that can be used and saved; it shares the decoder's weights.

    Parameters
    ----------
    part : RecurrentTextDecoder, RepeatTextDecoder or BowDecoder

    Returns
    -------
    decoder : keras.Model
        From latents (batch, n_components) to logits: of each word (batch, n_words) for a bag of words; of each token
        (batch, max_length, n_tokens) for a "repeat" decoder. A recurrent decoder needs the true
        tokens (batch, time) as its second input, and returns the logits of each token
        given the previous ones, (batch, time, n_tokens).
    """
    inputs = keras.Input((part.config.n_components,), dtype=DTYPE, name="z")
    if isinstance(part, RecurrentTextDecoder):
        inputs = [inputs, keras.Input((None,), dtype="int32", name="ids")]
    return functional(inputs, part(inputs), "decoder")
