"""
Posterior collapse, seen and cured
==================================

A strong text decoder can do without the latents: it predicts each word from the words before. The KL term then pulls every
posterior onto the prior, and the latents of all texts are alike. This is called posterior collapse. Here it is brought about on
purpose, and then prevented.
"""

import warnings

import matplotlib.pyplot as plt

from skvae import CollapseWarning, TextTokenizer, TextVAETransformer
from skvae.datasets import make_reviews

texts, _ = make_reviews(3_000, random_state=0)
unseen, _ = make_reviews(500, random_state=1)
small = {
    "n_components": 16,
    "tokenizer": TextTokenizer(max_length=12),
    "decoder_units": (64,),
    "embedding_dim": 32,
    "bow_weight": 0,
    "kl_warmup": 0,
    "encoder": "bow",
    "epochs": 8,
    "random_state": 0,
}

# %%
# Four autoencoders that differ in one thing each: nothing done; the KL term's weight raised slowly, which is often
# recommended; words hidden from the decoder; and a posterior mean that is normalised over the documents, as it is by default.

settings = {
    "nothing done": {"posterior_scale": None, "word_dropout": 0.0},
    "KL annealing": {"posterior_scale": None, "word_dropout": 0.0, "kl_warmup": 0.5},
    "word dropout 0.5": {"posterior_scale": None, "word_dropout": 0.5},
    "posterior_scale=0.6": {"posterior_scale": 0.6, "word_dropout": 0.0},
}
fitted = {}
for name, changed in settings.items():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CollapseWarning)
        fitted[name] = TextVAETransformer(**(small | changed)).fit(texts)
    for warning in caught:
        print(f"{name}: {warning.category.__name__}: {warning.message}")

# %%
# `diagnostics` tells them apart. The ELBO does not: the collapsed model may well have the better one. Latent use is what the
# decoder loses when each text gets the latents of another, in nats per text.

for name, vae in fitted.items():
    figures = vae.diagnostics(unseen)
    print(
        f"{name:20} ELBO {figures['elbo']:6.1f}  KL {figures['kl']:5.2f}"
        f"  mutual information {figures['mutual_information']:4.2f}  active units {figures['active_units']}"
        f"  latent use {figures['latent_use']:5.2f}"
    )

# %%
# The KL in each epoch, and what becomes of a text that goes through the latents:

figure, ax = plt.subplots(layout="constrained")
for name, vae in fitted.items():
    ax.plot(range(1, vae.n_iter_ + 1), vae.history_["kl"], marker="o", label=name)
ax.set(xlabel="epoch", ylabel="KL, nats per document")
ax.legend()
plt.show()

for text in unseen[:3]:
    print(text)
    for name, vae in fitted.items():
        print(f"  {name:20} {vae.inverse_transform(vae.transform([text]))[0]}")
