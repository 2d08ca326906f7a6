"""Bad input, tried by machine: every outcome is finite or a documented exception. docs/bad_input.md says which.

python -m tests.test_bad_input    # writes the page
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skvae import TextTokenizer, TextVAEClassifier
from skvae._head.labels import check_labels, check_sample_weight
from skvae._texts.validation import check_texts

PAGE = Path(__file__).parents[1] / "docs" / "bad_input.md"
few = settings(
    max_examples=40,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

# Every plane, lone surrogates, controls, and what is joined from several characters.
characters = st.characters(codec=None)
fragments = st.one_of(
    st.text(characters, max_size=20),
    st.sampled_from(
        [
            "\ud800",
            "\udfff\ud800",
            "\x00",
            "\u202eright to left",
            "שלום עולם",
            "👩‍👩‍👧‍👦",
            "🇩🇪🇫🇷",
            "e\u0301" * 9,
            "\ufeff",
            "\u2028",
            "<br />",
            "[PAD] [UNK] [END]",
            "'\"-",
            "𝔘𝔫𝔦",
        ]
    ),
)
texts = st.lists(st.lists(fragments, max_size=5).map(" ".join), min_size=1, max_size=5)
anything = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.binary(max_size=3)
)


@pytest.fixture(scope="module")
def tokenizers(reviews):
    return [TextTokenizer(analyzer, max_features=300).fit(reviews[0]) for analyzer in ("word", "char", "bpe")]


@few
@given(texts)
def test_any_text_is_read_and_what_is_written_is_text(tokenizers, texts):
    for tokenizer in tokenizers:
        ids = tokenizer.transform(texts)
        assert ids.shape == (len(texts), 64)
        assert ids.min() >= 0
        assert ids.max() < tokenizer.n_tokens_
        for text in tokenizer.inverse_transform(ids):
            text.encode("utf-8")


@few
@given(texts, st.sampled_from(["word", "char", "bpe"]))
def test_any_text_can_be_learned_from(texts, analyzer):
    tokenizer = TextTokenizer(analyzer, max_features=20)
    try:
        tokenizer.fit(texts)
    except ValueError as error:
        assert "empty vocabulary" in str(error)  # noqa: PT017
    else:
        assert tokenizer.transform(texts).max() < tokenizer.n_tokens_


@few
@given(texts)
def test_any_text_has_finite_latents_and_probabilities(classifier, texts):
    assert np.isfinite(classifier.transform(texts)).all()
    np.testing.assert_allclose(classifier.predict_proba(texts).sum(axis=1), 1)


@pytest.mark.parametrize("text", ["a dull film " * 83_000, "x" * 1_000_000, "\x00 " * 500_000])
def test_documents_of_a_million_characters(classifier, text):
    assert np.isfinite(classifier.predict_proba([text])).all()
    assert np.isfinite(classifier.transform([text])).all()


def test_a_hundred_thousand_empty_texts(classifier):
    probabilities = classifier.predict_proba([""] * 100_000)
    assert np.isfinite(probabilities).all()
    assert (probabilities == probabilities[0]).all()


@few
@given(st.lists(anything, max_size=6))
def test_collections_are_texts_or_refused(items):
    try:
        checked = check_texts(items)
    except (TypeError, ValueError) as error:
        assert str(error)  # noqa: PT017
    else:
        assert checked == items
        assert all(type(item) is str for item in checked)


@few
@given(st.lists(anything, max_size=6), anything)
def test_labels_are_classes_or_refused(labels, marker):
    try:
        labelled, found = check_labels(labels, len(labels), unlabeled=marker)
    except (TypeError, ValueError) as error:
        assert str(error)  # noqa: PT017
    else:
        assert labelled.sum() == len(found)
        assert pd.notna(found).all()


def test_labels_that_scikit_learn_stumbles_over_are_refused_without_a_warning():
    with pytest.raises(TypeError, match="Decode them first"):
        check_labels([b"a", b"b"], 2)
    with pytest.raises(ValueError, match="continuous"):
        check_labels([2.0**63, 0.0], 2)


needs_string_dtype = pytest.mark.skipif(
    not hasattr(np.dtypes, "StringDType"), reason="NumPy has StringDType from 2.0 on"
)


@needs_string_dtype
@pytest.mark.parametrize("name", ["y", "y_val", "classes"])
@pytest.mark.parametrize("missing", [None, float("nan")])
def test_labels_in_numpys_own_strings(name, missing):
    plain = np.array(["bad", "good", "bad"], dtype=np.dtypes.StringDType())
    labelled, labels = check_labels(plain, 3, name=name)
    assert labelled.all()
    assert labels.tolist() == ["bad", "good", "bad"]
    gaps = np.array(["bad", missing, "good"], dtype=np.dtypes.StringDType(na_object=missing))
    with pytest.raises(ValueError, match=f"^{name} contains a missing value .* in row 1"):
        check_labels(gaps, 3, name=name)
    labelled, labels = check_labels(gaps, 3, unlabeled=float("nan"))
    assert labelled.tolist() == [True, False, True]
    assert labels.tolist() == ["bad", "good"]


@needs_string_dtype
def test_scoring_by_labels_in_numpys_own_strings(writing_classifier, reviews):
    texts, names = reviews[0][:6], writing_classifier.classes_[[0, 1, 2, 0, 1, 2]]
    own = names.astype(np.dtypes.StringDType())
    assert writing_classifier.score(texts, own) == writing_classifier.score(texts, names)


@pytest.mark.parametrize("missing", [pd.NA, None, float("nan"), pd.NaT])
@pytest.mark.parametrize("marker", [-1, "unlabelled", False])
def test_a_missing_label_is_not_taken_for_the_marker(marker, missing):
    with pytest.raises(ValueError, match=r"y contains a missing value .* in row 1"):
        check_labels([marker, missing, type(marker)(True)], 3, unlabeled=marker)


@few
@given(st.lists(anything, min_size=1, max_size=6))
def test_weights_are_finite_or_refused(weights):
    try:
        checked = check_sample_weight(weights, len(weights))
    except (TypeError, ValueError) as error:
        assert str(error)  # noqa: PT017
    else:
        assert np.isfinite(checked).all()
        assert checked.min() >= 0


TWO = ["a dull film", "a great film"]
# What, X, y, sample_weight.
BAD = [
    ("one string instead of a collection", "one text", [0], None),
    ("`None`", None, [0], None),
    ("no texts", [], [], None),
    ("a missing text", ["a", None], [0, 1], None),
    ("NaN among the texts", ["a", float("nan")], [0, 1], None),
    ("`bytes`", [b"a", b"b"], [0, 1], None),
    ("a number among the texts", ["a", 3], [0, 1], None),
    ("a dict", {"a": 1, "b": 2}, [0, 1], None),
    ("a data frame of two columns", pd.DataFrame({"a": TWO, "b": TWO}), [0, 1], None),
    ("an array of two columns", np.array([TWO, TWO]), [0, 1], None),
    ("a sparse matrix", sp.csr_array((2, 2)), [0, 1], None),
    ("a matrix of floats", np.full((2, 3), 0.5), [0, 1], None),
    ("token ids as floats", np.array([[3.0, 4.0], [3.0, 0.0]]), [0, 1], None),
    ("star ratings", pd.DataFrame({"stars": [3, 5]}), [0, 1], None),
    ("a matrix of counts", np.array([[0, 1, 0, 3], [4, 0, 1, 0]]), [0, 1], None),
    ("one column of whole numbers", np.array([[5], [3]]), [0, 1], None),
    ("whole numbers without a 3", np.array([[5, 4], [4, 4]]), [0, 1], None),
    ("padding on both sides", np.array([[3, 4, 0], [0, 3, 4]]), [0, 1], None),
    ("token ids of different lengths", [[3, 4], [3]], [0, 1], None),
    ("two columns of texts in lists", [["title", "a film"], ["title", "dull"]], [0, 1], None),
    ("negative token ids", np.array([[-1], [3]]), [0, 1], None),
    ("reserved token ids only", np.array([[1, 2], [2, 0]]), [0, 1], None),
    ("texts without any word", ["", "  "], [0, 1], None),
    ("a list of tokens and nothing", [["a", "film"], None], [0, 1], None),
    ("a list of tokens and a text", [["a", "film"], "dull"], [0, 1], None),
    ("no labels", TWO, None, None),
    ("too few labels", TWO, [0], None),
    ("one class", TWO, [1, 1], None),
    ("a missing label", TWO, ["bad", None], None),
    ("labels of two types", TWO, ["bad", 1], None),
    ("continuous labels", TWO, [0.25, 0.75], None),
    ("infinite labels", TWO, [0.0, float("inf")], None),
    ("several labels a text", TWO, [[0, 1], [1, 0]], None),
    ("several labels for one text", TWO, [[0], [0, 1]], None),
    ("a negative weight", TWO, [0, 1], [1, -1]),
    ("weights that are NaN", TWO, [0, 1], [1, float("nan")]),
    ("no weight above zero", TWO, [0, 1], [0, 0]),
    ("one weight for all", TWO, [0, 1], 2.0),
    ("too many weights", TWO, [0, 1], [1, 1, 1]),
    ("texts as weights", TWO, [0, 1], ["a third film", "a fourth"]),
]
INTRODUCTION = """\
# What bad input gets

The table lists the errors of `TextVAEClassifier().fit(X, y, sample_weight)`. `TextVAETransformer` and `TextTokenizer` validate texts in the same way.
After an error, the estimator is unchanged. `python -m tests.test_bad_input` writes this page, and a test compares it with the
actual errors.

Texts, labels and weights can be in any container with one dimension or one column: lists, tuples, iterators (read once), arrays and
frames of NumPy, pandas, polars and Arrow. An integer matrix is accepted as token ids only if `TextTokenizer.transform` can have
returned it. The columns of a frame must be numbered as its own are. To fit on ids, the matrix must also contain id 3 or at least a dozen distinct
ids, and have more than one column, unless its columns are named as those of `set_output(transform="pandas")`. Lists of tokens (`str`) are read as they are.
Rows of one `str` each are a column of texts, unless the estimator was fitted on lists of tokens. If an estimator was fitted on a column with a name, it warns
about a column with another name, as scikit-learn does. `X_val`, `y_val` and `X_unlabeled` are validated like `X` and `y`, under their own names. Rows of
`X_val` whose label is `unlabeled_label` are ignored.

Every text is valid. Characters of every Unicode plane, control characters, right-to-left marks, combined emoji, lone surrogates
(read as U+FFFD), documents of a million characters and empty documents have finite latents and probabilities. Tokens that
do not occur in training count as unknown.

| what | error | message |
| --- | --- | --- |
"""


def page():
    rows = []
    for what, X, y, sample_weight in BAD:
        with pytest.raises((TypeError, ValueError)) as raised:
            TextVAEClassifier().fit(X, y, sample_weight=sample_weight)
        message = " ".join(str(raised.value).split()).replace("|", "\\|")
        rows.append(f"| {what} | `{raised.type.__name__}` | {message} |\n")
    return INTRODUCTION + "".join(rows)


def test_the_page_of_bad_input_says_what_happens():
    assert PAGE.read_text(encoding="utf-8") == page()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
