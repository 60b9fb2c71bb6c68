"""The main job: networks at several noise levels, what the noise did, and a submission by those of the best level.

A matrix whose rows are the recipe at each σ and whose columns are the same σ's in the test pictures; then the best
level's networks once more on all rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from pipeline import storage
from pipeline.evaluation.grid import Grid
from pipeline.evaluation.leakage import data_warnings, suspicion
from pipeline.evaluation.robustness.conditions import Condition
from pipeline.evaluation.statistics import Comparison, cell_estimates, compare_to_baseline, paired_difference
from pipeline.jobs.bench import Bench
from pipeline.jobs.matrix import SPLIT, Matrix, MatrixOutcome, MatrixPlan, MatrixResults
from pipeline.jobs.models import average_views, save_model, views_of, write_labels
from pipeline.jobs.plan import SUBMITTED
from pipeline.runs.run_folder import save_arrays
from pipeline.seeds import Stream, derived_seed
from pipeline.training.recipe_tables import NOISE
from pipeline.training.task import Split, TrainingResult, TrainingTask
from pipeline.training.training_conditions import TrainingCondition

ALL_ROWS = "all rows"
STRONG_NOISE = 0.5  # a test noise that no level is trained on by default
TRIES = 3  # seeds of a final network
USUAL_RATIO = 1.3  # of two networks' training errors; the loss would not do, as label smoothing lifts all of them
VIEWS_NOTE = "Clean rows, and the submission's, are answered on average over the picture as it is and {}."


@dataclass(frozen=True, kw_only=True, eq=False)
class NoiseLevels(MatrixPlan):
    """sigmas: noise levels σ. submit_level: σ of the networks that make the submission; None chooses it."""

    kind: ClassVar[str] = "main"
    submits: ClassVar[bool] = True

    sigmas: tuple[float, ...] = NOISE
    submit_level: float | None = None

    @property
    def known_level(self) -> tuple[float, str] | None:
        """The level that is submitted, and why, where the holdout has no say in it."""
        if self.submit_level is not None:
            return self.submit_level, "as asked with --submit-level"
        return (self.sigmas[0], "the only level") if len(self.sigmas) == 1 else None

    @cached_property
    def matrix(self) -> Matrix:
        tests = sorted({0.0, *self.sigmas, STRONG_NOISE})
        seed = derived_seed(self.seed, Stream.TEST_CONDITIONS)
        return Matrix(
            rows=[TrainingCondition(name=level_name(s), recipe=self.recipe, sigma=s) for s in self.sigmas],
            conditions=[Condition("clean" if s == 0 else level_name(s), "σ", s, seed) for s in tests],
            views=views_of(self.recipe, self.seed),
        )

    def check(self) -> None:
        _ = self.matrix

    def work(self, bench: Bench) -> MatrixOutcome:
        train, test = self.competition.train, self.competition.test
        train_rows, holdout_rows = self.holdout(self.holdout_share)
        network = self.recipe.network(train.images.shape[1:], len(train.classes), rng=None)
        bench.run_log.say(
            f"{len(train_rows):,} rows to train on, {len(holdout_rows):,} held out; recipe {self.recipe.name}: "
            f"{network.params.size:,} parameters, {self.recipe.training.epochs} epochs"
        )
        for sentence in data_warnings(train.images, test.images, np.isin(np.arange(train.n), holdout_rows)):
            bench.run_log.say(sentence)
        of_all = Split(train=np.arange(train.n), validation=np.arange(0), test=True)
        shared = self.shared_rows({SPLIT: Split(train=train_rows, validation=holdout_rows), ALL_ROWS: of_all})
        results = MatrixResults(self, holdout_rows, bench, models=bench.folder / "models" / "holdout")
        final = _FinalFits(self, bench)

        def fold(task: TrainingTask, result: TrainingResult) -> None:
            if not task.final:
                final.check(task, result)
            (final if task.final else results).fold(task, result)

        # Where the level is known before, nothing has to wait: a single network then trains beside its own check.
        known = self.final_tasks(self.known_level[0]) if self.known_level else []
        bench.train([*self.matrix_tasks(), *known], shared, fold, title="Training at each noise level")
        grid = results.grid_fold.grid()
        level, because = choose_level(self, grid)
        if not known:
            bench.run_log.say(f"Training the submission's networks on all {train.n:,} rows at {level_name(level)}")
            bench.train(self.final_tasks(level), shared, fold, title="Training on all rows")
        for again in range(1, TRIES):
            if final.fallen:
                bench.train(final.tasks_again(again), shared, fold, title="Training again with another seed")
        final.settle()
        return self._finish(bench, results, final, grid, level, because)

    def final_tasks(self, level: float) -> list[TrainingTask]:
        """The submission's networks: the repeats trained on all rows, which predict the test rows under all views."""
        return [
            TrainingTask(
                name=f"all rows, repeat {repeat + 1}",
                trained=level_name(level),
                recipe=self.recipe,
                sigma=level,
                repeat=repeat,
                key=(self.seed, Stream.FINAL_FITS, repeat),
                split=ALL_ROWS,
                conditions=(Condition("clean", "σ", 0.0, self.seed), *self.matrix.views),
                final=True,
            )
            for repeat in range(self.repeats)
        ]

    def _finish(
        self, bench: Bench, results: MatrixResults, final: _FinalFits, grid: Grid, level: float, because: str
    ) -> MatrixOutcome:
        """Tables, figure, models; the submission last."""
        views, name = self.matrix.views, level_name(level)
        notes = [VIEWS_NOTE.format(", ".join(view.name for view in views))] if views else []
        right = grid.averaged[grid.trained_index(name), 0] == grid.labels
        doubt = suspicion(right.mean(), len(right))
        notes += [*([doubt] if doubt else []), *final.notes]
        # Every level against σ 0 (or the smallest), on clean rows and on the strongest trained noise.
        strongest = max(self.sigmas)
        noisy = [level_name(strongest)] if strongest > 0 else []
        comparisons = compare_to_baseline(grid, level_name(min(self.sigmas)), ["clean", *noisy])
        outcome = results.save(grid, comparisons, stands_for=name, how="at", notes=notes)
        self._write_tables(bench, grid, comparisons, notes)
        final.save_models(results.pictures_of(name))
        save_arrays(bench.folder / "test.npz", committee=final.probabilities)
        labels = self.competition.train.classes[final.probabilities.argmax(axis=1)]
        write_labels(self.competition, labels, bench.folder / SUBMITTED)
        record = {
            "levels": {
                trained: {condition: cell._asdict() for condition, cell in zip(grid.conditions, row, strict=True)}
                for trained, row in zip(grid.trained, cell_estimates(grid), strict=True)
            },
            "shown": name,
            "submitted_level": level,
            "submitted_because": because,
            "fit_cpu_seconds": [*results.cpu_seconds, *final.cpu_seconds],
        }
        return replace(outcome, record={**outcome.record, **record})

    def _write_tables(self, bench: Bench, grid: Grid, comparisons: Sequence[Comparison], notes: Sequence[str]) -> None:
        from pipeline.report.figures import noise_figure, save_figure
        from pipeline.report.tables import markdown_report

        about = {"data": self.competition.name, "sample": self.competition.is_sample}
        text = "\n".join([markdown_report(grid, comparisons, **about), *(f"{note}\n" for note in notes)])
        storage.write_text(bench.folder / "table.md", text)
        sigmas = [condition.strength for condition in self.matrix.conditions]
        save_figure(noise_figure(grid, sigmas, **about), bench.folder / "noise")


class _FinalFits:
    """What the submission's networks are folded into: probabilities of the test rows, and the trained values.

    Nobody can measure them on rows that they did not see. So their training error is held against that of the networks
    that were checked: one that falls out is trained again with another seed. notes: what was done about which.
    """

    def __init__(self, plan: NoiseLevels, bench: Bench) -> None:
        self.plan, self.folder = plan, bench.folder / "models" / "final"
        self.sum = np.zeros((plan.competition.test.n, len(plan.competition.train.classes)), np.float32)
        self.fits: list[tuple[TrainingTask, TrainingResult]] = []
        self.cpu_seconds: list[float] = []
        self.run_log = bench.run_log
        self.checked: dict[str, list[float]] = {}
        self.fallen: dict[int, list[tuple[TrainingTask, TrainingResult]]] = {}
        self.notes: list[str] = []

    def check(self, task: TrainingTask, result: TrainingResult) -> None:
        """Take in a network that was measured on the holdout."""
        self.checked.setdefault(task.trained, []).append(_training_error(result))

    def fold(self, task: TrainingTask, result: TrainingResult) -> None:
        error, worst = _training_error(result), max(self.checked[task.trained])
        if falls_out(error, worst, self.plan.competition.train.n):
            note = (
                f"{task.name} ended with {error:.2%} of its training rows wrong, the checked networks with {worst:.2%}"
            )
            self.notes.append(f"{note} at most: trained again with another seed.")
            self.run_log.say(self.notes[-1])
            self.fallen.setdefault(task.repeat, []).append((task, result))
            return
        self.fallen.pop(task.repeat, None)
        self._take(task, result)

    def tasks_again(self, again: int) -> list[TrainingTask]:
        """Those that fell out, from other seeds."""
        first = [tried[0][0] for tried in self.fallen.values()]
        return [replace(task, name=f"{task.name}, again {again}", key=(*task.key, again)) for task in first]

    def settle(self) -> None:
        """Where every seed fell out, the best of them stays."""
        for tried in self.fallen.values():
            task, result = min(tried, key=lambda pair: _training_error(pair[1]))
            self.notes.append(f"All {len(tried)} seeds fell out so: {task.name}, the best of them, is submitted.")
            self.run_log.say(self.notes[-1])
            self._take(task, result)

    def _take(self, task: TrainingTask, result: TrainingResult) -> None:
        self.sum += average_views(result.probabilities, self.plan.matrix.views)
        # The repeats' values alone, until it is known what they may be sure of.
        self.fits.append((task, replace(result, history=[], probabilities={})))
        self.cpu_seconds.append(round(result.cpu_seconds, 1))

    @property
    def probabilities(self) -> np.ndarray:
        """(m, classes) float32: of the test rows, averaged over networks and views."""
        return self.sum / np.float32(len(self.fits))

    def save_models(self, pictures: dict[str, Any]) -> None:
        for task, result in self.fits:
            save_model(self.plan.competition, task, result, pictures, self.folder)


def _training_error(result: TrainingResult) -> float:
    """Share of the training rows that the last epoch got wrong."""
    return 1 - result.history[-1].train_accuracy


def falls_out(error: float, worst: float, rows: int) -> bool:
    """Whether a training error is beyond that of the worst checked network by more than seeds and rows explain."""
    return error > USUAL_RATIO * worst + 3 * (worst * (1 - worst) / rows) ** 0.5 + 0.002


def level_name(sigma: float) -> str:
    """How tables name a noise level: "σ 0.1"."""
    return f"σ {sigma:g}"


def choose_level(plan: NoiseLevels, grid: Grid) -> tuple[float, str]:
    """The σ to submit with, and why: the best on clean holdout rows, or the largest that ties with it.

    Levels tie when the 95 % interval of their paired difference holds 0: then the one that has also learned to live
    with noise costs nothing.
    """
    if plan.known_level:
        return plan.known_level
    clean = [grid.correct(row, grid.condition_index("clean")) for row in range(len(plan.sigmas))]
    best = int(np.argmax([correct.mean() for correct in clean]))
    ties = [
        sigma
        for sigma, correct in zip(plan.sigmas, clean, strict=True)
        if not paired_difference(correct, clean[best]).excludes_zero()
    ]
    chosen = max([*ties, plan.sigmas[best]])
    if chosen == plan.sigmas[best]:
        return chosen, "best on the clean holdout"
    return chosen, f"ties with {level_name(plan.sigmas[best])}, the best on the clean holdout"
