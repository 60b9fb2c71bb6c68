"""`python main.py check`: what Kaggle would not say about a submission."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli.options import data_options

SHOWN = 20


@click.command("check", short_help="Look for faults in a submission file.")
@click.argument("file", type=click.Path(path_type=Path), default="submissions/submission.csv")
@data_options
def command(file: Path, **data: Any) -> None:
    """Check FILE [default: submissions/submission.csv] against test.csv, sample_submission.csv and the
    training labels. Nothing is sent."""
    from pipeline.dataset import load
    from pipeline.kaggle.submission import check_for, require_valid

    competition = load(**data)
    faults = check_for(file, competition)
    for fault in faults[:SHOWN]:
        click.echo(f"{file}: {fault}")
    if len(faults) > SHOWN:
        click.echo(f"… and {len(faults) - SHOWN:,} more")
    require_valid(file, faults)
    click.echo(f"{file}: {len(competition.ids):,} rows, fit for {competition.name}.")
