"""`submit`: a submission sent once, and its score."""

from pathlib import Path
from typing import Any

import click

from pipeline.cli.asking import Waiting, confirm
from pipeline.cli.options import data_options, options, runs_option, yes_option
from pipeline.errors import COMMAND


@click.command()
@click.argument("file_or_run", default="submissions/submission.csv")
@options(
    click.option("-m", "--message", default="inkproof", help="What to call it at Kaggle."),
    *data_options,
    runs_option,
    click.option("--wait/--no-wait", default=True, help="Wait for the score."),
    click.option("--wait-limit", type=click.FloatRange(min=0), default=900, help="Seconds to wait for the score."),
    yes_option,
)
def command(file_or_run: str, message: str, runs: Path, wait: bool, wait_limit: float, yes: bool, **data: Any) -> None:
    """Check FILE [default: submissions/submission.csv], or the submission that RUN kept, send it to the competition
    of the data, see that Kaggle has it, and wait for its score."""
    from pipeline.dataset import load
    from pipeline.kaggle.client import Limits
    from pipeline.kaggle.submission import check_for, find_submission, require_valid
    from pipeline.kaggle.submit import competition_of, submit, verdict
    from pipeline.runs.ledger import Ledger

    ledger = Ledger(runs)
    file, loaded = find_submission(file_or_run, ledger), load(**data)
    slug = competition_of(file, loaded, ledger)
    faults = check_for(file, loaded)
    require_valid(file, faults)
    for fault in faults:
        click.echo(f"{file}: {fault}", err=True)
    submission = submit(
        file,
        message,
        slug=slug,
        ledger=ledger,
        confirm=lambda question: confirm(question, yes=yes),
        limits=Limits(score=wait_limit, on_wait=Waiting()),
        wait=wait,
        say=click.echo,
    )
    if submission is None:
        click.echo("Nothing was sent.")
    elif submission.public_score is None:
        click.echo(f"No score yet: the same command later, or `{COMMAND} leaderboard`, brings it.")
    else:
        run = ledger.run_that_wrote(submission.file_hash)
        click.echo(verdict(submission.public_score, run.results.get("holdout") if run else None))
