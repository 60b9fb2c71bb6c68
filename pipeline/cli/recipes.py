"""`python main.py recipes`: what comes along."""

from __future__ import annotations

import click


@click.command("recipes", short_help="List the recipes.")
def command() -> None:
    """List the recipes that come along: their layers, their number of parameters, what they are for."""
    from rich.table import Table

    from pipeline import recipe as recipes
    from pipeline.console import plain_console

    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("recipe", "layers", "parameters", "epochs", "what it is"):
        table.add_column(heading, justify="right" if heading in ("parameters", "epochs") else "left")
    for name in recipes.names():
        recipe = recipes.load(name)
        network = recipe.network((28, 28), 10, rng=None)
        layers = " ".join(layer.describe() for layer in network.layers)
        table.add_row(name, layers, f"{network.params.size:,}", str(recipe.training.epochs), recipe.summary)
    plain_console().print(table)
