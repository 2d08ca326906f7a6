"""Ready-made settings with a history."""

from __future__ import annotations

from typing import Any

from .classifier import TextVAEClassifier
from .tokenization import TextTokenizer
from .transformer import TextVAETransformer


def keras_vae_2017(**overrides: Any) -> TextVAEClassifier:
    """The network of a text VAE that was published for Keras in 2017.

    That of A. Adam, layer for layer: embedding 64; bidirectional LSTM 500 twice; dense 435; 200 latents; a
    decoder of two LSTM 500 that sees the latents at each step but no previous word; a sentiment
    head of a linear layer 100. It reads the last 300 tokens of a text and knows 1,000 token ids, three
    reserved ones among them. The objective is that of skvae, since that of 2017 did not learn:
    cross-entropy of the tokens without padding, and the KL summed over dimensions. Its settings are
    for a few thousand labelled texts: batches of 16, one epoch for the autoencoder alone and four for all
    of it, as chosen on reviews for validation.

    Parameters
    ----------
    **overrides : dict
        Parameters to set otherwise, for example `vae__epochs=5` or `vae__decoder="gru"`.

    Returns
    -------
    classifier : TextVAEClassifier
        Not fitted. Its `vae` is the autoencoder.

    Examples
    --------
    >>> from skvae.presets import keras_vae_2017
    >>> keras_vae_2017(vae__epochs=5).vae.n_components
    200
    """
    vae = TextVAETransformer(
        n_components=200,
        tokenizer=TextTokenizer(max_features=997, max_length=300, padding="pre", truncation="pre"),
        encoder="bilstm",
        encoder_units=(500, 500),
        bottleneck_units=435,
        decoder="repeat",
        decoder_units=(500, 500),
        embedding_dim=64,
        bow_weight=0,
        epochs=1,
        batch_size=16,
        learning_rate=1e-3,
    )
    # The text's hundreds of tokens would drown out its one label.
    classifier = TextVAEClassifier(
        vae,
        lexical=False,
        head_units=(100,),
        head_activation="linear",
        classification_weight=200.0,
        epochs=4,
        batch_size=16,
        learning_rate=1e-3,
    )
    classifier.set_params(**overrides)
    return classifier
