"""A new autoencoder for a corpus."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from .._base.stacklevel import stacklevel_of_user
from .._texts.corpus import Corpus
from .._texts.documents import word_columns
from .._texts.embedding import FittedEmbedder
from .._texts.ids import FIRST_TOKEN_ID
from .._texts.tokenizer import FittedTokenizer
from .._texts.validation import resolve_threshold
from .config import NetworkConfig
from .fitted import FittedAutoencoder
from .stored import FittedNetwork

# Embeddings have a mean squared length of 16, so that one that the latents know exactly gains 48 nats. On TREC, the
# agreement of k-means on latents with the classes was .10, .14, .23, .25, .22 with precisions 0, 2, 6, 20, 60, and the
# accuracy of a regression on them .73, .75, .75, .73, .71.
_EMBEDDING_PRECISION = 6.0
# With fewer documents, the distribution of lengths is too uncertain for a warning.
_DOCUMENTS_TO_JUDGE_BY = 100


def build_autoencoder(
    tokenizer: FittedTokenizer | None,
    corpus: Corpus,
    max_df: float,
    config_of: Callable[[int, int, int], NetworkConfig],
    seed: int,
    embedder: FittedEmbedder | None = None,
    *,
    for_stream: bool = False,
) -> FittedAutoencoder:
    """An untrained autoencoder whose sizes fit the documents.

    Parameters
    ----------
    tokenizer : FittedTokenizer or None
        None if the documents are token ids.
    corpus : Corpus
        The training documents.
    max_df : float or int
        Tokens in more documents than this are left out of the bag of words.
    config_of : callable
        Maps the numbers of token ids, words of the bag, and tokens of a text to the configuration.
    seed : int
        Seed of all random numbers in the network.
    embedder : FittedEmbedder or None, default=None
        What made the embeddings of the corpus.
    for_stream : bool, default=False
        Whether other documents will follow: texts can then be as long as the tokenizer allows. Else no text is longer than
        the longest of these.

    Returns
    -------
    autoencoder : FittedAutoencoder
    """
    from .autoencoder import TextVAE

    if tokenizer is None:
        n_tokens = int(corpus.ids.max(initial=FIRST_TOKEN_ID)) + 1
        max_length = max(1, int(corpus.lengths.max()))
        document_frequency = np.bincount(corpus.counts(n_tokens).indices, minlength=n_tokens)
        n_documents, stop_ids = len(corpus), None
    else:
        n_tokens, max_length = tokenizer.n_tokens_, int(tokenizer.max_length)
        document_frequency = tokenizer.document_frequency_
        n_documents, stop_ids = tokenizer.n_documents_, tokenizer._stop_ids
    columns = word_columns(document_frequency, resolve_threshold(max_df, n_documents), stop_ids)
    config = config_of(n_tokens, int(columns.max() + 1), max_length)
    if config.reads_ids and tokenizer is not None and not for_stream:
        # No longer than the longest text and the boundary that ends it.
        max_length = min(max_length, int(corpus.lengths.max()) + 1)
        config = replace(config, max_length=max_length)
    if embedder is not None:
        config = replace(config, embedder_dim=embedder.n_dims, embedding_precision=_EMBEDDING_PRECISION)
    model = TextVAE(config, seed)
    model.set_background(np.bincount(corpus.ids, minlength=n_tokens)[columns >= 0])
    autoencoder = FittedAutoencoder(
        FittedNetwork(config, model), tokenizer, columns, max_length, embedder=embedder
    )
    warn_if_cut(autoencoder, corpus)
    return autoencoder


def warn_if_cut(autoencoder: FittedAutoencoder, corpus: Corpus) -> None:
    """Warn if most training texts are truncated, since decoded texts will be truncated too."""
    tokenizer, max_length = autoencoder.tokenizer, autoencoder.max_length
    if tokenizer is None or not autoencoder.has_text_decoder or len(corpus) < _DOCUMENTS_TO_JUDGE_BY:
        return
    share = (corpus.lengths >= max_length).mean()
    if share > 0.5 and max_length < tokenizer.max_length:
        warnings.warn(
            f"about {10 * share:.0f} in 10 texts have {max_length} tokens or more, as many as the longest text of the first fit, and"
            " the decoder learns no more of them. Fit anew (warm_start=False) to learn longer texts.",
            UserWarning,
            stacklevel=stacklevel_of_user(),
        )
    elif share > 0.5:
        learns = (
            "ends only: most of what it writes begins in mid-sentence"
            if tokenizer.truncation == "pre"
            else "beginnings only: most of what it writes stops there in mid-sentence"
        )
        # Rounded to tenths, so that all fits of a cross-validation give the same warning, which is shown once.
        warnings.warn(
            f"about {10 * share:.0f} in 10 texts have max_length={max_length} tokens or more, and the"
            f" decoder learns their {learns}. Set"
            f" tokenizer=TextTokenizer(max_length={_round_up(np.quantile(corpus.lengths, 0.9))}) to keep 9 in 10 whole,"
            " split the texts into sentences, or set decoder='bow' if you only need features.",
            UserWarning,
            stacklevel=stacklevel_of_user(),
        )


def _round_up(length: float) -> int:
    """The length plus one for the end of the text, rounded up to two significant digits."""
    step = 10 ** max(0, len(str(int(length) + 1)) - 2)
    return int(-(-(length + 1) // step) * step)
