"""A trained model: a network, what its outputs mean, where it comes from; and its file.

The file is a safetensors file: arrays and a JSON header, nothing that could run. The header's metadata
holds one JSON text, `inkproof`, with the fields of `_header`; every one of them is checked when loading.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import pipeline
from pipeline import storage
from pipeline.errors import ModelFileError, UsageError
from pipeline.nn.network import Network
from pipeline.recipe import build_network

FORMAT = 1
LARGEST_FILE = 2**30  # bytes; the largest net that trains here in a day stays far below


@dataclass(frozen=True)
class Model:
    """network: from pixels to logits. classes (k,): the label that each output stands for, int64 or text.

    side: width and height of the pictures in pixels. about: where the model comes from (recipe, σ, seed,
    data name and fingerprint), plain JSON values.
    """

    network: Network
    classes: np.ndarray
    side: int
    about: Mapping[str, Any]

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """(n, classes) float32 for images (n, side, side), uint8 0…255 or floats 0…1."""
        return self.network.probabilities(images)

    def predict(self, images: np.ndarray) -> np.ndarray:
        """The most probable label for each of images (n, side, side)."""
        return self.classes[self.network.logits(images).argmax(axis=1)]


def _header(model: Model, weights_sha256: str) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "inkproof": pipeline.__version__,
        "numpy": np.__version__,
        "layers": [layer.spec() for layer in model.network.layers],
        "dtype": str(model.network.dtype),
        "side": model.side,
        "classes": model.classes.tolist(),
        "about": dict(model.about),
        "sha256": weights_sha256,
    }


def save(model: Model, path: Path | str) -> None:
    """Write the model to `path` atomically; the same model gives the same bytes. Raises StorageError."""
    from safetensors.numpy import save as to_bytes

    arrays = _named_arrays(model.network)
    header = _header(model, _checksum(arrays))
    text = json.dumps(header, ensure_ascii=False, allow_nan=False)
    storage.write_bytes(path, to_bytes(arrays, metadata={"inkproof": text}))


def load(path: Path | str) -> Model:
    """Read a model that `save` wrote.

    Raises ModelFileError for a file that is missing, too large, truncated, altered, of another version or
    of a shape that its own header does not describe. Nothing in the file is executed.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    remedy = "train it again or restore it from a copy."
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read ({error.strerror}): give the path of a model file.") from error
    if size > LARGEST_FILE:
        raise ModelFileError(f"{path} has {size:,} bytes; a model file has at most {LARGEST_FILE:,}: {remedy}")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
        raise ModelFileError(f"{path} is not a whole safetensors file ({error}): {remedy}") from error
    try:
        header = json.loads(metadata["inkproof"])
        if not isinstance(header, dict):
            raise ValueError("not a table")
    except (KeyError, ValueError, RecursionError) as error:
        raise ModelFileError(f"{path} lacks the header of an Inkproof model: {remedy}") from error
    if header.get("format") != FORMAT:
        raise ModelFileError(
            f"{path} is of format {header.get('format')!r}, this version reads format {FORMAT}: {remedy}"
        )
    classes, side = _checked_meaning(path, header)
    if header.get("sha256") != _checksum(arrays):
        raise ModelFileError(f"{path} was altered: its weights do not match their checksum; {remedy}")
    weights = sum(array.size for array in arrays.values())
    try:
        network = build_network(
            header.get("layers"), (side, side), len(classes), rng=None, dtype=header.get("dtype"), most_params=weights
        )
    except (UsageError, TypeError, ValueError, MemoryError, OverflowError) as error:
        raise ModelFileError(f"{path} describes a network that cannot be built ({error}): {remedy}") from error
    expected = _named_arrays(network)
    found = {name: (array.shape, array.dtype) for name, array in arrays.items()}
    if found != {name: (array.shape, array.dtype) for name, array in expected.items()}:
        raise ModelFileError(f"{path}: its arrays are not those of the network that its header describes; {remedy}")
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ModelFileError(f"{path}: {name} holds values that are not finite numbers; {remedy}")
        expected[name][...] = array
    return Model(network, classes, side, header["about"])


def _checked_meaning(path: Path, header: Mapping[str, Any]) -> tuple[np.ndarray, int]:
    classes, side, about = header.get("classes"), header.get("side"), header.get("about")
    whole = isinstance(classes, list) and 2 <= len(classes) <= 1000
    same_type = whole and (all(type(c) is int for c in classes) or all(type(c) is str for c in classes))
    if not same_type or len(set(classes)) != len(classes):
        raise ModelFileError(f"{path}: its header must name 2 to 1,000 different classes, all numbers or all texts.")
    if type(side) is not int or not 1 <= side <= 4096:
        raise ModelFileError(f"{path}: the side in its header must be 1 to 4,096 pixels, found {side!r}.")
    if not isinstance(about, dict):
        raise ModelFileError(f"{path}: its header must say where the model comes from (about), found {about!r}.")
    try:
        return np.array(classes), side
    except OverflowError as error:
        raise ModelFileError(f"{path}: its header names a class that is too large a number.") from error


def _named_arrays(network: Network) -> dict[str, np.ndarray]:
    """Every array that makes the network, under the name it has in files: "1.Dense.weight"."""
    return {
        f"{number}.{type(layer).__name__}.{name}": array
        for number, layer in enumerate(network.layers)
        for name, array in layer.params.items()
    }


def _checksum(arrays: Mapping[str, np.ndarray]) -> str:
    parts = [f"{name} {a.dtype} {a.shape} ".encode() + a.tobytes() for name, a in sorted(arrays.items())]
    return storage.sha256_bytes(b"".join(parts))
