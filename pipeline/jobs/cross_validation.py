"""Cross-validation: every row is answered by networks that never saw it, and the folds' networks submit together.

    labelled rows ─ (holdout) ─ folds ─ fits: members × repeats × folds ─┬─ out-of-fold answers ─ weights, views
                                                                          └─ answers to the test rows ─ submission

Whatever is chosen is chosen on out-of-fold rows. The ensemble's own figure is nested: the rows of each fold are
answered with what the other folds chose.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pipeline import storage
from pipeline.dataset import Digits
from pipeline.errors import UsageError
from pipeline.evaluation.ensemble_weights import average_views, blended, nested_out_of_fold
from pipeline.evaluation.leakage import data_warnings, suspicion
from pipeline.evaluation.robustness.conditions import Condition
from pipeline.evaluation.scores import EnsembleSummary, Score, surest_mistakes
from pipeline.evaluation.statistics import Estimate, wilson_interval
from pipeline.jobs.bench import Bench
from pipeline.jobs.ensemble import EnsembleFold, choose, pseudo_labels, pseudo_sentence, views_sentence
from pipeline.jobs.matrix import distorted_holdout
from pipeline.jobs.models import save_model, views_of, write_labels
from pipeline.jobs.plan import SUBMITTED, FoldRows, Outcome, Plan, fold_name
from pipeline.prediction.confidence_threshold import measure, training_style
from pipeline.runs.ledger.diff import save_holdout
from pipeline.runs.run_folder import HeldOut, holdout_record, save_arrays, save_held_out
from pipeline.seeds import Stream
from pipeline.training import recipe as recipes
from pipeline.training.recipe import Recipe
from pipeline.training.task import SharedRows, TrainingResult, TrainingTask

ENSEMBLE = "all together"  # its name among the scores
MISTAKES_PICTURED = 12  # of each member and of the ensemble


@dataclass(frozen=True, kw_only=True, eq=False)
class CrossValidationOutcome(Outcome):
    """What the folds, or the runs of a blend, came to."""

    summary: EnsembleSummary


@dataclass(frozen=True, kw_only=True, eq=False)
class CrossValidation(Plan):
    """sigma: noise level σ of training. repeats: networks of each member in each fold. holdout_share: of rows, or 0.

    pseudo_label: probability from which a test row is trained on with the answer that it got; None for never.
    """

    kind: ClassVar[str] = "folds"
    submits: ClassVar[bool] = True

    folds: int
    sigma: float = 0.0
    repeats: int = 1
    holdout_share: float = 0.0
    pseudo_label: float | None = None

    @cached_property
    def members(self) -> list[Recipe]:
        """The recipes whose networks make the ensemble. Raises UsageError for one that stands twice."""
        members = [self.recipe, *(recipes.load(name) for name in self.recipe.run.partners)]
        if len({member.name for member in members}) < len(members):
            raise UsageError(f"The partners of recipe {self.recipe.name} must be other recipes than itself.")
        return members

    @property
    def names(self) -> list[str]:
        return [member.name for member in self.members]

    @cached_property
    def views(self) -> tuple[Condition, ...]:
        return (Condition("clean", "σ", 0.0, self.seed), *views_of(self.recipe, self.seed))

    def check(self) -> None:
        _ = self.members, self.views

    def split(self) -> FoldRows:
        return self.fold_rows(self.folds, self.holdout_share, Stream.FOLDS)

    def work(self, bench: Bench) -> CrossValidationOutcome:
        train, split = self.competition.train, self.split()
        bench.run_log.say(
            f"{len(split.pool):,} rows in {self.folds} folds, {len(split.held_out):,} rows held out of all of them; in "
            f"each fold {' + '.join(self.names)}, networks of each: {self.repeats}, "
            f"at σ {self.sigma:g}"
        )
        for sentence in data_warnings(train.images[split.pool], self.competition.test.images, split.fold_of):
            bench.run_log.say(sentence)
        shared = self._shared(split)
        fits = FoldFits(self, bench, split, final=self.pseudo_label is None)
        bench.train(self.tasks(), shared, fits.fold, title="Training in folds")
        notes = []
        if self.pseudo_label is not None:
            before = fits.ensemble.plain_classes()
            shared, added = self._with_pseudo_labels(shared, fits.ensemble)
            fits = FoldFits(self, bench, split, final=True)
            again = [replace(task, name=f"{task.name}, pseudo-labels") for task in self.tasks()]
            bench.train(again, shared, fits.fold, title="Training with pseudo-labels")
            notes.append(pseudo_sentence(before, fits.ensemble.plain_classes(), split.labels, added))
        return self._finish(bench, split, fits, notes)

    def _shared(self, split: FoldRows) -> SharedRows:
        """All labelled rows; test rows with the held-out ones behind them, which every fold's networks predict."""
        shared = self.shared_rows(split.splits(test=True))
        held_out = self.competition.train.images[split.held_out]
        return replace(shared, test_images=np.concatenate([shared.test_images, held_out]))

    def _with_pseudo_labels(self, shared: SharedRows, ensemble: EnsembleFold) -> tuple[SharedRows, float]:
        """The same splits with the test rows that each fold's networks were sure of; how many these are on average."""
        labels = [
            pseudo_labels(probabilities, self.pseudo_label, self.competition.test.n)
            for probabilities in ensemble.test_of_fold
        ]
        pairs = zip(shared.splits.items(), labels, strict=True)
        splits = {name: replace(split, pseudo_labels=of_fold) for (name, split), of_fold in pairs}
        return replace(shared, splits=splits), float(np.mean([(of_fold >= 0).sum() for of_fold in labels]))

    def tasks(self) -> list[TrainingTask]:
        """Fold by fold, in it repeat by repeat, in it member by member."""
        return [
            TrainingTask(
                name=f"{member.name}, repeat {repeat + 1}, fold {fold + 1}",
                trained=member.name,
                recipe=member,
                sigma=self.sigma,
                repeat=repeat,
                fold=fold,
                member=place,
                final=True,
                key=(self.seed, Stream.FOLD_FITS, place, repeat, fold),
                split=fold_name(fold),
                # The first networks alone tell when all of them may be sure.
                conditions=(*self.views, *([distorted_holdout(self.seed)] if fold == repeat == 0 else [])),
            )
            for fold in range(self.folds)
            for repeat in range(self.repeats)
            for place, member in enumerate(self.members)
        ]

    def _finish(self, bench: Bench, split: FoldRows, fits: FoldFits, notes: list[str]) -> CrossValidationOutcome:
        """Choose on out-of-fold rows, score, write; the submission last."""
        train, test, ensemble, folder = self.competition.train, self.competition.test, fits.ensemble, bench.folder
        averaged, weights = choose(ensemble.by_member, split.labels)
        if len(self.views) > 1:
            notes.append(views_sentence(ensemble, split.labels, averaged))
        nested = nested_out_of_fold(ensemble.by_member, split.labels, split.fold_of, choose)
        right = nested.argmax(axis=1) == split.labels
        final = blended(average_views(ensemble.test, averaged), weights)
        held_out_right = final[test.n :].argmax(axis=1) == train.labels[split.held_out]
        summary = EnsembleSummary(
            scores=(*fits.scores(), fits.score(ENSEMBLE, right[None], networks=len(self.tasks()))),
            weights=dict(zip(self.names, weights.tolist(), strict=True)),
            holdout=_accuracy(held_out_right) if len(split.held_out) else None,
            notes=(*notes, *_doubts(right, held_out_right)),
            data=self.competition.name,
            rows=len(split.pool),
            held_out=len(split.held_out),
            sample=self.competition.is_sample,
        )
        measured = (split.held_out, held_out_right) if len(split.held_out) else (split.pool, right)
        save_holdout(folder, *measured)
        save_held_out(folder, held_out_answers(train, split, average_views(ensemble.by_member, False), nested))
        save_arrays(
            folder / "out_of_fold.npz",
            rows=split.pool,
            fold=split.fold_of,
            labels=split.labels,
            members=ensemble.by_member,
            ensemble=nested.astype(np.float32),
        )
        of_test = {"members": ensemble.test[:, :, : test.n], "ensemble": final[: test.n].astype(np.float32)}
        save_arrays(folder / "test.npz", **of_test)
        write_tables(folder, summary)
        write_labels(self.competition, train.classes[final[: test.n].argmax(axis=1)], folder / SUBMITTED)
        out_of_fold, networks = _accuracy(right), f"{len(self.members)} × {self.repeats} × {self.folds} networks"
        figure = holdout_record(out_of_fold, summary.rows, f"{networks}, each row by those of them that did not see it")
        if summary.holdout is not None:
            figure = holdout_record(summary.holdout, summary.held_out, f"{networks}, probabilities averaged")
        record = {
            "holdout": figure,
            "out_of_fold": out_of_fold._asdict(),
            "trained": [*self.names, ENSEMBLE],
            "shown": ENSEMBLE,
            "summary": asdict(summary),
            "views": list(self.recipe.run.views) if averaged else [],
            "fits": fits.record,
        }
        return CrossValidationOutcome(folder=folder, record=record, summary=summary)


def _accuracy(right: np.ndarray) -> Estimate:
    return wilson_interval(int(right.sum()), len(right))


def _doubts(*right: np.ndarray) -> list[str]:
    doubts = [suspicion(float(rows.mean()), len(rows)) for rows in right if len(rows)]
    return [doubt for doubt in doubts if doubt]


def held_out_answers(train: Digits, split: FoldRows, members: np.ndarray, nested: np.ndarray) -> HeldOut:
    """What the report shows of the out-of-fold answers; pictures only of the mistakes that it shows."""
    answers = np.concatenate([members, nested[None].astype(np.float32)])
    shown = [surest_mistakes(probabilities, split.labels, MISTAKES_PICTURED) for probabilities in answers]
    pictured = np.unique(np.concatenate(shown))
    return HeldOut(
        labels=split.labels,
        classes=train.classes,
        images=train.images[split.pool[pictured]],
        pictured=pictured,
        averaged=answers,
        first=answers,
    )


def write_tables(folder: Path, summary: EnsembleSummary) -> None:
    """The tables and the figure of an ensemble, into the run's folder. Raises StorageError."""
    from pipeline.report.ensemble import ensemble_figure, ensemble_markdown, folds_csv
    from pipeline.report.figures import save_figure

    storage.write_text(folder / "folds.csv", folds_csv(summary.scores))
    storage.write_text(folder / "table.md", ensemble_markdown(summary))
    save_figure(ensemble_figure(summary), folder / "folds")


class FoldFits:
    """What the fits of all folds are folded into: the ensemble's answers and, where they are final, model files."""

    def __init__(self, plan: CrossValidation, bench: Bench, split: FoldRows, *, final: bool) -> None:
        train = plan.competition.train
        self.plan, self.split, self.final, self.models = plan, split, final, bench.folder / "models" / "final"
        self.ensemble = EnsembleFold(
            members=len(plan.members),
            repeats=plan.repeats,
            views=[view.name for view in plan.views],
            classes=len(train.classes),
            fold_rows=split.predicted,
            test_rows=plan.competition.test.n + len(split.held_out),
            pseudo_labels=plan.pseudo_label is not None,
        )
        self.first = split.predicted[0]  # rows of the first fold, which tell what its networks may be sure of
        self.distorted, self.clean = np.zeros((2, len(self.first), len(train.classes)), np.float32)
        self.style = training_style(train.images)
        self.pictures: dict[str, Any] | None = None
        self.waiting: list[tuple[TrainingTask, TrainingResult]] = []
        self.record: list[dict[str, Any]] = []

    def fold(self, task: TrainingTask, result: TrainingResult) -> None:
        self.ensemble.add(task, result)
        about = {"trained": task.trained, "repeat": task.repeat, "fold": task.fold, "file": task.file_name}
        self.record.append({**about, "cpu_seconds": round(result.cpu_seconds, 1)})
        tells = task.fold == task.repeat == 0
        if tells:
            self.distorted += result.probabilities[distorted_holdout(self.plan.seed).name][: len(self.first)]
            self.clean += result.probabilities["clean"][: len(self.first)]
        if self.final:
            self.waiting.append((task, replace(result, probabilities={}, history=[])))
            if not tells or task.member + 1 == len(self.plan.members):
                self._save_models()

    def _save_models(self) -> None:
        """Write the models of fits that have none yet; what they may be sure of is known."""
        if self.pictures is None:
            members = np.float32(len(self.plan.members))
            labels = self.split.labels[self.first]
            self.pictures = measure(self.style, self.distorted / members, labels, self.clean / members)
        for task, result in self.waiting:
            save_model(self.plan.competition, task, result, self.pictures, self.models)
        self.waiting.clear()

    def scores(self) -> list[Score]:
        """Each member's networks one by one on the rows that they did not see, without views and weights."""
        count = self.plan.repeats * self.plan.folds
        return [
            self.score(name, plain == self.split.labels, networks=count, cpu_seconds=float(seconds) / count)
            for name, plain, seconds in zip(
                self.plan.names, self.ensemble.plain, self.ensemble.cpu_seconds, strict=True
            )
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
