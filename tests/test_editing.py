"""Documents rewritten by editing them."""

import re

import numpy as np
import pytest

from skvae import TextTokenizer, TextVAEClassifier, TextVAETransformer
from skvae.datasets import make_reviews

from .conftest import shared, small_vae


@shared
def editor():
    X, y = make_reviews(400, random_state=3)
    vae = TextVAETransformer(
        12,
        tokenizer=TextTokenizer(max_length=20),
        encoder="bow",
        ngram_dim=64,
        decoder_units=(48,),
        epochs=15,
        learning_rate=1e-2,
        random_state=0,
    )
    return TextVAEClassifier(vae, epochs=0, random_state=0).fit(X, np.array(["bad", "good"])[y])


@pytest.fixture(scope="module")
def unseen():
    X, y = make_reviews(60, random_state=9)
    return X, np.where(y == 0, "good", "bad")


def share_kept(sources, texts):
    pairs = [
        (set(old.lower().split()), set(new.lower().split())) for old, new in zip(sources, texts, strict=True)
    ]
    return np.mean([len(old & new) / len(old) for old, new in pairs])


def test_an_edited_text_has_the_class_and_most_of_the_words(editor, unseen):
    X, other = unseen
    edited = editor.rewrite(X, other)
    assert (editor.predict(edited) == other).mean() > 0.95
    decoded = editor.rewrite(X, other, method="decode")
    assert share_kept(X, edited) > 0.5
    assert share_kept(X, edited) > share_kept(X, decoded)


def test_what_is_kept_is_as_it_was_written(editor):
    text = 'The "Zorgly" film is dull.'
    written = editor.rewrite([text], "good")[0]
    assert "dull" not in written
    # No word is put in because it makes the unknown one likelier.
    assert written.startswith('The "Zorgly" film is ')
    # With a high price of each edit, every character.
    texts = [text, "  An  émigré 👍🏽 film!", "", "DULL"]
    kept = editor.rewrite(texts, "good", content_weight=1e6)
    assert kept.tolist() == [text, "An émigré 👍🏽 film!", "", "DULL"]


def test_edits_cost_more_or_less(editor, unseen):
    X, other = unseen
    kept = [share_kept(X, editor.rewrite(X, other, content_weight=weight)) for weight in (0, 3, 30)]
    assert kept[0] < kept[1] < kept[2]
    clear = [
        (editor.predict(editor.rewrite(X, other, guidance=guidance)) == other).mean() for guidance in (0, 10)
    ]
    assert clear[0] < 0.5 < clear[1]


def test_texts_of_the_class_stay(editor, unseen):
    X, other = unseen
    own = np.where(other == "good", "bad", "good")
    assert share_kept(X, editor.rewrite(X, own)) > 0.95


def test_texts_are_edited_together_as_alone(editor, unseen):
    X, other = [*unseen[0][:20], "the zyx was dull", ""], [*unseen[1][:20], "good", "good"]
    together = editor.rewrite(X, other)
    order = np.random.default_rng(0).permutation(len(X))
    assert (
        together[order].tolist()
        == editor.rewrite([X[row] for row in order], [other[row] for row in order]).tolist()
    )
    assert together[:5].tolist() == [editor.rewrite([X[row]], other[row])[0] for row in range(5)]


def test_long_texts_are_edited_from_beginning_to_end(editor):
    sentence = "this drama is a mess and the plot was dull. "
    text = (sentence * 12).strip()
    written = editor.rewrite([text], "good")[0]
    assert editor.predict([written]) == ["good"]
    assert (editor.predict([f"{part}." for part in written.split(".")[:12]]) == "good").mean() > 0.8
    assert written.count("drama") > 8
    assert len(written.split()) > 0.7 * len(text.split())


def test_neutral_sentences_of_a_document_stay(editor):
    good = ["the film is great.", "it was moving.", "the music is a delight.", "the cast was well paced."]
    neutral = ["i found the camera work.", "this is film night."]
    X = [" ".join([*good, *neutral]), " ".join([*neutral, *good]), " ".join([neutral[0], *good, neutral[1]])]
    assert (editor.predict_proba(X)[:, 1] > 0.99).all()
    assert editor.rewrite(X, "good").tolist() == X
    # Once what speaks against the class is edited, the others need not speak for it.
    bad = "the cast was dull, and frankly a waste of time."
    mixed = [
        f"{bad} {neutral[0]}",
        f"{good[0]} {bad} {neutral[0]}",
        f"{good[0]} {good[1]} {bad} {neutral[0]}",
    ]
    # With a little less, "dull" is left to a word of praise in the next sentence.
    written = editor.rewrite(mixed, "good", guidance=10)
    assert (editor.predict(mixed) == "bad").all()
    assert (editor.predict(written) == "good").all()
    assert all(text.endswith(neutral[0]) for text in written)


@pytest.mark.parametrize("token_pattern", [r"(?u)\b\w\w+\b", r"[a-zé]+|[.!?]"])
def test_a_pattern_reads_the_same_words_when_it_edits(token_pattern):
    X, y = make_reviews(100, random_state=3)
    vae = small_vae(tokenizer=TextTokenizer(token_pattern=token_pattern), decoder="gru")
    classifier = TextVAEClassifier(vae, epochs=0, random_state=0).fit(X, y)
    texts = ["The Film is Great", "THE zyx film is great", "An Émigré zyx"]
    tokens = [re.findall(token_pattern, text.lower()) for text in texts]
    kept = classifier.rewrite(texts, 1, content_weight=1e6)
    assert [re.findall(token_pattern, text.lower()) for text in kept] == tokens
    assert kept[0] == "The Film is Great"


def test_ids_of_long_documents_and_unknown_ids_stay():
    X, y = make_reviews(100, random_state=3)
    ids = TextTokenizer(max_length=12).fit_transform(X)
    vae = small_vae(decoder="gru", random_state=0)
    classifier = TextVAEClassifier(vae, epochs=0, random_state=0).fit(ids, y)
    long = np.concatenate([ids[:3], ids[3:6], ids[6:9]], axis=1)
    long[0, 2] = 9999
    # With padding before the ids, as a tokenizer may have it.
    padded_before = np.array([np.concatenate([row[row == 0], row[row > 0]]) for row in long])
    kept = classifier.rewrite(padded_before, 1, content_weight=1e6)
    assert kept.shape == padded_before.shape
    assert [row[row > 0].tolist() for row in kept] == [row[row > 0].tolist() for row in long]


def test_token_ids_are_edited(editor, unseen):
    X, other = unseen
    ids = editor.tokenizer_.transform(X[:5])
    assert editor.rewrite(ids, other[:5]).tolist() == editor.rewrite(X[:5], other[:5]).tolist()


def test_wrong_ways_to_edit_are_refused(editor):
    with pytest.raises(ValueError, match="method='shout'; expected 'edit' or 'decode'"):
        editor.rewrite(["a film"], "good", method="shout")
    with pytest.raises(ValueError, match="temperature is an option of method='decode'"):
        editor.rewrite(["a film"], "good", temperature=0.5, decoding="sample")
    for name in ("guidance", "content_weight"):
        with pytest.raises(ValueError, match=f"{name}=-1"):
            editor.rewrite(["a film"], "good", **{name: -1})
