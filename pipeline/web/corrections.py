"""What visitors put right: pictures with their true labels, in one SQLite file on this machine."""

import csv
import io
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
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
    answered TEXT,            -- what the network had said
    visitor TEXT              -- whose it is, a random text that the page made up
)
"""
OWN = "(NOT :shared OR visitor = :visitor)"  # NULL, of one who has no name, equals nothing
BUSY_SECONDS = 10.0


@dataclass(frozen=True)
class Kept:
    """A correction as it is kept: pixels (side · side) bytes, label as a text."""

    id: int
    pixels: bytes
    label: str


class Corrections:
    """The file at `path`, made when the first correction comes. Safe from several threads and processes.

    shared: whether the page is served to others. Then each visitor sees and deletes his own corrections alone, and
    the file itself is the only place where all of them are.
    """

    def __init__(self, path: Path | str, *, most: int, shared: bool = False) -> None:
        self.path, self.most, self.shared = Path(path), most, shared

    def add(self, image: np.ndarray, label: object, answered: object | None, visitor: str | None = None) -> int:
        """Keep a picture (side, side) uint8 with its label, in place of the label that it had; gives its id.

        Raises UsageError when `most` are kept already.
        """
        with self._open() as database:
            same = "side = ? AND pixels = ? AND visitor IS ?"
            database.execute(f"DELETE FROM corrections WHERE {same}", (len(image), image.tobytes(), visitor))
            if database.execute("SELECT count(*) FROM corrections").fetchone()[0] >= self.most:
                raise UsageError(f"{self.most:,} corrections are kept already: export them, then delete them all.")
            created = datetime.now(UTC).isoformat(timespec="seconds")
            said = None if answered is None else str(answered)
            row = (created, len(image), image.tobytes(), str(label), said, visitor)
            return database.execute("INSERT INTO corrections VALUES (NULL, ?, ?, ?, ?, ?, ?)", row).lastrowid

    def all(self, choice: Choice, visitor: str | None = None) -> list[Kept]:
        """What the visitor may see, oldest first.

        Those of the side and classes that the networks know: another competition's may be in the file as well.
        """
        if not self.path.exists():
            return []
        known = set(map(str, choice.labels))
        with self._open() as database:
            sql = f"SELECT id, pixels, label FROM corrections WHERE side = :side AND {OWN} ORDER BY id"
            rows = database.execute(sql, {"side": choice.side, "shared": self.shared, "visitor": visitor})
            return [kept for kept in (Kept(*row) for row in rows) if kept.label in known]

    def delete(self, visitor: str | None = None, id: int | None = None) -> int:
        """Delete the visitor's corrections, or the one of that id, for good, and say how many there were."""
        if not self.path.exists():
            return 0
        with self._open() as database:
            sql = f"DELETE FROM corrections WHERE (:id IS NULL OR id = :id) AND {OWN}"
            count = database.execute(sql, {"id": id, "shared": self.shared, "visitor": visitor}).rowcount
        with self._open() as database:
            database.execute("VACUUM")  # or the pictures would stay in the file's free pages
        return count

    def csv(self, choice: Choice, visitor: str | None = None) -> str:
        """What `all` gives, as Kaggle writes train.csv: label, pixel0, pixel1, …"""
        text = io.StringIO()
        lines = csv.writer(text, lineterminator="\n")
        lines.writerow(["label", *(f"pixel{i}" for i in range(choice.side**2))])
        lines.writerows([kept.label, *kept.pixels] for kept in self.all(choice, visitor))
        return text.getvalue()

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own for each use, because a connection belongs to one thread."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=BUSY_SECONDS)) as database, database:
                database.execute(SCHEMA)
                if len(database.execute("SELECT name FROM pragma_table_info('corrections')").fetchall()) < 7:
                    database.execute("ALTER TABLE corrections ADD COLUMN visitor TEXT")
                yield database
        except (sqlite3.Error, OSError) as error:
            raise StorageError(
                f"{self.path} could not be used ({error}): check its permissions and the free space; nothing was "
                "changed."
            ) from error
