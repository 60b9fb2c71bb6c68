"""`python main.py recipes`: what comes along."""

from __future__ import annotations

import click


@click.command("recipes", short_help="List the recipes.")
def command() -> None:
    """List the recipes that come along: what each is for, its layers, its number of parameters, what it reached.

    The layers and parameters are those for pictures of 28×28 and 10 classes. A figure after "reached" stands
    in the recipe's own file, with the rows and the seed that it comes from.
    """
    from pipeline import recipe as recipes
    from pipeline.console import plain_console

    console = plain_console()
    for name in recipes.names():
        recipe = recipes.load(name)
        network = recipe.network((28, 28), 10, rng=None)
        console.print(f"{name}: {recipe.summary}", style="bold")
        console.print(f"  layers: {' → '.join(layer.describe() for layer in network.layers)}")
        console.print(f"  {network.params.size:,} parameters, {recipe.training.epochs} epochs")
        console.print(f"  reached: {recipe.reached or 'not measured'}\n")
