"""`python main.py show`: what a recipe's training sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli.options import data_options, seed_option


@click.command("show", short_help="Draw a contact sheet of a recipe's distortions.")
@click.option(
    "--recipe",
    default="distort",
    show_default=True,
    help="Whose distortions: a name (python main.py recipes lists them) or a .toml file of your own.",
)
@data_options
@click.option("--rows", type=click.IntRange(1, 100), default=10, show_default=True, help="Pictures, classes in turn.")
@click.option("--draws", type=click.IntRange(1, 100), default=10, show_default=True, help="Changed copies of each.")
@click.option(
    "--noise",
    type=click.FloatRange(0, 2),
    default=0.2,
    show_default=True,
    metavar="σ",
    help="Noise level, as in training: the recipe's share of the copies gets it, the others stay without.",
)
@seed_option
@click.option(
    "--to", type=click.Path(path_type=Path), default=Path("contact.png"), show_default=True, help="The PNG to write."
)
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
    sheet = contact_sheet(
        images,
        [str(train.classes[label]) for label in train.labels[picked]],
        copies,
        title=f"Recipe {chosen.name}: {changes}",
        note=f"Pictures: {competition.name}. Copies: {noisy}. Seed {seed}.",
    )
    save_sheet(sheet, to)
    print(f"Contact sheet of {len(images)} pictures of {competition.name}, {draws} copies each: {to}")
