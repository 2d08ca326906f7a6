"""Fit a small classifier that writes, and save it for the page: python train.py [FILE]."""

import sys

import joblib
from sklearn.frozen import FrozenEstimator

from skvae import TextTokenizer, TextVAEClassifier, TextVAETransformer
from skvae.datasets import make_reviews

texts, labels = make_reviews(5_000, random_state=0)
writer = TextVAETransformer(
    n_components=16,
    tokenizer=TextTokenizer(max_length=16),
    encoder="bilstm",
    encoder_units=(64,),
    decoder_units=(64,),
    posterior_scale=1.0,
    epochs=10,
    learning_rate=1e-2,
    random_state=0,
).fit(texts)
names = ["negative" if label == 0 else "positive" for label in labels]
classifier = TextVAEClassifier(FrozenEstimator(writer), random_state=0).fit(texts, names)
path = sys.argv[1] if len(sys.argv) > 1 else "explorer.joblib"
joblib.dump((classifier, texts), path)
print(f"wrote {path}")
