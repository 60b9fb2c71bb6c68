"""A trained model: a network, what its outputs mean, where it comes from; and its file.

The file is a safetensors file: arrays and a JSON header, nothing that could run. The header's metadata holds
one JSON text, `inkproof`, with the fields that `save` gives it and `sha256`, the checksum of all else. Every
one of them is checked when loading.
"""

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
from pipeline.training.recipe import build_network

FORMAT = 1
LARGEST_FILE = 2**30  # bytes; the largest net that trains here in a day stays far below
MOST_LAYERS = 1000
REMEDY = "train it again or restore it from a copy."


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


def save(model: Model, path: Path | str) -> None:
    """Write the model to `path` atomically; the same model gives the same bytes. Raises StorageError."""
    from safetensors.numpy import save as to_bytes

    header = {
        "format": FORMAT,
        "inkproof": pipeline.__version__,
        "numpy": np.__version__,
        "layers": [layer.spec() for layer in model.network.layers],
        "dtype": str(model.network.dtype),
        "side": model.side,
        "classes": model.classes.tolist(),
        "about": dict(model.about),
    }
    arrays = named_arrays(model.network)
    text = _as_text({**header, "sha256": checksum(header, arrays)})
    storage.write_bytes(path, to_bytes(arrays, metadata={"inkproof": text}))


def load(path: Path | str) -> Model:
    """Read a model that `save` wrote.

    Raises ModelFileError for a file that is missing, too large, truncated, altered, of another version or
    of a shape that its own header does not describe. Nothing in the file is executed.
    """
    path = Path(path)
    metadata, arrays = _read(path)
    header = _parsed(path, metadata)
    if header.pop("sha256", None) != checksum(header, arrays):
        raise ModelFileError(f"{path} was altered: its content does not match its checksum; {REMEDY}")
    _check_meaning(path, header)
    classes, side, weights = np.array(header["classes"]), header["side"], sum(array.size for array in arrays.values())
    try:
        network = build_network(
            header["layers"], (side, side), len(classes), rng=None, dtype=header["dtype"], most_params=weights
        )
    except (UsageError, TypeError, ValueError, MemoryError, OverflowError) as error:
        raise ModelFileError(f"{path} describes a network that cannot be built ({error}): {REMEDY}") from error
    expected = named_arrays(network)
    found = {name: (array.shape, array.dtype) for name, array in arrays.items()}
    if found != {name: (array.shape, array.dtype) for name, array in expected.items()}:
        raise ModelFileError(f"{path}: its arrays are not those of the network that its header describes; {REMEDY}")
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ModelFileError(f"{path}: {name} holds values that are not finite numbers; {REMEDY}")
        expected[name][...] = array
    return Model(network, classes, side, header["about"])


def _read(path: Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """The safetensors file's metadata and arrays."""
    from safetensors import SafetensorError, safe_open

    try:
        size = path.stat().st_size
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelFileError(f"{path} cannot be read ({reason}): give the path of a model file.") from error
    if not path.is_file():
        raise ModelFileError(f"{path} is not a file: give the path of a model file.")
    if size > LARGEST_FILE:
        raise ModelFileError(f"{path} has {size:,} bytes; a model file has at most {LARGEST_FILE:,}: {REMEDY}")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            return metadata, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, AttributeError, MemoryError) as error:
        raise ModelFileError(f"{path} is not a whole safetensors file ({str(error)[:200]}): {REMEDY}") from error


def _parsed(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    """The header as a table of a format that this version reads."""
    try:
        header = json.loads(metadata["inkproof"])
        if not isinstance(header, dict):
            raise ValueError("not a table")
        _as_text(header)  # refuses what JSON has no word for, and tables too deep to be ours
    except (KeyError, ValueError, RecursionError) as error:
        raise ModelFileError(f"{path} lacks the header of an Inkproof model: {REMEDY}") from error
    if type(header.get("format")) is not int or header["format"] != FORMAT:
        raise ModelFileError(
            f"{path} is of format {header.get('format')!r:.40}, this version of Inkproof reads format {FORMAT}: use "
            "the version that wrote it, or train it again."
        )
    return header


def _check_meaning(path: Path, header: Mapping[str, Any]) -> None:
    classes, side, layers = (header.get(name) for name in ("classes", "side", "layers"))
    kinds = {type(label) for label in classes} if isinstance(classes, list) else set()
    different = kinds in ({int}, {str}) and 2 <= len(set(classes)) == len(classes) <= 1000
    small = kinds != {int} or all(-(2**63) <= label < 2**63 for label in classes)
    rules = {
        "name 2 to 1,000 different classes, all numbers or all texts": different,
        "name no class that is too large a number": small,
        f"give a side of 1 to 4,096 pixels, found {side!r:.40}": type(side) is int and 1 <= side <= 4096,
        "say where the model comes from (about)": isinstance(header.get("about"), dict),
        f"list at most {MOST_LAYERS:,} layers": isinstance(layers, list) and len(layers) <= MOST_LAYERS,
        "name a dtype": isinstance(header.get("dtype"), str),
    }
    for rule, kept in rules.items():
        if not kept:
            raise ModelFileError(f"{path}: its header must {rule}; {REMEDY}")


def named_arrays(network: Network) -> dict[str, np.ndarray]:
    """Every array that makes the network, under the name it has in files: "1.Dense.weight"."""
    return {
        f"{number}.{type(layer).__name__}.{name}": array
        for number, layer in enumerate(network.layers)
        for name, array in {**layer.params, **layer.state}.items()
    }


def _as_text(header: Mapping[str, Any]) -> str:
    return json.dumps(header, ensure_ascii=False, allow_nan=False)


def checksum(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256, in hex, of a model file's header and of its arrays with their names, dtypes and shapes."""
    parts = [f"{name} {a.dtype} {a.shape} ".encode() + a.tobytes() for name, a in sorted(arrays.items())]
    return storage.sha256_bytes(b"".join([_as_text(header).encode("utf-8", "surrogatepass"), *parts]))
