"""What decides how latents are written, without a network."""

import numpy as np
import pytest
from scipy.special import log_softmax

from skvae._writing.guidance import log_class_probabilities
from skvae._writing.latents import on_line, on_sphere
from skvae._writing.options import DecodingOptions, check_option_names


def test_choices_count_by_the_log_softmax_of_the_sums():
    random = np.random.default_rng(0)
    logits, added, labels = (
        random.normal(size=(4, 3)) * 20,
        random.normal(size=(7, 3)),
        np.array([0, 1, 2, 0]),
    )
    expected = log_softmax(logits[:, None] + added, axis=2)[np.arange(4), :, labels]
    np.testing.assert_allclose(log_class_probabilities(logits, added, labels), expected, atol=1e-9)


def test_a_rival_counts_for_more_than_the_mean_of_all():
    # Class 0 and 1 level far above a third, and class 0 alone in front.
    level, alone = (
        log_class_probabilities(np.zeros((1, 3)), np.array([added]), np.array([0]))[0, 0]
        for added in ((5.0, 5.0, -10.0), (4.0, -2.0, -2.0))
    )
    assert level == pytest.approx(np.log(0.5), abs=1e-3)
    assert alone == pytest.approx(-0.005, abs=1e-3)


def test_between_two_points():
    start, end = np.array([[2.0, 0.0]]), np.array([[0.0, 2.0]])
    weights = np.array([[0.0], [0.5], [1.0]])
    np.testing.assert_allclose(on_line(start, end, weights), [[2, 0], [1, 1], [0, 2]])
    np.testing.assert_allclose(np.linalg.norm(on_sphere(start, end, weights), axis=1), 2, rtol=1e-6)
    # Nothing to turn around: on the line.
    np.testing.assert_allclose(on_sphere(start, -start, weights), on_line(start, -start, weights))
    np.testing.assert_allclose(on_sphere(start, 0 * start, weights), on_line(start, 0 * start, weights))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"decoding": "best"}, "expected 'greedy'"),
        ({"decoding": "sample", "temperature": 0}, "above 0"),
        ({"decoding": "sample", "temperature": float("nan")}, "above 0"),
        ({"decoding": "sample", "top_p": 1.5}, "at most 1"),
        ({"decoding": "sample", "top_k": True}, "at least 1"),
        ({"decoding": "beam", "beam_width": 10**6}, "from 1 to 1000"),
        ({"top_k": 3}, "set decoding='sample'"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        DecodingOptions(**options)


def test_unknown_options_are_refused_by_the_method_that_was_called():
    with pytest.raises(
        TypeError, match=r"TextVAETransformer\.sample\(\) got an unexpected keyword argument 'topk'"
    ):
        check_option_names("TextVAETransformer.sample", {"topk": 3})
    check_option_names("TextVAEClassifier.sample", {"guidance": 3, "top_k": 3}, "guidance")
