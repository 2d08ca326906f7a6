"""Sentiment of IMDB reviews from few labels and much unlabelled text.

Run with `make demo`. It learns latents from unlabelled reviews, trains logistic regression on the
latents of 2,000 labelled ones, and compares with TF-IDF and logistic regression on the same labels.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import joblib
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skvae import TextVAETransformer
from skvae.datasets import load_imdb

N_LABELLED, N_TEST = 2_000, 3_000
OUTPUT = Path("demo_output")
PREDICT = (
    "import joblib, sys; model = joblib.load(sys.argv[1]);"
    "print('in a new process:', model.predict(['a dull, awful mess', 'a moving and wonderful film']))"
)


def tuned_regression(strengths: list[float]) -> GridSearchCV:
    """Logistic regression whose C is chosen by cross-validation on the labelled reviews."""
    return GridSearchCV(LogisticRegression(max_iter=1000), {"C": strengths}, cv=5)


def main() -> None:
    OUTPUT.mkdir(exist_ok=True)
    reviews = load_imdb(random_state=0)
    texts, labels = reviews.data, reviews.target
    labelled, test = slice(0, N_LABELLED), slice(N_LABELLED, N_LABELLED + N_TEST)
    unlabelled = texts[N_LABELLED + N_TEST :]

    start = time.perf_counter()
    tfidf = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        tuned_regression([1, 10, 100]),
    ).fit(texts[labelled], labels[labelled])
    print(f"TF-IDF + LR: {tfidf.score(texts[test], labels[test]):.3f} ({time.perf_counter() - start:.0f} s)")

    start = time.perf_counter()
    vae = TextVAETransformer(decoder="bow", epochs=6, random_state=0, verbose=1).fit(unlabelled)
    model = make_pipeline(
        FrozenEstimator(vae),
        StandardScaler(),
        tuned_regression([0.001, 0.01, 0.1]),
    ).fit(texts[labelled], labels[labelled])
    print(
        f"latents + LR: {model.score(texts[test], labels[test]):.3f} ({time.perf_counter() - start:.0f} s, of which"
        f" learning from {len(unlabelled)} unlabelled reviews is done once)"
    )

    latents = vae.transform(texts[test])
    for text, words in zip(texts[test][:3], vae.inverse_transform(latents[:3]), strict=True):
        print(f"\n{text[:160]}...\n  -> {words}")
    print("\nfrom one review to another:")
    for words in vae.interpolate(latents[0], latents[1], n_steps=4):
        print("  ", words)
    print("\nsamples:")
    for words in vae.sample(3):
        print("  ", words)

    joblib.dump(model, OUTPUT / "sentiment.joblib", compress=3)
    subprocess.run([sys.executable, "-c", PREDICT, str(OUTPUT / "sentiment.joblib")], check=True)

    points = PCA(2).fit_transform(latents)
    figure, axes = plt.subplots(figsize=(6, 5), layout="constrained")
    for label, colour in enumerate(["tab:red", "tab:blue"]):
        chosen = points[labels[test] == label]
        axes.scatter(*chosen.T, s=5, alpha=0.5, color=colour, label=reviews.target_names[label])
    axes.set(xlabel="first principal component", ylabel="second", title="Unseen reviews in latent space")
    axes.legend()
    figure.savefig(OUTPUT / "latent_space.png", dpi=120)
    print(f"\nwrote {OUTPUT / 'sentiment.joblib'} and {OUTPUT / 'latent_space.png'}")


if __name__ == "__main__":
    main()
