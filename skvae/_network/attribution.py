"""What each word of a document adds to a linear function of the encoder's output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from .._texts.documents import Documents
from .._texts.ids import FIRST_TOKEN_ID, UNKNOWN_ID
from . import bow_encoder
from .fitted import STEPS_WORTH_COMPILING, FittedAutoencoder

# Below this, a quotient of differences has no accurate digits.
_SMALL = 1e-4
_STEPS_OF_THE_PATH = 16


@dataclass(frozen=True)
class Attributions:
    """A linear function of the encoder's output, split over what the encoder reads.

    Parameters
    ----------
    tokens : CSR array of shape (n_documents, n_tokens)
        Contribution of each token.
    vectors, embeddings : ndarray of shape (n_documents, n_dims), or None
        Slopes in the documents' vectors and in the user's embeddings: what they add is a product with these.
    """

    tokens: sp.csr_array
    vectors: NDArray[np.float32] | None = None
    embeddings: NDArray[np.float32] | None = None


def attributions(
    autoencoder: FittedAutoencoder, documents: Documents, slopes: NDArray[np.float32]
) -> Attributions:
    """Split a linear function of the encoder's output over the words and vectors of documents.

    Contributions are relative to a document without words and with average vectors. Those of a "bow" encoder add
    up to the difference exactly (the rescale rule of DeepLIFT [1]_); those of a recurrent one up to an
    approximated integral, and the effect of the number of words (integrated gradients [2]_).

    Parameters
    ----------
    autoencoder : FittedAutoencoder
    documents : Documents
        A few; the result has a number for each word of the vocabulary.
    slopes : ndarray of shape (n_documents, n_features)
        The linear function of each document's features.

    Returns
    -------
    attributions : Attributions

    References
    ----------
    .. [1] A. Shrikumar, P. Greenside and A. Kundaje, "Learning Important Features Through Propagating Activation
       Differences", ICML 2017. https://arxiv.org/abs/1704.02685
    .. [2] M. Sundararajan, A. Taly and Q. Yan, "Axiomatic Attribution for Deep Networks", ICML 2017.
       https://arxiv.org/abs/1703.01365
    """
    if autoencoder.config.encoder != "bow":
        tokens, dense = _over_positions(autoencoder, documents, slopes)
        return _split(tokens, dense, documents)
    assert documents.counts is not None
    weights, config = autoencoder.network.weights, autoencoder.config
    reference = bow_encoder.pre_activations(autoencoder.without_words(), weights, config)
    raw = bow_encoder.pre_activations(documents, weights, config)
    rescaled = [mean_slopes(_relu, *each) for each in zip(raw, reference, strict=True)]
    of_inputs = bow_encoder.slopes_of_inputs(slopes, rescaled, weights, config)
    logs = documents.counts.copy()
    logs.data = np.log1p(logs.data) * of_inputs[:, : config.n_words][_places(logs)]
    logs.indices = np.flatnonzero(autoencoder.word_columns >= 0)[logs.indices]
    tokens = sp.csr_array(
        (logs.data, logs.indices, logs.indptr), shape=(len(documents), autoencoder.n_tokens)
    )
    return _split(tokens, of_inputs[:, config.n_words :], documents)


def _split(tokens: sp.csr_array, dense: NDArray[np.float32], documents: Documents) -> Attributions:
    """Attributions with the slopes in vectors and those in embeddings apart."""
    width = 0 if documents.vectors is None else documents.vectors.shape[1]
    return Attributions(
        tokens,
        None if documents.vectors is None else dense[:, :width],
        None if documents.embeddings is None else dense[:, width:],
    )


def mean_slopes(
    activation: Callable[[NDArray[Any]], NDArray[Any]], values: NDArray[Any], reference: NDArray[Any]
) -> NDArray[Any]:
    """Average slope of an element-wise function between reference and values, of the shape of `values`."""
    difference = values - reference
    near = np.abs(difference) < _SMALL
    # Around the middle where both are nearly equal.
    middle = (values + reference) / 2
    low = np.where(near, middle - _SMALL / 2, reference)
    high = np.where(near, middle + _SMALL / 2, values)
    return np.asarray((activation(high) - activation(low)) / (high - low))


def _relu(values: NDArray[Any]) -> NDArray[Any]:
    return np.maximum(values, 0)


def _places(matrix: sp.csr_array) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr)), matrix.indices


def _over_positions(
    autoencoder: FittedAutoencoder, documents: Documents, slopes: NDArray[np.float32]
) -> tuple[sp.csr_array, NDArray[np.float32]]:
    """Integrated gradients along the path on which embeddings of tokens, and vectors, grow from zero."""
    assert documents.texts is not None
    shape = (len(documents), autoencoder.n_tokens)
    dense = np.zeros((len(documents), autoencoder.config.dense_dim), dtype=np.float32)
    if not slopes.any():
        return sp.csr_array(shape, dtype=np.float32), dense
    found, compiled = [], int(documents.texts.lengths.sum()) >= STEPS_WORTH_COMPILING
    for row in range(len(documents)):
        inputs = documents.batch(np.array([row]))
        added, dense[row] = autoencoder.network.model.integrated_gradients(
            inputs, slopes[row].astype(np.float32), _STEPS_OF_THE_PATH, compiled=compiled
        )
        ids = inputs["ids"][:, : len(added)]
        known = (ids[0] >= FIRST_TOKEN_ID) | (ids[0] == UNKNOWN_ID)
        found.append((added[known], ids[0][known]))
    indptr = np.cumsum([0, *(len(ids) for _, ids in found)])
    values, columns = (np.concatenate(each) for each in zip(*found, strict=True))
    matrix = sp.csr_array((values, columns, indptr), shape=shape)
    matrix.sum_duplicates()
    return matrix, dense
