"""`tune`: search a recipe's settings."""

from collections.abc import Mapping
from typing import Any

import click

from pipeline.cli.jobs import open_job
from pipeline.cli.options import SHARE, data_options, job_options, options, seed_option


@click.command()
@options(
    *data_options,
    click.option("--recipe", default="default",
                 help="Where the search begins: a name or a .toml file. Its [search] says what may change."),
    click.option("--trials", type=click.IntRange(1, 100_000), default=20,
                 help="How many there are to be in all, those of earlier calls of the same command included."),
    click.option("--folds", type=click.IntRange(2, 100), default=3,
                 help="Networks of each trial; each is asked about the part of the rows that it has not seen."),
    click.option("--holdout", type=SHARE, default=0.1, help="Share of the training rows that no trial sees: those "
                 "that run holds out with the same seed."),
    seed_option,
    click.option("--pruner", type=click.Choice(["asha", "hyperband", "none"]), default="asha", help="What ends trials "
                 "early; asha and hyperband let about half of them go on from each rung to the next."),
    click.option("--storage", metavar="URL", envvar="INKPROOF_STORAGE", help="Database for the trials, such as "
                 "sqlite:///search.db; by default a journal in the run's folder. No run keeps an address's password: "
                 "give it as the variable INKPROOF_STORAGE, with --resume too."),
    *job_options,
)  # fmt: skip
@click.pass_context
def command(context: click.Context, /, **given: Any) -> None:
    """Search a recipe's settings: many trials, each scored on folds, the best written as a new recipe.

    Trial 0 is the recipe as it is; Optuna proposes the others within the bounds of the recipe's [search]. The score
    is the mean accuracy over the folds, never the holdout. The same command again goes on with a search that was
    stopped, or adds trials with a larger --trials.
    """
    job = open_job(context, _plan, "tune")

    from pipeline.jobs.driver import run_job
    from pipeline.jobs.tuning.table import terminal_search

    outcome = run_job(job.plan, job.options, job.run_log)
    job.run_log.result(terminal_search(outcome.results))
    print(f"The best as a recipe: {outcome.folder / 'best.toml'}")
    print(f"Measure it on rows that no trial has seen:\n  {outcome.next}")


def _plan(given: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    from pipeline.errors import RecipeError
    from pipeline.training import recipe as recipes

    recipe = recipes.load(given["recipe"])
    file = recipes.file_of(given["recipe"])
    if "search" not in recipe.content:
        raise RecipeError(
            f"{file} has no [search], which says what may change: add one with lines such as "
            "schedule.peak = { low = 0.001, high = 0.02, log = true }."
        )
    settings = {name: given[name] for name in ("trials", "folds", "seed", "pruner", "storage")}
    source = file.read_text(encoding="utf-8")
    return "tune", {**settings, "recipe": recipe, "holdout_share": given["holdout"], "recipe_source": source}
