"""`python main.py submit`: a submission sent once, and its score."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from pipeline.cli.options import data_options


@click.command("submit", short_help="Send a submission to Kaggle and wait for its score.")
@click.argument("file", type=click.Path(path_type=Path), default="submissions/submission.csv")
@click.option("-m", "--message", default="inkproof", show_default=True, help="What to call it at Kaggle.")
@click.option("--competition", default="digit-recognizer", show_default=True, help="Short name, or address.")
@data_options
@click.option("--runs", type=click.Path(path_type=Path), default="runs", show_default=True,
              help="Folder of the ledger.")  # fmt: skip
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait for the score.")
@click.option("--wait-limit", type=click.FloatRange(min=0), default=900, show_default=True,
              help="Seconds to wait for the score.")  # fmt: skip
@click.option("--yes", is_flag=True, help="Send a file again without asking.")
def command(
    file: Path,
    message: str,
    competition: str,
    runs: Path,
    wait: bool,
    wait_limit: float,
    yes: bool,
    **data: Any,
) -> None:
    """Check FILE [default: submissions/submission.csv], send it, see that Kaggle has it, and wait for
    its score."""
    from pipeline.dataset import load
    from pipeline.kaggle.client import Limits, slug_of
    from pipeline.kaggle.submission import check_for, require_valid
    from pipeline.kaggle.submit import require_kaggle_data, submit, verdict
    from pipeline.runs.ledger import Ledger

    slug, loaded, ledger = slug_of(competition), load(**data), Ledger(runs)
    require_kaggle_data(loaded)
    faults = check_for(file, loaded)
    require_valid(file, faults)
    for fault in faults:
        click.echo(f"{file}: {fault}", err=True)
    submission = submit(
        file,
        message,
        slug=slug,
        ledger=ledger,
        confirm=lambda question: yes or _confirm(question),
        limits=Limits(score=wait_limit),
        wait=wait,
        say=click.echo,
    )
    if submission is None:
        click.echo("Nothing was sent.")
    elif submission.public_score is None:
        click.echo("No score yet: the same command later, or `python main.py leaderboard`, brings it.")
    else:
        run = ledger.run_that_wrote(submission.file_hash)
        click.echo(verdict(submission.public_score, run.results.get("holdout") if run else None))


def _confirm(question: str) -> bool:
    from pipeline.errors import UsageError

    if not sys.stdin.isatty():
        raise UsageError(f"{question} There is nobody to ask: add --yes to send it.")
    return click.confirm(question)
