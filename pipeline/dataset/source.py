"""Where the bytes of a table come from: a file, or a member of a zip that is read without unpacking.

Whatever can go wrong with the bytes (no permission, a damaged or hostile zip) becomes a DataError here.
"""

from __future__ import annotations

import io
import lzma
import struct
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from pipeline.dataset.limits import MAX_MEMBER_BYTES, READ_BYTES_A_SECOND, READ_SECONDS
from pipeline.errors import DataError
from pipeline.storage import sha256_file

DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, struct.error, UnicodeDecodeError)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn the faults of reading `path` in the block into DataError. What is neither a file nor a folder is refused."""
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise OSError(0, "it is a pipe or a device")  # a pipe would be waited for, perhaps for ever
        yield
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist: check its name, or name another file or folder.") from error
    except (OSError, NotImplementedError, *DAMAGE) as error:
        if isinstance(error, DAMAGE) or (isinstance(error, OSError) and error.errno is None):
            raise DataError(
                f"{path} is damaged ({str(error)[:80]}), as a download that broke off leaves it: remove it and "
                "download it again."
            ) from error
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(
            f"{path} could not be read ({reason}): check that it is a file that you may read, or download it again."
        ) from error


def check_time(source: Source, begin: float, done: int) -> None:
    """Raise DataError where reading `done` bytes took longer since `begin` (time.thread_time) than they excuse."""
    allowed = READ_SECONDS + done / READ_BYTES_A_SECOND
    if time.thread_time() - begin > allowed:
        raise DataError(
            f"{source} took more than {allowed:.0f} s to read its first {done:,} bytes, where a table takes a fraction "
            "of that: it is damaged or made to do harm, so download it again."
        )


@dataclass(frozen=True)
class Source:
    """A file, or the member `member` of the zip at `path`."""

    path: Path
    member: str | None = None

    def __str__(self) -> str:
        return str(self.path) if self.member is None else f"{self.member} in {self.path}"

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open for reading bytes. Raises DataError, also for faults that show while the block reads."""
        with reading(self.path):
            if self.member is None:
                with self.path.open("rb") as file:
                    yield file
            else:
                with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as file:
                    yield io.BufferedReader(file)

    @contextmanager
    def damage_first(self) -> Iterator[None]:
        """In the block, a fault of a zip member's content is told only where its checksum fits: else it is damage."""
        try:
            yield
        except DataError:
            if self.member is not None:
                with self.open() as file:
                    while file.read(2**20):  # zipfile compares the checksum at the end
                        pass
            raise

    @contextmanager
    def open_text(self) -> Iterator[io.TextIOWrapper]:
        """Open as UTF-8 text for the csv module, with or without a byte order mark."""
        with self.open() as file:
            yield io.TextIOWrapper(file, encoding="utf-8-sig", newline="")

    def sha256(self) -> str:
        """SHA-256 of the file; of the whole zip for a member. Raises DataError."""
        with reading(self.path):
            return sha256_file(self.path)

    def stamp(self) -> tuple[int, int, int]:
        """Changes when the file is replaced or rewritten. Raises DataError."""
        with reading(self.path):
            stat = self.path.stat()
            return stat.st_ino, stat.st_size, stat.st_mtime_ns


def zip_members(path: Path) -> dict[str, Source]:
    """The members of a zip by their last name, e.g. {'train.csv': …}; folders inside it are looked through.

    Raises DataError for a damaged zip and for one that holds an absolute path, a path with `..`, an
    encrypted member, a member above 4 GiB, or the same name twice.
    """
    with reading(path), zipfile.ZipFile(path) as archive:
        infos = [info for info in archive.infolist() if not info.filename.endswith("/")]
    members: dict[str, Source] = {}
    for info in infos:
        inside = PurePosixPath(info.filename.replace("\\", "/"))
        if not inside.parts:
            problem = "has no name"
        elif inside.is_absolute() or ".." in inside.parts or ":" in inside.parts[0]:
            problem = "points outside the folder it would be unpacked to"
        elif info.flag_bits & 1:
            problem = "is encrypted"
        elif info.file_size > MAX_MEMBER_BYTES:
            problem = f"claims {info.file_size:,} bytes where {MAX_MEMBER_BYTES:,} are allowed"
        elif inside.name in members:
            problem = "has the same name as another member"
        else:
            members[inside.name] = Source(path, info.filename)
            continue
        raise DataError(
            f"{path} holds a member that {problem} ({info.filename!r}), which Kaggle's own zip never does: "
            "download it again from Kaggle."
        )
    return members
