"""Ways of training × test conditions on one holdout: the tasks, and what their results are folded into.

The main job and the comparison are both such a matrix.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.evaluation.grid import Axis, Grid, GridFold
from pipeline.evaluation.robustness.conditions import Condition
from pipeline.evaluation.robustness.ladder import Ladders
from pipeline.evaluation.statistics import Comparison
from pipeline.jobs.models import average_views, save_model
from pipeline.jobs.plan import Plan, Workbench
from pipeline.prediction.confidence_threshold import DistortedHoldout, measure, training_style
from pipeline.runs.ledger.comparison import save_holdout
from pipeline.runs.run_folder import held_out_of, save_arrays, save_grid, save_held_out
from pipeline.seeds import Stream, derived_seed
from pipeline.storage import write_text
from pipeline.training.recipe import Recipe
from pipeline.training.task import PictureChange, Smoothing, TrainingResult, TrainingTask

SPLIT = "holdout"


@dataclass(frozen=True, kw_only=True)
class TrainedRow:
    """A way of training, as the tables name it: a recipe and the σ of the noise after its changes."""

    name: str
    recipe: Recipe
    sigma: float


@dataclass(frozen=True, kw_only=True)
class AttackColumn:
    """A test condition that is an attack, as parse_attack reads its name."""

    name: str
    axis: Axis


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """What is trained and what it is tested on.

    rows: ways of training; conditions: changed pictures, "clean" first; attacks come behind them as columns. views:
    test-time augmentation of the clean rows. sanity_rows, smoothing: of the first repeat of each row.
    """

    rows: Sequence[TrainedRow]
    repeats: int
    conditions: Sequence[Condition]
    views: Sequence[Condition] = ()
    attacks: Sequence[AttackColumn] = ()
    sanity_rows: int = 0
    smoothing: Smoothing | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(column.name for column in (*self.conditions, *self.attacks))

    @property
    def axes(self) -> dict[str, Axis]:
        return {column.name: column.axis for column in (*self.conditions, *self.attacks)}

    def tasks(self, seed: int) -> list[TrainingTask]:
        """Repeat by repeat, in it row by row; all rows of a repeat share its first weights, order and noise."""
        return [
            TrainingTask(
                name=f"{row.name}, repeat {repeat + 1}",
                trained=row.name,
                recipe=row.recipe,
                sigma=row.sigma,
                repeat=repeat,
                key=(seed, Stream.FITS, repeat),
                split=SPLIT,
                conditions=(*self.conditions, *self.views, distorted_holdout(seed)),
                attacks=tuple(attack.name for attack in self.attacks),
                # Checks and certificates take time and tell of the way of training: one network of each will do.
                sanity_rows=self.sanity_rows if repeat == 0 else 0,
                smoothing=self.smoothing if repeat == 0 else None,
            )
            for repeat in range(self.repeats)
            for row in self.rows
        ]


def distorted_holdout(seed: int) -> PictureChange:
    """The test condition that a model's confidence threshold is measured on."""
    return DistortedHoldout(derived_seed(seed, Stream.DISTORTED_HOLDOUT))


class MatrixResults:
    """What the fits of a matrix are folded into. holdout: indices of the rows that they predict.

    cpu_seconds: of the fits. fits: what run.json says of each.
    """

    def __init__(self, matrix: Matrix, plan: Plan, holdout: np.ndarray, bench: Workbench, *, models: Path) -> None:
        train = plan.competition.train
        self.matrix, self.plan, self.bench, self.models = matrix, plan, bench, models
        self.rows, self.holdout, self.style = holdout, train.take(holdout), training_style(train.images)
        names = tuple(row.name for row in matrix.rows)
        self.grid_fold = GridFold(
            trained=names,
            repeats=matrix.repeats,
            conditions=matrix.columns,
            labels=self.holdout.labels,
            classes=len(train.classes),
        )
        shape = (len(self.holdout.labels), len(train.classes))
        self.distorted = {name: np.zeros(shape, np.float32) for name in names}
        self.clean = {name: np.zeros(shape, np.float32) for name in names}
        self.first_of_row: dict[str, TrainingResult] = {}
        self.cpu_seconds: list[float] = []
        self.fits: list[dict[str, Any]] = []

    def fold(self, task: TrainingTask, result: TrainingResult) -> None:
        """Take in one fit: its predictions, its model file, its certificates and findings."""
        probabilities = dict(result.probabilities)
        if self.matrix.views:
            probabilities["clean"] = average_views(probabilities, self.matrix.views)
        self.grid_fold.add(task.trained, task.repeat, probabilities)
        distorted = probabilities[distorted_holdout(self.plan.seed).name]
        self.distorted[task.trained] += distorted
        clean = result.probabilities["clean"]  # one view: as the reader asks
        self.clean[task.trained] += clean
        pictures = measure(self.style, distorted, self.holdout.labels, clean)
        save_model(self.plan.competition, task, result, pictures, self.models)
        self.cpu_seconds.append(round(result.cpu_seconds, 1))
        self.fits.append({"trained": task.trained, "repeat": task.repeat, "file": task.file_name})
        if task.repeat == 0 and (result.findings or result.certified is not None):
            self.first_of_row[task.trained] = replace(result, values=np.empty(0), history=[], probabilities={})

    def pictures_of(self, trained: str) -> dict[str, Any]:
        """What the networks of that row, averaged, may be sure of: see confidence_threshold.measure."""
        distorted, clean = (each[trained] / np.float32(self.matrix.repeats) for each in (self.distorted, self.clean))
        return measure(self.style, distorted, self.holdout.labels, clean)

    def save(self, grid: Grid, comparisons: Iterable[Comparison], *, stands_for: str) -> dict[str, Any]:
        """Write what the report and `runs diff` read; the part of the record that every matrix has.

        stands_for: the trained row whose averaged networks are the run's figure.
        """
        from pipeline.report.tables import grid_csv, table_csv

        folder = self.bench.folder
        right = grid.averaged[grid.trained_index(stands_for), 0] == grid.labels
        save_holdout(folder, self.rows, right)
        save_held_out(folder, held_out_of(self.grid_fold, self.holdout, self.plan.competition.train.classes))
        save_grid(folder, grid)
        write_text(folder / "grid.csv", grid_csv(grid))
        write_text(folder / "table.csv", table_csv(grid))
        certified = {name: one for name, one in self.first_of_row.items() if one.certified is not None}
        if certified:
            save_arrays(
                folder / "certificates.npz",
                trained=np.array(list(certified)),
                classes=np.stack([one.certified for one in certified.values()]),
                radius=np.stack([one.radius for one in certified.values()]),
            )
        smoothing = self.matrix.smoothing
        return {
            "trained": list(grid.trained),
            "conditions": list(grid.conditions),
            "axes": {name: asdict(axis) for name, axis in self.matrix.axes.items()},
            "attacks": [attack.name for attack in self.matrix.attacks],
            "repeats": self.matrix.repeats,
            "fits": self.fits,
            "fit_cpu_seconds": self.cpu_seconds,
            "findings": {
                name: [asdict(finding) for finding in one.findings]
                for name, one in self.first_of_row.items()
                if one.findings
            },
            "certify": None if smoothing is None else asdict(smoothing),
            "comparisons": [asdict(comparison) for comparison in comparisons],
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class MatrixOutcome:
    """What a matrix of networks came to.

    comparisons: verdicts against the baseline. attacks: columns that are attacks. findings: of their sanity checks,
    by trained row. ladders: attacks and proofs at several ε. notes: sentences on how it answered, and why its
    accuracy is suspect.
    """

    folder: Path
    record: Mapping[str, Any]
    grid: Grid
    comparisons: Sequence[Comparison]
    attacks: Sequence[str] = ()
    findings: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    ladders: Ladders | None = None
    notes: Sequence[str] = ()
