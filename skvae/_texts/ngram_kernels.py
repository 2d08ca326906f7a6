"""Compiled loops of the training of n-gram vectors. Importing this module imports numba.

Each loop covers a range of documents or of rows that no other call touches, and releases Python's global lock.
Several threads can therefore share the work, and the result does not depend on how they do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

# Of the cosine of a document and an n-gram in the logistic loss.
SCALE = np.float32(6.0)
_LARGEST, _STEPS, _HALF = np.float32(8.0), np.float32(256.0), np.float32(0.5)
# A table is several times faster than the exponential, and the same on each processor.
SIGMOID = (1 / (1 + np.exp(-np.linspace(-8.0, 8.0, 4097)))).astype(np.float32)
# Of the squared length of a document's sum: what is left of it without an n-gram, if it has no other.
_NOTHING_LEFT = np.float32(1e-5)
_TINY = np.float32(1e-12)


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, compiled when it is first called, and kept on disk where a folder can be written."""
    options: dict[str, Any] = {"nogil": True, "fastmath": {"contract", "reassoc", "nsz", "arcp"}}
    try:
        loop: Callable[..., Any] = numba.njit(cache=True, **options)(function)
    except RuntimeError:
        loop = numba.njit(**options)(function)
    return loop


@compiled
def sum_documents(vectors, inverse, indices, data, starts, documents, first, end, sums, squares, sizes):
    """The sum of the unit vectors of each document's n-grams, its squared length, and their number."""
    n_dims = vectors.shape[1]
    for place in range(first, end):
        document = documents[place]
        size, square = np.float32(0), np.float32(0)
        for k in range(n_dims):
            sums[place, k] = 0
        for position in range(starts[document], starts[document + 1]):
            row = indices[position]
            size += data[position]
            weight = data[position] * inverse[row]
            for k in range(n_dims):
                sums[place, k] += weight * vectors[row, k]
        for k in range(n_dims):
            square += sums[place, k] * sums[place, k]
        squares[place] = square
        sizes[place] = size


@compiled
def transpose(indices, data, starts, documents, slots, rows, ends, places, counts):
    """The distinct n-grams of a block of documents, and the places and counts of each in the block.

    `slots` holds -1 for each n-gram, before and after. `ends[i]` is the end of the occurrences of `rows[i]`.
    Returns the number of distinct n-grams.
    """
    n_rows = 0
    for document in documents:
        for position in range(starts[document], starts[document + 1]):
            row = indices[position]
            if slots[row] < 0:
                slots[row] = n_rows
                rows[n_rows] = row
                ends[n_rows] = 0
                n_rows += 1
            ends[slots[row]] += 1
    total = 0
    for slot in range(n_rows):
        n_occurrences = ends[slot]
        ends[slot] = total
        total += n_occurrences
    for place in range(len(documents)):
        document = documents[place]
        for position in range(starts[document], starts[document + 1]):
            slot = slots[indices[position]]
            places[ends[slot]] = place
            counts[ends[slot]] = data[position]
            ends[slot] += 1
    for slot in range(n_rows):
        slots[rows[slot]] = -1
    return n_rows


@compiled
def _pulls(unit, own, sums, squares, sizes, total, n_negative, sigmoid, pulls):
    """How strongly each document's sum pulls an n-gram (positive) or pushes it away (negative)."""
    n_dims = len(unit)
    in_block = np.float32(0)
    for place in range(len(sizes)):
        in_block += own[place]
    for place in range(len(sizes)):
        pulls[place] = 0
        if squares[place] < _TINY:
            continue
        product = np.float32(0)
        for k in range(n_dims):
            product += sums[place, k] * unit[k]
        inverse = 1 / np.sqrt(squares[place])
        others = total - sizes[place]
        if others > 0:
            share = (in_block - own[place]) / others
            logit = min(max(SCALE * product * inverse, -_LARGEST), _LARGEST)
            chance = sigmoid[int((logit + _LARGEST) * _STEPS + _HALF)]
            pulls[place] = -n_negative * sizes[place] * share * chance * inverse
        if own[place] > 0:
            # The document without this n-gram.
            square = squares[place] - 2 * own[place] * product + own[place] * own[place]
            if square > _NOTHING_LEFT * squares[place]:
                inverse = 1 / np.sqrt(square)
                logit = min(max(SCALE * (product - own[place]) * inverse, -_LARGEST), _LARGEST)
                pulls[place] += sigmoid[int((_LARGEST - logit) * _STEPS + _HALF)] * own[place] * inverse


@compiled
def update_rows(
    vectors, inverse, rows, ends, places, counts, first, end, sums, squares, sizes, n_negative, step, sigmoid
):
    """One step of gradient descent on the vectors of some n-grams; documents are held constant."""
    n_documents, n_dims = len(sizes), vectors.shape[1]
    unit, gradient = np.empty(n_dims, np.float32), np.empty(n_dims, np.float32)
    own, pulls = np.zeros(n_documents, np.float32), np.empty(n_documents, np.float32)
    total = np.float32(0)
    for place in range(n_documents):
        total += sizes[place]
    for slot in range(first, end):
        row = rows[slot]
        for k in range(n_dims):
            unit[k] = vectors[row, k] * inverse[row]
            gradient[k] = 0
        begin = ends[slot - 1] if slot else 0
        for occurrence in range(begin, ends[slot]):
            own[places[occurrence]] = counts[occurrence]
        _pulls(unit, own, sums, squares, sizes, total, n_negative, sigmoid, pulls)
        for occurrence in range(begin, ends[slot]):
            own[places[occurrence]] = 0
        for place in range(n_documents):
            for k in range(n_dims):
                gradient[k] += pulls[place] * sums[place, k]
        along, square = np.float32(0), np.float32(0)
        for k in range(n_dims):
            along += gradient[k] * unit[k]
        # The loss depends on the direction only, so its gradient is orthogonal to the vector and falls with its length.
        factor = step * SCALE * inverse[row]
        for k in range(n_dims):
            vectors[row, k] += factor * (gradient[k] - along * unit[k])
            square += vectors[row, k] * vectors[row, k]
        inverse[row] = 1 / np.sqrt(square)
