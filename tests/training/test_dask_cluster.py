"""Fits on a Dask cluster: the same bytes as here, and a worker that is killed costs no result."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.errors import InkproofError, UsageError
from pipeline.evaluation.robustness.conditions import condition
from pipeline.training import recipe
from pipeline.training.dask_cluster import run_tasks_on_cluster
from pipeline.training.environment import environment
from pipeline.training.parallel import run_tasks
from pipeline.training.task import TrainingTask

pytest.importorskip("distributed")

ROOT = Path(__file__).parents[2]


def tasks_of(quick, epochs, count=3):
    longer = recipe.check(
        {**quick.content, "training": {**quick.content["training"], "epochs": epochs}}, name="quick", where="here"
    )
    conditions = (condition("clean"), condition("σ 0.2"))
    return [
        TrainingTask(
            name=f"σ 0.1, repeat {n + 1}",
            trained="σ 0.1",
            recipe=longer,
            sigma=0.1,
            repeat=n,
            key=(0, n),
            split="holdout",
            conditions=conditions,
            attacks=("fgsm Linf 0.1",),
        )
        for n in range(count)
    ]


def results_of(outcomes):
    """Name → the bytes of a result."""
    return {
        task.name: (found.values.tobytes(), *(one.tobytes() for one in found.probabilities.values()))
        for task, found in outcomes
    }


@pytest.fixture
def cluster(tmp_path):
    """A scheduler and two workers, each a process of its own: (address, worker processes)."""
    told = tmp_path / "scheduler.json"
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(__file__).parent)]),
        "PYTHONWARNINGS": "ignore",
    }
    quiet = {"cwd": tmp_path, "env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    start = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    scheduler = subprocess.Popen([*start, "--no-dashboard", "--scheduler-file", str(told)], **quiet)
    workers = []
    try:
        deadline = time.monotonic() + 60
        while not told.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        address = json.loads(told.read_text())["address"]
        start = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-nanny", "--no-dashboard"]
        workers += [
            subprocess.Popen([*start, "--nthreads", "1", "--local-directory", str(tmp_path)], **quiet) for _ in range(2)
        ]
        wait_for_workers(address, 2)
        yield address, workers
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.wait()


def wait_for_workers(address, count):
    from distributed import Client

    with Client(address, timeout=30, set_as_default=False) as client:
        client.wait_for_workers(count, timeout=60)


@dataclasses.dataclass(frozen=True)
class DeadlyOnce:
    """A test condition that changes nothing, but kills the first process that asks for it."""

    marker: Path
    name: str = "deadly"

    def apply(self, images):
        try:
            self.marker.touch(exist_ok=False)
            os.kill(os.getpid(), signal.SIGKILL)
        except FileExistsError:
            pass  # it has killed one
        return images


@dataclasses.dataclass(frozen=True)
class Waiting:
    """A test condition that changes nothing, but holds its fit up until the file is there."""

    marker: Path
    name: str = "waiting"

    def apply(self, images):
        deadline = time.monotonic() + 60
        while not self.marker.exists():
            if time.monotonic() > deadline:
                raise InkproofError("Nobody heard of the epochs of a fit that is not done.")
            time.sleep(0.02)
        return images


def test_epochs_are_told_while_their_fit_runs(tmp_path, bars, quick_recipe, cluster):
    marker, seen = tmp_path / "heard", []

    def on_epoch(task, epoch):
        seen.append((task.name, epoch.epoch))
        if len(seen) == 2 * 5:  # all epochs of both fits, neither of which can end before
            marker.touch()

    tasks = [
        dataclasses.replace(task, conditions=(*task.conditions, Waiting(marker)))
        for task in tasks_of(quick_recipe, epochs=5, count=2)
    ]
    arguments = {"scheduler": cluster[0], "jobs": 2, "folder": tmp_path / "there", "on_epoch": on_epoch}
    outcomes = {task.name: found for task, found in run_tasks_on_cluster(tasks, bars, **arguments)}
    assert all(not isinstance(found, str) for found in outcomes.values()), outcomes
    assert sorted(seen) == [(task.name, epoch) for task in tasks for epoch in range(1, 6)]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_worker_killed_in_the_middle_costs_no_result(tmp_path, bars, quick_recipe, cluster):
    address, workers = cluster
    marker = tmp_path / "killed"
    tasks = [
        dataclasses.replace(task, conditions=(*task.conditions, DeadlyOnce(marker)))
        for task in tasks_of(quick_recipe, epochs=20)
    ]
    seen = []

    def on_epoch(task, epoch):
        seen.append((task.name, epoch.epoch))

    arguments = {"scheduler": address, "jobs": 2, "folder": tmp_path / "there", "on_epoch": on_epoch}
    there = results_of(run_tasks_on_cluster(tasks, bars, **arguments))
    assert marker.exists()
    deadline = time.monotonic() + 10
    while all(worker.poll() is None for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert sorted(worker.poll() is None for worker in workers) == [False, True]
    here = results_of(run_tasks(tasks, bars, jobs=1, folder=tmp_path / "here", on_epoch=lambda *a: None))
    assert there == here
    assert sorted(seen) == sorted((task.name, epoch) for task in tasks for epoch in range(1, 21))
    assert len((tmp_path / "there" / "sigma-0.1-repeat-3.jsonl").read_text().splitlines()) == 20


def test_an_embedded_cluster_gives_the_same_bytes_and_tells_failures(tmp_path, bars, quick_recipe):
    good = tasks_of(quick_recipe, epochs=3, count=2)
    schedule = {"name": "constant", "learning_rate": 1e30}
    wild = {**quick_recipe.content, "optimizer": {"name": "sgd"}, "schedule": schedule}
    bad = dataclasses.replace(good[0], name="bad", recipe=recipe.check(wild, name="wild", where="here"))
    here = results_of(run_tasks(good, bars, jobs=1, folder=tmp_path / "here", on_epoch=lambda *a: None))
    seen = []
    arguments = {"scheduler": None, "jobs": 2, "folder": tmp_path / "there", "on_epoch": lambda *a: seen.append(a)}
    outcomes = {task.name: (task, out) for task, out in run_tasks_on_cluster([bad, *good], bars, **arguments)}
    assert outcomes.pop("bad")[1].startswith("Training broke down in epoch 1")
    assert results_of(outcomes.values()) == here
    assert len(seen) == 2 * 3  # fits × epochs


def test_where_no_scheduler_answers_it_is_told(tmp_path, bars, quick_recipe, monkeypatch):
    monkeypatch.setattr("pipeline.training.dask_cluster.CONNECT_SECONDS", 0.5)
    arguments = {"jobs": 1, "folder": tmp_path, "on_epoch": lambda *a: None}
    with pytest.raises(UsageError, match=r"^No Dask scheduler answers at tcp://127\.0\.0\.1:1 "):
        list(run_tasks_on_cluster(tasks_of(quick_recipe, 1), bars, scheduler="tcp://127.0.0.1:1", **arguments))


@pytest.mark.parametrize("what", ["code", "numpy", "matrix kernels"])
def test_a_worker_that_would_compute_something_else_is_refused(
    tmp_path, bars, quick_recipe, cluster, monkeypatch, what
):
    here = {**environment(), what: "other"}
    monkeypatch.setattr("pipeline.training.dask_cluster.environment", Environment(here))
    monkeypatch.setattr("pipeline.training.environment.environment", lambda: here)
    arguments = {"jobs": 1, "folder": tmp_path, "on_epoch": lambda *a: None}
    with pytest.raises(InkproofError, match=rf"has {what} .* \(here other\): results could differ"):
        list(run_tasks_on_cluster(tasks_of(quick_recipe, 1), bars, scheduler=cluster[0], **arguments))


class Environment:
    """environment() as another machine would answer it; sent to a worker, it is the worker's own."""

    def __init__(self, here):
        self.here = here

    def __call__(self):
        return self.here

    def __reduce__(self):
        return (Worker, ())


class Worker:
    """What a worker makes of an Environment."""

    def __call__(self):
        return environment()


def test_all_of_many_fits_come_back_though_few_are_given_out_at_a_time(tmp_path, bars, quick_recipe):
    tasks = tasks_of(quick_recipe, epochs=1, count=12)
    arguments = {"scheduler": None, "jobs": 2, "folder": tmp_path, "on_epoch": lambda *a: None}
    assert sorted(task.name for task, _ in run_tasks_on_cluster(tasks, bars, **arguments)) == sorted(
        task.name for task in tasks
    )
