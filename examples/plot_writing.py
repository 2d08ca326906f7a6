"""
Writing: reconstructions, samples, paths and rewritten sentences
================================================================

One classifier whose autoencoder has a text decoder, with the default settings, learns from 12,000 short sentences of real film reviews. All that is
printed here is what it wrote when this page was built, good and bad. The fit takes eight to ten minutes on two cores.
"""

import re

import matplotlib.pyplot as plt
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skvae import TextVAEClassifier, TextVAETransformer
from skvae.datasets import load_imdb
from skvae.plotting import InterpolationDisplay

reviews = load_imdb(n_samples=8_000, random_state=0)

# %%
# The decoder writes sentences, not whole reviews. Each sentence gets the class of its review, which is often not its own:
# a bad review says "I liked the music." as well.


def short_sentences(texts, labels):
    """Sentences of 4 to 10 words, each once, with the class of their review."""
    found = {}
    for text, label in zip(texts, labels, strict=True):
        for sentence in re.split(r"(?<=[.!?])\s+|<br\s*/?>", text):
            if 4 <= len(sentence.split()) <= 10 and sentence[-1:] in {".", "!", "?"}:
                found[sentence] = reviews.target_names[label]
    return found


known = dict(list(short_sentences(reviews.data[:7_000], reviews.target[:7_000]).items())[:12_000])
found = short_sentences(reviews.data[7_000:], reviews.target[7_000:])
unseen = [sentence for sentence in found if sentence not in known]

classifier = TextVAEClassifier(TextVAETransformer(), random_state=0)
classifier.fit(list(known), list(known.values()))
writer = classifier.vae_

# %%
# Reconstructions
# ---------------
#
# Sentences of other reviews go through 64 numbers and back. Rare words and long sentences are lost first.


def show(before, after):
    for one, other in zip(before, after, strict=True):
        print(f"{one}\n    {other}")


latents = writer.transform(unseen[:12])
show(unseen[:12], writer.inverse_transform(latents))

# %%
# The same latents, decoded in three ways: a search for the most likely text, the most likely token each time, and drawn at random.

for decoding in ("beam", "greedy", "sample"):
    print(f"{decoding:8}{writer.inverse_transform(latents[:1], decoding=decoding, random_state=0)[0]}")

# %%
# Samples
# -------
#
# Latents are drawn from a Gaussian with the mean and covariance of the training sentences' latents.

print(*writer.sample(10, random_state=0), sep="\n")

# %%
# The classifier also writes sentences of a class.

for name in classifier.classes_:
    print(f"{name}:", *classifier.sample(8, y=name, random_state=0), sep="\n    ")

# %%
# From one sentence to another
# ----------------------------
#
# A judge that knows nothing of the latents, TF-IDF and logistic regression on whole reviews, says what it thinks of each sentence on the straight line between
# two.

judge = make_pipeline(TfidfVectorizer(sublinear_tf=True), LogisticRegression(C=10))
judge.fit(reviews.data, [reviews.target_names[label] for label in reviews.target])
InterpolationDisplay.from_estimator(
    classifier,
    "This movie is a complete waste of time.",
    "This is a wonderful film and I loved it!",
    classifier=judge,
    n_steps=9,
)
plt.show()

# %%
# Arithmetic
# ----------
#
# Latents are plain arrays. The difference between two sentences is added to others.

bad, good = writer.transform(["The acting is terrible.", "The acting is great."])
others = [
    "The story is terrible.",
    "The music was awful.",
    "The script is really bad.",
    "It was a bad movie.",
    "I did not like the characters.",
]
show(others, writer.inverse_transform(writer.transform(others) + good - bad))

# %%
# Rewriting
# ---------
#
# ``rewrite`` edits what speaks against the class that is asked for and keeps the rest. These are the ten sentences of other reviews that the judge finds
# worst; in brackets, its probability of a good review before and after.

judged = judge.predict_proba(unseen)[:, 1]
worst = [unseen[row] for row in judged.argsort()[:10]]
rewritten = classifier.rewrite(worst, y="positive")
after = judge.predict_proba(rewritten)[:, 1]
judgements = zip(rewritten, sorted(judged)[:10], after, strict=True)
show(worst, [f"{text} ({old:.2f} to {new:.2f})" for text, old, new in judgements])

# %%
# ``method="decode"`` writes a new sentence from the latents instead. It changes more, and keeps less of what was said.

show(worst, classifier.rewrite(worst, y="positive", method="decode", random_state=0))
