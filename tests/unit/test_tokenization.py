import pickle
import tracemalloc
import unicodedata
import warnings

import numpy as np
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from skvae import TextTokenizer, TextVAEClassifier, TextVAETransformer
from skvae._texts.splitting import _INVISIBLE, split_by_pattern
from skvae.tokenization import TOKEN_PATTERN

from ..conftest import SMALL


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


def test_ascii_and_other_texts_are_split_alike():
    random = np.random.default_rng(0)
    alphabet = np.array([chr(code) for code in range(33, 127)] + list("aB0'.,:/-_!?") * 6)
    chunks = ["".join(random.choice(alphabet, size=6)) for _ in range(2_000)]
    tokenizer = TextTokenizer(max_features=500).fit(chunks)
    # A chunk with a letter beyond ASCII is read by another pattern; here it is its own word in front.
    beyond = [tokenizer._encode([f"é!{chunk}"]).ids[2:].tolist() for chunk in chunks if chunk[0].isalnum()]
    within = [tokenizer._encode([f"e!{chunk}"]).ids[2:].tolist() for chunk in chunks if chunk[0].isalnum()]
    assert within == beyond


SPACED = [
    "It costs 5€ for two, or $6.",
    "C# daily and C++ too",
    "¿Qué tal? ¡Muy bien!",
    "„Hallo“ und ging; «Quoi» et “so” and 'so'",
    "ما هذا؟ نعم، شكرا!",
    "यह क्या है? अच्छा है।",
    "see www.example.org, the U.S. at 5 a.m. today",
    "f(x) is *great* at -5 degrees - or so",
    "<num> [MASK] @user (@user) #tag :) ;-( -- well-made",
    "3.5abc 7/10th r&b and/or a & b — c—d, don’t don't",
    "a é[END] b",
    "[PAD]",
    "这部电影很好看。",
    "👍🏽👨‍👩‍👧 great🇹🇷🇩🇪! ❤️❤ 1️⃣ 🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    "می‌خواهم کتاب‌ها را",
    "a▁b ▁ ￭ ▁-￭ \U000f0000",
]


@pytest.mark.parametrize("analyzer", ["word", "char", "bpe"])
def test_texts_come_back_exactly_in_any_language(analyzer):
    tokenizer = TextTokenizer(analyzer, lowercase=False, max_length=200).fit(SPACED * 2)
    ids = tokenizer.transform(SPACED)
    assert ids.max() < tokenizer.n_tokens_
    assert not (ids == 2).any()
    assert tokenizer.inverse_transform(ids).tolist() == SPACED
    again = pickle.loads(pickle.dumps(tokenizer))
    np.testing.assert_array_equal(again.transform(SPACED), ids)
    assert again.inverse_transform(ids).tolist() == SPACED
    assert again.tokens_.tolist() == tokenizer.tokens_.tolist()


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=30), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None, database=None, derandomize=True)
def test_what_comes_back_is_what_was_cleaned(texts):
    cleaned = [_INVISIBLE.sub("", unicodedata.normalize("NFC", text)) for text in texts]
    spaced = [" ".join(text.split()) for text in cleaned]
    for analyzer, expected in (("word", spaced), ("char", cleaned), ("bpe", spaced)):
        if not any(expected):
            continue
        tokenizer = TextTokenizer(analyzer, lowercase=False, max_length=100)
        assert tokenizer.inverse_transform(tokenizer.fit_transform(texts)).tolist() == expected


def test_spacing_is_no_new_token_where_it_is_usual():
    tokenizer = TextTokenizer(max_length=50).fit(['"a good one" (so-so), he said: "fine."'] * 3 + ["- no -"])
    # One quote for each side; every other mark is written in one way, but for the dash.
    assert {name for name in tokenizer.vocabulary_ if not name.isalpha()} == {
        '"', '▁"￭', "(", ")", ",", ".", ":", "-", "▁-▁"
    }  # fmt: skip


def test_a_spacing_without_an_id_is_read_as_the_usual_one():
    tokenizer = TextTokenizer(max_length=6, min_df=2).fit(["one, two, three"] * 2 + ["one , two"])
    assert set(tokenizer.vocabulary_) == {",", "one", "two", "three"}
    assert tokenizer.document_frequency_[tokenizer.vocabulary_[","]] == 3
    ids = tokenizer.transform(["one , two"])
    assert tokenizer.inverse_transform(ids)[0] == "one, two"


def test_typographic_quotes_are_read_by_a_vocabulary_of_straight_ones():
    tokenizer = TextTokenizer(max_length=9).fit(['don\'t say "no"'])
    assert tokenizer.inverse_transform(tokenizer.transform(["don’t say “no”"]))[0] == 'don\'t say "no"'


CLUSTERS = ["👍🏽", "👨‍👩‍👧", "🇹🇷", "🇩🇪", "❤️", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "x̣̂", "1️⃣", "स्ते"]


@pytest.mark.parametrize("analyzer", ["word", "char"])
def test_a_character_is_a_grapheme_cluster(analyzer):
    tokenizer = TextTokenizer(analyzer).fit(["".join(CLUSTERS[:6]), *CLUSTERS[6:]])
    assert {name.strip("▁￭") for name in tokenizer.vocabulary_} == set(CLUSTERS)


def test_subwords_do_not_cut_grapheme_clusters():
    tokenizer = TextTokenizer("bpe", max_features=40).fit([f"so{c}" for c in CLUSTERS] * 2)
    joined = "".join(CLUSTERS)
    for name in tokenizer.vocabulary_:
        bare = name.strip("▁so")
        assert not bare or bare in CLUSTERS or bare in joined
    assert {"👍🏽", "👨‍👩‍👧", "🇹🇷"} <= {
        name.removeprefix("so").removeprefix("▁so") for name in tokenizer.vocabulary_
    }
    # A cluster of known code points is unknown all the same.
    assert tokenizer._encode(["👨‍👧"]).ids.tolist()[-1] == 1


def test_what_is_not_seen_vanishes_and_joiners_stay():
    tokenizer = TextTokenizer().fit(["co\u00adoperate zero\u200bwidth \ufeffstart \u200eleft\x00", "می‌خواهم"])
    assert set(tokenizer.vocabulary_) == {"cooperate", "zerowidth", "start", "left", "می‌خواهم"}
    assert set(TextTokenizer("char").fit(["a\u00adb\ufeff\u200b"]).vocabulary_) == {"a", "b"}


def test_turkish_capitals_have_the_tokens_of_small_letters():
    tokenizer = TextTokenizer().fit(["iyi bir film"])
    np.testing.assert_array_equal(
        tokenizer.transform(["İYİ BİR FİLM"]), tokenizer.transform(["iyi bir film"])
    )


@pytest.mark.parametrize("analyzer", ["word", "char", "bpe", str.split])
@pytest.mark.parametrize("name", ["[PAD]", "[UNK]", "[END]"])
def test_no_text_holds_a_reserved_id(analyzer, name):
    texts = [name, f"é{name}", f"a {name} b", f"{name}{name}é"]
    tokenizer = TextTokenizer(analyzer, lowercase=False).fit(texts * 2)
    assert tokenizer._encode(texts).ids.min() >= 3
    assert tokenizer.inverse_transform(tokenizer.transform(texts)).tolist() == texts
    assert tokenizer.tokens_[:3].tolist() == ["[PAD]", "[UNK]", "[END]"]
    # Of what is unknown, only that is the reserved id of the unknown.
    other = TextTokenizer(analyzer, lowercase=False).fit(["one two"] * 2)
    assert set(other._encode(texts).ids.tolist()) <= {1, *range(3, other.n_tokens_)}


def test_token_pattern_says_what_a_token_is():
    tokenizer = TextTokenizer(token_pattern=r"(?u)\b\w\w+\b", max_length=5).fit(["I don't like it, at all"])
    assert set(tokenizer.vocabulary_) == {"don", "like", "it", "at", "all"}
    grouped = TextTokenizer(token_pattern=r"#(\w+)").fit(["#one two #three"])
    assert set(grouped.vocabulary_) == {"one", "three"}
    for pattern, message in ((r"(a)(b)", "More than 1 capturing group"), (r"(", "not a regular expression")):
        with pytest.raises(ValueError, match=message):
            TextTokenizer(token_pattern=pattern).fit(["a"])
    with pytest.raises(ValueError, match="remove token_pattern or set analyzer='word'"):
        TextTokenizer("char", token_pattern="a").fit(["a"])


def test_protected_tokens_stay_whole_and_come_back():
    pattern = r"<unk>|@\w+|:\)|" + TOKEN_PATTERN
    texts = ["(@user) saw <unk>, the U.S. :)", "@other: <unk><unk>!"]
    tokenizer = TextTokenizer(token_pattern=pattern, max_length=20).fit([text.lower() for text in texts])
    assert {"<unk>", "@user", "@other", ":)", "￭<unk>"} <= set(tokenizer.vocabulary_)
    assert tokenizer.inverse_transform(tokenizer.transform(texts)).tolist() == [t.lower() for t in texts]


def test_a_callable_analyzer_returns_the_tokens():
    tokenizer = TextTokenizer(str.split, max_length=5).fit(["A b, b,"])
    assert set(tokenizer.vocabulary_) == {"A", "b,"}
    assert tokenizer.inverse_transform(tokenizer.transform(["b, A"]))[0] == "b, A"
    assert set(pickle.loads(pickle.dumps(tokenizer)).vocabulary_) == {"A", "b,"}
    for wrong, message in (
        (len, "returned int"),
        (str, "returned str"),
        (lambda text: [1], "with int"),
    ):
        with pytest.raises(TypeError, match=message):
            TextTokenizer(wrong).fit(["ab"])


def test_a_fixed_vocabulary_gives_the_ids():
    fitted = TextTokenizer(max_length=20).fit(['"well-made" - he said: "good."', "bad, good"])
    for vocabulary in (fitted.vocabulary_, list(fitted.vocabulary_)):
        again = TextTokenizer(vocabulary=vocabulary, max_length=20).fit(
            ['a "good" one. "bad", well-made - said']
        )
        assert again.vocabulary_ == fitted.vocabulary_
    again = TextTokenizer(vocabulary=["good", ".", "never"], max_length=9).fit(["good. bad."])
    assert again.transform(["good . bad never"]).tolist() == [[3, 4, 1, 5, 0, 0, 0, 0, 0]]
    assert again.document_frequency_.tolist() == [0, 1, 0, 1, 1, 0]


@pytest.mark.parametrize(
    ("vocabulary", "message"),
    [
        ([], "empty vocabulary passed to fit"),
        (["a", "b", "a"], "Duplicate term in vocabulary: 'a'"),
        ({"a": 1, "b": 1}, "the same number"),
        (["a", 3], "vocabulary holds 3"),
        ("abc", "one str"),
    ],
)
def test_a_wrong_vocabulary_is_refused(vocabulary, message):
    with pytest.raises(ValueError, match=message):
        TextTokenizer(vocabulary=vocabulary).fit(["a b"])


def test_a_vocabulary_of_capitals_is_warned_about_and_none_fits_subwords():
    with pytest.warns(UserWarning, match="'Good', which occurs in no text with lowercase=True"):
        TextTokenizer(vocabulary=["Good", "bad"]).fit(["Good bad"])
    with pytest.raises(ValueError, match="does not determine how subwords are merged"):
        TextTokenizer("bpe", vocabulary=["a"]).fit(["a"])


@pytest.mark.parametrize("analyzer", ["char", "bpe"])
def test_stop_words_are_words(analyzer):
    with pytest.raises(ValueError, match="does not split into words"):
        TextTokenizer(analyzer, stop_words=["a"]).fit(["a"])
    with pytest.raises(ValueError, match="stop_words holds 3"):
        TextTokenizer(stop_words=["a", 3]).fit(["a"])


def test_texts_without_spaces_read_as_words_are_warned_about():
    random = np.random.default_rng(0)
    letters = np.array([chr(code) for code in range(0x4E00, 0x4E40)])
    sentences = ["，".join("".join(random.choice(letters, size=8)) for _ in range(6)) for _ in range(100)]
    with pytest.warns(UserWarning, match=r"about 10 in 10 words .* analyzer='char' or analyzer='bpe'"):
        TextTokenizer().fit(sentences)
    # Other texts of the kind are warned of in the same words, so that folds of a cross-validation repeat nothing.
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        TextTokenizer().fit([*sentences, "一二三四五六"])
        TextTokenizer().fit(sentences)
    assert len(found) == 2
    assert len({str(warning.message) for warning in found}) == 1
    TextTokenizer("char").fit(sentences)


def test_lists_of_tokens_are_read_as_they_are():
    lists = [["Good", "film", "<unk>", "don't"], ("bad", "film"), []]
    tokenizer = TextTokenizer(max_length=5).fit(lists)
    assert set(tokenizer.vocabulary_) == {"good", "film", "<unk>", "don't", "bad"}
    assert tokenizer.inverse_transform(tokenizer.transform(lists)).tolist() == [
        "good film <unk> don't",
        "bad film",
        "",
    ]
    np.testing.assert_array_equal(tokenizer.transform(["bad film"]), tokenizer.transform([["bad", "film"]]))
    assert TextTokenizer(list).fit(lists).vocabulary_.keys() >= {"Good"}
    for analyzer in ("char", "bpe"):
        with pytest.raises(ValueError, match=r"X holds lists of tokens.*' '\.join"):
            TextTokenizer(analyzer).fit(lists)
    with pytest.raises(ValueError, match=r"row 0, one of them empty or with white space \('a text'\)"):
        TextTokenizer().fit([["title", "a text"], ["title", "another text"]])
    with pytest.raises(TypeError, match="X has int among the tokens of row 1"):
        TextTokenizer().fit([["good", "film"], ["good", 3]])


def test_estimators_read_lists_of_tokens(reviews):
    lists = [text.split() for text in reviews[0][:40]]
    vae = TextVAETransformer(decoder="bow", epochs=1, **SMALL).fit(lists)
    assert "story" in vae.words_
    assert vae.transform(lists[:3]).shape == (3, 6)
    classifier = TextVAEClassifier(vae, epochs=0, random_state=0).fit(lists, reviews[1][:40])
    assert classifier.predict(lists).shape == (40,)


@pytest.mark.parametrize("stop_words", [["a", 1], ["a", None], {2.5}])
def test_a_failing_fit_leaves_the_tokenizer_as_it_was(stop_words):
    tokenizer = TextTokenizer(stop_words=stop_words)
    with pytest.raises(ValueError, match="stop_words holds"):
        tokenizer.fit(["a film", "a dull film"])
    assert set(vars(tokenizer)) == set(tokenizer.get_params())
    tokenizer.set_params(stop_words=None).fit(["a film"])
    before = dict(vars(tokenizer))
    with pytest.raises(ValueError, match="stop_words holds"):
        tokenizer.set_params(stop_words=stop_words).fit(["another text"])
    assert vars(tokenizer) == before | {"stop_words": stop_words}


@pytest.mark.parametrize(
    "fitted_on",
    [
        ["don't-stop now", "a film"],
        [["don't-stop"], ["a", "film"], ["don't", "-", "stop"]],
        [["stop"], ["a", "b"]],
    ],
)
def test_tokens_of_a_list_do_not_depend_on_its_neighbours(fitted_on):
    tokenizer = TextTokenizer(max_length=4).fit(fitted_on)
    rows = [["don't-stop"], ["a", "film"], [], ["film"]]
    together = tokenizer.transform(rows)
    for tried in (tokenizer, pickle.loads(pickle.dumps(tokenizer))):
        for row, ids in zip(rows, together, strict=True):
            if not row and isinstance(fitted_on[0], str):
                continue  # `[[]]` is an empty matrix to what was not fitted on lists.
            np.testing.assert_array_equal(tried.transform([row])[0], ids)
    # Where no row is a list, a column is one of texts.
    texts = np.array([["don't-stop"], ["a film"]])
    np.testing.assert_array_equal(tokenizer.transform(texts), tokenizer.transform(texts[:, 0]))


def test_estimators_remember_that_they_were_fitted_on_lists(reviews):
    lists = [["a-list"], *(text.split() for text in reviews[0][:39])]
    vae = TextVAETransformer(decoder="bow", epochs=1, max_df=1.0, **SMALL).fit(lists)
    classifier = TextVAEClassifier(vae, epochs=0, random_state=0).fit(lists, reviews[1][:40])
    assert not np.allclose(vae.transform(lists[:1]), vae.transform(["a-list"]), atol=1e-6)
    for answer in (vae.transform, classifier.predict_proba, classifier.vae_.transform):
        np.testing.assert_allclose(answer(lists[:1])[0], answer(lists)[0], rtol=1e-5, atol=1e-6)
    vae.partial_fit(lists[:1])
    assert vae._from_lists


@pytest.mark.parametrize("vocabulary", [{1, "a"}, {"a": 1, "b": "x"}, ["a", None], {"a": None}, ("a", "")])
def test_vocabularies_of_other_things_are_named(vocabulary):
    with pytest.raises(ValueError, match=r"^vocabulary (holds|gives a token the number) .*; expected"):
        TextTokenizer(vocabulary=vocabulary).fit(["a b"])


def test_an_empty_vocabulary_names_what_left_nothing():
    with pytest.raises(ValueError, match=r"one match of token_pattern='\\\\d\+'"):
        TextTokenizer(token_pattern=r"\d+").fit(["no number", "none"])
    with pytest.raises(ValueError, match="what analyzer returns"):
        TextTokenizer(lambda text: []).fit(["a"])


def test_one_row_of_ids_is_to_be_wrapped():
    tokenizer = TextTokenizer(max_length=3).fit(["a b c"])
    for row in ([3, 4, 5], np.array([3, 4, 5])):
        with pytest.raises(TypeError, match=r"Wrap the ids of one document in a list: \[ids\]"):
            tokenizer.inverse_transform(row)


def test_stop_words_that_leave_nothing_are_refused():
    with pytest.raises(ValueError, match="all 2 tokens are among stop_words"):
        TextTokenizer(stop_words=["a", "the"]).fit(["a the", "the a"])
    # Of words in more documents than `max_df` allows, stop words are left out all the same.
    tokenizer = TextTokenizer(stop_words=["the"]).fit(["the film"] * 4)
    vae = TextVAETransformer(tokenizer=tokenizer, decoder="bow", epochs=1, max_df=0.1, **SMALL).fit(
        ["the film"] * 4
    )
    assert vae.words_.tolist() == ["film"]


def test_a_pattern_keeps_no_match_in_memory():
    text = " ".join(["word-one, two"] * 200)
    pattern = regex.compile(TOKEN_PATTERN)

    def peak(n_texts):
        tracemalloc.start()
        tokens = split_by_pattern((text for _ in range(n_texts)), pattern)
        memory = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return memory, len(tokens.corpus.ids)

    (few, n_few), (many, n_many) = peak(20), peak(200)
    # Some arrays of numbers and flags a token while forms are made of them; a str alone takes 50 bytes.
    assert (many - few) / (n_many - n_few) < 90
