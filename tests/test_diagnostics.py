"""Closed forms that the estimates have to meet."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from skvae._network import likelihood
from skvae.datasets import make_reviews
from skvae.metrics import (
    active_units,
    antithetic_latents,
    draw_latents,
    effective_sample_size,
    gaussian_kl,
    importance_log_weights,
    importance_weighted_nll,
    mutual_information,
    permuted_latents,
)


def test_kl_of_known_gaussians():
    mean = np.array([[0.0, 0.0], [1.0, -2.0]], dtype=np.float32)
    log_variance = np.log(np.array([[1.0, 1.0], [0.25, 4.0]], dtype=np.float32))
    by_hand = [0.0, 0.5 * (1 + 0.25 - np.log(0.25) - 1) + 0.5 * (4 + 4 - np.log(4) - 1)]
    np.testing.assert_allclose(gaussian_kl(mean, log_variance), by_hand, rtol=1e-6)


def linear_gaussian(random, n_documents=200):
    """z ~ N(0, 1), x | z ~ N(2 z, 1): the evidence is N(0, 5), the posterior N(0.4 x, 0.2)."""
    z = random.standard_normal((n_documents, 1))
    x = 2 * z + random.standard_normal((n_documents, 1))
    return x, lambda latents: -norm.logpdf(x, 2 * latents, 1).sum(axis=1)


def test_importance_weighting_is_exact_with_the_true_posterior():
    random = np.random.default_rng(0)
    x, nll_of = linear_gaussian(random)
    mean, log_variance = (0.4 * x).astype(np.float32), np.full(x.shape, np.log(0.2), dtype=np.float32)
    evidence = -norm.logpdf(x, 0, np.sqrt(5)).sum(axis=1)
    weighted = importance_weighted_nll(nll_of, mean, log_variance, 3, random)
    np.testing.assert_allclose(weighted, evidence, atol=1e-4)


def test_importance_weighting_closes_the_gap_of_a_rough_posterior():
    random = np.random.default_rng(0)
    x, nll_of = linear_gaussian(random)
    mean, log_variance = (0.3 * x).astype(np.float32), np.full(x.shape, np.log(0.4), dtype=np.float32)
    evidence = -norm.logpdf(x, 0, np.sqrt(5)).mean()
    gaps = [
        importance_weighted_nll(nll_of, mean, log_variance, n_draws, random).mean() - evidence
        for n_draws in (1, 10, 1000)
    ]
    assert gaps[0] > gaps[1] > gaps[2] > -0.01
    assert gaps[2] < 0.01 < gaps[0]


def test_mutual_information_of_gaussians_and_its_bounds():
    random = np.random.default_rng(0)
    # Means N(0, 3) with noise 1 in each of two dimensions: 2 * 0.5 * log(4) nats.
    mean = np.sqrt(3) * random.standard_normal((2_000, 2)).astype(np.float32)
    information = mutual_information(mean, np.zeros_like(mean), random)
    assert information == pytest.approx(np.log(4), abs=0.1)
    apart = (1e3 * np.eye(50)).astype(np.float32)
    assert mutual_information(apart, np.zeros_like(apart), random) == pytest.approx(np.log(50), abs=1e-6)
    alike = np.zeros((50, 3), dtype=np.float32)
    assert mutual_information(alike, np.zeros_like(alike), random) == pytest.approx(0, abs=1e-6)


def test_active_units_are_those_that_vary():
    mean = np.zeros((100, 3), dtype=np.float32)
    mean[:, 0] = np.linspace(-1, 1, 100)
    mean[:, 1] = np.linspace(-0.05, 0.05, 100)
    assert active_units(mean) == 1


def test_evidence_of_several_dimensions():
    random = np.random.default_rng(1)
    x = random.standard_normal((50, 3)) * np.sqrt(2)
    mean, log_variance = (x / 2).astype(np.float32), np.full(x.shape, np.log(0.5), dtype=np.float32)
    weighted = importance_weighted_nll(
        lambda latents: -norm.logpdf(x, latents, 1).sum(axis=1), mean, log_variance, 2, random
    )
    expected = -multivariate_normal(np.zeros(3), 2 * np.eye(3)).logpdf(x)
    np.testing.assert_allclose(weighted, expected, atol=1e-4)


def test_effective_sample_size_of_known_weights():
    weights = np.array([[1.0, 1.0, 3.0], [1.0, 1e-9, 1.0], [1.0, 1e-9, 1.0], [1.0, 1e-9, 1.0]])
    found = effective_sample_size(np.log(weights) - 500.0)
    np.testing.assert_allclose(found, [4, 1, 36 / 12], rtol=1e-6)


def test_effective_sample_size_falls_with_the_gap():
    random = np.random.default_rng(0)
    x, nll_of = linear_gaussian(random)
    log_variance = np.full(x.shape, np.log(0.2), dtype=np.float32)
    of_the_posterior = importance_log_weights(nll_of, (0.4 * x).astype(np.float32), log_variance, 50, random)
    np.testing.assert_allclose(effective_sample_size(of_the_posterior), 50, rtol=1e-3)
    beside = importance_log_weights(nll_of, (0.4 * x + 1.5).astype(np.float32), log_variance, 50, random)
    assert effective_sample_size(beside).mean() < 10


def test_permuted_latents_are_all_those_of_others():
    latents = np.arange(50, dtype=np.float32)[:, None]
    for n_documents in (2, 3, 50):
        permuted = permuted_latents(latents[:n_documents], np.random.default_rng(0))
        assert sorted(permuted[:, 0]) == sorted(latents[:n_documents, 0])
        assert (permuted != latents[:n_documents]).all()


def test_mutual_information_is_of_documents_from_all_over(bow_vae, monkeypatch):
    texts, _ = make_reviews(60, random_state=3)
    documents = bow_vae._autoencoder.prepare(bow_vae._autoencoder.read(texts))
    judged = []
    monkeypatch.setattr(likelihood, "_DOCUMENTS_TO_JUDGE_BY", 20)
    monkeypatch.setattr(
        likelihood, "mutual_information", lambda mean, log_variance, random: judged.append(mean) or 0.0
    )
    likelihood.diagnose(bow_vae._autoencoder, documents)
    np.testing.assert_array_equal(judged[0], bow_vae._autoencoder.posterior(documents)[0][::3])


def test_antithetic_latents_lie_opposite_each_other():
    random = np.random.default_rng(0)
    mean, log_variance = random.normal(size=(2, 500, 3)).astype(np.float32)
    latents = antithetic_latents(mean, log_variance, np.random.default_rng(1), 2)
    assert latents.shape == (4, 500, 3)
    assert latents.dtype == np.float32
    np.testing.assert_allclose(latents[::2] + latents[1::2], np.stack([2 * mean] * 2), atol=1e-5)
    noise = (latents - mean) / np.exp(log_variance / 2)
    np.testing.assert_allclose(noise.std(axis=1), 1, atol=0.1)
    assert abs(np.corrcoef(noise[0].ravel(), noise[2].ravel())[0, 1]) < 0.1


def test_the_score_averages_over_opposite_latents(bow_vae, gru_vae, reviews):
    """Of opposite latents, what is linear in the noise cancels: the average is near that of many draws."""
    for vae in (bow_vae, gru_vae):
        X = reviews[0][:30]
        found = vae.score_samples(X)
        autoencoder = vae._autoencoder
        documents = autoencoder.prepare(autoencoder.read(X))
        mean, log_variance = autoencoder.posterior(documents)
        random = np.random.default_rng(0)
        draws = np.stack(
            [
                likelihood._reconstruction(autoencoder, draw_latents(mean, log_variance, random), documents)[
                    0
                ]
                for _ in range(64)
            ]
        )
        expected = -(draws.mean(axis=0) + gaussian_kl(mean, log_variance))
        assert np.std(found - expected) < 0.6 * draws.std(axis=0).mean()
