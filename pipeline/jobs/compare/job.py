"""The comparison: every training condition × repeats against every test condition, on the same holdout rows.

Each finished fit is written to the run's folder at once. The same command again, or --resume, takes up an
interrupted comparison and does only what is missing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import storage
from pipeline.dataset import Competition
from pipeline.errors import DataError, InkproofError, UsageError
from pipeline.evaluation.grid import Grid
from pipeline.evaluation.robustness.attack_sanity import Finding
from pipeline.evaluation.statistics import Comparison, compare_to_baseline, wilson_interval
from pipeline.jobs.common import failure_told
from pipeline.jobs.compare.plan import Settings, Work, lay_out
from pipeline.jobs.progress import RunLog
from pipeline.prediction import model_file as model
from pipeline.report.tables import grid_csv, table_csv
from pipeline.runs.ledger import Ledger
from pipeline.runs.run_folder import data_record, git_commit, holdout_record, new_run_id, save_held_out, versions
from pipeline.storage import FileLock, is_held
from pipeline.training.checkpoint import load_checkpoint, save_checkpoint, task_fingerprint
from pipeline.training.dask_cluster import fit_each_on_cluster
from pipeline.training.parallel import failure, fit_each
from pipeline.training.task import TrainingResult, TrainingTask

PLAN = "compare.json"
# Of the settings, those that results follow from.
PLANNED = (
    "train", "test", "repeats", "holdout", "seed", "baseline", "certify", "certify_rows", "certify_samples",
    "certify_alpha", "check_rows",
)  # fmt: skip
# In fits/<fit>/. Deep enough for `predict` and `serve` not to take a comparison's networks for a main job's.
RESULT, MODEL = "result.safetensors", "model.safetensors"


@dataclass(frozen=True)
class Outcome:
    """What a comparison found.

    attacks: names of the grid's conditions that are attacks. findings: of their honesty checks, by trained row.
    """

    folder: Path
    grid: Grid
    comparisons: list[Comparison]
    attacks: tuple[str, ...]
    findings: dict[str, tuple[Finding, ...]]


def compare(competition: Competition, settings: Settings, run_log: RunLog, *, resume: str | None = None) -> Outcome:
    """The whole comparison, in a new folder below settings.runs or in that of the run it takes up.

    resume: id of the run to take up; without it, an unfinished one of the very same settings and data is
    looked for. Raises UsageError before anything runs, InkproofError for fits that failed (the others are kept).
    """
    work = lay_out(competition.train, settings)
    plan = plan_of(settings, competition)
    run_id = resume or _unfinished(settings.runs, plan)
    ledger = Ledger(settings.runs)
    if run_id is None:
        run_id = new_run_id(f"compare-{settings.recipe.name}")
        about = (competition.name, competition.fingerprint, settings.command, git_commit())
        ledger.start_run(run_id, plan["recipe"], settings.seed, *about)
        lock = None
    else:
        lock = FileLock(settings.runs / run_id / "running.lock")
        if not lock.acquire():
            raise UsageError(f"Run {run_id} is being worked on by another process: wait for its end.")
        before = read_plan(settings.runs, run_id).get("versions")
        if before != plan["versions"]:
            run_log.say(f"Run {run_id} began with other versions, {before}: its fits may differ in their last digits.")
    folder = settings.runs / run_id
    try:
        with failure_told(ledger, folder, run_log):
            about = {"command": settings.command, "source": str(competition.source)}
            storage.write_json(folder / PLAN, {**about, **plan})
            outcome, record = _compare(competition, settings, run_log, work, folder)
            storage.write_json(folder / "run.json", {"id": run_id, **record})
    finally:
        if lock is not None:
            lock.release()
            lock.path.unlink(missing_ok=True)
    ledger.finish_run(run_id, record)
    return outcome


def plan_of(settings: Settings, competition: Competition) -> dict[str, Any]:
    """All that the results follow from, as JSON values: equal plans are the same comparison."""
    plan = {
        "recipe": settings.recipe.record,
        **{name: getattr(settings, name) for name in PLANNED},
        "data": {"name": competition.name, "fingerprint": competition.fingerprint},
        "versions": versions(),
    }
    return json.loads(json.dumps(plan))


def read_plan(runs: Path, run_id: str) -> dict[str, Any]:
    """The plan of the comparison with that id below `runs`. Raises UsageError where there is none."""
    try:
        plan = json.loads((runs / run_id / PLAN).read_text(encoding="utf-8"))
        if not isinstance(plan, dict) or not plan.keys() >= {*PLANNED, "recipe", "data", "source", "command"}:
            raise ValueError("its content is not that of a comparison")
        return plan
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise UsageError(
            f"{runs / run_id} holds no comparison that could be resumed ({PLAN}: {why}): give the id of a run that "
            "`python main.py compare` began, or begin anew without --resume."
        ) from error


def _unfinished(runs: Path, plan: dict[str, Any]) -> str | None:
    """The newest comparison of that plan that has not ended, and that nobody works on."""
    for path in sorted(runs.glob(f"*/{PLAN}"), reverse=True):
        folder = path.parent
        if (folder / "run.json").exists() or is_held(folder / "running.lock"):
            continue
        try:
            found = read_plan(runs, folder.name)
        except UsageError:  # damaged: no comparison that could go on
            continue
        if {key: found.get(key) for key in plan} == plan:
            return folder.name
    return None


def _compare(
    competition: Competition, settings: Settings, run_log: RunLog, work: Work, folder: Path
) -> tuple[Outcome, dict[str, Any]]:
    begin = time.perf_counter()
    save_held_out(folder, work.held, competition.train.classes)
    results = _fit(competition, settings, run_log, work, folder)
    grid = _grid(work, results)
    comparisons = compare_to_baseline(grid, work.baseline, grid.conditions) if len(work.trained) > 1 else []
    storage.write_text(folder / "grid.csv", grid_csv(grid))
    storage.write_text(folder / "table.csv", table_csv(grid))
    averaged = grid.averaged[grid.trained_index(work.baseline), 0]
    clean = wilson_interval(int((averaged == grid.labels).sum()), grid.rows)
    record = {
        "kind": "compare",
        "seconds": round(time.perf_counter() - begin, 1),
        "fit_seconds": round(sum(result.seconds for result in results), 1),
        "command": settings.command,
        "seed": settings.seed,
        "recipe": settings.recipe.record,
        "baseline": work.baseline,
        "data": data_record(competition),
        "holdout": holdout_record(
            clean, grid.rows, f"{settings.repeats} networks trained {work.baseline}, probabilities averaged"
        ),
        "trained": list(work.trained),
        "conditions": list(work.conditions),
        "attacks": list(work.attacks),
        "repeats": settings.repeats,
        "fits": [task.file_name for task in work.tasks],
        "certify": None if work.tasks[0].certifying is None else asdict(work.tasks[0].certifying),
        "comparisons": [asdict(one) for one in comparisons],
        "versions": versions(),
    }
    findings = {name: result.findings for name, result in zip(work.trained, results, strict=False) if result.findings}
    return Outcome(folder, grid, comparisons, work.attacks, findings), record


def _fit(
    competition: Competition, settings: Settings, run_log: RunLog, work: Work, folder: Path
) -> list[TrainingResult]:
    """Results in the order of the tasks: those on disk, and the others, each written as soon as it is there."""
    data = f"{competition.fingerprint} {settings.holdout!r} {settings.seed}"
    kept = {task.name: folder / "fits" / task.file_name / RESULT for task in work.tasks}
    prints = {task.name: task_fingerprint(task, data) for task in work.tasks}
    found: dict[str, TrainingResult] = {}
    for task in work.tasks:
        try:
            found[task.name] = load_checkpoint(kept[task.name], prints[task.name])
        except DataError as error:
            if kept[task.name].exists():
                run_log.say(f"Done again: {error}")
    missing = [task for task in work.tasks if task.name not in found]
    run_log.say(
        f"{folder.name}: {len(work.trained)} training conditions × {settings.repeats} repeats on "
        f"{len(work.conditions)} test conditions of {work.held.n:,} rows; {len(found)} of {len(work.tasks)} fits "
        "are there already"
    )
    failures = []
    if missing:
        with (
            run_log.fits("Training", missing) as on_epoch,
            closing(_outcomes(settings, work, missing, folder, on_epoch, run_log)) as outcomes,
        ):
            for task, outcome in outcomes:
                if isinstance(outcome, str):
                    failures.append(failure(task, outcome))
                    continue
                _save_model(competition, task, outcome, kept[task.name].with_name(MODEL))
                save_checkpoint(kept[task.name], outcome, prints[task.name])
                found[task.name] = outcome
    if failures:
        raise InkproofError(
            f"{' '.join(failures)} The other {len(found)} of {len(work.tasks)} fits are kept: "
            f"`python main.py compare --resume {folder.name}` does only what is missing."
        )
    return [found[task.name] for task in work.tasks]


def _outcomes(
    settings: Settings, work: Work, tasks: list[TrainingTask], folder: Path, on_epoch: Any, run_log: RunLog
) -> Iterator[tuple[TrainingTask, TrainingResult | str]]:
    arguments = {"jobs": settings.jobs, "folder": folder / "history", "on_epoch": on_epoch}
    if settings.engine == "dask":
        return fit_each_on_cluster(tasks, work.rows, scheduler=settings.scheduler, **arguments)
    return fit_each(tasks, work.rows, say=run_log.say, **arguments)


def _grid(work: Work, results: Sequence[TrainingResult]) -> Grid:
    """The ungrouped grid from results that come repeat by repeat."""
    stacked = np.stack([result.probabilities for result in results])
    by_row = stacked.reshape(-1, len(work.trained), *stacked.shape[1:]).swapaxes(0, 1)
    return Grid(
        work.trained,
        work.conditions,
        work.held.labels,
        by_row.argmax(axis=-1).astype(np.int16),
        by_row.mean(axis=1).argmax(axis=-1).astype(np.int16),
    )


def _save_model(competition: Competition, task: TrainingTask, result: TrainingResult, path: Path) -> None:
    train = competition.train
    network = task.recipe.network(train.images.shape[1:], len(train.classes), rng=None)
    network.values[...] = result.values
    about = {
        "recipe": task.recipe.record,
        "sigma": task.sigma,
        "key": list(task.key),
        "data": competition.name,
        "data_fingerprint": competition.fingerprint,
    }
    model.save(model.Model(network, train.classes, train.side, about), path)
