"""`leaderboard`: where the score stands."""

from pathlib import Path

import click

from pipeline.cli.options import runs_option
from pipeline.errors import COMMAND, counted


@click.command()
@click.option("--competition", help="Short name, or address; else that of the files in data/.")
@runs_option
def command(competition: str | None, runs: Path) -> None:
    """Show the place of your best public score among the teams."""
    from pipeline.cli.asking import Waiting
    from pipeline.dataset.slug import usual_slug
    from pipeline.kaggle.client import Limits
    from pipeline.kaggle.leaderboard import standing
    from pipeline.runs.ledger import Ledger

    found = standing(usual_slug(competition), Ledger(runs), limits=Limits(on_wait=Waiting()))
    if found.first is not None:
        click.echo(f"The best {counted(found.teams, 'team')} read: {found.first:.5f} to {found.last:.5f}.")
    if found.best is None:
        click.echo(f"You have no public score yet: type `{COMMAND} submit`.")
    else:
        place = f"place {found.place:,}" if found.place is not None else f"below place {found.teams:,}"
        click.echo(f"Your best is {found.best.public_score:.5f} ({found.best.message}): {place}.")
