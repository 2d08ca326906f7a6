"""Writes the file of the current format that tests/test_persistence.py has to be able to load for ever.

    python tests/data/write_format.py

Run it once, when a format is new, and never again for that format: the files of released formats are
what users have. Beside the file go the answers that its estimators gave.
"""

import json
import pickle
from pathlib import Path

from skvae import TextTokenizer, TextVAEClassifier, TextVAETransformer
from skvae._estimator.storing import FORMAT
from skvae.datasets import make_reviews

# What tokens have to be able to say: spacing, characters of several code points, names of reserved ids.
SPELLED = ["“No” - it's so-so: 5€ (or $6)!", "x\u0323 👍🏽🇹🇷 می‌خواهم", "[PAD] a é[END]", "▁x"]
HERE = Path(__file__).parent
TINY = {
    "n_components": 3,
    "encoder_units": (4,),
    "decoder_units": (4,),
    "embedding_dim": 4,
    "ngram_dim": 4,
    "random_state": 0,
}


def answers(estimator, documents):
    """Numbers that depend on everything in the file."""
    found = {"latents": estimator.transform(documents).tolist()}
    if isinstance(estimator, TextVAEClassifier):
        found["probabilities"] = estimator.predict_proba(documents).tolist()
        found["elbo"] = estimator.vae_.score(documents)
        found["margins"] = estimator._latent_classes.clear_margins.tolist()
    else:
        found["elbo"] = estimator.score(documents)
    return found


def main():
    texts, labels = make_reviews(60, n_classes=3, random_state=0)
    names = [["bad", "good", "mixed"][label] for label in labels]
    tokenizer = TextTokenizer(max_length=8)
    classifier = TextVAEClassifier(
        TextVAETransformer(tokenizer=tokenizer, epochs=1, **TINY), head_units=(3,), epochs=1, random_state=0
    )
    classifier.partial_fit(texts, names, classes=["bad", "good", "mixed"]).partial_fit(texts, names)
    subwords = TextTokenizer("bpe", max_features=80, max_length=8)
    ids = subwords.fit_transform(texts)
    reader = TextVAETransformer(encoder="bilstm", decoder="lstm", bottleneck_units=3, epochs=1, **TINY).fit(
        ids
    )
    bag = TextVAETransformer(decoder="bow", epochs=1, **TINY).fit(texts)
    estimators = {"classifier": classifier, "subwords": subwords, "reader": reader, "bag": bag}
    expected = {
        "texts": list(texts[:5]),
        "ids": ids[:5].tolist(),
        "classifier": answers(classifier, texts[:5]),
        "reader": answers(reader, ids[:5]),
        "bag": answers(bag, texts[:5]),
        "words": bag.inverse_transform(bag.transform(texts[:5])).tolist(),
    }
    expected["spelled"], expected["spelling"] = SPELLED, {}
    for analyzer in ("word", "char", "bpe"):
        estimators[analyzer] = TextTokenizer(analyzer, lowercase=False, max_length=40).fit(SPELLED * 2)
        expected["spelling"][analyzer] = estimators[analyzer].transform(SPELLED).tolist()
    (HERE / f"format_{FORMAT}.pkl").write_bytes(pickle.dumps(estimators, protocol=4))
    (HERE / f"format_{FORMAT}.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
