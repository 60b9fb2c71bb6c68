"""The driver of every job: run folder, ledger, lock, checkpoints, resume, engine, progress, report.

plan ── open the run folder and the ledger's entry, or those of the same job unfinished
     ── plan.work: tasks → engine → checkpoint → fold, in the order of the tasks → artifacts
     ── report, then run.json, then the ledger: a run is finished only when all of it is there
"""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pipeline import storage
from pipeline.errors import COMMAND, InkproofError, UsageError
from pipeline.jobs.bench import CHECKPOINTS, Bench, JobOptions
from pipeline.jobs.plan import SUBMITTED, Outcome, Plan
from pipeline.jobs.progress import RunLog
from pipeline.report.page import write_report
from pipeline.runs.ledger import Ledger
from pipeline.runs.run_folder import git_commit, new_run_id, versions, write_record
from pipeline.storage import FileLock
from pipeline.training.environment import differences

JOB = "job.json"
IN_JOB = {"kind", "name", "content", "settings", "identity", "command", "submission", "source"}


def run_job(plan: Plan, options: JobOptions, run_log: RunLog) -> Outcome:
    """Do the whole job, in a new folder below options.runs or in that of the unfinished job that it goes on with.

    That is options.resume or, without it, the newest run of the same identity that has not ended. Raises UsageError
    before anything is written, InkproofError for work that failed; what was finished is kept.
    """
    plan.check()
    if plan.submits:
        storage.check_writable(options.submission)
    begin = time.perf_counter()
    ledger = Ledger(options.runs)
    run_id = _open_run(plan, options, ledger)
    folder = options.runs / run_id
    with _failure_recorded(ledger, folder, run_log):
        outcome = plan.work(Bench(identity=plan.identity, folder=folder, options=options, run_log=run_log))
        record = {
            "id": run_id,
            **plan.record,
            "seconds": round(time.perf_counter() - begin, 1),
            "command": options.command,
            **outcome.record,
            "versions": versions(),
        }
        if plan.submits:
            record["submission"] = str(options.submission)
        write_report(folder, record)
        if plan.submits:
            storage.write_bytes(options.submission, (folder / SUBMITTED).read_bytes())
        write_record(folder, record)
    ledger.finish_run(run_id, record)
    shutil.rmtree((folder / CHECKPOINTS).parent, ignore_errors=True)
    return outcome


@contextmanager
def _failure_recorded(ledger: Ledger, folder: Path, run_log: RunLog) -> Iterator[None]:
    """The ledger records why a job ended, if it ended early, and log.txt what was said."""
    try:
        yield
    except InkproofError as error:
        with suppress(InkproofError):  # a full disk is told once
            ledger.fail_run(folder.name, str(error))
        raise
    except KeyboardInterrupt:
        with suppress(InkproofError):
            ledger.stop_run(folder.name)
        run_log.say(f"Stopped: {folder} keeps what was finished; the same command again goes on from there.")
        raise
    finally:
        with suppress(InkproofError):
            storage.write_text(folder / "log.txt", "\n".join(run_log.said) + "\n")


def _open_run(plan: Plan, options: JobOptions, ledger: Ledger) -> str:
    """The id of the run to work in, entered in the ledger and locked for this process."""
    starting = FileLock(options.runs / "starting.lock")
    while not starting.acquire():  # two equal jobs that start at once: the second must see the first
        time.sleep(0.05)
    try:
        run_id = options.resume or _unfinished(options.runs, plan, ledger)
        if options.resume is not None:
            _check_resumable(plan, options.runs, options.resume, ledger)
        if run_id is None:
            run_id = new_run_id(plan.prefix + plan.recipe.name)
            ledger.start_run(run_id, plan.record, options.command, git_commit())
        else:
            ledger.resume_run(run_id)
            for half in (options.runs / run_id).rglob(".*.part"):  # of a process that was killed while it wrote
                half.unlink(missing_ok=True)
        job = {
            "kind": plan.kind,
            "name": plan.recipe.name,
            "content": dict(plan.recipe.content),  # whole and in its order, as model files have it
            "settings": plan.settings,
            "identity": plan.identity,
            "command": options.command,
            "submission": str(options.submission),
            "source": dict(options.source),
        }
        storage.write_json(options.runs / run_id / JOB, job)
        return run_id
    finally:
        starting.remove()


def read_job(runs: Path, run_id: str) -> dict[str, Any]:
    """What job.json in that run's folder says: identity, settings, command and where the data were.

    Raises UsageError where there is none that could go on.
    """
    try:
        job = json.loads((runs / run_id / JOB).read_text(encoding="utf-8"))
        if not isinstance(job, dict) or not job.keys() >= IN_JOB or not isinstance(job["identity"], dict):
            raise ValueError("its content is not that of a job of this version")
        return job
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise UsageError(
            f"{runs / run_id} holds no job that could go on ({JOB}: {why}): give the id of a run that "
            f"`{COMMAND} runs` lists, or begin anew without --resume."
        ) from error


def _has_ended(plan: Plan, ledger: Ledger, folder: Path) -> bool:
    """Whether all is there, the ledger's word as well, which comes last."""
    if plan.goes_on_when_finished or not (folder / "run.json").exists():
        return False
    with suppress(UsageError):  # it is in no ledger
        return ledger.run(folder.name).status == "finished"
    return True


def _unfinished(runs: Path, plan: Plan, ledger: Ledger) -> str | None:
    """The newest run of the same job that has not ended."""
    for path in sorted(runs.glob(f"*/{JOB}"), reverse=True):
        run_id = path.parent.name
        with suppress(UsageError):  # damaged: no job that could go on
            if read_job(runs, run_id)["identity"] == plan.identity and not _has_ended(plan, ledger, path.parent):
                return run_id
    return None


def _check_resumable(plan: Plan, runs: Path, run_id: str, ledger: Ledger) -> None:
    """Raises UsageError for a run of other data, other code or another kind, or one that has ended."""
    identity = read_job(runs, run_id)["identity"]
    if _has_ended(plan, ledger, runs / run_id):
        raise UsageError(f"Run {run_id} has ended: `{COMMAND} report {run_id}` shows it; nothing is left to do.")
    if identity.get("data") != plan.identity["data"]:
        raise UsageError(
            f"Run {run_id} trained on data whose rows are not those of {plan.competition.name} here: name its data "
            "with --data."
        )
    there = identity.get("environment")
    other = differences(there if isinstance(there, dict) else {})
    if other:
        raise UsageError(
            f"Run {run_id} began with {', '.join(other)}: results of both would be mixed; go on in the environment "
            "that it began in, or begin anew without --resume."
        )
    if identity != plan.identity:
        raise UsageError(f"Run {run_id} has other settings than these: give --resume alone, or begin anew without it.")
