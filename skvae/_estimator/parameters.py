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
    "posterior_variance": "learned",
    "recombination": 0.0,
    "epochs": 8,
    "learning_rate": 4e-3,
    "learning_rate_schedule": "constant",
}
_FOR_WRITING: dict[str, Any] = {
    "encoder": "bilstm",
    # A KL of 48 nats with 64 latents, and 44 on unseen sentences.
    "posterior_scale": 0.88,
    "posterior_variance": "complement",
    # Both are fewer if there are many texts.
    "recombination": 3.0,
    "epochs": 8,
    "learning_rate": 5e-3,
    "learning_rate_schedule": "cosine",
}
_WRITERS = ("gru", "lstm")
_TEXTS_TO_WRITE, _FEWEST_EPOCHS, _EPOCHS_WITHOUT_RECOMBINATION = 400_000, 4, 18


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
    if "recombination" in auto:
        # Whoever sets the number of epochs has chosen how long to train.
        is_free = "epochs" in auto and parameters["embedder"] is None
        parameters["recombination"] = _enough_recombined(parameters, n_documents) if is_free else 0.0
    if "epochs" in auto and chosen is _FOR_WRITING:
        n_read = n_documents * (1 + parameters["recombination"])
        enough = round(_TEXTS_TO_WRITE / max(1, n_read))
        most = parameters["epochs"] if parameters["recombination"] else _EPOCHS_WITHOUT_RECOMBINATION
        parameters["epochs"] = min(most, max(_FEWEST_EPOCHS, enough))
    scale = parameters["posterior_scale"]
    if "posterior_variance" in auto and (scale is None or scale >= 1):
        parameters["posterior_variance"] = "learned"
    return parameters


def _enough_recombined(parameters: dict[str, Any], n_documents: int) -> float:
    """As many recombined texts for each text as can be read with all texts in the fewest epochs."""
    n_read = _TEXTS_TO_WRITE / _FEWEST_EPOCHS
    return float(min(parameters["recombination"], max(0.0, n_read / max(1, n_documents) - 1)))


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
        If layer widths are not positive ints, if no decoder is left, if the posterior scale leaves no variance, or if
        recombined texts have no embedding.
    """
    parameters = resolved(parameters)
    units, scale = parameters["encoder_units"], parameters["posterior_scale"]
    if units is None:
        units = _DEFAULT_ENCODER_UNITS[parameters["encoder"]]
    has_texts = parameters["decoder"] != "bow"
    if has_texts and parameters["recombination"] and parameters["embedder"] is not None:
        raise ValueError(
            f"recombination={parameters['recombination']} makes texts that have no embedding, but embedder is set;"
            " set recombination=0, or embedder=None."
        )
    is_complement = parameters["posterior_variance"] == "complement"
    if is_complement and (scale is None or scale >= 1):
        raise ValueError(
            f"posterior_variance='complement' is 1 - posterior_scale**2, but posterior_scale={scale}; set it to a"
            " value between 0 and 1, or set posterior_variance='learned'."
        )
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
        posterior_variance=1 - float(scale) ** 2 if is_complement else None,
        output_gates_latents=True,
        pools_positions=parameters["encoder"] == "bilstm" and parameters["decoder"] in _WRITERS,
        ngram_dim=int(parameters["ngram_dim"] or 0),
    )
    if config.decoder == "bow" and config.bow_weight == 0:
        raise ValueError(
            "bow_weight=0 removes the bag-of-words decoder, but decoder='bow' has no other;"
            " set bow_weight above 0 or choose decoder='gru'."
        )
    return config


def check_unchanged(config: NetworkConfig, parameters: dict[str, Any], going_on: str = "warm_start") -> None:
    """Refuse to go on if the parameters of the estimator no longer match the network; `going_on` names the way."""
    wanted = network_config(parameters, config.n_tokens, config.n_words, config.max_length).as_dict()
    # The width of embeddings is checked where texts are read, and a network of an older file stays as it is.
    for name in ("embedder_dim", "embedding_precision", "output_gates_latents", "pools_positions"):
        wanted[name] = getattr(config, name)
    for name, value in config.as_dict().items():
        if wanted[name] != value:
            if name == "posterior_variance":
                value, wanted[name] = (
                    "learned" if each is None else "complement" for each in (value, wanted[name])
                )
            raise ValueError(
                f"{going_on} continues from a network with {name}={value!r}, but now {name}={wanted[name]!r};"
                f" set it back, or {'set warm_start=False' if going_on == 'warm_start' else 'call fit'} to fit anew."
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
