"""What decides the shape of a network, in plain values and without Keras."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class NetworkConfig:
    """Everything that decides the shape of a network; plain values, so that it can be stored.

    Parameters
    ----------
    n_components : int
        Latent dimensions.
    n_tokens : int
        Token ids, reserved ones included.
    n_words : int
        Words of the bag-of-words side.
    max_length : int
        Tokens that a recurrent encoder reads and a text decoder writes.
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
    dropout, word_dropout : float
        Rates.
    beta, bow_weight : float
        Weights of the KL and of the bag-of-words term.
    free_bits : float
        KL of each latent dimension, in nats, that is not penalised.
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
        # In files of format 1: the side on which texts were padded, which a masked encoder does not see.
        plain.pop("padding", None)
        return cls(**plain)
