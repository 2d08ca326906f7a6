import numpy as np
import pytest

from skvae import TextTokenizer, TextVAETransformer
from skvae._texts.ids import BOUNDARY_ID

from .conftest import small_vae


def test_recombined_texts_are_read_in_each_epoch(reviews):
    X, _ = reviews
    options = {"decoder": "gru", "batch_size": 16, "epochs": 2, "word_dropout": 0.0}
    plain = small_vae(**options).fit(X)
    more = small_vae(**options, recombination=2.0).fit(X)
    n_steps = [int(vae.model_.optimizer.iterations.numpy()) for vae in (plain, more)]
    assert n_steps == [2 * len(X) // 16, 3 * 2 * len(X) // 16]
    # Latents are normalised over the texts themselves.
    np.testing.assert_allclose(more.transform(X).mean(axis=0), 0, atol=1e-4)
    # Nothing more is read in a pass over a batch, and by a decoder without texts.
    batch = small_vae(**options, recombination=2.0).partial_fit(X)
    bag = small_vae(batch_size=16, recombination=2.0).fit(X)
    recurrent = small_vae(
        encoder="bilstm", batch_size=16, recombination=2.0, embedder=lambda texts: np.ones((len(texts), 2))
    ).fit(X)
    n_steps = [int(vae.model_.optimizer.iterations.numpy()) for vae in (batch, bag, recurrent)]
    assert n_steps == [len(X) // 16] * 3


@pytest.mark.filterwarnings("ignore:about .* in 10 texts have max_length=9")
@pytest.mark.parametrize("truncation", ["pre", "post"])
def test_recombined_texts_end_as_texts_do(monkeypatch, reviews, truncation):
    read = []

    def recording(documents, *arguments):
        read.append(documents)
        raise InterruptedError

    monkeypatch.setattr("skvae._network.pretraining.Batches", recording)
    tokenizer = TextTokenizer(max_length=9, truncation=truncation)
    with pytest.raises(InterruptedError):
        TextVAETransformer(tokenizer=tokenizer, recombination=3).fit(reviews[0])
    texts = read[0].texts
    n_own = len(reviews[0])
    assert len(texts) > 2 * n_own
    is_end = texts.ids == BOUNDARY_ID
    n_ends = np.add.reduceat(is_end, texts.starts[:-1])
    closed = is_end[texts.starts[1:] - 1]
    # Whole texts have one at their end; those that are cut have none.
    np.testing.assert_array_equal(n_ends, closed)
    assert (0 < closed[:n_own].mean() < 1) == (truncation == "post")
    assert (0 < closed[n_own:].mean() < 1) == (truncation == "post")


def test_texts_that_nobody_wrote_have_no_embedding(reviews):
    with pytest.raises(ValueError, match=r"recombination=2.0 .* no embedding, but embedder is set"):
        small_vae(decoder="gru", recombination=2.0, embedder=lambda texts: np.ones((len(texts), 2))).fit(
            reviews[0]
        )
