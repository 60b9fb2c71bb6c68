"""`python main.py tune`: search a recipe's settings."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click


@click.command("tune", short_help="Search a recipe's settings.")
@click.option("--data", type=click.Path(path_type=Path), help="Folder, zip or npz file with the data, as for run.")
@click.option("--label-column", help="Column of train.csv that holds the labels, where it is not named label.")
@click.option("--id-column", help="Column of test.csv that holds the ids, where it is not named id.")
@click.option(
    "--recipe", default="default", show_default=True,
    help="Where the search begins: a name or a .toml file. Its [search] says what may change.",
)  # fmt: skip
@click.option(
    "--trials", type=click.IntRange(1, 100_000), default=20, show_default=True,
    help="How many there are to be in all, those of earlier calls of the same command included.",
)  # fmt: skip
@click.option(
    "--folds", type=click.IntRange(2, 100), default=3, show_default=True,
    help="Networks of each trial; each is asked about the part of the rows that it has not seen.",
)  # fmt: skip
@click.option(
    "--holdout", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.1, show_default=True,
    help="Share of the training rows that no trial sees: those that run holds out with the same seed.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Of all random numbers.")
@click.option(
    "--pruner", type=click.Choice(["asha", "hyperband", "none"]), default="asha", show_default=True,
    help="What ends trials early; asha and hyperband let about half of them go on from each rung to the next.",
)  # fmt: skip
@click.option("--jobs", type=click.IntRange(1), help="Trials at the same time; by default one a core.")
@click.option(
    "--storage", metavar="URL",
    help="Database for the trials, such as sqlite:///search.db; by default a journal in the run's folder.",
)  # fmt: skip
@click.option("--quiet", is_flag=True, help="Print only the best trials and what to run next.")
def command(**given: Any) -> None:
    """Search a recipe's settings: many trials, each scored on folds, the best written as a new recipe.

    Trial 0 is the recipe as it is; Optuna proposes the others within the bounds of the recipe's [search]. The score
    is the mean accuracy over the folds, never the holdout. The same command again goes on with a search that was
    stopped, or adds trials with a larger --trials.
    """
    if not given["quiet"]:
        print(f"Inkproof: reading {given['data'] or 'data/'}", flush=True)

    from pipeline import dataset
    from pipeline.errors import RecipeError
    from pipeline.jobs.progress import RunLog
    from pipeline.training import recipe as recipes
    from pipeline.training.parallel import cores

    run_log = RunLog(quiet=given["quiet"])
    recipe = recipes.load(given["recipe"])
    file = recipes.file_of(given["recipe"])
    if "search" not in recipe.content:
        raise RecipeError(
            f"{file} has no [search], which says what may change: add one with lines such as "
            "schedule.peak = { low = 0.001, high = 0.02, log = true }."
        )
    competition = dataset.load(given["data"], label_column=given["label_column"], id_column=given["id_column"])

    from pipeline.jobs.tuning import Settings, tune
    from pipeline.jobs.tuning.summary import changes, lines, notes
    from pipeline.jobs.tuning.table import terminal_search

    names = ("data", "label_column", "id_column")
    settings = Settings(
        recipe=recipe,
        **{name: given[name] for name in ("trials", "folds", "holdout", "seed", "pruner", "storage")},
        jobs=given["jobs"] or cores(),
        source=file.read_text(encoding="utf-8"),
        data=tuple(word for name in names if given[name] for word in (f"--{name.replace('_', '-')}", str(given[name]))),
        command=shlex.join(["python", "main.py", *sys.argv[1:]]),
    )
    outcome = tune(competition, settings, run_log)
    run_log.result(
        terminal_search(
            lines(outcome), changes(outcome, recipe), notes(outcome, settings), sample=competition.is_sample
        )
    )
    print(f"The best as a recipe: {outcome.folder / 'best.toml'}")
    print(f"Measure it on rows that no trial has seen:\n  {outcome.next}")
