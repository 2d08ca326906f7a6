"""A trained autoencoder: reads documents into latents and writes documents from them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, logsumexp

from . import _bow_encoder
from ._batches import Documents, prepare_documents, sequential_batches, spread_rows
from ._characters import Characters
from ._corpus import Corpus
from ._decoding_options import DecodingOptions
from ._guidance import Guidance
from ._seeds import DocumentNoise, SeedSequence
from ._state import FittedNetwork
from ._validation import check_documents
from .diagnostics import (
    active_units,
    draw_latents,
    effective_sample_size,
    gaussian_kl,
    importance_log_weights,
    mutual_information,
    permuted_latents,
)
from .tokenization import UNKNOWN_ID, TextTokenizer

_DOCUMENTS_TO_JUDGE_BY = 2_000
_WORDS_OF_A_BAG = 20
# Two batches: more would make a short fit noticeably longer.
_DOCUMENTS_TO_WARN_BY = 128
_DOCUMENTS_TO_NORMALISE_BY = 10_000
_ENCODING_BATCH = 512
_DECODING_BATCH = 64
# Of a recurrent layer and of the logits, what lies between comes to some hundred MB.
_STEPS_PER_BATCH = 16_384
_LOGITS_PER_BATCH = 100_000_000
_DOCUMENTS_PER_BLOCK = 4_096
_NO_VARIANCE = 1e-10
# Compiling a recurrent layer takes as long as this many steps without.
_STEPS_WORTH_COMPILING = 300


class FittedAutoencoder:
    """A network together with what turns documents into its inputs and its outputs into documents.

    Parameters
    ----------
    network : FittedNetwork
    tokenizer : TextTokenizer or None
        A fitted one; None where documents come and go as token ids.
    word_columns : ndarray of shape (n_tokens,), dtype int64
        Column of each token in the bag of words, -1 for those left out.
    max_length : int
        Tokens that are written at most.
    """

    def __init__(
        self,
        network: FittedNetwork,
        tokenizer: TextTokenizer | None,
        word_columns: NDArray[np.int64],
        max_length: int,
    ) -> None:
        self.network = network
        self.tokenizer = tokenizer
        self.word_columns = word_columns
        self.max_length = max_length
        # Mean and variance of each posterior mean before normalisation, and of how many documents.
        self._moments: tuple[NDArray[np.float64], NDArray[np.float64], int] | None = None

    @property
    def n_components(self) -> int:
        """Number of latent dimensions."""
        return self.network.config.n_components

    @property
    def words(self) -> NDArray[np.object_]:
        """The word of each column of the bag of words; token ids without a tokenizer."""
        return self.tokens[self.word_columns >= 0]

    @property
    def tokens(self) -> NDArray[np.object_]:
        """The token of each id; the ids themselves without a tokenizer."""
        if self.tokenizer is None:
            return np.arange(len(self.word_columns)).astype(object)
        return self.tokenizer.tokens_

    def read(self, X: Any, *, name: str = "X", fitted: Any = None) -> Corpus:
        """Documents from texts or token ids, whichever this autoencoder was fitted on.

        `fitted` is the estimator whose method was called with them, and `name` how it calls them.
        """
        return self._corpus(self._judged(X, name, fitted), name)

    def _judged(self, X: Any, name: str, fitted: Any) -> list[str] | NDArray[np.int32]:
        n_tokens = None if self.tokenizer is None else self.tokenizer.n_tokens_
        in_lists = self.tokenizer is not None and self.tokenizer._from_lists
        return check_documents(X, name=name, n_tokens=n_tokens, fitted=fitted, in_lists=in_lists)

    def _corpus(self, documents: list[str] | NDArray[np.int32], name: str) -> Corpus:
        if isinstance(documents, np.ndarray):
            corpus = Corpus.from_matrix(documents)
            if self.tokenizer is not None:
                return corpus
            # A token that the tokenizer knows need not occur in what the autoencoder was fitted on.
            known = corpus.ids < len(self.word_columns)
            return Corpus(np.where(known, corpus.ids, UNKNOWN_ID).astype(np.int32), corpus.starts)
        if self.tokenizer is None:
            raise ValueError(
                f"{name} holds texts, but this estimator was fitted on token ids; pass what the same TextTokenizer's"
                " transform returns."
            )
        return self.tokenizer.encode(documents)

    def read_in_blocks(self, X: Any, *, fitted: Any = None) -> Iterator[Corpus]:
        """As `read`, some documents at a time: what is made of them takes far more memory than they do."""
        documents = self._judged(X, "X", fitted)
        for start in range(0, len(documents), _DOCUMENTS_PER_BLOCK):
            yield self._corpus(documents[start : start + _DOCUMENTS_PER_BLOCK], "X")

    def prepare(self, corpus: Corpus) -> Documents:
        """What the network reads of each document."""
        truncation = "post" if self.tokenizer is None else self.tokenizer.truncation
        return prepare_documents(corpus, self.network.config, self.word_columns, truncation=truncation)

    def posterior(self, documents: Documents) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Posterior mean and log-variance, both of shape (n_documents, n_components)."""
        network = self.network
        if network.config.encoder == "bow":
            return _bow_encoder.posterior(documents.counts, network.weights, network.config)
        means, log_variances = [], []
        batches = _batches(documents, _ENCODING_BATCH, _STEPS_PER_BATCH)
        compiled = _many_steps(documents, len(batches))
        for rows in batches:
            inputs = documents.batch(rows)
            mean, log_variance = (
                network.model.encode_many(inputs["ids"]) if compiled else network.model.encode(inputs)
            )
            means.append(mean.numpy())
            log_variances.append(log_variance.numpy())
        return np.concatenate(means), np.concatenate(log_variances)

    def features(self, documents: Documents) -> NDArray[np.float32]:
        """What a class head reads: the posterior mean and, of a "bow" encoder, its hidden layers.

        Returns
        -------
        features : ndarray of shape (n_documents, n_features), dtype float32
        """
        network = self.network
        if network.config.encoder == "bow":
            return _bow_encoder.features(documents.counts, network.weights, network.config)
        return self.posterior(documents)[0]

    def feature_directions(self) -> tuple[list[str], NDArray[np.float32] | None]:
        """What each feature is about, in words.

        Returns
        -------
        parts : list of str
            Of each feature, the part of the encoder it comes from: "latent", or "hidden_0", ...
        directions : ndarray of shape (n_features, n_words), dtype float32, or None
            How much more of each word goes with more of the feature: for a latent by the
            bag-of-words decoder, for a hidden unit by the kernels from the words to it. Weighed
            by the square root of the words' frequencies, so that rare words do not lead. None
            without a bag-of-words decoder.
        """
        weights, config = self.network.weights, self.network.config
        hidden = config.hidden_layer_names if config.encoder == "bow" else []
        kernels = [weights[f"encoder/{name}/kernel"] for name in hidden]
        parts = ["latent"] * config.n_components
        for name, kernel in zip(hidden, kernels, strict=True):
            parts += [name] * kernel.shape[1]
        if config.bow_weight == 0:
            return parts, None
        paths = [path.T for path in accumulate(kernels, np.matmul)]
        frequency = np.exp(log_softmax(weights["bow_decoder/background"]))
        return parts, np.concatenate([weights["bow_decoder/kernel"], *paths]) * np.sqrt(frequency)

    def normalise_over(self, documents: Documents, *, keep_history: bool = False) -> None:
        """Give the normalisation the statistics of the documents instead of the last batches'.

        Parameters
        ----------
        documents : Documents
        keep_history : bool, default=False
            Whether statistics of earlier documents count on, by the number of documents.
        """
        if self.network.config.posterior_scale is None:
            return
        if len(documents) > _DOCUMENTS_TO_NORMALISE_BY:
            documents = documents.take(spread_rows(len(documents), _DOCUMENTS_TO_NORMALISE_BY))
        layer = self.network.model.encoder.get_layer("normalization")
        layer.moving_mean.assign(np.zeros(self.n_components))
        layer.moving_variance.assign(np.ones(self.n_components))
        self.network.changed()
        raw = self.posterior(documents)[0].astype(np.float64) / layer.posterior_scale
        centre, variance, weight = raw.mean(axis=0), raw.var(axis=0), len(raw)
        if keep_history and self._moments is not None:
            old_centre, old_variance, old_weight = self._moments
            total = weight + old_weight
            between = weight * old_weight / total**2 * (centre - old_centre) ** 2
            variance = (weight * variance + old_weight * old_variance) / total + between
            centre = (weight * centre + old_weight * old_centre) / total
            weight = min(total, _DOCUMENTS_TO_NORMALISE_BY)
        self._moments = (centre, variance, weight)
        layer.moving_mean.assign(centre)
        # Documents that are all alike have no spread to normalise by.
        layer.moving_variance.assign(np.where(variance > _NO_VARIANCE, variance, 1.0))
        self.network.changed()

    def snapshot(self) -> FittedAutoencoder:
        """A copy with the weights of now, which further training of this one leaves alone."""
        kept = copy.copy(self)
        kept.network = self.network.as_of_now()
        return kept

    def as_of_now(self, documents: Documents, *, keep_history: bool = False) -> FittedAutoencoder:
        """A copy that is what this one would be if its training ended now, on these documents."""
        ended = copy.copy(self)
        ended.network = self.network.as_of_now()
        ended.normalise_over(documents, keep_history=keep_history)
        return ended

    def diagnostics(
        self,
        documents: Documents,
        n_importance_samples: int = 0,
        characters: Characters | None = None,
    ) -> dict[str, float]:
        """Likelihoods, and figures that tell what the latents carry, as `TextVAETransformer.diagnostics` has them."""
        seeds = SeedSequence(0)
        mean, log_variance = self.posterior(documents)
        noise = DocumentNoise(documents.keys(), seeds.next())
        latents = draw_latents(mean, log_variance, noise)
        nll, accuracies = self._reconstruction(latents, documents)
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
            figures["latent_use"] = self._latent_use(latents, nll, documents, _DOCUMENTS_TO_JUDGE_BY, random)
        if characters is not None and characters.read.any():
            spelt_out = -figures["elbo"] * len(documents) + characters.spelling.sum()
            figures["nats_per_character"] = float(spelt_out / characters.read.sum())
        if n_importance_samples:
            log_weights = importance_log_weights(
                lambda latents: self._reconstruction(latents, documents)[0],
                mean,
                log_variance,
                n_importance_samples,
                noise,
            )
            weighted = np.log(n_importance_samples) - logsumexp(log_weights, axis=0)
            figures["iw_nll"] = float(weighted.mean())
            figures["iw_ess"] = float(effective_sample_size(log_weights).mean())
        return figures

    def latent_use(self, documents: Documents) -> float:
        """Nats per document by which the NLL of some of the documents rises with the latents of others."""
        some = documents.take(spread_rows(len(documents), _DOCUMENTS_TO_WARN_BY))
        seeds = SeedSequence(0)
        latents = draw_latents(*self.posterior(some), DocumentNoise(some.keys(), seeds.next()))
        nll = self._reconstruction(latents, some)[0]
        return self._latent_use(latents, nll, some, len(some), np.random.default_rng(seeds.next()))

    def _latent_use(
        self,
        latents: NDArray[np.float32],
        nll: NDArray[np.float64],
        documents: Documents,
        largest: int,
        random: np.random.Generator,
    ) -> float:
        rows = spread_rows(len(documents), largest)
        of_others = permuted_latents(latents[rows], random)
        return float((self._reconstruction(of_others, documents.take(rows))[0] - nll[rows]).mean())

    def _reconstruction(
        self, latents: NDArray[np.float32], documents: Documents
    ) -> tuple[NDArray[np.float64], dict[str, float]]:
        """Negative log-likelihood of each document given its latents, and token accuracies."""
        model, config = self.network.model, self.network.config
        nll, right = np.zeros(len(documents)), 0
        frequency = np.zeros(config.n_tokens, dtype=np.int64)
        batches = _batches(documents, _DECODING_BATCH, _LOGITS_PER_BATCH // config.n_tokens)
        compiled = _many_steps(documents, len(batches))
        for rows in batches:
            inputs = documents.batch(rows)
            if model.text_decoder is None:
                nll[rows] = model.decode_nll(latents[rows], inputs)["nll_bow"].numpy()
                continue
            from .objectives import token_nll

            targets = inputs["ids"]
            logits_of = model.logits_of_many if compiled else model.text_decoder.logits
            logits = logits_of(latents[rows], targets)
            # In float64: what is left of float32 after the sum over hundreds of tokens is less than 1e-4 nats.
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

    def write(
        self,
        latents: NDArray[np.float32],
        options: DecodingOptions,
        random: np.random.Generator,
        guidance: Guidance | None = None,
    ) -> NDArray[Any]:
        """Texts, or token ids without a tokenizer, from latents of shape (n_samples, n_components)."""
        if self.network.config.decoder == "bow":
            corpus = self._list_words(latents)
        else:
            from .decoding import decode_tokens

            decoder = self.network.model.text_decoder
            corpus = decode_tokens(decoder, latents, self.max_length, options, random, guidance)
        if self.tokenizer is None:
            return corpus.padded(self.max_length)
        return self.tokenizer.decode(corpus)

    def _list_words(self, latents: NDArray[np.float32]) -> Corpus:
        weights = self.network.weights
        background = weights["bow_decoder/background"]
        log_share = log_softmax(latents @ weights["bow_decoder/kernel"] + background, axis=1)
        # A word's part in the divergence from the average document; by probability alone,
        # every document would list the same frequent words.
        part = np.exp(log_share) * (log_share - log_softmax(background))
        n_words = min(_WORDS_OF_A_BAG, self.max_length)
        columns = np.argsort(-part, axis=1, kind="stable")[:, :n_words]
        return Corpus.from_matrix(np.flatnonzero(self.word_columns >= 0)[columns].astype(np.int32))


def _batches(documents: Documents, largest: int, n_tokens: int) -> list[NDArray[np.integer]]:
    """Consecutive rows, as many at a time as have so many tokens when padded to the longest of them."""
    if documents.texts is None:
        return list(sequential_batches(len(documents), largest))
    starts, longest = [0], 0
    for row, length in enumerate(documents.texts.lengths):
        longest = max(longest, length)
        n_rows = row + 1 - starts[-1]
        if n_rows > 1 and (n_rows > largest or n_rows * longest > n_tokens):
            starts.append(row)
            longest = length
    return [np.arange(*ends) for ends in pairwise([*starts, len(documents)])]


def _many_steps(documents: Documents, n_batches: int) -> bool:
    """Whether so many steps of a recurrent layer lie ahead that compiling it pays."""
    if documents.texts is None:
        return False
    return bool(n_batches * documents.texts.lengths.max(initial=0) >= _STEPS_WORTH_COMPILING)
