"""The private names of Keras and TensorFlow, in one place: what each cures, and what happens without it."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

REDUCTION = "_all_reduce_sum_gradients"


def skip_reduction_of_one_replica(optimizer: keras.optimizers.Optimizer) -> None:
    """Let Keras leave out its sum of gradients over replicas where there is one.

    The sum changes nothing there, and TensorFlow keeps the network that it was traced in for ever: 10 MB a fit.
    A Keras without this method trains the same.
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
    """Networks whose variables are all there before the first batch.

    Under a `tf.distribute` strategy Keras would add up the batches of its replicas to see their shape, and
    each has its own. A Keras that asks in another way fails under such a strategy only.
    """

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        pass


def set_number_of_batches(distributed: tf.distribute.DistributedDataset, n_batches: int) -> None:
    """Say how many batches a distributed dataset has: made from a function, it does not know.

    Without it, Keras takes the end of an epoch for missing data, and warns.
    """
    distributed._cardinality = np.int64(n_batches)
