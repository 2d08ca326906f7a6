"""Texts as arrays: reading, validation, splitting, counting and batching with NumPy and SciPy; nothing of Keras enters."""
