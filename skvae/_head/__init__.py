"""The class head: linear models, their stacking, fine-tuning and explanation; no estimator of skvae enters."""
