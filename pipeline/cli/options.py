"""Options that several commands share: each stands here once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

DATA = (
    click.option(
        "--data",
        type=click.Path(path_type=Path),
        help=(
            "Folder, zip or npz file with the data; by default data/, with Kaggle's train.csv and test.csv or its "
            "digit-recognizer.zip. Without any data a small embedded sample is used."
        ),
    ),
    click.option("--label-column", help="Column of train.csv that holds the labels, where it is not named label."),
    click.option("--id-column", help="Column of test.csv that holds the ids, where it is not named id."),
    click.option(
        "--competition", help="The competition on Kaggle, short name or address, of data that `fetch` did not bring."
    ),
)

seed_option = click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Start of all random numbers: the same seed, data and recipe give the same files on the same machine.",
)


def data_options(command: Command) -> Command:
    """--data, --label-column, --id-column, --competition: what pipeline.dataset.load takes, by the same names."""
    for option in reversed(DATA):
        command = option(command)
    return command
