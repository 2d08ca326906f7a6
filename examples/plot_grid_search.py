"""
How many latents?
=================

`n_components` is searched like any other parameter, in a pipeline. Here it is judged by what a logistic regression makes of the
latents, not by the ELBO: that compares models of one shape only.
"""

import matplotlib.pyplot as plt
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from skvae import TextVAETransformer
from skvae.datasets import load_imdb

reviews = load_imdb(n_samples=2_000, random_state=0)
pipeline = Pipeline(
    [
        ("vae", TextVAETransformer(decoder="bow", epochs=5, batch_size=64, random_state=0)),
        ("classifier", LogisticRegression(max_iter=1_000)),
    ]
)
search = GridSearchCV(pipeline, {"vae__n_components": [2, 4, 8, 16, 32]}, cv=2)
search.fit(reviews.data, reviews.target)

# %%
# The features are learned anew in each fold, from the texts of the other folds.

results = search.cv_results_
sizes = [parameters["vae__n_components"] for parameters in results["params"]]
figure, ax = plt.subplots(layout="constrained")
ax.errorbar(sizes, results["mean_test_score"], results["std_test_score"], marker="o", capsize=3)
ax.axvline(search.best_params_["vae__n_components"], color="C1", linestyle="--", label="the best of them")
ax.set(xscale="log", xlabel="n_components", ylabel="accuracy, mean and spread of two folds")
ax.set_xticks(sizes, labels=sizes)
ax.minorticks_off()
ax.grid(alpha=0.3)
ax.legend()
plt.show()

# %%
# The pipeline as a notebook shows it; the question marks open the pages of the estimators.

search.best_estimator_
