"""Rewriting sentences as the other class, beside published systems on the field's public test.

    python benchmarks/rewriting.py DATA [--output FILE] [--model FILE]

DATA is a folder with yelp/sentences.parquet (columns part, label, text) and yelp/rewriting_test_500.parquet (label, source,
human, and a column for each published system). The classifier learns from the part "train" with default settings.
Two judges of the class and a language model learn from the part "judge": logistic regression on TF-IDF of words and
pairs of words, a convolutional network, and a GRU. Prints a line for each row, writes
benchmarks/results/rewriting.json and, with --output, all texts to a CSV file. With --model, the fitted classifier is kept
in that file, and read from it the next time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import time
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import sacrebleu
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skvae import TextTokenizer, TextVAEClassifier, TextVAETransformer

RESULTS = Path(__file__).parent / "results" / "rewriting.json"
SYSTEMS = (
    "RetrieveOnly",
    "TemplateBased",
    "DeleteOnly",
    "DeleteAndRetrieve",
    "CrossAligned",
    "StyleEmbedding",
    "MultiDecoder",
)

N_STRONG, N_SHOWN, N_SAMPLES = 50, 20, 500


def spaced(texts: Any) -> list[str]:
    """Lowercase words and marks with spaces between them, contractions apart."""
    tidy = (re.sub(r"n\s*'\s*t\b", " n't", text.lower()) for text in texts)
    return [" ".join(re.findall(r"n't|\w+(?=n't)|'\w+|\w+|[^\w\s]", text)) for text in tidy]


class Judges:
    """Models of class and fluency that have seen none of the training sentences of the systems."""

    def __init__(self, texts: list[str], labels: np.ndarray) -> None:
        import keras
        from keras import layers

        texts = spaced(texts)
        self.ngrams = make_pipeline(
            TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\S+"),
            LogisticRegression(C=3, max_iter=1_000),
        ).fit(texts, labels)
        counts = TfidfVectorizer(token_pattern=r"\S+", binary=True, min_df=10, use_idf=False, norm=None)
        occurs = counts.fit_transform(texts)
        shares = [np.asarray(occurs[labels == label].sum(axis=0)).ravel() + 1 for label in (0, 1)]
        lead = np.log(shares[1] / shares[0])
        words = counts.get_feature_names_out()
        order = np.argsort(lead)
        self.strong = [set(words[order[:N_STRONG]]), set(words[order[-N_STRONG:]])]

        self.tokenizer = TextTokenizer(max_features=8_000, max_length=24).fit(texts)
        n_tokens, ids = len(self.tokenizer.tokens_), self.tokenizer.transform(texts)
        keras.utils.set_random_seed(0)
        given = keras.Input((None,), dtype="int32")
        hidden = layers.SpatialDropout1D(0.2)(layers.Embedding(n_tokens, 100)(given))
        pooled = [
            layers.GlobalMaxPooling1D()(layers.Conv1D(64, width, padding="same", activation="relu")(hidden))
            for width in (2, 3, 4)
        ]
        share = layers.Dense(1, activation="sigmoid")(layers.Dropout(0.5)(layers.Concatenate()(pooled)))
        self.network = keras.Model(given, share)
        self.network.compile("adam", "binary_crossentropy", metrics=["accuracy"])
        n_train = int(0.9 * len(ids))
        stop = keras.callbacks.EarlyStopping(patience=1, restore_best_weights=True)
        self.network.fit(
            ids[:n_train],
            labels[:n_train],
            epochs=8,
            batch_size=64,
            validation_data=(ids[n_train:], labels[n_train:]),
            callbacks=[stop],
            verbose=0,
        )

        previous = keras.Input((None,), dtype="int32")
        hidden = layers.GRU(256, return_sequences=True)(layers.Embedding(n_tokens, 128)(previous))
        self.language = keras.Model(previous, layers.Dense(n_tokens)(layers.Dropout(0.3)(hidden)))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0)
        self.language.compile(keras.optimizers.Adam(2e-3), loss, jit_compile=False)
        closed, shifted = self._closed(ids)
        self.language.fit(
            shifted[:n_train],
            closed[:n_train],
            epochs=8,
            batch_size=64,
            validation_data=(shifted[n_train:], closed[n_train:]),
            callbacks=[keras.callbacks.EarlyStopping(patience=1, restore_best_weights=True)],
            verbose=0,
        )

    def _closed(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        closed = np.pad(ids, ((0, 0), (0, 1)))
        closed[np.arange(len(ids)), (ids > 0).sum(axis=1)] = 2
        return closed, np.pad(closed[:, :-1], ((0, 0), (1, 0)), constant_values=2)

    def perplexity(self, texts: list[str]) -> float:
        closed, shifted = self._closed(self.tokenizer.transform(texts))
        return float(np.exp(self.language.evaluate(shifted, closed, batch_size=len(closed), verbose=0)))

    def figures(self, texts: Any, wanted: np.ndarray, sources: Any, human: Any = None) -> dict[str, float]:
        texts, sources = [text or "." for text in spaced(texts)], spaced(sources)
        by_network = self.network.predict(self.tokenizer.transform(texts), verbose=0).ravel() > 0.5
        first = [text.split()[0] in self.strong[label] for text, label in zip(texts, wanted, strict=True)]
        twice = [any(a == b for a, b in pairwise(words)) for words in map(str.split, texts)]
        figures = {
            "accuracy_ngrams": 100 * float((self.ngrams.predict(texts) == wanted).mean()),
            "accuracy_network": 100 * float((by_network == wanted).mean()),
            "bleu_source": sacrebleu.corpus_bleu(texts, [sources], tokenize="none").score,
            "perplexity": self.perplexity(texts),
            "first_word": 100 * float(np.mean(first)),
            "repetitions": 100 * float(np.mean(twice)),
        }
        if human is not None:
            figures["bleu_human"] = sacrebleu.corpus_bleu(texts, [spaced(human)], tokenize="none").score
            figures["g"] = float(np.sqrt(figures["accuracy_ngrams"] * figures["bleu_human"]))
        return figures


def read(folder: Path, part: str) -> tuple[list[str], np.ndarray]:
    table = pd.read_parquet(folder / "yelp" / "sentences.parquet")
    table = table[table["part"] == part]
    return table["text"].tolist(), table["label"].to_numpy()


def fitted(texts: list[str], labels: np.ndarray, file: Path | None) -> tuple[TextVAEClassifier, float]:
    """The classifier, and the seconds that its fit took."""
    if file is not None and file.exists():
        return joblib.load(file)
    start = time.perf_counter()
    classifier = TextVAEClassifier(TextVAETransformer(decoder="gru"), random_state=0).fit(texts, labels)
    result = classifier, time.perf_counter() - start
    if file is not None:
        joblib.dump(result, file)
    return result


def sample_figures(
    classifier: TextVAEClassifier, judges: Judges, real: list[str]
) -> dict[str, dict[str, float]]:
    """How samples of both classes read, beside real sentences and reconstructions of them."""
    wanted = np.arange(N_SAMPLES) % 2
    vae = classifier.vae_
    texts = {"real": real, "greedy reconstructions": vae.inverse_transform(vae.transform(real))}
    for guidance in (0, 2, 4, 8, 24):
        texts[f"guidance={guidance}"] = classifier.sample(
            N_SAMPLES, wanted, guidance=guidance, temperature=0.7, random_state=0
        )
    for prior in ("fitted", "standard"):
        texts[f"any class, prior={prior}"] = classifier.sample(
            N_SAMPLES, prior=prior, temperature=0.7, random_state=0
        )
    kept = ("accuracy_ngrams", "accuracy_network", "perplexity", "first_word", "repetitions")
    found = {}
    for name, written in texts.items():
        figures = judges.figures(written, wanted[: len(written)], written)
        # Of reconstructions and samples of any class, no class is asked.
        asked = kept if name.startswith("guidance") else ("perplexity", "repetitions")
        found[name] = {key: figures[key] for key in asked} | {"distinct_2": distinct(spaced(written), 2)}
        print(name, {key: round(value, 2) for key, value in found[name].items()}, flush=True)
    return found


def distinct(texts: list[str], length: int) -> float:
    """Share of distinct n-grams among all of some texts."""
    grams = [gram for text in texts for gram in zip(*(text.split()[k:] for k in range(length)), strict=False)]
    return len(set(grams)) / max(1, len(grams))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--model", type=Path)
    options = parser.parse_args()
    judges = Judges(*read(options.data, "judge"))
    test = pd.read_parquet(options.data / "yelp" / "rewriting_test_500.parquet")
    wanted = 1 - test["label"].to_numpy()
    written = {"copy": test["source"], "human": test["human"]} | {name: test[name] for name in SYSTEMS}

    texts, labels = read(options.data, "train")
    classifier, fit_seconds = fitted(texts, labels, options.model)
    seconds = {"fit": fit_seconds}
    for name, each in {"skvae": {}, "skvae, decoding": {"method": "decode"}}.items():
        start = time.perf_counter()
        written[name] = classifier.rewrite(test["source"].tolist(), wanted, **each)
        seconds[name] = time.perf_counter() - start

    rows = {}
    for name, texts in written.items():
        rows[name] = judges.figures(texts, wanted, test["source"], test["human"])
        print(name, {key: round(value, 1) for key, value in rows[name].items()}, flush=True)
    samples = sample_figures(classifier, judges, test["source"].tolist())
    if options.output:
        pd.DataFrame({"label": test["label"]} | written).to_csv(options.output, index=False)
    document = {
        "command": "python benchmarks/rewriting.py DATA",
        "versions": {
            each: version(each)
            for each in ("skvae", "scikit-learn", "tensorflow", "keras", "numpy", "sacrebleu")
        },
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version()},
        "n_train": len(labels),
        "seconds": seconds,
        "rows": rows,
        "samples": samples,
        # Every 25th sentence, whatever it is.
        "examples": [
            {"source": test["source"][row], "human": test["human"][row]}
            | {name: written[name][row] for name in ("DeleteAndRetrieve", "skvae", "skvae, decoding")}
            for row in range(0, len(test), len(test) // N_SHOWN)
        ],
    }
    RESULTS.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
