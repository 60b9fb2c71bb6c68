"""What the report's tests share: grids of known accuracy, and a finished run of each kind of job."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline import dataset
from pipeline.evaluation.grid import Grid
from pipeline.jobs import plan_class
from pipeline.jobs.bench import JobOptions
from pipeline.jobs.driver import run_job
from pipeline.jobs.progress import RunLog
from pipeline.training import recipe

TEST_SIGMAS = (0, 0.1, 0.2, 0.3, 0.5)
TINY = {
    "network": {"layers": [{"layer": "Flatten"}, {"layer": "Dense", "units": "classes"}]},
    "loss": {"name": "softmax-cross-entropy"},
    "optimizer": {"name": "adam"},
    "schedule": {"name": "constant", "learning_rate": 0.01},
    "training": {"epochs": 2, "batch_size": 32},
    "search": {
        "schedule.learning_rate": {"low": 0.001, "high": 0.1, "log": True},
        "training.batch_size": {"choices": [16, 32]},
    },
}
SETTINGS = {
    "main": {"sigmas": (0.0, 0.2), "repeats": 2},
    "compare": {
        "train": ("clean", "σ 0.2", "shift"),
        "test": ("σ 0.1", "σ 0.3", "shift right 1", "shift right 2", "fgsm Linf 0.05", "fgsm Linf 0.1"),
        "repeats": 2,
        "sanity_rows": 20,
        "certify": 0.25,
        "certify_rows": 10,
        "certify_samples": 50,
    },
    "folds": {"folds": 3, "holdout_share": 0.1},
    "tune": {"trials": 3, "pruner": "none"},
}


@pytest.fixture(scope="session")
def runs(tmp_path_factory) -> dict[str, Path]:
    """Kind of job → the folder of a finished run of it on the embedded sample."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        sample, tiny = dataset.load(), recipe.check(TINY, name="tiny", where="here")
    options = JobOptions(runs=folder, submission=folder / "submission.csv")
    return {
        kind: run_job(plan_class(kind)(competition=sample, recipe=tiny, **settings), options, RunLog(quiet=True)).folder
        for kind, settings in SETTINGS.items()
    }


@pytest.fixture
def make_grid() -> Callable[..., Grid]:
    """Builds a grid of 1,000 rows whose accuracies are known: repeat r of level t misses the first
    `misses[t][c] + r` rows under condition c; the averaged prediction is the middle repeat's."""

    def make(misses=((15, 64, 480, 740, 850), (14, 16, 24, 36, 170)), *, repeats=3, levels=None) -> Grid:
        levels = levels or (0, 0.1, 0.2, 0.3)[: len(misses)]
        conditions = ("clean", *(f"σ {sigma:g}" for sigma in TEST_SIGMAS[1 : len(misses[0])]))
        missed = np.array(misses)[:, None, :, None] + np.arange(repeats)[None, :, None, None]
        predictions = (np.arange(1000) < missed).astype(np.int16)
        return Grid(
            tuple(f"σ {level:g}" for level in levels),
            conditions,
            np.zeros(1000, dtype=np.int64),
            predictions,
            predictions[:, repeats // 2],
        )

    return make
