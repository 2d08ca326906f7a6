"""
Few labels and much text
========================

How many labels does a classifier need? TF-IDF and logistic regression learn from labelled reviews only. Here the
autoencoder has read 6,000 reviews without labels first, once for all sizes.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skvae import TextVAEClassifier, TextVAETransformer
from skvae.datasets import load_imdb

reviews = load_imdb(n_samples=9_500, random_state=0)
texts, labels = reviews.data, reviews.target
pool, unlabelled, test = slice(0, 2_000), slice(2_000, 8_000), slice(8_000, None)

vae = TextVAETransformer(decoder="bow", random_state=0).fit(texts[unlabelled])

# %%
# A frozen autoencoder is not trained again, so that fitting the classifier takes about as long as its n-grams do.

sizes, n_draws = [50, 100, 200, 500, 1_000], 2
methods = {
    "TF-IDF + logistic regression": make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=10)
    ),
    "TextVAEClassifier, 6,000 texts without labels": TextVAEClassifier(FrozenEstimator(vae), random_state=0),
}
figure, ax = plt.subplots(layout="constrained")
for name, method in methods.items():
    accuracies = np.empty((n_draws, len(sizes)))
    for draw in range(n_draws):
        order = np.random.RandomState(draw).permutation(2_000)
        for column, size in enumerate(sizes):
            chosen = order[:size]
            method.fit(texts[pool][chosen], labels[pool][chosen])
            accuracies[draw, column] = method.score(texts[test], labels[test])
    ax.errorbar(sizes, accuracies.mean(axis=0), accuracies.std(axis=0), marker="o", capsize=3, label=name)
ax.set(xscale="log", xlabel="labelled reviews", ylabel="accuracy on 1,500 other reviews")
ax.set_xticks(sizes, labels=[f"{size:,}" for size in sizes])
ax.minorticks_off()
ax.grid(alpha=0.3)
ax.legend()
plt.show()
