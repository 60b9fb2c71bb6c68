"""`check`: what Kaggle would not say about a submission."""

from pathlib import Path
from typing import Any

import click

from pipeline.cli.options import data_options, options, runs_option
from pipeline.errors import counted

SHOWN = 20


@click.command()
@click.argument("file_or_run", default="submissions/submission.csv")
@options(*data_options, runs_option)
def command(file_or_run: str, runs: Path, **data: Any) -> None:
    """Check FILE [default: submissions/submission.csv], or the submission that RUN kept, against test.csv,
    sample_submission.csv and the training labels. Nothing is sent."""
    from pipeline.dataset import load
    from pipeline.kaggle.submission import check_for, find_submission, require_valid
    from pipeline.runs.ledger import Ledger

    file, competition = find_submission(file_or_run, Ledger(runs)), load(**data)
    if competition.is_sample and data["data"] is None:
        click.echo(f"No data in data/: compared with the embedded {competition.name}.", err=True)
    faults = check_for(file, competition)
    for fault in faults[:SHOWN]:
        click.echo(f"{file}: {fault}")
    if len(faults) > SHOWN:
        click.echo(f"… and {len(faults) - SHOWN:,} more")
    require_valid(file, faults)
    click.echo(f"{file}: {counted(len(competition.ids), 'row')}, fit for {competition.name}.")
