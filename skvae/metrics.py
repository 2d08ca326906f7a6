"""What a latent space carries: KL, mutual information, active units, likelihoods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

ACTIVE_UNIT_VARIANCE = 0.01


class NormalNoise(Protocol):
    """What draws noise: a `numpy.random.Generator`, or something that is asked in the same way."""

    def standard_normal(self, size: Any, dtype: Any = ...) -> NDArray[Any]:
        """Draws from N(0, 1)."""


def gaussian_kl(mean: NDArray[np.float32], log_variance: NDArray[np.float32]) -> NDArray[np.float64]:
    """KL divergence of diagonal Gaussians from N(0, I).

    Parameters
    ----------
    mean, log_variance : ndarray of shape (n_samples, n_components)

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
    """A latent vector of each document from its posterior.

    Parameters
    ----------
    mean, log_variance : ndarray of shape (n_samples, n_components), dtype float32
    random : numpy.random.Generator

    Returns
    -------
    latents : ndarray of shape (n_samples, n_components), dtype float32
    """
    noise = random.standard_normal(mean.shape, dtype=np.float32)
    return np.asarray(mean + np.exp(0.5 * log_variance) * noise)


def importance_weighted_nll(
    nll_of: Callable[[NDArray[np.float32]], NDArray[np.floating]],
    mean: NDArray[np.float32],
    log_variance: NDArray[np.float32],
    n_draws: int,
    random: NormalNoise,
) -> NDArray[np.float64]:
    """Importance-weighted estimate of the negative log-evidence, -log p(x).

    Never below it on average, and closer to it the more latents are drawn; the negative ELBO is
    the estimate from one. How far it may be trusted, `effective_sample_size` tells.

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
    """How many draws with equal weights tell as much as these with unequal ones.

    (sum w)^2 / sum w^2: from 1, where one draw outweighs all others, to the number of draws. Near 1, the
    importance-weighted likelihood rests on the luckiest draw and is too low.

    Parameters
    ----------
    log_weights : ndarray of shape (n_draws, n_samples), dtype float64
        As `importance_log_weights` gives them.

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
    """To each document the latents of another one, each document's once.

    Parameters
    ----------
    latents : ndarray of shape (n_samples, n_components), dtype float32
        Of two documents or more.
    random : numpy.random.Generator
        Draws whose.

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

    The average KL minus the KL of the aggregated posterior from the prior; both are estimated
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
