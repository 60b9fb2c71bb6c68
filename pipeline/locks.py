"""A lock that dies with its holder: how one process knows that another still works.

The operating system drops the lock when the last process that holds the file open is gone, killed or
not; a number of a process that is written down would be given to another one day.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pipeline.errors import StorageError


class FileLock:
    """An exclusive lock on the file at `path`, taken by `acquire`, dropped by `release` or by the end."""

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
        self._handle = handle
        return True

    def release(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


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
