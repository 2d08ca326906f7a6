"""The parts of fitted estimators as Keras models."""

import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf

import skvae.classifier  # registers the layers for loading  # noqa: F401
from skvae import TextVAETransformer
from skvae._network.recurrence import LSTM
from skvae._texts.ids import BOUNDARY_ID

from .conftest import SMALL

# Keras converts its weights in a way that NumPy 2 frowns upon.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def again(model, tmp_path):
    model.save(tmp_path / "part.keras")
    return keras.saving.load_model(tmp_path / "part.keras")


@pytest.mark.parametrize("name", ["bow_vae", "gru_vae", "lstm_vae", "repeat_vae"])
def test_encoder_and_decoder_are_models_of_their_own(name, request, reviews, tmp_path):
    vae = request.getfixturevalue(name)
    autoencoder = vae._autoencoder
    documents = autoencoder.prepare(autoencoder.read(reviews[0][:7]))
    ids = np.zeros((7, 0)) if documents.texts is None else documents.texts.padded(16)
    inputs = [ids if name == "lstm_vae" else np.log1p(documents.counts.toarray()), documents.vectors]
    for encoder in (vae.encoder_, again(vae.encoder_, tmp_path)):
        mean, _ = encoder(inputs)
        np.testing.assert_allclose(mean.numpy(), vae.transform(reviews[0][:7]), atol=1e-5)
    latents = vae.transform(reviews[0][:7])
    inputs = [latents, ids] if name in ("gru_vae", "lstm_vae") else latents
    logits = vae.decoder_(inputs).numpy()
    if name == "bow_vae":
        expected = latents @ vae.components_ + autoencoder.network.weights["bow_decoder/background"]
        np.testing.assert_allclose(logits, expected, atol=1e-4)
    else:
        assert logits.shape == (7, 16, vae.tokenizer_.n_tokens_)
        np.testing.assert_allclose(logits, vae.model_.text_decoder.logits(latents, ids).numpy(), atol=1e-5)
    np.testing.assert_allclose(again(vae.decoder_, tmp_path)(inputs).numpy(), logits, atol=1e-5)
    shared = vae.model_.text_decoder or vae.model_.bow_decoder
    assert {id(weight) for weight in vae.decoder_.weights} == {id(weight) for weight in shared.weights}


def test_class_head_is_a_model_of_its_own(classifier, reviews, tmp_path):
    autoencoder = classifier.vae_._autoencoder
    documents = autoencoder.prepare(autoencoder.read(reviews[0]))
    features = autoencoder.features(documents)
    logits = classifier.class_head_(features).numpy()
    assert logits.shape == (160, 1)
    np.testing.assert_allclose(again(classifier.class_head_, tmp_path)(features).numpy(), logits, atol=1e-5)
    head = classifier._class_head
    inputs = head.inputs(autoencoder.read(reviews[0]), documents)
    total = logits + head.linear_logits(inputs, len(logits))
    log_odds = np.diff(classifier.predict_log_proba(reviews[0]), axis=1)
    np.testing.assert_allclose(total, log_odds, atol=1e-3)
    assert classifier.encoder_ is classifier.vae_.encoder_
    assert classifier.decoder_.name == "decoder"


def test_many_documents_are_read_as_few_are(lstm_vae, reviews):
    few = list(reviews[0])
    # So many that the network is compiled.
    np.testing.assert_allclose(lstm_vae.transform(few * 64)[-160:], lstm_vae.transform(few), atol=1e-5)
    figures, of_many = lstm_vae.diagnostics(few), lstm_vae.diagnostics(few * 8)
    assert of_many["nll"] == pytest.approx(figures["nll"], rel=0.02)
    assert of_many["token_accuracy"] == pytest.approx(figures["token_accuracy"], abs=0.02)


def values_and_gradients(layer, inputs, states, mask):
    with tf.GradientTape() as tape:
        tape.watch([inputs, *states])
        found = layer(inputs, mask=mask, initial_state=states or None)
        loss = tf.reduce_sum(tf.sin(found[0])) + tf.reduce_sum(found[1] * found[2])
    return [*found, *tape.gradient(loss, [inputs, *states, *layer.trainable_variables])]


def two_lstms(**options):
    """Ours and Keras', with the same weights."""
    layers = [
        kind(5, bias_initializer=keras.initializers.RandomNormal(seed=1), return_sequences=True, **options)
        for kind in (LSTM, keras.layers.LSTM)
    ]
    for layer in layers:
        layer.build((None, None, 3))
    layers[0].set_weights(layers[1].get_weights())
    return layers


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("mask", [None, "padding", "holes"])
def test_the_lstm_is_that_of_keras_and_so_is_its_gradient(backwards, mask):
    inputs = tf.random.stateless_normal((4, 7, 3), seed=(0, 1))
    states = [tf.random.stateless_normal((4, 5), seed=(0, seed)) for seed in (2, 3)]
    if mask == "padding":
        # The last text is all padding. Where padding comes first, Keras leaves initial states out of the outputs.
        mask, states = tf.constant(np.arange(7) >= np.array([[0], [2], [5], [7]])), []
    elif mask == "holes":
        mask = tf.constant(np.arange(7) % np.array([[9], [3], [2], [4]]) != 1)
    pair = two_lstms(return_state=True, go_backwards=backwards)
    found = [values_and_gradients(layer, inputs, states, mask) for layer in pair]
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), atol=1e-5)


def test_a_bidirectional_lstm_is_that_of_keras():
    inputs = tf.random.stateless_normal((4, 7, 3), seed=(0, 1))
    mask = tf.constant(np.arange(7) < np.array([[7], [4], [2], [1]]))
    ours, theirs = (keras.layers.Bidirectional(layer) for layer in two_lstms())
    for layer in (ours, theirs):
        layer.build((None, None, 3))
    ours.set_weights(theirs.get_weights())
    assert isinstance(ours.backward_layer, LSTM)
    np.testing.assert_allclose(ours(inputs, mask=mask).numpy(), theirs(inputs, mask=mask).numpy(), atol=1e-6)


@pytest.mark.parametrize(
    "options", [{"activation": "relu"}, {"use_bias": False}, {"dropout": 0.5}, {"dtype": "mixed_bfloat16"}]
)
def test_an_lstm_with_other_options_is_left_to_keras(options):
    inputs = tf.random.stateless_normal((4, 7, 3), seed=(0, 1))
    ours, theirs = two_lstms(**options)
    np.testing.assert_array_equal(
        tf.cast(ours(inputs), tf.float32).numpy(), tf.cast(theirs(inputs), tf.float32).numpy()
    )


def test_the_decoder_is_built_once_until_its_network_is_trained_on(reviews):
    vae = TextVAETransformer(decoder="bow", epochs=1, **SMALL).fit(reviews[0])
    decoder = vae.decoder_
    assert vae.decoder_ is decoder
    pickled = pickle.dumps(vae)
    assert b"keras" not in pickled.replace(b"keras_params", b"")
    again = pickle.loads(pickled)
    assert again.decoder_ is again.decoder_ is not decoder
    vae.partial_fit(reviews[0])
    assert vae.decoder_ is not decoder
    # It shares the weights all the same.
    z = vae.transform(reviews[0][:2])
    np.testing.assert_array_equal(decoder(z), vae.decoder_(z))


def test_the_output_of_a_text_decoder_reads_the_latents_itself(gru_vae, reviews):
    decoder = pickle.loads(pickle.dumps(gru_vae)).model_.text_decoder
    for layer in (*decoder.recurrent, *decoder.initial_states):
        layer.set_weights([np.zeros_like(weight) for weight in layer.get_weights()])
    latents = gru_vae.transform(reviews[0][:2])
    ids = np.full((2, 1), 5, dtype=np.int32)
    first, second = decoder.logits(latents, ids).numpy()
    assert not np.allclose(first, second, atol=1e-3)
    # A step of writing is the same.
    stepped, _ = decoder.step(np.full(2, BOUNDARY_ID), decoder.start(latents), latents)
    np.testing.assert_allclose(stepped.numpy(), decoder.logits(latents, ids).numpy()[:, 0], atol=1e-5)


def test_a_recurrent_encoder_of_a_writer_hands_on_which_token_stands_where(lstm_vae):
    vae = pickle.loads(pickle.dumps(lstm_vae))
    layer = vae.model_.encoder.get_layer("hidden_0")
    layer.set_weights([np.zeros_like(weight) for weight in layer.get_weights()])
    # Without vectors of n-grams, which tell the order too.
    encoder = vae.model_.encoder
    words = vae.tokenizer_.transform(["the story was dull", "the dull story was"])
    vectors = np.zeros((2, vae._autoencoder.config.dense_dim), dtype=np.float32)
    first, second = encoder([words, vectors])[0].numpy()
    assert not np.allclose(first, second, atol=1e-3)
    # Padding says nothing.
    shorter = words[:, : words.any(axis=0).sum()]
    assert shorter.shape[1] < words.shape[1]
    np.testing.assert_allclose(encoder([shorter, vectors])[0].numpy(), [first, second], atol=1e-6)
