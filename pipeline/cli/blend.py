"""`blend`: finished runs averaged."""

import shlex
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from pipeline.cli.jobs import RUNS, Job, read_data, say_what_next
from pipeline.cli.options import data_options, options, submission_option
from pipeline.errors import COMMAND, UsageError


@click.command()
@click.argument("ids", nargs=-1, required=True, metavar="RUN…")
@options(*data_options, submission_option, click.option("--quiet", is_flag=True, help="Print only the results."))
def command(ids: tuple[str, ...], submission: Path, quiet: bool, **data: Any) -> None:
    """Average the probabilities of two or more finished runs (the beginnings of their ids), with weights chosen on
    rows that their networks did not see, say what that gains, and write a submission.

    The runs are of the same data and were measured on the same rows, as runs of one --seed are. Without --data, the
    data are those of the first run. A blend is a run like others: it can be submitted, answered with, and blended.
    """
    from pipeline.jobs.bench import JobOptions
    from pipeline.jobs.blend import blend_of
    from pipeline.jobs.driver import read_job, run_job
    from pipeline.jobs.progress import RunLog
    from pipeline.report.ensemble import ensemble_terminal
    from pipeline.runs.ledger import Ledger

    ledger, run_log = Ledger(RUNS), RunLog(quiet=quiet)
    named = {name: str(value) for name, value in data.items() if value is not None}
    kept: dict[str, str] = {}
    with suppress(UsageError):  # a run of an earlier version does not say it in this form
        kept = read_job(RUNS, ledger.run(ids[0]).id)["source"]
    source = {name: value for name, value in {**kept, **named}.items() if name not in ("extra", "drop")}
    plan = blend_of(ids, read_data(source, run_log)["competition"], ledger)
    command = shlex.join([*COMMAND.split(), *sys.argv[1:]])
    job = Job(plan, JobOptions(submission=submission, command=command, source=source, runs=RUNS), run_log)
    outcome = run_job(job.plan, job.options, run_log)
    run_log.result(ensemble_terminal(outcome.summary))
    say_what_next(job, outcome.folder)
