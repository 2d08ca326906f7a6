"""Configuration of a network, in plain values and without Keras."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class NetworkConfig:
    """All settings that determine the structure of a network; plain values, so that it can be stored.

    Parameters
    ----------
    n_components : int
        Number of latent dimensions.
    n_tokens : int
        Number of token ids, including the reserved ids.
    n_words : int
        Number of words in the bag of words.
    max_length : int
        Number of tokens that a recurrent encoder reads and a text decoder writes.
    encoder, decoder : str
        As in `TextVAETransformer`.
    encoder_units, decoder_units : tuple of int
        Width of each layer.
    bottleneck_units : int or None
        Width of a dense layer between a recurrent encoder and the latents.
    embedding_dim : int
        Width of token embeddings.
    posterior_scale : float or None
        Standard deviation that batch normalisation gives to each posterior mean; None: no normalisation.
    output_gates_latents : bool
        Whether the output layer of a recurrent text decoder reads the latents beside the last recurrent layer, through a gate.
    pools_positions : bool
        Whether a recurrent encoder hands on the embeddings of the tokens by their position as well.
    posterior_variance : float or None
        Variance of each latent dimension of the posterior; None: the encoder computes it.
    dropout, word_dropout : float
        Rates.
    beta, bow_weight : float
        Weights of the KL and of the bag-of-words loss.
    free_bits : float
        KL of each latent dimension, in nats, that is not penalised.
    ngram_dim : int
        Width of the documents' vectors of n-grams; 0 without them.
    embedder_dim : int
        Width of the documents' embeddings; 0 without them.
    embedding_precision : float
        Inverse variance of each number of an embedding given the latents; 0 without a decoder of embeddings.
    """

    n_components: int
    n_tokens: int
    n_words: int
    max_length: int
    encoder: str
    decoder: str
    encoder_units: tuple[int, ...]
    decoder_units: tuple[int, ...]
    bottleneck_units: int | None
    embedding_dim: int
    posterior_scale: float | None
    dropout: float
    word_dropout: float
    beta: float
    bow_weight: float
    free_bits: float = 0.0
    posterior_variance: float | None = None
    # Files written before they existed have no such connections.
    output_gates_latents: bool = False
    pools_positions: bool = False
    # Files of formats 1 and 2 have no such vectors.
    ngram_dim: int = 0
    embedder_dim: int = 0
    embedding_precision: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """The configuration as plain values."""
        return asdict(self)

    @property
    def reads_counts(self) -> bool:
        """Whether batches must carry word counts."""
        return self.encoder == "bow" or self.bow_weight > 0

    @property
    def reads_ids(self) -> bool:
        """Whether batches must carry token ids."""
        return self.encoder != "bow" or self.decoder != "bow"

    @property
    def dense_dim(self) -> int:
        """Width of what an encoder reads beside the words or tokens."""
        return self.ngram_dim + self.embedder_dim

    @property
    def hidden_layer_names(self) -> list[str]:
        """Hidden layers of a "bow" encoder, from the first to the last."""
        names = [f"hidden_{depth}" for depth in range(len(self.encoder_units))]
        return names if self.bottleneck_units is None else [*names, "bottleneck"]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> NetworkConfig:
        """The configuration that `as_dict` described."""
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        # Files of format 1 contain the side of the padding, which does not affect a masked encoder.
        plain.pop("padding", None)
        return cls(**plain)
