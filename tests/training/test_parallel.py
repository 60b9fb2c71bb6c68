"""Many fits: the same results however many run at a time, and a failure is told with its settings."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import InkproofError
from pipeline.evaluation.robustness.conditions import Condition
from pipeline.training import parallel as engine
from pipeline.training import recipe
from pipeline.training.parallel import run_tasks
from pipeline.training.task import TrainingTask

CONDITIONS = [Condition("clean", "σ", 0.0, 1), Condition("σ 0.2", "σ", 0.2, 1)]


def tasks_of(quick, sigmas=(0.0, 0.2)):
    return [
        TrainingTask(
            name=f"σ {sigma:g}, repeat 1",
            trained=f"σ {sigma:g}",
            recipe=quick,
            sigma=sigma,
            repeat=0,
            key=(0, 1, 0),
            split="holdout",
            conditions=tuple(CONDITIONS),
        )
        for sigma in sigmas
    ]


def results_of(tasks, bars, **how):
    """The results in the order of the tasks."""
    found = {task.name: result for task, result in run_tasks(tasks, bars, **how)}
    return [found[task.name] for task in tasks]


def same_bytes(first, second):
    probabilities = [
        first.probabilities[name].tobytes() == second.probabilities[name].tobytes() for name in first.probabilities
    ]
    return first.values.tobytes() == second.values.tobytes() and all(probabilities)


def test_one_process_or_two_give_the_same_bytes(tmp_path, bars, quick_recipe):
    seen = []
    one = results_of(tasks_of(quick_recipe), bars, jobs=1, folder=tmp_path / "1", on_epoch=lambda *a: seen.append(a))
    two = results_of(tasks_of(quick_recipe), bars, jobs=2, folder=tmp_path / "2", on_epoch=lambda *a: seen.append(a))
    for a, b in zip(one, two, strict=True):
        assert same_bytes(a, b)
    assert not np.array_equal(one[0].values, one[1].values)  # the noise level does change something
    assert len(seen) == 2 * 2 * 3  # jobs × fits × epochs
    assert sorted(path.name for path in (tmp_path / "2").iterdir()) == [
        "sigma-0-repeat-1.jsonl",
        "sigma-0.2-repeat-1.jsonl",
    ]


def test_it_learns(tmp_path, bars, quick_recipe):
    (result,) = results_of(tasks_of(quick_recipe, [0.0]), bars, jobs=1, folder=tmp_path, on_epoch=lambda *a: None)
    right = (result.probabilities["clean"].argmax(axis=-1) == bars.labels[90:]).mean()
    assert right > 0.95
    assert result.history[-1].validation_accuracy == right


def test_probabilities_under_a_condition_use_the_same_noise_for_every_model():
    images = np.full((3, 4, 4), 128, np.uint8)
    np.testing.assert_array_equal(CONDITIONS[1].apply(images), CONDITIONS[1].apply(images))
    assert CONDITIONS[0].apply(images) is images
    assert not np.array_equal(CONDITIONS[1].apply(images), Condition("σ 0.2", "σ", 0.2, 2).apply(images))


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_fit_that_fails_is_a_sentence_and_the_others_finish(tmp_path, bars, quick_recipe, jobs):
    wild = recipe.check(
        {
            **quick_recipe.content,
            "optimizer": {"name": "sgd"},
            "schedule": {"name": "constant", "learning_rate": 1e30},
        },
        name="wild",
        where="wild.toml",
    )
    good, bad = tasks_of(quick_recipe)
    bad = dataclasses.replace(bad, recipe=wild)
    with np.errstate(all="ignore"):
        failed, finished = results_of([bad, good], bars, jobs=jobs, folder=tmp_path, on_epoch=lambda *a: None)
    assert failed.startswith("Training broke down in epoch 1")
    assert finished.history[-1].epoch == 3
    assert len((tmp_path / "sigma-0-repeat-1.jsonl").read_text().splitlines()) == 3


class Deadly:
    """A test condition that kills the process that asks for it, as a system without memory does; `times` in all."""

    name = "deadly"

    def __init__(self, folder, times):
        self.folder, self.times = folder, times

    def apply(self, images):
        died = len(list(self.folder.glob("died-*")))
        if died < self.times:
            (self.folder / f"died-{died}").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return images


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_worker_that_is_killed_costs_time_and_no_result(tmp_path, bars, quick_recipe):
    tasks = [dataclasses.replace(task, conditions=(CONDITIONS[0],)) for task in tasks_of(quick_recipe)]
    expected = results_of(tasks, bars, jobs=1, folder=tmp_path / "1", on_epoch=lambda *a: None)
    tasks[0] = dataclasses.replace(tasks[0], conditions=(Deadly(tmp_path, 1),))
    seen, said = [], []
    found = {
        task.name: result
        for task, result in run_tasks(
            tasks,
            bars,
            jobs=2,
            folder=tmp_path / "2",
            on_epoch=lambda task, epoch: seen.append((task.name, epoch.epoch)),
            say=said.append,
        )
    }
    for task, result in zip(tasks, expected, strict=True):
        assert same_bytes(found[task.name], result) if task is not tasks[0] else True
        assert found[task.name].values.tobytes() == result.values.tobytes()
    assert sorted(seen) == [(task.name, epoch) for task in tasks for epoch in (1, 2, 3)]
    (sentence,) = said
    assert sentence.startswith("A worker process was killed from outside") and sentence.endswith("1 at a time.")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_second_kill_is_told(tmp_path, bars, quick_recipe):
    good, bad = tasks_of(quick_recipe)
    bad = dataclasses.replace(bad, conditions=(Deadly(tmp_path, 2),))
    with pytest.raises(InkproofError, match=r"^A worker process was killed from outside.*, and another one when its"):
        list(run_tasks([bad, good], bars, jobs=2, folder=tmp_path, on_epoch=lambda *a: None, say=lambda line: None))


def test_each_fit_is_given_as_soon_as_it_ends(tmp_path, bars, quick_recipe):
    """What comes first can be written before the rest is done, or fails."""
    good, later = tasks_of(quick_recipe)
    outcomes = run_tasks([good, later], bars, jobs=1, folder=tmp_path, on_epoch=lambda *a: None)
    assert next(outcomes)[0] is good
    begun = tmp_path / "sigma-0.2-repeat-1.jsonl"
    assert not begun.exists() or begun.read_text() == ""
    assert next(outcomes)[0] is later
    assert list(outcomes) == []


def test_the_epochs_of_an_earlier_attempt_are_not_followed(tmp_path, bars, quick_recipe, monkeypatch):
    """A fit that is done again finds its old file: neither are its lines told, nor does the new one begin amid one."""
    (task,) = tasks_of(quick_recipe, [0.0])
    old = {"epoch": 1, "learning_rate": 0.1, "train_loss": 1.0, "train_accuracy": 0.5, "validation_loss": None}
    old |= {"validation_accuracy": None, "seconds": 123456789.123}
    (tmp_path / "sigma-0-repeat-1.jsonl").write_text(json.dumps(old) + "\n", encoding="utf-8")
    real = engine.attempt

    def after_a_look(*args, **kwargs):
        time.sleep(0.1)
        return real(*args, **kwargs)

    monkeypatch.setattr(engine, "POLL_SECONDS", 0.001)
    monkeypatch.setattr(engine, "attempt", after_a_look)
    seen = []
    (result,) = results_of([task], bars, jobs=1, folder=tmp_path, on_epoch=lambda task, epoch: seen.append(epoch))
    assert seen == result.history


def test_workers_that_began_in_another_folder_write_where_the_job_is(tmp_path, bars, quick_recipe, monkeypatch):
    for name in ("first", "second"):  # the second job gets the workers of the first
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        results_of(tasks_of(quick_recipe), bars, jobs=2, folder=Path("history"), on_epoch=lambda *a: None)
        assert len(list((tmp_path / name / "history").iterdir())) == 2
