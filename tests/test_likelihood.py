"""The likelihood of a text: what it must not depend on, what it is made of, and what judges it."""

import warnings

import numpy as np
import pytest

from skvae import CollapseWarning, TextTokenizer, TextVAETransformer
from skvae._base import seeds
from skvae._base.seeds import DocumentNoise
from skvae._network.building import build_autoencoder
from skvae._network.likelihood import _reconstruction
from skvae._texts.characters import Characters

from .conftest import SMALL, small_vae

N_TEXTS = 6
BOUNDARY = 2


def fitted(encoder, decoder, padding, max_length, X):
    tokenizer = TextTokenizer(max_length=max_length, padding=padding, truncation=padding)
    vae = TextVAETransformer(
        tokenizer=tokenizer, decoder=decoder, epochs=1, learning_rate=2e-2, **SMALL | {"encoder": encoder}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollapseWarning)
        return vae.fit(X)


def nll(vae, texts):
    return vae.diagnostics(texts)["nll"] * len(texts)


@pytest.mark.parametrize(
    ("encoder", "decoder", "padding"),
    [
        ("bow", "gru", "pre"),
        ("bow", "repeat", "pre"),
        ("bow", "bow", "pre"),
        ("bilstm", "lstm", "pre"),
        ("bilstm", "repeat", "pre"),
        ("bilstm", "gru", "post"),
    ],
)
def test_a_text_is_as_likely_alone_as_in_company(encoder, decoder, padding, reviews):
    X = list(reviews[0])
    vae = fitted(encoder, decoder, padding, 300, X[:40])
    long = " ".join(X)[:1_500]
    texts = X[:N_TEXTS]
    alone = np.array([nll(vae, [text]) for text in texts])
    # In whichever rows they stand.
    assert nll(vae, texts) == pytest.approx(alone.sum(), abs=1e-4)
    assert nll(vae, texts[::-1]) == pytest.approx(alone.sum(), abs=1e-4)
    beside = vae.diagnostics([texts[0], long])["nll"] * 2
    assert beside == pytest.approx(alone[0] + nll(vae, [long]), rel=1e-6, abs=1e-4)
    np.testing.assert_allclose(
        vae.transform([long, *texts])[1:],
        np.concatenate([vae.transform([text]) for text in texts]),
        atol=1e-5,
    )
    # And so it is in training.
    autoencoder = vae._autoencoder
    latents, part = vae.transform(texts), "nll_bow" if decoder == "bow" else "nll_text"

    def trained_by(texts):
        documents = autoencoder.prepare(autoencoder.read(texts))
        inputs = documents.batch(np.arange(len(texts)))
        z = np.concatenate([latents, latents[: len(texts) - N_TEXTS]])
        return vae.model_.decode_nll(z, inputs)[part].numpy()[:N_TEXTS]

    np.testing.assert_allclose(trained_by([*texts, long]), trained_by(texts), atol=1e-4)


def test_padding_before_the_text_changes_nothing_that_is_learnt(reviews):
    X = reviews[0]
    found = []
    for padding in ("post", "pre"):
        vae = TextVAETransformer(
            tokenizer=TextTokenizer(max_length=12, padding=padding),
            decoder="repeat",
            epochs=2,
            **SMALL | {"encoder": "bilstm"},
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CollapseWarning)
            vae.fit(X)
        ids = vae.tokenizer_.transform(X)
        assert (ids[:, 0 if padding == "pre" else -1] == 0).any()
        found.append((vae.history_, vae.transform(ids), vae.inverse_transform(vae.transform(X[:9])).tolist()))
    assert found[0][0] == found[1][0]
    np.testing.assert_array_equal(found[0][1], found[1][1])
    assert found[0][2] == found[1][2]


@pytest.mark.parametrize("padding", ["post", "pre"])
def test_a_text_whose_end_is_read_is_closed_by_the_boundary(padding):
    words = [f"w{number}" for number in range(12)]
    # As long as is read, shorter by one, and longer.
    texts = [" ".join(words[:4]), " ".join(words[:3]), " ".join(words)]
    vae = fitted("bilstm", "gru", padding, 4, texts * 10)
    autoencoder = vae._autoencoder
    autoencoder.tokenizer.truncation = "pre"
    documents = autoencoder.prepare(autoencoder.read(texts))
    ids = documents.batch(np.arange(3))["ids"]
    tokens = autoencoder.tokens
    assert [tokens[row[row > BOUNDARY]].tolist() for row in ids] == [words[:4], words[:3], words[-4:]]
    assert (ids[np.arange(3), [4, 3, 4]] == BOUNDARY).all()
    assert ids[1, 4] == 0
    # An encoder reads `max_length` tokens, as ever.
    vectors = np.zeros((3, vae.model_.config.dense_dim), dtype=np.float32)
    read, _ = vae.model_.read({"ids": ids, "vectors": vectors})
    np.testing.assert_array_equal(read, ids[:, :4])
    autoencoder.tokenizer.truncation = "post"
    ids = autoencoder.prepare(autoencoder.read(texts)).batch(np.arange(3))["ids"]
    assert [tokens[row[row > BOUNDARY]].tolist() for row in ids] == [words[:4], words[:3], words[:4]]
    assert (ids == BOUNDARY).sum(axis=1).tolist() == [0, 1, 0]


def test_the_end_of_a_cut_text_is_learnt():
    """All texts are cut at their beginning and have eight tokens; the decoder has to end after the eighth."""
    texts = [
        f"the start of a text that is long enough to be cut before it {word}" for word in ("ends", "stops")
    ]
    tokenizer = TextTokenizer(max_length=8, padding="pre", truncation="pre")
    vae = TextVAETransformer(tokenizer=tokenizer, epochs=20, learning_rate=3e-2, word_dropout=0, **SMALL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollapseWarning)
        vae.fit(texts * 40)
    documents = vae._autoencoder.prepare(vae._autoencoder.read(texts))
    targets = documents.batch(np.arange(2))["ids"]
    logits = vae.model_.text_decoder.logits(vae.transform(texts), targets).numpy()
    assert targets.shape == (2, 9)
    assert (logits[:, 8].argmax(axis=1) == BOUNDARY).all()


# What latents are used for


def test_latent_use_is_what_other_latents_cost(gru_vae, reviews):
    X = reviews[0]
    figures = gru_vae.diagnostics(X)
    autoencoder = gru_vae._autoencoder
    documents = autoencoder.prepare(autoencoder.read(X))
    means = autoencoder.posterior(documents)[0]
    own = _reconstruction(autoencoder, means, documents)[0].mean()
    # The mean over all other texts, by the posterior means.
    others = np.mean(
        [
            _reconstruction(autoencoder, np.roll(means, shift, axis=0), documents)[0].mean()
            for shift in (1, 40, 90)
        ]
    )
    assert figures["latent_use"] > 0.3
    assert figures["latent_use"] == pytest.approx(others - own, rel=0.4)
    assert "latent_use" not in gru_vae.diagnostics(X[:1])


def test_a_decoder_that_ignores_the_latents_is_found_out_though_the_kl_is_forced(reviews):
    X = reviews[0]
    untrained = TextVAETransformer(
        tokenizer=TextTokenizer(max_length=16), epochs=1, learning_rate=1e-8, **SMALL
    )
    with pytest.warns(CollapseWarning, match="ignores the latents"):
        untrained.fit(X)
    figures = untrained.diagnostics(X)
    assert figures["kl"] > SMALL["n_components"] * 0.6**2 / 2
    assert abs(figures["latent_use"]) < 0.1
    trained = TextVAETransformer(
        tokenizer=TextTokenizer(max_length=16), epochs=6, learning_rate=1e-2, **SMALL
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", CollapseWarning)
        trained.fit(X)
    assert trained.diagnostics(X)["latent_use"] > 1


@pytest.mark.filterwarnings("ignore:about 10 in 10 texts have max_length")
def test_a_decoder_that_was_trained_and_ignores_the_latents_is_found_out(reviews, monkeypatch):
    """What the encoder reads, the last words, says nothing about the first ones, which the decoder writes."""
    random = np.random.default_rng(0)
    read = random.choice(["red", "green", "blue", "grey"], size=(160, 6))
    written = random.choice(["one", "two", "three"], size=(160, 4))
    texts = [" ".join([*first, *last]) for first, last in zip(written, read, strict=True)]
    tokenizer = TextTokenizer(max_length=4)
    vae = TextVAETransformer(
        tokenizer=tokenizer,
        posterior_scale=0.6,
        epochs=4,
        learning_rate=4e-3,
        learning_rate_schedule="constant",
        bow_weight=0,
        max_df=1.0,
        **SMALL | {"ngram_dim": None},
    )

    def build_reader_of_last_words(tokenizer, *arguments, **options):
        autoencoder = build_autoencoder(tokenizer, *arguments, **options)
        autoencoder.word_columns[np.isin(tokenizer.tokens_, ["one", "two", "three"])] = -1
        return autoencoder

    monkeypatch.setattr("skvae.transformer.build_autoencoder", build_reader_of_last_words)
    with pytest.warns(CollapseWarning, match="ignores the latents"):
        vae.fit(texts)
    assert vae.history_["kl"][-1] > 1


# Figures that compare tokenizers


@pytest.fixture(scope="module")
def five_and_two_hundred(reviews):
    """The same autoencoder with a vocabulary that hides nearly all, and with one that hides nothing."""
    found = []
    for max_features in (5, 200):
        tokenizer = TextTokenizer(max_features=max_features, max_length=16)
        vae = TextVAETransformer(tokenizer=tokenizer, epochs=6, learning_rate=1e-2, **SMALL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CollapseWarning)
            found.append(vae.fit(reviews[0]))
    return found


def test_a_tiny_vocabulary_wins_by_elbo_and_loses_by_character(five_and_two_hundred, reviews):
    X = reviews[0]
    five, two_hundred = (vae.diagnostics(X) for vae in five_and_two_hundred)
    assert five["elbo"] > two_hundred["elbo"]
    assert five["nats_per_character"] > 1.2 * two_hundred["nats_per_character"]
    short = [" ".join(text.split()[:6]) for text in X]
    vae = five_and_two_hundred[1]
    whole = vae.diagnostics(short)
    n_characters = sum(map(len, short))
    assert whole["nats_per_character"] == pytest.approx(-whole["elbo"] * len(short) / n_characters)


def test_characters_are_those_that_the_decoder_reads_of_texts_longer_than_any_training_text():
    words = ["one", "two", "three"]
    vae = small_vae(decoder="gru", posterior_scale=0.6).fit(
        [" ".join(words[k:] + words[:k]) for k in range(3)] * 9
    )
    texts = ["one two three two one three two one three"]
    figures = vae.diagnostics(texts)
    # The longest training text, and the end of one.
    read = " ".join(texts[0].split()[:4])
    assert figures["nats_per_character"] == pytest.approx(-figures["elbo"] / len(read))


def test_characters_are_known_of_texts_under_a_text_decoder_only(bow_vae, gru_vae, reviews):
    X = reviews[0][:20]
    assert "nats_per_character" not in bow_vae.diagnostics(X)
    ids = gru_vae.tokenizer_.transform(X)
    assert "nats_per_character" not in gru_vae.diagnostics(ids)
    assert "nats_per_character" in gru_vae.diagnostics(X)
    assert "nats_per_character" not in gru_vae.diagnostics([""])


@pytest.mark.parametrize("analyzer", ["word", "char", "bpe"])
def test_what_tokens_hide_is_spelt_out(analyzer):
    texts = ["Don't stop -- it's great, 7/10!", "a na\N{LATIN SMALL LETTER I WITH DIAERESIS}ve one", "", "x"]
    lengths = [len(text) for text in texts]
    seen = TextTokenizer(analyzer, max_length=99).fit(texts)
    characters = Characters.of_texts(texts, seen, 99)
    np.testing.assert_allclose(characters.read, lengths, atol=1e-9)
    assert not characters.spelling.any()
    other = TextTokenizer(analyzer, max_length=99, lowercase=True).fit(["don't one"])
    characters = Characters.of_texts(texts, other, 99)
    np.testing.assert_allclose(characters.read, lengths)
    n_symbols = len(set("".join(texts).lower()) | {" "}) + 1
    hidden = {
        # Tokens, and the end of each.
        "word": [len("stop--it'sgreat,7/10!") + 7, len("anaive") + 2, 0, 2],
        "char": [2 * sum(each not in "don't one" for each in text.lower()) for text in texts],
        "bpe": [2 * sum(each not in "don't one" for each in text.lower()) for text in texts],
    }[analyzer]
    np.testing.assert_allclose(characters.spelling, np.array(hidden) * np.log(n_symbols), rtol=1e-6)


@pytest.mark.parametrize("truncation", ["post", "pre"])
def test_characters_of_cut_texts_are_those_that_are_read(truncation):
    texts = ["one two three", "four"]
    tokenizer = TextTokenizer(max_length=2, truncation=truncation).fit(["two one"])
    characters = Characters.of_texts(texts, tokenizer, 2)
    # A space belongs to the word after it.
    assert characters.read.tolist() == ([7, 4] if truncation == "post" else [10, 4])
    n_symbols = len(set("onetwothreefour ")) + 1
    hidden = [0, 5] if truncation == "post" else [6, 5]
    np.testing.assert_allclose(characters.spelling, np.array(hidden) * np.log(n_symbols))


# Importance weights


def test_few_latents_behind_the_weighted_likelihood_are_told(gru_vae, reviews, monkeypatch):
    X = reviews[0][:20]
    figures = gru_vae.diagnostics(X, n_importance_samples=40)
    assert 5 < figures["iw_ess"] <= 40
    with pytest.warns(UserWarning, match=r"of 1 drawn for each document, the effective sample size is 1,"):
        assert gru_vae.diagnostics(X, n_importance_samples=1)["iw_ess"] == pytest.approx(1)
    # In the class: undoing a change of the shared instance would leave a bound method in it.
    kind = type(gru_vae._autoencoder)
    posterior = kind.posterior

    def beside_the_mark(autoencoder, documents):
        mean, log_variance = posterior(autoencoder, documents)
        return mean + 4, log_variance

    monkeypatch.setattr(kind, "posterior", beside_the_mark)
    with pytest.warns(UserWarning, match=r"of 40 drawn"):
        assert gru_vae.diagnostics(X, n_importance_samples=40)["iw_ess"] < 5


def test_noise_belongs_to_documents():
    keys = np.random.default_rng(0).integers(2**63, size=4_000).astype(np.uint64)
    noise = DocumentNoise(keys, 3)
    draws = np.stack([noise.standard_normal((4_000, 5)) for _ in range(3)])
    assert draws.mean(axis=1) == pytest.approx(0, abs=0.08)
    assert draws.std(axis=1) == pytest.approx(1, abs=0.06)
    # Of different columns, calls and documents, independent.
    flat = draws.transpose(0, 2, 1).reshape(15, -1)
    assert np.abs(np.corrcoef(flat) - np.eye(15)).max() < 0.08
    assert np.abs(np.corrcoef(flat[:, :-1], flat[:, 1:])).max(where=~np.eye(30, dtype=bool), initial=0) < 0.08
    some = np.array([70, 3, 3])
    again = DocumentNoise(keys[some], 3)
    np.testing.assert_array_equal(again.standard_normal((3, 5)), draws[0, some])
    assert np.abs(DocumentNoise(keys, 4).standard_normal((4_000, 5)) - draws[0]).max() > 1


def test_noise_is_finite_for_the_largest_and_the_smallest_bits(monkeypatch):
    for bits in (0, 2**64 - 1):
        monkeypatch.setattr(seeds, "scrambled", lambda numbers, bits=bits: np.full_like(numbers, bits))
        draws = DocumentNoise(np.zeros(1, dtype=np.uint64), 0).standard_normal((1, 1))
        assert 8 < abs(draws.item()) < 9


@pytest.mark.parametrize("name", ["bow_vae", "gru_vae", "lstm_vae"])
@pytest.mark.parametrize("per_token", [False, True])
def test_the_score_of_a_document_is_its_own(name, per_token, request, reviews):
    vae, X = request.getfixturevalue(name), reviews[0][:12]
    together = vae.score_samples(X, per_token=per_token)
    assert together.shape == (12,)
    assert together.dtype == np.float64
    alone = [vae.score_samples([text], per_token=per_token)[0] for text in X]
    np.testing.assert_allclose(alone, together, rtol=1e-5)
    order = np.random.default_rng(0).permutation(12)
    np.testing.assert_allclose(vae.score_samples(X[order], per_token=per_token), together[order], rtol=1e-5)


@pytest.mark.parametrize("name", ["bow_vae", "gru_vae"])
def test_scores_of_documents_average_to_the_score(name, request, reviews):
    vae = request.getfixturevalue(name)
    assert vae.score_samples(reviews[0]).mean() == pytest.approx(vae.score(reviews[0]), rel=1e-6)


@pytest.mark.parametrize("name", ["bow_vae", "gru_vae"])
def test_scores_by_token_do_not_fall_with_length_and_count_unknown_tokens(name, request, reviews):
    vae, X = request.getfixturevalue(name), reviews[0]
    text = X[0]
    texts = [text, "zyx wvu tsr qpo nml kji", f"{text} {X[1]}"]
    own, foreign, longer = vae.score_samples(texts, per_token=True)
    assert foreign < own
    whole = vae.score_samples(texts)
    assert longer / own < whole[2] / whole[0]
    unknown = ["zyx " * 3, "zyx " * 12]
    counted = np.array([3, 12]) + vae.get_params()["decoder"].startswith("gru")
    total = vae.score_samples(unknown) - np.array([3, 12]) * np.log(len(vae.tokenizer_.tokens_))
    np.testing.assert_allclose(vae.score_samples(unknown, per_token=True), total / counted, rtol=1e-6)
    assert vae.score_samples([""], per_token=True)[0] <= 0


def test_perplexity_is_the_average_cost_of_a_token(bow_vae, gru_vae, reviews):
    for vae in (bow_vae, gru_vae):
        one = vae.score_samples([reviews[0][0]], per_token=True)[0]
        assert vae.perplexity([reviews[0][0]]) == pytest.approx(np.exp(-one), rel=1e-5)
        assert vae.perplexity(reviews[0]) < vae.perplexity(["zyx wvu tsr", "qpo nml kji"])
    with pytest.raises(ValueError, match="no document in X has a token"):
        bow_vae.perplexity(["", ""])
