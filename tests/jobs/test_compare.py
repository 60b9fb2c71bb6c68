"""The comparison: bytes that do not depend on the jobs, and nothing lost when it is interrupted."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from pipeline import dataset
from pipeline.errors import InkproofError, UsageError
from pipeline.jobs.compare import job as compare
from pipeline.jobs.compare.job import Settings
from pipeline.jobs.progress import RunLog
from pipeline.runs.ledger import Ledger
from pipeline.storage import FileLock

TRAIN = ("clean", "σ 0.2", "shift", "adversarial Linf 0.1")
TEST = ("σ 0.3", "shift right 1", "fgsm Linf 0.1")


@pytest.fixture
def sample(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return dataset.load()


def settings_in(folder, recipe, **changes):
    base = Settings(recipe, train=TRAIN[:2], test=TEST, repeats=2, check_rows=20, runs=folder / "runs")
    return dataclasses.replace(base, **changes)


def bytes_of(folder):
    """What the settings decide."""
    tables = [folder / name for name in ("grid.csv", "table.csv")]
    return [path.read_bytes() for path in [*tables, *sorted(folder.glob("fits/*/model.safetensors"))]]


def test_the_same_bytes_however_many_jobs(tmp_path, sample, quick_recipe):
    asked = {"train": TRAIN, "certify": 0.25, "certify_rows": 10, "certify_samples": 50}
    one = compare.compare(sample, settings_in(tmp_path / "1", quick_recipe, **asked), RunLog(quiet=True))
    two = compare.compare(sample, settings_in(tmp_path / "2", quick_recipe, **asked, jobs=2), RunLog(quiet=True))
    assert len(bytes_of(one.folder)) == 2 + 4 * 2
    assert bytes_of(one.folder) == bytes_of(two.folder)
    assert one.grid.trained == TRAIN
    assert one.grid.conditions == ("clean", "σ 0.3", "shift right 1", "fgsm Linf 0.1")
    assert len(one.comparisons) == one.comparisons[0].family == 3 * 4
    assert set(one.findings) == set(TRAIN)
    (run,) = Ledger(tmp_path / "1" / "runs").runs()
    assert (run.status, run.results["kind"]) == ("finished", "compare")
    assert [path for path in tmp_path.rglob("*") if path.name.endswith((".part", ".lock"))] == []


def test_each_line_of_the_grid_is_its_models_own(tmp_path, sample, quick_recipe):
    """The grid's lines stand where their names say: each model, loaded, gives its own line."""
    from pipeline.evaluation.robustness.conditions import condition
    from pipeline.prediction import model_file as model

    found = compare.compare(sample, settings_in(tmp_path, quick_recipe), RunLog(quiet=True))
    with np.load(found.folder / "held_out.npz") as file:
        images = file["images"]
    for row, stem in enumerate(("clean", "sigma-0.2")):
        for repeat in range(2):
            loaded = model.load(found.folder / "fits" / f"{stem}-repeat-{repeat + 1}" / "model.safetensors")
            for name in ("clean", "shift right 1"):
                said = loaded.network.logits(condition(name).apply(images)).argmax(axis=1)
                column = found.grid.conditions.index(name)
                np.testing.assert_array_equal(found.grid.predictions[row, repeat, column], said)


def test_the_same_command_again_does_only_what_is_missing(tmp_path, sample, quick_recipe, monkeypatch):
    settings = settings_in(tmp_path, quick_recipe)
    whole = compare.compare(sample, settings, RunLog(quiet=True))
    expected = bytes_of(whole.folder)
    (whole.folder / "run.json").unlink()  # as if it had been interrupted:
    (whole.folder / "fits" / "clean-repeat-2" / "result.safetensors").unlink()
    damaged = whole.folder / "fits" / "sigma-0.2-repeat-1" / "result.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:100])
    asked = []
    real = compare.fit_each

    def spy(tasks, *args, **kwargs):
        asked.extend(task.name for task in tasks)
        return real(tasks, *args, **kwargs)

    monkeypatch.setattr(compare, "fit_each", spy)
    again = compare.compare(sample, settings, RunLog(quiet=True))
    assert again.folder == whole.folder and bytes_of(again.folder) == expected
    assert sorted(asked) == ["clean, repeat 2", "σ 0.2, repeat 1"]

    # With other settings, or once it has ended, it is a comparison of its own.
    assert compare.compare(sample, settings, RunLog(quiet=True)).folder != whole.folder
    (whole.folder / "run.json").unlink()
    other = dataclasses.replace(settings, seed=1)
    assert compare.compare(sample, other, RunLog(quiet=True)).folder != whole.folder


def test_a_fit_that_fails_is_told_with_its_settings_and_the_others_are_kept(
    tmp_path, sample, quick_recipe, monkeypatch
):
    settings = settings_in(tmp_path, quick_recipe)
    real = compare.fit_each

    def one_fails(tasks, *args, **kwargs):
        for task, found in real(tasks, *args, **kwargs):
            yield task, "Training broke down in epoch 1." if task.name == "σ 0.2, repeat 1" else found

    monkeypatch.setattr(compare, "fit_each", one_fails)
    with pytest.raises(InkproofError) as caught:
        compare.compare(sample, settings, RunLog(quiet=True))
    (run,) = Ledger(settings.runs).runs()
    assert run.reason == str(caught.value)
    assert run.reason == (
        "The fit σ 0.2, repeat 1 (recipe quick, σ 0.2) failed: Training broke down in epoch 1. The other 3 of 4 "
        f"fits are kept: `python main.py compare --resume {run.id}` does only what is missing."
    )
    assert len(list((settings.runs / run.id).glob("fits/*/result.safetensors"))) == 3
    monkeypatch.setattr(compare, "fit_each", real)
    assert compare.compare(sample, settings, RunLog(quiet=True), resume=run.id).folder.name == run.id
    assert Ledger(settings.runs).run(run.id).status == "finished"


def test_a_run_that_another_process_works_on_is_left_alone(tmp_path, sample, quick_recipe):
    settings = settings_in(tmp_path, quick_recipe)
    plan = compare.plan_of(settings, sample)
    folder = settings.runs / "busy"
    folder.mkdir(parents=True)
    (folder / "compare.json").write_text(json.dumps(plan), encoding="utf-8")
    before = (folder / "compare.json").read_bytes()
    lock = FileLock(folder / "running.lock")
    assert lock.acquire()
    with pytest.raises(UsageError, match="Run busy is being worked on by another process"):
        compare.compare(sample, settings, RunLog(quiet=True), resume="busy")
    lock.release()
    assert (folder / "compare.json").read_bytes() == before


def test_other_versions_are_told_when_resuming(tmp_path, sample, quick_recipe):
    settings = settings_in(tmp_path, quick_recipe, repeats=1)
    folder = compare.compare(sample, settings, RunLog(quiet=True)).folder
    plan = json.loads((folder / "compare.json").read_text(encoding="utf-8"))
    plan["versions"]["numpy"] = "1.0"
    (folder / "compare.json").write_text(json.dumps(plan), encoding="utf-8")
    run_log = RunLog(quiet=True)
    compare.compare(sample, settings, run_log, resume=folder.name)
    assert any("began with other versions" in line and "1.0" in line for line in run_log.said)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"train": ("clean", "σ 0")}, "A training condition stands twice among clean, clean"),
        ({"baseline": "shift"}, "The baseline 'shift' is not trained: choose one of clean, σ 0.2."),
        ({"train": ("claen",)}, "did you mean clean?"),
        ({"test": ("σ 0.1", "rotat 3")}, "did you mean rotate?"),
    ],
)
def test_wrong_names_are_told_before_anything_is_written(tmp_path, sample, quick_recipe, changes, sentence):
    with pytest.raises(UsageError) as caught:
        compare.compare(sample, settings_in(tmp_path, quick_recipe, **changes), RunLog(quiet=True))
    assert sentence in str(caught.value)
    assert not (tmp_path / "runs").exists()


def test_resuming_what_is_no_comparison_is_told(tmp_path):
    with pytest.raises(UsageError, match="holds no comparison that could be resumed"):
        compare.read_plan(tmp_path, "nothing")


@pytest.mark.parametrize("content", ["", "[]", '{"train": ["clean"]}'])
def test_a_damaged_plan_is_told_when_resumed_and_passed_over_otherwise(tmp_path, sample, quick_recipe, content):
    settings = settings_in(tmp_path, quick_recipe, repeats=1)
    damaged = settings.runs / "damaged" / "compare.json"
    damaged.parent.mkdir(parents=True)
    damaged.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match="holds no comparison that could be resumed"):
        compare.read_plan(settings.runs, "damaged")
    plan = compare.plan_of(settings, sample)
    assert compare._unfinished(settings.runs, plan) is None
    whole = settings.runs / "a" / "compare.json"
    whole.parent.mkdir()
    whole.write_text(json.dumps({"command": "c", "source": "s", **plan}), encoding="utf-8")
    assert compare._unfinished(settings.runs, plan) == "a"


def test_a_comparisons_networks_are_not_taken_for_a_main_jobs(tmp_path, sample, quick_recipe):
    """`predict` and `serve` answer with the newest run's networks."""
    from pipeline.prediction.find_models import newest_run

    folder = compare.compare(sample, settings_in(tmp_path, quick_recipe, repeats=1), RunLog(quiet=True)).folder
    assert len(list(folder.glob("fits/*/model.safetensors"))) == 2
    assert newest_run(tmp_path / "runs") is None
