"""
Texts that do not belong
========================

The ELBO bounds the log-probability of a text from below: what an autoencoder of film reviews finds improbable is
probably no film review. Among unseen reviews, we hide pieces of the descriptions of scikit-learn's data sets.
"""

import re

import matplotlib.pyplot as plt
import numpy as np
from sklearn import datasets
from sklearn.metrics import RocCurveDisplay

from skvae import TextVAETransformer
from skvae.datasets import load_imdb

reviews = load_imdb(n_samples=4_500, random_state=0)
vae = TextVAETransformer(n_components=32, decoder="bow", random_state=0).fit(reviews.data[:4_000])

# %%
# All pieces have 40 words, so length does not tell them apart. Tables are left out, because numbers are easy to recognise.

sources = ("breast_cancer", "diabetes", "digits", "iris", "linnerud", "wine")
descriptions = [getattr(datasets, f"load_{name}")().DESCR for name in sources]


def pieces(text):
    """Pieces of 40 words, without tables and headings."""
    words = re.sub(r"[^\w\s.,;:!?'()-]|[=-]{2,}|<br />", " ", text).split()
    found = [words[start : start + 40] for start in range(0, len(words) - 39, 40)]
    return [" ".join(piece) for piece in found if sum(word.strip(".,").isalpha() for word in piece) >= 32]


strange = [part for text in descriptions for part in pieces(text)]
usual = [part for text in reviews.data[4_000:] for part in pieces(text)[:1]]
print(len(usual), "pieces of reviews,", len(strange), "pieces of descriptions")

# %%
# `score_samples` is the ELBO of each text. The ELBO falls with each word, so a long text has a low one whatever it is about. `per_token`
# divides by the number of tokens, and lets unknown tokens count: otherwise a text of unknown words only would be the least
# surprising of all.

surprise = -vae.score_samples([*usual, *strange], per_token=True)
is_strange = np.repeat([False, True], [len(usual), len(strange)])

figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
bins = np.linspace(*np.quantile(surprise, [0.002, 0.998]), 40)
for kind, name in ((False, "film reviews"), (True, "descriptions of data sets")):
    axes[0].hist(surprise[is_strange == kind], bins, alpha=0.6, density=True, label=name)
axes[0].set(xlabel="-ELBO, nats per token", ylabel="share of the texts", yticks=[])
axes[0].legend()
RocCurveDisplay.from_predictions(is_strange, surprise, ax=axes[1], name="-ELBO per token")
axes[1].plot([0, 1], [0, 1], color="0.7", linewidth=1)
plt.show()

# %%
# The most surprising film review, and the description most like one:

print(usual[surprise[~is_strange].argmax()], "\n")
print(strange[surprise[is_strange].argmin()])
