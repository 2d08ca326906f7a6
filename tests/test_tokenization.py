import pickle

import numpy as np
import pytest

from skvae import TextTokenizer


@pytest.mark.parametrize(
    "text",
    [
        "don't stop, it's great!",
        '"i don\'t know," he said.',
        "it's the actors' 'best' work (really)!!!",
        'well-made... 7/10, or so ("no")',
        "costs $3.50, 50% off; r&b and/or rock-n-roll?",
    ],
)
def test_words_come_back_readable(text):
    tokenizer = TextTokenizer().fit([text])
    assert tokenizer.inverse_transform(tokenizer.transform([text]))[0] == text


@pytest.mark.parametrize("analyzer", ["char", "bpe"])
@pytest.mark.parametrize("text", ["윤진서 넘 좋아....", "这部电影很好看。", "it's great!"])
def test_languages_without_spaces_come_back(analyzer, text):
    tokenizer = TextTokenizer(analyzer).fit([text] * 3)
    assert tokenizer.inverse_transform(tokenizer.transform([text]))[0] == text


def test_line_breaks_are_white_space():
    tokenizer = TextTokenizer(max_length=5).fit(["good<br /><br />film"])
    assert set(tokenizer.vocabulary_) == {"good", "film"}


def test_matrix_is_padded_and_cut():
    texts = ["a b c d e", "a"]
    post = TextTokenizer(max_length=3).fit_transform(texts)
    assert post.dtype == np.int32
    assert post.shape == (2, 3)
    assert (post[1, 1:] == 0).all()
    pre = TextTokenizer(max_length=3, padding="pre", truncation="pre").fit(texts)
    assert pre.inverse_transform(pre.transform(texts)).tolist() == ["c d e", "a"]
    assert (pre.transform(texts)[1, :2] == 0).all()


def test_vocabulary_is_limited_by_frequency_and_documents():
    texts = ["a a a b", "b c", "c d"]
    assert list(TextTokenizer(max_features=2).fit(texts).vocabulary_) == ["a", "b"]
    assert sorted(TextTokenizer(min_df=2).fit(texts).vocabulary_) == ["b", "c"]


def test_unknown_and_empty_documents_encode():
    tokenizer = TextTokenizer(max_length=4).fit(["known words"])
    ids = tokenizer.transform(["", "other", "\ud800 known"])
    assert ids[0].tolist() == [0, 0, 0, 0]
    assert ids[1].tolist() == [1, 0, 0, 0]
    assert tokenizer.inverse_transform(ids).tolist() == ["", "", "known"]


def test_order_of_documents_does_not_change_the_vocabulary(reviews):
    X, _ = reviews
    assert TextTokenizer().fit(X).vocabulary_ == TextTokenizer().fit(X[::-1]).vocabulary_


def test_pickled_tokenizer_encodes_the_same(reviews):
    tokenizer = TextTokenizer().fit(reviews[0])
    again = pickle.loads(pickle.dumps(tokenizer))
    np.testing.assert_array_equal(again.transform(reviews[0]), tokenizer.transform(reviews[0]))


def test_no_token_left_is_an_error():
    with pytest.raises(ValueError, match="empty vocabulary"):
        TextTokenizer().fit(["", " "])


def test_ascii_words_are_split_as_the_rust_engine_splits_them():
    random = np.random.default_rng(0)
    alphabet = np.array([chr(code) for code in range(33, 127)] + list("aB0'.,:/-_!?") * 6)
    chunks = ["".join(random.choice(alphabet, size=6)) for _ in range(2_000)]
    tokenizer = TextTokenizer(max_features=500).fit(chunks)
    # A chunk with a letter beyond ASCII goes through the engine; here it is its own word in front.
    beyond = [tokenizer.encode([f"é!{chunk}"]).ids[2:].tolist() for chunk in chunks if chunk[0].isalnum()]
    within = [tokenizer.encode([f"e!{chunk}"]).ids[2:].tolist() for chunk in chunks if chunk[0].isalnum()]
    assert within == beyond


def test_reserved_tokens_written_in_a_text_are_words():
    tokenizer = TextTokenizer(lowercase=False, max_length=6).fit(["see [PAD] here"])
    assert tokenizer.inverse_transform(tokenizer.transform(["see [PAD] here"]))[0] == "see [PAD] here"
