"""Files that are either whole or not there, and fingerprints of contents.

Every output goes to a temporary file in the same folder, is flushed to the disk and renamed: a reader
sees the old file or the new one, never a part, whatever happens in between (full disk, Ctrl-C, power).
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from pipeline.errors import StorageError


@contextmanager
def atomic_file(path: Path | str) -> Iterator[BinaryIO]:
    """Open a binary file that takes the name `path` only when the block ends without an error.

    The folder is made where it is missing. Raises StorageError when the disk refuses (full, read-only,
    no permission); the file that stood at `path` before is then untouched.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise StorageError(
            f"{path} could not be written ({reason}): free some space or check the permissions of "
            f"{path.parent}, then try again; what stood there before is unchanged."
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_bytes(path: Path | str, content: bytes) -> None:
    """Write `content` to `path` atomically. Raises StorageError."""
    with atomic_file(path) as file:
        file.write(content)


def write_text(path: Path | str, content: str) -> None:
    """Write `content` as UTF-8, line ends as they are, atomically. Raises StorageError."""
    write_bytes(path, content.encode("utf-8"))


def write_json(path: Path | str, value: Any) -> None:
    """Write `value` as indented JSON, keys in the order given, atomically. Raises StorageError.

    NaN and infinity are refused (ValueError), because JSON has no word for them.
    """
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def sha256_file(path: Path | str) -> str:
    """SHA-256 of a file's bytes as 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_bytes(content: bytes | memoryview) -> str:
    """SHA-256 of `content` as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
