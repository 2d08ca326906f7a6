"""
A map of film reviews
=====================

A bag-of-words autoencoder reads 8,000 film reviews. Nobody tells it which are good and which are bad; still, the
two lie in different parts of its latent space.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.manifold import TSNE

from skvae import TextVAETransformer
from skvae.datasets import load_imdb
from skvae.plotting import LatentSpaceDisplay

reviews = load_imdb(n_samples=8_000, random_state=0)
sentiment = np.array(reviews.target_names)[reviews.target]
unseen = slice(7_000, None)

vae = TextVAETransformer(decoder="bow", random_state=0)
vae.fit(reviews.data[:7_000])

# %%
# The map shows 1,000 reviews that were not trained on. On the left, the plane in which the latents differ most; on the
# right, a t-SNE embedding, which keeps neighbours together. Any transformer with two columns will do as a `projection`.

figure, axes = plt.subplots(1, 2, figsize=(11, 4.8), layout="constrained")
latents = vae.transform(reviews.data[unseen])
LatentSpaceDisplay.from_latents(latents, sentiment[unseen], ax=axes[0])
LatentSpaceDisplay.from_latents(
    latents, sentiment[unseen], projection=TSNE(perplexity=40, random_state=0), ax=axes[1]
)
figure.suptitle("Unseen reviews in latent space; their sentiment was never shown")
plt.show()
