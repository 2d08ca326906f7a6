"""The autoencoder: an encoder and decoders, with the loss in named parts."""

from __future__ import annotations

import functools
from functools import cached_property
from typing import Any

import numpy as np

from .._base.forking import check_can_run
from .._base.seeds import SeedSequence
from .backend import keras, ops, tf
from .config import NetworkConfig
from .decoders import BowDecoder, EmbeddingDecoder, RecurrentTextDecoder, RepeatTextDecoder
from .encoders import build_encoder
from .layers import DTYPE, functional, mean_tracker, share_of_replica
from .objectives import (
    gaussian_kl,
    kl_above_free_bits,
    linear_warmup,
    multinomial_nll,
    sequence_nll,
    sparse_matmul,
    token_accuracy,
    token_nll,
)
from .private import BuiltBeforeTraining


@keras.saving.register_keras_serializable(package="skvae")
class TextVAE(BuiltBeforeTraining, keras.Model):
    """Encoder, text decoder and bag-of-words decoder, with the loss in named parts.

    Parameters
    ----------
    config : NetworkConfig
    seed : int
        Seed of all random numbers in the network.

    Notes
    -----
    Inputs are a dict as returned by `Documents.batch`: "ids" (batch, time), and the bag of words
    as "distinct" (batch,), "word_columns" and "word_counts" (n_nonzero,). Calling the model returns
    a dict of nats per document, each (batch,).
    """

    part_names = ("nll_text", "nll_bow", "nll_embedding", "kl")

    def __init__(self, config: NetworkConfig, seed: int) -> None:
        check_can_run()
        super().__init__(name="text_vae", dtype=DTYPE)
        seeds = SeedSequence(seed)
        self.config = config
        self.encoder = build_encoder(config, seeds)
        self._after_entry = functional(self.entry, self.encoder.outputs, "after_entry")
        self.text_decoder: Any = None
        if config.decoder == "repeat":
            self.text_decoder = RepeatTextDecoder(config, seeds)
        elif config.decoder != "bow":
            self.text_decoder = RecurrentTextDecoder(config, seeds)
        self.bow_decoder = BowDecoder(config, seeds) if config.bow_weight > 0 else None
        self.embedding_decoder = EmbeddingDecoder(config, seeds) if config.embedding_precision else None
        self.random = keras.random.SeedGenerator(seeds.next())
        # A separate generator, so that evaluating validation texts does not change the training.
        self.random_of_evaluation = keras.random.SeedGenerator(seeds.next())
        self.trackers = [mean_tracker(name) for name in self._tracked_parts()]
        if self.text_decoder is not None:
            self.trackers.append(mean_tracker("token_accuracy"))
        self.warmup_steps = 0
        # The estimator parameters that the network was compiled with.
        self.recipe: Any = None
        for decoder in (self.text_decoder, self.bow_decoder, self.embedding_decoder):
            if decoder is not None:
                decoder.build()
        self.built = True

    def _tracked_parts(self) -> list[str]:
        absent = set()
        if self.config.decoder == "bow":
            absent.add("nll_text")
        if self.config.bow_weight == 0:
            absent.add("nll_bow")
        if not self.config.embedding_precision:
            absent.add("nll_embedding")
        return [name for name in self.part_names if name not in absent]

    @property
    def entry(self) -> Any:
        """The layer at which the output of `read` enters the encoder: its input, or the output of its first layer."""
        if self.config.encoder == "bow":
            return self.encoder.get_layer("hidden_0").output
        return self.encoder.input

    def read(self, inputs: dict[str, Any]) -> Any:
        """The encoder's output at `entry`."""
        if self.config.encoder != "bow":
            # Without the boundary token that follows the last tokens of a truncated text.
            ids = inputs["ids"][:, : self.config.max_length]
            return [ids, inputs["vectors"]] if self.config.dense_dim else ids
        # A batch of documents is passed as its non-zero counts and never made dense, since the
        # first layer then takes a tenth of the time.
        first = self.encoder.get_layer("hidden_0")
        kernel = tf.convert_to_tensor(first.kernel)
        product = sparse_matmul(
            self._positions(inputs),
            ops.log1p(inputs["word_counts"]),
            ops.shape(inputs["distinct"])[0],
            kernel[: self.config.n_words],
        )
        if self.config.dense_dim:
            product += ops.matmul(inputs["vectors"], kernel[self.config.n_words :])
        return first.activation(product + first.bias)

    def encode(self, inputs: dict[str, Any], training: bool = False) -> tuple[Any, Any]:
        """Posterior mean and log-variance, both of shape (batch, n_components)."""
        mean, log_variance = self._after_entry(self.read(inputs), training=training)
        return mean, log_variance

    def integrated_gradients(
        self, inputs: dict[str, Any], slopes: Any, n_steps: int, *, compiled: bool
    ) -> tuple[Any, Any]:
        """What each token and the vectors of one document add to a linear function of the posterior mean.

        Parameters
        ----------
        inputs : dict of arrays
            As for calling the model, with one row.
        slopes : array of shape (n_components,)
            The linear function.
        n_steps : int
            Number of gradients, at the middles of equal steps from embeddings and vectors of zero to those of the document.
        compiled : bool
            Whether there are enough tokens to explain for compiling to save time.

        Returns
        -------
        added : ndarray of shape (n_read,), dtype float32
            What each token adds.
        of_vectors : ndarray of shape (dense_dim,), dtype float32
            Slopes in the vectors: what these add is the product with them.
        """
        tokens = self.encoder.get_layer("embedding")(inputs["ids"][:, : self.config.max_length])[0]
        points = (tf.range(n_steps, dtype=tokens.dtype) + 0.5) / n_steps
        gradient = self._gradient_on_path_of_many if compiled else self._gradient_on_path
        of_tokens, of_vectors = gradient(tokens, self.vectors_of(inputs), points, slopes)
        return tf.reduce_sum(of_tokens * tokens, axis=1).numpy(), of_vectors.numpy()

    def vectors_of(self, inputs: dict[str, Any]) -> Any:
        """The documents' vectors, of shape (batch, dense_dim); of width 0 if there are none."""
        if self.config.dense_dim:
            return inputs["vectors"]
        return np.zeros((len(inputs["ids"]), 0), dtype=np.float32)

    def _gradient_on_path(self, tokens: Any, vectors: Any, points: Any, slopes: Any) -> tuple[Any, Any]:
        """Average gradients in embeddings and vectors scaled by each of the points, which are one batch."""
        path, path_of_vectors = points[:, None, None] * tokens, points[:, None] * vectors
        with tf.GradientTape() as tape:
            tape.watch([path, path_of_vectors])
            total = tf.reduce_sum(self._after_embedding(path, path_of_vectors) * slopes)
        gradients = tape.gradient(
            total, [path, path_of_vectors], unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        return tuple(tf.reduce_mean(gradient, axis=0) for gradient in gradients)

    @cached_property
    def _gradient_on_path_of_many(self) -> Any:
        """`_gradient_on_path`, compiled."""
        shapes = [
            (None, self.config.embedding_dim),
            (1, self.config.dense_dim),
            (None,),
            (self.config.n_components,),
        ]
        return tf.function(
            functools.partial(self._gradient_on_path),
            input_signature=[tf.TensorSpec(shape, tf.float32) for shape in shapes],
        )

    def _after_embedding(self, hidden: Any, vectors: Any) -> Any:
        """The posterior mean from embedded tokens of documents without padding, and their vectors."""
        pooled = [self.encoder.get_layer("pooling")(hidden)] if self.config.pools_positions else []
        for depth in range(len(self.config.encoder_units)):
            hidden = self.encoder.get_layer(f"hidden_{depth}")(hidden, training=False)
        hidden = tf.concat([hidden, *pooled, vectors], axis=1)
        names = []
        if self.config.bottleneck_units is not None:
            names.append("bottleneck")
        names.append("mean")
        if self.config.posterior_scale is not None:
            names.append("normalization")
        for name in names:
            hidden = self.encoder.get_layer(name)(hidden, training=False)
        return hidden

    @cached_property
    def encode_many(self) -> Any:
        """`encode` for token ids and vectors, compiled: for long texts it takes an eighth of the time."""

        def encode(model: TextVAE, ids: Any, vectors: Any) -> Any:
            return model.encode({"ids": ids, "vectors": vectors})

        return tf.function(
            functools.partial(encode, self),
            input_signature=[
                tf.TensorSpec((None, None), tf.int32),
                tf.TensorSpec((None, self.config.dense_dim), tf.float32),
            ],
        )

    @cached_property
    def logits_of_many(self) -> Any:
        """The text decoder's `logits` for latents and token ids, compiled."""
        return tf.function(
            # TensorFlow counts how often a function is traced by its code, which all networks would share.
            functools.partial(self.text_decoder.logits),
            input_signature=[
                tf.TensorSpec((None, self.config.n_components), tf.float32),
                tf.TensorSpec((None, None), tf.int32),
            ],
        )

    @cached_property
    def token_nll_of_many(self) -> Any:
        """Negative log-likelihood of each token id under the text decoder given latents, (batch, time), compiled."""

        def nll(model: TextVAE, z: Any, ids: Any) -> Any:
            return token_nll(model.text_decoder.logits(z, ids), ids)

        return tf.function(
            functools.partial(nll, self),
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
        # TensorFlow's sparse operations only support int64.
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
            "nll_text", "nll_bow" and "nll_embedding" (without its constant), for the decoders that exist, in
            nats per document; with a text decoder also "token_accuracy" and "n_tokens", the number of tokens behind it.
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
        if self.embedding_decoder is not None:
            given = inputs["vectors"][:, self.config.ngram_dim :]
            errors = ops.sum(ops.square(given - self.embedding_decoder(z)), axis=-1)
            parts["nll_embedding"] = 0.5 * self.config.embedding_precision * errors
        return parts

    def parts(self, mean: Any, log_variance: Any, inputs: dict[str, Any], training: bool) -> dict[str, Any]:
        """Each part of the loss, of shape (batch,), with one latent drawn from each posterior."""
        random = self.random if training else self.random_of_evaluation
        noise = keras.random.normal(ops.shape(mean), dtype=DTYPE, seed=random)
        z = mean + ops.exp(0.5 * log_variance) * noise
        parts = self.decode_nll(z, inputs, training) | {"kl": gaussian_kl(mean, log_variance)}
        if self.config.free_bits > 0:
            parts["penalised_kl"] = kl_above_free_bits(mean, log_variance, self.config.free_bits)
        return parts

    def call(self, inputs: dict[str, Any], training: bool = False) -> dict[str, Any]:
        return self.parts(*self.encode(inputs, training=training), inputs, training)

    def total(self, parts: dict[str, Any], kl_weight: Any = 1.0) -> Any:
        """The loss: the weighted sum of the parts, of shape (batch,)."""
        loss = self.config.beta * kl_weight * parts.get("penalised_kl", parts["kl"])
        if "nll_text" in parts:
            loss = loss + parts["nll_text"]
        if "nll_bow" in parts:
            loss = loss + self.config.bow_weight * parts["nll_bow"]
        if "nll_embedding" in parts:
            loss = loss + parts["nll_embedding"]
        return loss

    def track(self, parts: dict[str, Any]) -> None:
        """Add a batch to the averages that `Model.fit` reports."""
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
        return share_of_replica(ops.mean(self.total(y_pred, kl_weight)))

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        return self.get_metrics_result()

    def _generator_states(self) -> list[Any]:
        return [variable for variable in self.variables if variable.name == "seed_generator_state"]

    # Keras does not save generator states with the weights. Without them, a training that resumes from a
    # checkpoint would give other weights than an uninterrupted one.
    def save_own_variables(self, store: Any) -> None:
        for number, state in enumerate(self._generator_states()):
            store[f"generator_{number}"] = state.numpy()

    def load_own_variables(self, store: Any) -> None:
        for number, state in enumerate(self._generator_states()):
            state.assign(store[f"generator_{number}"])

    def get_config(self) -> dict[str, Any]:
        # The seed is not needed: weights and generator states are saved separately.
        return {"config": self.config.as_dict(), "seed": 0}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> TextVAE:
        return cls(NetworkConfig.from_dict(config["config"]), config["seed"])

    def named_weights(self) -> dict[str, Any]:
        """Every weight by a stable name: the part of the network and the path within it."""
        named = {}
        parts = [self.encoder, self.text_decoder, self.bow_decoder, self.embedding_decoder]
        for part in filter(None, parts):
            for weight in part.weights:
                # Keras prefixes the paths within a layer, but not those within a functional model.
                named[f"{part.name}/{weight.path.removeprefix(part.name + '/')}"] = weight
        return named

    def set_background(self, word_counts: np.ndarray) -> None:
        """Set the log-frequencies of the bag-of-words decoder from word counts.

        Parameters
        ----------
        word_counts : ndarray of shape (n_words,)
            Occurrences of each word in the training documents.
        """
        if self.bow_decoder is not None:
            # One is added, so that words that first occur in a later partial_fit have a positive probability.
            frequencies = word_counts + 1.0
            self.bow_decoder.background.assign(np.log(frequencies / frequencies.sum()).astype(np.float32))
