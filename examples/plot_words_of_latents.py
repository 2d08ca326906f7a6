"""
The words of each latent
========================

What is a latent dimension about? The bag-of-words decoder says which words become likelier with more of it, and which
with less. (``max_df=0.15`` keeps more of the everyday words out than the default does, which makes the rest easier to read.)
"""

import matplotlib.pyplot as plt
import numpy as np

from skvae import TextVAETransformer
from skvae.datasets import load_imdb
from skvae.plotting import LatentWordsDisplay

reviews = load_imdb(n_samples=8_000, random_state=0)
vae = TextVAETransformer(n_components=32, decoder="bow", max_df=0.15, random_state=0).fit(reviews.data)

# %%
# These six change the words of a review most.

LatentWordsDisplay.from_estimator(vae)
plt.show()

# %%
# And these three go most with the reviewers' verdicts, which the autoencoder has not seen.

latents = vae.transform(reviews.data)
correlations = [np.corrcoef(latent, reviews.target)[0, 1] for latent in latents.T]
strongest = np.argsort(-np.abs(correlations))[:3]
display = LatentWordsDisplay.from_estimator(vae, latents=strongest, n_words=14)
for axis, latent in zip(display.axes_, strongest, strict=True):
    axis.set_title(f"latent {latent}, correlation {correlations[latent]:+.2f}")
plt.show()
