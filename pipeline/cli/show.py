"""`show`: what a recipe's training sees."""

from pathlib import Path
from typing import Any

import click

from pipeline.cli.options import PATH, data_options, options, seed_option
from pipeline.errors import counted


@click.command()
@options(
    click.option("--recipe", default="distort", help="Whose distortions: a name (`recipes` lists them) or a .toml "
                 "file of your own."),
    *data_options,
    click.option("--rows", type=click.IntRange(1, 100), default=10, help="Pictures, classes in turn."),
    click.option("--draws", type=click.IntRange(1, 100), default=10, help="Changed copies of each."),
    click.option("--noise", type=click.FloatRange(0, 2), default=0.2, metavar="σ", help="Noise level, as in training: "
                 "the recipe's share of the copies gets it, the others stay without."),
    seed_option,
    click.option("--to", type=PATH, default="contact.png", help="The PNG to write."),
)  # fmt: skip
def command(recipe: str, rows: int, draws: int, noise: float, seed: int, to: Path, **data: Any) -> None:
    """Draw what a recipe makes of the training pictures: some of them as they are, and beside each several draws.

    Every epoch of a training draws anew. Look whether a person would still read every copy as its class: what
    nobody can read, no network should learn.
    """
    import numpy as np

    from pipeline import dataset
    from pipeline.report.contact_sheet import contact_sheet, draw_copies, one_of_each, save_sheet
    from pipeline.training import recipe as recipes

    chosen = recipes.load(recipe)
    competition = dataset.load(**data)
    train = competition.train
    rng = np.random.default_rng(seed)
    picked = one_of_each(train.labels, rows, rng=rng)
    images = train.images[picked]
    copies = draw_copies(images, chosen.augment(noise), draws, rng=rng)
    noisy = f"noise σ {noise:g} on the first {chosen.training.noisy_share:.0%} of them" if noise else "no noise"
    changes = ", ".join(table["change"] for table in chosen.content.get("augment", [])) or "no distortion"
    labels = [str(train.classes[label]) for label in train.labels[picked]]
    title = f"Recipe {chosen.name}: {changes}"
    note = f"Pictures: {competition.name}. Copies: {noisy}. Seed {seed}."
    save_sheet(contact_sheet(images, labels, copies, title=title, note=note), to)
    print(f"Contact sheet of {counted(len(images), 'picture')} of {competition.name}, {draws} copies each: {to}")
