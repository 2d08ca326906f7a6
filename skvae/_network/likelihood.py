"""Likelihoods of documents, and diagnostics of the latents."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import logsumexp

from .._base.seeds import DocumentNoise, SeedSequence
from .._base.stacklevel import stacklevel_of_user
from .._texts.characters import Characters
from .._texts.corpus import Corpus
from .._texts.documents import Documents, sequential_batches, spread_rows
from .._texts.ids import UNKNOWN_ID
from ..exceptions import CollapseWarning
from ..metrics import (
    active_units,
    antithetic_latents,
    draw_latents,
    effective_sample_size,
    gaussian_kl,
    importance_log_weights,
    mutual_information,
    permuted_latents,
)
from .fitted import FittedAutoencoder, batches_of, many_steps

_DOCUMENTS_TO_JUDGE_BY = 2_000
# Two batches, since more would make a short fit noticeably longer.
_DOCUMENTS_TO_WARN_BY = 128
# Nats per document: above the values of decoders that ignore the latents, and a tenth of the values of the others
# (see docs/architecture.md).
_COLLAPSED_USE = 0.2
_DECODING_BATCH = 64
# Limits the logits of a batch to a few hundred MB.
_LOGITS_PER_BATCH = 100_000_000


def diagnose(
    autoencoder: FittedAutoencoder,
    documents: Documents,
    n_importance_samples: int = 0,
    characters: Characters | None = None,
) -> dict[str, float]:
    """The metrics of `TextVAETransformer.diagnostics`."""
    seeds = SeedSequence(0)
    mean, log_variance = autoencoder.posterior(documents)
    noise = DocumentNoise(documents.keys(), seeds.next())
    latents = antithetic_latents(mean, log_variance, noise, 1)
    of_draws, accuracies = _reconstructions(autoencoder, latents, documents)
    nll = of_draws.mean(axis=0)
    kl = float(gaussian_kl(mean, log_variance).mean())
    some = spread_rows(len(documents), _DOCUMENTS_TO_JUDGE_BY)
    figures = {
        "elbo": -(float(nll.mean()) + kl),
        "nll": float(nll.mean()),
        "kl": kl,
        "mutual_information": mutual_information(
            mean[some], log_variance[some], np.random.default_rng(seeds.next())
        ),
        "active_units": active_units(mean),
    } | accuracies
    if len(documents) > 1:
        random = np.random.default_rng(seeds.next())
        figures["latent_use"] = _rise_with_other_latents(
            autoencoder, latents[0], of_draws[0], documents, _DOCUMENTS_TO_JUDGE_BY, random
        )
    if characters is not None and characters.read.any():
        spelt_out = -figures["elbo"] * len(documents) + characters.spelling.sum()
        figures["nats_per_character"] = float(spelt_out / characters.read.sum())
    if n_importance_samples:
        log_weights = importance_log_weights(
            lambda latents: _reconstruction(autoencoder, latents, documents)[0],
            mean,
            log_variance,
            n_importance_samples,
            noise,
        )
        weighted = np.log(n_importance_samples) - logsumexp(log_weights, axis=0)
        figures["iw_nll"] = float(weighted.mean())
        figures["iw_ess"] = float(effective_sample_size(log_weights).mean())
    return figures


@dataclass(frozen=True)
class Bounds:
    """The ELBO of documents, and what is needed to compare documents of different lengths.

    Parameters
    ----------
    elbo : ndarray of shape (n_documents,), dtype float64
        Nats per document.
    n_tokens : ndarray of shape (n_documents,), dtype int64
        Number of tokens that the decoder predicts, and of unknown ones that it leaves out.
    unknown_cost : ndarray of shape (n_documents,), dtype float64
        Further nats per document for telling which unknown tokens occur.
    """

    elbo: NDArray[np.float64]
    n_tokens: NDArray[np.int64]
    unknown_cost: NDArray[np.float64]

    def per_token(self) -> NDArray[np.float64]:
        """Nats per token, with unknown tokens counted; a document without tokens counts as one of one token."""
        return (self.elbo - self.unknown_cost) / np.maximum(self.n_tokens, 1)


def bounds_of_each(autoencoder: FittedAutoencoder, corpus: Corpus) -> Bounds:
    """The ELBO of each document, which does not depend on other documents."""
    documents = autoencoder.prepare(corpus)
    mean, log_variance = autoencoder.posterior(documents)
    noise = DocumentNoise(documents.keys(), SeedSequence(0).next())
    # The odd terms of the NLL, which are most of its variance, cancel in a pair.
    latents = antithetic_latents(mean, log_variance, noise, 1)
    nll = _reconstructions(autoencoder, latents, documents)[0].mean(axis=0)
    if documents.texts is not None and autoencoder.has_text_decoder:
        n_tokens, is_unknown = documents.texts.lengths, documents.texts.ids == UNKNOWN_ID
        n_unknown = np.bincount(
            np.repeat(np.arange(len(documents)), n_tokens), weights=is_unknown, minlength=len(documents)
        )
    else:
        assert documents.counts is not None
        n_unknown = np.bincount(
            np.repeat(np.arange(len(corpus)), corpus.lengths),
            weights=corpus.ids == UNKNOWN_ID,
            minlength=len(corpus),
        )
        n_tokens = documents.counts.sum(axis=1) + n_unknown
    return Bounds(
        -(nll + gaussian_kl(mean, log_variance)),
        np.asarray(n_tokens, dtype=np.int64),
        n_unknown * np.log(autoencoder.n_tokens),
    )


def _bow_nll(
    autoencoder: FittedAutoencoder, latents: NDArray[np.float32], counts: sp.csr_array
) -> NDArray[np.float64]:
    """Negative log-likelihood of bags of words, without TensorFlow and in double precision.

    In single precision, the last digits of a document depend on the others of its batch.
    """
    weights = autoencoder.network.weights
    kernel = weights["bow_decoder/kernel"].astype(np.float64)
    nll = np.zeros(len(latents))
    for rows in sequential_batches(len(latents), _DECODING_BATCH):
        logits = latents[rows].astype(np.float64) @ kernel + weights["bow_decoder/background"]
        some = counts[rows]
        own = np.asarray(some.multiply(logits).sum(axis=1)).ravel()
        nll[rows] = np.asarray(some.sum(axis=1)).ravel() * logsumexp(logits, axis=1) - own
    return nll


def warn_if_collapsed(autoencoder: FittedAutoencoder, documents: Documents) -> None:
    """Warn if the NLL of some of the documents hardly rises with the latents of others."""
    if len(documents) < 2:
        return
    some = documents.take(spread_rows(len(documents), _DOCUMENTS_TO_WARN_BY))
    seeds = SeedSequence(0)
    latents = draw_latents(*autoencoder.posterior(some), DocumentNoise(some.keys(), seeds.next()))
    nll = _reconstruction(autoencoder, latents, some)[0]
    random = np.random.default_rng(seeds.next())
    use = _rise_with_other_latents(autoencoder, latents, nll, some, len(some), random)
    if use < _COLLAPSED_USE:
        warnings.warn(
            f"the decoder ignores the latents: with those of another document, a document is only {use:.2g} nats"
            " less likely. Train for more epochs, set posterior_scale or free_bits, raise"
            " word_dropout, or lower beta.",
            CollapseWarning,
            stacklevel=stacklevel_of_user(),
        )


def _rise_with_other_latents(
    autoencoder: FittedAutoencoder,
    latents: NDArray[np.float32],
    nll: NDArray[np.float64],
    documents: Documents,
    largest: int,
    random: np.random.Generator,
) -> float:
    """Increase of the NLL, in nats per document, when each document gets the latents of another one."""
    rows = spread_rows(len(documents), largest)
    of_others = permuted_latents(latents[rows], random)
    return float((_reconstruction(autoencoder, of_others, documents.take(rows))[0] - nll[rows]).mean())


def _reconstructions(
    autoencoder: FittedAutoencoder, latents: NDArray[np.float32], documents: Documents
) -> tuple[NDArray[np.float64], dict[str, float]]:
    """`_reconstruction` for each of several draws, of shape (n_draws, n_documents); accuracies averaged."""
    found = [_reconstruction(autoencoder, draw, documents) for draw in latents]
    accuracies = {name: float(np.mean([each[name] for _, each in found])) for name in found[0][1]}
    return np.stack([nll for nll, _ in found]), accuracies


def _reconstruction(
    autoencoder: FittedAutoencoder, latents: NDArray[np.float32], documents: Documents
) -> tuple[NDArray[np.float64], dict[str, float]]:
    """Negative log-likelihood of each document given its latents, and token accuracies."""
    if not autoencoder.has_text_decoder:
        assert documents.counts is not None
        return _bow_nll(autoencoder, latents, documents.counts), {}
    model, config = autoencoder.network.model, autoencoder.network.config
    nll, right = np.zeros(len(documents)), 0
    frequency = np.zeros(config.n_tokens, dtype=np.int64)
    batches = batches_of(documents, _DECODING_BATCH, _LOGITS_PER_BATCH // config.n_tokens)
    compiled = many_steps(documents, len(batches))
    for rows in batches:
        inputs = documents.batch(rows)
        from .objectives import token_nll

        targets = inputs["ids"]
        logits_of = model.logits_of_many if compiled else model.text_decoder.logits
        logits = logits_of(latents[rows], targets)
        # Summed in float64, since float32 loses about 1e-4 nats in sums over hundreds of tokens.
        nll[rows] = token_nll(logits, targets).numpy().sum(axis=1, dtype=np.float64)
        right += int(((logits.numpy().argmax(axis=-1) == targets) & (targets != 0)).sum())
        frequency += np.bincount(targets[targets != 0], minlength=len(frequency))
    n_tokens = int(frequency.sum())
    if not n_tokens:
        return nll, {}
    return nll, {
        "token_accuracy": right / n_tokens,
        "majority_token_accuracy": float(frequency.max() / n_tokens),
    }
