"""Pickling of fitted estimators as plain values, with a format number and a checksum.

A file names only public classes and NumPy's arrays, so private classes can be moved.
It contains no code and no Keras object. Objects that a user passes as parameters are pickled by their own name:
a callable `analyzer`, a callback.
"""

from __future__ import annotations

import importlib
import zlib
from typing import Any

import numpy as np

from .._head.head import ClassHead

FORMAT = 3
_READABLE = (1, 2, FORMAT)

_STAMP = "_skvae"
# Files without this in their stamp have a checksum that used the `repr` of NumPy's scalars.
_CHECKSUM_OF = "bytes"
_PART = "_skvae_part"
# Names of the parts in files, and their current modules.
_PARTS = {
    "autoencoder": "_network.fitted.FittedAutoencoder",
    "network": "_network.stored.FittedNetwork",
    "ngrams": "_texts.ngrams.NgramFeatures",
    "ngram_vectors": "_texts.ngram_vectors.NgramVectors",
    "embedder": "_texts.embedding.FittedEmbedder",
    "linear": "_head.linear.LinearModel",
    "online": "_head.linear.OnlineModel",
    "ngram_classes": "_head.head.NgramClasses",
    "latent_classes": "_writing.steering.LatentClasses",
}
_PACKAGE = __package__.partition(".")[0]
_NAMES = {f"{_PACKAGE}.{home}": name for name, home in _PARTS.items()}


class StoredMixin:
    """Pickles an estimator as plain values, and refuses damaged files.

    It must come before `BaseEstimator` in the list of base classes.
    """

    def _to_store(self, state: dict[str, Any]) -> dict[str, Any]:
        """Attributes without those that are recreated on access, and without foreign objects."""
        return state

    def _from_store(self, state: dict[str, Any]) -> dict[str, Any]:
        """The inverse of `_to_store`."""
        return state

    # Callbacks of scikit-learn copy, and parts of the user's may not be picklable. No `__deepcopy__`: a `FrozenEstimator` would
    # hand it on, and its copy would not be frozen.
    def __copy__(self) -> Any:
        copied = object.__new__(type(self))
        copied.__dict__ |= self.__dict__
        return copied

    def __getstate__(self) -> dict[str, Any]:
        from .. import __version__

        state: dict[str, Any] = super().__getstate__()  # type: ignore[assignment]
        state = _plain(self._to_store(dict(state)), {})
        stamp = {"format": FORMAT, "version": __version__, "checksum_of": _CHECKSUM_OF}
        return state | {_STAMP: stamp | {"checksum": _checksum([stamp, state])}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        name = type(self).__name__
        state = dict(state)
        stamp = state.pop(_STAMP, None)
        if not isinstance(stamp, dict) or "format" not in stamp:
            raise ValueError(
                f"this file holds a {name} without a format number, and cannot be read: it is damaged, or was not"
                " written by a release of skvae."
            )
        if stamp["format"] not in _READABLE:
            from .. import __version__

            raise ValueError(
                f"this file holds a {name} of format {stamp['format']!r}, written by skvae {stamp.get('version')};"
                f" skvae {__version__} reads formats {_READABLE[0]} to {FORMAT}. Load it with the version that wrote it, or fit again."
            )
        written = {key: value for key, value in stamp.items() if key != "checksum"}
        if stamp.get("checksum") not in _checksums(written, state):
            raise ValueError(
                f"this file holds a {name} that is damaged: its checksum does not match its content. Copy the file"
                " again from its source, or fit again."
            )
        super().__setstate__(self._from_store(_restored(state, {})))  # type: ignore[misc]


def _plain(value: Any, seen: dict[int, tuple[Any, Any]]) -> Any:
    """Values with each part of a fitted estimator as a dict; an object that occurs twice stays one object."""
    if id(value) in seen:
        return seen[id(value)][1]
    name = _NAMES.get(f"{type(value).__module__}.{type(value).__qualname__}")
    plain = value
    if name is not None:
        state = value.__getstate__()
        plain = {_PART: name, "state": {key: _plain(each, seen) for key, each in state.items()}}
    elif type(value) is dict:
        plain = {key: _plain(each, seen) for key, each in value.items()}
    elif type(value) in (list, tuple):
        plain = type(value)(_plain(each, seen) for each in value)
    # The value is kept alive, since the id of a deleted object can be reused.
    seen[id(value)] = (value, plain)
    return plain


def _restored(plain: Any, seen: dict[int, Any]) -> Any:
    """The inverse of `_plain`."""
    if id(plain) in seen:
        return seen[id(plain)]
    value = plain
    if type(plain) is dict and _PART in plain:
        module, _, name = _PARTS[plain[_PART]].rpartition(".")
        kind = getattr(importlib.import_module(f".{module}", _PACKAGE), name)
        value = kind.__new__(kind)
        state = {key: _restored(each, seen) for key, each in plain["state"].items()}
        if hasattr(value, "__setstate__"):
            value.__setstate__(state)
        else:
            value.__dict__.update(state)
    elif type(plain) is dict:
        value = {key: _restored(each, seen) for key, each in plain.items()}
    elif type(plain) in (list, tuple):
        value = type(plain)(_restored(each, seen) for each in plain)
    seen[id(plain)] = value
    return value


def _checksum(value: Any, before: int = 0) -> int:
    """CRC-32 of plain values; of other objects, such as contained estimators, only the type counts."""
    kind = type(value)
    # Arrays that joblib maps into memory must have the same checksum.
    described = f"{'ndarray' if isinstance(value, np.ndarray) else kind.__name__}:"
    if kind is dict:
        before = zlib.crc32(f"{described}{len(value)}".encode(), before)
        # Sorted, since not all file writers keep the order.
        for key, each in sorted(value.items(), key=lambda item: _checksum(item[0])):
            before = _checksum(each, _checksum(key, before))
        return before
    if kind in (list, tuple):
        before = zlib.crc32(f"{described}{len(value)}".encode(), before)
        for each in value:
            before = _checksum(each, before)
        return before
    if isinstance(value, (np.ndarray, np.generic)):
        before = zlib.crc32(f"{described}{value.dtype.str}{value.shape}".encode(), before)
        if value.dtype.hasobject:
            return _checksum(value.tolist(), before)
        if isinstance(value, np.generic) or not value.nbytes:
            return zlib.crc32(value.tobytes(), before)
        return zlib.crc32(np.ascontiguousarray(value).view(np.uint8).data, before)
    if kind is float:
        described += value.hex()
    elif kind is bytes:
        before = zlib.crc32(value, before)
    elif value is None or kind in (bool, int, str):
        described += str(value)
    return zlib.crc32(described.encode("utf-8", "surrogatepass"), before)


def _checksums(stamp: dict[str, Any], state: dict[str, Any]) -> set[int]:
    """The valid checksums of an intact file with this stamp."""
    if stamp.get("checksum_of") == _CHECKSUM_OF:
        return {_checksum([stamp, state])}
    found = set()
    # NumPy 2 writes np.float64(0.1) where NumPy 1 wrote 0.1.
    for legacy in (False, "1.25") if np.lib.NumpyVersion(np.__version__) >= "2.0.0" else (False,):
        with np.printoptions(legacy=legacy):
            found.add(_checksum_of_repr([stamp, state]))
    return found


def _checksum_of_repr(value: Any, before: int = 0) -> int:
    """Like `_checksum`, for files without "checksum_of" in their stamp."""
    kind = type(value)
    # Arrays that joblib maps into memory must have the same checksum.
    described = f"{'ndarray' if isinstance(value, np.ndarray) else kind.__name__}:"
    if kind in (dict, list, tuple):
        before = zlib.crc32(f"{described}{len(value)}".encode(), before)
        # Sorted, since not all file writers keep the order.
        for each in sorted(value.items(), key=lambda item: str(item[0])) if kind is dict else value:
            before = _checksum_of_repr(each, before)
        return before
    if isinstance(value, np.ndarray):
        before = zlib.crc32(f"{described}{value.dtype.str}{value.shape}".encode(), before)
        content = repr(value.tolist()).encode() if value.dtype.hasobject else np.ascontiguousarray(value).data
        return zlib.crc32(content, before) if value.size else before
    if value is None or kind in (bool, int, float, str) or isinstance(value, np.generic):
        described += repr(value)
    return zlib.crc32(described.encode("utf-8", "surrogatepass"), before)


def head_to_store(state: dict[str, Any]) -> dict[str, Any]:
    """Attributes of a classifier with the parts of its head separated, as in files."""
    head = state.pop("_class_head", None)
    if head is None:
        return state
    return state | {
        "_head": head.layers,
        "_activation": head.activation,
        "_lexical": None if head.ngrams is None else (head.ngrams, head.models["lexical"]),
        "_vector": head.models.get("vector"),
        "_embedding": head.models.get("embedding"),
        "_online": head.online,
    }


def head_from_store(state: dict[str, Any]) -> dict[str, Any]:
    """The inverse of `head_to_store`."""
    if "_head" not in state:
        return state
    ngrams, lexical = state.pop("_lexical", None) or (None, None)
    models = {"lexical": lexical}
    models |= {name: state.pop(f"_{name}", None) for name in ("vector", "embedding")}
    online = state.pop("_online", None) or {}
    state["_class_head"] = ClassHead(
        layers=state.pop("_head"),
        activation=state.pop("_activation"),
        models={name: model for name, model in models.items() if model is not None},
        ngrams=ngrams,
        # In files of formats 1 and 2, the lexical model is the only one.
        online=online if isinstance(online, dict) else {"lexical": online},
    )
    means, classes = state.pop("_feature_means", None), state.get("_latent_classes")
    state.pop("_n_averaged", None)
    if classes is not None and classes.ngram_classes is None:
        classes.feature_means = means
    return state
