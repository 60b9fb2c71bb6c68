"""Hostile inputs for what Inkproof itself left on the disk: run folders, ledger, checkpoints, cache, journal, models.

A job of each kind is run once; each input is a copy of what it left, in which a few things were changed. What is read
of it is not compared with other code: the content of most of these files is guarded by checksums, or free.
"""

from __future__ import annotations

import atexit
import contextlib
import csv
import io
import json
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from fault_archives import flip
from fault_inputs import VALUES, change_tree
from fault_tables import Reader, bend, pick
from PIL import Image
from safetensors.numpy import load_file

from pipeline import dataset
from pipeline.cli import main
from pipeline.jobs import driver, plan_class
from pipeline.jobs.bench import JobOptions
from pipeline.jobs.driver import read_job, run_job
from pipeline.jobs.progress import RunLog
from pipeline.jobs.tuning.results import importances, ranked, trials_of
from pipeline.jobs.tuning.study import DAMAGE, StudyStorage, storage_errors
from pipeline.jobs.tuning.trials import TrialWork
from pipeline.prediction import model_file
from pipeline.prediction.picture.files import FORMATS, decode
from pipeline.report.page import write_report
from pipeline.report.page_data import read_record
from pipeline.report.read_run import run_data
from pipeline.runs.ledger import Ledger, listing
from pipeline.training import recipe as recipes
from pipeline.training.checkpoint import _checksum, load_checkpoint

SETTINGS = {
    "main": {"sigmas": (0.0, 0.2), "repeats": 1},
    "compare": {"train": ("clean",), "test": ("σ 0.3",), "repeats": 1},
    "folds": {"folds": 2},
    "tune": {"trials": 2, "folds": 2, "pruner": "none"},
}
RECIPE = {
    "summary": "A small network that trains in a moment",
    "network": {"layers": [{"layer": "Flatten"}, {"layer": "Dense", "units": "classes"}]},
    "loss": {"name": "softmax-cross-entropy"},
    "optimizer": {"name": "adam"},
    "schedule": {"name": "constant", "learning_rate": 0.01},
    "training": {"epochs": 1, "batch_size": 256},
    "search": {"schedule.learning_rate": {"low": 0.001, "high": 0.1, "log": True}},
}
LETTERS = ("", "0", "1e999", "-1", "NaN", "null", "[]", "{}", '"', "x" * 200_000, "\0", "²", "9" * 400, "[" * 3000)


@cache
def left() -> Path:
    """A folder with runs/ as one job of each kind left it; the ledger is in it, checkpoints are not removed."""
    place = Path(tempfile.mkdtemp(prefix="inkproof-faults-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    competition = dataset.load(cache=False)
    real, driver.write_report = driver.write_report, lambda folder, record=None: None
    driver.shutil.rmtree, remove = lambda *arguments, **named: None, driver.shutil.rmtree
    try:
        for kind, settings in SETTINGS.items():
            recipe = recipes.check(RECIPE, name="quick", where="here")
            plan = plan_class(kind)(competition=competition, recipe=recipe, **settings)
            options = JobOptions(runs=place / "runs", submission=place / "submission.csv")
            run_job(plan, options, RunLog(quiet=True))
    finally:
        driver.write_report, driver.shutil.rmtree = real, remove
    return place


def run_of(kind: str) -> Path:
    """The run folder that the job of that kind left."""
    return next(
        path.parent
        for path in left().glob("runs/*/run.json")
        if json.loads(path.read_text(encoding="utf-8"))["kind"] == kind
    )


def spoil_file(path: Path, rng: np.random.Generator) -> None:
    """Change a file by what it holds; remove it, or put a folder there, now and then."""
    kind = rng.random()
    if kind < 0.06:
        path.unlink()
        if kind < 0.02:
            path.mkdir()
    elif path.suffix == ".json" and kind < 0.85:
        content = json.loads(path.read_text(encoding="utf-8"))
        for _ in range(min(rng.geometric(0.6), 4)):
            change_tree(content, rng)
        path.write_text(json.dumps(content), encoding="utf-8")
    elif path.suffix == ".npz" and kind < 0.7:
        spoil_arrays(path, rng)
    elif path.suffix in (".jsonl", ".log") and kind < 0.7:
        spoil_lines(path, rng)
    elif path.suffix == ".csv" and kind < 0.7:
        rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
        row = pick(rng, rows)
        row[int(rng.integers(len(row)))] = pick(rng, LETTERS)
        path.write_text("\n".join(",".join(row) for row in rows), encoding="utf-8")
    else:
        path.write_bytes((bend if rng.random() < 0.5 else flip)(path.read_bytes() or b"x", rng))


def spoil_arrays(path: Path, rng: np.random.Generator) -> None:
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    name, kind = pick(rng, list(arrays)), int(rng.integers(6))
    array = arrays[name]
    if kind == 0:
        del arrays[name]
    elif kind == 1:
        arrays[name] = pick(rng, (array[:-1], array[None], array[:0], array.T, np.zeros(()), np.array(["a", "b"])))
    elif kind == 2:
        arrays[name] = array.astype("U5" if array.dtype.kind == "U" else pick(rng, ("f8", "U5", "?", "i1", "c8")))
    elif kind == 3 and array.size:
        arrays[name] = array.copy()
        arrays[name].reshape(-1)[int(rng.integers(array.size))] = np.array(rng.integers(-2, 128)).astype(array.dtype)
    elif kind == 4:
        arrays[pick(rng, ("x", "labels", "trained", "../x"))] = array
    else:
        arrays[name] = np.full((3, 3), np.nan)
    np.savez(path, **arrays)


def spoil_lines(path: Path, rng: np.random.Generator) -> None:
    """JSON lines: a line's values changed, lines lost, doubled, in another order, or no JSON at all."""
    lines = path.read_text(encoding="utf-8").splitlines() or [""]
    for _ in range(min(rng.geometric(0.6), 4)):
        at, kind = int(rng.integers(len(lines))), int(rng.integers(6))
        if kind < 3:
            try:
                content = json.loads(lines[at])
                change_tree(content, rng)
                lines[at] = json.dumps(content)
            except ValueError:
                lines[at] = pick(rng, LETTERS)
        elif kind == 3:
            lines.insert(at, pick(rng, (*LETTERS, lines[at])))
        elif kind == 4 and len(lines) > 1:
            del lines[at]
        else:
            lines[at] = lines[at][: len(lines[at]) // 2]
    path.write_text("\n".join(lines) + "\n" * bool(rng.random() < 0.8), encoding="utf-8")


# Run folders


def make_run(rng: np.random.Generator, folder: Path) -> Path:
    """A copy of a run of any kind, one to three files of which were changed."""
    run = folder / "run"
    shutil.copytree(run_of(pick(rng, list(SETTINGS))), run, ignore=shutil.ignore_patterns("checkpoints", "models"))
    files = [path for path in sorted(run.rglob("*")) if path.is_file()]
    chosen = {run / "run.json" if rng.random() < 0.5 else pick(rng, files) for _ in range(int(rng.integers(1, 4)))}
    for path in sorted(chosen):
        spoil_file(path, rng)
    return run


def read_run(run: Path) -> None:
    """What `report` and a resumed job read of a run folder; of one in ten the report is drawn."""
    found = run_data(run, read_record(run))
    read_job(run.parent, run.name)
    if len(str(found.record)) % 10 == 0:
        write_report(run)


# Ledger


def make_ledger(rng: np.random.Generator, folder: Path) -> Path:
    """A ledger with odd values, columns or tables, or with changed bytes."""
    path = folder / "ledger.sqlite"
    source = sqlite3.connect(left() / "runs" / "ledger.sqlite")
    target = sqlite3.connect(path)
    source.backup(target)
    source.close()
    for _ in range(int(rng.integers(1, 4))):
        spoil_table(target, rng)
    target.commit()
    target.close()
    if rng.random() < 0.25:
        path.write_bytes(bend(path.read_bytes(), rng))
    return folder


def spoil_table(database: sqlite3.Connection, rng: np.random.Generator) -> None:
    names = [row[1] for row in database.execute("PRAGMA table_info(runs)")]
    name, kind = pick(rng, names), int(rng.integers(8))
    values = (None, b"\xff\0", 1.5, -(2**63), *LETTERS, *(json.dumps(value) for value in VALUES if value != 10**400))
    statements = (
        "ALTER TABLE runs ADD COLUMN odd", f"ALTER TABLE runs DROP COLUMN {name}", "DROP TABLE submissions",
        f"ALTER TABLE runs RENAME COLUMN {name} TO odd", f"PRAGMA user_version = {int(rng.integers(-3, 9))}",
        "DELETE FROM runs", "PRAGMA ignore_check_constraints = 1",
    )  # fmt: skip
    try:
        if kind < 6:
            database.execute("PRAGMA ignore_check_constraints = 1")
            database.execute(f"UPDATE runs SET {name} = ? WHERE random() % 2", (pick(rng, values),))
        else:
            database.execute(pick(rng, statements))
    except sqlite3.Error:
        pass


def read_ledger(folder: Path) -> None:
    """What `runs` prints of a ledger, in all its ways."""
    runs = Ledger(folder).runs()
    listing.table(runs, [run.id for run in runs])
    listing.as_csv(runs)
    listing.as_json(runs)
    for by in ("started", "holdout"):
        listing.select(runs, sort=by)
    for run in runs:
        listing.details(run, folder)
    if runs:
        listing.best(runs)


# Checkpoints, models, cache, journal, pictures


def make_one(pattern: str, checksum: Callable[..., str]) -> Callable[..., Path]:
    """A changed safetensors file; where its own header was changed, mostly with a checksum that is right again."""

    def make(rng: np.random.Generator, folder: Path) -> Path:
        source = pick(rng, sorted(left().glob(pattern)))
        path = folder / source.name
        shutil.copy(source, path)
        content = bytearray(path.read_bytes())
        size = 8 + int.from_bytes(content[:8], "little")
        if rng.random() < 0.6:  # the header, as JSON, with its length put right
            head = json.loads(content[8:size])
            inside = head["__metadata__"]
            key = pick(rng, list(inside))
            record = json.loads(inside[key])
            if rng.random() < 0.8:
                change_tree(record, rng)
                record.pop("sha256", None)
                if rng.random() < 0.8:
                    with contextlib.suppress(ValueError):
                        record["sha256"] = checksum(record, load_file(source))
                inside[key] = json.dumps(record)
            else:
                change_tree(head, rng)
            text = json.dumps(head).encode()
            content = len(text).to_bytes(8, "little") + text + content[size:]
        else:
            content = (bend if rng.random() < 0.5 else flip)(bytes(content), rng)
        path.write_bytes(content)
        return path

    return make


def make_cache(rng: np.random.Generator, folder: Path) -> Path:
    (folder / "train.csv").write_text(
        "label,pixel0,pixel1,pixel2,pixel3\n" + "".join(f"{i % 2},{i},0,0,9\n" for i in range(4))
    )
    (folder / "test.csv").write_text("pixel0,pixel1,pixel2,pixel3\n1,0,0,0\n")
    dataset.load(folder)
    for path in sorted(folder.rglob("*.rows")):
        if rng.random() < 0.7:
            spoil_file(path, rng)
    return folder


def read_rows(folder: Path) -> list:
    train = dataset.load(folder).train
    return [train.images.tolist(), train.labels.tolist()]


def make_journal(rng: np.random.Generator, folder: Path) -> Path:
    path = folder / "journal.log"
    shutil.copy(run_of("tune") / "journal.log", path)
    spoil_file(path, rng)
    return path


def read_journal(path: Path) -> None:
    """What a search that goes on reads of its journal, up to its results."""
    plan = plan_class("tune")(
        competition=competition(), recipe=recipes.check(RECIPE, name="quick", where="here"), **SETTINGS["tune"]
    )
    place = StudyStorage(plan.study_name, path)
    work = TrialWork(
        storage=place, run="run", session="x", recipe=plan.recipe, space=plan.space,
        positions=plan.rows().predicted, seed=0, pruner="none", total=2,
    )  # fmt: skip
    bench = SimpleNamespace(folder=path.parent, run_log=RunLog(quiet=True))
    with storage_errors(place, *DAMAGE):
        study = plan._resume(bench, work)
        if ranked(trials_of(study, work)):
            importances(study, plan._results(work, trials_of(study, work)).trials)


@cache
def competition() -> Any:
    return dataset.load(cache=False)


def make_picture(rng: np.random.Generator, folder: Path) -> Path:
    file, kind = io.BytesIO(), pick(rng, FORMATS)
    picture = Image.fromarray(rng.integers(0, 256, (30, 40), dtype=np.uint8))
    how = {"compression": pick(rng, ("tiff_lzw", "tiff_deflate", "jpeg", "packbits", None))} if kind == "TIFF" else {}
    picture.save(file, kind, **how)
    path = folder / "picture"
    path.write_bytes((bend if rng.random() < 0.5 else flip)(file.getvalue(), rng))
    return path


def long_name(rng: np.random.Generator, folder: Path) -> Path:
    letter = pick(rng, ("x", "σ", "\U0001f600", "x/", "\0", "\n"))
    return folder / (letter * int(rng.integers(80, 400)) + pick(rng, ("", ".csv", ".zip", ".toml", ".npz")))


def read_name(path: Path) -> None:
    """A name that no file can have, given to everything that takes one; each must say so in a line."""
    name = str(path).replace("\0", "")
    for words in (
        ("run", "--data", name), ("run", "--extra", name), ("run", "--recipe", name), ("run", "--resume", path.name),
        ("report", name), ("runs", "show", name), ("check", name), ("predict", "--model", name, "x.png"),
        ("serve", "--model", name), ("export", name), ("compare", "--recipe", name),
    ):  # fmt: skip
        said = io.StringIO()
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            try:
                main([word.replace("\0", "") for word in words])
            except SystemExit as end:
                code = end.code
        lines = [line for line in said.getvalue().splitlines() if line.startswith(("Error", "Traceback"))]
        assert code in (1, 2) and len(lines) == 1, f"{words[:2]}: {code}, {said.getvalue()[:300]}"


RECORDS = {
    "run folder": Reader(make=make_run, read=read_run, expect=None),
    "ledger": Reader(make=make_ledger, read=read_ledger, expect=None),
    "checkpoint": Reader(
        make=make_one("runs/*/checkpoints/fits/*.safetensors", _checksum), read=load_checkpoint, expect=None
    ),
    "model": Reader(
        make=make_one("runs/*/models/**/*.safetensors", model_file.checksum), read=model_file.load, expect=None
    ),
    "cache": Reader(
        make=make_cache, read=read_rows, expect=lambda path: [[[[i, 0], [0, 9]] for i in range(4)], [0, 1, 0, 1]]
    ),
    "journal": Reader(make=make_journal, read=read_journal, expect=None),
    "picture": Reader(make=make_picture, read=decode, expect=None),
    "name": Reader(make=long_name, read=read_name, expect=None),
}
