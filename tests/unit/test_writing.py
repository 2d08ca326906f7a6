"""What decides how latents are written, without a network."""

import numpy as np
import pytest
from scipy.special import log_softmax

from skvae._estimator.writing import default_weights
from skvae._texts.ngrams import TokenPairs
from skvae._writing.decoding import decode_tokens
from skvae._writing.guidance import Guidance, log_class_probabilities
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


def guide_to(label, alone, intercept=(0.0, 0.0, 0.0), pairs=None, strength=1.0):
    arrays = [np.array(each, dtype=np.float32) for each in (intercept, alone)]
    return Guidance.of_outputs(*arrays, pairs, np.array([label]), strength)


def pairs_of(weights):
    """Pairs of tokens from a dense array of shape (n_tokens, n_tokens, n_outputs)."""
    first, second = np.nonzero(weights.any(axis=2))
    starts = np.searchsorted(first, np.arange(len(weights) + 1))
    return TokenPairs(starts, second, weights[first, second].astype(np.float32))


def test_a_rival_counts_for_more_than_the_mean_of_all():
    """The logit of class 0 less the mean logit is 5 after both tokens; class 1 is level with it after the first."""
    tokens = np.array([[5, 5, -10], [4, -2, -2]])
    found = log_class_probabilities(np.zeros((1, 3)), tokens, np.array([0]))
    np.testing.assert_allclose(found, [[-0.693, -0.005]], atol=5e-4)
    guidance = guide_to(0, tokens)
    terms = guidance.class_terms(guidance.intercept[None], np.array([0]))
    np.testing.assert_allclose(terms, [[-0.693, -0.005]], atol=5e-4)


@pytest.mark.parametrize("n_outputs", [1, 3, 40])
def test_guidance_counts_intercept_single_tokens_and_pairs(n_outputs):
    random = np.random.default_rng(0)
    n_tokens, n_rows, n_classes = 30, 50, max(2, n_outputs)
    intercept, alone = 3 * random.normal(size=n_outputs), 8 * random.normal(size=(n_tokens, n_outputs))
    pairs = 5 * random.normal(size=(n_tokens, n_tokens, n_outputs))
    pairs[random.random((n_tokens, n_tokens)) < 0.8] = 0
    labels, previous, tokens = (random.integers(n, size=n_rows) for n in (n_classes, n_tokens, n_tokens))
    guidance = Guidance.of_outputs(
        *(each.astype(np.float32) for each in (intercept, alone)), pairs_of(pairs), labels, 1.0
    )
    first = guidance.intercept + guidance.added(np.zeros(n_rows, dtype=int), previous)
    found = guidance.log_class_probabilities(first, previous)
    logits = intercept + (alone + pairs[0])[previous][:, None] + alone + pairs[previous]
    if n_outputs == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=2)
    expected = log_softmax(logits, axis=2)[np.arange(n_rows), :, labels]
    np.testing.assert_allclose(found, expected, atol=1e-4)
    second = first + guidance.added(previous, tokens)
    np.testing.assert_allclose(
        log_softmax(second, axis=1)[np.arange(n_rows), labels], expected[np.arange(n_rows), tokens], atol=1e-4
    )


class Undecided:
    """A decoder to which all tokens are alike."""

    def start(self, z):
        return [[np.zeros((len(z), 1))]]

    def step(self, tokens, states, z):
        return np.zeros((len(z), 6), dtype=np.float32), states


@pytest.mark.parametrize("decoding", ["greedy", "beam"])
def test_what_was_written_counts_for_the_next_token(decoding):
    alone = np.full((6, 3), [-9.0, 9.0, 9.0])
    # After 3, which is best alone, 4 and then 5 bring the class nearer.
    alone[3], alone[4], alone[5] = (1, 0, 0), (0, 0, 0), (0, 0, 0)
    pairs = np.zeros((6, 6, 3))
    pairs[3, 3], pairs[3, 4], pairs[4, 5], pairs[4, 3] = (-5, 0, 0), (1.5, 0, 0), (3, 0, 0), (-5, 0, 0)
    options = DecodingOptions(decoding)
    corpus = decode_tokens(
        Undecided(),
        np.zeros((2, 1)),
        3,
        options,
        guidance=guide_to(0, alone, pairs=pairs_of(pairs)).take([0, 0]),
    )
    assert corpus.padded(3).tolist() == [[3, 4, 5]] * 2


class Scripted:
    """A decoder that may end at once, or writes a first word that two others follow, after which nothing is likely."""

    def start(self, z):
        return [[np.zeros((len(z), 1))]]

    def step(self, previous, states, z):
        chances = np.zeros((len(z), 300))
        chances[:, 2:] = 1 / 298
        chances[previous == 2] = 0.3 / 296 * (np.arange(300) > 3)
        chances[previous == 2, 2:4] = 0.34, 0.36
        chances[previous == 3] = 0.5 * np.isin(np.arange(300), [4, 5])
        return np.log(np.maximum(chances, 1e-30)), states


def test_a_beam_keeps_the_best_text_that_has_ended():
    for beam_width in (2, 3, 4):
        # Two longer texts take its place for a while.
        options = DecodingOptions(decoding="beam", beam_width=beam_width)
        assert decode_tokens(Scripted(), np.zeros((1, 1)), 4, options).lengths.tolist() == [0]


@pytest.mark.parametrize(
    ("method", "mean_lead", "weights"),
    [
        ("edit", 6.25, (10.0, 2.0)),
        ("decode", 6.25, (8.0, 6.0)),
        ("edit", 1.0, (25.0, 2.0)),
        ("edit", 0.01, (25 * 2**0.5, 2.0)),
        ("decode", np.nan, (10.0, 6.0)),
    ],
)
def test_weights_of_rewriting_by_default(method, mean_lead, weights):
    assert default_weights(method, mean_lead) == pytest.approx(weights)


class Branching:
    """A decoder of texts that end at once or after one word, and of one that becomes likely only after its second word."""

    chances = {
        2: {3: 0.35, 4: 0.35, 2: 0.3},
        3: {2: 0.6, 7: 0.4},
        4: {5: 0.35},
        5: {6: 1.0},
        6: {2: 1.0},
    }

    def start(self, z):
        return [[np.zeros((len(z), 1))]]

    def step(self, previous, states, z):
        chances = np.zeros((len(z), 300))
        for row, token in enumerate(previous.tolist()):
            following = self.chances.get(token, {})
            chances[row, 8:] = (1 - sum(following.values())) / 292
            chances[row, list(following)] = list(following.values())
        return np.log(np.maximum(chances, 1e-30)), states


def test_a_beam_keeps_long_texts_by_their_mean():
    """By their sums, three shorter texts come before the beginning of the best one."""
    options = DecodingOptions(decoding="beam", beam_width=3)
    assert decode_tokens(Branching(), np.zeros((1, 1)), 5, options).padded(5).tolist() == [[4, 5, 6, 0, 0]]
