"""
Walking from a bad review to a good one
=======================================

A text decoder turns every point of latent space into a sentence. On the straight line between two sentences, it says what
lies between them, and a classifier that knows nothing of the latents judges each.
"""

import re

import matplotlib.pyplot as plt
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skvae import TextTokenizer, TextVAETransformer
from skvae.datasets import load_imdb
from skvae.plotting import InterpolationDisplay

reviews = load_imdb(n_samples=6_000, random_state=0)

# %%
# The decoder writes sentences, not whole reviews, so it learns from the short sentences in them.


def short_sentences(texts):
    found = {}
    for text in texts:
        for sentence in re.split(r"(?<=[.!?])\s+|<br\s*/?>", text):
            if 4 <= len(sentence.split()) <= 9 and sentence[-1:] in {".", "!", "?"}:
                found[sentence] = None
    return list(found)


sentences = short_sentences(reviews.data)[:6_000]
writer = TextVAETransformer(
    n_components=32,
    tokenizer=TextTokenizer(max_features=2_000, max_length=12),
    decoder_units=(128,),
    posterior_scale=1.0,
    epochs=8,
    random_state=0,
)
writer.fit(sentences)

# %%
# The judge: TF-IDF and logistic regression, fitted to the labels of the reviews.

judge = make_pipeline(TfidfVectorizer(sublinear_tf=True), LogisticRegression(C=10))
judge.fit(reviews.data, [reviews.target_names[label] for label in reviews.target])

# %%
# It is a small decoder, trained for half a minute: it keeps the tone of a sentence better than its words.

InterpolationDisplay.from_estimator(
    writer,
    "This movie is a complete waste of time.",
    "This is a wonderful film and I loved it!",
    classifier=judge,
    n_steps=9,
)
plt.show()
