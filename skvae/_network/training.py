"""Runs a Keras network over documents: one dataset, one call of `Model.fit`."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._texts.documents import Documents, epoch_order, sequential_batches
from .backend import tf, tree
from .private import set_number_of_batches

_BATCHES_AHEAD = 2


@contextmanager
def without_warnings_of_tracing() -> Iterator[None]:
    """In the block and its thread, TensorFlow does not warn that a function is traced too often.

    It counts by the function's code, and Keras makes a function of the same code for each fit.
    """
    thread = threading.get_ident()

    def says_something(record: Any) -> bool:
        own = threading.get_ident() == thread
        return not (own and "triggered tf.function retracing" in record.getMessage())

    logger = tf.get_logger()
    logger.addFilter(says_something)
    try:
        yield
    finally:
        logger.removeFilter(says_something)


def resolve_batch_size(batch_size: int | str, n_documents: int, has_text_decoder: bool) -> int:
    """The given number, or for "auto" the size that gives about 100 batches per epoch."""
    if batch_size != "auto":
        return int(batch_size)
    return int(np.clip(n_documents // 100, 16, 64 if has_text_decoder else 256))


@dataclass
class Targets:
    """Targets of a class head, one entry per document.

    Parameters
    ----------
    probabilities : ndarray of shape (n_documents, n_classes), dtype float32
        Target probability of each class.
    weights : ndarray of shape (n_documents,), dtype float32
        Weight of each document in the classification loss.
    offset : ndarray of shape (n_documents, n_outputs), dtype float32
        Logits of other models of the head.
    """

    probabilities: NDArray[np.float32]
    weights: NDArray[np.float32]
    offset: NDArray[np.float32]


class Batches:
    """The batches of each epoch as a `tf.data.Dataset`.

    Parameters
    ----------
    documents : Documents
        The training documents.
    batch_size : int
        Largest size of a batch.
    seed : int or None
        Determines the order of each epoch; None keeps the order of the documents.
    targets : Targets or None, default=None
        For networks with a class head.
    """

    def __init__(
        self,
        documents: Documents,
        batch_size: int,
        seed: int | None,
        *,
        targets: Targets | None = None,
    ) -> None:
        self.documents = documents
        self.batch_size = batch_size
        self.seed = seed
        self.targets = targets
        # Set by `_EpochStart`, so that epoch k has the same order after resumed training.
        self.epoch = 0
        self._ordered: tuple[int, list[NDArray[np.int64]]] | None = None

    @property
    def per_epoch(self) -> int:
        """Number of batches of one epoch."""
        return len(self._order())

    @property
    def steps_per_epoch(self) -> int:
        """Number of updates of one epoch: each replica takes one batch."""
        return -(-self.per_epoch // tf.distribute.get_strategy().num_replicas_in_sync)

    def _order(self) -> list[NDArray[np.int64]]:
        """Rows of each batch of the current epoch."""
        if self._ordered is None or self._ordered[0] != self.epoch:
            if self.seed is None:
                batches = list(sequential_batches(len(self.documents), self.batch_size))
            else:
                random = np.random.default_rng([self.seed, self.epoch])
                batches = epoch_order(self.documents, self.batch_size, random)
            self._ordered = (self.epoch, batches)
        return self._ordered[1]

    def _assemble(self, rows: NDArray[np.int64]) -> tuple[Any, ...]:
        inputs = self.documents.batch(rows)
        if self.targets is None:
            return (inputs,)
        inputs["offset"] = self.targets.offset[rows]
        return inputs, self.targets.probabilities[rows], self.targets.weights[rows]

    def as_dataset(self) -> tf.data.Dataset:
        """A dataset with unknown dimensions, so that no batch shape causes another tracing."""
        # Not Dataset.from_generator: its kernel makes the C library return memory at once in
        # the whole process, and page faults then take up to half of the training time.
        structure = self._assemble(np.arange(1))
        example = tree.flatten(structure)

        # TensorFlow never frees a function that it was given, nor the objects that the function
        # references: here, the documents of every fit.
        weakly = weakref.ref(self)

        def assembled(number: Any) -> list[NDArray[Any]]:
            batches = weakly()
            assert batches is not None
            return tree.flatten(batches._assemble(batches._order()[int(number) % batches.per_epoch]))

        def batch(number: Any) -> tuple[Any, ...]:
            arrays = tf.numpy_function(assembled, [number], [array.dtype for array in example], stateful=True)
            for tensor, array in zip(arrays, example, strict=True):
                tensor.set_shape([None] * array.ndim)
            packed: tuple[Any, ...] = tree.pack_sequence_as(structure, arrays)
            return packed

        strategy = tf.distribute.get_strategy()
        n_replicas = strategy.num_replicas_in_sync
        # Replicas take whole batches, since a bag of words cannot be split along its first axis. If no batches
        # are left for the last replicas, they take the first ones again.
        n_batches = -(-self.per_epoch // n_replicas) * n_replicas
        dataset = tf.data.Dataset.range(n_batches).map(batch).prefetch(_BATCHES_AHEAD)
        # Nothing here is left to TensorFlow to tune. Its tuning thread can miss that it is no longer needed, and what
        # frees the iterator then waits for it, up to a minute. TensorFlow's own datasets for the devices of a strategy
        # are tuned all the same.
        options = tf.data.Options()
        options.autotune.enabled = False
        dataset = dataset.with_options(options)
        # Keeps the batches alive as long as the dataset.
        dataset.batches = self
        if n_replicas == 1:
            return dataset
        distributed = strategy.distribute_datasets_from_function(lambda _: dataset)
        distributed.batches = self
        set_number_of_batches(distributed, n_batches // n_replicas)
        return distributed
