import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.random_projection import GaussianRandomProjection

from skvae.plotting import LatentSpaceDisplay, TrainingHistoryDisplay


@pytest.fixture(autouse=True)
def no_open_figures():
    yield
    plt.close("all")


def test_latent_space_colours_each_label(bow_vae, reviews):
    X, y = reviews
    names = np.array(["bad", "good"])[y]
    display = LatentSpaceDisplay.from_estimator(bow_vae, X, names)
    assert [scatter.get_label() for scatter in display.scatters_] == ["bad", "good"]
    assert sum(len(scatter.get_offsets()) for scatter in display.scatters_) == 160
    assert display.ax_.get_xlabel().startswith("first principal component")
    assert display.figure_ is display.ax_.figure


def test_any_projection_and_any_axes(bow_vae, reviews):
    _, ax = plt.subplots()
    projection = GaussianRandomProjection(2, random_state=0)
    display = LatentSpaceDisplay.from_estimator(bow_vae, reviews[0], projection=projection, ax=ax, s=3)
    assert display.ax_ is ax
    assert display.scatters_[0].get_sizes().tolist() == [3]
    assert "GaussianRandomProjection" in ax.get_ylabel()
    with pytest.raises(ValueError, match="1 labels for 160"):
        LatentSpaceDisplay.from_estimator(bow_vae, reviews[0], [0])


def test_history_has_a_panel_for_each_part(gru_vae):
    display = TrainingHistoryDisplay.from_estimator(gru_vae)
    assert [axis.get_title() for axis in display.axes_] == list(gru_vae.history_)
    (line,) = display.axes_[0].get_lines()
    np.testing.assert_array_equal(line.get_ydata(), gru_vae.history_[display.axes_[0].get_title()])
    with pytest.raises(ValueError, match="history is empty"):
        TrainingHistoryDisplay({}).plot()
