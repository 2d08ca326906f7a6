"""Documents as arrays, and what a network reads of them."""

from dataclasses import replace

import numpy as np
import pytest

from skvae._texts.corpus import Corpus, ragged_positions
from skvae._texts.documents import Documents, epoch_order, prepare_documents, sequential_batches, word_columns
from skvae._texts.ids import BOUNDARY_ID, FIRST_TOKEN_ID

DOCUMENTS = [[3, 4, 5, 4], [], [6], [5, 3]]


@pytest.fixture
def corpus():
    ids = np.array([token for document in DOCUMENTS for token in document], dtype=np.int32)
    return Corpus.from_lengths(ids, np.array([len(document) for document in DOCUMENTS]))


def documents_of(corpus):
    return [
        corpus.ids[start:end].tolist() for start, end in zip(corpus.starts, corpus.starts[1:], strict=False)
    ]


def test_documents_are_taken_joined_and_thinned(corpus):
    assert documents_of(corpus) == DOCUMENTS
    assert documents_of(corpus.take([3, 1, 0, 3])) == [DOCUMENTS[row] for row in (3, 1, 0, 3)]
    assert documents_of(Corpus.concatenate([corpus, corpus.take([2])])) == [*DOCUMENTS, [6]]
    assert documents_of(corpus.without([4, 6])) == [[3, 5], [], [], [5, 3]]
    assert corpus.lengths.tolist() == [4, 0, 1, 2]


@pytest.mark.parametrize("padding", ["post", "pre"])
@pytest.mark.parametrize("truncation", ["post", "pre"])
def test_a_matrix_is_padded_and_cut_on_the_side_asked_for(corpus, padding, truncation):
    matrix = corpus.padded(3, padding=padding, truncation=truncation)
    cut = [document[:3] if truncation == "post" else document[-3:] for document in DOCUMENTS]
    filled = [[0] * (3 - len(row)) for row in cut]
    expected = [
        row + zeros if padding == "post" else zeros + row for row, zeros in zip(cut, filled, strict=True)
    ]
    assert matrix.tolist() == expected
    assert documents_of(Corpus.from_matrix(matrix)) == cut


def test_counts_leave_out_what_has_no_column(corpus):
    assert corpus.counts(7).toarray()[0].tolist() == [0, 0, 0, 1, 2, 1, 0]
    columns = np.array([-1, -1, -1, 1, 0, -1, -1])
    assert corpus.counts(2, columns=columns).toarray().tolist() == [[2, 1], [0, 0], [0, 0], [0, 1]]
    # Counting does not change the corpus.
    assert documents_of(corpus) == DOCUMENTS


def test_ragged_positions_are_the_ranges_one_after_another():
    assert ragged_positions(np.array([5, 0, 9]), np.array([2, 0, 3])).tolist() == [5, 6, 9, 10, 11]
    assert ragged_positions(np.array([], dtype=int), np.array([], dtype=int)).tolist() == []


def test_a_text_that_ends_is_closed_and_one_that_is_cut_is_not(corpus):
    texts = prepare_documents(corpus, None, 0, 2).texts
    assert documents_of(texts) == [[3, 4], [BOUNDARY_ID], [6, BOUNDARY_ID], [5, 3]]
    texts = prepare_documents(corpus, None, 0, 2, truncation="pre").texts
    assert documents_of(texts) == [[5, 4, BOUNDARY_ID], [BOUNDARY_ID], [6, BOUNDARY_ID], [5, 3, BOUNDARY_ID]]


def test_an_epoch_has_each_document_once_and_no_batch_of_one():
    lengths = np.arange(33) % 5
    ids = np.full(lengths.sum(), FIRST_TOKEN_ID, dtype=np.int32)
    documents = prepare_documents(Corpus.from_lengths(ids, lengths), None, 0, 4)
    batches = epoch_order(documents, 8, np.random.default_rng(0))
    assert sorted(np.concatenate(batches).tolist()) == list(range(33))
    assert {len(batch) for batch in batches} <= {6, 7}
    again = epoch_order(documents, 8, np.random.default_rng(0))
    assert [batch.tolist() for batch in again] == [batch.tolist() for batch in batches]
    assert [batch.tolist() for batch in sequential_batches(5, 2)] == [[0, 1], [2, 3], [4]]


def test_words_in_too_many_documents_have_no_column():
    frequency = np.array([9, 9, 9, 2, 8, 1])
    assert word_columns(frequency, 5).tolist() == [-1, -1, -1, 0, -1, 1]
    assert word_columns(frequency, 5, np.array([3])).tolist() == [-1, -1, -1, -1, -1, 0]
    # A bag that would be empty holds all, but for stop words.
    assert word_columns(frequency, 0.5, np.array([4])).tolist() == [-1, -1, -1, 0, -1, 1]


def test_documents_keep_their_embeddings():
    ids, lengths = np.arange(3, 9, dtype=np.int32), np.array([2, 3, 1])
    corpus = replace(Corpus.from_lengths(ids, lengths), embeddings=np.eye(3, dtype=np.float32))
    taken = corpus.take(np.array([2, 0]))
    assert taken.ids.tolist() == [8, 3, 4]
    assert taken.embeddings.tolist() == [[0, 0, 1], [1, 0, 0]]


def test_a_batch_has_vectors_and_embeddings_side_by_side():
    vectors, embeddings = np.arange(6, dtype=np.float32).reshape(3, 2), np.eye(3, dtype=np.float32)
    documents = Documents(vectors=vectors, embeddings=embeddings)
    rows = np.array([2, 0])
    np.testing.assert_array_equal(documents.batch(rows)["vectors"], np.hstack([vectors, embeddings])[rows])
    np.testing.assert_array_equal(Documents(embeddings=embeddings).batch(rows)["vectors"], embeddings[rows])
    assert Documents(texts=Corpus.from_matrix(np.ones((3, 2), dtype=np.int32))).batch(rows).keys() == {"ids"}
