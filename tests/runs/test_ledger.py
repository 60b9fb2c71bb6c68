"""The ledger: several processes, runs that die, older and newer files, comparisons, export."""

from __future__ import annotations

import csv
import json
import multiprocessing
import sqlite3
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from pipeline.errors import InkproofError, StorageError, UsageError, without_password
from pipeline.runs.ledger import Ledger, listing, mlflow, schema
from pipeline.runs.ledger.diff import diff_runs, save_holdout, two_proportions
from pipeline.storage import FileLock, is_held

DIGITS = {"name": "digits", "fingerprint": "f00", "train": 1000, "competition": "digit-recognizer"}
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "runs")


def record_of(recipe=None, data=DIGITS, seed=0):
    """What run.json says of a run that begins."""
    return {"recipe": recipe or {}, "seed": seed, "data": data}


def add(ledger, id="a", accuracy=0.98, rows=1000, recipe=None, data="digits", seconds=10.0, **results):
    recipe = recipe or {"name": "default", "epochs": 10}
    about = {"name": data, "fingerprint": f"hash of {data}", "train": 900}
    ledger.start_run(id, record_of(recipe, about), "python main.py", "c0ffee")
    holdout = {"rows": rows, "accuracy": accuracy, "low": accuracy - 0.01, "high": accuracy + 0.01}
    ledger.finish_run(id, {"seconds": seconds, "holdout": holdout, **results})


def test_a_run_from_start_to_end(ledger):
    ledger.start_run("a", record_of({"name": "default"}, seed=3), "python main.py --seed 3", "c0ffee")
    assert ledger.run("a").status == "running"
    ledger.finish_run("a", {"seconds": 1.5, "holdout": {"rows": 10, "accuracy": 0.9}})
    run = ledger.run("a")
    assert (run.status, run.seed, run.accuracy, run.command) == ("finished", 3, 0.9, "python main.py --seed 3")
    assert run.started <= run.finished
    assert not (ledger.folder / "a" / "running.lock").exists()


def test_a_failed_run_keeps_its_reason(ledger):
    ledger.start_run("a", record_of(), "c")
    ledger.fail_run("a", "the loss became NaN")
    assert (ledger.run("a").status, ledger.run("a").reason) == ("failed", "the loss became NaN")


def test_results_that_json_does_not_know(ledger):
    ledger.start_run("a", record_of({"name": "x"}), "c")
    strange = {"low": float("nan"), "n": np.int64(3), "x": np.arange(2), "p": Path("ab"), "t": (True, None)}
    ledger.finish_run("a", strange)
    assert ledger.run("a").results == {"low": None, "n": 3, "x": [0, 1], "p": "ab", "t": [True, None]}


def test_an_id_is_used_once_and_ended_only_when_started(ledger):
    add(ledger, "a")
    with pytest.raises(UsageError, match=r"Run a is in .* already"):
        ledger.start_run("a", record_of(), "c")
    with pytest.raises(UsageError, match="start it before it ends"):
        ledger.finish_run("b", {})


def test_the_beginning_of_an_id_is_enough(ledger):
    add(ledger, "2026-a")
    add(ledger, "2026-b")
    assert ledger.run("2026-a").id == "2026-a"
    with pytest.raises(UsageError, match="2 runs begin with '2026'"):
        ledger.run("2026")
    with pytest.raises(UsageError, match="No run 'x'"):
        ledger.run("x")


def test_a_run_whose_process_was_killed_was_stopped(ledger):
    code = (
        f"import sys, time; sys.path.insert(0, {str(REPOSITORY)!r})\n"
        "from pipeline.runs.ledger import Ledger\n"
        f"ledger = Ledger({str(ledger.folder)!r})\n"
        f"ledger.start_run('a', {record_of()}, 'c')\n"
        "print('started', flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout.readline() == "started\n"
        assert ledger.run("a").status == "running"
        process.kill()
    assert (ledger.run("a").status, ledger.run("a").reason) == ("stopped", "its process is gone")


def test_a_run_that_was_stopped_has_not_failed(ledger):
    ledger.start_run("a", record_of(), "c")
    ledger.stop_run("a")
    assert (ledger.run("a").status, ledger.run("a").reason) == ("stopped", "stopped from outside")


def test_a_run_knows_its_data(ledger):
    ledger.start_run("a", record_of(), "c")
    run = ledger.run("a")
    assert (run.data_name, run.data_fingerprint, run.data_rows, run.competition) == (
        "digits", "f00", 1000, "digit-recognizer",
    )  # fmt: skip


FIRST_SCHEMA = """
CREATE TABLE runs (
    id               TEXT PRIMARY KEY,
    status           TEXT NOT NULL CHECK (status IN ('running', 'finished', 'failed')),
    started          TEXT NOT NULL,  -- UTC, ISO 8601
    finished         TEXT,
    seed             INTEGER,
    recipe           TEXT NOT NULL,  -- JSON
    data_name        TEXT NOT NULL,
    data_fingerprint TEXT NOT NULL,
    command          TEXT NOT NULL,
    git_commit       TEXT,
    results          TEXT NOT NULL DEFAULT '{}',  -- JSON
    reason           TEXT,           -- of a failed run
    submission_hash  TEXT            -- SHA-256 of the submission it wrote
);
CREATE INDEX runs_by_submission ON runs (submission_hash);
CREATE TABLE submissions (
    id           TEXT PRIMARY KEY,   -- stands in the message at Kaggle
    competition  TEXT NOT NULL,
    file         TEXT NOT NULL,
    file_hash    TEXT NOT NULL,      -- SHA-256
    message      TEXT NOT NULL,
    status       TEXT NOT NULL CHECK (status IN ('sending', 'failed', 'pending', 'complete', 'error')),
    created      TEXT NOT NULL,      -- UTC, ISO 8601
    updated      TEXT NOT NULL,
    reference    INTEGER,            -- Kaggle's own number
    public_score REAL
);
CREATE INDEX submissions_by_file ON submissions (competition, file_hash);
"""


def test_the_first_schema_is_migrated_with_its_rows(ledger, tmp_path):
    ledger.folder.mkdir()
    database = sqlite3.connect(ledger.path)
    database.executescript(FIRST_SCHEMA)
    database.execute("PRAGMA user_version = 1")
    results = json.dumps({"data": {"train": 42000}, "holdout": {"accuracy": 0.98}})
    database.execute("INSERT INTO runs VALUES ('a', 'finished', 't', 't', 1, '{}', 'd', 'f', 'c', NULL, ?, NULL, 'h')",
                     (results,))  # fmt: skip
    database.execute("INSERT INTO submissions VALUES ('s', 'c', 'f', 'h', 'm', 'sending', 't', 't', NULL, NULL)")
    database.commit()
    database.close()
    run, new = ledger.run("a"), Ledger(tmp_path / "new")
    add(new)
    assert (run.status, run.data_rows, run.competition, run.accuracy) == ("finished", 42000, None, 0.98)
    assert [submission.status for submission in run.submissions] == ["not known"]
    assert tables_of(ledger) == tables_of(new)


def tables_of(ledger):
    """Every table and index of the ledger's file, as SQLite keeps them."""
    database = sqlite3.connect(ledger.path)
    rows = database.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name").fetchall()
    database.close()
    return rows


def work(folder: str, name: int) -> None:
    ledger = Ledger(folder)
    for number in range(5):
        add(ledger, f"{name}-{number}")
        ledger.add_submission(f"s-{name}-{number}", "c", "f.csv", "hash", "m")


def test_a_new_file_that_another_process_is_switching_to_wal(ledger, monkeypatch):
    """SQLite says "locked" at once there, without waiting; the switch is tried again."""
    real, refusals = sqlite3.connect, [1, 1]

    class Busy(sqlite3.Connection):
        def execute(self, sql, *arguments):
            if "journal_mode" in sql and refusals:
                refusals.pop()
                error = sqlite3.OperationalError("database is locked")
                error.sqlite_errorcode = sqlite3.SQLITE_BUSY
                raise error
            return super().execute(sql, *arguments)

    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: real(*a, factory=Busy, **k))
    add(ledger, "a")
    assert refusals == []
    assert ledger.run("a").accuracy == 0.98


def test_several_processes_at_once(ledger):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=work, args=(str(ledger.folder), name)) for name in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert len(ledger.runs()) == len(ledger.submissions()) == 20
    with sqlite3.connect(ledger.path) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    database.close()


def test_an_older_file_is_migrated(ledger, monkeypatch):
    add(ledger, "a")
    newer = "CREATE TABLE later (x); INSERT INTO later VALUES (7)"
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, newer))
    assert ledger.run("a").accuracy == 0.98
    assert ledger.run("a").accuracy == 0.98, "a migration must run once"
    database = sqlite3.connect(ledger.path)
    assert database.execute("SELECT x FROM later").fetchall() == [(7,)]
    database.close()


def test_a_migration_that_fails_changes_nothing(ledger, monkeypatch):
    add(ledger, "a")
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, "CREATE TABLE later (x); NONSENSE"))
        with pytest.raises(StorageError, match="could not be used"):
            ledger.runs()
    assert [run.id for run in ledger.runs()] == ["a"]
    database = sqlite3.connect(ledger.path)
    assert database.execute("SELECT name FROM sqlite_master WHERE name = 'later'").fetchall() == []
    database.close()


def test_a_full_disk_is_not_hidden_behind_its_consequence(ledger, monkeypatch):
    class Full(sqlite3.Connection):
        def execute(self, statement, *values):
            if statement.startswith("PRAGMA user_version ="):
                super().execute("ROLLBACK")  # as SQLite itself does then
                error = sqlite3.OperationalError("database or disk is full")
                error.sqlite_errorcode = sqlite3.SQLITE_FULL
                raise error
            return super().execute(statement, *values)

    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: real(*a, **k, factory=Full))
    with pytest.raises(StorageError, match="database or disk is full"):
        ledger.start_run("a", record_of(), "python main.py")
    assert not (ledger.folder / "a").exists()


def test_a_newer_file_is_refused(ledger):
    add(ledger, "a")
    database = sqlite3.connect(ledger.path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(StorageError, match=r"newer Inkproof \(schema 99"):
        ledger.runs()


def test_a_damaged_file_is_named(ledger):
    ledger.folder.mkdir()
    ledger.path.write_bytes(b"no database" * 100)
    with pytest.raises(StorageError, match=r"ledger\.sqlite could not be used"):
        ledger.start_run("a", record_of(), "c")


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ("UPDATE runs SET data_rows = 'many'", "data_rows"),
        ("UPDATE runs SET recipe = '[1]'", "recipe"),
        ("UPDATE runs SET results = 'no JSON'", "results"),
        ("""UPDATE runs SET results = '{"holdout": {"accuracy": "high"}}'""", "results"),
        ("UPDATE runs SET id = '../a'", "id"),
        ("ALTER TABLE runs RENAME COLUMN command TO odd", "command"),
        ("ALTER TABLE submissions DROP COLUMN message; INSERT INTO submissions VALUES "
         "('s', 'c', 'f', 'h', 'pending', '', '', 1, 0.5)", "message"),
    ],
)  # fmt: skip
def test_a_row_of_another_shape_is_named_by_its_column(ledger, change, column):
    add(ledger)
    database = sqlite3.connect(ledger.path)
    database.executescript(change)
    database.close()
    with pytest.raises(StorageError, match=rf"ledger\.sqlite is damaged: {column} of "):
        ledger.runs()


def test_more_columns_than_this_version_knows_are_left_alone(ledger):
    add(ledger)
    database = sqlite3.connect(ledger.path)
    database.execute("ALTER TABLE runs ADD COLUMN later")
    database.close()
    assert [run.id for run in ledger.runs()] == ["a"]


def test_reading_makes_nothing(tmp_path):
    ledger = Ledger(tmp_path / "none")
    assert ledger.runs() == ledger.submissions() == []
    assert not (tmp_path / "none").exists()


def test_scores_belong_to_the_run_that_wrote_the_file(ledger, tmp_path):
    path = tmp_path / "submission.csv"
    path.write_text("first")
    add(ledger, "a", submission=str(path))
    path.write_text("second")  # as every run does: the path stays, the contents change
    add(ledger, "b", submission=str(path))
    ledger.add_submission("s1", "digit-recognizer", path, ledger.run("a").submission_hash, "m")
    ledger.update_submission("s1", "complete", reference=7, public_score=0.98)
    ledger.update_submission("s1", "complete")
    assert ledger.run("a").public_score == 0.98
    assert ledger.run("a").submissions[0].reference == 7
    assert ledger.run("b").public_score is None
    assert ledger.run_that_wrote(ledger.run("a").submission_hash).id == "a"
    assert ledger.submissions("other-competition") == []


def test_a_lock_goes_with_its_holder(tmp_path):
    path = tmp_path / "x.lock"
    first, second = FileLock(path), FileLock(path)
    assert not is_held(path)
    assert first.acquire()
    assert is_held(path)
    assert not second.acquire()
    first.release()
    assert second.acquire()
    second.release()


@pytest.fixture
def three(ledger):
    add(ledger, "a", 0.97, seconds=30.0)
    add(ledger, "b", 0.99, recipe={"name": "cnn", "epochs": 3}, data="fashion", seconds=20.0)
    data = {"name": "digits", "fingerprint": "hash of digits"}
    ledger.start_run("c", record_of({"name": "default"}, data, seed=1), "c")
    ledger.fail_run("c", "no memory")
    return ledger


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        ({}, "cba"),
        ({"reverse": True}, "abc"),
        ({"sort": "holdout"}, "bac"),
        ({"sort": "seconds", "reverse": True}, "bac"),
        ({"status": "finished"}, "ba"),
        ({"recipe": "default"}, "ca"),
        ({"data": "fashion"}, "b"),
        ({"limit": 1}, "c"),
        ({"since": "2000-01-01"}, "cba"),
        ({"since": "2999-01-01"}, ""),
    ],
)
def test_select(three, filters, ids):
    assert [run.id for run in listing.select(three.runs(), **filters)] == list(ids)


def test_select_refuses_what_it_does_not_know(three):
    with pytest.raises(UsageError, match="--sort must be one of id, started"):
        listing.select(three.runs(), sort="beauty")
    with pytest.raises(UsageError, match="--since must be a date"):
        listing.select(three.runs(), since="yesterday")


def test_best(three, tmp_path):
    assert listing.best(three.runs()).id == "b"
    with pytest.raises(UsageError, match="No run has a public score yet"):
        listing.best(three.runs(), "public")
    with pytest.raises(UsageError, match=r"type `python main\.py` first"):
        listing.best([])


def test_csv_and_json(three):
    rows = list(csv.DictReader(listing.as_csv(three.runs()).splitlines()))
    assert [(row["id"], row["holdout"], row["commit"]) for row in rows] == [
        ("c", "", ""), ("b", "0.99", "c0ffee"), ("a", "0.97", "c0ffee"),
    ]  # fmt: skip
    values = json.loads(listing.as_json(three.runs()))
    assert values[0]["reason"] == "no memory"
    assert values[1]["recipe"] == {"name": "cnn", "epochs": 3}


def test_what_changed(ledger):
    add(ledger, "a", 0.97, recipe={"name": "default", "training": {"epochs": 10, "batch": 128}})
    add(ledger, "b", 0.97, recipe={"name": "default", "training": {"epochs": 20, "batch": 128}}, seconds=19.0)
    found = diff_runs(ledger.run("a"), ledger.run("b"), ledger.folder)
    assert [(c.name, c.first, c.second) for c in found.settings] == [("recipe.training.epochs", 10, 20)]
    assert [(c.name, c.first, c.second) for c in found.results] == [("seconds", 10.0, 19.0)]


def test_two_proportions_against_newcombe():
    # Newcombe 1998, table II, method 10: 56/70 less 48/80, and 0/29 less 5/56 (there the other way round).
    for first, second, low, high in [((48, 80), (56, 70), 0.0524, 0.3339), ((5, 56), (0, 29), -0.1926, 0.0381)]:
        found = two_proportions(*first, *second)
        assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (0.981, "No difference that these rows can show"),
        (0.999, "Better, and more than chance (+1.90 points"),
        (0.950, "Worse, and more than chance (-3.00 points"),
    ],
)
def test_verdict_from_counts(ledger, second, words):
    add(ledger, "a", 0.98)
    add(ledger, "b", second)
    assert diff_runs(ledger.run("a"), ledger.run("b"), ledger.folder).verdict.startswith(words)


def test_verdict_from_the_same_rows(ledger):
    add(ledger, "a", 0.98)
    add(ledger, "b", 0.989)
    rows = np.arange(1000)
    save_holdout(ledger.folder / "a", rows, rows >= 20)
    save_holdout(ledger.folder / "b", rows, rows >= 11)
    # 9 rows are won, none lost: p = 2 · ½⁹. The counts alone could not show it.
    verdict = diff_runs(ledger.run("a"), ledger.run("b"), ledger.folder).verdict
    assert verdict == (
        "Better, and more than chance (+0.90 points; of the same 1,000 rows b alone has 9 right, a alone 0; "
        "exact McNemar p = 0.0039)."
    )
    save_holdout(ledger.folder / "b", rows + 1, rows >= 11)
    assert "as if the rows were not the same" in diff_runs(ledger.run("a"), ledger.run("b"), ledger.folder).verdict


def test_runs_that_cannot_be_compared(three):
    a, b, c = (three.run(id) for id in "abc")
    assert "different data" in diff_runs(a, b, three.folder).verdict
    assert "without a holdout figure" in diff_runs(a, c, three.folder).verdict


def test_a_change_inside_of_a_list_is_named(ledger):
    layers = [{"layer": "Dense", "units": 16}, {"layer": "ReLU"}]
    add(ledger, "a", recipe={"name": "x", "network": {"layers": layers}})
    add(ledger, "b", recipe={"name": "x", "network": {"layers": [{"layer": "Dense", "units": 32}, layers[1]]}})
    found = diff_runs(ledger.run("a"), ledger.run("b"), ledger.folder)
    assert [(c.name, c.first, c.second) for c in found.settings] == [("recipe.network.layers.1.units", 16, 32)]


def test_details_are_a_page_that_a_person_reads(ledger):
    add(ledger, "a", versions={"numpy": "2"})
    (ledger.folder / "a" / "table.md").write_text("x")
    lines = dict(listing.details(ledger.run("a"), ledger.folder))
    assert len(lines) <= 12
    assert lines["data"].startswith("digits, 900 rows, fingerprint hash of digi")
    assert lines["holdout"] == "98.00% (97.00% to 99.00%) of 1,000 rows"
    assert lines["folder"] == f"{ledger.folder / 'a'}: table.md"


def test_the_tables_ids_can_be_copied(ledger):
    ids = ["20260101-120000-default-ab12", "20260101-120000-default-cd34", "20260102-120000-cnn-00ff"]
    for id in ids:
        add(ledger, id)
    rows = listing.table(ledger.runs(), ids)
    assert [row[0] for row in rows] == ["20260102-120000", "20260101-120000-default-c", "20260101-120000-default-a"]
    assert [ledger.run(row[0]).id for row in rows] == ids[::-1]
    assert rows[0][1:] == ("default", "digits", "900", "finished", "98.00%", "")


def test_export_without_mlflow(three, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.setitem(sys.modules, "mlflow.exceptions", None)
    with pytest.raises(UsageError, match="pip install mlflow-skinny"):
        mlflow.export(three.runs(), "sqlite:///x.db")


class FakeStore:
    """As much of MlflowClient as the export needs; remembers what it was told."""

    def __init__(self, tracking_uri):
        if tracking_uri == "nowhere":
            raise FakeError("no such store\nand more")
        self.runs = STORES.setdefault(tracking_uri, {})

    def get_experiment_by_name(self, name):
        return SimpleNamespace(experiment_id="1")

    def search_runs(self, experiments, filter_string, max_results):
        return [run for run in self.runs.values() if filter_string == f"tags.`inkproof.run` = '{run.get('tag')}'"]

    def create_run(self, experiment, start_time, tags):
        id = str(len(self.runs))
        self.runs[id] = {"start": start_time}
        return SimpleNamespace(info=SimpleNamespace(run_id=id))

    def log_param(self, run, name, value):
        self.runs[run][name] = value

    def log_metric(self, run, name, value):
        self.runs[run].setdefault("metrics", []).append(name)
        self.log_param(run, name, value)

    def set_terminated(self, run, status, end):
        self.runs[run]["status"] = status

    def set_tag(self, run, name, value):
        self.runs[run]["tag"] = value


class FakeError(Exception):
    pass


STORES: dict[str, dict] = {}


@pytest.fixture
def fake_mlflow(monkeypatch):
    for name, content in [("mlflow", {}), ("mlflow.exceptions", {"MlflowException": FakeError}),
                          ("mlflow.tracking", {"MlflowClient": FakeStore})]:  # fmt: skip
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)


def test_export_is_complete_and_done_once(three, fake_mlflow):
    assert mlflow.export(three.runs(), "somewhere") == 3
    assert mlflow.export(three.runs(), "somewhere") == 0
    stored = {run["tag"]: run for run in STORES["somewhere"].values()}
    assert (stored["b"]["status"], stored["b"]["name"], stored["b"]["holdout.accuracy"]) == ("FINISHED", "cnn", 0.99)
    assert stored["c"]["status"] == "FAILED"
    with pytest.raises(InkproofError, match=r"MLflow at nowhere refused the export \(no such store\): check"):
        mlflow.export(three.runs(), "nowhere")


def test_what_a_run_was_made_with_is_exported_as_parameters_alone(ledger, fake_mlflow):
    recipe = {"name": "default", "training": {"epochs": 10}}
    ledger.start_run("a", record_of(recipe, seed=7), "python main.py --seed 7", "c0ffee")
    ledger.finish_run("a", {"seconds": 2.0, "recipe": recipe, "seed": 7, "data": {"train": 300}})
    mlflow.export(ledger.runs(), "settings")
    (stored,) = STORES["settings"].values()
    assert (stored["training.epochs"], stored["seed"]) == ("10", "7")
    assert stored["metrics"] == ["seconds"]


def test_a_password_in_the_address_is_not_shown():
    assert without_password("at https://me:secret@host/x: no") == "at https://host/x: no"


def test_export_to_a_real_store(three, tmp_path, monkeypatch):
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # the one store that needs no server or database
    uri = (tmp_path / "mlflow").as_uri()
    assert mlflow.export(three.runs(), uri) == 3
    assert mlflow.export(three.runs(), uri) == 0
