"""Linear models, and how they are added up."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from skvae._base.statistics import centre_and_spread, principal_axes
from skvae._head.documents import LabelledDocuments
from skvae._head.fitting import fit_feature_model, fit_linear_head
from skvae._head.linear import fit_linear_model, naive_bayes_scales
from skvae._head.logits import cross_entropy, leads, log_probabilities, residual_of
from skvae._head.stacking import fit_stacking, frequency_shift

N = 240


def drawn(n_classes=3, n_features=8, seed=0):
    """Documents of their own each, features that tell the classes apart somewhat, and weights."""
    random = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(n_classes), random.integers(n_classes, size=N - n_classes)])
    features = random.normal(size=(N, n_features))
    features[np.arange(N), labels] += 1.0
    weights = random.uniform(0.5, 2.0, N)
    rows = np.arange(N)
    return features, LabelledDocuments(rows, rows, rows, labels, weights)


def one_hot(labels, n_classes):
    return np.eye(n_classes)[labels]


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_residuals_are_the_gradient_of_the_cross_entropy(n_outputs):
    random = np.random.default_rng(0)
    logits = random.normal(size=(5, n_outputs))
    labels, weights = random.integers(max(2, n_outputs), size=5), random.uniform(1, 3, 5)
    found = residual_of(logits, labels, weights)
    for row in range(5):
        for output in range(n_outputs):
            step = np.zeros_like(logits)
            step[row, output] = 1e-6
            slope = (
                cross_entropy(logits + step, labels, weights) - cross_entropy(logits - step, labels, weights)
            ) / 2e-6
            assert found[row, output] == pytest.approx(slope * weights.sum(), abs=1e-5)


def test_the_likeliest_class_leads_the_next():
    np.testing.assert_allclose(leads(np.array([[-1.5], [0.25]])), [1.5, 0.25])
    np.testing.assert_allclose(leads(np.array([[3.0, -1.0, 2.5], [0.0, 0.0, -4.0]])), [0.5, 0.0])


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_stacking_keeps_the_shares_and_leaves_noise_out(n_classes):
    features, data = drawn(n_classes)
    folds = data.folds()
    model, good = fit_linear_model(features, data, folds, [1.0])
    noise = np.random.default_rng(1).normal(size=good.shape)
    stacking = fit_stacking([good, noise], data, folds)
    assert stacking.weights[0] > 0.5 > 0.2 > stacking.weights[1]
    probabilities = np.exp(log_probabilities(stacking.logits([good, noise])))
    shares = data.weights @ one_hot(data.labels, n_classes) / data.weights.sum()
    np.testing.assert_allclose(data.weights @ probabilities / data.weights.sum(), shares, atol=0.01)
    # A model counts the same whatever constant its logits have; the prior of the intercept is worth one document.
    moved = good + 3.0
    shifted = fit_stacking([moved, noise], data, folds)
    np.testing.assert_allclose(shifted.weights, stacking.weights, atol=1e-2)
    np.testing.assert_allclose(
        np.exp(log_probabilities(shifted.logits([moved, noise]))), probabilities, atol=1e-2
    )
    assert model.kernel.shape == (features.shape[1], data.n_outputs)


def test_without_out_of_fold_logits_all_count_the_same():
    _, data = drawn()
    stacking = fit_stacking([np.zeros((N, 3)), None], data, data.folds())
    assert stacking.weights.tolist() == [0.5, 0.5]
    assert not stacking.intercept.any()


@pytest.mark.parametrize("sparse", [False, True])
def test_a_linear_model_is_scikit_learns_though_solved_in_fewer_dimensions(sparse):
    features, data = drawn(n_features=600)
    if sparse:
        features = sp.csr_array(np.where(np.abs(features) > 1.5, features, 0))
    model, _ = fit_linear_model(features, data, np.full(N, -1), [0.3])
    plain = LogisticRegression(C=0.3, max_iter=2_000, tol=1e-8)
    plain.fit(features, data.labels, sample_weight=data.weights)
    np.testing.assert_allclose(model.kernel, plain.coef_.T, atol=1e-3)
    np.testing.assert_allclose(
        model.bias - model.bias.mean(), plain.intercept_ - plain.intercept_.mean(), atol=1e-3
    )


def words(n_classes=2, n_features=400, seed=0):
    """Documents of many rare words, a tenth of which tell the classes apart."""
    random = np.random.default_rng(seed)
    labels = np.arange(N) % n_classes
    rates = np.full((n_classes, n_features), 0.05)
    telling = n_features // 10
    rates[:, :telling] = 0.02
    rates[np.arange(telling) % n_classes, np.arange(telling)] = 0.12
    rows = np.arange(N)
    present = (random.random((N, n_features)) < rates[labels]).astype(float)
    return sp.csr_array(present), LabelledDocuments(rows, rows, rows, labels, np.ones(N))


def test_scales_of_naive_bayes_are_differences_of_log_probabilities():
    # Words that only the first class has, that both have, and one of a single document.
    counts = np.array([[1, 1, 0], [1, 1, 1], [0, 1, 0], [0, 1, 0]], dtype=float)
    labels, weights = np.array([0, 0, 1, 1]), np.array([1.0, 3.0, 2.0, 2.0])
    scales = naive_bayes_scales(sp.csr_array(counts), labels, weights)
    found = np.array([[4, 4, 3], [0, 4, 0]])
    expected = found.sum(axis=1, keepdims=True) * found.sum(axis=0) / found.sum()
    ratios = np.log((found + 1) / (expected + 1))
    np.testing.assert_allclose(scales, np.abs(ratios[0] - ratios[1]))
    copied = np.repeat(np.arange(4), weights.astype(int))
    copies = naive_bayes_scales(sp.csr_array(counts[copied]), labels[copied], np.ones(8))
    np.testing.assert_allclose(copies, scales)


def test_a_class_of_one_document_hardly_changes_the_scales():
    features, data = words(3)
    before = naive_bayes_scales(features, data.labels, data.weights)
    with_one = sp.csr_array(sp.vstack([features, np.eye(1, features.shape[1], 399)]))
    after = naive_bayes_scales(with_one, np.append(data.labels, 3), np.append(data.weights, 1.0))
    # Twice the standard deviation over four classes instead of three, of which the fourth differs little.
    assert np.median(after / before) == pytest.approx(1, abs=0.25)
    assert np.argmax(after / before) == 399


def test_scales_are_used_where_they_help():
    features, data = words()
    folds = data.folds()
    new, loss, right = words(seed=1)[0], {}, {}
    for scales in (None, naive_bayes_scales):
        model, out_of_fold = fit_linear_model(features, data, folds, [0.1, 1.0, 10.0], scales=scales)
        stacked = fit_stacking([out_of_fold], data, folds).logits([out_of_fold])
        loss[scales] = cross_entropy(stacked, data.labels, data.weights)
        # The model reads features as they are.
        right[scales] = ((model.logits(new)[:, 0] > 0) == data.labels).mean()
    assert loss[naive_bayes_scales] < loss[None] - 0.02
    assert right[naive_bayes_scales] > right[None] + 0.02


def test_scales_of_a_fold_know_nothing_of_the_documents_left_out():
    features, data = words()
    folds, random = data.folds(), np.random.default_rng(0)
    meaningless = LabelledDocuments(
        data.rows, data.rows, data.rows, random.permutation(data.labels), data.weights
    )
    _, found = fit_linear_model(features, meaningless, folds, [1.0], scales=naive_bayes_scales)
    assert fit_stacking([found], meaningless, folds).weights[0] < 0.05


def test_logits_are_out_of_fold():
    features, data = drawn(2)
    folds = data.folds()
    _, found = fit_linear_model(features, data, folds, [1.0])
    for fold in np.unique(folds):
        train, test = folds != fold, folds == fold
        plain = LogisticRegression(C=1.0, max_iter=1_000).fit(
            features[train], data.labels[train], sample_weight=data.weights[train]
        )
        np.testing.assert_allclose(found[test, 0], plain.decision_function(features[test]), atol=1e-2)


def test_a_shift_gives_the_mean_probabilities_back():
    random = np.random.default_rng(0)
    before, after = random.normal(size=(2, 200, 3)) * 2
    shift = frequency_shift(before, after)
    found, wanted = (np.exp(log_probabilities(logits)).mean(axis=0) for logits in (after + shift, before))
    np.testing.assert_allclose(found, wanted, atol=1e-3)
    assert np.abs(np.exp(log_probabilities(after)).mean(axis=0) - wanted).max() > 5e-3


def losses_of_sums(n_documents, models_of, sums):
    """Mean loss on new documents of each sum: name to a function from the models' logits to those that are stacked."""
    losses = {name: [] for name in sums}
    random = np.random.default_rng(0)
    for _ in range(40):
        labels = random.integers(0, 2, n_documents + 1_000)
        logits = models_of(2 * labels - 1, random)
        rows = np.arange(n_documents)
        data = LabelledDocuments(rows, rows, rows, labels[:n_documents], np.ones(n_documents))
        for name, members_of in sums.items():
            members = [each[:, None] for each in members_of(logits)]
            stacking = fit_stacking([each[:n_documents] for each in members], data, rows % 5)
            found = stacking.logits([each[n_documents:] for each in members])
            losses[name].append(cross_entropy(found, labels[n_documents:], np.ones(1_000)))
    return {name: np.mean(values) for name, values in losses.items()}


def test_with_few_documents_the_sum_is_as_good_as_its_best_member():
    """Two models that know nothing of their own beside one that is good."""

    def models_of(signs, random):
        signal = signs + random.normal(size=len(signs))
        noise = random.normal(size=(2, len(signs)))
        return [signal, 0.3 * signal + noise[0], noise[1]]

    losses = losses_of_sums(60, models_of, {"sum": lambda logits: logits, "best": lambda logits: logits[:1]})
    # By weights that are drawn to equal shares, .04 are lost.
    assert losses["sum"] < losses["best"] + 0.005


def test_with_few_documents_models_that_know_little_do_not_become_sure():
    """Their logits are small and mostly noise, which in 20 documents can look like knowledge."""

    def models_of(signs, random):
        return [0.2 * (0.2 * signs + random.normal(size=len(signs))) for _ in range(3)]

    losses = losses_of_sums(20, models_of, {"sum": lambda logits: logits, "one": lambda logits: logits[:1]})
    # The probabilities of the class frequencies have log(2); with a free scale of each model, these have .72.
    assert losses["sum"] < np.log(2) - 0.01
    assert losses["one"] < np.log(2) + 0.01


def test_the_average_that_weights_are_drawn_to_is_not_left_to_one_of_equals():
    """Three models, each with its own part of what there is to know, and their sum."""

    def models_of(signs, random):
        return [0.8 * signs + random.normal(size=len(signs)) for _ in range(3)]

    sums = {"three": lambda logits: logits, "sum": lambda logits: [sum(logits)]}
    losses = losses_of_sums(300, models_of, sums)
    # With the likelihoods of all 300 documents, nearly all of the average is one model's, and .016 are lost.
    assert losses["three"] < losses["sum"] + 0.012


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_mean_lead_is_that_of_documents_that_were_left_out(n_classes):
    features, data = drawn(n_classes)
    folds = data.folds()
    model, left_out = fit_linear_model(features, data, folds, [1.0])
    stacking = fit_stacking([left_out], data, folds)
    new, _ = drawn(n_classes, seed=1)
    on_new = leads(stacking.logits([model.logits(new)])).mean()
    assert stacking.mean_lead == pytest.approx(on_new, rel=0.15)
    assert np.isnan(fit_stacking([None], data, folds).mean_lead)


def rotated_documents(told_by, n_labelled, n_features=40):
    """Features of 1,000 documents, their labels, and those that are labelled; axis 0 is wide, axis 1 is narrow."""
    random = np.random.default_rng(3)
    axes = random.normal(size=(1_000, n_features))
    axes[:, 0] *= 2
    axes[:, 1] *= 0.3
    labels = (axes[:, told_by] > 0).astype(np.int64)
    rotation = np.linalg.qr(random.normal(size=(n_features, n_features)))[0]
    rows = np.arange(n_labelled)
    data = LabelledDocuments(rows, rows, rows, labels[:n_labelled], np.ones(n_labelled))
    return (axes @ rotation + 5.0).astype(np.float32), labels, data


def auc(model, features, labels):
    return roc_auc_score(labels, model.logits(features)[:, 0])


def test_with_few_labels_directions_count_by_the_variance_of_all_documents():
    features, labels, data = rotated_documents(told_by=0, n_labelled=10)
    found = {}
    for by_variance in (False, True):
        model, out_of_fold = fit_feature_model(
            features[:10], features, data, data.folds(), by_variance=by_variance
        )
        assert out_of_fold.shape == (10, 1)
        found[by_variance] = auc(model, features, labels)
    assert found[True] > found[False] + 0.05
    # Latents are left as they are.
    none = np.zeros((1_000, 1), dtype=np.float32)
    head = fit_linear_head({"latent": (none[:10], none), "embedding": (features[:10], features)}, data)
    assert auc(head.models["embedding"], features, labels) > found[False] + 0.05
    head = fit_linear_head({"latent": (features[:10], features)}, data)
    assert auc(head.layer, features, labels) < found[True] - 0.05


def test_many_labels_overrule_the_variance():
    features, labels, data = rotated_documents(told_by=1, n_labelled=600)
    plain, _ = fit_feature_model(features[:600], features, data, data.folds())
    model, _ = fit_feature_model(features[:600], features, data, data.folds(), by_variance=True)
    expected = auc(plain, features[600:], labels[600:])
    assert expected > 0.8
    assert auc(model, features[600:], labels[600:]) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("values", [np.zeros((5, 3)), np.ones((1, 3)), np.zeros((4, 0))])
def test_documents_that_do_not_differ_leave_all_axes_alike(values):
    values = values.astype(np.float32)
    centre, spread = centre_and_spread(values)
    axes, deviations = principal_axes(values, centre, np.ones_like(spread))
    np.testing.assert_allclose(axes @ axes.T, np.eye(values.shape[1]), atol=1e-6)
    assert deviations.tolist() == [1.0] * values.shape[1]


def test_columns_that_are_constant_change_nothing():
    features, _, data = rotated_documents(told_by=0, n_labelled=40, n_features=4)
    padded = np.column_stack([features, np.full((len(features), 6), 3.0, dtype=np.float32)])
    expected, _ = fit_feature_model(features[:40], features, data, data.folds(), by_variance=True)
    model, _ = fit_feature_model(padded[:40], padded, data, data.folds(), by_variance=True)
    np.testing.assert_allclose(model.kernel[:4], expected.kernel, rtol=1e-3)
    assert np.abs(model.kernel[4:]).max() < 1e-6


def test_axes_of_many_documents_are_those_of_documents_that_are_spread_evenly(monkeypatch):
    features, labels, data = rotated_documents(told_by=0, n_labelled=10)
    monkeypatch.setattr("skvae._head.fitting._DOCUMENTS_FOR_AXES", 300)
    # The first documents do not differ.
    everything = np.concatenate([np.repeat(features.mean(axis=0)[None], 1_000, axis=0), features])
    plain, _ = fit_feature_model(features[:10], everything, data, data.folds())
    model, _ = fit_feature_model(features[:10], everything, data, data.folds(), by_variance=True)
    assert auc(model, features, labels) > auc(plain, features, labels) + 0.05
