"""`twins`: the network against its reference implementation."""

from typing import Any

import click

from pipeline.cli.options import data_options, options, seed_option
from pipeline.errors import counted


@click.command()
@options(
    *data_options,
    click.option("--recipe", default="scratch-16-16", help="Which network and training."),
    click.option("--rows", type=click.IntRange(1), default=100, help="Training rows, the first ones."),
    click.option("--epochs", type=click.IntRange(1), default=3, help="Epochs to train."),
    seed_option,
)
def command(recipe: str, rows: int, epochs: int, seed: int, **data: Any) -> None:
    """Train the network and its reference implementation side by side, and compare time, memory and weights.

    The twin (pipeline/nn/reference) does the same in plain loops over single numbers: it is there to be
    read and to be tested against. Both begin with the same weights and see the same rows in the same order,
    in double precision, without the recipe's shifts and noise. A convolutional network takes several
    seconds a row in loops: give it few rows.
    """
    from rich.table import Table

    from pipeline import dataset
    from pipeline.errors import InkproofError
    from pipeline.jobs.progress import plain_console
    from pipeline.training import recipe as recipes
    from pipeline.training.twins import TOLERANCE, train_both

    chosen = recipes.load(recipe)
    competition = dataset.load(**data)
    train = competition.train
    images, labels = train.images[:rows], train.labels[:rows]
    outcome = train_both(chosen, images, labels, len(train.classes), epochs=epochs, seed=seed)

    loops, arrays = outcome.loops, outcome.arrays
    print(f"{recipe} on {counted(len(images), 'row')} of {competition.name}, epochs: {epochs}")
    table = Table("", box=None, padding=(0, 2, 0, 0))
    for heading in ("seconds an epoch", "peak memory"):
        table.add_column(heading, justify="right")
    for name, cost in (("plain loops (pipeline/nn/reference)", loops), ("whole arrays (pipeline/nn)", arrays)):
        table.add_row(name, f"{cost.seconds:.4f}", f"{cost.peak / 1e6:.1f} MB")
    table.add_row("loops / arrays", f"{loops.seconds / arrays.seconds:.0f}", f"{loops.peak / arrays.peak:.1f}")
    plain_console().print(table)
    found = f"largest difference between their weights after training: {outcome.difference:.1e}"
    if not outcome.agree:
        raise InkproofError(f"The twins disagree, {found}, where less than {TOLERANCE:g} is allowed: one is wrong.")
    print(f"The twins agree, {found} (less than {TOLERANCE:g} is allowed).")
