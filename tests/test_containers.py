"""Containers of texts, labels, weights, token ids and latents: all that people have, in every method."""

import copy
import tracemalloc

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import sklearn
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils.fixes import parse_version

from skvae import TextTokenizer, TextVAEClassifier, TextVAETransformer
from skvae._texts.validation import check_documents
from skvae._writing.latents import check_latents
from skvae.plotting import InterpolationDisplay, LatentSpaceDisplay

from .conftest import SMALL


class ArrowStream:
    """What offers itself to Arrow and has no method else, as relations of databases do."""

    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


TEXTS_IN = {
    "list": list,
    "tuple": tuple,
    "iterator": iter,
    "generator": lambda texts: (text for text in texts),
    "rows of one text": lambda texts: [[text] for text in texts],
    "object array": lambda texts: np.array(texts, dtype=object),
    "str array": np.array,
    "StringDType array": lambda texts: np.array(texts, dtype=np.dtypes.StringDType()),
    "array of one column": lambda texts: np.array(texts)[:, None],
    "masked array": lambda texts: np.ma.array(texts, mask=[False] * len(texts)),
    "pandas object": lambda texts: pd.Series(texts, dtype=object),
    "pandas string[python]": lambda texts: pd.Series(texts, dtype="string[python]"),
    "pandas string[pyarrow]": lambda texts: pd.Series(texts, dtype="string[pyarrow]"),
    "pandas ArrowDtype": lambda texts: pd.Series(texts, dtype=pd.ArrowDtype(pa.string())),
    "pandas category": lambda texts: pd.Series(texts, dtype="category"),
    "pandas index": pd.Index,
    "pandas array": lambda texts: pd.array(texts, dtype="string"),
    "pandas frame": lambda texts: pd.DataFrame({"text": texts}),
    "polars series": pl.Series,
    "polars category": lambda texts: pl.Series(texts, dtype=pl.Categorical),
    "polars frame": lambda texts: pl.DataFrame({"text": texts}),
    "Arrow array": pa.array,
    "Arrow large strings": lambda texts: pa.array(texts, pa.large_string()),
    "Arrow dictionary": lambda texts: pa.array(texts).dictionary_encode(),
    "Arrow chunked array": lambda texts: pa.chunked_array([texts[:1], texts[1:]]),
    "Arrow table": lambda texts: pa.table({"text": texts}),
    "Arrow batch": lambda texts: pa.record_batch({"text": texts}),
    "Arrow stream": lambda texts: ArrowStream(pa.table({"text": texts})),
}
# As above, of any values.
VALUES_IN = {
    "list": list,
    "generator": lambda values: (value for value in values),
    "pandas": pd.Series,
    "polars": pl.Series,
    "Arrow array": pa.array,
    "Arrow chunked array": lambda values: pa.chunked_array([values[:1], values[1:]]),
}
MATRIX_IN = {
    "array": np.asarray,
    "list": lambda matrix: matrix.tolist(),
    "rows": list,
    "generator": iter,
    "pandas": pd.DataFrame,
    "pandas nullable": lambda matrix: pd.DataFrame(matrix).convert_dtypes(),
    "polars": lambda matrix: pl.DataFrame(matrix, schema=[f"z{place}" for place in range(matrix.shape[1])]),
    "Arrow": lambda matrix: pa.table({f"z{place}": column for place, column in enumerate(matrix.T)}),
}
in_texts = pytest.mark.parametrize("pack", TEXTS_IN.values(), ids=TEXTS_IN)
in_values = pytest.mark.parametrize("pack", VALUES_IN.values(), ids=VALUES_IN)
in_matrix = pytest.mark.parametrize("pack", MATRIX_IN.values(), ids=MATRIX_IN)


def small_vae(**options):
    return TextVAETransformer(**({"decoder": "bow", "epochs": 1} | SMALL | options))


@in_texts
def test_every_method_of_the_tokenizer_takes_every_container(pack, reviews):
    texts = reviews[0][:6].tolist()
    expected = TextTokenizer(max_length=16).fit_transform(texts)
    tokenizer = TextTokenizer(max_length=16).fit(pack(texts))
    np.testing.assert_array_equal(tokenizer.transform(pack(texts)), expected)
    np.testing.assert_array_equal(TextTokenizer(max_length=16).fit_transform(pack(texts)), expected)


@in_texts
def test_every_method_of_the_transformer_takes_every_container(pack, reviews, bow_vae):
    texts = reviews[0][:6].tolist()
    latents = bow_vae.transform(texts)
    np.testing.assert_array_equal(bow_vae.transform(pack(texts)), latents)
    assert bow_vae.score(pack(texts)) == bow_vae.score(texts)
    assert bow_vae.diagnostics(pack(texts)) == bow_vae.diagnostics(texts)


def answers_about(texts, pack, classifier):
    """What each method answers about texts in this container."""
    names = ("predict", "predict_proba", "predict_log_proba", "transform", "explain")
    answers = {name: getattr(classifier, name)(pack(texts)) for name in names}
    answers["rewrite"] = classifier.rewrite(pack(texts), "bad", random_state=0)
    return answers | {"score": classifier.score(pack(texts), classifier.predict(texts))}


@pytest.fixture(scope="module")
def about_lists(reviews, writing_classifier):
    return answers_about(reviews[0][:6].tolist(), list, writing_classifier)


@in_texts
def test_every_method_of_the_classifier_takes_every_container(pack, reviews, writing_classifier, about_lists):
    answers = answers_about(reviews[0][:6].tolist(), pack, writing_classifier)
    assert answers["score"] == 1
    assert answers.pop("explain").equals(about_lists["explain"])
    for name, answer in answers.items():
        np.testing.assert_array_equal(answer, about_lists[name], err_msg=name)


def fitted_on(pack, labels, reviews, bow_vae):
    """What estimators answer whose every text and label came in these containers."""
    texts, y = reviews[0][:60].tolist(), reviews[1][:60].tolist()
    more, last = texts[40:50], texts[50:]
    classifier = TextVAEClassifier(small_vae(), epochs=1, random_state=0)
    classifier.fit(
        pack(texts[:40]), labels(y[:40]), X_unlabeled=pack(more), X_val=pack(last), y_val=labels(y[50:])
    )
    vae = small_vae().partial_fit(pack(texts[:40])).partial_fit(pack(more))
    frozen = TextVAEClassifier(FrozenEstimator(bow_vae), random_state=0)
    frozen.partial_fit(pack(texts[:40]), labels(y[:40]), classes=labels([0, 1]))
    frozen.partial_fit(pack(more), labels(y[40:50]))
    return [
        classifier.predict_proba(texts),
        classifier.history_["val_loss"],
        vae.transform(texts),
        small_vae().fit(pack(texts[:40])).transform(texts),
        frozen.predict_proba(texts),
    ]


@pytest.fixture(scope="module")
def from_lists(reviews, bow_vae):
    return fitted_on(list, list, reviews, bow_vae)


@pytest.mark.parametrize("name", ["generator", "polars series", "Arrow table"])
def test_fitting_reads_every_container_once(name, reviews, bow_vae, from_lists):
    answers = fitted_on(TEXTS_IN[name], VALUES_IN.get(name, VALUES_IN["polars"]), reviews, bow_vae)
    for got, expected in zip(answers, from_lists, strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.fixture(scope="module", params=[str, int, bool])
def from_lists_of(request, reviews, bow_vae):
    """Labels and weights in lists, and a classifier that was fitted on them."""
    y = [request.param(number) for number in reviews[1][:40].tolist()]
    weights = np.linspace(0.5, 1.5, 40).tolist()
    frozen = TextVAEClassifier(FrozenEstimator(bow_vae), random_state=0)
    return y, weights, frozen.fit(reviews[0][:40], y, sample_weight=weights)


@in_values
def test_labels_and_weights_in_every_container(pack, from_lists_of, reviews):
    X, (y, weights, expected) = reviews[0][:40], from_lists_of
    classifier = clone(expected).fit(X, pack(y), sample_weight=pack(weights))
    assert classifier.classes_.dtype == expected.classes_.dtype
    np.testing.assert_array_equal(classifier.predict_proba(X), expected.predict_proba(X))
    assert classifier.score(X, pack(y), pack(weights)) == expected.score(X, y, weights)
    assert classifier.explain(X, pack(y)).equals(expected.explain(X, y))


def test_masked_labels_and_weights_are_missing(reviews, bow_vae):
    X, y = reviews
    masked = np.ma.array(np.where(np.arange(160) < 100, y, 7), mask=np.arange(160) >= 100)
    options = {"vae": FrozenEstimator(bow_vae), "unlabeled_label": float("nan"), "random_state": 0}
    classifier = TextVAEClassifier(**options).fit(X, masked)
    assert classifier.classes_.tolist() == [0, 1]
    expected = TextVAEClassifier(**options).fit(X, [*y[:100].tolist(), *[None] * 60])
    np.testing.assert_array_equal(classifier.predict_proba(X), expected.predict_proba(X))
    weights = np.ma.array(np.ones(160), mask=np.arange(160) == 3)
    with pytest.raises(ValueError, match="sample_weight contains NaN"):
        TextVAEClassifier(**options).fit(X, y, sample_weight=weights)


def test_fit_transform_reads_an_iterator_once(reviews):
    X, y = reviews
    vae = TextVAETransformer(**(SMALL | {"decoder": "bow", "epochs": 1}))
    expected = clone(vae).fit_transform(X)
    np.testing.assert_array_equal(vae.fit_transform(iter(X)), expected)
    classifier = TextVAEClassifier(clone(vae), epochs=0, random_state=0)
    assert classifier.fit_transform(iter(X), iter(y)).shape == expected.shape
    pipeline = make_pipeline(clone(vae), LogisticRegression()).set_output(transform="pandas")
    assert pipeline.fit(iter(X), y).score(X, y) > 0.5
    assert clone(vae).set_output(transform="pandas").fit_transform(iter(X)).shape == expected.shape


@pytest.mark.parametrize(
    ("y", "marker", "message"),
    [
        (np.array(["neg", "pos", -1] * 20), -1, "y holds the str '-1', but unlabeled_label is the int -1"),
        ([0, 1, -1] * 20, "-1", "y holds the int '-1', but unlabeled_label is the str '-1'"),
    ],
)
def test_a_marker_of_another_type_is_named(y, marker, message, reviews, bow_vae):
    classifier = TextVAEClassifier(FrozenEstimator(bow_vae), unlabeled_label=marker)
    with pytest.raises(ValueError, match=message):
        classifier.fit(reviews[0][:60], y)


@in_values
def test_wanted_classes_in_every_container(pack, writing_classifier, reviews):
    texts, wanted = reviews[0][:3].tolist(), ["bad", "good", "mixed"]
    latents = writing_classifier.transform(texts)
    for method, given in (("rewrite", texts), ("inverse_transform", latents), ("sample", 3)):
        write = getattr(writing_classifier, method)
        written = write(given, pack(wanted), random_state=0)
        assert written.tolist() == write(given, wanted, random_state=0).tolist()


def test_one_class_in_a_scalar_array(writing_classifier, reviews):
    expected = writing_classifier.rewrite(reviews[0][:2], "bad", random_state=0)
    got = writing_classifier.rewrite(reviews[0][:2], np.array("bad", dtype=object), random_state=0)
    assert got.tolist() == expected.tolist()


def test_labels_and_weights_in_a_frame_of_one_column(reviews, bow_vae):
    X, y = reviews[0][:40], reviews[1][:40].tolist()
    frozen = TextVAEClassifier(FrozenEstimator(bow_vae), random_state=0)
    expected = frozen.fit(X, y, np.linspace(1, 2, 40)).predict_proba(X)
    for frame in (pd.DataFrame, pl.DataFrame, pa.table):
        with pytest.warns(sklearn.exceptions.DataConversionWarning, match="column-vector"):
            frozen.fit(X, frame({"y": y}), frame({"w": np.linspace(1, 2, 40)}))
        np.testing.assert_array_equal(frozen.predict_proba(X), expected)


@in_matrix
def test_latents_in_every_container(pack, gru_vae, writing_classifier, reviews):
    latents = gru_vae.transform(reviews[0][:3])
    assert gru_vae.inverse_transform(pack(latents)).tolist() == gru_vae.inverse_transform(latents).tolist()
    assert (
        writing_classifier.inverse_transform(pack(latents), "bad").tolist()
        == writing_classifier.inverse_transform(latents, "bad").tolist()
    )


@pytest.fixture(scope="module")
def on_ids(reviews):
    """A tokenizer, ids, and a classifier fitted on them."""
    tokenizer = TextTokenizer(max_length=16)
    ids = tokenizer.fit_transform(reviews[0][:60])
    classifier = TextVAEClassifier(small_vae(), epochs=0, random_state=0)
    return tokenizer, ids, classifier.fit(ids, reviews[1][:60])


@in_matrix
def test_token_ids_in_every_container(pack, on_ids):
    tokenizer, ids, classifier = on_ids
    assert tokenizer.inverse_transform(pack(ids)).tolist() == tokenizer.inverse_transform(ids).tolist()
    np.testing.assert_array_equal(classifier.predict_proba(pack(ids)), classifier.predict_proba(ids))


@pytest.mark.parametrize("name", ["pandas nullable", "polars", "Arrow", "generator"])
def test_fitting_on_token_ids_in_any_container(name, on_ids, reviews):
    _, ids, expected = on_ids
    classifier = clone(expected).fit(MATRIX_IN[name](ids), reviews[1][:60])
    np.testing.assert_array_equal(classifier.predict_proba(ids), expected.predict_proba(ids))


def every_answer(reviews, writer, classifier, output=None):
    """What all methods answer, with `output` set on each estimator."""
    texts, y = reviews[0][:40], reviews[1][:40]
    # Copies: fixtures of the session must not learn from it.
    writer, classifier = copy.deepcopy(writer), copy.deepcopy(classifier)
    tokenizer, vae, head = (
        TextTokenizer(max_length=16),
        small_vae(),
        TextVAEClassifier(small_vae(), random_state=0),
    )
    pipeline = make_pipeline(TextTokenizer(max_length=16), small_vae())
    if output is not None:
        for estimator in (tokenizer, vae, head.vae, head, pipeline, writer, classifier, classifier.vae_):
            estimator.set_output(transform=output)
    ids = tokenizer.fit_transform(texts)
    answers = [ids, tokenizer.transform(texts), tokenizer.inverse_transform(ids)]
    latents = writer.transform(texts)
    answers += [latents, writer.inverse_transform(latents[:3]), writer.sample(2, random_state=0)]
    answers += [writer.interpolate(texts[0], texts[1], 3, path=path) for path in ("line", "sphere")]
    answers += [writer.interpolate(np.asarray(latents)[0], texts[1], 3)]
    answers += [writer.interpolate(latents[:1], texts[1], 3)]
    answers += [list(writer.diagnostics(texts).values()), writer.score(texts)]
    answers += [LatentSpaceDisplay.from_estimator(writer, texts, y).points]
    latents = classifier.transform(texts)
    answers += [latents, classifier.predict(texts), classifier.predict_proba(texts)]
    answers += [classifier.inverse_transform(latents[:3], "bad", random_state=0)]
    answers += [
        classifier.sample(2, "bad", random_state=0),
        classifier.rewrite(texts[:3], "bad", random_state=0),
    ]
    answers += [
        classifier.explain(texts[:3])["contribution"],
        classifier.score(texts, classifier.predict(texts)),
    ]
    answers += [InterpolationDisplay.from_estimator(classifier, texts[0], texts[1], n_steps=3).probabilities]
    answers += [vae.fit_transform(texts), vae.partial_fit(texts).transform(texts)]
    head.fit(texts, y, X_unlabeled=texts, X_val=texts, y_val=y)
    answers += [head.transform(texts), head.partial_fit(texts, y).predict_proba(texts)]
    answers += [pipeline.fit(texts).transform(texts)]
    return [np.asarray(answer) for answer in answers]


@pytest.fixture(scope="module")
def by_default(reviews, gru_vae, writing_classifier):
    return every_answer(reviews, gru_vae, writing_classifier)


@pytest.mark.parametrize(("output", "everywhere"), [("pandas", True), ("polars", False)])
def test_nothing_depends_on_the_output_setting(
    output, everywhere, reviews, gru_vae, writing_classifier, by_default
):
    with sklearn.config_context(transform_output=output if everywhere else "default"):
        answers = every_answer(reviews, gru_vae, writing_classifier, None if everywhere else output)
    for got, expected in zip(answers, by_default, strict=True):
        np.testing.assert_array_equal(got, expected)


IDS = np.array([[3, 4, 5, 0], [4, 1, 3, 7], [3, 0, 0, 0]])
LIKE_IDS = {
    "padding at the end": IDS,
    "padding at the beginning": IDS[:, ::-1],
    "no padding": IDS[1:2].repeat(3, axis=0),
    "a text without tokens": np.vstack([IDS, np.zeros((1, 4), dtype=int)]),
    "unknown tokens only": np.vstack([IDS, [[1, 1, 0, 0]]]),
    "one column": IDS[:, :1],
    "unsigned bytes": IDS.astype(np.uint8),
    "a numbered frame": pd.DataFrame(IDS),
    "a frame of transform": pd.DataFrame(IDS).add_prefix("texttokenizer"),
    "a frame of a ColumnTransformer": pl.from_pandas(pd.DataFrame(IDS).add_prefix("ids__texttokenizer")),
    "one numbered column": pd.DataFrame(IDS[:, :1]).add_prefix("texttokenizer"),
}
ratings = np.random.default_rng(0).integers(1, 6, (30, 3))
UNLIKE_IDS = {
    "star ratings": (ratings, "holds 2"),
    "one column of star ratings": (ratings[:, :1], "holds 2"),
    "a frame of star ratings": (pd.DataFrame(ratings, columns=["plot", "cast", "sound"]), "not numbered"),
    "a frame of high ratings": (pd.DataFrame({"stars": [3, 4, 5]}), "not numbered"),
    "a polars frame of high ratings": (pl.DataFrame({"stars": [3, 4, 5]}), "not numbered"),
    "an Arrow table of high ratings": (pa.table({"stars": [3, 4, 5]}), "not numbered"),
    "questions from 1 on": (pd.DataFrame({"q1": [3, 4], "q2": [5, 3]}), "not numbered"),
    "a dense count matrix": (np.array([[0, 1, 0, 3], [4, 0, 1, 0]]), "between other numbers"),
    "counts of up to two": (np.array([[0, 1, 0, 2], [0, 0, 1, 0]]), "holds 2"),
    "padding in the middle": (np.array([[3, 0, 4]]), "between other numbers"),
    "padding on both sides": (np.array([[0, 3, 0], [3, 4, 5]]), "at the beginning"),
    "padding on either side": (np.array([[0, 3, 4], [3, 4, 0]]), "at the beginning"),
    "ids and a number after them": (np.hstack([IDS, [[7], [8], [9]]]), "between other numbers"),
    "ids and a column": (
        pd.DataFrame(IDS).add_prefix("ids__texttokenizer").assign(remainder__stars=[3, 4, 5]),
        "not numbered",
    ),
    "shuffled columns": (
        pd.DataFrame(IDS).add_prefix("texttokenizer")[["texttokenizer1", "texttokenizer0"]],
        "not num",
    ),
    "shuffled columns without names": (IDS[:, [2, 0, 3, 1]], "between other numbers|at the beginning"),
    "floats": (IDS.astype(float), "as floats.*astype"),
    "a frame of floats": (pd.DataFrame(IDS.astype(float)), "as floats.*astype"),
    "a polars frame of floats": (pl.DataFrame(IDS.astype(np.float32)), "as floats.*astype"),
    "latents": (np.full((2, 3), 0.5), "numbers of dtype float64"),
    "large numbers": (pd.DataFrame({"year": [2019, 2020]}), "not numbered"),
    "large numbers in several columns": (np.array([[2019, 0, 4], [5, 0, 7]]), "between other numbers"),
    "negative numbers": (np.array([[-1, 3]]), "negative"),
    "NaN": (np.array([[3, np.nan]]), "numbers of dtype float64"),
    "booleans": (np.array([[True, False]]), "numbers of dtype bool"),
    "a missing id": (pd.DataFrame({"0": [3, None], "1": [4, 5]}, dtype="Int64"), "missing|dtype float"),
    "rows of different lengths": ([[3, 4], [3]], "different lengths"),
    "a series": (pd.Series([3, 4, 5]), "has int in row 0"),
    "a list": ([3, 4, 5], "int in row 0"),
    "texts in several columns": (pd.DataFrame({"a": ["x", "y"], "b": ["x", "y"]}), "2 columns"),
    "texts and numbers": (pl.DataFrame({"a": ["x", "y"], "b": [3, 4]}), "2 columns"),
    "texts in lists of two": ([["a film", "b"], ["c", "d"]], "Select the column"),
    "three dimensions": (IDS[None], "shape"),
    "nested too deeply": ([[[3], [4]]], "shape"),
    "a column of no frame": (pd.DataFrame(index=[0, 1]), "0 columns"),
    "a lazy frame": (pl.LazyFrame({"text": ["a"]}), "collect"),
    "a text alone": (np.array("a film"), "shape"),
    "masked texts": (np.ma.array(["a", "b"], mask=[False, True]), "missing value"),
}


@pytest.mark.parametrize("ids", LIKE_IDS.values(), ids=LIKE_IDS)
def test_what_looks_like_the_output_of_the_tokenizer_passes(ids):
    got = check_documents(ids)
    assert got.dtype == np.int32
    np.testing.assert_array_equal(got, np.asarray(ids))


@pytest.mark.parametrize(("X", "message"), UNLIKE_IDS.values(), ids=UNLIKE_IDS)
def test_other_numbers_are_refused_everywhere(X, message, bow_vae, classifier):
    y = [0, 1]
    for refuse in (
        small_vae().fit,
        small_vae().partial_fit,
        bow_vae.transform,
        bow_vae.score,
        classifier.predict,
        classifier.explain,
        lambda X: TextVAEClassifier(small_vae()).fit(X, y),
        lambda X: TextVAEClassifier(small_vae()).partial_fit(X, y, classes=[0, 1]),
    ):
        with pytest.raises((TypeError, ValueError), match=rf"(?s)^X .*({message})"):
            refuse(X)


def test_refused_numbers_name_both_readings():
    with pytest.raises(ValueError, match=r"neither texts nor token ids of TextTokenizer\.transform"):
        check_documents(np.array([[5, 2], [3, 4]]))
    with pytest.raises(TypeError, match=r"texts \(str\) or token ids"):
        check_documents(IDS.astype(float))


def test_ids_and_a_column_of_numbers_do_not_train_in_silence(reviews):
    frame = pd.DataFrame({"text": reviews[0], "stars": reviews[1] + 4})
    columns = ColumnTransformer([("ids", TextTokenizer(max_length=32), "text")], remainder="passthrough")
    for output in ("default", "pandas", "polars"):
        model = make_pipeline(columns.set_output(transform=output), small_vae())
        # scikit-learn 1.6 does not know frames of a recent polars, and refuses them itself.
        unknown = output == "polars" and parse_version(sklearn.__version__) < parse_version("1.7")
        message = "transformer should be 2D" if unknown else "neither texts nor token ids"
        with pytest.raises(ValueError, match=message):
            model.fit(frame)


@pytest.mark.parametrize("X", [[[0, 1]], np.array([[1, 1], [0, 0]])])
def test_ids_without_a_single_token_are_not_fitted(X):
    with pytest.raises(ValueError, match="no token id of 3"):
        small_vae().fit(X)


IDS_OF_OTHER_NUMBERS = {
    "one column": ([[5], [4], [1], [3]], "one column without a name"),
    "one numbered column": (pd.DataFrame({0: [5, 4, 1, 3]}), "one column without a name"),
    "high ratings": (np.array([[5, 4], [4, 4]]), "distinct numbers without 3"),
    "years": (np.array([[2019, 7], [2020, 4]]), "distinct numbers without 3"),
}


@pytest.mark.parametrize(("X", "reason"), IDS_OF_OTHER_NUMBERS.values(), ids=IDS_OF_OTHER_NUMBERS)
def test_nothing_is_learned_from_numbers_that_may_be_no_ids(X, reason):
    y = [0, 1] * (len(X) // 2)
    for fit in (
        small_vae().fit,
        small_vae().partial_fit,
        lambda X: TextVAEClassifier(small_vae()).fit(X, y),
        lambda X: TextVAEClassifier(small_vae()).partial_fit(X, y, classes=[0, 1]),
    ):
        with pytest.raises(
            ValueError, match=f"^X holds integers which are neither texts nor token ids .*{reason}"
        ):
            fit(X)
    # Ids of a few documents may lack any token.
    assert check_documents(X).dtype == np.int32
    named = pd.DataFrame(np.asarray(X)).add_prefix("texttokenizer")
    assert check_documents(named, fitting=True).dtype == np.int32


@pytest.mark.parametrize("classes", [{0, 1}, frozenset("ab"), 2, "ab", {0: "a", 1: "b"}, np.array(2)])
def test_what_is_no_list_of_classes_is_named(classes, reviews):
    with pytest.raises(ValueError, match=r"^classes is .*; expected a 1-D collection of class labels"):
        TextVAEClassifier(small_vae()).partial_fit(reviews[0][:4], [0, 1, 0, 1], classes=classes)


BAD_ARGUMENTS = {
    "X_val missing": ({"X_val": None, "y_val": [0]}, "^y_val was passed without X_val"),
    "y_val missing": ({"X_val": ["a"]}, "^X_val was passed without y_val"),
    "a text alone": ({"X_val": "a", "y_val": [0]}, "^X_val is a single str"),
    "a missing text": ({"X_val": ["a", None], "y_val": [0, 1]}, "^X_val has a missing value"),
    "numbers": ({"X_val": np.array([[3, 0, 4]]), "y_val": [0]}, "^X_val holds integers"),
    "ids for texts": ({"X_val": np.array([[999_999]]), "y_val": [0]}, "^X_val has token id"),
    "too few labels": ({"X_val": ["a", "b"], "y_val": [0]}, "^y_val has 1 labels"),
    "an unknown class": ({"X_val": ["a"], "y_val": [9]}, r"^y_val holds \[9\]"),
    "a missing label": ({"X_val": ["a"], "y_val": [None]}, "^y_val contains a missing value"),
    "labels in rows": ({"X_val": ["a"], "y_val": [[0, 1]]}, "^y_val .*one class for each text"),
    "unlabelled text alone": ({"X_unlabeled": "a"}, "^X_unlabeled is a single str"),
    "unlabelled missing": ({"X_unlabeled": ["a", None]}, "^X_unlabeled has a missing value"),
    "unlabelled numbers": ({"X_unlabeled": np.array([[3, 0, 4]])}, "^X_unlabeled holds integers"),
    "unlabelled floats": ({"X_unlabeled": np.zeros((2, 3))}, "^X_unlabeled holds whole numbers"),
    "a function of unlabelled": ({"X_unlabeled": lambda: ["a", 3]}, "^X_unlabeled has int in row 1"),
    "lists beside texts": (
        {"X_unlabeled": [["a", "b"], ["c"]]},
        "^X_unlabeled holds lists of tokens, but X holds texts",
    ),
    "lists and texts": (
        {"X_unlabeled": [["a", "b"], "c"]},
        "^X_unlabeled has list in row 0, but str in row 1",
    ),
    "texts and lists": (
        {"X_unlabeled": ["c", ["a", "b"]]},
        "^X_unlabeled has list in row 1, but str in row 0",
    ),
    "lists and nothing": (
        {"X_unlabeled": [["a", "b"], None]},
        r"^X_unlabeled has a missing value \(None\) in row 1",
    ),
    "one weight": ({"sample_weight": 2.0}, r"^sample_weight is 2\.0"),
    "one weight in an array": ({"sample_weight": np.array(2.0)}, r"^sample_weight is array\(2\.\)"),
    "weights as texts": ({"sample_weight": ["a"] * 40}, "^sample_weight holds texts"),
    "ragged weights": ({"sample_weight": [[1], [1, 2]] * 20}, "^sample_weight has rows of different"),
    "a missing weight": ({"sample_weight": pl.Series([None] + [1.0] * 39)}, "sample_weight contains NaN"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS)
def test_errors_name_the_argument(arguments, message, reviews, bow_vae):
    for vae in (FrozenEstimator(bow_vae), small_vae()):
        classifier = TextVAEClassifier(vae, head_units=(4,), epochs=1, random_state=0)
        with pytest.raises((TypeError, ValueError), match=message):
            classifier.fit(reviews[0][:40], reviews[1][:40], **arguments)
        assert not hasattr(classifier, "classes_")


RAGGED = {
    "ragged": [[0], [0, 1]],
    "several classes": [[0, 1], [1, 0]],
    "an array of several": np.eye(2),
    "sets": [{"a"}, {"b"}],
    "a list in one row": ["a", ["b"]],
    "a frame of several": pd.DataFrame({"a": [0, 1], "b": [0, 1]}),
    "a polars series of lists": pl.Series([[0], [0, 1]]),
    "Arrow lists": pa.array([[0], [0, 1]]),
    "one class alone": "a",
    "a generator of rows": "generator",
}


@pytest.mark.parametrize("y", RAGGED.values(), ids=RAGGED)
def test_labels_in_rows_are_refused_in_our_words(y):
    y = ([0] * length for length in (1, 2)) if isinstance(y, str) and y == "generator" else y
    with pytest.raises(ValueError, match=r"^y .*one class for each text"):
        TextVAEClassifier().fit(["a dull film", "a great film"], y)


NAMED = [
    lambda texts, name: pd.DataFrame({name: texts}),
    lambda texts, name: pd.Series(texts, name=name),
    lambda texts, name: pl.DataFrame({name: texts}),
    lambda texts, name: pl.Series(name, texts),
    lambda texts, name: pa.table({name: texts}),
]


@pytest.mark.parametrize(
    "named", NAMED, ids=["frame", "series", "polars frame", "polars series", "Arrow table"]
)
def test_a_column_of_another_name_warns(named, reviews, bow_vae):
    texts, y = reviews[0][:40].tolist(), reviews[1][:40]
    tokenizer, vae = TextTokenizer(), small_vae(epochs=1)
    classifier = TextVAEClassifier(FrozenEstimator(bow_vae), head_units=(4,), random_state=0)
    fitted, other = named(texts, "review"), named(texts, "title")
    for fit in (
        tokenizer.fit,
        vae.fit,
        lambda X: classifier.fit(X, y, X_unlabeled=other, X_val=other, y_val=y),
    ):
        with (
            pytest.warns(UserWarning, match="X_unlabeled is not used")
            if fit not in (tokenizer.fit, vae.fit)
            else (sklearn.config_context())
        ):
            fit(fitted)
    answers = [tokenizer.transform, vae.transform, vae.score, vae.diagnostics, vae.partial_fit]
    answers += [getattr(classifier, name) for name in ("predict", "predict_proba", "transform", "explain")]
    answers += [lambda X: classifier.score(X, y), lambda X: classifier.partial_fit(X, y)]
    for answer in answers:
        with pytest.warns(
            UserWarning, match=r"(?s)feature names should match.*- title\n.*missing:\n- review"
        ):
            answer(other)
        # The same name, and no name, are silent: warnings are errors here.
        answer(named(texts, "review"))
        answer(texts)
    for estimator in (tokenizer, vae, classifier):
        assert not hasattr(estimator, "feature_names_in_")
        assert not hasattr(estimator, "n_features_in_")


def test_fitting_again_forgets_the_name(reviews):
    texts = reviews[0][:40].tolist()
    tokenizer, vae = TextTokenizer(), small_vae()
    for estimator in (tokenizer, vae):
        estimator.fit(pd.Series(texts, name="review")).fit(texts).transform(pd.Series(texts, name="title"))


def test_a_batch_fitted_first_remembers_its_name(reviews, bow_vae):
    texts, y = reviews[0][:40].tolist(), reviews[1][:40]
    classifier = TextVAEClassifier(FrozenEstimator(bow_vae), random_state=0)
    vae = small_vae().partial_fit(pd.Series(texts, name="review"))
    classifier.partial_fit(pd.Series(texts, name="review"), y, classes=[0, 1])
    for estimator in (vae, classifier):
        with pytest.warns(UserWarning, match="feature names should match"):
            estimator.transform(pl.Series("title", texts))


BAD_LATENTS = {
    "texts": (["a film"], "texts"),
    "an array of texts": (np.array([["a"] * 3]), "holds texts"),
    "an object array of texts": (np.array([["a"] * 3], dtype=object), "holds texts"),
    "numbers and a text": (np.array([[1.0, 2.0, "a"]], dtype=object), "holds texts"),
    "a series of texts": (pl.Series(["a", "b"]), "holds texts"),
    "a frame of texts": (pd.DataFrame({"a": ["x"]}), "holds texts"),
    "NaN": (np.full((1, 3), np.nan), "contains NaN"),
    "missing": (pd.DataFrame([[1.0, 2.0, None]], dtype="Float64"), "contains NaN"),
    "missing in polars": (pl.DataFrame({"a": [1.0], "b": [None], "c": [1.0]}), "contains NaN"),
    "ragged": ([[1.0, 2.0], [1.0]], "different lengths"),
    "another width": (np.zeros((1, 2)), "2 columns"),
    "one vector": (np.zeros(3), "2D array"),
}


@pytest.mark.parametrize(("Z", "message"), BAD_LATENTS.values(), ids=BAD_LATENTS)
def test_what_is_no_latents_is_refused(Z, message):
    with pytest.raises((TypeError, ValueError), match=message):
        check_latents(Z, 3)


def test_judging_latents_does_not_make_objects_of_them():
    latents = np.zeros((100_000, 64), dtype=np.float32)
    tracemalloc.start()
    try:
        assert check_latents(latents, 64).shape == latents.shape
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Objects would take eight bytes a number for the pointers alone.
    assert peak < 2 * latents.nbytes
