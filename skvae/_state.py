"""What is pickled: fitted estimators as plain values, with a format number and a checksum.

A file names no class but the three public ones and NumPy's arrays, so what is private may move,
and holds no code and no Keras object. What a user passes as a parameter is pickled by its own name: a callable
`analyzer`, a callback.
"""

from __future__ import annotations

import importlib
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._forking import check_can_run
from ._network_config import NetworkConfig

FORMAT = 2
_READABLE = (1, FORMAT)

_STAMP = "_skvae"
# Files without this in their stamp were written when the checksum counted NumPy's scalars by their `repr`.
_CHECKSUM_OF = "bytes"
_PART = "_skvae_part"
# What parts are called in files, and where they live today.
_PARTS = {
    "autoencoder": "_autoencoder.FittedAutoencoder",
    "network": "_state.FittedNetwork",
    "ngrams": "_ngrams.NgramFeatures",
    "linear": "_class_head.LinearTerm",
    "online": "_class_head.OnlineTerm",
    "latent_classes": "_steering.LatentClasses",
}
_NAMES = {f"{__package__}.{home}": name for name, home in _PARTS.items()}

# Attributes of a live network that a fit sets: `recipe` says whether its optimizer is gone on with.
_OF_TRAINING = ("recipe", "warmup_steps")

_build_lock = threading.Lock()


class StoredMixin:
    """Pickles an estimator as plain values, and refuses what does not come back whole.

    To be put before `BaseEstimator` among the base classes.
    """

    def _to_store(self, state: dict[str, Any]) -> dict[str, Any]:
        """Attributes without those that are made again when asked for, and without foreign objects."""
        return state

    def _from_store(self, state: dict[str, Any]) -> dict[str, Any]:
        """The attributes that `_to_store` was given."""
        return state

    def __getstate__(self) -> dict[str, Any]:
        from . import __version__

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
                f"this file holds a {name} without a format number, and cannot be read: it is damaged, or no release"
                " of skvae wrote it."
            )
        if stamp["format"] not in _READABLE:
            from . import __version__

            raise ValueError(
                f"this file holds a {name} of format {stamp['format']!r}, written by skvae {stamp.get('version')};"
                f" skvae {__version__} reads formats {_READABLE[0]} to {FORMAT}. Load it with the version that wrote it, or fit again."
            )
        written = {key: value for key, value in stamp.items() if key != "checksum"}
        if stamp.get("checksum") not in _checksums(written, state):
            raise ValueError(
                f"this file holds a {name} that is damaged: its checksum is not that of its content. Copy the file"
                " again from where it came, or fit again."
            )
        super().__setstate__(self._from_store(_restored(state, {})))  # type: ignore[misc]


def _plain(value: Any, seen: dict[int, tuple[Any, Any]]) -> Any:
    """Values with each part of a fitted estimator as a dict; what occurs twice stays one object."""
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
    # With the value itself: the id of one that is gone would soon be another's.
    seen[id(value)] = (value, plain)
    return plain


def _restored(plain: Any, seen: dict[int, Any]) -> Any:
    """What `_plain` was given."""
    if id(plain) in seen:
        return seen[id(plain)]
    value = plain
    if type(plain) is dict and _PART in plain:
        module, _, name = _PARTS[plain[_PART]].rpartition(".")
        kind = getattr(importlib.import_module(f".{module}", __package__), name)
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
    """CRC-32 of plain values; objects of other kinds, such as contained estimators, count by their type."""
    kind = type(value)
    # The same for arrays that joblib maps into memory.
    described = f"{'ndarray' if isinstance(value, np.ndarray) else kind.__name__}:"
    if kind is dict:
        before = zlib.crc32(f"{described}{len(value)}".encode(), before)
        # Sorted, since not all that write files keep the order.
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
    """What an intact file with this stamp may have for its checksum."""
    if stamp.get("checksum_of") == _CHECKSUM_OF:
        return {_checksum([stamp, state])}
    found = set()
    # NumPy 2 writes np.float64(0.1) where NumPy 1 wrote 0.1.
    for legacy in (False, "1.25") if np.lib.NumpyVersion(np.__version__) >= "2.0.0" else (False,):
        with np.printoptions(legacy=legacy):
            found.add(_checksum_of_repr([stamp, state]))
    return found


def _checksum_of_repr(value: Any, before: int = 0) -> int:
    """As `_checksum`, of files that do not say what theirs is of."""
    kind = type(value)
    # The same for arrays that joblib maps into memory.
    described = f"{'ndarray' if isinstance(value, np.ndarray) else kind.__name__}:"
    if kind in (dict, list, tuple):
        before = zlib.crc32(f"{described}{len(value)}".encode(), before)
        # Sorted, since not all that write files keep the order.
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


class TrainingState:
    """What training changes in a live network, to be put back where it fails.

    Parameters
    ----------
    model : keras.Model
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.optimizer = model.optimizer if model.compiled else None
        self.attributes = {name: getattr(model, name) for name in _OF_TRAINING if hasattr(model, name)}
        variables = [*model.variables, *(() if self.optimizer is None else self.optimizer.variables)]
        self.values = [(variable, np.array(variable.numpy())) for variable in variables]

    def restore(self) -> None:
        """Every variable of network and optimizer as it was; and the optimizer, if it was exchanged."""
        from ._training import single_precision

        if self.optimizer is not None and self.model.optimizer is not self.optimizer:
            with single_precision():
                self.model.compile(optimizer=self.optimizer, jit_compile=False)
        for variable, value in self.values:
            variable.assign(value)
        for name, value in self.attributes.items():
            setattr(self.model, name, value)


class FittedNetwork:
    """A network that is either live (a Keras model) or stored (its weights), or both.

    The Keras model is built when somebody first asks for it; what is stored are the weights only.

    Parameters
    ----------
    config : NetworkConfig
        The shape of the network.
    model : keras.Model or None, default=None
        The live model.
    """

    def __init__(self, config: NetworkConfig, model: Any = None) -> None:
        self.config = config
        self._model = model
        self._weights: dict[str, NDArray[Any]] | None = None
        self._decoder: Any = None

    @property
    def is_live(self) -> bool:
        """Whether the Keras model is there already."""
        return self._model is not None

    @property
    def has_decoder(self) -> bool:
        """Whether the decoder is there already as a model of its own."""
        return self._decoder is not None

    @property
    def decoder(self) -> Any:
        """The live model's decoder as a model of its own, which shares its weights."""
        from .networks import build_decoder

        model = self.model
        with _build_lock:
            if self._decoder is None:
                self._decoder = build_decoder(model.text_decoder or model.bow_decoder)
            return self._decoder

    @property
    def model(self) -> Any:
        """The live Keras model."""
        check_can_run()
        if self._model is None:
            with _build_lock:
                if self._model is None:
                    self._model = self._rebuild()
        return self._model

    @property
    def weights(self) -> dict[str, NDArray[Any]]:
        """Every weight by its path in the network."""
        weights = self._weights
        if weights is None:
            named = self._model.named_weights()
            self._weights = weights = {name: np.array(weight.numpy()) for name, weight in named.items()}
        return weights

    def as_of_now(self) -> FittedNetwork:
        """A stored network with the weights that the live model has in the midst of training."""
        stored = FittedNetwork(self.config)
        stored._weights = FittedNetwork(self.config, self.model).weights
        return stored

    @contextmanager
    def restored_after(self, *failures: type[BaseException]) -> Iterator[None]:
        """Within, one of these exceptions leaves the network and its optimizer as they were before."""
        weights = self.weights
        before = None if self._model is None else TrainingState(self._model)
        try:
            yield
        except failures:
            if before is None:
                self._model = None
            else:
                before.restore()
            self._weights = weights
            raise

    def changed(self) -> None:
        """Say that the live model was trained, so that the stored weights are stale."""
        assert self._model is not None
        self._weights = self._decoder = None

    def _rebuild(self) -> Any:
        from .networks import TextVAE

        model = TextVAE(self.config, seed=0)
        stored, named = self.weights, model.named_weights()
        if named.keys() != stored.keys():
            differing = sorted(named.keys() ^ stored.keys())
            raise ValueError(
                f"the stored network does not fit this version of skvae: weights {differing[:3]} differ."
                " Load it with the version that saved it, or fit again."
            )
        for name, weight in named.items():
            weight.assign(stored[name])
        return model

    def __getstate__(self) -> dict[str, Any]:
        return {"config": self.config.as_dict(), "weights": self.weights}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.config = NetworkConfig.from_dict(state["config"])
        self._weights = state["weights"]
        self._model = self._decoder = None
