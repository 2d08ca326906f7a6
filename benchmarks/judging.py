"""Models of class and fluency that judge written sentences, and measures of them; read by other scripts here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import sacrebleu
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skvae import TextTokenizer

N_STRONG = 50


def spaced(texts: Any) -> list[str]:
    """Lowercase words and marks with spaces between them, contractions apart."""
    tidy = (re.sub(r"n\s*'\s*t\b", " n't", text.lower()) for text in texts)
    return [" ".join(re.findall(r"n't|\w+(?=n't)|'\w+|\w+|[^\w\s]", text)) for text in tidy]


def distinct(texts: Sequence[str], length: int) -> float:
    """Share of distinct n-grams among all of some texts."""
    words = map(str.split, spaced(texts))
    grams = [gram for text in words for gram in zip(*(text[k:] for k in range(length)), strict=False)]
    return len(set(grams)) / max(1, len(grams))


class Judges:
    """Models that have seen none of the sentences that the judged systems learned from.

    Logistic regression on TF-IDF of words and pairs of words, a convolutional network, a GRU language model, and the
    50 words of each class that tell it best.
    """

    def __init__(self, texts: Sequence[str], labels: np.ndarray) -> None:
        import keras
        from keras import layers

        texts, n_classes = spaced(texts), int(labels.max()) + 1
        self.ngrams = make_pipeline(
            TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\S+"),
            LogisticRegression(C=3, max_iter=1_000),
        ).fit(texts, labels)
        counts = TfidfVectorizer(token_pattern=r"\S+", binary=True, min_df=10, use_idf=False, norm=None)
        occurs = counts.fit_transform(texts)
        words = counts.get_feature_names_out()
        in_all = np.asarray(occurs.sum(axis=0)).ravel()
        self.strong = []
        for label in range(n_classes):
            inside = np.asarray(occurs[labels == label].sum(axis=0)).ravel()
            lead = np.log((inside + 1) / (in_all - inside + 1))
            self.strong.append(set(words[np.argsort(-lead)[:N_STRONG]]))

        self.tokenizer = TextTokenizer(max_features=8_000, max_length=24).fit(texts)
        n_tokens, ids = len(self.tokenizer.tokens_), self.tokenizer.transform(texts)
        keras.utils.set_random_seed(0)
        given = keras.Input((None,), dtype="int32")
        hidden = layers.SpatialDropout1D(0.2)(layers.Embedding(n_tokens, 100)(given))
        pooled = [
            layers.GlobalMaxPooling1D()(layers.Conv1D(64, width, padding="same", activation="relu")(hidden))
            for width in (2, 3, 4)
        ]
        shares = layers.Dense(n_classes, activation="softmax")(
            layers.Dropout(0.5)(layers.Concatenate()(pooled))
        )
        self.network = keras.Model(given, shares)
        self.network.compile("adam", "sparse_categorical_crossentropy")
        n_train = int(0.9 * len(ids))
        stop = {"patience": 1, "restore_best_weights": True}
        self.network.fit(
            ids[:n_train],
            labels[:n_train],
            epochs=8,
            batch_size=64,
            validation_data=(ids[n_train:], labels[n_train:]),
            callbacks=[keras.callbacks.EarlyStopping(**stop)],
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
            callbacks=[keras.callbacks.EarlyStopping(**stop)],
            verbose=0,
        )

    def _closed(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        lengths = (ids > 0).sum(axis=1)
        # Columns without a token take as long to train as others.
        closed = np.pad(ids, ((0, 0), (0, 1)))[:, : lengths.max() + 1]
        closed[np.arange(len(ids)), lengths] = 2
        return closed, np.pad(closed[:, :-1], ((0, 0), (1, 0)), constant_values=2)

    def perplexity(self, texts: Sequence[str]) -> float:
        """Under the language model, each token."""
        closed, shifted = self._closed(self.tokenizer.transform(spaced(texts)))
        total = 0.0
        for start in range(0, len(closed), 500):
            part, given = closed[start : start + 500], shifted[start : start + 500]
            mean = self.language.evaluate(given, part, batch_size=len(part), verbose=0)
            total += mean * (part > 0).sum()
        return float(np.exp(total / (closed > 0).sum()))

    def of_class(self, texts: Sequence[str], wanted: np.ndarray) -> dict[str, float]:
        """Percentages of texts that each judge finds in the class that was wanted, and that begin with a strong word of it."""
        texts = [text or "." for text in spaced(texts)]
        by_network = self.network.predict(self.tokenizer.transform(texts), verbose=0).argmax(axis=1)
        first = [text.split()[0] in self.strong[label] for text, label in zip(texts, wanted, strict=True)]
        return {
            "accuracy_ngrams": 100 * float((self.ngrams.predict(texts) == wanted).mean()),
            "accuracy_network": 100 * float((by_network == wanted).mean()),
            "first_word": 100 * float(np.mean(first)),
        }

    def fluency(self, texts: Sequence[str]) -> dict[str, float]:
        """Perplexity, percentage of texts with a word twice in a row, and the share of distinct pairs of words."""
        twice = [any(a == b for a, b in pairwise(words)) for words in map(str.split, spaced(texts))]
        return {
            "perplexity": self.perplexity(texts),
            "repetitions": 100 * float(np.mean(twice)),
            "distinct_2": distinct(texts, 2),
        }


def rewriting_figures(
    judges: Judges, texts: Any, wanted: np.ndarray, sources: Any, human: Any = None
) -> dict[str, float]:
    """Class, fluency and content of rewritings."""
    figures = judges.of_class(texts, wanted) | judges.fluency(texts)
    del figures["distinct_2"]
    written = [text or "." for text in spaced(texts)]
    figures["bleu_source"] = sacrebleu.corpus_bleu(written, [spaced(sources)], tokenize="none").score
    if human is not None:
        figures["bleu_human"] = sacrebleu.corpus_bleu(written, [spaced(human)], tokenize="none").score
        figures["g"] = float(np.sqrt(figures["accuracy_ngrams"] * figures["bleu_human"]))
    return figures


def samples_by_guidance(
    classifier: Any, judges: Judges, real: Sequence[str], wanted: np.ndarray
) -> dict[str, dict[str, float]]:
    """How samples of each class read, beside real sentences and reconstructions of them."""
    vae = classifier.vae_
    found = {
        "real": judges.fluency(real),
        "reconstructions": judges.fluency(vae.inverse_transform(vae.transform(real))),
    }
    for guidance in (0, 1, 2, 4, 8, 24):
        texts = classifier.sample(len(wanted), classifier.classes_[wanted], guidance=guidance, random_state=0)
        found[f"guidance={guidance}"] = judges.of_class(texts, wanted) | judges.fluency(texts)
        print(f"guidance={guidance}", found[f"guidance={guidance}"], *texts[:6], sep="\n", flush=True)
    any_class: dict[str, dict[str, Any]] = {
        "prior=fitted": {},
        "prior=standard": {"prior": "standard"},
        "decoding=sample, temperature=0.7": {"decoding": "sample", "temperature": 0.7},
        "decoding=sample": {"decoding": "sample"},
    }
    for name, options in any_class.items():
        texts = classifier.sample(len(wanted), random_state=0, **options)
        found[f"any class, {name}"] = judges.fluency(texts)
    for name, figures in found.items():
        print(name, {key: round(value, 2) for key, value in figures.items()}, flush=True)
    return found
