import pickle
import subprocess
import sys
import warnings

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skvae import CollapseWarning, TextTokenizer, TextVAEClassifier, TextVAETransformer
from skvae.datasets import load_imdb, load_rotten_tomatoes
from skvae.serving import LogitClassifier

from .conftest import SMALL, small_vae

FITTED = ["bow_vae", "gru_vae", "lstm_vae", "repeat_vae"]


@pytest.fixture(params=FITTED)
def vae(request):
    return request.getfixturevalue(request.param)


def test_latents_are_finite_float32_with_the_promised_spread(vae, reviews):
    latents = vae.transform(reviews[0])
    assert latents.shape == (160, 6)
    assert latents.dtype == np.float32
    np.testing.assert_allclose(latents.std(axis=0), vae._autoencoder.config.posterior_scale, rtol=1e-3)
    np.testing.assert_allclose(latents.mean(axis=0), 0, atol=1e-3)


def test_texts_come_back_without_reserved_tokens(vae, reviews):
    texts = vae.inverse_transform(vae.transform(reviews[0]))
    assert texts.dtype == object
    assert all(type(text) is str and "[" not in text for text in texts)
    assert len(vae.sample(5)) == 5
    assert len(vae.interpolate(reviews[0][0], reviews[0][1], n_steps=4)) == 4


def test_pickle_keeps_every_bit(vae, reviews):
    again = pickle.loads(pickle.dumps(vae))
    latents = vae.transform(reviews[0])
    np.testing.assert_array_equal(again.transform(reviews[0]), latents)
    assert again.inverse_transform(latents[:20]).tolist() == vae.inverse_transform(latents[:20]).tolist()
    assert again.sample(3).tolist() == vae.sample(3).tolist()


@pytest.mark.processes
def test_fresh_process_reads_the_pickle_without_tensorflow(bow_vae, reviews, tmp_path):
    (tmp_path / "vae.pkl").write_bytes(
        pickle.dumps((bow_vae, list(reviews[0]), bow_vae.transform(reviews[0])))
    )
    code = (
        "import pickle, sys, pathlib\n"
        f"vae, texts, latents = pickle.loads(pathlib.Path({str(tmp_path / 'vae.pkl')!r}).read_bytes())\n"
        "assert (vae.transform(texts) == latents).all()\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_numpy_encoder_is_the_keras_encoder(bow_vae, reviews):
    autoencoder = bow_vae._autoencoder
    documents = autoencoder.prepare(autoencoder.read(reviews[0]))
    mean, _ = bow_vae.model_.encode(documents.batch(np.arange(len(documents))))
    np.testing.assert_allclose(mean.numpy(), bow_vae.transform(reviews[0]), atol=1e-5)


def test_history_names_every_part(gru_vae):
    assert set(gru_vae.history_) == {"loss", "nll_text", "nll_bow", "kl", "token_accuracy"}
    assert all(len(values) == gru_vae.n_iter_ == 8 for values in gru_vae.history_.values())
    assert gru_vae.history_["nll_text"][-1] < gru_vae.history_["nll_text"][0]


@pytest.mark.same_bits
def test_same_seed_same_bits_and_no_global_generator(bow_vae, reviews):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    again = clone(bow_vae).fit(reviews[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    np.testing.assert_array_equal(again.transform(reviews[0]), bow_vae.transform(reviews[0]))


def test_diagnostics_add_up(gru_vae, reviews):
    figures = gru_vae.diagnostics(reviews[0])
    assert figures["elbo"] == pytest.approx(-figures["nll"] - figures["kl"])
    assert figures["elbo"] == pytest.approx(gru_vae.score(reviews[0]))
    assert figures["active_units"] == 6
    assert 0 <= figures["mutual_information"] <= np.log(160)
    assert figures["token_accuracy"] > figures["majority_token_accuracy"]


def test_components_belong_to_words(bow_vae):
    assert bow_vae.components_.shape == (6, len(bow_vae.words_))
    assert "dull" in bow_vae.words_


def test_a_bag_of_words_decoder_lists_what_sets_documents_apart(bow_vae):
    bad, good = np.zeros((2, 6), dtype=np.float32)
    direction = bow_vae.components_[:, bow_vae.words_.tolist().index("dull")]
    bad, good = bad + 3 * direction, good - 3 * direction
    first, second = (text.split() for text in bow_vae.inverse_transform([bad, good]))
    assert "dull" in first[:5]
    assert "dull" not in second[:5]


def test_a_bag_of_words_decoder_lists_no_marks(bow_vae, reviews):
    X, _ = reviews
    lists = [text.split() for text in bow_vae.inverse_transform(bow_vae.transform(X))]
    marks = {word for word in bow_vae.words_.tolist() if not any(map(str.isalnum, word))}
    assert marks
    assert not marks & {word for words in lists for word in words}


def test_a_bag_of_words_decoder_lists_no_word_of_every_document(reviews):
    X = np.array([f"anyway {text}" for text in reviews[0]], dtype=object)
    vae = TextVAETransformer(decoder="bow", epochs=1, max_df=1.0, **SMALL).fit(X)
    assert "anyway" in vae.words_
    assert not any("anyway" in text.split() for text in vae.inverse_transform(vae.transform(X)))


def test_pipeline_of_texts(reviews):
    X, y = reviews
    model = make_pipeline(TextVAETransformer(decoder="bow", epochs=20, **SMALL), LogisticRegression())
    assert model.fit(X, y).score(X, y) > 0.9


def test_pipeline_of_token_ids_ends_in_texts(reviews):
    X, _ = reviews
    vae = TextVAETransformer(epochs=1, **SMALL)
    model = make_pipeline(TextTokenizer(max_length=12), vae).fit(X)
    texts = model.inverse_transform(model.transform(X[:3]))
    assert texts.shape == (3,)
    assert all(isinstance(text, str) for text in texts)


def test_frames_series_and_output_containers(bow_vae, reviews):
    X, _ = reviews
    expected = bow_vae.transform(X)
    for same in (list(X), tuple(X), pd.Series(X), pd.DataFrame({"text": X}), X.reshape(-1, 1)):
        np.testing.assert_array_equal(bow_vae.transform(same), expected)
    named = pickle.loads(pickle.dumps(bow_vae)).set_output(transform="pandas").transform(X)
    assert named.columns.tolist() == bow_vae.get_feature_names_out().tolist()


def test_partial_fit_goes_on(reviews):
    X, _ = reviews
    vae = TextVAETransformer(decoder="bow", **SMALL)
    first = vae.partial_fit(X[:80]).transform(X)
    vocabulary = vae.tokenizer_.vocabulary_
    second = vae.partial_fit(X[80:]).transform(X)
    assert vae.tokenizer_.vocabulary_ == vocabulary
    assert np.abs(first - second).max() > 0


COLLAPSING = {
    "learning_rate_schedule": "constant",
    "decoder": "gru",
    "posterior_scale": None,
    "bow_weight": 0,
    "kl_warmup": 0,
    "beta": 50,
    "epochs": 12,
    "learning_rate": 3e-2,
}


def test_a_collapsed_model_warns(reviews):
    with pytest.warns(CollapseWarning, match="posterior_scale"):
        TextVAETransformer(**COLLAPSING, **SMALL).fit(reviews[0])


@pytest.mark.parametrize(
    ("guard", "nats"),
    [
        # Below its free bits a dimension is not pushed back, so that large steps overshoot.
        ({"free_bits": 0.5, "learning_rate": 2e-3, "epochs": 40}, 6 * 0.5),
        ({"posterior_scale": 1.0}, 6 / 2),
    ],
)
def test_guards_against_collapse_keep_the_nats_that_they_promise(reviews, guard, nats):
    vae = TextVAETransformer(**(COLLAPSING | SMALL | guard)).fit(reviews[0])
    assert vae.diagnostics(reviews[0])["kl"] > 0.8 * nats
    assert set(vae.history_) == {"loss", "nll_text", "kl", "token_accuracy"}


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ("one text", ValueError, "single str"),
        ([], ValueError, "0 sample"),
        (["a", None], ValueError, "row 1"),
        (["a", float("nan")], ValueError, "row 1"),
        (pd.Series(["a", pd.NA]), ValueError, "row 1"),
        ([b"a"], TypeError, "bytes in row 0"),
        (["a", 3], TypeError, "int in row 1"),
        (pd.DataFrame({"a": ["x"], "b": ["y"]}), ValueError, "2 columns"),
    ],
)
def test_bad_texts_are_refused_and_nothing_is_fitted(X, error, message):
    vae = TextVAETransformer(decoder="bow")
    with pytest.raises(error, match=message):
        vae.fit(X)
    with pytest.raises(NotFittedError):
        vae.transform(["a"])


def test_bad_latents_and_options_are_refused(bow_vae):
    with pytest.raises(ValueError, match="expected latents of 6"):
        bow_vae.inverse_transform(np.zeros((2, 5)))
    with pytest.raises(ValueError, match="NaN"):
        bow_vae.inverse_transform(np.full((2, 6), np.nan))
    with pytest.raises(ValueError, match="Call transform first"):
        bow_vae.inverse_transform(["a great film"])
    with pytest.raises(ValueError, match="decoding"):
        bow_vae.inverse_transform(np.zeros((2, 6)), decoding="loudly")
    with pytest.raises(ValueError, match="n_components"):
        TextVAETransformer(n_components=0).fit(["a"])


def test_empty_and_unknown_documents_have_finite_latents(bow_vae):
    assert np.isfinite(bow_vae.transform(["", "qwertz"])).all()


def test_a_loss_that_explodes_stops_the_fit(reviews):
    vae = TextVAETransformer(decoder="bow", learning_rate=1e30, epochs=3, **SMALL)
    with pytest.raises(ValueError, match="learning_rate"):
        vae.fit(reviews[0])
    assert not hasattr(vae, "history_")


@pytest.mark.processes
def test_import_leaves_tensorflow_alone():
    code = "import skvae, sys; skvae.TextVAETransformer(); assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_small_batches_keep_the_scale_of_the_latents(reviews):
    X, _ = reviews
    vae = TextVAETransformer(decoder="bow", epochs=3, **SMALL).fit(X)
    for size in (1, 3, 10):
        vae.partial_fit(X[:size])
        assert np.abs(vae.transform(X)).max() < 5


def test_documents_without_variance_have_sane_latents(reviews):
    for texts in (["a great film"], ["a great film"] * 20):
        vae = TextVAETransformer(decoder="bow", epochs=1, **SMALL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CollapseWarning)
            vae.fit(texts)
        assert np.abs(vae.transform(reviews[0])).max() < 100


def test_a_warm_start_refuses_another_shape_and_takes_another_step_size(reviews):
    X, _ = reviews
    vae = TextVAETransformer(decoder="bow", epochs=1, warm_start=True, **SMALL).fit(X)
    vae.set_params(learning_rate=0.25).fit(X)
    assert float(vae.model_.optimizer.learning_rate) == 0.25
    assert vae.n_iter_ == 2
    with pytest.raises(ValueError, match=r"beta=1.0, but now beta=0.5"):
        vae.set_params(beta=0.5).fit(X)


def test_partial_fit_counts_all_its_passes(reviews):
    X, _ = reviews
    vae = TextVAETransformer(decoder="bow", **SMALL)
    for number in range(1, 4):
        vae.partial_fit(X)
        assert vae.n_iter_ == len(vae.history_["loss"]) == len(vae.history_["kl"]) == number
    assert len(set(vae.history_["loss"])) == 3
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
        vae.set_params(early_stopping=True).partial_fit(X)
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
        clone(vae).partial_fit(X)


def test_an_interrupted_partial_fit_leaves_one_model(reviews):
    X, _ = reviews

    class Interrupt(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt

    vae = TextVAETransformer(decoder="bow", epochs=1, **SMALL).fit(X)
    vae.transform(X)
    with pytest.raises(KeyboardInterrupt):
        vae.set_params(callbacks=[Interrupt()]).partial_fit(X)
    vae.set_params(callbacks=None)
    assert pickle.loads(pickle.dumps(vae)).score(X) == pytest.approx(vae.score(X))


def test_a_frozen_tokenizer_keeps_its_vocabulary(reviews):
    tokenizer = TextTokenizer().fit(["a great film", "a dull film"])
    vocabulary = tokenizer.vocabulary_
    vae = TextVAETransformer(tokenizer=FrozenEstimator(tokenizer), decoder="bow", epochs=1, **SMALL)
    assert vae.fit(reviews[0]).tokenizer_.vocabulary_ == vocabulary
    with pytest.raises(TypeError, match="frozen LogisticRegression"):
        vae.set_params(tokenizer=FrozenEstimator(LogisticRegression())).fit(reviews[0])


def test_a_line_has_two_ends(bow_vae):
    with pytest.raises(ValueError, match="start has 2 rows"):
        bow_vae.interpolate(np.zeros((2, 6)), np.zeros(6))


def test_nullable_token_ids(reviews):
    ids = TextTokenizer(max_length=16).fit_transform(reviews[0])
    vae = TextVAETransformer(decoder="bow", epochs=1, **SMALL).fit(ids)
    np.testing.assert_array_equal(vae.transform(pd.DataFrame(ids).astype("Int32")), vae.transform(ids))


def test_training_on_few_real_reviews_has_no_spikes():
    texts = load_imdb(n_samples=250, random_state=0).data
    vae = TextVAETransformer(8, decoder="bow", epochs=12, random_state=0).fit(texts)
    assert max(vae.history_["kl"][3:]) < 10
    assert vae.history_["loss"][-1] < vae.history_["loss"][0]


EMOJI = [f"{word} film {face}" for word in ("nice", "bad", "odd") for face in ("😀", "😡")] * 20


def test_symbols_are_content_where_not_all_texts_have_them():
    vae = TextVAETransformer(decoder="bow", epochs=1, max_df=0.9, **SMALL).fit(EMOJI)
    assert set(vae.words_) == {"nice", "bad", "odd", "😀", "😡"}
    latents = vae.transform(["nice film 😀", "nice film 😡", "nice film :)"])
    assert not np.allclose(latents[0], latents[1])
    everywhere = TextVAETransformer(decoder="bow", epochs=1, max_df=0.5, **SMALL).fit(
        [f"{t}." for t in EMOJI]
    )
    assert "." not in everywhere.words_


def test_stop_words_stay_out_of_the_bag_and_can_be_written(reviews):
    stop_words = ["The", "is", "story"]
    tokenizer = TextTokenizer(max_length=16, stop_words=stop_words)
    vae = TextVAETransformer(tokenizer=tokenizer, epochs=1, max_df=1.0, **SMALL).fit(reviews[0])
    assert not {"the", "is", "story"} & set(vae.words_)
    assert {"the", "is", "story"} <= set(vae.tokenizer_.vocabulary_)
    again = pickle.loads(pickle.dumps(vae))
    np.testing.assert_array_equal(again.transform(reviews[0][:5]), vae.transform(reviews[0][:5]))
    assert again.score(["the story is"]) < 0
    english = TextTokenizer(stop_words="english").fit(reviews[0])
    vae = TextVAETransformer(tokenizer=FrozenEstimator(english), decoder="bow", epochs=1, max_df=1.0, **SMALL)
    assert not {"the", "and", "it"} & set(vae.fit(reviews[0]).words_)


def test_texts_longer_than_the_decoder_writes_are_warned_about_once(reviews):
    tokenizer = TextTokenizer(max_length=4)
    vae = TextVAETransformer(tokenizer=tokenizer, epochs=1, **SMALL)
    with pytest.warns(
        UserWarning, match=r"about 10 in 10 texts have max_length=4 .*max_length=\d+\)"
    ) as found:
        vae.fit(reviews[0])
    assert sum("max_length" in str(warning.message) for warning in found) == 1
    ends = clone(vae).set_params(tokenizer=TextTokenizer(max_length=4, truncation="pre"))
    with pytest.warns(
        UserWarning, match="learns their ends only: most of what it writes begins in mid-sentence"
    ):
        ends.fit(reviews[0])
    # A bag of words reads the whole text, and a few texts say nothing.
    clone(vae).set_params(decoder="bow").fit(reviews[0])
    clone(vae).fit(reviews[0][:20])


def test_words_of_a_list_are_not_joined_to_marks(reviews):
    X = [f'"{text}" ({text.split()[0]})' if row % 2 else text for row, text in enumerate(reviews[0])]
    vae = TextVAETransformer(decoder="bow", epochs=1, max_df=1.0, **SMALL).fit(X)
    listed = [text.split() for text in vae.inverse_transform(vae.transform(X[:9]))]
    words = set(vae.tokenizer_._forms())
    assert all(set(each) <= words and len(set(each)) == len(each) for each in listed)
    assert '"' in vae.words_
    assert not any('"' in word for each in listed for word in each)


def test_vectors_are_handed_on_beside_the_latents(bow_vae, gru_vae, lstm_vae, reviews):
    X = reviews[0]
    for fitted in (bow_vae, gru_vae, lstm_vae):
        vae = pickle.loads(pickle.dumps(fitted)).set_params(passthrough=True)
        features = vae.transform(X)
        assert features.shape == (len(X), 6 + 64)
        assert features.dtype == np.float32
        np.testing.assert_array_equal(features[:, :6], fitted.transform(X))
        assert (features[:, 6:].std(axis=0) > 0.01).all()
        names = vae.get_feature_names_out().tolist()
        assert names[5:7] == ["textvaetransformer5", "ngrams0"]
        framed = vae.set_output(transform="pandas").transform(X)
        assert framed.columns.tolist() == names
        assert (
            vae.inverse_transform(framed[:3]).tolist() == fitted.inverse_transform(features[:3, :6]).tolist()
        )
        assert vae.sample(2).tolist() == fitted.sample(2).tolist()
        between = vae.interpolate(features[0], features[1], 3)
        assert between.tolist() == fitted.interpolate(features[0, :6], features[1, :6], 3).tolist()
        assert vae.interpolate(X[0], X[1], 3).tolist() == fitted.interpolate(X[0], X[1], 3).tolist()


def test_passthrough_hands_on_what_there_is(reviews):
    vae = small_vae(ngram_dim=None, passthrough=True).fit(reviews[0])
    features = vae.transform(reviews[0][:5])
    assert features.shape == (5, 6)
    np.testing.assert_array_equal(features, vae.set_params(passthrough=False).transform(reviews[0][:5]))
    assert len(vae.set_params(passthrough=True).get_feature_names_out()) == 6


def test_a_classifier_returns_latents_whatever_its_autoencoder_hands_on(reviews):
    X, y = reviews
    plain, passing = (
        TextVAEClassifier(small_vae(passthrough=each), epochs=0, random_state=0).fit(X, y)
        for each in (False, True)
    )
    np.testing.assert_array_equal(passing.transform(X), plain.transform(X))
    assert passing.set_output(transform="pandas").transform(X).shape == (len(X), 6)


def test_the_features_of_a_text_do_not_depend_on_its_place(bow_vae, reviews):
    X = np.resize(reviews[0], 517)
    vae = pickle.loads(pickle.dumps(bow_vae)).set_params(passthrough=True)
    together = vae.transform(X)
    order = np.random.default_rng(0).permutation(len(X))
    np.testing.assert_allclose(vae.transform(X[order]), together[order], rtol=1e-7, atol=1e-9)
    alone = np.concatenate([vae.transform([text]) for text in X[:20]])
    np.testing.assert_allclose(alone, together[:20], rtol=1e-7, atol=1e-9)


def test_sentences_come_in_equal_shares_and_any_order():
    sentences = load_rotten_tomatoes(n_samples=100, random_state=0)
    assert sentences.target.sum() == 50
    assert len(set(sentences.data)) == 100
    assert 0 < sentences.target[:50].sum() < 50
    # As Pang and Lee wrote them: lower-cased, marks apart.
    assert all(text == text.lower() for text in sentences.data)
    assert np.mean([len(text.split()) for text in sentences.data]) < 30
    with pytest.raises(ValueError, match="n_samples=9000; expected 1 to 8530"):
        load_rotten_tomatoes(n_samples=9_000)


@pytest.mark.parametrize("decoder", ["gru", "bow"])
def test_what_auto_means_depends_on_what_is_asked_for(decoder, reviews):
    vae = TextVAETransformer(decoder=decoder)
    assert vae.get_params()["encoder"] == vae.get_params()["epochs"] == "auto"
    small = {name: value for name, value in SMALL.items() if not name.startswith("encoder")}
    fitted = vae.set_params(**small, encoder_units=(16,), batch_size=160).fit(reviews[0])
    writes = decoder == "gru"
    config = fitted._autoencoder.config
    assert config.encoder == ("bilstm" if writes else "bow")
    assert config.posterior_scale == (0.88 if writes else 0.6)
    assert config.posterior_variance == (pytest.approx(1 - 0.88**2) if writes else None)
    assert fitted.n_iter_ == 8
    n_read = fitted.n_iter_ * (4 if writes else 1)
    assert int(fitted.model_.optimizer.iterations.numpy()) == n_read
    # What is set is kept, whatever the decoder.
    set_by_hand = clone(fitted).set_params(encoder="bow", epochs=1, posterior_scale=0.5, learning_rate=1e-3)
    again = set_by_hand.fit(reviews[0])
    assert (again._autoencoder.config.encoder, again._autoencoder.config.posterior_scale) == ("bow", 0.5)
    assert again.n_iter_ == 1
    assert float(again.model_.optimizer.learning_rate.numpy()) == pytest.approx(1e-3)


def complement_vae(**options):
    return TextVAETransformer(
        **SMALL, decoder="bow", epochs=2, learning_rate=1e-2, posterior_variance="complement", **options
    )


def test_means_and_fixed_noise_have_the_variance_of_the_prior(reviews):
    X, _ = reviews
    vae = complement_vae(posterior_scale=0.8).fit(X)
    np.testing.assert_allclose(vae.transform(X).std(axis=0), 0.8, rtol=1e-3)
    # -log(1 - 0.64) / 2 nats for each latent, on average over the training texts.
    assert vae.diagnostics(X)["kl"] == pytest.approx(-6 * np.log(0.36) / 2, rel=1e-3)
    # The noise stays the same in further training.
    vae.partial_fit(X)
    of_means = (vae.transform(X) ** 2).sum(axis=1).mean() / 2
    assert vae.diagnostics(X)["kl"] - of_means == pytest.approx(6 * (0.36 - 1 - np.log(0.36)) / 2, rel=1e-3)
    again = pickle.loads(pickle.dumps(vae))
    np.testing.assert_array_equal(again.transform(X), vae.transform(X))


@pytest.mark.parametrize("scale", [None, 1.0, 1.5])
def test_noise_cannot_be_the_complement_of_a_scale_that_leaves_none(scale, reviews):
    X, _ = reviews
    with pytest.raises(ValueError, match=rf"posterior_variance='complement' .* posterior_scale={scale};"):
        complement_vae(posterior_scale=scale).fit(X)
    writer = TextVAETransformer(**SMALL, epochs=1, posterior_scale=scale, batch_size=160).fit(X)
    assert writer._autoencoder.config.posterior_variance is None


def test_texts_are_no_longer_than_those_that_were_read(reviews):
    longest = max(len(ids) for ids in map(np.flatnonzero, TextTokenizer().fit_transform(reviews[0])))
    vae = TextVAETransformer(epochs=1, **SMALL).fit(reviews[0])
    assert vae._autoencoder.max_length == longest + 1
    assert vae.tokenizer_.max_length == 64
    short = vae.set_params(tokenizer=TextTokenizer(max_length=5))
    with pytest.warns(UserWarning, match="max_length"):
        assert short.fit(reviews[0])._autoencoder.max_length == 5


@pytest.mark.parametrize("analyzer", ["word", "char", "bpe"])
def test_texts_without_a_character_leave_no_vocabulary(analyzer):
    for estimator in (
        TextTokenizer(analyzer),
        TextVAETransformer(decoder="bow", epochs=1, tokenizer=TextTokenizer(analyzer)),
    ):
        with pytest.raises(ValueError, match="empty vocabulary: no token is left"):
            estimator.fit(["", ""])


def test_parts_that_are_not_fitted_say_so():
    with pytest.raises(NotFittedError):
        TextTokenizer().get_feature_names_out()
    with pytest.raises(NotFittedError):
        LogitClassifier().predict([[1.0]])


def test_the_score_is_the_mean_of_the_scores_of_texts(gru_vae, reviews):
    X = reviews[0]
    assert gru_vae.score(X) == gru_vae.score_samples(X).mean()
    assert gru_vae.score(X) == pytest.approx(gru_vae.diagnostics(X)["elbo"])


def test_a_further_batch_needs_the_same_network(reviews):
    X, _ = reviews
    vae = TextVAETransformer(**(SMALL | {"decoder": "bow"})).partial_fit(X)
    vae.set_params(n_components=3)
    with pytest.raises(
        ValueError,
        match=r"partial_fit continues from a network with n_components=6, but now n_components=3; .* or call fit",
    ):
        vae.partial_fit(X)
    assert vae.set_params(n_components=6).partial_fit(X).n_iter_ == 2
