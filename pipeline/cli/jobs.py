"""What the commands that run a job share: its data, and going on with one that was interrupted."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.errors import COMMAND, counted, without_password

if TYPE_CHECKING:
    from pipeline.dataset import Competition
    from pipeline.jobs.bench import JobOptions
    from pipeline.jobs.matrix import MatrixOutcome
    from pipeline.jobs.plan import Plan
    from pipeline.jobs.progress import RunLog

Make = Callable[[Mapping[str, Any]], tuple[str, dict[str, Any]]]
RUNS = Path("runs")
# Of a job's command line, what may stand beside --resume: the rest comes from the run.
BESIDE_RESUME = (
    "resume", "data", "competition", "jobs", "engine", "scheduler", "quiet", "submission", "trials", "find",
)  # fmt: skip
SOURCE = ("data", "label_column", "id_column", "competition", "extra", "drop")  # of the options, those that name data


@dataclass(frozen=True)
class Job:
    """A job that is about to run."""

    plan: Plan
    options: JobOptions
    run_log: RunLog


def open_job(context: click.Context, make: Make, kinds: str) -> Job:
    """The job that the command line describes, or that --resume names; its data are read.

    make(given) → kind and settings of a new job's plan, from the command's options, checked before data are read.
    kinds: of the plans that the command can go on with, separated by spaces. Raises UsageError, DataError or
    RecipeError.
    """
    given = context.params
    if given["scheduler"] and given["engine"] != "dask":
        raise click.UsageError("--scheduler names a Dask cluster: give --engine dask with it.")
    if given["resume"]:
        _refuse_settings(context)
    if not given["quiet"]:
        doing = f"going on with {given['resume']}" if given["resume"] else f"reading {given['data'] or 'data/'}"
        print(f"Inkproof: {doing}", flush=True)

    from pipeline.jobs import plan_class
    from pipeline.jobs.bench import JobOptions
    from pipeline.jobs.driver import read_job
    from pipeline.jobs.progress import RunLog
    from pipeline.training.parallel import cores

    run_log = RunLog(quiet=given["quiet"])
    typed = {name: value for name, value in given.items() if _is_typed(context, name)}
    source = {name: str(given[name]) for name in SOURCE if given.get(name)}
    options = {"jobs": given["jobs"] or cores(), "engine": given["engine"], "scheduler": given["scheduler"]}
    if given["resume"]:
        job = read_job(RUNS, given["resume"])
        kind, settings = _kept(job, given, typed, kinds.split())
        source, command, submission = {**job["source"], **source}, job["command"], Path(job["submission"])
    else:
        kind, settings = make(given)
        command = without_password(shlex.join([*COMMAND.split(), *sys.argv[1:]]))
        submission = given.get("submission")
    if "submission" in given:
        options["submission"] = typed.get("submission", submission)
    plan = plan_class(kind)(**read_data(source, run_log), **settings)
    options |= {"command": command, "resume": given["resume"], "source": source, "runs": RUNS}
    return Job(plan=plan, options=JobOptions(**options), run_log=run_log)


def read_data(source: Mapping[str, str], run_log: RunLog) -> dict[str, Any]:
    """The competition, the extra rows and the rows to leave out that the data options name."""
    from pipeline import dataset

    names = {name: source.get(name) for name in ("label_column", "id_column")}
    competition = dataset.load(source.get("data"), **names, competition=source.get("competition"))
    _introduce(competition, run_log, asked="data" in source)
    read: dict[str, Any] = {"competition": competition}
    if "extra" in source:
        read["extra"] = dataset.read_extra(source["extra"], competition.train, **names)
        run_log.say(f"{source['extra']}: {counted(read['extra'].n, 'row')} more to train on")
    if "drop" in source:
        read["dropped"] = dataset.read_dropped(source["drop"], competition.train)
        run_log.say(
            f"{source['drop']}: {counted(len(read['dropped']), 'row')} not trained on; where held out, measured on all "
            "the same"
        )
    return read


def _kept(
    job: Mapping[str, Any], given: Mapping[str, Any], typed: Mapping[str, Any], kinds: list[str]
) -> tuple[str, dict[str, Any]]:
    """Kind and settings of the plan that a run's job.json describes. typed: those given on the command line."""
    from dataclasses import fields

    from pipeline.errors import UsageError
    from pipeline.jobs import PLANS, plan_class
    from pipeline.training import recipe as recipes

    kind, run_id = job["kind"], given["resume"]
    if kind not in kinds or kind not in PLANS:
        raise UsageError(
            f"Run {run_id} is a job of another command: go on with it by `{job['command']}`, or that command with "
            "--resume."
        )
    settings = {name: tuple(value) if isinstance(value, list) else value for name, value in job["settings"].items()}
    unknown = settings.keys() - {field.name for field in fields(plan_class(kind))}
    if unknown:
        raise UsageError(
            f"{RUNS / run_id} was begun by another version of Inkproof, with {', '.join(sorted(unknown))}: begin anew "
            "without --resume."
        )
    if typed.get("trials"):
        settings["trials"] = max(typed["trials"], settings["trials"])
    if settings.get("storage") and given.get("storage"):  # the run's own address is without its password
        settings["storage"] = given["storage"]
    where = str(RUNS / run_id / "job.json")
    return kind, {**settings, "recipe": recipes.check(job["content"], name=job["name"], where=where)}


def _refuse_settings(context: click.Context) -> None:
    for name in context.params:
        if _is_typed(context, name) and name not in BESIDE_RESUME:
            raise click.UsageError(
                f"--resume takes its settings from the run that it goes on with: leave out --{name.replace('_', '-')}."
            )


def _is_typed(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


def _introduce(competition: Competition, run_log: RunLog, *, asked: bool) -> None:
    if competition.is_sample and not asked:
        run_log.say(
            f"No data in data/: get Kaggle's files with `{COMMAND} fetch`\n"
            f"(or put train.csv and test.csv there); going on with the embedded {competition.name}."
        )
    run_log.say(
        f"{competition.name}: {competition.train.n:,} labelled and {competition.test.n:,} unlabelled pictures of "
        f"{competition.train.side}×{competition.train.side}, {len(competition.train.classes)} classes"
    )


def say_repeats(outcome: MatrixOutcome, points: float | None) -> None:
    """How many repeats would find a difference of so many points on clean rows, where that was asked."""
    from pipeline.report.wording import repeats_notes

    if points is not None:
        for line in repeats_notes(outcome.grid, outcome.comparisons, points, outcome.record["fit_cpu_seconds"]):
            print(line)


def say_what_next(job: Job, folder: Path) -> None:
    """Where the results are, and how to send them. folder: of the run."""
    run_log, competition = job.run_log, job.plan.competition
    run_log.say(f"Everything this run made: {folder}")
    run_log.say(f"Its report: {folder / 'report.html'}")
    print(f"Submission: {job.options.submission}")
    if competition.is_sample:
        run_log.say("It answers the embedded sample: Kaggle has no competition for it.")
        return
    data = job.options.source.get("data")
    words = [folder.name, *(["--data", data] if data else []), *([] if competition.slug else ["--competition", "NAME"])]
    run_log.say(f"Send it to Kaggle with:\n  {shlex.join([*COMMAND.split(), 'submit', *words])}")
