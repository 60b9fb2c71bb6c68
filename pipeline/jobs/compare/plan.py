"""A comparison laid out: what was asked for becomes rows, tasks and the names of the grid."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.dataset import Digits
from pipeline.dataset.split import stratified_holdout
from pipeline.errors import UsageError
from pipeline.jobs.compare.condition_names import check_fit, columns
from pipeline.jobs.compare.training_conditions import training_condition
from pipeline.training.recipe import Recipe
from pipeline.training.task import Certifying, Rows, TrainingTask

# First number of the key that a part's randomness follows from, so that no two share a stream.
SPLIT, TEST_CONDITIONS, FITS = range(10, 13)


@dataclass(frozen=True)
class Settings:
    """What the compare command was asked for. train, test: names of conditions; holdout: a share of the rows.

    baseline: the training condition that all others are compared with; None is the first.
    certify: σ of certificates, or None. check_rows: rows for the honesty checks of attacks.
    scheduler: address of a Dask scheduler, where engine is "dask"; None starts one.
    """

    recipe: Recipe
    train: tuple[str, ...]
    test: tuple[str, ...]
    repeats: int = 3
    holdout: float = 0.1
    seed: int = 0
    baseline: str | None = None
    certify: float | None = None
    certify_rows: int = 500
    certify_samples: int = 10_000
    certify_alpha: float = 0.001
    check_rows: int = 200
    jobs: int = 1
    engine: str = "processes"
    scheduler: str | None = None
    runs: Path = Path("runs")
    command: str = "python main.py compare"


@dataclass(frozen=True)
class Work:
    """A comparison laid out: its rows, its tasks (repeat by repeat) and the names of its grid."""

    rows: Rows
    held: Digits
    tasks: list[TrainingTask]
    trained: tuple[str, ...]
    conditions: tuple[str, ...]
    attacks: tuple[str, ...]
    baseline: str


def lay_out(train: Digits, settings: Settings) -> Work:
    """Raises UsageError for names of conditions that do not exist, stand twice, or do not suit the pictures."""
    rng = np.random.default_rng([settings.seed, SPLIT])
    train_rows, holdout_rows = stratified_holdout(train.labels, settings.holdout, rng=rng)
    part, held = train.take(train_rows), train.take(holdout_rows)
    rows = Rows(part.images, part.labels, len(train.classes), held.images, held.labels)

    trained = [training_condition(text, settings.recipe) for text in settings.train]
    names = tuple(one.name for one in trained)
    if len(set(names)) < len(names):
        raise UsageError(f"A training condition stands twice among {', '.join(names)}: give each once.")
    baseline = names[0]
    if settings.baseline is not None:
        baseline = training_condition(settings.baseline, settings.recipe).name
        if baseline not in names:
            raise UsageError(f"The baseline {baseline!r} is not trained: choose one of {', '.join(names)}.")
    conditions, attacks = columns(settings.test, seed=settings.seed + TEST_CONDITIONS)
    check_fit(conditions, train.side)
    certifying = None
    if settings.certify is not None:
        certifying = Certifying(
            settings.certify, settings.certify_rows, settings.certify_samples, settings.certify_alpha
        )
    tasks = [
        TrainingTask(
            f"{one.name}, repeat {repeat + 1}",
            one.recipe(settings.recipe),
            one.sigma,
            (settings.seed, FITS, repeat),
            conditions,
            tuple(attacks),
            # Checks and certificates take time and tell of the method of training: one network of each will do.
            settings.check_rows if repeat == 0 else 0,
            certifying if repeat == 0 else None,
        )
        for repeat in range(settings.repeats)
        for one in trained
    ]
    return Work(rows, held, tasks, names, (*(c.name for c in conditions), *attacks), tuple(attacks), baseline)
