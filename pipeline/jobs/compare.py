"""The comparison: every training condition × repeats against every test condition, on the same holdout rows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

from pipeline.errors import UsageError, counted
from pipeline.evaluation.robustness.condition_names import DEFAULT, check_fit, columns
from pipeline.evaluation.robustness.ladder import Ladders, climb
from pipeline.evaluation.statistics import compare_to_baseline
from pipeline.jobs.bench import Bench
from pipeline.jobs.matrix import SPLIT, Matrix, MatrixOutcome, MatrixPlan, MatrixResults
from pipeline.jobs.models import trained_network
from pipeline.nn.network import Network
from pipeline.runs.run_folder import save_arrays
from pipeline.seeds import Stream, derived_seed, generator
from pipeline.training.task import Smoothing, Split, TrainingResult, TrainingTask
from pipeline.training.training_conditions import TrainingCondition, training_condition


@dataclass(frozen=True, kw_only=True, eq=False)
class ComparePlan(MatrixPlan):
    """train, test: names of conditions.

    baseline: the training condition that all others are compared with; None is the first. certify: σ of certificates
    by randomised smoothing, or None. sanity_rows: rows for the sanity checks of attacks. prove: ε (L∞) at which the
    first repeat of each row is attacked and proven, on prove_rows rows.
    """

    kind: ClassVar[str] = "compare"
    prefix: ClassVar[str] = "compare-"

    train: tuple[str, ...]
    test: tuple[str, ...] = DEFAULT
    baseline: str | None = None
    certify: float | None = None
    certify_rows: int = 500
    certify_samples: int = 10_000
    certify_alpha: float = 0.001
    sanity_rows: int = 200
    prove: tuple[float, ...] = ()
    prove_rows: int = 200

    @cached_property
    def training_conditions(self) -> list[TrainingCondition]:
        """Raises UsageError for names that do not exist, or stand twice."""
        conditions = [training_condition(text, self.recipe) for text in self.train]
        names = [condition.name for condition in conditions]
        if len(set(names)) < len(names):
            raise UsageError(f"A training condition stands twice among {', '.join(names)}: give each once.")
        return conditions

    @property
    def baseline_name(self) -> str:
        names = [condition.name for condition in self.training_conditions]
        if self.baseline is None:
            return names[0]
        name = training_condition(self.baseline, self.recipe).name
        if name not in names:
            raise UsageError(f"The baseline {name!r} is not trained: choose one of {', '.join(names)}.")
        return name

    @cached_property
    def matrix(self) -> Matrix:
        conditions, attacks = columns(self.test, seed=derived_seed(self.seed, Stream.TEST_CONDITIONS))
        rows, samples, alpha = self.certify_rows, self.certify_samples, self.certify_alpha
        smoothing = self.certify and Smoothing(sigma=self.certify, rows=rows, samples=samples, alpha=alpha)
        return Matrix(
            rows=self.training_conditions,
            conditions=conditions,
            attacks=attacks,
            sanity_rows=self.sanity_rows,
            smoothing=smoothing,
        )

    def check(self) -> None:
        matrix, _ = self.matrix, self.baseline_name
        check_fit(matrix.conditions, self.competition.train.side)

    def work(self, bench: Bench) -> MatrixOutcome:
        matrix, baseline = self.matrix, self.baseline_name
        train_rows, holdout_rows = self.holdout(self.holdout_share)
        ways, tests = counted(len(matrix.rows), "training condition"), counted(len(matrix.columns), "test condition")
        bench.run_log.say(
            f"{bench.folder.name}: {ways} × {counted(self.repeats, 'repeat')} on {tests} of "
            f"{counted(len(holdout_rows), 'row')}"
        )
        # Two folders down: for `predict` and `serve` these are networks of no main job.
        results = MatrixResults(self, holdout_rows, bench, models=bench.folder / "fits" / "models")
        shared = self.shared_rows({SPLIT: Split(train=train_rows, validation=holdout_rows)})
        networks: dict[str, Network] = {}

        def fold(task: TrainingTask, result: TrainingResult) -> None:
            results.fold(task, result)
            if self.prove and task.repeat == 0:
                networks[task.trained] = trained_network(self.competition, task, result)

        bench.train(self.matrix_tasks(), shared, fold, title="Training")
        ladders = self._ladders(bench, {row.name: networks[row.name] for row in matrix.rows}) if self.prove else None
        grid = results.grid_fold.grid()
        comparisons = compare_to_baseline(grid, baseline, grid.conditions) if len(matrix.rows) > 1 else []
        outcome = results.save(grid, comparisons, stands_for=baseline, how="trained")
        record = {**outcome.record, "baseline": baseline, "ladders": ladders is not None}
        return replace(outcome, record=record, ladders=ladders)

    def _ladders(self, bench: Bench, networks: Mapping[str, Network]) -> Ladders:
        """Attacks and proofs at every ε, on the first holdout rows; kept as ladders.npz."""
        rows = self.holdout(self.holdout_share)[1][: self.prove_rows]
        bench.run_log.say(f"Attacking and proving {counted(len(networks), 'network')} on {len(rows):,} rows")
        train, rng = self.competition.train, generator(self.seed, Stream.LADDERS)
        ladders = climb(networks, train.images[rows], train.labels[rows], self.prove, rng=rng)
        save_arrays(bench.folder / "ladders.npz", **vars(ladders))
        return ladders
