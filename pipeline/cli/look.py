"""`look`: what the data are, before anything is trained."""

from pathlib import Path
from typing import Any

import click

from pipeline.cli.options import PATH, data_options, options, runs_option, seed_option


@click.command()
@options(
    *data_options,
    click.option("--run", "run_id", metavar="RUN", help="A cross-validation (run --cv 5) of these data: also the rows "
                 "whose label is probably wrong, from its out-of-fold answers."),
    runs_option,
    click.option("--to", type=PATH, default="look", help="Folder for the page, and label-errors.csv with --run."),
    seed_option,
)  # fmt: skip
def command(run_id: str | None, runs: Path, to: Path, seed: int, **data: Any) -> None:
    """Count the classes, find duplicates within and between train and test, odd pictures and drift, and write a page
    with the pictures. With --run, list the training rows whose label is probably wrong."""
    click.echo(f"Inkproof: looking at {data['data'] or 'data/'}")
    import textwrap

    from pipeline.dataset import load
    from pipeline.jobs.look import look_at
    from pipeline.runs.ledger import Ledger

    for line in look_at(load(**data), to, ledger=Ledger(runs), run_id=run_id, seed=seed):
        click.echo(textwrap.fill(line, 80, subsequent_indent="  "))
