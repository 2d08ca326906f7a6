"""Ready-made settings from the literature."""

from __future__ import annotations

from typing import Any

from .classifier import TextVAEClassifier
from .tokenization import TextTokenizer
from .transformer import TextVAETransformer


def keras_vae_2017(**overrides: Any) -> TextVAEClassifier:
    """The network of a text VAE that was published for Keras in 2017.

    The layers are those of A. Adam: embedding 64; two bidirectional LSTMs 500; dense 435; 200 latents; a
    decoder of two LSTMs 500 that sees the latents at each step but no previous word; a sentiment
    head with a linear layer 100. The network reads the last 300 tokens of a text and has 1,000 token ids, including
    three reserved ones. The objective is that of skvae, since that of 2017 did not learn:
    cross-entropy of the tokens without padding, and the KL summed over dimensions. The settings are
    for a few thousand labelled texts: batches of 16, one epoch for the autoencoder alone and four for the whole
    network, chosen on validation reviews.

    Parameters
    ----------
    **overrides : dict
        Parameters to override, for example `vae__epochs=5` or `vae__decoder="gru"`.

    Returns
    -------
    classifier : TextVAEClassifier
        The unfitted classifier. Its `vae` is the autoencoder.

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
        ngram_dim=None,
        decoder="repeat",
        decoder_units=(500, 500),
        embedding_dim=64,
        bow_weight=0,
        epochs=1,
        batch_size=16,
        learning_rate=1e-3,
    )
    # Without this weight, the loss of hundreds of tokens would dominate that of the one label.
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
