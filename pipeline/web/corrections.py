"""What visitors put right: pictures with their true labels, in one SQLite file on this machine."""

from __future__ import annotations

import csv
import io
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from pipeline.errors import StorageError, UsageError
from pipeline.web.models import Choice

SCHEMA = """
CREATE TABLE IF NOT EXISTS corrections (
    id INTEGER PRIMARY KEY,
    created TEXT NOT NULL,    -- UTC, ISO 8601
    side INTEGER NOT NULL,
    pixels BLOB NOT NULL,     -- side · side bytes, as the network saw the picture
    label TEXT NOT NULL,      -- what it was
    answered TEXT             -- what the network had said
)
"""
BUSY_SECONDS = 10.0


class Corrections:
    """The file at `path`, made when the first correction comes. Safe from several threads and processes."""

    def __init__(self, path: Path | str, *, most: int) -> None:
        self.path, self.most = Path(path), most

    def add(self, image: np.ndarray, label: object, answered: object | None) -> None:
        """Keep a picture (side, side) uint8 with its label. Raises UsageError when `most` are kept already."""
        with self._open() as database:
            if database.execute("SELECT count(*) FROM corrections").fetchone()[0] >= self.most:
                raise UsageError(f"{self.most:,} corrections are kept already: export them, then delete them all.")
            created = datetime.now(UTC).isoformat(timespec="seconds")
            said = None if answered is None else str(answered)
            row = (created, len(image), image.tobytes(), str(label), said)
            sql = "INSERT INTO corrections (created, side, pixels, label, answered) VALUES (?, ?, ?, ?, ?)"
            database.execute(sql, row)

    def all(self, choice: Choice) -> tuple[np.ndarray, list[str]]:
        """Pictures (n, side, side) uint8 and their labels as texts, oldest first.

        Those of the side and classes that the networks know: another competition's may be in the file as well.
        """
        side, known = choice.side, set(map(str, choice.labels))
        rows = []
        if self.path.exists():
            with self._open() as database:
                sql = "SELECT pixels, label FROM corrections WHERE side = ? ORDER BY id"
                rows = [row for row in database.execute(sql, (side,)) if row[1] in known]
        pixels = np.frombuffer(b"".join(row[0] for row in rows), np.uint8)
        return pixels.reshape(len(rows), side, side), [row[1] for row in rows]

    def delete_all(self) -> int:
        """Delete every correction for good, and say how many there were."""
        if not self.path.exists():
            return 0
        with self._open() as database:
            count = database.execute("DELETE FROM corrections").rowcount
        with self._open() as database:
            database.execute("VACUUM")  # or the pictures would stay in the file's free pages
        return count

    def csv(self, choice: Choice) -> str:
        """What `all` gives, as Kaggle writes train.csv: label, pixel0, pixel1, …"""
        images, labels = self.all(choice)
        text = io.StringIO()
        lines = csv.writer(text, lineterminator="\n")
        lines.writerow(["label", *(f"pixel{i}" for i in range(choice.side**2))])
        rows = images.reshape(len(images), choice.side**2).tolist()
        lines.writerows([label, *row] for label, row in zip(labels, rows, strict=True))
        return text.getvalue()

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own for each use, because a connection belongs to one thread."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            database = sqlite3.connect(self.path, timeout=BUSY_SECONDS)
        except (sqlite3.Error, OSError) as error:
            raise self._fault(error) from error
        try:
            with database:
                database.execute(SCHEMA)
                yield database
        except sqlite3.Error as error:
            raise self._fault(error) from error
        finally:
            database.close()

    def _fault(self, error: Exception) -> StorageError:
        return StorageError(
            f"{self.path} could not be used ({error}): check its permissions and the free space; nothing was changed."
        )
