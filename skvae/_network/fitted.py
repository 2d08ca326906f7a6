"""A trained autoencoder: reads documents into latents and writes documents from them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from .._base.progress import Progress
from .._texts.corpus import Corpus
from .._texts.documents import Documents, prepare_documents, sequential_batches, spread_rows
from .._texts.embedding import FittedEmbedder
from .._texts.ids import UNKNOWN_ID
from .._texts.ngram_vectors import NgramVectors
from .._texts.splitting import is_word
from .._texts.tokenizer import FittedTokenizer
from .._texts.validation import check_documents
from . import bow_encoder
from .config import NetworkConfig
from .stored import FittedNetwork

_DOCUMENTS_TO_NORMALISE_BY = 10_000
_DOCUMENTS_TO_STANDARDISE_BY = 10_000
_OTHERS_FOR_ONE_LABELLED = 3
_ENCODING_BATCH = 512
# Limits the activations of a recurrent encoder to a few hundred MB.
_STEPS_PER_BATCH = 16_384
_DOCUMENTS_PER_BLOCK = 4_096
_NO_VARIANCE = 1e-10
# More frequent words are named for no latent.
_SHARE_OF_STOP_WORDS = 0.05
_SENTENCE_ENDS = ".!?…。！？।"
# Compiling a recurrent layer takes as long as this many uncompiled steps.
STEPS_WORTH_COMPILING = 300


class FittedAutoencoder:
    """A network together with the conversion of documents to its inputs and of its outputs to documents.

    Parameters
    ----------
    network : FittedNetwork
    tokenizer : TextTokenizer or None
        A fitted tokenizer; None if documents are token ids.
    word_columns : ndarray of shape (n_tokens,), dtype int64
        Column of each token in the bag of words, -1 for those left out.
    max_length : int
        Largest number of tokens that are written.
    ngram_vectors : NgramVectors or None, default=None
        Vectors of n-grams, which documents' vectors are made of.
    """

    # Files of formats 1 and 2 have no such attribute.
    ngram_vectors: NgramVectors | None = None
    embedder: FittedEmbedder | None = None
    # Mean and covariance of the latents of training documents, drawn from their posteriors.
    aggregate: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    def __init__(
        self,
        network: FittedNetwork,
        tokenizer: FittedTokenizer | None,
        word_columns: NDArray[np.int64],
        max_length: int,
        ngram_vectors: NgramVectors | None = None,
        embedder: FittedEmbedder | None = None,
    ) -> None:
        self.network = network
        self.tokenizer = tokenizer
        self.word_columns = word_columns
        self.max_length = max_length
        self.ngram_vectors = ngram_vectors
        self.embedder = embedder
        # Mean and variance of each posterior mean before normalisation, and the number of documents.
        self.moments: tuple[NDArray[np.float64], NDArray[np.float64], int] | None = None

    def __getstate__(self) -> dict[str, Any]:
        # The name in files.
        return {"_moments" if name == "moments" else name: value for name, value in vars(self).items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(
            {"moments" if name == "_moments" else name: value for name, value in state.items()}
        )

    @property
    def config(self) -> NetworkConfig:
        """The configuration of the network."""
        return self.network.config

    @property
    def n_components(self) -> int:
        """Number of latent dimensions."""
        return self.network.config.n_components

    @property
    def n_tokens(self) -> int:
        """Number of token ids, including the reserved ids."""
        return self.network.config.n_tokens

    @property
    def has_text_decoder(self) -> bool:
        """Whether there is a decoder that writes tokens in order."""
        return self.network.config.decoder != "bow"

    @property
    def has_bow_decoder(self) -> bool:
        """Whether there is a decoder of bags of words."""
        return self.network.config.bow_weight > 0

    @property
    def stop_ids(self) -> NDArray[np.int64] | None:
        """Token ids of the stop words."""
        return None if self.tokenizer is None else self.tokenizer._stop_ids

    @property
    def from_lists(self) -> bool:
        """Whether it was fitted on lists of tokens."""
        return self.tokenizer is not None and self.tokenizer._from_lists

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

    def phrase(self, ids: tuple[int, ...]) -> str:
        """An n-gram as it stands in a text, reserved ids by their names; the ids themselves without a tokenizer."""
        if self.tokenizer is None:
            return " ".join(map(str, ids))
        return self.tokenizer._phrase(np.array(ids, dtype=np.int32))

    @property
    def sentence_ends(self) -> NDArray[np.bool_]:
        """Whether each token is a mark that ends a sentence."""
        forms = [] if self.tokenizer is None else self.tokenizer._forms()
        ends = np.zeros(self.n_tokens, dtype=bool)
        ends[: len(forms)] = [form[-1:] in _SENTENCE_ENDS and len(form) > 0 for form in forms]
        return ends

    def read(self, X: Any, *, name: str = "X", fitted: Any = None) -> Corpus:
        """Documents from texts or token ids, whichever this autoencoder was fitted on.

        `fitted` is the estimator whose method was called, and `name` the name of its argument.
        """
        return self.corpus_of(self.judged(X, name, fitted), name)

    def judged(self, X: Any, name: str, fitted: Any) -> list[str] | NDArray[np.int32]:
        """Validated texts or token ids."""
        n_tokens = None if self.tokenizer is None else self.tokenizer.n_tokens_
        return check_documents(X, name=name, n_tokens=n_tokens, fitted=fitted, in_lists=self.from_lists)

    def corpus_of(self, documents: list[str] | NDArray[np.int32], name: str) -> Corpus:
        """Validated documents as token ids, with embeddings if there is an embedder."""
        if isinstance(documents, np.ndarray):
            if self.embedder is not None:
                raise ValueError(f"{name} holds token ids, but the embedder reads texts; pass the texts.")
            corpus = Corpus.from_matrix(documents)
            if self.tokenizer is not None:
                return corpus
            # The tokenizer may have tokens that did not occur when the autoencoder was fitted.
            known = corpus.ids < len(self.word_columns)
            return Corpus(np.where(known, corpus.ids, UNKNOWN_ID).astype(np.int32), corpus.starts)
        if self.tokenizer is None:
            raise ValueError(
                f"{name} holds texts, but this estimator was fitted on token ids; pass the output of transform of the same"
                " TextTokenizer."
            )
        corpus = self.tokenizer._encode(documents)
        return corpus if self.embedder is None else replace(corpus, embeddings=self.embedder.read(documents))

    def read_in_blocks(self, X: Any, *, fitted: Any = None) -> Iterator[Corpus]:
        """Like `read`, in blocks: the results for documents take far more memory than the documents."""
        documents = self.judged(X, "X", fitted)
        for start in range(0, len(documents), _DOCUMENTS_PER_BLOCK):
            yield self.corpus_of(documents[start : start + _DOCUMENTS_PER_BLOCK], "X")

    def prepare(self, corpus: Corpus) -> Documents:
        """The network's input for each document."""
        truncation = "post" if self.tokenizer is None else self.tokenizer.truncation
        config = self.network.config
        documents = prepare_documents(
            corpus,
            self.word_columns if config.reads_counts else None,
            config.n_words,
            config.max_length if config.reads_ids else None,
            truncation=truncation,
        )
        vectors = None if self.ngram_vectors is None else self.ngram_vectors.read(corpus)
        return replace(documents, vectors=vectors, embeddings=corpus.embeddings)

    def without_words(self) -> Documents:
        """The network's input for one document without words, and with average vectors."""
        embeddings = None if self.embedder is None else np.zeros((1, self.embedder.n_dims), dtype=np.float32)
        none = Corpus.from_lengths(np.empty(0, dtype=np.int32), np.zeros(1, dtype=np.int64))
        return self.prepare(replace(none, embeddings=embeddings))

    def learn_vectors(
        self,
        corpus: Corpus,
        seed: int,
        progress: Progress,
        n_labelled: int = 0,
        held_out: NDArray[np.int64] | None = None,
    ) -> None:
        """Learn vectors of n-grams from documents, or go on with those learned before.

        The vectors fit the documents that they were learned from better than new ones. So those that are held out to
        measure the training are left out, and those at the beginning that a class head will be fitted to, if there
        are enough others.
        """
        if not self.config.ngram_dim:
            return
        kept = np.setdiff1d(np.arange(len(corpus)), [] if held_out is None else held_out)
        others = kept[kept >= n_labelled]
        if n_labelled * _OTHERS_FOR_ONE_LABELLED <= len(others):
            kept = others
        if len(kept) < len(corpus):
            corpus = corpus.take(kept)
        if self.ngram_vectors is None:
            vectors = NgramVectors(self.config.ngram_dim)
            self.ngram_vectors = vectors.fit(
                corpus, self.n_tokens, self.stop_ids, seed=seed, progress=progress
            )
        else:
            self.ngram_vectors = self.ngram_vectors.after(corpus, seed=seed, progress=progress)

    def posterior(self, documents: Documents) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Posterior mean and log-variance, both of shape (n_documents, n_components)."""
        network = self.network
        if network.config.encoder == "bow":
            return bow_encoder.posterior(documents, network.weights, network.config)
        means, log_variances = [], []
        batches = batches_of(documents, _ENCODING_BATCH, _STEPS_PER_BATCH)
        compiled = many_steps(documents, len(batches))
        for rows in batches:
            inputs = documents.batch(rows)
            mean, log_variance = (
                network.model.encode_many(inputs["ids"], network.model.vectors_of(inputs))
                if compiled
                else network.model.encode(inputs)
            )
            means.append(mean.numpy())
            log_variances.append(log_variance.numpy())
        return np.concatenate(means), np.concatenate(log_variances)

    def features(self, documents: Documents) -> NDArray[np.float32]:
        """Input of a class head: the posterior mean and, of a "bow" encoder, the hidden layers.

        Returns
        -------
        features : ndarray of shape (n_documents, n_features), dtype float32
        """
        network = self.network
        if network.config.encoder == "bow":
            return bow_encoder.features(documents, network.weights, network.config)
        return self.posterior(documents)[0]

    def features_of_some(self, documents: Documents) -> NDArray[np.float32]:
        """Features of a sample of the documents, evenly spread."""
        return self.features(documents.take(spread_rows(len(documents), _DOCUMENTS_TO_STANDARDISE_BY)))

    def distinctive_words(self) -> NDArray[np.float64]:
        """How much each word tells a latent from the others: for names of latents.

        Weights of the bag-of-words decoder, times the square root of the word's frequency, so that rare words do not
        dominate, and its idf, so that frequent ones do not either. 0 for marks and for words of many documents.

        Returns
        -------
        weights : ndarray of shape (n_components, n_words)
            Positive for words that become more frequent as the latent grows.
        """
        weights = self.network.weights
        log_frequency = log_softmax(weights["bow_decoder/background"].astype(np.float64))
        rarity = self.rarity()
        if self.tokenizer is not None:
            share = self._shares_of_documents()
            is_content = (rarity > 0) & (share <= max(_SHARE_OF_STOP_WORDS, float(np.median(share))))
            rarity = np.where(is_content, rarity, 0) if is_content.any() else rarity
        return np.asarray(weights["bow_decoder/kernel"] * np.exp(log_frequency / 2) * rarity)

    def rarity(self) -> NDArray[np.float64]:
        """Inverse document frequency of each word of the bag-of-words decoder, in nats; 0 for marks.

        Returns
        -------
        rarity : ndarray of float64 of shape (n_words,)
            For an autoencoder of token ids, from the frequencies of tokens instead. 1 where all would be 0.
        """
        if self.tokenizer is None:
            return np.asarray(-log_softmax(self.network.weights["bow_decoder/background"].astype(np.float64)))
        lettered = np.fromiter(map(is_word, map(str, self.words)), dtype=bool, count=len(self.words))
        rarity = lettered * -np.log(np.maximum(self._shares_of_documents(), 1e-9))
        return rarity if rarity.any() else np.ones_like(rarity)

    def _shares_of_documents(self) -> NDArray[np.float64]:
        assert self.tokenizer is not None
        known = self.word_columns >= 0
        return np.asarray(self.tokenizer.document_frequency_[known] / max(1, self.tokenizer.n_documents_))

    def normalise_over(self, documents: Documents, *, keep_history: bool = False) -> None:
        """Set the statistics of the normalisation to those of the documents, and describe their latents.

        Parameters
        ----------
        documents : Documents
        keep_history : bool, default=False
            Whether to combine them with the statistics of earlier documents, weighted by the number of documents.
        """
        if len(documents) > _DOCUMENTS_TO_NORMALISE_BY:
            documents = documents.take(spread_rows(len(documents), _DOCUMENTS_TO_NORMALISE_BY))
        if self.network.config.posterior_scale is None:
            self._describe(*self.posterior(documents), keep_history=keep_history)
            return
        layer = self.network.model.encoder.get_layer("normalization")
        layer.moving_mean.assign(np.zeros(self.n_components))
        layer.moving_variance.assign(np.ones(self.n_components))
        self.network.changed()
        raw, log_variances = self.posterior(documents)
        raw = raw.astype(np.float64) / layer.posterior_scale
        centre, variance, weight = raw.mean(axis=0), raw.var(axis=0), len(raw)
        if keep_history and self.moments is not None:
            old_centre, old_variance, old_weight = self.moments
            total = weight + old_weight
            between = weight * old_weight / total**2 * (centre - old_centre) ** 2
            variance = (weight * variance + old_weight * old_variance) / total + between
            centre = (weight * centre + old_weight * old_centre) / total
            weight = min(total, _DOCUMENTS_TO_NORMALISE_BY)
        self.moments = (centre, variance, weight)
        layer.moving_mean.assign(centre)
        # The variance is 0 if all documents are equal.
        variance = np.where(variance > _NO_VARIANCE, variance, 1.0)
        layer.moving_variance.assign(variance)
        self.network.changed()
        means = layer.posterior_scale * (raw - centre) / np.sqrt(variance)
        self._describe(means, log_variances, keep_history=keep_history)

    def _describe(
        self, means: NDArray[np.floating], log_variances: NDArray[np.floating], *, keep_history: bool
    ) -> None:
        """Mean and covariance of the aggregate posterior; those of earlier documents count as much as the new ones."""
        # A single document has no covariance.
        covariance = np.cov(means, rowvar=False, bias=True).reshape(means.shape[1], -1)
        covariance = covariance + np.diag(np.exp(log_variances.astype(np.float64)).mean(axis=0))
        new = (means.mean(axis=0, dtype=np.float64), covariance)
        if keep_history and self.aggregate is not None:
            new = ((new[0] + self.aggregate[0]) / 2, (new[1] + self.aggregate[1]) / 2)
        self.aggregate = new

    def draw_latents(self, n_samples: int, random: np.random.Generator, *, prior: str) -> NDArray[np.float32]:
        """Latents from N(0, I) ("standard"), or from a Gaussian fitted to those of the training documents ("fitted").

        Files of before have no such description, and the prior is the standard one.
        """
        latents = random.standard_normal((n_samples, self.n_components), dtype=np.float32)
        if prior == "standard" or self.aggregate is None:
            return latents
        mean, covariance = self.aggregate
        return (mean + latents @ np.linalg.cholesky(covariance).T).astype(np.float32)

    def changed(self) -> None:
        """Mark stored weights as stale after training."""
        self.network.changed()

    @contextmanager
    def restored_after(self, *failures: type[BaseException]) -> Iterator[None]:
        """Restore network, optimizer, normalisation and n-gram vectors after one of these exceptions in the block."""
        moments, vectors, aggregate = self.moments, self.ngram_vectors, self.aggregate
        try:
            with self.network.restored_after(*failures):
                yield
        except failures:
            self.moments, self.ngram_vectors, self.aggregate = moments, vectors, aggregate
            raise

    def snapshot(self) -> FittedAutoencoder:
        """A copy with the current weights, which further training does not change."""
        kept = copy.copy(self)
        kept.network = self.network.as_of_now()
        return kept

    def reader(self) -> FittedAutoencoder:
        """A copy that reads documents; without decoders if the encoder runs without Keras."""
        kept = copy.copy(self)
        kept.moments = None
        bow = self.config.encoder == "bow"
        kept.network = self.network.encoder_alone() if bow else self.network.as_of_now()
        return kept

    def as_of_now(self, documents: Documents, *, keep_history: bool = False) -> FittedAutoencoder:
        """A copy in the state that this one would have if its training on these documents ended now."""
        ended = copy.copy(self)
        ended.network = self.network.as_of_now()
        ended.normalise_over(documents, keep_history=keep_history)
        return ended


def batches_of(documents: Documents, largest: int, n_tokens: int) -> list[NDArray[np.integer]]:
    """Consecutive rows in batches of at most `largest` documents and `n_tokens` tokens, padding included."""
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


def many_steps(documents: Documents, n_batches: int) -> bool:
    """Whether there are enough steps of a recurrent layer for compiling to save time."""
    if documents.texts is None:
        return False
    return bool(n_batches * documents.texts.lengths.max(initial=0) >= STEPS_WORTH_COMPILING)
