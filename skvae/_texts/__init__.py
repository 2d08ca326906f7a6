"""Texts as arrays: what is read, judged, split, counted and batched with NumPy and SciPy; nothing of Keras enters."""
