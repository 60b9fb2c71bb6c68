"""Ways of training × test conditions on one holdout: the tasks, and what their results are folded into.

The main job and the comparison are both such a matrix.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import counted
from pipeline.evaluation.grid import Grid, GridFold
from pipeline.evaluation.robustness.attack_sanity import Finding
from pipeline.evaluation.robustness.condition_names import AttackColumn
from pipeline.evaluation.robustness.conditions import Condition, DistortedHoldout
from pipeline.evaluation.robustness.ladder import Ladders
from pipeline.evaluation.statistics import Comparison, wilson_interval
from pipeline.jobs.bench import Bench
from pipeline.jobs.models import average_views, save_model
from pipeline.jobs.plan import Outcome, Plan
from pipeline.prediction.confidence_threshold import measure, training_style
from pipeline.runs.ledger.diff import save_holdout
from pipeline.runs.run_folder import held_out_of, holdout_record, save_arrays, save_grid, save_held_out
from pipeline.seeds import Stream, derived_seed
from pipeline.storage import write_text
from pipeline.training.recipe_tables import HOLDOUT, REPEATS
from pipeline.training.task import PictureChange, Smoothing, TrainingResult, TrainingTask
from pipeline.training.training_conditions import TrainingCondition

SPLIT = "holdout"


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """What is trained and what it is tested on.

    rows: ways of training; conditions: changed pictures, "clean" first; attacks come behind them as columns. views:
    test-time augmentation of the clean rows. sanity_rows, smoothing: of the first repeat of each row.
    """

    rows: Sequence[TrainingCondition]
    conditions: Sequence[Condition]
    views: Sequence[Condition] = ()
    attacks: Sequence[AttackColumn] = ()
    sanity_rows: int = 0
    smoothing: Smoothing | None = None

    @property
    def columns(self) -> tuple[Condition | AttackColumn, ...]:
        return (*self.conditions, *self.attacks)


@dataclass(frozen=True, kw_only=True, eq=False)
class MatrixOutcome(Outcome):
    """What a matrix of networks came to.

    comparisons: verdicts against the baseline. attacks: columns that are attacks. findings: of their sanity checks,
    by trained row. notes: sentences on how it answered, and why its accuracy is suspect. ladders: attacks and proofs
    at several ε.
    """

    grid: Grid
    comparisons: Sequence[Comparison]
    attacks: Sequence[str]
    findings: Mapping[str, Sequence[Finding]]
    notes: Sequence[str]
    ladders: Ladders | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class MatrixPlan(Plan):
    """repeats: networks of each row. holdout_share: of the labelled rows."""

    repeats: int = REPEATS
    holdout_share: float = HOLDOUT

    @property
    def matrix(self) -> Matrix:
        raise NotImplementedError

    def matrix_tasks(self) -> list[TrainingTask]:
        """Repeat by repeat, in it row by row; all rows of a repeat share its first weights, order and noise."""
        matrix = self.matrix
        return [
            TrainingTask(
                name=f"{row.name}, repeat {repeat + 1}",
                trained=row.name,
                recipe=row.recipe,
                sigma=row.sigma,
                repeat=repeat,
                key=(self.seed, Stream.FITS, repeat),
                split=SPLIT,
                conditions=(*matrix.conditions, *matrix.views, distorted_holdout(self.seed)),
                attacks=tuple(attack.name for attack in matrix.attacks),
                # Checks and certificates take time and tell of the way of training: one network of each will do.
                sanity_rows=matrix.sanity_rows if repeat == 0 else 0,
                smoothing=matrix.smoothing if repeat == 0 else None,
            )
            for repeat in range(self.repeats)
            for row in matrix.rows
        ]


def distorted_holdout(seed: int) -> PictureChange:
    """The test condition that a model's confidence threshold is measured on."""
    return DistortedHoldout(derived_seed(seed, Stream.DISTORTED_HOLDOUT))


class MatrixResults:
    """What the fits of a matrix are folded into. holdout: indices of the rows that they predict.

    cpu_seconds: of the fits. fits: what run.json says of each.
    """

    def __init__(self, plan: MatrixPlan, holdout: np.ndarray, bench: Bench, *, models: Path) -> None:
        train = plan.competition.train
        self.plan, self.matrix, self.folder, self.models = plan, plan.matrix, bench.folder, models
        self.rows, self.holdout, self.style = holdout, train.take(holdout), training_style(train.images)
        names = [row.name for row in self.matrix.rows]
        self.grid_fold = GridFold(
            trained=names,
            repeats=plan.repeats,
            conditions=[column.name for column in self.matrix.columns],
            labels=self.holdout.labels,
            classes=len(train.classes),
        )
        # Sums over the repeats, for what may be sure: of the distorted rows, of the rows as they are.
        shape = (2, len(holdout), len(train.classes))
        self.sums = {name: np.zeros(shape, np.float32) for name in names}
        self.first_of_row: dict[str, TrainingResult] = {}
        self.cpu_seconds: list[float] = []
        self.fits: list[dict[str, Any]] = []

    def fold(self, task: TrainingTask, result: TrainingResult) -> None:
        """Take in one fit: its predictions, its model file, its certificates and findings."""
        probabilities = dict(result.probabilities)
        if self.matrix.views:
            probabilities["clean"] = average_views(probabilities, self.matrix.views)
        self.grid_fold.add(task.trained, task.repeat, probabilities)
        # Clean in one view, as the reader asks.
        pair = probabilities[distorted_holdout(self.plan.seed).name], result.probabilities["clean"]
        self.sums[task.trained] += pair
        save_model(self.plan.competition, task, result, self._measured(*pair), self.models)
        self.cpu_seconds.append(round(result.cpu_seconds, 1))
        self.fits.append({"trained": task.trained, "repeat": task.repeat, "file": task.file_name})
        if task.repeat == 0 and (result.findings or result.certified is not None):
            self.first_of_row[task.trained] = replace(result, values=np.empty(0), history=[], probabilities={})

    def _measured(self, distorted: np.ndarray, clean: np.ndarray) -> dict[str, Any]:
        return measure(self.style, distorted, self.holdout.labels, clean)

    def pictures_of(self, trained: str) -> dict[str, Any]:
        """What the networks of that row, averaged, may be sure of: see confidence_threshold.measure."""
        return self._measured(*(self.sums[trained] / np.float32(self.plan.repeats)))

    def save(
        self, grid: Grid, comparisons: Sequence[Comparison], *, stands_for: str, how: str, notes: Sequence[str] = ()
    ) -> MatrixOutcome:
        """Write what the report and `runs diff` read, and give what every matrix comes to.

        stands_for: the trained row whose averaged networks are the run's figure; how: "at" or "trained" it.
        """
        from pipeline.report.tables import grid_csv, table_csv

        folder, matrix = self.folder, self.matrix
        right = grid.averaged[grid.trained_index(stands_for), 0] == grid.labels
        save_holdout(folder, self.rows, right)
        save_held_out(folder, held_out_of(self.grid_fold, self.holdout, self.plan.competition.train.classes))
        save_grid(folder, grid)
        write_text(folder / "grid.csv", grid_csv(grid))
        write_text(folder / "table.csv", table_csv(grid))
        certified = {name: fit for name, fit in self.first_of_row.items() if fit.certified is not None}
        if certified:
            save_arrays(
                folder / "certificates.npz",
                trained=np.array(list(certified)),
                classes=np.stack([fit.certified for fit in certified.values()]),
                radius=np.stack([fit.radius for fit in certified.values()]),
            )
        findings = {name: fit.findings for name, fit in self.first_of_row.items() if fit.findings}
        attacks = [attack.name for attack in matrix.attacks]
        of = f"{counted(self.plan.repeats, 'network')} {how} {stands_for}, probabilities averaged"
        record = {
            "trained": list(grid.trained),
            "conditions": list(grid.conditions),
            "axes": {column.name: asdict(column.axis) for column in matrix.columns},
            "attacks": attacks,
            "fits": self.fits,
            "fit_cpu_seconds": self.cpu_seconds,
            "findings": {name: [asdict(finding) for finding in of_row] for name, of_row in findings.items()},
            "certify": None if matrix.smoothing is None else asdict(matrix.smoothing),
            "comparisons": [asdict(comparison) for comparison in comparisons],
            "holdout": holdout_record(wilson_interval(int(right.sum()), grid.rows), grid.rows, of),
        }
        return MatrixOutcome(
            folder=folder,
            record=record,
            grid=grid,
            comparisons=comparisons,
            attacks=attacks,
            findings=findings,
            notes=notes,
        )
