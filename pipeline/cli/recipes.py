"""`recipes`: what comes along."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pipeline.errors import counted

if TYPE_CHECKING:
    from pipeline.training.recipe import RunDefaults


@click.command()
def command() -> None:
    """List the recipes that come along: what each is for, its layers, its number of parameters, what it reached.

    The layers and parameters are those for pictures of 28×28 and 10 classes. A figure after "reached" stands
    in the recipe's own file, with the rows and the seed that it comes from.
    """
    from pipeline.jobs.progress import plain_console
    from pipeline.training import recipe as recipes

    console = plain_console()
    for name in recipes.names():
        recipe = recipes.load(name)
        network = recipe.network((28, 28), 10, rng=None)
        console.print(f"{name}: {recipe.summary}", style="bold")
        console.print(f"  layers: {' → '.join(layer.describe() for layer in network.layers)}")
        console.print(f"  {network.params.size:,} parameters, {recipe.training.epochs} epochs{_run(recipe.run)}")
        console.print(f"  reached: {recipe.reached or 'not measured'}\n")


def _run(run: RunDefaults) -> str:
    """How the recipe asks to be run, as the end of a line."""
    parts = [f"{run.folds} folds"] if run.folds else []
    parts += [f"noise {','.join(f'{level:g}' for level in run.noise)}"] if run.noise else []
    where = "in each fold" if run.folds else "of each level"
    parts += [f"{counted(run.repeats, 'network')} {where}"] if run.repeats else []
    parts += [f"together with {', '.join(run.partners)}"] if run.partners else []
    return f"; run with {', '.join(parts)}" if parts else ""
