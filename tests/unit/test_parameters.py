import pytest

from skvae import TextVAETransformer
from skvae._estimator.parameters import resolved


def training_of(n_documents, **options):
    parameters = resolved(TextVAETransformer(**options).get_params(deep=False), n_documents)
    return parameters["recombination"], parameters["epochs"]


@pytest.mark.parametrize(
    ("n_documents", "options", "expected"),
    [
        (500, {}, (3, 8)),
        (14_441, {}, (3, 7)),
        (25_000, {}, (3, 4)),
        (50_000, {}, (1, 4)),
        (1_000_000, {}, (0, 4)),
        # Without recombined texts, the texts themselves are read more often.
        (500, {"embedder": len}, (0, 18)),
        (50_000, {"embedder": len}, (0, 8)),
        (500, {"recombination": 0}, (0, 18)),
        (50_000, {"recombination": 3}, (3, 4)),
        # Whoever sets the number of epochs has chosen how long to train.
        (500, {"epochs": 2}, (0, 2)),
        (500, {"epochs": 2, "recombination": 1.5}, (1.5, 2)),
        (500, {"decoder": "bow"}, (0, 8)),
        (500, {"decoder": "repeat"}, (0, 8)),
    ],
)
def test_how_long_to_train_depends_on_the_number_of_texts(n_documents, options, expected):
    assert training_of(n_documents, **options) == expected
