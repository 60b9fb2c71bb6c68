"""The whole search: rows held out and folds laid, trials until there are enough, the best as a new recipe."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import Any

from pipeline import storage
from pipeline.dataset import Competition
from pipeline.errors import InkproofError, UsageError
from pipeline.jobs.common import failure_told
from pipeline.jobs.progress import RunLog
from pipeline.jobs.tuning.artifacts import Outcome, next_command, record_of, write_all
from pipeline.jobs.tuning.plan import (
    PLAN,
    Settings,
    all_versions,
    earlier_run,
    lay_out,
    other_versions,
    plan_of,
    study_name,
)
from pipeline.jobs.tuning.results import Trial, after_choice, importances, ranked, trials_of
from pipeline.jobs.tuning.study import StudyStorage, quietly, repair_journal, resume, storage_errors
from pipeline.jobs.tuning.workers import Work, run_trials
from pipeline.runs.ledger import Ledger
from pipeline.runs.ledger.mlflow import without_password
from pipeline.runs.run_folder import git_commit, new_run_id
from pipeline.storage import FileLock
from pipeline.training.search_space import search_space
from pipeline.training.task import Rows

JOURNAL = "journal.log"


def tune(competition: Competition, settings: Settings, run_log: RunLog) -> Outcome:
    """The whole search, in a new folder below settings.runs or in that of the search that it takes up.

    Raises UsageError before anything runs; InkproofError where no trial ended with a score.
    """
    space = search_space(settings.recipe.content)
    rows, parts = lay_out(competition, settings)
    plan = plan_of(settings, competition)
    name = study_name(plan)
    run_id = earlier_run(settings.runs, plan)
    is_new = run_id is None
    if is_new:
        run_id = new_run_id(f"tune-{settings.recipe.name}")
    folder = settings.runs / run_id
    place = StudyStorage(name, folder / JOURNAL, settings.storage)
    if settings.storage is not None:
        place.storage()  # an address that does not work is told before a run begins

    command = without_password(settings.command)
    ledger = Ledger(settings.runs)
    lock = FileLock(folder / "running.lock")
    if is_new:
        about = (competition.name, competition.fingerprint, command, git_commit())
        ledger.start_run(run_id, settings.recipe.record, settings.seed, *about)
    elif not lock.acquire():
        raise UsageError(f"Run {run_id} is at this very search in another process: wait for its end, or stop it.")
    stopped = f"Stopped: {folder} keeps the trials that have ended; the same command again goes on from there."
    try:
        with failure_told(ledger, folder, run_log, on_stop=stopped):
            if other := other_versions(folder):
                run_log.say(f"This search began with {', '.join(other)}: later trials may differ in their last digits.")
            storage.write_json(folder / PLAN, {"study": name, "command": command, "versions": all_versions(), **plan})
            session = secrets.token_hex(8)
            work = Work(place, run_id, session, settings.recipe, space, parts, settings.seed, settings.pruner)
            with storage_errors(place):
                outcome, record = _tune(competition, settings, run_log, work, rows)
            storage.write_json(folder / "run.json", {"id": run_id, **record, "command": command})
    finally:
        if not is_new:
            lock.release()
            lock.path.unlink(missing_ok=True)
    ledger.finish_run(run_id, record)
    return outcome


def _tune(
    competition: Competition, settings: Settings, run_log: RunLog, work: Work, rows: Rows
) -> tuple[Outcome, dict[str, Any]]:
    begin = time.perf_counter()
    folder, n = settings.runs / work.run, len(rows.labels)
    alone = settings.storage is None
    if alone:
        repair_journal(folder / JOURNAL)
    with quietly():
        study = work.study()
        again = resume(study, work.run, work.own, alone=alone)
        study = work.study()  # once more, for the sampler to know what was stopped
    there = trials_of(study, work.space, n)
    run_log.say(
        f"{folder.name}: {len(work.space)} settings of recipe {settings.recipe.name}, {settings.folds} folds of "
        f"{n:,} rows; {competition.train.n - n:,} rows are held out and seen by no trial\n"
        f"{len(there)} of {settings.trials} trials are there already"
        + (f", {again} that had been stopped are done again" if again else "")
    )
    with run_log.counting("Trials", settings.trials, len(there)) as told:

        def on_trial(number: int) -> None:
            trials = trials_of(study, work.space, n)
            told(_progress(next(one for one in trials if one.number == number), ranked(trials)))

        run_trials(work, rows, study, settings.trials, jobs=settings.jobs, on_trial=on_trial)
    trials = trials_of(study, work.space, n)
    if len(trials) < settings.trials:
        run_log.say("Other runs are at the missing trials, or were killed in them: the same command there ends them.")
    if not ranked(trials):
        reasons = dict.fromkeys(one.reason for one in trials if one.reason)
        raise InkproofError(f"None of {len(trials)} trials ended with a score: {' '.join(reasons)}")
    best = ranked(trials)[0]
    own = next((one for one in ranked(trials) if one.values == work.own), None)
    outcome = Outcome(
        folder,
        n,
        trials,
        best,
        own,
        None if own is None or own is best else best.better_than(own),
        after_choice(trials, settings.seed),
        next_command(settings, folder),
    )
    write_all(competition, settings, work, outcome, importances(study, trials))
    return outcome, record_of(competition, settings, outcome, time.perf_counter() - begin)


def _progress(trial: Trial, best: Sequence[Trial]) -> str:
    what = f"failed: {trial.reason}"
    if trial.score is not None:
        what = f"{trial.score.accuracy:.2%}"
    elif trial.state == "pruned":
        what = f"pruned at {trial.curve[-1][1]:.2%} after {trial.curve[-1][0]} epochs"
    so_far = f" (best {best[0].score.accuracy:.2%}, trial {best[0].number})" if best else ""
    return f"trial {trial.number}: {what}{so_far}"
