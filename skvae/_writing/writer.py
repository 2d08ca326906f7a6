"""Texts from the latents of a fitted autoencoder."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from .._network.fitted import FittedAutoencoder
from .._texts.corpus import Corpus
from .._texts.ids import FIRST_TOKEN_ID
from .guidance import Guidance
from .options import DecodingOptions

_WORDS_OF_A_BAG = 20


def write(
    autoencoder: FittedAutoencoder,
    latents: NDArray[np.float32],
    options: DecodingOptions,
    random: np.random.Generator | None,
    guidance: Guidance | None = None,
) -> NDArray[Any]:
    """Write a document from each latent vector.

    Parameters
    ----------
    autoencoder : FittedAutoencoder
    latents : ndarray of shape (n_samples, n_components), dtype float32
    options : DecodingOptions
        How tokens are chosen; a "bow" decoder lists words instead.
    random : numpy.random.Generator or None
        Draws the tokens.
    guidance : Guidance or None, default=None
        Guidance towards a class and towards source documents.

    Returns
    -------
    texts : ndarray of shape (n_samples,), dtype object, or ndarray of shape (n_samples, max_length), dtype int32
        Token ids if there is no tokenizer.
    """
    if autoencoder.has_text_decoder:
        # Imported here, since lists of words need no TensorFlow.
        from .decoding import decode_tokens

        decoder = autoencoder.network.model.text_decoder
        corpus = decode_tokens(decoder, latents, autoencoder.max_length, options, random, guidance)
    else:
        corpus = _list_words(autoencoder, latents)
    tokenizer = autoencoder.tokenizer
    if tokenizer is None:
        return corpus.padded(autoencoder.max_length)
    if autoencoder.has_text_decoder or tokenizer.analyzer in ("bpe", "char"):
        return tokenizer._decode(corpus)
    return _set_apart(corpus, tokenizer._forms())


def write_edited(
    autoencoder: FittedAutoencoder,
    documents: list[Any] | NDArray[np.int32],
    corpus: Corpus,
    edited: list[tuple[list[int], list[int]]],
) -> NDArray[Any]:
    """Write documents whose tokens are partly those of other documents, which stay as they were written.

    Parameters
    ----------
    autoencoder : FittedAutoencoder
    documents : list of length n_documents, or ndarray of shape (n_documents, max_length)
        The other documents.
    corpus : Corpus
        The same as ids.
    edited : list of (list of int, list of int)
        Token ids, and the place in the other document from which a token comes, or -1.

    Returns
    -------
    texts : ndarray of shape (n_documents,), dtype object, or ndarray of shape (n_documents, n_ids), dtype int32
        Token ids if there is no tokenizer, as many columns as those of the documents or as the longest result needs.
    """
    tokenizer = autoencoder.tokenizer
    if isinstance(documents, np.ndarray):
        # Ids that the autoencoder does not know, too.
        exact, table = Corpus.from_matrix(documents), None
    else:
        assert tokenizer is not None
        exact, table = tokenizer._exact(documents)
    lengths = np.array([len(ids) for ids, _ in edited], dtype=np.int64)
    flat = np.array([token for ids, _ in edited for token in ids], dtype=np.int32)
    origins = np.array([origin for _, of_text in edited for origin in of_text], dtype=np.int64)
    rows = np.repeat(np.arange(len(edited)), lengths)
    kept = (origins >= 0) & (exact.lengths == corpus.lengths)[rows]
    flat[kept] = exact.ids[exact.starts[rows[kept]] + origins[kept]]
    written = Corpus.from_lengths(flat, lengths)
    if tokenizer is None:
        return written.padded(max(int(lengths.max()), len(documents[0])))
    if table is None:
        return tokenizer._decode(written)
    texts = np.empty(len(edited), dtype=object)
    for row in range(len(edited)):
        ids = written.ids[written.starts[row] : written.starts[row + 1]]
        texts[row] = table.text(ids[ids >= FIRST_TOKEN_ID])
    return texts


def _set_apart(corpus: Corpus, forms: list[str]) -> NDArray[Any]:
    """Lists of words separated by spaces; a mark with two spacings is listed once."""
    texts = np.empty(len(corpus), dtype=object)
    for row in range(len(corpus)):
        ids = corpus.ids[corpus.starts[row] : corpus.starts[row + 1]]
        texts[row] = " ".join(dict.fromkeys(forms[index] for index in ids))
    return texts


def _list_words(autoencoder: FittedAutoencoder, latents: NDArray[np.float32]) -> Corpus:
    weights = autoencoder.network.weights
    background = weights["bow_decoder/background"]
    log_share = log_softmax(latents @ weights["bow_decoder/kernel"] + background, axis=1)
    # Words are ranked by their part of the divergence from the average document, times the root of their
    # inverse document frequency. By probability, every document would list the same frequent words, and without the
    # second factor, words that say little would often come first. Without the root, fewer of the words occur in the text.
    rarity = autoencoder.rarity()
    part = np.where(
        rarity > 0, np.exp(log_share) * (log_share - log_softmax(background)) * np.sqrt(rarity), -np.inf
    )
    n_words = min(_WORDS_OF_A_BAG, autoencoder.max_length, int((rarity > 0).sum()))
    columns = np.argsort(-part, axis=1, kind="stable")[:, :n_words]
    return Corpus.from_matrix(np.flatnonzero(autoencoder.word_columns >= 0)[columns].astype(np.int32))
