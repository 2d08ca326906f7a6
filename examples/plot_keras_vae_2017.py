"""
Why a text VAE of 2017 did not learn
====================================

In 2017 A. Adam published a text VAE for Keras on alexadam.ca: two bidirectional LSTMs read a
film review into a latent vector, two LSTMs write it back, and a small head tells its sentiment
from the same vector. Run again, it writes the same token whatever it has read, epoch after epoch.

This page takes a small copy of it and puts right one thing after another, in this order:

1. the latents' noise had a standard deviation of 0.01, and the KL term assumes 1;
2. the loss mixed means and sums;
3. padding was read, predicted and counted;
4. nothing kept the latents from being ignored;
5. the decoder never saw the words that it had written.

The whole network, layer for layer, is :func:`skvae.presets.keras_vae_2017`.
"""

# %%
# The texts
# ---------
#
# Sentences from film reviews. As in 2017 there are 1,000 tokens, and texts are padded in front.

import re

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers, ops

from skvae import TextTokenizer, TextVAETransformer
from skvae.datasets import load_imdb
from skvae.metrics import gaussian_kl

LENGTH, N_TRAIN, N_TEST = 16, 2_500, 500
N_LATENT, UNITS, BATCH, EPOCHS = 16, 64, 50, 5


def sentences(reviews):
    """Sentences of 4 to 12 words, each once."""
    parts = (part for review in reviews for part in re.split(r"(?<=[.!?])\s+|<br\s*/?>", review))
    return list(dict.fromkeys(part for part in parts if 4 <= len(part.split()) <= 12))


texts = sentences(load_imdb(n_samples=1_000, random_state=0).data)
texts = [texts[row] for row in np.random.default_rng(0).permutation(len(texts))[: N_TRAIN + N_TEST]]
tokenizer = TextTokenizer(max_features=997, max_length=LENGTH, padding="pre", truncation="pre")
tokenizer.fit(texts[:N_TRAIN])
ids = tokenizer.transform(texts)
train, test = ids[:N_TRAIN], ids[N_TRAIN:]
n_tokens = 1_000
print(f"{(train == 0).mean():.0%} of what the decoder has to write is padding")

# %%
# A small copy, with a switch for each change
# -------------------------------------------
#
# All switches off, it is the recipe of 2017 in small: binary cross-entropy of a softmax against
# one-hot targets, times the length; the mean over dimensions where the KL has a sum; noise of
# 0.01; no mask.


class SmallVAE(keras.Model):
    def __init__(self, noise=0.01, sums=False, mask=False, guard=False, previous_words=False):
        super().__init__()
        self.noise, self.sums, self.mask, self.previous_words = noise, sums, mask, previous_words
        self.embedding = layers.Embedding(n_tokens, 48, mask_zero=mask)
        self.reader = layers.Bidirectional(layers.LSTM(UNITS))
        self.to_mean = layers.Dense(N_LATENT)
        self.to_log_variance = layers.Dense(N_LATENT)
        # Batch normalisation to a fixed spread: no latent can go silent.
        self.guard = (
            layers.BatchNormalization(center=False, scale=False, epsilon=1e-8, momentum=0.9)
            if guard
            else None
        )
        self.writer = layers.GRU(UNITS, return_sequences=True)
        self.output_layer = layers.Dense(n_tokens)
        self.random = keras.random.SeedGenerator(0)

    def encode(self, ids, training=False):
        hidden = self.reader(self.embedding(ids))
        mean = self.to_mean(hidden)
        if self.guard is not None:
            mean = 0.8 * self.guard(mean, training=training)
        return mean, self.to_log_variance(hidden)

    def draw(self, mean, log_variance):
        return mean + ops.exp(log_variance / 2) * self.noise * keras.random.normal(
            ops.shape(mean), seed=self.random
        )

    def logits(self, z, ids, training=False):
        seen = ops.repeat(z[:, None], LENGTH, axis=1)
        if self.previous_words:
            previous = ops.pad(ids[:, :-1], ((0, 0), (1, 0)))
            if training:
                # A third of the words is hidden, so that the decoder has to ask the latents.
                hide = keras.random.uniform(ops.shape(previous), seed=self.random) < 1 / 3
                previous = ops.where(hide, ops.minimum(previous, 1), previous)
            seen = ops.concatenate([seen, self.embedding(previous)], axis=-1)
        return self.output_layer(self.writer(seen))

    def call(self, ids, training=False):
        mean, log_variance = self.encode(ids, training=training)
        return mean, log_variance, self.logits(self.draw(mean, log_variance), ids, training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        mean, log_variance, logits = y_pred
        kl = 0.5 * (mean**2 + ops.exp(log_variance) - log_variance - 1)
        if not self.sums:
            one_hot = ops.one_hot(x, n_tokens)
            return LENGTH * ops.mean(
                keras.losses.binary_crossentropy(one_hot, ops.softmax(logits))
            ) + ops.mean(kl)
        nll = ops.sparse_categorical_crossentropy(x, logits, from_logits=True)
        if self.mask:
            nll = nll * ops.cast(x > 0, "float32")
        return ops.mean(ops.sum(nll, axis=1)) + ops.mean(ops.sum(kl, axis=1))


def measured(model):
    """What the latents of unseen sentences are, and of what use they are to the decoder."""
    mean, log_variance = (each.numpy() for each in model.encode(test))
    z = model.draw(mean, log_variance).numpy()
    logits = model.logits(z, test).numpy()
    known = test > 0

    def nats(z):
        log_p = ops.log_softmax(model.logits(z, test)).numpy()
        own = np.take_along_axis(log_p, test[..., None].astype(int), axis=-1)[..., 0]
        return -(own * known).sum(axis=1).mean()

    return {
        "z": z,
        "written": logits.argmax(axis=-1),
        "token_accuracy": (logits.argmax(axis=-1) == test)[known].mean(),
        # How much worse each sentence fares with the latents of another.
        "use": nats(np.roll(z, 1, axis=0)) - nats(z),
        "kl": gaussian_kl(mean, log_variance + 2 * np.log(model.noise)).mean(),
    }


# %%
# One change at a time
# --------------------
#
# Each line keeps the changes of the lines above it.

changes = [
    ("2017", {}),
    ("noise of 1", {"noise": 1.0}),
    ("sums", {"sums": True}),
    ("mask", {"mask": True}),
    ("guard", {"guard": True}),
    ("previous words", {"previous_words": True}),
]
options, results = {}, {}
for name, change in changes:
    options |= change
    keras.utils.set_random_seed(0)
    model = SmallVAE(**options)
    model.compile(optimizer=keras.optimizers.Adam(4e-3), jit_compile=False)
    model.fit(train, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    results[name] = measured(model)
    figures = {key: round(float(results[name][key]), 3) for key in ("token_accuracy", "use", "kl")}
    print(f"{name:>15}  {figures}")
names = list(results)
counts = np.bincount(test[test > 0])
majority = counts.max() / counts.sum()

# %%
# What is written
# ---------------
#
# Each row is a sentence that none of the decoders was trained on, each colour a token, white is padding.
# On the left what was read; then the likeliest token at each place, given the latents and, in the
# last picture, the words before.
#
# * In *2017* padding is the safest guess everywhere, and no other is made: binary cross-entropy of 1,000 outputs
#   hardly minds a wrong token.
# * *Noise of 1* gives information in the latents a cost, and they lose it; the decoder had not used it.
# * With *sums* words appear, and the white edge moves with the sentences: the latents tell how long a sentence is.
# * The *mask* takes padding out of what is read and predicted. Length was all that the latents knew: every
#   sentence comes out the same. This is posterior collapse.
# * The *guard*, batch normalisation of the latents' means, keeps their spread, and they come to carry information.
# * With the *previous words*, the decoder learns the grammar from them, and the rest from the latents.

fig, axes = plt.subplots(1, len(names) + 1, figsize=(12, 3.6), layout="constrained")
for ax, (title, tokens) in zip(
    axes, [("read", test)] + [(name, results[name]["written"]) for name in names], strict=True
):
    shown = np.ma.masked_equal(tokens[:40], 0)
    ax.imshow(
        np.ma.log(shown), aspect="auto", cmap="turbo", vmin=0, vmax=np.log(n_tokens), interpolation="none"
    )
    ax.set(title=title, xticks=[], yticks=[])
fig.suptitle("40 sentences, and what each decoder makes of their latents")
plt.show()

# %%
# What each change brings
# -----------------------
#
# *Tokens* counts the words that come out right where they belong, padding left out, beside what the one most
# frequent token would score. *Use* is by how many nats a sentence fares worse with the latents of another
# sentence: 0 means that the decoder does not look. *KL* is what the latents say about a sentence, and
# what a sample from the prior lacks; it should be neither 0 nor out of all proportion to the use.

fig, axes = plt.subplots(1, 3, figsize=(12, 3), layout="constrained", sharey=True)
for ax, key, title in zip(
    axes, ("token_accuracy", "use", "kl"), ("tokens", "use of the latents, nats", "KL, nats"), strict=True
):
    bars = ax.barh(names, [results[name][key] for name in names], color="tab:blue")
    digits = 2 if key == "token_accuracy" else 1
    # Adding 0 turns a rounded -0 into 0.
    ax.bar_label(bars, [f"{round(float(bar.get_width()), digits) + 0:.{digits}f}" for bar in bars], padding=2)
    ax.set_title(title)
    ax.margins(x=0.15)
axes[0].axvline(majority, color="tab:red", linestyle="--", label="most frequent token")
axes[0].legend(loc="upper right")
axes[0].invert_yaxis()
plt.show()

# %%
# Where the latents lie
# ---------------------
#
# Two of the latent dimensions of the unseen sentences, and in red where nine in ten samples from the prior fall.
# Samples are written from latents of the prior. They read well only if the sentences lie where the prior does. In 2017, all
# sentences lay in one point, so the decoder had not been trained on most of what the prior draws.

fig, axes = plt.subplots(1, len(names), figsize=(12, 2.6), layout="constrained", sharex=True, sharey=True)
angle = np.linspace(0, 2 * np.pi, 100)
radius = np.sqrt(-2 * np.log(0.1))
for ax, name in zip(axes, names, strict=True):
    ax.scatter(*results[name]["z"][:, :2].T, s=4, alpha=0.5)
    ax.plot(radius * np.cos(angle), radius * np.sin(angle), color="tab:red")
    ax.set(title=name, aspect="equal")
plt.show()

# %%
# The same in three lines
# -----------------------
#
# All of it is what `TextVAETransformer` does unless told otherwise.

vae = TextVAETransformer(
    16, tokenizer=TextTokenizer(max_features=997, max_length=LENGTH), decoder_units=(96,), random_state=0
).fit(texts[:N_TRAIN])
unseen = texts[N_TRAIN : N_TRAIN + 4]
for text, again in zip(unseen, vae.inverse_transform(vae.transform(unseen)), strict=True):
    print(f"{text}\n  -> {again}")
print("samples:", *vae.sample(4), sep="\n  ")
