"""Ledger: runs and submissions, written and read by several processes at once."""

import json
import math
import shutil
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import COMMAND, StorageError, UsageError
from pipeline.runs.ledger.schema import migrate
from pipeline.storage import FileLock, is_held, sha256_file

BUSY_SECONDS = 30.0
TEXT, NUMBER = str | None, int | float | None
# Column → what it holds; of JSON, what is read of it anywhere.
RUN = {
    "id": str, "status": str, "started": str, "finished": TEXT, "seed": int | None,
    "recipe": {"name": TEXT, "summary": TEXT}, "data_name": str, "data_fingerprint": str, "data_rows": int | None,
    "competition": TEXT, "command": str, "git_commit": TEXT,
    "results": {
        "holdout": {"rows": int, "accuracy": float, "low": NUMBER, "high": NUMBER, "of": TEXT},
        "seconds": NUMBER, "dropped": {"rows": int},
    },
    "reason": TEXT, "submission_hash": TEXT,
}  # fmt: skip
SUBMISSION = {
    "id": str, "competition": str, "file": str, "file_hash": str, "message": str, "status": str, "created": str,
    "updated": str, "reference": int | None, "public_score": NUMBER,
}  # fmt: skip
NEEDED_BYTES = 100_000  # on the disk, for a database and its journal to begin
LARGEST = 1e300  # of a number, for it to be shown


@dataclass(frozen=True)
class Submission:
    """A submission as the ledger knows it.

    status: 'not known' (the client was started, Kaggle has not shown it so far), 'failed' (surely not at Kaggle),
    'pending' (at Kaggle, no score yet), 'complete', or 'error' (Kaggle could not score it).
    """

    id: str
    competition: str
    file: str
    file_hash: str
    message: str
    status: str
    created: str
    updated: str
    reference: int | None
    public_score: float | None


@dataclass(frozen=True)
class Run:
    """A run. status: 'running', 'finished', 'failed' or 'stopped' (see reason).

    data_rows: labelled rows; competition: slug on Kaggle, None where nobody named it.
    """

    id: str
    status: str
    started: str
    finished: str | None
    seed: int | None
    recipe: dict[str, Any]
    data_name: str
    data_fingerprint: str
    data_rows: int | None
    competition: str | None
    command: str
    git_commit: str | None
    results: dict[str, Any]
    reason: str | None
    submission_hash: str | None
    submissions: tuple[Submission, ...] = ()

    @property
    def holdout(self) -> Mapping[str, Any]:
        """The figure on the holdout: see run_folder.holdout_record; empty where there is none."""
        return self.results.get("holdout") or {}

    @property
    def accuracy(self) -> float | None:
        """Accuracy on the holdout, 0 to 1."""
        return self.holdout.get("accuracy")

    @property
    def public_score(self) -> float | None:
        """The latest public score of what this run wrote."""
        return next((s.public_score for s in self.submissions if s.public_score is not None), None)


class Ledger:
    """The SQLite file `folder`/ledger.sqlite. Made when first used; safe from several processes at once."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.path = self.folder / "ledger.sqlite"
        self._locks: dict[str, FileLock] = {}

    def start_run(self, id: str, record: Mapping[str, Any], command: str, git_commit: str | None = None) -> None:
        """Write down that a run began. Raises UsageError when its id is taken, StorageError by the disk.

        record: what its run.json will say of recipe, seed and data; of the data's name and fingerprint, and where they
        are known its labelled rows, "train", and its competition's slug. While this process lives, it holds a lock in
        the run's folder: a run that is neither finished nor held was stopped.
        """
        data = record["data"]
        about = (_json(record["recipe"]), data["name"], data["fingerprint"], data.get("train"), data.get("competition"))
        try:
            with self._locked(id), self._open() as database:
                database.execute(
                    "INSERT INTO runs (id, status, started, seed, recipe, data_name, data_fingerprint, data_rows,"
                    " competition, command, git_commit) VALUES (?, 'running', ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (id, _now(), record["seed"], *about, command, git_commit),
                )
        except sqlite3.IntegrityError as error:
            raise UsageError(f"Run {id} is in {self.path} already: give this run another id.") from error

    def resume_run(self, id: str) -> None:
        """Write down that a run goes on in this process. Raises UsageError when another one works on it."""
        with self._locked(id), self._open() as database:
            database.execute("UPDATE runs SET status = 'running', finished = NULL, reason = NULL WHERE id = ?", (id,))

    @contextmanager
    def _locked(self, id: str) -> Iterator[None]:
        """Lock the run for this process until it ends; a block that fails leaves it free."""
        lock = FileLock(self._lock_path(id))
        fresh = not lock.path.parent.exists()
        if not lock.acquire():
            raise UsageError(f"Run {id} is being worked on by another process: wait for its end, or stop it.")
        try:
            yield
        except BaseException:
            lock.release()
            if fresh:  # a run that never began leaves no folder
                shutil.rmtree(lock.path.parent, ignore_errors=True)
            raise
        self._locks[id] = lock

    def finish_run(self, id: str, results: Mapping[str, Any]) -> None:
        """Write down what a run brought. `results` is kept as JSON.

        Read elsewhere: results['holdout'] {'rows', 'accuracy', 'low', 'high'}, results['seconds'], and
        results['submission'], a path: the file's checksum links the run to its scores later.
        """
        submission = results.get("submission")
        digest = None
        if submission is not None:
            with suppress(OSError):
                digest = sha256_file(submission)
        self._end(id, "finished", _json(results), None, digest)

    def fail_run(self, id: str, reason: str) -> None:
        """Write down that a run ended without a result, and why."""
        self._end(id, "failed", "{}", reason, None)

    def stop_run(self, id: str) -> None:
        """Write down that a run was stopped from outside, as by Ctrl-C."""
        self._end(id, "stopped", "{}", "stopped from outside", None)

    def _end(self, id: str, status: str, results: str, reason: str | None, digest: str | None) -> None:
        with self._open() as database:
            changed = database.execute(
                "UPDATE runs SET status = ?, finished = ?, results = ?, reason = ?, submission_hash = ? WHERE id = ?",
                (status, _now(), results, reason, digest, id),
            )
            if not changed.rowcount:
                raise UsageError(f"Run {id} is not in {self.path}: start it before it ends.")
        if id in self._locks:
            self._locks.pop(id).remove()

    def runs(self) -> list[Run]:
        """All runs, the newest first, each with its submissions."""
        if not self.path.exists():
            return []
        with self._open() as database:
            rows = database.execute("SELECT * FROM runs ORDER BY started DESC, rowid DESC").fetchall()
        by_file: dict[str, list[Submission]] = {}
        for submission in self.submissions():
            by_file.setdefault(submission.file_hash, []).append(submission)
        return [self._run(row, by_file) for row in rows]

    def run(self, id: str) -> Run:
        """The run whose id is `id`, or the only one whose id begins so. Raises UsageError without one."""
        runs = self.runs()
        found = [run for run in runs if run.id == id] or [run for run in runs if run.id.startswith(id)]
        if len(found) != 1:
            what = f"{len(found)} runs begin with {id!r}" if found else f"No run {id!r} is in {self.path}"
            raise UsageError(f"{what}: `{COMMAND} runs` lists them.")
        return found[0]

    def run_that_wrote(self, file_hash: str) -> Run | None:
        """The newest run whose submission has this SHA-256."""
        return next((run for run in self.runs() if run.submission_hash == file_hash), None)

    def _run(self, row: sqlite3.Row, by_file: Mapping[str, list[Submission]]) -> Run:
        fields = self._checked(row, RUN)
        held = fields["id"] in self._locks or is_held(self._lock_path(fields["id"]))
        if fields["status"] == "running" and not held:
            fields["status"], fields["reason"] = "stopped", "its process is gone"
        return Run(**fields, submissions=tuple(by_file.get(fields["submission_hash"], ())))

    def _checked(self, row: sqlite3.Row, shape: Mapping[str, Any]) -> dict[str, Any]:
        """The columns of `shape`, JSON read. Raises StorageError for what is missing or of another shape."""
        fields: dict[str, Any] = {}
        for name, kind in shape.items():
            with suppress(IndexError, TypeError, ValueError, RecursionError):
                fields[name] = json.loads(row[name]) or {} if isinstance(kind, dict) else row[name]
            if name not in fields or not _fits(fields[name], kind) or "/" in fields["id"] or "\0" in fields["id"]:
                raise StorageError(
                    f"{self.path} is damaged: {name} of {next(iter(row))!r:.60} is not what stands there otherwise; "
                    "restore it from a copy, or move it away (a new one is then begun)."
                )
        return fields

    def add_submission(self, id: str, competition: str, file: Path | str, file_hash: str, message: str) -> None:
        """Write down, before it is sent, that a submission is being made."""
        with self._open() as database:
            database.execute(
                "INSERT INTO submissions (id, competition, file, file_hash, message, status, created,"
                " updated) VALUES (?, ?, ?, ?, ?, 'not known', ?, ?)",
                (id, competition, str(file), file_hash, message, _now(), _now()),
            )

    def update_submission(
        self, id: str, status: str, *, reference: int | None = None, public_score: float | None = None
    ) -> Submission:
        """Write down what Kaggle says of a submission, and give it; None leaves the number as it was."""
        with self._open() as database:
            database.execute(
                "UPDATE submissions SET status = ?, updated = ?, reference = coalesce(?, reference),"
                " public_score = coalesce(?, public_score) WHERE id = ?",
                (status, _now(), reference, public_score, id),
            )
            return Submission(**dict(database.execute("SELECT * FROM submissions WHERE id = ?", (id,)).fetchone()))

    def submissions(self, competition: str | None = None, file_hash: str | None = None) -> list[Submission]:
        """Submissions of a competition, of a file, or all; the newest first."""
        if not self.path.exists():
            return []
        with self._open() as database:
            rows = database.execute(
                "SELECT * FROM submissions WHERE coalesce(? = competition COLLATE NOCASE, 1)"
                " AND coalesce(? = file_hash, 1) ORDER BY created DESC, rowid DESC",
                (competition, file_hash),
            ).fetchall()
        return [Submission(**self._checked(row, SUBMISSION)) for row in rows]

    def _lock_path(self, id: str) -> Path:
        return self.folder / id / "running.lock"

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """One connection for one piece of work: none is shared by threads or carried through a fork."""
        connection, full = None, False
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            connection = self._connect()
            yield connection
        except (sqlite3.Error, OSError, UnicodeError) as error:
            if connection is not None and isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
                raise  # of the statement, not of the file
            with suppress(OSError):  # SQLite's word for a full disk is "disk I/O error"
                full = shutil.disk_usage(self.folder).free < NEEDED_BYTES
            reason = "No space left on device" if full else " ".join(str(error).split())[:200]
            raise StorageError(
                f"{self.path} could not be used ({reason}): free some space, check its permissions, or move "
                f"it away if it is damaged (a new one is then begun)."
            ) from error
        finally:
            if connection is not None:
                connection.close()

    def _connect(self) -> sqlite3.Connection:
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
            try:
                connection.row_factory = sqlite3.Row
                connection.execute("PRAGMA journal_mode = WAL")
                migrate(connection, self.path)
                return connection
            except sqlite3.OperationalError as error:
                connection.close()
                # SQLite's own timeout does not cover two processes that switch a new file to WAL at once.
                busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            except BaseException:
                connection.close()
                raise


def _fits(value: Any, shape: Any) -> bool:
    """Whether a value is of a type, or has nothing of another shape under the keys of a table."""
    if isinstance(shape, dict):
        there = shape.keys() & value.keys() if isinstance(value, dict) else ()
        return value is None or (isinstance(value, dict) and all(_fits(value[key], shape[key]) for key in there))
    return isinstance(value, shape) and (not isinstance(value, int | float) or abs(value) < LARGEST)


def _json(value: Any) -> str:
    return json.dumps(_plain(value), ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    """`value` as JSON knows it: NaN and infinity become null, NumPy's numbers become Python's."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic | np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, bool | int | str | None) else str(value)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
