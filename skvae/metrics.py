"""Metrics of a latent space: KL, mutual information, active units, likelihoods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

ACTIVE_UNIT_VARIANCE = 0.01


class NormalNoise(Protocol):
    """Source of noise: a `numpy.random.Generator`, or an object with the same method."""

    def standard_normal(self, size: Any, dtype: Any = ...) -> NDArray[Any]:
        """Draws from N(0, 1)."""


def gaussian_kl(mean: NDArray[np.float32], log_variance: NDArray[np.float32]) -> NDArray[np.float64]:
    """KL divergence of diagonal Gaussians from N(0, I).

    Parameters
    ----------
    mean, log_variance : ndarray of shape (n_samples, n_components)
        Posteriors of the documents.

    Returns
    -------
    kl : ndarray of shape (n_samples,)
        Nats per document, summed over dimensions.
    """
    mean, log_variance = mean.astype(np.float64), log_variance.astype(np.float64)
    return np.asarray(0.5 * (mean**2 + np.exp(log_variance) - log_variance - 1.0).sum(axis=1))


def draw_latents(
    mean: NDArray[np.float32], log_variance: NDArray[np.float32], random: NormalNoise
) -> NDArray[np.float32]:
    """Draw a latent vector for each document from its posterior.

    Parameters
    ----------
    mean, log_variance : ndarray of shape (n_samples, n_components), dtype float32
        Posteriors of the documents.
    random : numpy.random.Generator
        Draws the latents.

    Returns
    -------
    latents : ndarray of shape (n_samples, n_components), dtype float32
    """
    noise = random.standard_normal(mean.shape, dtype=np.float32)
    return np.asarray(mean + np.exp(0.5 * log_variance) * noise)


def antithetic_latents(
    mean: NDArray[np.float32], log_variance: NDArray[np.float32], random: NormalNoise, n_pairs: int
) -> NDArray[np.float32]:
    """Draw pairs of latent vectors that lie opposite each other around the posterior mean.

    An average over them has less variance than one over independent draws (antithetic variates [1]_): whatever is
    linear in the noise cancels.

    Parameters
    ----------
    mean, log_variance : ndarray of shape (n_samples, n_components), dtype float32
        Posteriors of the documents.
    random : numpy.random.Generator
        Draws the latents.
    n_pairs : int
        Pairs of opposite latents for each document.

    Returns
    -------
    latents : ndarray of shape (2 * n_pairs, n_samples, n_components), dtype float32

    References
    ----------
    .. [1] J. M. Hammersley and K. W. Morton, "A New Monte Carlo Technique: Antithetic Variates", Mathematical
       Proceedings of the Cambridge Philosophical Society 52 (3), 1956, pages 449-475.
    """
    drawn = [draw_latents(mean, log_variance, random) for _ in range(n_pairs)]
    return np.stack([each for latents in drawn for each in (latents, 2 * mean - latents)])


def importance_weighted_nll(
    nll_of: Callable[[NDArray[np.float32]], NDArray[np.floating]],
    mean: NDArray[np.float32],
    log_variance: NDArray[np.float32],
    n_draws: int,
    random: NormalNoise,
) -> NDArray[np.float64]:
    """Importance-weighted estimate of the negative log-evidence, -log p(x).

    On average, the estimate is never below the true value, and it gets closer as more latents are drawn. With
    one draw, it estimates the negative ELBO. `effective_sample_size` shows how reliable it is.

    Parameters
    ----------
    nll_of : function
        From latents of shape (n_samples, n_components) to -log p(x|z) of each document.
    mean, log_variance : ndarray of shape (n_samples, n_components), dtype float32
        Posteriors of the documents.
    n_draws : int
        Latents for each document.
    random : numpy.random.Generator
        Draws them.

    Returns
    -------
    nll : ndarray of shape (n_samples,)
        Nats per document.

    References
    ----------
    Y. Burda, R. Grosse and R. Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016.
    https://arxiv.org/abs/1509.00519
    """
    log_weights = importance_log_weights(nll_of, mean, log_variance, n_draws, random)
    return np.asarray(np.log(n_draws) - logsumexp(log_weights, axis=0))


def importance_log_weights(
    nll_of: Callable[[NDArray[np.float32]], NDArray[np.floating]],
    mean: NDArray[np.float32],
    log_variance: NDArray[np.float32],
    n_draws: int,
    random: NormalNoise,
) -> NDArray[np.float64]:
    """Log of the importance weights p(x, z) / q(z | x) of latents drawn from the posterior.

    Parameters
    ----------
    nll_of : function
        From latents of shape (n_samples, n_components) to -log p(x|z) of each document.
    mean, log_variance : ndarray of shape (n_samples, n_components), dtype float32
        Posteriors of the documents.
    n_draws : int
        Latents for each document.
    random : numpy.random.Generator
        Draws them.

    Returns
    -------
    log_weights : ndarray of shape (n_draws, n_samples), dtype float64
    """
    log_weights = np.empty((n_draws, len(mean)))
    for number in range(n_draws):
        z = draw_latents(mean, log_variance, random)
        exact = z.astype(np.float64)
        prior = _log_density(exact, np.zeros_like(exact), np.zeros_like(exact)).sum(axis=1)
        posterior = _log_density(exact, mean.astype(np.float64), log_variance.astype(np.float64)).sum(axis=1)
        log_weights[number] = prior - posterior - nll_of(z)
    return log_weights


def effective_sample_size(log_weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Number of equally weighted draws that are as informative as these weighted ones.

    (sum w)^2 / sum w^2, from 1 (one draw outweighs all others) to the number of draws. Near 1, the
    importance-weighted likelihood depends on a single draw and is too low.

    Parameters
    ----------
    log_weights : ndarray of shape (n_draws, n_samples), dtype float64
        The output of `importance_log_weights`.

    Returns
    -------
    ess : ndarray of shape (n_samples,), dtype float64

    References
    ----------
    A. Kong, "A Note on Importance Sampling Using Standardized Weights", technical report 348,
    Department of Statistics, University of Chicago, 1992.
    """
    return np.asarray(np.exp(2 * logsumexp(log_weights, axis=0) - logsumexp(2 * log_weights, axis=0)))


def permuted_latents(latents: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    """Give each document the latents of another one, using each document's latents once.

    Parameters
    ----------
    latents : ndarray of shape (n_samples, n_components), dtype float32
        Latents of at least two documents.
    random : numpy.random.Generator
        Draws the permutation.

    Returns
    -------
    permuted : ndarray of shape (n_samples, n_components), dtype float32
    """
    order = random.permutation(len(latents))
    permuted = np.empty_like(latents)
    permuted[order] = latents[np.roll(order, 1)]
    return permuted


def active_units(mean: NDArray[np.float32]) -> int:
    """Number of latent dimensions whose posterior mean varies over documents.

    Parameters
    ----------
    mean : ndarray of shape (n_samples, n_components)
        Posterior means.

    Returns
    -------
    n_active : int
        Dimensions whose variance exceeds 0.01.

    References
    ----------
    Y. Burda, R. Grosse and R. Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016.
    https://arxiv.org/abs/1509.00519
    """
    return int((mean.var(axis=0) > ACTIVE_UNIT_VARIANCE).sum())


def mutual_information(
    mean: NDArray[np.float32], log_variance: NDArray[np.float32], random: np.random.Generator
) -> float:
    """Estimate of the mutual information of documents and latents under q.

    It is the average KL minus the KL of the aggregated posterior from the prior. Both are estimated
    from one latent drawn for each document. The estimate cannot exceed log(n_samples).

    Parameters
    ----------
    mean, log_variance : ndarray of shape (n_samples, n_components)
        Posteriors of a sample of documents.
    random : numpy.random.Generator
        Draws the latents.

    Returns
    -------
    information : float
        Nats.

    References
    ----------
    M. D. Hoffman and M. J. Johnson, "ELBO surgery", NIPS 2016 workshop.
    """
    centre, spread = mean.astype(np.float64), log_variance.astype(np.float64)
    n_samples = len(centre)
    z = centre + np.exp(0.5 * spread) * random.standard_normal(centre.shape)
    own = _log_density(z, centre, spread).sum(axis=1)
    precision = np.exp(-spread)
    constant = (spread + np.log(2 * np.pi)).sum(axis=1) + (centre**2 * precision).sum(axis=1)
    # log q(z_i | x_j) for every pair, by expanding the square.
    pairs = -0.5 * (constant[None, :] + z**2 @ precision.T - 2.0 * z @ (centre * precision).T)
    aggregated = logsumexp(pairs, axis=1) - np.log(n_samples)
    return max(0.0, float((own - aggregated).mean()))


def _log_density(
    z: NDArray[np.float64], mean: NDArray[np.float64], log_variance: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.asarray(-0.5 * (np.log(2 * np.pi) + log_variance + (z - mean) ** 2 * np.exp(-log_variance)))
