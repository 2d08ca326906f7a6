"""The autoencoder: Keras networks, their loss, their training and their storage; no scikit-learn estimator enters."""
