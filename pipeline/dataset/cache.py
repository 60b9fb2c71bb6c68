"""Parsed rows kept on disk, so that a second start reads them in milliseconds.

An entry's name is the hash of all that its content follows from (the source's bytes, the column options,
the version of this code), so a changed file simply has another entry. An entry is three parts:

    SHA-256 of the second part, in hexadecimal digits, newline
    a line of JSON: names, shape, label or id column, SHA-256 of the third part, newline
    the pixels, raw

An entry that does not match its hashes, to the last byte, is as good as none.
"""

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.dataset.rows import Table
from pipeline.errors import StorageError
from pipeline.storage import atomic_file, sha256_bytes

FOLDER = ".inkproof-cache"
VERSION = 2  # to be raised whenever the same CSV would be read differently, or an entry be written differently
KEPT_ENTRIES = 8  # train and test of four data sets; older entries are removed
STALE_SECONDS = 3600  # age at which another run's temporary file is taken for a leftover of a crash


def entry_path(folder: Path, **origin: Any) -> Path:
    """Where the rows that follow from `origin` (JSON values) are kept below `folder`."""
    described = json.dumps({"version": VERSION, **origin}, sort_keys=True)
    return folder / FOLDER / f"{sha256_bytes(described.encode('utf-8'))}.rows"


def load(path: Path) -> Table | None:
    """The rows kept at `path`; None when there are none, or when they are damaged. Never raises."""
    with suppress(OSError), path.open("rb") as file:
        seal, description = file.readline(), file.readline()
        if sha256_bytes(path.stem.encode() + description) != seal.decode("latin-1").strip():
            return None
        entry = json.loads(description)
        pixels = np.empty(entry["shape"], np.uint8)
        if file.readinto(pixels.reshape(-1)) != pixels.size or file.read(1):
            return None
        if sha256_bytes(pixels) != entry["pixels_sha256"]:
            return None
        with suppress(OSError):  # the time of last use decides which entries are removed
            path.touch()
        key = None if entry["key"] is None else np.array(entry["key"], dtype=entry["key_dtype"])
        return Table(tuple(entry["pixel_names"]), pixels, key, entry["key_name"], entry["pixels_sha256"])
    return None


def store(path: Path, table: Table) -> None:
    """Keep `table` at `path` for the next start; does nothing where the folder cannot be written."""
    entry = {
        "pixel_names": table.pixel_names,
        "shape": table.pixels.shape,
        "key": None if table.key is None else table.key.tolist(),
        "key_name": table.key_name,
        "key_dtype": None if table.key is None else table.key.dtype.str,
        "pixels_sha256": table.pixels_sha256,
    }
    description = json.dumps(entry).encode("utf-8") + b"\n"
    seal = sha256_bytes(path.stem.encode() + description)
    with suppress(StorageError):
        with atomic_file(path) as file:
            file.write(seal.encode("ascii") + b"\n")
            file.write(description)
            file.write(table.pixels)
        _prune(path.parent)


def _prune(folder: Path) -> None:
    """Remove the entries unused for longest, and what crashed runs left behind."""
    with suppress(OSError):  # another run may be removing the same files
        entries = sorted(folder.glob("*.rows"), key=lambda entry: entry.stat().st_mtime, reverse=True)
        leftovers = [part for part in folder.glob(".*.part") if part.stat().st_mtime < time.time() - STALE_SECONDS]
        for unused in [*entries[KEPT_ENTRIES:], *leftovers]:
            unused.unlink(missing_ok=True)
