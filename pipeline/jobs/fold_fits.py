"""The fits of a cross-validation: which rows do what, and what the results are folded into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from pipeline.dataset import Competition
from pipeline.evaluation.robustness.conditions import Condition
from pipeline.evaluation.scores import Score
from pipeline.jobs.ensemble import EnsembleFold, EnsembleShape
from pipeline.jobs.matrix import distorted_holdout
from pipeline.jobs.models import save_model
from pipeline.jobs.plan import Workbench
from pipeline.prediction.confidence_threshold import measure, training_style
from pipeline.training.recipe import Recipe
from pipeline.training.task import TrainingResult, TrainingTask


class FoldsPlan(Protocol):
    """What the fits need to know of the cross-validation that they belong to."""

    competition: Competition
    seed: int
    folds: int
    repeats: int
    pseudo_label: float | None

    @property
    def members(self) -> Sequence[Recipe]: ...

    @property
    def views(self) -> Sequence[Condition]: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldRows:
    """Which labelled rows do what.

    pool (n,): the rows that the folds are of; labels (n,) theirs. folds: pairs of rows to train on and to predict,
    indices into the pool; fold_of (n,): in which of them each is predicted. held_out: rows that no fold has.
    """

    pool: np.ndarray
    labels: np.ndarray
    folds: list[tuple[np.ndarray, np.ndarray]]
    fold_of: np.ndarray
    held_out: np.ndarray


class FoldFits:
    """What the fits of all folds are folded into: the ensemble's answers and, where they are final, model files."""

    def __init__(self, plan: FoldsPlan, bench: Workbench, split: FoldRows, *, final: bool) -> None:
        train = plan.competition.train
        self.plan, self.split, self.final, self.models = plan, split, final, bench.folder / "models" / "final"
        shape = EnsembleShape(
            members=len(plan.members),
            repeats=plan.repeats,
            views=[view.name for view in plan.views],
            classes=len(train.classes),
            fold_rows=[predicted for _, predicted in split.folds],
            test_rows=plan.competition.test.n + len(split.held_out),
        )
        self.ensemble = EnsembleFold(shape, pseudo_labels=plan.pseudo_label is not None)
        self.distorted = np.zeros((len(split.folds[0][1]), shape.classes), np.float32)
        self.clean = np.zeros_like(self.distorted)
        self.style = training_style(train.images)
        self.pictures: dict[str, Any] | None = None
        self.waiting: list[tuple[TrainingTask, TrainingResult]] = []
        self.record: list[dict[str, Any]] = []

    def fold(self, task: TrainingTask, result: TrainingResult) -> None:
        self.ensemble.add(task, result)
        self.record.append(
            {"trained": task.trained, "repeat": task.repeat, "fold": task.fold, "file": task.file_name}
            | {"cpu_seconds": round(result.cpu_seconds, 1)}
        )
        if task.fold == task.repeat == 0:
            self.distorted += result.probabilities[distorted_holdout(self.plan.seed).name][: len(self.distorted)]
            self.clean += result.probabilities["clean"][: len(self.clean)]
        if not self.final:
            return
        self.waiting.append((task, replace(result, probabilities={}, history=[])))
        if task.fold == task.repeat == 0 and task.member + 1 < len(self.plan.members):
            return  # what all of them may be sure of is not known yet
        self.save_models()

    def save_models(self) -> None:
        """Write the models of fits that have none yet."""
        if self.pictures is None:
            labels, members = self.split.labels[self.split.folds[0][1]], np.float32(len(self.plan.members))
            self.pictures = measure(self.style, self.distorted / members, labels, self.clean / members)
        for task, result in self.waiting:
            save_model(self.plan.competition, task, result, self.pictures, self.models)
        self.waiting.clear()

    def scores(self) -> list[Score]:
        """Each member's networks one by one on the rows that they did not see, without views and weights."""
        count = self.plan.repeats * self.plan.folds
        return [
            self.score(
                member.name,
                self.ensemble.plain[place] == self.split.labels,
                networks=count,
                cpu_seconds=float(self.ensemble.cpu_seconds[place]) / count,
            )
            for place, member in enumerate(self.plan.members)
        ]

    def score(self, name: str, right: np.ndarray, *, networks: int, cpu_seconds: float | None = None) -> Score:
        """right (any, n): which rows were answered right."""
        folds = range(self.plan.folds)
        return Score(
            name=name,
            networks=networks,
            by_fold=tuple(float(right[:, self.split.fold_of == fold].mean()) for fold in folds),
            accuracy=float(right.mean()),
            cpu_seconds=cpu_seconds,
        )
