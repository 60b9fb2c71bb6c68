"""The driver: what every job has, shown on the cheapest of each kind."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import commands
import numpy as np
import pytest

from pipeline import storage
from pipeline.errors import InkproofError, StorageError, UsageError
from pipeline.jobs import PLANS, bench, driver, plan_class
from pipeline.jobs.driver import read_job
from pipeline.jobs.progress import RunLog
from pipeline.runs.ledger import Ledger
from pipeline.storage import FileLock
from pipeline.training import recipe as recipes

ROOT = Path(__file__).parents[2]
SETTINGS = {
    "main": {"sigmas": (0.0, 0.2), "repeats": 2},
    "compare": {"train": ("clean", "σ 0.2"), "test": ("σ 0.3",), "repeats": 2},
    "folds": {"folds": 3},
    "tune": {"trials": 2, "folds": 2},
}


@pytest.fixture
def plans(sample, quick_recipe):
    """Kind → a small plan of it, with other settings where they are given."""
    content = {**quick_recipe.content, "search": {"schedule.learning_rate": {"low": 0.001, "high": 0.1, "log": True}}}
    recipe = recipes.check(content, name="quick", where="here")

    def plan(kind, **changes):
        return plan_class(kind)(competition=sample, recipe=recipe, **{**SETTINGS[kind], **changes})

    return plan


@pytest.mark.parametrize("kind", sorted(PLANS.keys() - {"blend"}))  # which trains nothing: tests/cli/test_blend.py
def test_every_job_leaves_a_record_a_report_and_a_finished_run(tmp_path, plans, do, kind):
    outcome = do(plans(kind), tmp_path, report=True)
    record = json.loads((outcome.folder / "run.json").read_text(encoding="utf-8"))
    assert (record["kind"], record["seed"], record["recipe"]["name"]) == (kind, 0, "quick")
    assert "<h1>" in (outcome.folder / "report.html").read_text(encoding="utf-8")
    (run,) = Ledger(tmp_path / "runs").runs()
    assert (run.id, run.status, run.results["kind"]) == (outcome.folder.name, "finished", kind)
    assert not (outcome.folder / "checkpoints").exists()
    leftover = [path.name for path in tmp_path.rglob("*") if path.name.endswith((".part", ".lock"))]
    assert leftover == []


@pytest.mark.parametrize("kind", ["main", "compare", "folds"])
def test_an_interrupted_job_trains_only_what_is_missing(tmp_path, plans, do, monkeypatch, kind):
    whole = do(plans(kind), tmp_path / "whole")
    trained = []
    real = bench.run_tasks

    def stops_after_two(tasks, *args, **kwargs):
        for task, result in real(tasks, *args, **kwargs):
            trained.append(task.name)
            yield task, result
            if len(trained) == 2:
                raise KeyboardInterrupt

    monkeypatch.setattr(bench, "run_tasks", stops_after_two)
    with pytest.raises(KeyboardInterrupt):
        do(plans(kind), tmp_path)
    (run,) = Ledger(tmp_path / "runs").runs()
    assert run.status != "finished" and run.reason == "stopped from outside"
    assert not (tmp_path / "submission.csv").exists()
    checkpoints = sorted((tmp_path / "runs" / run.id / "checkpoints").rglob("*.safetensors"))
    assert len(checkpoints) == 2
    checkpoints[0].write_bytes(checkpoints[0].read_bytes()[:100])
    half = checkpoints[0].with_name(".half.safetensors.0123456789ab.part")  # as a killed process leaves it
    half.write_bytes(b"half")
    log = RunLog(quiet=True)
    again = do(plans(kind), tmp_path, log)
    assert again.folder.name == run.id
    assert not list(tmp_path.rglob("*.part"))
    assert sum(line.startswith("Trained again:") for line in log.said) == 1
    # One of the two finished fits was damaged: every fit but the other was trained now.
    fits = json.loads((whole.folder / "run.json").read_text(encoding="utf-8"))[
        "fit_cpu_seconds" if kind == "main" else "fits"
    ]
    assert len(trained) == 2 + len(fits) - 1
    assert bytes_of(again.folder) == bytes_of(whole.folder)
    assert Ledger(tmp_path / "runs").run(run.id).status == "finished"


def bytes_of(folder):
    """Name → bytes of what a job's settings decide."""
    names = ("*.csv", "table.md", "*.npz", "noise.*", "folds.*", "models/**/*.safetensors", "fits/**/*.safetensors")
    return {str(path.relative_to(folder)): path.read_bytes() for name in names for path in folder.glob(name)}


def test_other_settings_data_or_a_finished_run_begin_anew(tmp_path, plans, do, monkeypatch):
    def unfinished(outcome):
        (outcome.folder / "run.json").unlink()
        return outcome.folder

    first = do(plans("compare", repeats=1), tmp_path).folder
    assert do(plans("compare", repeats=1), tmp_path).folder != first
    second = unfinished(do(plans("compare", repeats=1, seed=1), tmp_path))
    assert do(plans("compare", repeats=1, seed=2), tmp_path).folder != second
    assert do(plans("compare", repeats=1, seed=1), tmp_path).folder == second
    third = unfinished(do(plans("compare", repeats=1, seed=3), tmp_path))
    monkeypatch.setattr("pipeline.jobs.plan.environment", lambda: {"code": "other"})
    assert do(plans("compare", repeats=1, seed=3), tmp_path).folder != third


def test_resuming_with_other_code_settings_or_kind_is_refused(tmp_path, plans, do):
    folder = do(plans("compare", repeats=1), tmp_path).folder
    with pytest.raises(UsageError, match="has ended"):
        do(plans("compare", repeats=1), tmp_path, resume=folder.name)
    (folder / "run.json").unlink()
    with pytest.raises(UsageError, match="has other settings than these"):
        do(plans("compare", repeats=1, seed=1), tmp_path, resume=folder.name)
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    job["identity"]["environment"]["numpy"] = "1.0"
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    with pytest.raises(UsageError, match=r"began with numpy 1\.0 \(here 2\..*\): results of both would be mixed"):
        do(plans("compare", repeats=1), tmp_path, resume=folder.name)
    job["identity"]["data"] = "other"
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    with pytest.raises(UsageError, match="whose rows are not those of"):
        do(plans("compare", repeats=1), tmp_path, resume=folder.name)


def test_a_job_that_another_process_works_on_is_left_alone(tmp_path, plans, do):
    folder = do(plans("compare", repeats=1), tmp_path).folder
    (folder / "run.json").unlink()
    lock = FileLock(folder / "running.lock")
    assert lock.acquire()
    before = (folder / "job.json").read_bytes()
    for how in ({"resume": folder.name}, {}):
        with pytest.raises(UsageError, match=f"Run {folder.name} is being worked on by another process"):
            do(plans("compare", repeats=1), tmp_path, **how)
    lock.release()
    assert (folder / "job.json").read_bytes() == before


@pytest.mark.parametrize("content", ["", "[]", '{"kind": "compare"}'])
def test_a_damaged_job_is_a_sentence_when_resumed_and_passed_over_otherwise(tmp_path, plans, do, content):
    damaged = tmp_path / "runs" / "damaged" / "job.json"
    damaged.parent.mkdir(parents=True)
    damaged.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match="holds no job that could go on"):
        read_job(tmp_path / "runs", "damaged")
    assert do(plans("compare", repeats=1), tmp_path).folder.name != "damaged"


def test_a_fit_that_fails_is_named_with_its_settings_and_the_others_are_kept(tmp_path, plans, do, monkeypatch):
    plan, real = plans("compare"), bench.run_tasks

    def fails(tasks, *args, **kwargs):
        for task, result in real(tasks, *args, **kwargs):
            yield task, "Training broke down in epoch 1." if task.name == "σ 0.2, repeat 1" else result

    monkeypatch.setattr(bench, "run_tasks", fails)
    with pytest.raises(InkproofError) as caught:
        do(plan, tmp_path)
    (run,) = Ledger(tmp_path / "runs").runs()
    assert (
        run.reason
        == str(caught.value)
        == (
            "The fit σ 0.2, repeat 1 (recipe quick, σ 0.2) failed: Training broke down in epoch 1. The other 3 of 4 "
            f"fits are kept: the same command again, or --resume {run.id}, trains only what is missing."
        )
    )
    monkeypatch.setattr(bench, "run_tasks", real)
    assert do(plan, tmp_path, resume=run.id).folder.name == run.id


def test_nothing_of_the_old_is_replaced_before_all_of_the_new_is_there(tmp_path, plans, do, monkeypatch):
    (tmp_path / "submission.csv").write_text("old")

    def full(folder, record=None):
        raise StorageError(f"{folder}/report.html could not be written (No space left on device).")

    for kind in ("main", "folds"):
        monkeypatch.setattr(driver, "write_report", full)
        with pytest.raises(StorageError):
            do(plans(kind), tmp_path, report=True)
        assert (tmp_path / "submission.csv").read_text() == "old"
        run = Ledger(tmp_path / "runs").runs()[0]
        assert (run.status, "No space left" in run.reason) == ("failed", True)
        assert not (tmp_path / "runs" / run.id / "run.json").exists()


@pytest.mark.parametrize("kind", ["main", "folds"])
def test_a_submission_that_cannot_be_written_is_told_before_anything_is_trained(tmp_path, plans, do, kind):
    (tmp_path / "submission.csv").mkdir()
    with pytest.raises(StorageError, match=r"submission\.csv could not be written \(Is a directory\)"):
        do(plans(kind), tmp_path)
    assert not (tmp_path / "runs").exists()


def test_a_run_that_the_ledger_does_not_know_as_finished_is_taken_up(tmp_path, plans, do, monkeypatch):
    def killed(ledger, id, results):
        ledger._locks.pop(id).release()  # as the end of the process does
        raise KeyboardInterrupt

    monkeypatch.setattr(Ledger, "finish_run", killed)
    with pytest.raises(KeyboardInterrupt):
        do(plans("compare"), tmp_path)
    monkeypatch.undo()
    (folder,) = (tmp_path / "runs").glob("*/run.json")
    assert Ledger(tmp_path / "runs").run(folder.parent.name).status != "finished"
    monkeypatch.setattr(bench, "run_tasks", None)  # nothing is trained again
    assert do(plans("compare"), tmp_path).folder == folder.parent
    assert Ledger(tmp_path / "runs").run(folder.parent.name).status == "finished"


def test_a_full_disk_is_named_where_it_was_met(tmp_path, plans, do, monkeypatch):
    def full(*arguments):
        raise StorageError("table.csv could not be written (No space left on device).")

    def fuller(*arguments):
        raise StorageError("ledger.sqlite could not be used (cannot rollback).")

    def write_text(path, text):
        fuller() if path.name == "log.txt" else real(path, text)

    real = storage.write_text
    for name in ("fail_run", "stop_run"):
        monkeypatch.setattr(Ledger, name, fuller)
    monkeypatch.setattr(driver, "write_report", full)
    monkeypatch.setattr(storage, "write_text", write_text)
    with pytest.raises(StorageError, match="No space left"):
        do(plans("tune"), tmp_path, report=True)


def test_all_jobs_of_a_seed_hold_out_the_same_rows(tmp_path, plans, do):
    rows = []
    for kind in ("main", "compare", "folds"):
        outcome = do(plans(kind, holdout_share=0.2, repeats=1), tmp_path)
        with np.load(outcome.folder / "holdout.npz") as file:
            rows.append(file["rows"])
    assert np.array_equal(rows[0], rows[1]) and np.array_equal(rows[0], rows[2])
    tuned = plans("tune", holdout_share=0.2).rows().pool
    assert not np.intersect1d(rows[0], tuned).size
    assert len(rows[0]) + len(tuned) == plans("tune").competition.train.n


def test_a_comparison_and_the_main_job_give_the_same_figures_for_the_same_question(tmp_path, plans, do):
    main = do(plans("main"), tmp_path)
    same = do(plans("compare", train=("recipe", "recipe + σ 0.2"), test=("clean", "σ 0.2", "σ 0.5")), tmp_path)
    assert same.grid.conditions == main.grid.conditions == ("clean", "σ 0.2", "σ 0.5")
    np.testing.assert_array_equal(same.grid.predictions, main.grid.predictions)
    np.testing.assert_array_equal(same.grid.averaged, main.grid.averaged)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize(
    ("command", "results"),
    [
        (("run", "--noise", "0,0.2", "--repeats", "2"), ("submission.csv", "table.csv", "grid.npz")),
        (("run", "--cv", "3"), ("submission.csv", "folds.csv", "out_of_fold.npz")),
        (("compare", "--train", "clean,σ 0.2", "--test", "σ 0.3", "--repeats", "2"), ("table.csv", "grid.npz")),
        (("tune", "--trials", "3", "--folds", "2", "--pruner", "none"), ("best.toml", "trials.csv")),
    ],
)
def test_killed_in_the_middle_and_typed_again_it_ends_with_the_same_bytes(
    tmp_path, quick_recipe_file, command, results
):
    with quick_recipe_file.open("a", encoding="utf-8") as file:
        file.write("[search]\nschedule.learning_rate = { low = 0.001, high = 0.1, log = true }\n")

    def start(folder):
        folder.mkdir(exist_ok=True)
        words = [*command, "--recipe", str(quick_recipe_file), "--jobs", "1", "--quiet"]
        return commands.start(words, folder, out=Path(os.devnull), err=Path(os.devnull))

    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    whole = start(undisturbed)
    victim = start(killed)
    deadline = time.monotonic() + 60
    while not (list(killed.glob("runs/*/checkpoints/fits/*")) or journal_has_a_trial(killed)):
        assert victim.is_alive() and time.monotonic() < deadline
        time.sleep(0.005)
    victim.kill()
    victim.join()
    assert not list(killed.glob("runs/*/run.json"))
    for process in (start(killed), whole):
        process.join()
        assert process.exitcode == 0
    (first,), (second,) = undisturbed.glob("runs/*/run.json"), killed.glob("runs/*/run.json")
    for name in results:
        expected, found = (first.parent / name).read_bytes(), (second.parent / name).read_bytes()
        if name in ("trials.csv", "best.toml"):
            expected, found = (without_time_and_place(content) for content in (expected, found))
        assert found == expected, name


def journal_has_a_trial(folder):
    """Whether a search has a trial that ended."""
    return any(path.read_text(encoding="utf-8").count('"values"') for path in folder.glob("runs/*/journal.log"))


def without_time_and_place(content):
    """A search's files without seconds, run ids and what a killed trial was renumbered to."""
    lines = [line for line in content.decode().splitlines() if not line.startswith("#") and "reached" not in line]
    return [line.split(",")[1:-2] if "," in line and "=" not in line else line for line in lines]
