"""What tests of jobs share: the embedded sample in an empty folder, and a job run in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import dataset
from pipeline.jobs import driver
from pipeline.jobs.bench import JobOptions
from pipeline.jobs.driver import run_job
from pipeline.jobs.progress import RunLog


@pytest.fixture
def sample(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return dataset.load()


def options_in(folder: Path, **changes) -> JobOptions:
    """Runs below `folder`/runs, the submission in `folder`."""
    return JobOptions(**{"runs": folder / "runs", "submission": folder / "submission.csv", **changes})


@pytest.fixture
def do(monkeypatch):
    """Runs a plan below a folder, quietly; gives its outcome. Drawing a report takes longer than these jobs train."""

    def run(plan, folder, run_log=None, *, report=False, **options):
        if not report:
            monkeypatch.setattr(driver, "write_report", lambda folder, record=None: None)
        return run_job(plan, options_in(folder, **options), run_log or RunLog(quiet=True))

    return run
