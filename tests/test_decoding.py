"""Latents to texts: ways of choosing tokens, paths through latent space, classes."""

import copy
import pickle
import tracemalloc
from itertools import product

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from skvae import TextTokenizer, TextVAEClassifier, TextVAETransformer
from skvae._writing.decoding import decode_tokens
from skvae._writing.guidance import Guidance
from skvae._writing.options import DecodingOptions
from skvae.datasets import make_reviews

from .conftest import small_vae

# A bag of words is read in a fraction of the time of a recurrent encoder.
FAST = {
    "encoder": "bow",
    "posterior_scale": 0.6,
    "learning_rate": 1e-2,
    "learning_rate_schedule": "constant",
}


@pytest.fixture(scope="module")
def writer():
    """A classifier whose decoder has learned enough to write about the class."""
    X, y = make_reviews(400, random_state=3)
    vae = TextVAETransformer(
        12, tokenizer=TextTokenizer(max_length=16), decoder_units=(48,), epochs=25, **FAST
    )
    names = np.array(["bad", "good"])
    return TextVAEClassifier(vae, epochs=0, random_state=0).fit(X, names[y])


def read_by_guidance(classifier, X):
    """Class logits of texts by what guidance knows, of shape (n_texts, n_outputs)."""
    autoencoder, classes = classifier.vae_._autoencoder, classifier._latent_classes.ngram_classes
    corpus = autoencoder.read(X)
    inputs = classifier._class_head.inputs(corpus, autoencoder.prepare(corpus))
    intercept = classifier._guidance(np.array([0]), 1.0).intercept
    intercept = intercept[1:] - intercept[:1] if len(intercept) == 2 else intercept
    return intercept + sum(inputs[name] @ model.kernel for name, model in classes.models.items())


def log_likelihood(vae, latents, ids):
    """Of each token id that was written, and the boundary that ends the text."""
    closed = np.zeros((len(ids), ids.shape[1] + 1), dtype=np.int32)
    closed[:, :-1] = ids
    closed[np.arange(len(ids)), (ids > 0).sum(axis=1)] = 2
    logits = vae.model_.text_decoder.logits(latents, closed).numpy()
    logits[:, :, :2] = -np.inf
    own = np.take_along_axis(log_softmax(logits, axis=-1), closed[:, :, None], axis=-1)[:, :, 0]
    return np.where(closed > 0, own, 0).sum(axis=1), (closed > 0).sum(axis=1)


def test_beam_search_which_is_the_default_finds_likelier_texts_than_greedy_decoding(writer):
    X, _ = make_reviews(60, random_state=9)
    vae = writer.vae_
    latents = vae.transform(X)
    scores = []
    for options in ({"decoding": "greedy"}, {}, {"decoding": "beam", "beam_width": 6}):
        ids = vae.tokenizer_.transform(vae.inverse_transform(latents, **options))
        value, length = log_likelihood(vae, latents, ids)
        scores.append(value / length)
    for found in scores[1:]:
        assert found.mean() > scores[0].mean()
        assert (found >= scores[0] - 1e-3).mean() > 0.8


@pytest.mark.parametrize("options", [{"decoding": "greedy"}, {}, {"decoding": "sample"}])
def test_no_ngram_comes_twice_where_that_is_asked(gru_vae, reviews, options):
    latents = gru_vae.transform(reviews[0])

    def repeats(size, **more):
        ids = gru_vae.tokenizer_.transform(
            gru_vae.inverse_transform(latents, random_state=0, **options, **more)
        )
        grams = [list(zip(*(row[k:] for k in range(size)), strict=False)) for row in (r[r > 0] for r in ids)]
        return sum(len(each) - len(set(each)) for each in grams)

    assert repeats(2) > 0
    assert repeats(2, no_repeat_ngram_size=2) == 0
    assert repeats(1, no_repeat_ngram_size=1) == 0


@pytest.mark.parametrize("options", [{"top_k": 1}, {"top_p": 1e-6}, {"temperature": 1e-4}])
def test_draws_from_the_likeliest_tokens_only_are_greedy(writer, options):
    X, _ = make_reviews(20, random_state=9)
    latents = writer.transform(X)
    drawn = writer.inverse_transform(latents, decoding="sample", random_state=0, **options)
    assert drawn.tolist() == writer.inverse_transform(latents, decoding="greedy").tolist()


def test_weights_of_rewriting_by_default(writer):
    X = make_reviews(30, random_state=9)[0]

    def written(**options):
        return writer.rewrite(X, "good", method="decode", **options).tolist()

    margin = writer._latent_classes.ngram_classes.mean_lead
    assert written() == written(guidance=20 / margin**0.5, content_weight=6)
    assert written() != written(guidance=0, content_weight=6)
    # Of what is being written, only n-grams are read.
    writer = copy.deepcopy(writer)
    writer._latent_classes.ngram_classes.mean_lead = 1.0
    assert written() == written(guidance=20)
    assert written() != written(guidance=20 / writer._latent_classes.mean_lead**0.5)


def test_the_less_clear_labelled_texts_are_the_stronger_is_the_guidance_of_rewriting(writer):
    """With a third of wrong labels, no review is clearly of a class, so the log-probability of the class changes little."""
    X, y = make_reviews(400, random_state=3)
    y = np.where(np.random.default_rng(0).random(len(y)) < 1 / 3, 1 - y, y)
    unsure = TextVAEClassifier(FrozenEstimator(writer.vae_), epochs=0, random_state=0).fit(X, y)
    unseen, labels = make_reviews(60, random_state=9)
    for classifier in (writer, unsure):
        margins = np.abs(classifier.decision_function(unseen))
        assert classifier._latent_classes.mean_lead == pytest.approx(margins.mean(), rel=0.3)
        margins = np.abs(read_by_guidance(classifier, unseen))
        assert classifier._latent_classes.ngram_classes.mean_lead == pytest.approx(margins.mean(), rel=0.3)
    names = np.array(["bad", "good"])
    for method, of_the_clear in (("edit", 9), ("decode", 7)):
        right = [
            np.mean(
                writer.predict(unsure.rewrite(unseen, 1 - labels, method=method, **each)) == names[1 - labels]
            )
            for each in ({}, {"guidance": of_the_clear})
        ]
        assert right[0] > right[1] + 0.4
    # A weight of two counts as two copies.
    twice = TextVAEClassifier(FrozenEstimator(writer.vae_), epochs=0, random_state=0)
    twice = twice.fit(X, y, sample_weight=np.full(len(y), 2.0))._latent_classes
    assert twice.weight_of_leads == 2 * unsure._latent_classes.weight_of_leads == 2 * len(X)
    # A stream goes on with the average.
    classes = unsure._latent_classes
    before, weight = classes.mean_lead, classes.weight_of_leads
    before_by_ngrams, of_ngrams = (
        classes.ngram_classes.mean_lead,
        np.abs(read_by_guidance(unsure, unseen)).sum(),
    )
    assert pickle.loads(pickle.dumps(unsure))._latent_classes.mean_lead == before
    of_batch = np.abs(unsure.decision_function(unseen)).sum()
    unsure.partial_fit(unseen, labels)
    assert unsure._latent_classes.mean_lead == pytest.approx((before * weight + of_batch) / (weight + 60))
    of_both = (before_by_ngrams * weight + of_ngrams) / (weight + 60)
    assert unsure._latent_classes.ngram_classes.mean_lead == pytest.approx(of_both, rel=1e-4)


def test_a_beam_of_one_is_greedy(writer):
    latents = writer.transform(make_reviews(20, random_state=9)[0])
    greedy = writer.inverse_transform(latents, decoding="greedy")
    beam = writer.inverse_transform(latents, decoding="beam", beam_width=1)
    assert beam.tolist() == greedy.tolist()


def test_nucleus_and_top_k_lie_between_greedy_and_free_draws(writer):
    latents = writer.transform(make_reviews(60, random_state=9)[0])
    greedy = writer.inverse_transform(latents, decoding="greedy")

    def share_unlike_greedy(**options):
        texts = writer.inverse_transform(latents, decoding="sample", random_state=0, **options)
        return np.mean(texts != greedy)

    free = share_unlike_greedy(temperature=1.5)
    assert 0 < share_unlike_greedy(temperature=1.5, top_p=0.3) < free
    assert 0 < share_unlike_greedy(temperature=1.5, top_k=2) <= free


def test_every_way_gives_the_same_texts_again(writer, gru_vae, repeat_vae):
    for vae in (writer.vae_, gru_vae, repeat_vae):
        for decoding in ("greedy", "sample", "beam"):
            first = vae.sample(9, decoding=decoding, random_state=1)
            assert first.tolist() == vae.sample(9, decoding=decoding, random_state=1).tolist()
            assert first.shape == (9,)
    assert (writer.sample(9, random_state=1) != writer.sample(9, random_state=2)).any()


def test_draws_are_seeded_by_the_classifier_and_else_by_its_autoencoder(writing_classifier, reviews):
    X, y = reviews[0][:20], "good"
    vae = writing_classifier.vae_
    latents = vae.transform(X)

    def written(seed, **of_call):
        classifier = copy.copy(writing_classifier).set_params(random_state=seed)
        return [
            classifier.sample(20, **of_call).tolist(),
            classifier.inverse_transform(latents, decoding="sample", **of_call).tolist(),
            classifier.inverse_transform(latents, y, decoding="sample", **of_call).tolist(),
            classifier.rewrite(X, y, method="decode", decoding="sample", **of_call).tolist(),
        ]

    for of_seven, of_eight, of_call in zip(written(7), written(8), written(8, random_state=7), strict=True):
        assert of_seven == of_call != of_eight
    without = written(None)
    assert without == written(8, random_state=vae.random_state)
    assert without[0] == vae.sample(20).tolist()


def test_a_sample_is_the_likeliest_text_of_drawn_latents(writer):
    _, latents = writer.vae_._draw_latents(30, 1, "fitted")
    expected = writer.vae_.inverse_transform(latents)
    np.testing.assert_array_equal(writer.vae_.sample(30, random_state=1), expected)
    np.testing.assert_array_equal(writer.sample(30, random_state=1), expected)
    assert (writer.sample(30, decoding="sample", random_state=1) != expected).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"decoding": "loudly"}, "decoding='loudly'; expected"),
        ({"temperature": 0}, "temperature=0; expected"),
        ({"top_k": 0}, "top_k=0; expected"),
        ({"top_p": 1.5}, "top_p=1.5; expected"),
        ({"beam_width": 1.5}, "beam_width=1.5; expected"),
        ({"no_repeat_ngram_size": True}, "no_repeat_ngram_size=True; expected"),
    ],
)
def test_bad_options_are_refused_by_all_that_write(writer, options, message):
    latents = np.zeros((1, 12))
    for write in (
        lambda: writer.inverse_transform(latents, **options),
        lambda: writer.sample(1, **options),
        lambda: writer.rewrite(["a film"], "good", **options, method="decode"),
        lambda: writer.vae_.sample(1, **options),
        lambda: writer.vae_.interpolate("a film", "a story", **options),
    ):
        with pytest.raises(ValueError, match=message):
            write()


@pytest.mark.parametrize("options", [{"top_k": 3}, {"top_p": 0.5}, {"temperature": 0.5}])
def test_options_of_draws_are_refused_where_nothing_is_drawn(writer, options):
    for decoding in ("greedy", "beam"):
        with pytest.raises(ValueError, match="set decoding='sample'"):
            writer.inverse_transform(np.zeros((1, 12)), decoding=decoding, **options)


def test_any_finite_temperature_draws_texts(writer):
    for temperature in (1e-50, 1e39):
        texts = writer.sample(5, decoding="sample", temperature=temperature, random_state=0)
        assert texts.shape == (5,)
        assert any(texts)


def test_a_path_on_the_sphere_keeps_its_distance(writer, monkeypatch):
    vae = writer.vae_
    seen = {}
    # In the class: undoing a change of the shared instance would leave a bound method in it.
    monkeypatch.setattr(type(vae), "inverse_transform", lambda self, Z, **options: seen.setdefault("Z", Z))
    start, end = np.eye(12)[0] * 2, np.eye(12)[1] * 3
    points = vae.interpolate(start, end, 5, path="sphere")
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), np.linspace(2, 3, 5), rtol=1e-5)
    np.testing.assert_allclose(points[[0, -1]], [start, end], atol=1e-6)
    seen.clear()
    line = vae.interpolate(start, -start, 3, path="sphere")
    np.testing.assert_allclose(line, [start, np.zeros(12), -start], atol=1e-6)
    with pytest.raises(ValueError, match="expected one text or one latent vector"):
        vae.interpolate(["a film"], "a story")
    with pytest.raises(ValueError, match="path='arc'"):
        vae.interpolate(start, end, path="arc")


def test_the_class_of_what_is_written_can_be_chosen(writer):
    X, y = make_reviews(200, random_state=9)
    for label in ("bad", "good"):
        assert (writer.predict(writer.sample(200, label, random_state=0)) == label).mean() > 0.7
        assert (writer.predict(writer.rewrite(X, label, method="decode")) == label).mean() > 0.7
    each = np.where(y == 0, "good", "bad")
    assert (writer.predict(writer.rewrite(X, each, method="decode")) == each).mean() > 0.8


def test_guidance_makes_what_is_written_clearer(writer):
    X, y = make_reviews(200, random_state=9)
    other = np.where(y == 0, "good", "bad")
    column = np.where(other == "good", 1, 0)
    for options in ({}, {"decoding": "beam", "beam_width": 2}, {"decoding": "sample", "random_state": 0}):
        clear = []
        for guidance in (0, 1, 4):
            # With the document's own words asked for, there is something to turn.
            written = writer.rewrite(
                X, other, guidance=guidance, content_weight=2, **options, method="decode"
            )
            clear.append(writer.predict_log_proba(written)[np.arange(200), column].mean())
        assert clear[0] < clear[1] < clear[2]
    latents = writer.transform(X)
    unguided = writer.inverse_transform(latents, other, guidance=0)
    assert (unguided != writer.inverse_transform(latents)).any()
    for guidance in (-1, np.nan, "much"):
        with pytest.raises(ValueError, match="guidance="):
            writer.sample(1, "good", guidance=guidance)


def test_rewriting_keeps_as_much_of_the_document_as_is_asked(writer):
    X, y = make_reviews(100, random_state=9)
    other = np.where(y == 0, "good", "bad")

    def share_kept(**options):
        written = writer.rewrite(X, other, **options, method="decode")
        pairs = [(set(old.split()), set(new.split())) for old, new in zip(X, written, strict=True)]
        return np.mean([len(old & new) / len(old) for old, new in pairs])

    for options in ({}, {"decoding": "beam", "beam_width": 2}):
        kept = [share_kept(content_weight=weight, **options) for weight in (0, 2, 8)]
        assert kept[0] < kept[1] < kept[2]
    # With nothing else to heed, the document itself, in its order.
    own = np.where(y == 1, "good", "bad")
    again = writer.rewrite(X, own, guidance=0, content_weight=8, method="decode")
    assert (
        np.mean(again == writer.vae_.tokenizer_.inverse_transform(writer.vae_.tokenizer_.transform(X))) > 0.9
    )
    with pytest.raises(ValueError, match="content_weight=-1"):
        writer.rewrite(X, other, content_weight=-1)


def test_documents_are_rewritten_together_as_alone(writer):
    X, _ = make_reviews(18, random_state=9)
    # Of many lengths, with words that are not known, and empty.
    X = [*(" ".join(text.split()[: 1 + row % 9]) for row, text in enumerate(X)), "the zyx was dull", ""]
    other = np.where(writer.predict(X) == "bad", "good", "bad")
    for options in ({}, {"decoding": "beam", "beam_width": 2}):
        together = writer.rewrite(X, other, **options, method="decode")
        alone = [
            writer.rewrite([text], label, **options, method="decode")[0]
            for text, label in zip(X, other, strict=True)
        ]
        assert together.tolist() == alone
    # What follows an unknown word follows on the word before it.
    assert (
        writer.rewrite(["the zyx music is dull"], "bad", guidance=0, content_weight=50, method="decode")[0]
        == "the music is dull"
    )


def test_a_rewritten_document_goes_on_after_the_words_that_were_changed(writer):
    X, y = make_reviews(200, random_state=9)
    # So strong that it begins with a word of the class, where the document has another.
    written = writer.rewrite(X, np.where(y == 0, "good", "bad"), guidance=60, method="decode")
    n_words = [sum(len(text.split()) for text in texts) for texts in (X, written)]
    assert n_words[1] > 0.7 * n_words[0]


def test_guidance_needs_a_model_of_ngrams(gru_vae, reviews):
    X, y = make_reviews(40, random_state=9)
    without = clone(gru_vae).set_params(ngram_dim=None).fit(reviews[0])
    for vae, is_guided in ((without, False), (gru_vae, True)):
        plain = TextVAEClassifier(FrozenEstimator(vae), lexical=False, epochs=0, random_state=0).fit(X, y)
        texts = plain.rewrite(X, 1, method="decode")
        assert (texts.tolist() != plain.rewrite(X, 1, guidance=0, method="decode").tolist()) == is_guided


@pytest.fixture(scope="module")
def writer_of_three():
    """Has read texts of each class: a writer can not be led to bigrams that no text before had."""
    vae = TextVAETransformer(
        12, tokenizer=TextTokenizer(max_length=16), decoder_units=(48,), epochs=25, batch_size=32, **FAST
    )
    return vae.set_params(random_state=0).fit(make_reviews(400, n_classes=3, random_state=3)[0])


@pytest.mark.parametrize("ngram_range", [(1, 1), (2, 2), (1, 3)])
def test_guidance_by_other_ngrams_and_more_classes(writer_of_three, ngram_range):
    X, y = make_reviews(150, n_classes=3, random_state=9)
    some = X[:50]
    head = TextVAEClassifier(FrozenEstimator(writer_of_three), ngram_range=ngram_range, random_state=0).fit(
        X, y
    )
    for label in range(3):
        clear = [
            head.predict_log_proba(head.rewrite(some, label, guidance=guidance, method="decode"))[
                :, label
            ].mean()
            for guidance in (0, 32)
        ]
        assert clear[0] < clear[1]


def test_a_document_of_the_class_is_rewritten_less(writer):
    X, y = make_reviews(200, random_state=9)
    own = np.where(y == 1, "good", "bad")
    plain = writer.inverse_transform(writer.transform(X))

    def words_kept(classes):
        return np.mean(
            [
                len(set(new.split()) & set(old.split())) / len(set(old.split()))
                for new, old in zip(writer.rewrite(X, classes, method="decode"), plain, strict=True)
            ]
        )

    assert words_kept(own) > words_kept(np.where(y == 0, "good", "bad")) + 0.02


def test_reserved_tokens_are_never_written(reviews):
    ids = TextTokenizer(max_length=12, max_features=20).fit_transform(reviews[0])
    assert (ids == 1).mean() > 0.3  # so that an untrained decoder would write "unknown" most
    vae = TextVAETransformer(encoder="bow", epochs=5, n_components=4, decoder_units=(8,), random_state=0).fit(
        ids
    )
    for decoding in ("greedy", "sample", "beam"):
        written = vae.sample(40, decoding=decoding, random_state=0)
        assert written.dtype == np.int32
        assert not np.isin(written, [1, 2]).any()
        assert (written[:, 0] > 2).mean() > 0.5


def test_three_classes_to_write(writing_classifier, reviews):
    latents = writing_classifier.transform(reviews[0])
    for number, label in enumerate(writing_classifier.classes_):
        texts = writing_classifier.inverse_transform(latents, label)
        assert texts.shape == (160,)
        classes = writing_classifier._latent_classes
        moved = classes.moved(latents, np.full(160, number))
        margins, _ = classes.margins(moved, np.full(160, number))
        assert (margins >= classes.clear_margins[number] - 1e-3).all()


def test_classes_that_cannot_be_written_are_refused(writer, classifier):
    for unknown in ("ugly", "goodish", "go", 1, True):
        with pytest.raises(ValueError, match="not one of the classes"):
            writer.sample(2, unknown)
    with pytest.raises(ValueError, match="y is None"):
        writer.rewrite(["a film"], None)
    with pytest.raises(ValueError, match=r"y has 3|3 labels|length"):
        writer.rewrite(["a film"], ["good"] * 3)
    for call in (
        lambda: classifier.sample(2, 1),
        lambda: classifier.rewrite(["a film"], 1),
        lambda: classifier.inverse_transform(np.zeros((1, 6)), 1),
    ):
        with pytest.raises(ValueError, match="needs a text decoder"):
            call()
    with pytest.raises(ValueError, match="n_samples=0"):
        writer.sample(0)


def test_importance_weighted_likelihood_of_the_decoder(writer):
    X, _ = make_reviews(100, random_state=9)
    figures = writer.vae_.diagnostics(X, n_importance_samples=30)
    assert figures["nll"] < figures["iw_nll"] < -figures["elbo"]
    assert "iw_nll" not in writer.vae_.diagnostics(X)
    with pytest.raises(ValueError, match="n_importance_samples=-1"):
        writer.vae_.diagnostics(X, n_importance_samples=-1)


@pytest.fixture(scope="module")
def every_text():
    """Latents, a small decoder, all texts it can write, and the log-likelihood of each under each of the latents."""
    latents = np.random.default_rng(1).normal(size=(40, 2)).astype(np.float32)
    random = np.random.default_rng(0)
    matrix = np.where(np.arange(4) < random.integers(1, 5, (300, 1)), random.integers(3, 6, (300, 4)), 0)
    vae = TextVAETransformer(
        2,
        embedding_dim=8,
        decoder_units=(12,),
        encoder_units=(8,),
        epochs=4,
        learning_rate=1e-2,
        random_state=0,
    ).fit(matrix.astype(np.int32))
    texts = [text for length in range(5) for text in product((3, 4, 5), repeat=length)]
    ids = np.array([[*text, 2, *[0] * 4][:4] for text in texts], dtype=np.int32)
    every = [np.repeat(latents, len(texts), axis=0), np.tile(ids, (len(latents), 1))]
    logits = vae.decoder_(every).numpy()
    logits[:, :, :2] = -np.inf
    own = np.take_along_axis(log_softmax(logits, axis=-1), every[1][:, :, None], axis=-1)[:, :, 0]
    return latents, vae, ids, np.where(every[1] > 0, own, 0).sum(axis=1).reshape(len(latents), len(texts))


def test_the_widest_beam_finds_the_best_text_of_all_by_its_length(every_text):
    latents, vae, ids, likelihood = every_text
    found = vae.inverse_transform(latents, decoding="beam", beam_width=len(ids))
    lengths = (ids > 0).sum(axis=1)
    best = {exponent: (likelihood / lengths**exponent).argmax(axis=1) for exponent in (0, 0.5, 1)}
    for other in (0, 0.5):
        assert np.mean(best[other] != best[1]) > 0.2
    assert np.mean((found == np.where(ids == 2, 0, ids)[best[1]]).all(axis=1)) > 0.9


def test_the_widest_beam_with_a_class_finds_the_best_text_of_all_with_the_probability_of_its_class(
    every_text,
):
    """A text that is against its class pays for it as it stands at its end, not at each of its tokens."""
    latents, vae, ids, likelihood = every_text
    alone = np.array([0, 0, 0, -2, 0.5, 1], dtype=np.float32)[:, None]
    labels = np.arange(40) % 2
    guidance = Guidance.of_outputs(np.zeros(1, dtype=np.float32), alone, None, labels, 3.0)
    options = DecodingOptions(decoding="beam", beam_width=len(ids))
    found = decode_tokens(vae.model_.text_decoder, latents, 4, options, guidance=guidance).padded(4)
    margins = alone[ids][:, :, 0].sum(axis=1) * np.where(labels == 1, 1, -1)[:, None]
    joint = (likelihood - 3 * np.log1p(np.exp(-margins))) / (ids > 0).sum(axis=1)
    assert np.mean((found == np.where(ids == 2, 0, ids)[joint.argmax(axis=1)]).all(axis=1)) > 0.9
    assert np.mean(joint.argmax(axis=1) != likelihood.argmax(axis=1)) > 0.2


def test_what_guidance_knows_of_a_text_is_what_its_ngrams_tell(writing_classifier):
    X, y = make_reviews(90, n_classes=3, random_state=1)
    autoencoder, head = writing_classifier.vae_._autoencoder, writing_classifier._class_head
    corpus = autoencoder.read(X)
    inputs, classes = head.inputs(corpus, autoencoder.prepare(corpus)), writing_classifier._ngram_classes()
    assert set(classes.models) == {"lexical", "vector"}
    logits, from_words = read_by_guidance(writing_classifier, X), np.zeros(3)
    for name, model in classes.models.items():
        from_words = from_words + (inputs[name] @ model.kernel).mean(axis=0)
    average = classes.logits(inputs, 90).mean(axis=0) - from_words
    np.testing.assert_allclose(writing_classifier._guidance(np.array([0]), 1.0).intercept, average, atol=1e-3)
    assert np.exp(log_softmax(logits, axis=1)).mean(axis=0) == pytest.approx(np.bincount(y) / 90, abs=0.02)
    assert np.mean(logits.argmax(axis=1) == y) > 0.9


def test_what_guidance_knows_has_the_frequencies_of_the_classes(writer):
    """Of unseen texts, where one class is rare and a fifth of the labels is wrong."""

    def skewed(n_samples, seed):
        X, y = make_reviews(n_samples, random_state=seed)
        kept = np.flatnonzero((y == 0) | (np.arange(n_samples) % 10 == 0))
        wrong = np.random.default_rng(seed).random(len(kept)) < 0.2
        return [X[row] for row in kept], np.where(wrong, 1 - y[kept], y[kept])

    unsure = TextVAEClassifier(FrozenEstimator(writer.vae_), epochs=0, random_state=0).fit(*skewed(1_500, 3))
    X, y = skewed(1_000, 9)
    probabilities = 1 / (1 + np.exp(-read_by_guidance(unsure, X)[:, 0]))
    # Without the intercept of the stacking, it would be 0.18 instead of 0.27.
    assert y.mean() < 0.35
    assert probabilities.mean() == pytest.approx(y.mean(), abs=0.04)


@pytest.mark.parametrize("wrong", [0.2, 0.25])
def test_guidance_knows_the_class_even_if_the_head_reads_only_the_latents(writer, wrong):
    """Where the latents tell as much, the n-grams have next to no weight in the head, and guidance knows nothing else."""
    X, y = make_reviews(400, random_state=3)
    y = np.where(np.random.default_rng(0).random(len(y)) < wrong, 1 - y, y)
    unsure = TextVAEClassifier(FrozenEstimator(writer.vae_), epochs=0, random_state=0).fit(X, y)
    unseen, labels = make_reviews(60, random_state=9)
    assert np.mean((read_by_guidance(unsure, unseen)[:, 0] > 0) == labels) > 0.9
    written = unsure.rewrite(unseen, 1 - labels, method="decode")
    assert np.mean(writer.predict(written) == np.array(["bad", "good"])[1 - labels]) > 0.8
    # A stream goes on with it.
    before = read_by_guidance(unsure, unseen)[:, 0]
    unsure.partial_fit(unseen, np.zeros(60, dtype=int))
    assert read_by_guidance(unsure, unseen)[:, 0].mean() < before.mean() - 0.1


def test_guidance_knows_how_frequent_the_classes_are(gru_vae):
    X, y = make_reviews(300, random_state=3)
    kept = np.flatnonzero((y == 0) | (np.arange(300) % 10 == 0))
    rare = TextVAEClassifier(FrozenEstimator(gru_vae), epochs=0, random_state=0)
    rare.fit([X[row] for row in kept], y[kept])
    intercept = rare._guidance(np.array([0]), 1.0).intercept
    assert intercept[1] < intercept[0] - 0.5


@pytest.mark.parametrize("truncation", ["post", "pre"])
def test_of_a_long_document_only_what_can_be_written_is_kept_to(writing_classifier, truncation):
    writer = copy.deepcopy(writing_classifier)
    writer.tokenizer_.set_params(truncation=truncation)
    words = [token for token in writer.tokenizer_.tokens_[3:] if token.isalpha()][:40]
    kept = words[:16] if truncation == "post" else words[-16:]
    assert (
        writer.rewrite([" ".join(words)], "bad", guidance=0, content_weight=500, method="decode")[0].split()
        == kept
    )


def test_one_long_document_does_not_pad_the_others(writing_classifier):
    texts = ["a dull film"] * 63 + ["a dull film " * 20_000]
    tracemalloc.start()
    try:
        writing_classifier.rewrite(texts, "good", method="decode")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # 64 rows of 60,000 token ids would take 15 MB.
    assert peak < 12e6


def test_samples_are_drawn_where_the_training_texts_lie(lstm_vae, reviews):
    autoencoder = lstm_vae._autoencoder
    means, log_variances = autoencoder.posterior(autoencoder.prepare(autoencoder.read(reviews[0])))
    _, latents = lstm_vae._draw_latents(50_000, 0, "fitted")
    np.testing.assert_allclose(latents.mean(axis=0), means.mean(axis=0), atol=0.03)
    expected = np.cov(means, rowvar=False, bias=True) + np.diag(np.exp(log_variances).mean(axis=0))
    np.testing.assert_allclose(np.cov(latents, rowvar=False), expected, atol=0.04)
    assert np.abs(expected - np.eye(6)).max() > 0.1
    _, standard = lstm_vae._draw_latents(50_000, 0, "standard")
    np.testing.assert_allclose(np.cov(standard, rowvar=False), np.eye(6), atol=0.03)
    assert (
        lstm_vae.sample(9, random_state=0).tolist()
        == lstm_vae.sample(9, prior="fitted", random_state=0).tolist()
    )
    assert (
        lstm_vae.sample(9, random_state=0).tolist()
        != lstm_vae.sample(9, prior="standard", random_state=0).tolist()
    )
    with pytest.raises(ValueError, match="prior='wide'; expected 'fitted' or 'standard'"):
        lstm_vae.sample(prior="wide")


def test_a_stream_moves_what_samples_are_drawn_from(reviews):
    vae = small_vae(decoder="gru", encoder="bow", epochs=1)
    before = vae.partial_fit(reviews[0])._autoencoder.aggregate
    after = vae.partial_fit(reviews[0][:20])._autoencoder.aggregate
    assert np.abs(after[1] - before[1]).max() > 1e-3


def test_a_drawn_text_does_not_depend_on_those_after_it(gru_vae, repeat_vae, reviews):
    for vae in (gru_vae, repeat_vae):
        latents = vae.transform(reviews[0])
        options = {"decoding": "sample", "random_state": 0}
        many = vae.inverse_transform(np.tile(latents, (2, 1)), **options)
        assert many[:2].tolist() == vae.inverse_transform(latents[:2], **options).tolist()
        # Equal latents at other places are drawn anew.
        assert (many[:160] != many[160:]).mean() > 0.9


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("decoding", ["greedy", "beam", "sample"])
def test_guidance_of_any_strength_writes_what_the_class_prefers(writer, decoding):
    latents = writer.vae_.transform(make_reviews(5, random_state=9)[0])
    for guidance in (1e6, 1e40, 1e300):
        texts = writer.inverse_transform(
            latents, "good", guidance=guidance, decoding=decoding, random_state=0
        )
        assert all(texts)
        assert (writer.predict(texts) == "good").all()
    texts = writer.rewrite(
        ["a dull film"], "good", method="decode", content_weight=1e39, decoding=decoding, random_state=0
    )
    assert "film" in texts[0]


@pytest.mark.filterwarnings("error")
def test_the_lowest_temperature_is_greedy(gru_vae, reviews):
    latents = gru_vae.transform(reviews[0][:5])
    drawn = gru_vae.inverse_transform(latents, decoding="sample", temperature=1e-320)
    assert drawn.tolist() == gru_vae.inverse_transform(latents, decoding="greedy").tolist()


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("rewrite", {"method": ["edit"]}, r"method=\['edit'\]; expected 'edit' or 'decode'"),
        ("inverse_transform", {"decoding": np.array(["beam", "greedy"])}, "decoding=array"),
        ("sample", {"prior": np.array(["fitted", "standard"])}, "prior=array"),
    ],
)
def test_lists_of_options_are_refused(writer, method, options, message):
    first = {"rewrite": ["a film"], "inverse_transform": np.zeros((1, 12)), "sample": 1}[method]
    with pytest.raises(ValueError, match=message):
        getattr(writer, method)(first, y="good", **options)


def test_a_path_on_the_sphere_between_far_ends(gru_vae):
    ends = np.zeros((2, 6), dtype=np.float32)
    ends[0, 0] = ends[1, 1] = 3e38
    assert len(gru_vae.interpolate(*ends, 3, path="sphere")) == 3


def test_rewriting_with_many_models_is_silent(writer, caplog):
    blob = pickle.dumps(writer)
    for _ in range(7):
        pickle.loads(blob).rewrite(["a dull film"], "good")
    assert "retracing" not in caplog.text
