import numpy as np

from skvae._texts.corpus import Corpus
from skvae._texts.recombination import recombined


def corpus_of(*documents):
    return Corpus.from_lengths(
        np.array([token for document in documents for token in document], dtype=np.int32),
        np.array([len(document) for document in documents]),
    )


def documents_of(corpus):
    return [
        tuple(corpus.ids[start:end]) for start, end in zip(corpus.starts[:-1], corpus.starts[1:], strict=True)
    ]


def test_a_recombined_text_goes_over_to_another_one_at_a_shared_token():
    random = np.random.default_rng(0)
    documents = [tuple(random.integers(3, 20, size=random.integers(1, 9))) for _ in range(50)]
    found = documents_of(recombined(corpus_of(*documents), 200, np.random.default_rng(1)))
    assert len(found) == 200
    heads = {
        (document[:place], document[place]) for document in documents for place in range(1, len(document) - 1)
    }
    tails = {document[place:] for document in documents for place in range(len(document))}
    for text in found:
        assert any(
            (text[:place], text[place]) in heads and text[place:] in tails for place in range(1, len(text))
        ), text
    assert max(map(len, found)) <= max(map(len, documents))
    again = recombined(corpus_of(*documents), 200, np.random.default_rng(1))
    assert documents_of(again) == found


def test_what_has_nothing_in_common_is_not_recombined():
    # The unknown token, 1, is the only shared one.
    separate = corpus_of((3, 1, 5), (6, 1, 8), (9,), ())
    assert documents_of(recombined(separate, 10, np.random.default_rng(0))) == []
    assert documents_of(recombined(corpus_of((3, 4), (5, 4)), 10, np.random.default_rng(0))) == []
