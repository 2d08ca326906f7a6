"""The parts of the loss, as pure functions of tensors. All are nats per document."""

from __future__ import annotations

from typing import Any

from .backend import ops, tf


def gaussian_kl(mean: Any, log_variance: Any) -> Any:
    """KL divergence of diagonal Gaussians from N(0, I), summed over dimensions.

    Parameters
    ----------
    mean, log_variance : tensors of shape (batch, n_components)
        Parameters of q(z|x).

    Returns
    -------
    kl : tensor of shape (batch,)
        Nats per document.

    References
    ----------
    D. P. Kingma and M. Welling, "Auto-Encoding Variational Bayes", ICLR 2014, appendix B.
    https://arxiv.org/abs/1312.6114
    """
    return ops.sum(_kl_of_dimensions(mean, log_variance), axis=-1)


def _kl_of_dimensions(mean: Any, log_variance: Any) -> Any:
    return 0.5 * (ops.square(mean) + ops.exp(log_variance) - log_variance - 1.0)


def kl_above_free_bits(mean: Any, log_variance: Any, free_bits: float) -> Any:
    """KL divergence in which each dimension has a constant cost up to a number of nats.

    Parameters
    ----------
    mean, log_variance : tensors of shape (batch, n_components)
        Parameters of q(z|x).
    free_bits : float
        KL of each dimension that is not penalised, in nats on average over the batch.

    Returns
    -------
    kl : tensor of shape (batch,)
        Nats per document, the same for each.

    References
    ----------
    D. P. Kingma et al., "Improved Variational Inference with Inverse Autoregressive Flow",
    NIPS 2016. https://arxiv.org/abs/1606.04934
    """
    average = ops.mean(_kl_of_dimensions(mean, log_variance), axis=0)
    return ops.broadcast_to(ops.sum(ops.maximum(average, free_bits)), ops.shape(mean)[:1])


def token_nll(logits: Any, targets: Any) -> Any:
    """Negative log-likelihood of each token of sequences; padding is not counted.

    Parameters
    ----------
    logits : tensor of shape (batch, time, n_tokens)
        Unnormalised log-probabilities of each next token.
    targets : integer tensor of shape (batch, time)
        The true tokens, 0 = padding.

    Returns
    -------
    nll : tensor of shape (batch, time)
        Nats per token.
    """
    # A single kernel. The derived gradient of a gathered logit is a scatter into all logits, on one core.
    per_token = ops.sparse_categorical_crossentropy(targets, logits, from_logits=True)
    return per_token * ops.cast(ops.not_equal(targets, 0), per_token.dtype)


def sequence_nll(logits: Any, targets: Any) -> Any:
    """Negative log-likelihood of token sequences, summed over tokens; padding is not counted.

    Parameters
    ----------
    logits : tensor of shape (batch, time, n_tokens)
        Unnormalised log-probabilities of each next token.
    targets : integer tensor of shape (batch, time)
        The true tokens, 0 = padding.

    Returns
    -------
    nll : tensor of shape (batch,)
        Nats per document.
    """
    return ops.sum(token_nll(logits, targets), axis=-1)


def token_accuracy(logits: Any, targets: Any) -> tuple[Any, Any]:
    """Share of tokens with the largest logit at their position, and the number of tokens.

    Parameters
    ----------
    logits : tensor of shape (batch, time, n_tokens)
        Unnormalised log-probabilities of each next token.
    targets : integer tensor of shape (batch, time)
        The true tokens, 0 = padding, which is not counted.

    Returns
    -------
    accuracy, n_tokens : tensors of shape (batch,), dtype float32
    """
    own = ops.squeeze(ops.take_along_axis(logits, ops.expand_dims(targets, -1), axis=-1), -1)
    counted = ops.cast(ops.not_equal(targets, 0), "float32")
    # Not by argmax, which takes several times as long.
    right = ops.cast(own >= ops.max(logits, axis=-1), "float32") * counted
    n_tokens = ops.sum(counted, axis=-1)
    return ops.sum(right, axis=-1) / ops.maximum(n_tokens, 1.0), n_tokens


def multinomial_nll(logits: Any, words: Any, counts: Any) -> Any:
    """Negative log-likelihood of a bag of words, without the multinomial coefficient.

    Parameters
    ----------
    logits : tensor of shape (batch, n_words)
        Unnormalised log-probabilities of the words of a document.
    words : integer tensor of shape (n_nonzero, 2)
        Row and column of the words that occur.
    counts : tensor of shape (n_nonzero,)
        Their counts.

    Returns
    -------
    nll : tensor of shape (batch,)
        Nats per document.
    """

    return _multinomial_nll(logits, tf.cast(words, tf.int64), counts)


def traced_once(*signature: tf.TensorSpec) -> Any:
    """Decorator of a function of tensors with a hand-written gradient.

    TensorFlow never frees a hand-written gradient that it has traced, nor the network around it: 14 MB per
    fit. As a separate function that all networks call, it is traced once.
    """
    return tf.function(input_signature=signature)


@traced_once(
    tf.TensorSpec((None, None), tf.float32),
    tf.TensorSpec((None, 2), tf.int64),
    tf.TensorSpec((None,), tf.float32),
)
def _multinomial_nll(logits: Any, words: Any, counts: Any) -> Any:
    @tf.custom_gradient
    def nll(logits: Any) -> Any:
        rows = words[:, 0]
        n_rows = tf.shape(logits)[0]
        totals = tf.math.unsorted_segment_sum(counts, rows, n_rows)
        largest = tf.reduce_max(logits, axis=1)
        exponentials = tf.exp(logits - largest[:, None])
        normaliser = tf.reduce_sum(exponentials, axis=1)
        seen = tf.math.unsorted_segment_sum(counts * tf.gather_nd(logits, words), rows, n_rows)

        # Hand-written, to pass over the large matrix fewer times than the derived gradient.
        def gradient(upstream: Any) -> Any:
            expected = exponentials * (upstream * totals / normaliser)[:, None]
            # Same result as `tensor_scatter_nd_sub`, which takes twice the time, since it schedules each number separately.
            return tf.raw_ops.SparseTensorDenseAdd(
                a_indices=words,
                a_values=-counts * tf.gather(upstream, rows),
                a_shape=tf.shape(logits, out_type=tf.int64),
                b=expected,
            )

        return totals * (tf.math.log(normaliser) + largest) - seen, gradient

    return nll(logits)


def sparse_matmul(positions: Any, values: Any, n_rows: Any, kernel: Any) -> Any:
    """Product of a sparse matrix and a dense one, with a gradient for the dense one only.

    Parameters
    ----------
    positions : integer tensor of shape (n_nonzero, 2), dtype int64
        Row and column of each value, in the order of the rows.
    values : tensor of shape (n_nonzero,)
        Values of the sparse matrix.
    n_rows : integer
        Number of its rows.
    kernel : tensor of shape (n_columns, units)
        The dense matrix.

    Returns
    -------
    product : tensor of shape (n_rows, units)
    """
    product = _sparse_matmul(positions, values, tf.cast(n_rows, tf.int64), tf.convert_to_tensor(kernel))
    return tf.ensure_shape(product, (None, kernel.shape[1]))


@traced_once(
    tf.TensorSpec((None, 2), tf.int64),
    tf.TensorSpec((None,), tf.float32),
    tf.TensorSpec((), tf.int64),
    tf.TensorSpec((None, None), tf.float32),
)
def _sparse_matmul(positions: Any, values: Any, n_rows: Any, kernel: Any) -> Any:
    shape = tf.stack([n_rows, tf.shape(kernel, out_type=tf.int64)[0]])

    def csr_matrix() -> Any:
        return tf.raw_ops.SparseTensorToCSRSparseMatrix(indices=positions, values=values, dense_shape=shape)

    # CSR matrices are multiplied row by row on all cores. `tf.sparse.sparse_dense_matmul` uses
    # one core, and so does the derived gradient of this product, which does not transpose first.
    @tf.custom_gradient
    def product(kernel: Any) -> Any:
        def gradient(upstream: Any) -> Any:
            # Created again, since TensorFlow cannot pass a CSR matrix from one function to another.
            transposed = tf.raw_ops.SparseMatrixTranspose(input=csr_matrix(), type=values.dtype)
            return tf.raw_ops.SparseMatrixMatMul(a=transposed, b=upstream)

        return tf.raw_ops.SparseMatrixMatMul(a=csr_matrix(), b=kernel), gradient

    return product(kernel)


def linear_warmup(step: Any, n_steps: int) -> Any:
    """Weight of the KL term after `step` updates: from 0 to 1 in `n_steps`, then 1.

    Parameters
    ----------
    step : scalar tensor
        Number of updates so far.
    n_steps : int
        Length of the warm-up; 0 means none.

    Returns
    -------
    weight : scalar tensor, dtype float32

    References
    ----------
    S. R. Bowman et al., "Generating Sentences from a Continuous Space", CoNLL 2016.
    https://aclanthology.org/K16-1002/
    """
    if n_steps <= 0:
        return ops.ones((), dtype="float32")
    return ops.minimum(1.0, ops.cast(step, "float32") / float(n_steps))
