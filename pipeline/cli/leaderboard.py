"""`python main.py leaderboard`: where the score stands."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("leaderboard", short_help="Show where your best score stands.")
@click.option("--competition", help="Short name, or address; else that of the files in data/.")
@click.option("--runs", type=click.Path(path_type=Path), default="runs", show_default=True,
              help="Folder of the ledger.")  # fmt: skip
def command(competition: str | None, runs: Path) -> None:
    """Show the place of your best public score among the teams."""
    from pipeline.cli.asking import Waiting
    from pipeline.dataset.slug import DIGIT_RECOGNIZER, folder_slug, slug_of
    from pipeline.kaggle.client import Limits
    from pipeline.kaggle.leaderboard import standing
    from pipeline.runs.ledger import Ledger

    slug = slug_of(competition) if competition else folder_slug(Path("data")) or DIGIT_RECOGNIZER
    found = standing(slug, Ledger(runs), limits=Limits(on_wait=Waiting()))
    if found.first is not None:
        click.echo(f"The {found.teams:,} best teams read have {found.first:.5f} to {found.last:.5f}.")
    if found.best is None:
        click.echo("You have no public score yet: type `python main.py submit`.")
    else:
        place = f"place {found.place:,}" if found.place is not None else f"below place {found.teams:,}"
        click.echo(f"Your best is {found.best.public_score:.5f} ({found.best.message}): {place}.")
