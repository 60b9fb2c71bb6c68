"""The ledger's tables, and how an older file becomes a newer one.

A file's `PRAGMA user_version` says how many of MIGRATIONS it has seen; a new file begins with the newest tables. To
change a table, change it here and append a script that brings an older file to it.
"""

import sqlite3
from contextlib import suppress

from pipeline.errors import StorageError

TABLES = """
    CREATE TABLE runs (
        id               TEXT PRIMARY KEY,
        status           TEXT NOT NULL CHECK (status IN ('running', 'finished', 'failed', 'stopped')),
        started          TEXT NOT NULL,  -- UTC, ISO 8601
        finished         TEXT,
        seed             INTEGER,
        recipe           TEXT NOT NULL,  -- JSON
        data_name        TEXT NOT NULL,
        data_fingerprint TEXT NOT NULL,
        data_rows        INTEGER,        -- labelled
        competition      TEXT,           -- slug, NULL where nobody named it
        command          TEXT NOT NULL,
        git_commit       TEXT,
        results          TEXT NOT NULL DEFAULT '{}',  -- JSON
        reason           TEXT,           -- of a failed or stopped run
        submission_hash  TEXT            -- SHA-256 of the submission it wrote
    );
    CREATE INDEX runs_by_submission ON runs (submission_hash);
    CREATE TABLE submissions (
        id           TEXT PRIMARY KEY,   -- stands in the message at Kaggle
        competition  TEXT NOT NULL,
        file         TEXT NOT NULL,
        file_hash    TEXT NOT NULL,      -- SHA-256
        message      TEXT NOT NULL,
        status       TEXT NOT NULL CHECK (status IN ('not known', 'failed', 'pending', 'complete', 'error')),
        created      TEXT NOT NULL,      -- UTC, ISO 8601
        updated      TEXT NOT NULL,
        reference    INTEGER,            -- Kaggle's own number
        public_score REAL
    );
    CREATE INDEX submissions_by_file ON submissions (competition, file_hash)
"""
# The first version had no data_rows, no competition, and other words for how a run or a submission stands.
FROM_FIRST = f"""
    ALTER TABLE runs RENAME TO runs_1;
    ALTER TABLE submissions RENAME TO submissions_1;
    DROP INDEX runs_by_submission;
    DROP INDEX submissions_by_file;
    {TABLES};
    INSERT INTO runs SELECT id, status, started, finished, seed, recipe, data_name, data_fingerprint,
        json_extract(results, '$.data.train'), NULL, command, git_commit, results, reason, submission_hash FROM runs_1;
    INSERT INTO submissions SELECT id, competition, file, file_hash, message, replace(status, 'sending', 'not known'),
        created, updated, reference, public_score FROM submissions_1;
    DROP TABLE runs_1;
    DROP TABLE submissions_1
"""
MIGRATIONS = (TABLES, FROM_FIRST)


def migrate(connection: sqlite3.Connection, path: object) -> None:
    """Bring the file to the newest schema. Safe when several processes open a new file at once."""
    if _version(connection) < len(MIGRATIONS):
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have migrated it while this one waited for the lock.
            version = _version(connection)
            for script in MIGRATIONS[version:] if version else [TABLES]:
                for statement in script.split(";"):
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # a full disk has ended it already, and is what has to be told
                connection.execute("ROLLBACK")
            raise
    if _version(connection) > len(MIGRATIONS):
        raise StorageError(
            f"{path} was written by a newer Inkproof (schema {_version(connection)}, this one knows "
            f"{len(MIGRATIONS)}): update Inkproof, or name another folder with --runs."
        )


def _version(connection: sqlite3.Connection) -> int:
    return connection.execute("PRAGMA user_version").fetchone()[0]
