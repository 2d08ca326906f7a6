import pytest

from skvae._seeds import SeedSequence
from skvae.networks import TextVAE, build_class_head
from skvae.presets import keras_vae_2017


def lstm(width, units):
    return 4 * units * (width + units + 1)


def dense(width, units):
    return (width + 1) * units


def test_the_network_of_2017_has_its_parameters():
    classifier = keras_vae_2017()
    vae = classifier.vae
    # 997 words and three reserved ids.
    config = vae._config(vae.tokenizer.max_features + 3, 1, vae.tokenizer.max_length, vae.tokenizer.padding)
    network = TextVAE(config, seed=0)
    trained = {
        part: sum(weight.shape.num_elements() for weight in getattr(network, part).trainable_weights)
        for part in ("encoder", "text_decoder")
    }
    assert trained["encoder"] == (
        1_000 * 64 + 2 * lstm(64, 500) + 2 * lstm(1_000, 500) + dense(1_000, 435) + 2 * dense(435, 200)
    )
    assert trained["text_decoder"] == lstm(200, 500) + lstm(500, 500) + dense(500, 1_000)
    assert network.bow_decoder is None
    head = build_class_head(200, classifier.head_units, classifier.head_activation, 1, SeedSequence(0))
    assert head.count_params() == dense(200, 100) + dense(100, 1)
    assert head.layers[1].activation.__name__ == "linear"


def test_anything_can_be_overridden():
    classifier = keras_vae_2017(vae__decoder="gru", vae__tokenizer__max_length=40, epochs=1)
    assert classifier.vae.decoder == "gru"
    assert classifier.vae.tokenizer.max_length == 40
    assert classifier.epochs == 1
    with pytest.raises(ValueError, match="speed"):
        keras_vae_2017(speed=3)
