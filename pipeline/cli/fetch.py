"""`fetch`: the competition's files into the data folder."""

from pathlib import Path

import click

from pipeline.cli.asking import Waiting
from pipeline.cli.options import PATH, options


@click.command()
@options(
    click.option("--competition", default="digit-recognizer", help="Short name, or address."),
    click.option("--source", type=click.Choice(["kaggle", "openml"]), default="kaggle",
                 help="openml: MNIST without a Kaggle account (not Kaggle's split)."),
    click.option("--data", "folder", type=PATH, default="data", help="Folder to put the files into."),
    click.option("--force", is_flag=True, help="Replace other files of the same names."),
    click.option("--time-limit", type=click.FloatRange(min=1), default=3600,
                 help="Seconds after which a download is given up; the same command resumes it."),
)  # fmt: skip
def command(competition: str, source: str, folder: Path, force: bool, time_limit: float) -> None:
    """Fetch train.csv and test.csv with the kaggle client, prove them whole, and put them into data/."""
    from pipeline.dataset.slug import slug_of
    from pipeline.kaggle.client import Limits
    from pipeline.kaggle.fetch import fetch
    from pipeline.kaggle.openml import NOTE, fetch_openml

    if source == "openml":
        files = fetch_openml(folder, force=force)
        click.echo(NOTE.strip())
    else:
        waiting = Waiting()
        limits = Limits(download=time_limit, on_wait=waiting)
        files = fetch(slug_of(competition), folder, force=force, limits=limits, on_progress=waiting)
    for file in files:
        state = "" if file.is_new else ", unchanged"
        click.echo(f"{file.path}: {file.size / 1e6:,.1f} MB{state}")
