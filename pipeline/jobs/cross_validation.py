"""The main job by folds: every row is answered by networks that never saw it, and the folds' networks submit together.

    labelled rows ─ (holdout) ─ folds ─ fits: members × repeats × folds ─┬─ out-of-fold answers ─ weights, views
                                                                          └─ answers to the test rows ─ submission

Whatever is chosen is chosen on out-of-fold rows. The committee's own figure is nested: the rows of each fold are
answered with what the other folds chose.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import storage
from pipeline.dataset import Competition, Digits
from pipeline.dataset.split import stratified_folds
from pipeline.errors import UsageError
from pipeline.evaluation.ensemble_weights import blended, nested, seen
from pipeline.evaluation.leakage import data_warnings, suspicion
from pipeline.evaluation.robustness.conditions import Condition
from pipeline.evaluation.statistics import Estimate, wilson_interval
from pipeline.jobs.common import extra_record, in_ledger, save_models, shared_rows, submit_labels, views_of
from pipeline.jobs.ensemble import Answers, choose, pseudo_labels, pseudo_sentence, views_sentence
from pipeline.jobs.noise_levels import holdout_of
from pipeline.jobs.progress import RunLog
from pipeline.prediction.confidence_threshold import DistortedHoldout, measure
from pipeline.report.committee import Score, Summary, committee_figure, committee_markdown, folds_csv
from pipeline.report.figures import save_figure
from pipeline.runs.ledger.comparison import save_holdout
from pipeline.runs.run_folder import data_record, holdout_record, versions
from pipeline.training import recipe as recipes
from pipeline.training.parallel import run_fits
from pipeline.training.recipe import Recipe
from pipeline.training.task import Part, Rows, TrainingResult, TrainingTask

# First number of the key that a part's randomness follows from, so that no two share a stream.
FOLDS, FITS, STRANGERS = range(20, 23)


@dataclass(frozen=True)
class Settings:
    """What the run command was asked for. sigma: noise level σ of training; holdout: a share of the rows, or 0.

    pseudo_labels: probability from which a test row is trained on with the answer that it got; None for never.
    extra: rows to train on beside the competition's own, or None.
    """

    recipe: Recipe
    folds: int
    sigma: float = 0.0
    repeats: int = 1
    holdout: float = 0.0
    seed: int = 0
    jobs: int = 1
    pseudo_labels: float | None = None
    extra: Digits | None = None
    submission: Path = Path("submissions/submission.csv")
    runs: Path = Path("runs")
    command: str = "python main.py run --cv 5"


@dataclass(frozen=True)
class Outcome:
    """What the folds found, and where everything lies."""

    folder: Path
    summary: Summary


def run(competition: Competition, settings: Settings, run_log: RunLog) -> Outcome:
    """The whole job; everything it makes lies in a new folder below settings.runs. Raises InkproofError."""
    _members(settings), views_of(settings.recipe, settings.seed)  # wrong names are told before the run has a folder
    return in_ledger(competition, settings, run_log, lambda folder: _run(competition, settings, run_log, folder))


@dataclass(frozen=True, eq=False)
class Split:
    """Which labelled rows do what.

    pool (n,): the rows that the folds are of; labels (n,) theirs. folds: pairs of rows to learn and rows to be asked
    about, indices into the pool; fold_of (n,): in which of them each is asked about. kept: rows that no fold has.
    """

    pool: np.ndarray
    labels: np.ndarray
    folds: list[tuple[np.ndarray, np.ndarray]]
    fold_of: np.ndarray
    kept: np.ndarray

    @classmethod
    def of(cls, train: Digits, settings: Settings) -> Split:
        """The held-out rows are those that the main job holds out from the same seed."""
        pool, kept = np.arange(train.n), np.arange(0)
        if settings.holdout:
            pool, kept = holdout_of(train, settings.holdout, settings.seed)
        labels = train.labels[pool]
        folds = stratified_folds(labels, settings.folds, rng=np.random.default_rng([settings.seed, FOLDS]))
        fold_of = np.empty(len(pool), np.int64)
        for number, (_, held) in enumerate(folds):
            fold_of[held] = number
        return cls(pool, labels, folds, fold_of, kept)


def _run(competition: Competition, settings: Settings, run_log: RunLog, folder: Path) -> tuple[Outcome, dict[str, Any]]:
    begin = time.perf_counter()
    train, test = competition.train, competition.test
    members = _members(settings)
    views = [Condition("clean", "σ", 0.0, settings.seed), *views_of(settings.recipe, settings.seed)]
    split = Split.of(train, settings)
    run_log.say(
        f"{len(split.pool):,} rows in {settings.folds} folds, {len(split.kept):,} rows held out of all of them; in "
        f"each fold {' + '.join(member.name for member in members)}, networks of each: {settings.repeats}, "
        f"at σ {settings.sigma:g}"
    )
    for sentence in data_warnings(train.images[split.pool], test.images, split.fold_of):
        run_log.say(sentence)

    rows, extra = _rows(competition, settings, split.kept)
    tasks = _tasks(settings, members, views, split, extra)

    def answers_of(tasks: list[TrainingTask], what: str) -> tuple[list[TrainingResult], Answers]:
        with run_log.fits(what, tasks) as on_epoch:
            found = run_fits(tasks, rows, jobs=settings.jobs, folder=folder / "history", on_epoch=on_epoch)
        return found, Answers.of(found, [held for _, held in split.folds], members=len(members), views=len(views))

    results, answers = answers_of(tasks, "Training in folds")
    notes = []
    if settings.pseudo_labels is not None:
        before, tasks = answers, _taught(tasks, answers, settings, test.n)
        results, answers = answers_of(tasks, "Training with pseudo-labels")
        taught = np.mean([(task.part.pseudo_labels >= 0).sum() for task in tasks])
        notes.append(pseudo_sentence(before, answers, split.labels, float(taught)))

    averaged, weights = choose(answers.by_member, split.labels)
    if len(views) > 1:
        notes.append(views_sentence(answers, split.labels, averaged, [view.name for view in views]))
    honest = nested(answers.by_member, split.labels, split.fold_of, choose)
    right = honest.argmax(axis=1) == split.labels
    final = blended(seen(answers.asked.mean(axis=0), averaged), weights)
    right_of_kept = final[test.n :].argmax(axis=1) == train.labels[split.kept]
    notes += _doubts(right, right_of_kept)
    summary = Summary(
        (*_scores(members, answers, split, results), _score("all together", len(tasks), right[None], split, None)),
        dict(zip((member.name for member in members), weights.tolist(), strict=True)),
        _share(right_of_kept) if len(split.kept) else None,
        tuple(notes),
        competition.name,
        len(split.pool),
        len(split.kept),
        competition.is_sample,
    )

    # The first networks of all were also asked about their fold's rows as written by strangers' hands.
    first = split.folds[0][1]
    strange = np.mean([result.probabilities[-1][: len(first)] for result in results[: len(members)]], axis=0)
    about = measure(train.images, strange, split.labels[first])
    save_models(competition, tasks, results, [about] * len(tasks), folder / "models" / "final")
    submit_labels(competition, train.classes[final[: test.n].argmax(axis=1)], settings.submission)
    save_holdout(folder, *((split.kept, right_of_kept) if len(split.kept) else (split.pool, right)))
    held = {"rows": split.pool, "fold": split.fold_of, "labels": split.labels, "members": answers.held}
    _save_arrays(folder / "out_of_fold.npz", **held, committee=honest)
    _save_arrays(folder / "test.npz", members=answers.asked.mean(axis=0)[:, :, : test.n], committee=final[: test.n])
    storage.write_text(folder / "folds.csv", folds_csv(summary.scores))
    storage.write_text(folder / "table.md", committee_markdown(summary))
    save_figure(committee_figure(summary), folder / "folds")
    record = {
        **_record(competition, settings, summary, _share(right)),
        "views": list(settings.recipe.run.views) if averaged else [],
        "seconds": round(time.perf_counter() - begin, 1),
        "fit_cpu_seconds": [round(result.cpu_seconds, 1) for result in results],
    }
    return Outcome(folder, summary), record


def _share(right: np.ndarray) -> Estimate:
    return wilson_interval(int(right.sum()), len(right))


def _doubts(*right: np.ndarray) -> list[str]:
    found = [suspicion(float(rows.mean()), len(rows)) for rows in right if len(rows)]
    return [doubt for doubt in found if doubt]


def _members(settings: Settings) -> list[Recipe]:
    members = [settings.recipe, *(recipes.load(name) for name in settings.recipe.run.partners)]
    if len({member.name for member in members}) < len(members):
        raise UsageError(f"The partners of recipe {settings.recipe.name} must be other recipes than itself.")
    return members


def _rows(competition: Competition, settings: Settings, kept: np.ndarray) -> tuple[Rows, np.ndarray]:
    """All labelled rows, and the test rows with the held-out ones behind them; and where the extra rows stand."""
    shared, extra = shared_rows(competition, settings.extra)
    return replace(shared, asked=np.concatenate([shared.asked, competition.train.images[kept]])), extra


def _taught(tasks: list[TrainingTask], answers: Answers, settings: Settings, rows: int) -> list[TrainingTask]:
    """The same fits once more, with pseudo-labels for the test rows (the first of the asked)."""
    each = len(tasks) // settings.folds
    labels = [pseudo_labels(answers, fold, settings.pseudo_labels, rows) for fold in range(settings.folds)]
    return [
        replace(task, part=replace(task.part, pseudo_labels=labels[number // each]))
        for number, task in enumerate(tasks)
    ]


def _save_arrays(path: Path, **arrays: np.ndarray) -> None:
    with storage.atomic_file(path) as file:
        np.savez_compressed(
            file, **{name: a.astype(np.float32) if a.dtype == float else a for name, a in arrays.items()}
        )


def _record(competition: Competition, settings: Settings, run: Summary, out_of_fold: Estimate) -> dict[str, Any]:
    """What the ledger and run.json keep. Accuracies are shares of 1, intervals at 95 %."""
    networks = f"{len(run.weights)} × {settings.repeats} × {settings.folds} networks"
    figure = holdout_record(out_of_fold, run.rows, f"{networks}, each row by those of them that did not see it")
    if run.holdout is not None:
        figure = holdout_record(run.holdout, run.held_out, f"{networks}, probabilities averaged")
    return {
        "kind": "folds",
        "command": settings.command,
        "seed": settings.seed,
        "recipe": settings.recipe.record,
        "data": data_record(competition),
        "extra": extra_record(settings.extra),
        "holdout": figure,
        "out_of_fold": out_of_fold._asdict(),
        "folds": settings.folds,
        "repeats": settings.repeats,
        "sigma": settings.sigma,
        "pseudo_labels": settings.pseudo_labels,
        "scores": [asdict(score) for score in run.scores],
        "weights": dict(run.weights),
        "notes": list(run.notes),
        "submission": str(settings.submission),
        "versions": versions(),
    }


def _tasks(
    settings: Settings, members: list[Recipe], views: list[Condition], split: Split, extra: np.ndarray
) -> list[TrainingTask]:
    """Fold by fold, in it repeat by repeat, in it member by member; extra: rows that all of them learn."""
    tasks = []
    for fold, (learnt, held) in enumerate(split.folds):
        part = Part(np.r_[split.pool[learnt], extra], split.pool[held], asked=True)
        for repeat in range(settings.repeats):
            more = [DistortedHoldout(settings.seed + STRANGERS)] if fold == repeat == 0 else []
            for place, member in enumerate(members):
                key = (settings.seed, FITS, place, repeat, fold)
                name = f"{member.name}, repeat {repeat + 1}, fold {fold + 1}"
                tasks.append(TrainingTask(name, member, settings.sigma, key, [*views, *more], part=part))
    return tasks


def _scores(members: list[Recipe], answers: Answers, split: Split, results: list[TrainingResult]) -> list[Score]:
    """Each member's networks one by one on the rows that they did not see, without views and weights."""
    scores = []
    for place, member in enumerate(members):
        own = results[place :: len(members)]
        right = answers.held[place, :, 0].argmax(axis=-1) == split.labels
        seconds = float(np.mean([result.cpu_seconds for result in own]))
        scores.append(_score(member.name, len(own), right, split, seconds))
    return scores


def _score(name: str, networks: int, right: np.ndarray, split: Split, seconds: float | None) -> Score:
    """right (any, n): which rows were answered right."""
    by_fold = tuple(float(right[:, split.fold_of == fold].mean()) for fold in range(len(split.folds)))
    return Score(name, networks, by_fold, float(right.mean()), seconds)
