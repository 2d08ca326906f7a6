"""Conversion of estimator parameters for the floors below."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from .._network.config import NetworkConfig

_DEFAULT_ENCODER_UNITS = {"bow": (128, 128), "bilstm": (128,)}
# What "auto" means, without and with a decoder that writes texts word by word. The table in the user guide shows it.
_FOR_FEATURES: dict[str, Any] = {
    "encoder": "bow",
    "posterior_scale": 0.6,
    "epochs": 8,
    "learning_rate": 4e-3,
    "learning_rate_schedule": "constant",
}
_FOR_WRITING: dict[str, Any] = {
    "encoder": "bilstm",
    "posterior_scale": 1.15,
    # Fewer if there are many texts.
    "epochs": 18,
    "learning_rate": 5e-3,
    "learning_rate_schedule": "cosine",
}
_WRITERS = ("gru", "lstm")
_TEXTS_TO_WRITE, _FEWEST_EPOCHS = 400_000, 4


def resolved(parameters: dict[str, Any], n_documents: int = 0) -> dict[str, Any]:
    """The parameters of a `TextVAETransformer` with what "auto" means for its decoder.

    Parameters
    ----------
    parameters : dict of str to object
        As returned by `get_params`.
    n_documents : int, default=0
        Number of training documents, which the number of epochs depends on.

    Returns
    -------
    parameters : dict of str to object
    """
    chosen = _FOR_WRITING if parameters["decoder"] in _WRITERS else _FOR_FEATURES
    auto = [name for name in chosen if isinstance(parameters[name], str) and parameters[name] == "auto"]
    parameters = parameters | {name: chosen[name] for name in auto}
    if "epochs" in auto and chosen is _FOR_WRITING:
        enough = round(_TEXTS_TO_WRITE / max(1, n_documents))
        parameters["epochs"] = min(parameters["epochs"], max(_FEWEST_EPOCHS, enough))
    return parameters


def network_config(parameters: dict[str, Any], n_tokens: int, n_words: int, max_length: int) -> NetworkConfig:
    """The network configuration from the parameters of a `TextVAETransformer`.

    Parameters
    ----------
    parameters : dict of str to object
        As returned by `get_params`.
    n_tokens, n_words, max_length : int
        Sizes that depend on the documents.

    Returns
    -------
    config : NetworkConfig

    Raises
    ------
    ValueError
        If layer widths are not positive ints, or no decoder is left.
    """
    parameters = resolved(parameters)
    units, scale = parameters["encoder_units"], parameters["posterior_scale"]
    if units is None:
        units = _DEFAULT_ENCODER_UNITS[parameters["encoder"]]
    config = NetworkConfig(
        n_components=int(parameters["n_components"]),
        n_tokens=n_tokens,
        n_words=n_words,
        max_length=max_length,
        encoder=parameters["encoder"],
        decoder=parameters["decoder"],
        encoder_units=widths(units, "encoder_units"),
        decoder_units=widths(parameters["decoder_units"], "decoder_units"),
        bottleneck_units=parameters["bottleneck_units"],
        embedding_dim=int(parameters["embedding_dim"]),
        posterior_scale=None if scale is None else float(scale),
        dropout=float(parameters["dropout"]),
        word_dropout=float(parameters["word_dropout"]),
        beta=float(parameters["beta"]),
        bow_weight=float(parameters["bow_weight"]),
        free_bits=float(parameters["free_bits"]),
        ngram_dim=int(parameters["ngram_dim"] or 0),
    )
    if config.decoder == "bow" and config.bow_weight == 0:
        raise ValueError(
            "bow_weight=0 removes the bag-of-words decoder, but decoder='bow' has no other;"
            " set bow_weight above 0 or choose decoder='gru'."
        )
    return config


def check_unchanged(config: NetworkConfig, parameters: dict[str, Any]) -> None:
    """Refuse a warm start if the parameters of the estimator no longer match the network."""
    wanted = network_config(parameters, config.n_tokens, config.n_words, config.max_length).as_dict()
    # The width of embeddings is checked where texts are read.
    for name in ("embedder_dim", "embedding_precision"):
        wanted[name] = getattr(config, name)
    for name, value in config.as_dict().items():
        if wanted[name] != value:
            raise ValueError(
                f"warm_start continues from a network with {name}={value!r}, but now {name}={wanted[name]!r};"
                " set it back, or set warm_start=False to fit anew."
            )


def widths(units: Any, name: str, *, allow_none: bool = False) -> tuple[int, ...]:
    """The width of each layer, from the parameter of this name; `allow_none` permits no layers."""
    if not (len(units) or allow_none) or not all(
        isinstance(width, Integral) and int(width) > 0 for width in units
    ):
        raise ValueError(f"{name}={units!r}; expected a tuple of positive ints, one for each layer.")
    return tuple(int(width) for width in units)


def head_parameters(
    ngram_range: Any, head_units: Any, epochs: int
) -> tuple[tuple[int, int], tuple[int, ...]]:
    """Validated n-gram lengths and hidden layer widths of a `TextVAEClassifier`."""
    lengths = tuple(ngram_range)
    whole = len(lengths) == 2 and all(isinstance(length, Integral) for length in lengths)
    if not whole or not 1 <= lengths[0] <= lengths[1]:
        raise ValueError(
            f"ngram_range={ngram_range!r}; expected two ints, the first at least 1 and at most the second."
        )
    units = widths(head_units, "head_units", allow_none=True)
    if units and not epochs:
        raise ValueError("head_units adds hidden layers, but epochs=0 does not train them; set epochs=1.")
    return (int(lengths[0]), int(lengths[1])), units
