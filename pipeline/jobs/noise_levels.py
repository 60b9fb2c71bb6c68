"""The main job, stage after stage: data → holdout → fits at every noise level → table → submission."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from pipeline import storage
from pipeline.dataset import Competition, Digits
from pipeline.dataset.split import stratified_holdout
from pipeline.evaluation.grid import Grid
from pipeline.evaluation.leakage import data_warnings, suspicion
from pipeline.evaluation.robustness.conditions import Condition
from pipeline.evaluation.statistics import (
    Comparison,
    cell_estimates,
    compare_to_baseline,
    paired_difference,
    wilson_interval,
)
from pipeline.jobs.common import extra_record, in_ledger, save_models, shared_rows, submit_labels, views_of
from pipeline.jobs.progress import RunLog
from pipeline.prediction.confidence_threshold import DistortedHoldout, measure
from pipeline.runs.ledger.comparison import save_holdout
from pipeline.runs.run_folder import data_record, holdout_record, save_held_out, versions
from pipeline.training.parallel import run_fits
from pipeline.training.recipe import Recipe
from pipeline.training.task import Part, TrainingResult, TrainingTask

# First number of the key that a stage's randomness follows from, so that no two stages share a stream.
SPLIT, TEST_NOISE, GRID_FITS, FINAL_FITS, STRANGERS = range(5)
STRONG_NOISE = 0.5  # a test noise that no level is trained on by default
VIEWS_NOTE = "Clean rows, and the submission's, are answered on average over the picture as it is and {}."


@dataclass(frozen=True)
class Settings:
    """What the run command was asked for. Sigmas are noise levels σ; holdout is a share of the rows.

    extra: rows to train on beside the competition's own, or None.
    """

    recipe: Recipe
    sigmas: tuple[float, ...] = (0.0, 0.1, 0.2, 0.3)
    repeats: int = 3
    holdout: float = 0.1
    seed: int = 0
    jobs: int = 1
    submit_level: float | None = None
    extra: Digits | None = None
    submission: Path = Path("submissions/submission.csv")
    runs: Path = Path("runs")
    command: str = "python main.py"

    def known_level(self) -> float | None:
        """The level that is submitted where the holdout has no say in it, else None."""
        return self.sigmas[0] if len(self.sigmas) == 1 else self.submit_level


@dataclass(frozen=True)
class Outcome:
    """What a run found: the grid, what it says of each level, the level submitted, where things lie.

    notes: sentences on how it answered, and why its accuracy is suspect.
    """

    folder: Path
    grid: Grid
    comparisons: list[Comparison]
    level: float
    chosen_because: str
    notes: tuple[str, ...] = ()


def level_name(sigma: float) -> str:
    return f"σ {sigma:g}"


def holdout_of(train: Digits, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on, and the holdout: the same for the main job, for folds and for a search with that seed."""
    return stratified_holdout(train.labels, fraction, rng=np.random.default_rng([seed, SPLIT]))


def run(competition: Competition, settings: Settings, run_log: RunLog) -> Outcome:
    """The whole main job; everything it makes lies in a new folder below settings.runs.

    Raises InkproofError; the ledger then says why, and an older submission is untouched.
    """
    return in_ledger(competition, settings, run_log, lambda folder: _run(competition, settings, run_log, folder))


def _run(
    competition: Competition, settings: Settings, run_log: RunLog, folder: Path
) -> tuple[Outcome, dict[str, object]]:
    begin = time.perf_counter()
    train = competition.train
    train_rows, holdout_rows = holdout_of(train, settings.holdout, settings.seed)
    tests = sorted({0.0, *settings.sigmas, STRONG_NOISE})
    conditions = [Condition("clean" if s == 0 else level_name(s), "σ", s, settings.seed + TEST_NOISE) for s in tests]
    network = settings.recipe.network(train.images.shape[1:], len(train.classes), rng=None)
    run_log.say(
        f"{len(train_rows):,} rows to train on, {len(holdout_rows):,} held out; recipe {settings.recipe.name}: "
        f"{network.params.size:,} parameters, {settings.recipe.training.epochs} epochs"
    )

    views = views_of(settings.recipe, settings.seed)
    notes = [VIEWS_NOTE.format(", ".join(view.name for view in views))] if views else []
    rows, extra = shared_rows(competition, settings.extra)
    learnt = np.concatenate([train_rows, extra])
    for sentence in data_warnings(train.images, competition.test.images, np.isin(np.arange(train.n), holdout_rows)):
        run_log.say(sentence)
    held = train.take(holdout_rows)
    tasks = [
        TrainingTask(
            f"{level_name(sigma)}, repeat {repeat + 1}",
            settings.recipe,
            sigma,
            (settings.seed, GRID_FITS, repeat),
            [*conditions, *views, DistortedHoldout(settings.seed + STRANGERS)],
            part=Part(learnt, holdout_rows),
        )
        for repeat in range(settings.repeats)
        for sigma in settings.sigmas
    ]
    # Where the level is known before, nothing has to wait: a single network then trains beside its own check.
    known = settings.known_level()
    final = [] if known is None else _final_tasks(settings, known, views)
    with run_log.fits("Training at each noise level", [*tasks, *final]) as on_epoch:
        everything = run_fits([*tasks, *final], rows, jobs=settings.jobs, folder=folder / "history", on_epoch=on_epoch)
    results, final_results = everything[: len(tasks)], everything[len(tasks) :]
    results = [_averaged_over_views(result, len(conditions), len(views)) for result in results]
    strange = [result.probabilities[-1] for result in results]
    measured = [measure(train.images, probabilities, held.labels) for probabilities in strange]
    save_models(competition, tasks, results, measured, folder / "models" / "holdout")
    grid = make_grid(settings, [c.name for c in conditions], held.labels, results)
    comparisons = _compare(grid, settings)
    level, because = choose_level(grid, settings)
    chosen, clean = grid.trained_index(level_name(level)), grid.condition_index("clean")
    right = grid.averaged[chosen, clean] == grid.labels
    save_holdout(folder, holdout_rows, right)
    save_held_out(folder, held, train.classes)
    doubt = suspicion(right.mean(), len(right))
    notes += [doubt] if doubt else []
    _write_tables(competition, grid, comparisons, tests, notes, folder)

    if not final:
        run_log.say(f"Training the submission's networks on all {train.n:,} rows at {level_name(level)}")
        final = _final_tasks(settings, level, views)
        with run_log.fits("Training on all rows", final) as on_epoch:
            final_results = run_fits(final, rows, jobs=settings.jobs, folder=folder / "history", on_epoch=on_epoch)
    together = np.mean([p for p, task in zip(strange, tasks, strict=True) if task.sigma == level], axis=0)
    about = measure(train.images, together, held.labels)
    save_models(competition, final, final_results, [about] * len(final), folder / "models" / "final")
    averaged = np.mean([result.probabilities for result in final_results], axis=(0, 1))
    submit_labels(competition, train.classes[averaged.argmax(axis=1)], settings.submission)
    record = _record(competition, settings, grid, comparisons, level, because, time.perf_counter() - begin)
    record["fit_cpu_seconds"] = [round(result.cpu_seconds, 1) for result in (*results, *final_results)]
    return Outcome(folder, grid, comparisons, level, because, tuple(notes)), record


def _averaged_over_views(result: TrainingResult, conditions: int, views: int) -> TrainingResult:
    """The answers to clean rows, the first of the conditions, averaged with those to the views, behind the others."""
    probabilities = result.probabilities.copy()
    probabilities[0] = probabilities[[0, *range(conditions, conditions + views)]].mean(axis=0)
    return replace(result, probabilities=probabilities)


def make_grid(
    settings: Settings, conditions: Sequence[str], labels: np.ndarray, results: Sequence[TrainingResult]
) -> Grid:
    """The ungrouped grid from the fits' results, which come repeat by repeat and level by level.

    `conditions` name the first of the conditions that the fits' rows went through.
    """
    stacked = np.stack([result.probabilities[: len(conditions)] for result in results])
    by_level = stacked.reshape(settings.repeats, len(settings.sigmas), *stacked.shape[1:]).swapaxes(0, 1)
    return Grid(
        tuple(level_name(sigma) for sigma in settings.sigmas),
        tuple(conditions),
        labels,
        by_level.argmax(axis=-1).astype(np.int16),
        by_level.mean(axis=1).argmax(axis=-1).astype(np.int16),
    )


def _compare(grid: Grid, settings: Settings) -> list[Comparison]:
    """Every level against σ 0 (or the smallest level), on clean rows and on the strongest trained noise."""
    baseline, strongest = min(settings.sigmas), max(settings.sigmas)
    noisy = [level_name(strongest)] if strongest > 0 else []
    return compare_to_baseline(grid, level_name(baseline), ["clean", *noisy])


def choose_level(grid: Grid, settings: Settings) -> tuple[float, str]:
    """The σ to submit with, and why: the best on clean holdout rows, or the largest that ties with it.

    Levels tie when the 95 % interval of their paired difference holds 0: then the one that has also
    learned to live with noise costs nothing.
    """
    if settings.submit_level is not None:
        return settings.submit_level, "as asked with --submit-level"
    if len(settings.sigmas) == 1:
        return settings.sigmas[0], "the only level"
    clean = grid.correct()[:, :, grid.condition_index("clean")]
    best = int(clean.mean(axis=(1, 2)).argmax())
    ties = [
        sigma
        for sigma, correct in zip(settings.sigmas, clean, strict=True)
        if not paired_difference(correct, clean[best]).excludes_zero()
    ]
    chosen = max([*ties, settings.sigmas[best]])
    if chosen == settings.sigmas[best]:
        return chosen, "best on the clean holdout"
    return chosen, f"ties with {level_name(settings.sigmas[best])}, the best on the clean holdout"


def _final_tasks(settings: Settings, level: float, views: Sequence[Condition]) -> list[TrainingTask]:
    """The submission's networks: the repeats trained on all rows, and asked about the test rows under all views."""
    asked = [Condition("clean", "σ", 0.0, settings.seed), *views]
    return [
        TrainingTask(
            f"all rows, repeat {repeat + 1}", settings.recipe, level, (settings.seed, FINAL_FITS, repeat), asked
        )
        for repeat in range(settings.repeats)
    ]


def _write_tables(
    competition: Competition,
    grid: Grid,
    comparisons: Sequence[Comparison],
    tests: Sequence[float],
    notes: Sequence[str],
    folder: Path,
) -> None:
    from pipeline.report.figures import noise_figure, save_figure
    from pipeline.report.tables import grid_csv, markdown_report, table_csv

    name, sample = competition.name, competition.is_sample
    storage.write_text(folder / "grid.csv", grid_csv(grid))
    storage.write_text(folder / "table.csv", table_csv(grid))
    text = markdown_report(grid, comparisons, data=name, sample=sample)
    storage.write_text(folder / "table.md", "\n".join([text, *(f"{note}\n" for note in notes)]))
    save_figure(noise_figure(grid, tests, data=name, sample=sample), folder / "noise")


def _record(
    competition: Competition,
    settings: Settings,
    grid: Grid,
    comparisons: Sequence[Comparison],
    level: float,
    because: str,
    seconds: float,
) -> dict[str, object]:
    """What the ledger and run.json keep. Accuracies are shares of 1, intervals at 95 %."""
    clean = grid.condition_index("clean")
    chosen = grid.trained_index(level_name(level))
    holdout = wilson_interval(int((grid.averaged[chosen, clean] == grid.labels).sum()), grid.rows)
    return {
        "seconds": round(seconds, 1),
        "command": settings.command,
        "seed": settings.seed,
        "recipe": settings.recipe.record,
        "data": data_record(competition),
        "extra": extra_record(settings.extra),
        "holdout": holdout_record(
            holdout, grid.rows, f"{settings.repeats} networks at {level_name(level)}, probabilities averaged"
        ),
        "levels": {
            name: {condition: cell._asdict() for condition, cell in zip(grid.conditions, row, strict=True)}
            for name, row in zip(grid.trained, cell_estimates(grid), strict=True)
        },
        "comparisons": [asdict(one) for one in comparisons],
        "submitted_level": level,
        "submitted_because": because,
        "submission": str(settings.submission),
        "versions": versions(),
    }
