"""Predicted class frequencies before and after fine-tuning."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .._network.fitted import FittedAutoencoder
from .._texts.documents import spread_rows
from .documents import TrainingDocuments
from .head import ClassHead
from .stacking import frequency_shift

_DOCUMENTS_TO_KEEP_BY = 2_000
_FEWEST_TO_KEEP_BY = 100


class ClassFrequencies:
    """Preserves the current mean probability of each class among documents without labels.

    Fine-tuning fits the texts that it sees, and then predicts rarer classes too seldom in others.

    Parameters
    ----------
    head : ClassHead
    autoencoder : FittedAutoencoder
    documents : TrainingDocuments
        With few unlabelled documents, nothing is preserved.
    """

    def __init__(self, head: ClassHead, autoencoder: FittedAutoencoder, documents: TrainingDocuments) -> None:
        n_labelled = len(documents.labels)
        rows = n_labelled + spread_rows(len(documents.read) - n_labelled, _DOCUMENTS_TO_KEEP_BY)
        self.read = documents.read.take(rows)
        self.corpus = documents.corpus.take(rows)
        self.before = self._logits(head, autoencoder) if len(rows) >= _FEWEST_TO_KEEP_BY else None

    def _logits(self, head: ClassHead, autoencoder: FittedAutoencoder) -> NDArray[np.float32]:
        return head.logits(autoencoder.features(self.read), head.inputs(self.corpus, self.read))

    def shift(self, head: ClassHead, autoencoder: FittedAutoencoder) -> NDArray[np.float64]:
        """The shift of the logits that restores the frequencies, of shape (n_outputs,), after head and autoencoder were trained."""
        if self.before is None:
            return np.zeros(head.n_outputs)
        return frequency_shift(self.before, self._logits(head, autoencoder))
