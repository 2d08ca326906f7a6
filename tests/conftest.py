"""Estimators fitted once for all tests: each fit costs a second of tracing."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest

from skvae import TextTokenizer, TextVAETransformer
from skvae.datasets import make_reviews

SMALL = {
    "n_components": 6,
    "embedding_dim": 12,
    "decoder_units": (16,),
    "encoder_units": (16,),
    "random_state": 0,
}


@pytest.fixture(scope="session")
def reviews():
    return make_reviews(160, random_state=0)


@pytest.fixture(scope="session")
def bow_vae(reviews):
    return TextVAETransformer(decoder="bow", epochs=3, **SMALL).fit(reviews[0])


@pytest.fixture(scope="session")
def gru_vae(reviews):
    return TextVAETransformer(
        tokenizer=TextTokenizer(max_length=16), epochs=8, learning_rate=1e-2, **SMALL
    ).fit(reviews[0])


@pytest.fixture(scope="session")
def lstm_vae(reviews):
    return TextVAETransformer(
        tokenizer=TextTokenizer(max_length=16), encoder="bilstm", decoder="lstm", epochs=1, **SMALL
    ).fit(reviews[0])


@pytest.fixture(scope="session")
def repeat_vae(reviews):
    return TextVAETransformer(
        tokenizer=TextTokenizer(max_length=16), decoder="repeat", epochs=1, **SMALL
    ).fit(reviews[0])
