"""
What moved a prediction
=======================

The margin of a class is a sum: of linear models of n-grams, of the text's vector and of the encoder's output. ``explain`` splits each of
them over the n-grams of the text, so that an n-gram has one contribution through all of them.
"""

import matplotlib.pyplot as plt

from skvae import TextVAEClassifier
from skvae.datasets import load_imdb
from skvae.plotting import ExplanationDisplay

reviews = load_imdb(n_samples=5_000, random_state=0)
classifier = TextVAEClassifier(random_state=0)
classifier.fit(reviews.data[:1_000], reviews.target[:1_000], X_unlabeled=reviews.data[1_000:4_500])
print(f"accuracy: {classifier.score(reviews.data[4_500:], reviews.target[4_500:]):.3f}")

# %%
# As a table: first the margin and its parts, then the n-grams that moved it most, then the rest. An n-gram includes the shorter
# ones within it.

text = "a dull, badly acted mess -- but the music is great! I'd call it a waste of time; the only good scene is the last one."
classifier.explain([text]).round(2).drop(columns="document")

# %%
# As a picture. The negative class is class 0: what is blue speaks for it.

display = ExplanationDisplay.from_estimator(classifier, text, y=0)
plt.show()

# %%
# And as the text itself. Each word has an equal share of the n-grams that it is in.

display

# %%
# The margin of a whole review comes from hundreds of n-grams. Ten rows hold a part of it, and the rest says through which part of the head it
# comes.

review = reviews.data[4_500]
classifier.explain([review]).round(2).drop(columns="document")

# %%

ExplanationDisplay.from_estimator(classifier, review)
