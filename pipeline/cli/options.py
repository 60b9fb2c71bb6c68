"""Options that several commands share: each stands here once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

PATH = click.Path(path_type=Path)
SHARE = click.FloatRange(0, 1, min_open=True, max_open=True)

data_options = (
    click.option("--data", type=PATH, help="Folder, zip or npz file with the data; by default data/, with Kaggle's "
                 "train.csv and test.csv or its digit-recognizer.zip. Without any data a small embedded sample is "
                 "used."),
    click.option("--label-column", help="Column of train.csv that holds the labels, where it is not named label."),
    click.option("--id-column", help="Column of test.csv that holds the ids, where it is not named id."),
    click.option("--competition", help="The competition on Kaggle, short name or address, of data that `fetch` did "
                 "not bring."),
)  # fmt: skip
"""What pipeline.dataset.load takes, by the same names."""

job_options = (
    click.option("--jobs", type=click.IntRange(1), help="Networks trained at the same time; by default one a core."),
    click.option("--engine", type=click.Choice(["processes", "dask"]), default="processes",
                 help="Where networks are trained: in processes of this machine, or on a Dask cluster."),
    click.option("--scheduler", help="Address of a running Dask scheduler (tcp://…); without it, one of this machine."),
    click.option("--resume", metavar="RUN", help="Go on with this run, by its own settings; only what is missing is "
                 "trained. The same command again does so as well."),
    click.option("--quiet", is_flag=True, help="Print only the results, and where they are."),
)  # fmt: skip

seed_option = click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0,
    help="Start of all random numbers: the same seed, data and recipe give the same files on the same machine.",
)  # fmt: skip
runs_option = click.option("--runs", type=PATH, default="runs", help="Folder of the runs and their ledger.")
model_option = click.option(
    "--model", metavar="PATH|RUN", help="A model file, a run's folder, or a run's id; by default the newest run. Of a "
    "run, the networks trained on all rows answer together: their probabilities are averaged.",
)  # fmt: skip
submission_option = click.option(
    "--submission", type=PATH, default="submissions/submission.csv", help="Where the submission is written."
)
find_option = click.option(
    "--find", type=click.FloatRange(0, 100, min_open=True), metavar="POINTS",
    help="Say how many repeats, and how long, it takes to find a difference of so many points on clean rows.",
)  # fmt: skip
yes_option = click.option("--yes", is_flag=True, help="Send without asking.")


def options(*several: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """All of these options, in their order."""

    def add(command: Command) -> Command:
        for option in reversed(several):
            command = option(command)
        return command

    return add
