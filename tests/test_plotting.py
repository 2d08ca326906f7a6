import copy

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.random_projection import GaussianRandomProjection

from skvae import TextVAETransformer
from skvae.plotting import (
    InterpolationDisplay,
    LatentSpaceDisplay,
    LatentWordsDisplay,
    TrainingHistoryDisplay,
)

from .conftest import SMALL


def test_latent_space_colours_each_label(bow_vae, reviews):
    X, y = reviews
    names = np.array(["bad", "good"])[y]
    display = LatentSpaceDisplay.from_estimator(bow_vae, X, names)
    assert [scatter.get_label() for scatter in display.scatters_] == ["bad", "good"]
    assert sum(len(scatter.get_offsets()) for scatter in display.scatters_) == 160
    assert display.ax_.get_xlabel().startswith("first principal component")
    assert display.figure_ is display.ax_.figure


def test_latent_space_shows_latents_without_what_is_handed_on_beside_them(bow_vae, reviews):
    X = reviews[0][:20]
    vae = copy.deepcopy(bow_vae).set_params(passthrough=True)
    drawn, expected = (LatentSpaceDisplay.from_estimator(each, X) for each in (vae, bow_vae))
    np.testing.assert_array_equal(drawn.points, expected.points)


def test_latent_space_takes_labels_as_fit_does(bow_vae, reviews):
    X = reviews[0][:8]
    names = lambda y: [  # noqa: E731
        scatter.get_label() for scatter in LatentSpaceDisplay.from_estimator(bow_vae, X, y).scatters_
    ]
    # Documents without a label are drawn, too.
    for y in ([1.0, np.nan] * 4, ["a", None] * 4, np.ma.array([1] * 8, mask=[0, 1] * 4)):
        display = LatentSpaceDisplay.from_estimator(bow_vae, X, y)
        assert display.scatters_[0].get_label() == "no label"
        assert [len(scatter.get_offsets()) for scatter in display.scatters_] == [4, 4]
    assert names(pd.DataFrame({"y": ["a", "b"] * 4})) == ["a", "b"]
    assert names(iter([True, False] * 4)) == ["False", "True"]
    display = LatentSpaceDisplay.from_estimator(bow_vae, X, ["_a", "$b$"] * 4)
    assert [text.get_text().strip() for text in display.ax_.get_legend().get_texts()] == [r"\$b\$", "_a"]
    display.figure_.canvas.draw()
    many = LatentSpaceDisplay.from_estimator(bow_vae, reviews[0], np.arange(160) % 24)
    assert len({tuple(scatter.get_facecolor()[0]) for scatter in many.scatters_}) == 24


def test_latent_space_of_few_latents_and_few_texts(bow_vae, reviews):
    X, _ = reviews
    single = TextVAETransformer(**(SMALL | {"n_components": 1, "decoder": "bow", "epochs": 1})).fit(X)
    display = LatentSpaceDisplay.from_estimator(single, X)
    np.testing.assert_array_equal(display.points[:, :1], single.transform(X))
    with pytest.raises(ValueError, match="1 document, which has no principal components; pass two documents"):
        LatentSpaceDisplay.from_estimator(bow_vae, X[:1])
    same = LatentSpaceDisplay.from_estimator(bow_vae, [X[0]] * 4)
    assert "nan" not in same.ax_.get_xlabel()
    latents = np.random.default_rng(0).normal(size=(600, 64))
    before = np.random.get_state()[2]  # noqa: NPY002
    LatentSpaceDisplay.from_latents(latents)
    assert np.random.get_state()[2] == before  # noqa: NPY002


def test_latent_space_of_a_pipeline_shows_latents_alone(reviews):
    X, _ = reviews
    vae = TextVAETransformer(**(SMALL | {"decoder": "bow", "epochs": 1, "passthrough": True}))
    pipeline = make_pipeline(FunctionTransformer(), vae).fit(X)
    of_pipeline = LatentSpaceDisplay.from_estimator(pipeline, X).points
    np.testing.assert_array_equal(of_pipeline, LatentSpaceDisplay.from_estimator(pipeline[-1], X).points)
    assert not np.allclose(of_pipeline, LatentSpaceDisplay.from_latents(pipeline.transform(X)).points)


def test_displays_on_the_same_axes_stay_upright():
    display = InterpolationDisplay(["a", "b"], [0, 1], class_name="good").plot()
    InterpolationDisplay(["a", "b"], [0.2, 0.9], class_name="good").plot(ax=display.ax_)
    assert display.ax_.yaxis_inverted()


def test_names_of_classes_are_no_formulas():
    display = InterpolationDisplay(["a", "b"], [0, 1], class_name="$5_to_$6 $\\foo$").plot()
    display.figure_.canvas.draw()


def test_any_projection_and_any_axes(bow_vae, reviews):
    _, ax = plt.subplots()
    projection = GaussianRandomProjection(2, random_state=0)
    display = LatentSpaceDisplay.from_estimator(bow_vae, reviews[0], projection=projection, ax=ax, s=3)
    assert display.ax_ is ax
    assert display.scatters_[0].get_sizes().tolist() == [3]
    assert "GaussianRandomProjection" in ax.get_ylabel()
    with pytest.raises(ValueError, match="1 labels for 160"):
        LatentSpaceDisplay.from_estimator(bow_vae, reviews[0], [0])
    with pytest.raises(ValueError, match=r"points of shape \(160, 3\)"):
        LatentSpaceDisplay.from_estimator(bow_vae, reviews[0], projection=GaussianRandomProjection(3))


def test_history_has_a_panel_for_each_part(gru_vae):
    display = TrainingHistoryDisplay.from_estimator(gru_vae)
    assert [axis.get_title() for axis in display.axes_] == list(gru_vae.history_)
    (line,) = display.axes_[0].get_lines()
    np.testing.assert_array_equal(line.get_ydata(), gru_vae.history_[display.axes_[0].get_title()])
    with pytest.raises(ValueError, match="history is empty"):
        TrainingHistoryDisplay({}).plot()


def test_the_history_of_a_classifier_begins_with_its_autoencoder(classifier):
    before, after = classifier.vae_.history_, classifier.history_
    display = TrainingHistoryDisplay.from_estimator(classifier)
    titles = [axis.get_title() for axis in display.axes_]
    assert titles == [f"pre-training: {name}" for name in before] + [f"fine-tuning: {name}" for name in after]
    for axis, values in zip(display.axes_, [*before.values(), *after.values()], strict=True):
        (curve,) = axis.get_lines()
        np.testing.assert_array_equal(curve.get_ydata(), values)


def test_history_goes_into_axes_given(gru_vae):
    _, axes = plt.subplots(1, len(gru_vae.history_))
    display = TrainingHistoryDisplay.from_estimator(gru_vae, ax=axes)
    assert display.axes_.tolist() == axes.tolist()
    with pytest.raises(ValueError, match=r"2 axes; expected \d+, one for each panel"):
        TrainingHistoryDisplay.from_estimator(gru_vae, ax=axes[:2])


def test_a_path_has_its_texts_along_the_axis_and_the_probability_as_its_curve(
    gru_vae, writing_classifier, reviews
):
    start, end = reviews[0][:2]
    display = InterpolationDisplay.from_estimator(writing_classifier, start, end, y="good", n_steps=4)
    texts = gru_vae.interpolate(start, end, 4)
    labels = [label.get_text().replace("\n", " ") for label in display.ax_.get_yticklabels()]
    assert labels == texts.tolist()
    np.testing.assert_array_equal(display.line_.get_xdata(), writing_classifier.predict_proba(texts)[:, 1])
    assert display.ax_.get_xlabel() == "probability of good"
    # The first text stands on top.
    assert display.ax_.yaxis_inverted()


def test_a_path_of_an_autoencoder_is_judged_by_a_classifier(gru_vae, writing_classifier, reviews):
    _, ax = plt.subplots()
    start, end = gru_vae.transform(reviews[0][:2])
    display = InterpolationDisplay.from_estimator(
        gru_vae, start, end, classifier=writing_classifier, n_steps=3, ax=ax, color="red"
    )
    assert display.ax_ is ax
    assert display.line_.get_color() == "red"
    assert display.class_name == "mixed"
    with pytest.raises(ValueError, match="does not classify"):
        InterpolationDisplay.from_estimator(gru_vae, start, end)
    with pytest.raises(ValueError, match="y='fair'; expected one of the classes"):
        InterpolationDisplay.from_estimator(writing_classifier, start, end, y="fair")


def test_words_of_a_latent_come_from_both_of_its_ends(bow_vae):
    display = LatentWordsDisplay.from_estimator(bow_vae, latents=[4, 1], n_words=6)
    assert [axis.get_title() for axis in display.axes_] == ["latent 4", "latent 1"]
    bars = np.array([bar.get_width() for bar in display.axes_[1].patches])
    assert len(bars) == 6
    assert (bars[:3] < 0).all()
    assert (bars[3:] > 0).all()
    # With more of the latent, the decoder gives the words at the one end more weight, and less to the others.
    words = [label.get_text() for label in display.axes_[1].get_yticklabels()]
    columns = [bow_vae.words_.tolist().index(word) for word in words]
    np.testing.assert_array_equal(np.sign(bow_vae.components_[1, columns]), np.sign(bars))


def test_latents_are_named_by_words_that_tell_them_apart():
    random = np.random.default_rng(0)
    topics = [["goal", "referee", "striker", "league"], ["oven", "recipe", "flour", "butter"]]
    # Frequent words and marks depend on the topic as well.
    common = [["the", "the", "the", "of"], ["of", "of", "of", "the"]]
    texts = [
        " ".join([*random.choice(common[row % 2], 2), *random.choice(topics[row % 2], 2), "."])
        for row in range(200)
    ]
    vae = TextVAETransformer(n_components=2, decoder="bow", max_df=1.0, epochs=10, random_state=0).fit(texts)
    assert {"the", "of", "."} <= set(vae.words_)
    display = LatentWordsDisplay.from_estimator(vae, n_words=20)
    for axis in display.axes_:
        assert not {label.get_text() for label in axis.get_yticklabels()} & {"the", "of", "."}


@pytest.mark.parametrize("latents", [[], [1.0], [True, False, True, False, True, False], -1, 6])
def test_latents_that_do_not_exist_have_no_words(latents, bow_vae):
    with pytest.raises(ValueError, match=r"latents=.*; expected numbers from 0 to 5"):
        LatentWordsDisplay.from_estimator(bow_vae, latents=latents)


def test_words_of_one_latent_and_how_many(bow_vae, reviews):
    assert len(LatentWordsDisplay.from_estimator(bow_vae, latents=2).axes_) == 1
    for n_words in (0, -2, 2.5):
        with pytest.raises(ValueError, match=f"n_words={n_words}; expected an int of at least 1"):
            LatentWordsDisplay.from_estimator(bow_vae, n_words=n_words)
    wordless = TextVAETransformer(**(SMALL | {"epochs": 1, "bow_weight": 0, "decoder": "repeat"}))
    with pytest.raises(AttributeError, match="bow_weight"):
        LatentWordsDisplay.from_estimator(wordless.fit(reviews[0]))


def test_words_of_latents_know_how_many_there_are(bow_vae):
    assert len(LatentWordsDisplay.from_estimator(bow_vae).axes_) == 6
    _, axes = plt.subplots(1, 2)
    assert LatentWordsDisplay.from_estimator(bow_vae, latents=[0, 1], ax=axes).axes_[1] is axes[1]
    with pytest.raises(ValueError, match=r"latents=\[6\]; expected numbers from 0 to 5"):
        LatentWordsDisplay.from_estimator(bow_vae, latents=[6])
