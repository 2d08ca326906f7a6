"""
What a pre-trained model adds
=============================

A model of the language knows words that few labelled sentences contain. Here it is a table of static word vectors that comes inside
the package ``wordllama``: a sentence is the mean of its words' vectors. As ``embedder``, the classifier reads it beside
what the unlabelled sentences have taught, and finds out from the labels how much to trust either.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import wordllama
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skvae import TextVAEClassifier, TextVAETransformer
from skvae.datasets import load_rotten_tomatoes

sentences = load_rotten_tomatoes(random_state=0)
texts, labels = sentences.data, sentences.target
pool, test = slice(0, 2_000), slice(7_000, None)

embedder = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
plain = TextVAETransformer(decoder="bow", random_state=0).fit(texts[:7_000])
reading = TextVAETransformer(decoder="bow", embedder=embedder, random_state=0).fit(texts[:7_000])

# %%
# The autoencoders are frozen, so that only heads are fitted below.

embed = FunctionTransformer(lambda batch: embedder.embed(list(batch)))
methods = {
    "embedding, logistic regression": make_pipeline(
        embed,
        StandardScaler(),
        GridSearchCV(LogisticRegression(max_iter=1_000), {"C": [1e-4, 1e-3, 1e-2, 1e-1]}),
    ),
    "skvae": TextVAEClassifier(FrozenEstimator(plain), random_state=0),
    "skvae with the embedding": TextVAEClassifier(FrozenEstimator(reading), random_state=0),
}
sizes, n_draws = [50, 100, 200, 500, 1_000, 2_000], 3
parts = {"lexical": "n-grams", "vector": "vector of n-grams", "latent": "encoder", "embedding": "embedding"}
moved = []
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for name, method in methods.items():
    accuracies = np.empty((n_draws, len(sizes)))
    for draw in range(n_draws):
        order = np.random.default_rng(draw).permutation(2_000)
        for column, size in enumerate(sizes):
            rows = order[:size]
            method.fit(texts[pool][rows], labels[pool][rows])
            accuracies[draw, column] = method.score(texts[test], labels[test])
            if name == "skvae with the embedding":
                explained = method.explain(texts[test][:300], y=1, n_contributions=1)
                margins = explained[explained["part"] == "margin"]
                moved.append({"labels": size} | margins[list(parts)].std().to_dict())
    left.plot(sizes, accuracies.mean(axis=0), marker="o", label=name)
left.set(xscale="log", xlabel="labelled sentences", ylabel="accuracy", xticks=sizes, xticklabels=sizes)
left.minorticks_off()
left.legend()

# %%
# On the right, how far each part of the head moves the margin of a sentence in the third method, with more and more labels.

frame = pd.DataFrame(moved).groupby("labels").mean()
for part, name in parts.items():
    right.plot(sizes, frame[part], marker="o", label=name)
right.set(
    xscale="log",
    xlabel="labelled sentences",
    ylabel="standard deviation of the margin, nats",
    xticks=sizes,
    xticklabels=sizes,
)
right.minorticks_off()
right.legend()
plt.show()
