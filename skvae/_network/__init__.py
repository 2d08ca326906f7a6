"""The autoencoder: Keras networks, their loss, their training and what is stored of them; nothing of scikit-learn's estimators enters."""
