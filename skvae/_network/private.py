"""The private names of Keras and TensorFlow, in one place: the reason for each, and the effect of its absence."""

from __future__ import annotations

from typing import Any

import numpy as np

from .backend import keras, tf

REDUCTION = "_all_reduce_sum_gradients"


def skip_reduction_of_one_replica(optimizer: keras.optimizers.Optimizer) -> None:
    """Let Keras skip its sum of gradients over replicas if there is only one.

    The sum then changes nothing, but TensorFlow keeps the network in which it was traced for ever: 10 MB per fit.
    Training is the same with a Keras that lacks this method.
    """
    reduce = getattr(optimizer, REDUCTION, None)
    if reduce is None:
        return

    def sum_over_replicas(grads_and_vars: Any) -> Any:
        if tf.distribute.get_strategy().num_replicas_in_sync == 1:
            return list(grads_and_vars)
        return reduce(grads_and_vars)

    setattr(optimizer, REDUCTION, sum_over_replicas)


class BuiltBeforeTraining:
    """Networks whose variables all exist before the first batch.

    Under a `tf.distribute` strategy, Keras would add up the batches of its replicas to find their shape, but
    their shapes differ. If a Keras version builds networks in another way, only such strategies fail.
    """

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        pass


def set_number_of_batches(distributed: tf.distribute.DistributedDataset, n_batches: int) -> None:
    """Set the number of batches of a distributed dataset: one that is made from a function does not know it.

    Otherwise Keras interprets the end of an epoch as missing data, and warns.
    """
    distributed._cardinality = np.int64(n_batches)
