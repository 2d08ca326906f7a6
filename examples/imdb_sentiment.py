"""Sentiment of IMDB reviews from 2,000 labels and 12,000 reviews without one.

Run with `make demo`. A TextVAEClassifier learns from all of them and is compared with TF-IDF and
logistic regression on the same labels; then a second autoencoder learns to write the sentences
that reviewers write.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import joblib
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skvae import TextTokenizer, TextVAEClassifier, TextVAETransformer
from skvae.datasets import load_imdb
from skvae.plotting import LatentSpaceDisplay

N_LABELLED, N_TEST, N_UNLABELLED = 2_000, 3_000, 12_000
N_SENTENCES = 12_000
OUTPUT = Path("demo_output")
PREDICT = (
    "import joblib, sys; model = joblib.load(sys.argv[1]);"
    "print('in a new process:', model.predict(['a dull, awful mess', 'a moving and wonderful film']))"
)


def short_sentences(reviews: np.ndarray) -> np.ndarray:
    """Sentences of 4 to 10 words, each once."""
    sentences = {}
    for review in reviews:
        for sentence in re.split(r"(?<=[.!?])\s+|<br\s*/?>", review):
            if 4 <= len(sentence.split()) <= 10 and sentence[-1:] in {".", "!", "?"}:
                sentences[sentence] = None
    return np.array(list(sentences), dtype=object)


def headline(text: str) -> None:
    print(f"\n{text}\n{'-' * len(text)}", flush=True)


def main() -> None:
    OUTPUT.mkdir(exist_ok=True)
    reviews = load_imdb(random_state=0)
    texts, labels = reviews.data, np.array(reviews.target_names)[reviews.target]
    labelled, test = slice(0, N_LABELLED), slice(N_LABELLED, N_LABELLED + N_TEST)
    unlabelled = texts[N_LABELLED + N_TEST :][:N_UNLABELLED]

    headline(f"Sentiment: {N_LABELLED} labelled and {len(unlabelled)} unlabelled reviews")
    start = time.perf_counter()
    tfidf = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        GridSearchCV(LogisticRegression(max_iter=1000), {"C": [1, 10, 100]}, cv=5),
    ).fit(texts[labelled], labels[labelled])
    tfidf_seconds = time.perf_counter() - start

    start = time.perf_counter()
    # More than the default of 64 latents, and more in each, so that they tell what a review is about as well.
    vae = TextVAETransformer(n_components=128, posterior_scale=1.0, decoder="bow", verbose=1)
    model = make_pipeline(TextVAEClassifier(vae, random_state=0, verbose=1))
    model.fit(texts[labelled], labels[labelled], textvaeclassifier__X_unlabeled=unlabelled)
    seconds = time.perf_counter() - start

    print(f"\naccuracy on {N_TEST} other reviews")
    print(
        f"  TF-IDF + logistic regression  {tfidf.score(texts[test], labels[test]):.3f}  ({tfidf_seconds:.0f} s)"
    )
    print(f"  TextVAEClassifier             {model.score(texts[test], labels[test]):.3f}  ({seconds:.0f} s)")

    joblib.dump(model, OUTPUT / "sentiment.joblib", compress=3)
    subprocess.run([sys.executable, "-c", PREDICT, str(OUTPUT / "sentiment.joblib")], check=True)

    headline("What three of these reviews are about, as the latents have it")
    classifier = model[-1]
    some = texts[test][:200]
    listed = classifier.vae_.inverse_transform(model.transform(some))
    for text, words in zip(some[:3], listed, strict=False):
        print(f"{text[:160]}...\n  -> {words}\n")
    known = [
        np.isin(words.split(), re.findall(r"\w+(?:'\w+)*", text.lower()))
        for text, words in zip(some, listed, strict=True)
    ]
    print(
        f"{np.mean(np.concatenate(known)):.0%} of the words listed for {len(some)} unseen reviews occur in them\n"
    )

    print("from the first negative of them to the first positive one")
    ends = [texts[test][labels[test] == name][0] for name in reviews.target_names]
    for words in classifier.vae_.interpolate(*ends, n_steps=4):
        print(f"  {words}")

    display = LatentSpaceDisplay.from_estimator(model, texts[test], labels[test])
    display.ax_.set_title("Unseen reviews in latent space")
    display.figure_.savefig(OUTPUT / "latent_space.png", dpi=120)
    plt.close(display.figure_)

    sentences = short_sentences(unlabelled)[:N_SENTENCES]
    headline(f"Writing: a text decoder learns from {len(sentences)} sentences of reviews")
    # Fewer words and passes than by default, to be done in about a minute.
    writer = TextVAETransformer(
        tokenizer=TextTokenizer(max_features=3_000), recombination=0, epochs=5, random_state=0, verbose=1
    ).fit(sentences)

    unseen = short_sentences(texts[test])[:3]
    latents = writer.transform(unseen)
    print("\nreconstructions of unseen sentences")
    for sentence, again in zip(unseen, writer.inverse_transform(latents), strict=True):
        print(f"  {sentence}\n  -> {again}")
    start_text, end_text = "This movie is a waste of time.", "I really loved this great film!"
    print(f"\nfrom {start_text!r} to {end_text!r}")
    for text in writer.interpolate(start_text, end_text, n_steps=5):
        print(f"  {text}")
    print("\nsamples")
    for text in writer.sample(5):
        print(f"  {text}")

    print(f"\nwrote {OUTPUT / 'sentiment.joblib'} and {OUTPUT / 'latent_space.png'}")


if __name__ == "__main__":
    main()
