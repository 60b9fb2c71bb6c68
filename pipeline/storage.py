"""Atomic file writes, content hashes, and file locks that the operating system drops with their holder.

Every output goes to a temporary file in the same folder, is flushed to the disk and renamed: a reader
sees the old file or the new one, never a part, whatever happens in between (full disk, Ctrl-C, power).
"""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import json
import os
import secrets
import sys
import tempfile
from collections.abc import Iterable, Iterator
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
        raise _refused(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _refused(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{path} could not be written ({error.strerror or error}): free some space or check the permissions of "
        f"{path.parent}, then try again; what stood there before is unchanged."
    )


def check_writable(path: Path) -> None:
    """Raises StorageError where no file can come to stand at `path`; nothing is left there, no folder either."""
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        tempfile.TemporaryFile(dir=next(parent for parent in path.absolute().parents if parent.exists())).close()
    except OSError as error:
        raise _refused(path, error) from error


def write_bytes(path: Path | str, content: bytes) -> None:
    """Write `content` to `path` atomically. Raises StorageError."""
    with atomic_file(path) as file:
        file.write(content)


def write_text(path: Path | str, content: str) -> None:
    """Write `content` as UTF-8, line ends as they are, atomically. Raises StorageError."""
    write_bytes(path, content.encode("utf-8"))


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Rows as CSV, one line each, ended by a line feed on every system; None is an empty cell."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()


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


class FileLock:
    """An exclusive lock on the file at `path`, taken by `acquire`, dropped by `release` or by the process's end.

    The operating system drops it when the last process that holds the file open is gone, killed or not; a process
    number that is written down would be given to another process one day.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._handle: int | None = None

    def acquire(self) -> bool:
        """Take the lock; False when another process holds it. Raises StorageError when the disk refuses."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StorageError(
                f"{self.path} could not be made ({error.strerror or error}): check the permissions of "
                f"{self.path.parent}."
            ) from error
        try:
            _lock(handle)
        except OSError:
            os.close(handle)
            return False
        with suppress(OSError):  # its last holder may have removed it meanwhile: then another one stands at the path
            if os.path.samestat(os.fstat(handle), self.path.stat()):
                self._handle = handle
                return True
        os.close(handle)
        return False

    def release(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def remove(self) -> None:
        """Drop the lock and take its file away."""
        if sys.platform == "win32":  # which removes no file that is open
            self.release()
        with suppress(OSError):
            self.path.unlink()
        self.release()


def is_held(path: Path | str) -> bool:
    """Whether a living process holds the lock at `path`."""
    if not Path(path).exists():
        return False
    lock = FileLock(path)
    if not lock.acquire():
        return True
    lock.release()
    return False


if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
