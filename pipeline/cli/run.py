"""`run`: the main job."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.jobs import open_job, say_repeats, say_what_next
from pipeline.cli.options import (
    PATH,
    SHARE,
    data_options,
    find_option,
    job_options,
    options,
    seed_option,
    submission_option,
)

if TYPE_CHECKING:
    from pipeline.cli.jobs import Job
    from pipeline.training.recipe_tables import RunSettings


class NoiseLevels(click.ParamType):
    """ "0,0.1,0.2" → (0.0, 0.1, 0.2): numbers from 0 to 2, none twice, sorted."""

    name = "σ,σ,…"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        if isinstance(value, tuple):
            return value
        levels = []
        for part in str(value).split(","):
            try:
                level = float(part)
            except ValueError:
                self.fail(f"{part.strip()!r} is not a number; give numbers from 0 to 2 such as 0,0.1,0.2.", param, ctx)
            if not 0 <= level <= 2:
                self.fail(
                    f"σ {part.strip()} lies outside of 0 to 2, the noise levels that leave a picture.", param, ctx
                )
            levels.append(level + 0.0)  # -0.0 becomes 0.0
        if len(set(levels)) < len(levels):
            self.fail(f"a level stands twice in {value}; give each level once.", param, ctx)
        return tuple(sorted(levels))


@click.command()
@options(
    *data_options,
    click.option("--recipe", default="default", help="Which network and training: a name (`recipes` lists them) or a "
                 ".toml file of your own."),
    click.option("--noise", type=NoiseLevels(), metavar="σ,σ,…", help="Noise levels σ to train at, separated by "
                 "commas: standard deviations of Gaussian noise, where black is 0 and white is 1. Each level is "
                 "trained --repeats times. By default the recipe's, else 0,0.1,0.2,0.3."),
    click.option("--repeats", type=click.IntRange(1, 100), help="Networks at each level, each with fresh random "
                 "numbers: what chance alone does shows in their spread. By default the recipe's, else 3; with --cv "
                 "networks in each fold, else 1."),
    click.option("--cv", type=click.IntRange(0, 100), metavar="FOLDS", help="Cross-validate: as many folds, each "
                 "answered by networks that never saw it, and all networks together make the submission, with weights "
                 "chosen on those answers. By default the recipe's, else 0: one holdout instead."),
    click.option("--holdout", type=SHARE, help="Share of the training rows that no network sees, to measure on; by "
                 "default 0.1. With --cv none, unless it is given: then the submission's networks are measured on it "
                 "as well."),
    click.option("--extra", type=PATH, metavar="CSV", help="Labelled rows like train.csv's to train on as well, such "
                 "as the drawing page's export; never measured on."),
    click.option("--drop", type=PATH, metavar="CSV", help="Rows of train.csv not to train on, such as the "
                 "label-errors.csv that `look --run` writes; where they are held out, they are measured on all the "
                 "same, as Kaggle does."),
    click.option("--pseudo-labels", type=click.FloatRange(0.5, 1), metavar="P", help="With --cv: train a second time, "
                 "also on the test rows that the fold's networks were sure of, with a probability of at least P, as if "
                 "the answers were true. Off by default: it doubles the time, and mistakes that are sure are learnt."),
    seed_option,
    click.option("--submit-level", type=float, metavar="σ", help="Noise level of the networks that make the "
                 "submission; by default the one that did best on clean holdout rows, or the largest that ties with "
                 "it."),
    submission_option,
    find_option,
    *job_options,
)  # fmt: skip
@click.pass_context
def command(context: click.Context, /, **given: Any) -> None:
    """Train at several noise levels, tell what the noise did, and write a submission.

    Reads the data, holds out a part of the training rows, trains networks at every noise level, measures
    all of them on the same held-out rows (clean and with noise), prints the table with its verdicts,
    trains the best level again on all rows, and writes the submission. With --cv, or a recipe that asks for it,
    an ensemble is trained in folds instead. Everything a run makes is kept in a folder of its own below runs/.
    """
    begin = time.perf_counter()
    job = open_job(context, _plan, "main folds")

    from pipeline.jobs.driver import run_job

    outcome = run_job(job.plan, job.options, job.run_log)
    job.run_log.result(_results(job, outcome))
    if job.plan.kind == "main":
        say_repeats(outcome, given["find"])
    job.run_log.say(f"It took {time.perf_counter() - begin:.0f} s.")
    say_what_next(job, outcome.folder)


def _plan(given: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Kind and settings of the options' plan: noise levels, or folds where --cv or the recipe asks for them."""
    from pipeline.training import recipe as recipes

    recipe = recipes.load(given["recipe"])
    settings = recipe.run.settings(
        noise=given["noise"], repeats=given["repeats"], folds=given["cv"], holdout=given["holdout"]
    )
    _check_together(settings, given)
    shared = {
        "recipe": recipe,
        "seed": given["seed"],
        "repeats": settings.repeats,
        "holdout_share": settings.holdout,
    }
    if settings.folds:
        of_folds = {"folds": settings.folds, "sigma": settings.noise[0], "pseudo_label": given["pseudo_labels"]}
        return "folds", {**shared, **of_folds}
    return "main", {**shared, "sigmas": settings.noise, "submit_level": given["submit_level"]}


def _check_together(settings: RunSettings, given: Mapping[str, Any]) -> None:
    """Raise click.UsageError for options that do not go together."""
    levels = ", ".join(f"{level:g}" for level in settings.noise)
    if settings.folds == 1:
        raise click.UsageError("--cv 1 is no cross-validation: give at least 2 folds, or 0 for a holdout.")
    if settings.folds and len(settings.noise) > 1:
        raise click.UsageError(f"A cross-validation trains at one noise level, found {levels}: give one with --noise.")
    if settings.folds and given["submit_level"] is not None:
        raise click.UsageError(
            "--submit-level chooses among noise levels, and a cross-validation has one: leave it out."
        )
    if settings.folds and given["find"] is not None:
        raise click.UsageError("--find compares noise levels, and a cross-validation has one: leave it out.")
    if not settings.folds and given["pseudo_labels"] is not None:
        raise click.UsageError("--pseudo-labels goes with a cross-validation: add --cv 5.")
    if given["submit_level"] is not None and given["submit_level"] not in settings.noise:
        raise click.UsageError(
            f"--submit-level {given['submit_level']:g} is not among the noise levels {levels}: choose one of them, or "
            "add it with --noise."
        )


def _results(job: Job, outcome: Any) -> Any:
    """What the terminal shows of the job's outcome."""
    from rich.console import Group
    from rich.text import Text

    if job.plan.kind == "folds":
        from pipeline.report.ensemble import ensemble_terminal

        return ensemble_terminal(outcome.summary)

    from pipeline.report.tables import terminal_report

    data, width = job.plan.competition, job.run_log.console.width
    table = terminal_report(outcome.grid, outcome.comparisons, data=data.name, sample=data.is_sample, width=width)
    level, because = outcome.record["submitted_level"], outcome.record["submitted_because"]
    submitted = [] if job.run_log.quiet else [f"Submitted level: σ {level:g} ({because})."]
    return Group(table, *map(Text, [*outcome.notes, *submitted]))
