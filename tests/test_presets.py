import keras
import numpy as np
import pytest

from skvae._base.seeds import SeedSequence
from skvae._estimator.parameters import network_config
from skvae._network.autoencoder import TextVAE
from skvae._network.with_class_head import build_class_head
from skvae.presets import keras_vae_2017


def lstm(width, units):
    """Shapes of the weights of an LSTM."""
    return [(width, 4 * units), (units, 4 * units), (4 * units,)]


def dense(width, units):
    return [(width, units), (units,)]


def shapes(part):
    return [tuple(weight.shape) for weight in part.trainable_weights]


def test_the_network_of_2017_layer_for_layer():
    classifier = keras_vae_2017()
    vae = classifier.vae
    # 997 words and three reserved ids.
    config = network_config(
        vae.get_params(deep=False), vae.tokenizer.max_features + 3, 1, vae.tokenizer.max_length
    )
    network = TextVAE(config, seed=0)
    assert shapes(network.encoder) == [
        (1_000, 64),
        *2 * lstm(64, 500),
        *2 * lstm(1_000, 500),
        *dense(1_000, 435),
        *2 * dense(435, 200),
    ]
    assert shapes(network.text_decoder) == [*lstm(200, 500), *lstm(500, 500), *dense(500, 1_000)]
    assert network.bow_decoder is None
    head = build_class_head(200, classifier.head_units, classifier.head_activation, 1, SeedSequence(0))
    assert shapes(head) == [*dense(200, 100), *dense(100, 1)]
    assert head.layers[1].activation.__name__ == "linear"
    n_parameters = sum(part.count_params() for part in (network.text_decoder, head))
    n_parameters += sum(weight.shape.num_elements() for weight in network.encoder.trainable_weights)
    # Counted by hand from the layers: 64,000 of the embedding, 2,260,000 and 6,004,000 of the encoder's LSTMs,
    # 435,435 and 174,400 of its dense layers; 1,402,000, 2,002,000 and 501,000 of the decoder; 20,201 of the head.
    assert n_parameters == 12_863_036


def test_anything_can_be_overridden():
    classifier = keras_vae_2017(vae__decoder="gru", vae__tokenizer__max_length=40, epochs=1)
    assert classifier.vae.decoder == "gru"
    assert classifier.vae.tokenizer.max_length == 40
    assert classifier.epochs == 1
    with pytest.raises(ValueError, match="speed"):
        keras_vae_2017(speed=3)


# Keras converts its weights in a way that NumPy 2 frowns upon.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_three_models_and_a_checkpoint_an_epoch(reviews, tmp_path):
    X, y = reviews
    path = str(tmp_path / "{epoch:02d}-{val_token_accuracy:.3f}-{val_cross_entropy:.3f}.weights.h5")
    small = {"encoder_units": (8,), "decoder_units": (8,), "n_components": 6, "bottleneck_units": 8}
    classifier = keras_vae_2017(
        **{f"vae__{name}": value for name, value in small.items()},
        vae__tokenizer__max_length=8,
        vae__epochs=1,
        epochs=2,
        callbacks=keras.callbacks.ModelCheckpoint(path, save_weights_only=True),
        random_state=0,
    ).fit(X[:60], y[:60], X_val=X[60:], y_val=y[60:])
    history = classifier.history_
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        f"{epoch:02d}-{accuracy:.3f}-{loss:.3f}.weights.h5"
        for epoch, accuracy, loss in zip(
            (1, 2), history["val_token_accuracy"], history["val_cross_entropy"], strict=True
        )
    ]
    models = {"encoder": classifier.encoder_, "decoder": classifier.decoder_, "head": classifier.class_head_}
    for name, model in models.items():
        model.save(tmp_path / f"{name}.keras")
        models[name] = keras.saving.load_model(tmp_path / f"{name}.keras")
    ids = classifier.tokenizer_.transform(X)
    short = classifier.tokenizer_.max_length - (ids > 0).sum(axis=1)
    # The boundary that ends a text is what the estimator adds to what the tokenizer gives.
    ids = np.where((short > 0)[:, None], np.roll(ids, -1, axis=1), ids)
    ids[short > 0, -1] = 2
    latents = models["encoder"](ids)[0].numpy()
    np.testing.assert_allclose(latents, classifier.transform(X), atol=1e-5)
    assert models["decoder"](latents).shape == (160, 8, classifier.tokenizer_.n_tokens_)
    odds = np.exp(models["head"](latents).numpy()[:, 0])
    np.testing.assert_allclose(odds / (1 + odds), classifier.predict_proba(X)[:, 1], atol=1e-5)
