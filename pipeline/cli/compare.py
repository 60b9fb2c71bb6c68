"""`compare`: the full matrix."""

from collections.abc import Mapping
from typing import Any

import click

from pipeline.cli.jobs import open_job, say_repeats
from pipeline.cli.options import SHARE, data_options, find_option, job_options, options, seed_option

# Of the options, those that are settings of the plan under the same name.
SETTINGS = (
    "train", "test", "repeats", "seed", "baseline", "certify", "certify_rows", "certify_samples", "certify_alpha",
    "prove", "prove_rows",
)  # fmt: skip

TRAIN_HELP = (
    "How networks are trained, separated by commas: clean, recipe (the recipe's own changes and attacks), σ 0.2, "
    "σ 0.2 unclipped (on every picture, for certificates), shift, distort, adversarial Linf 0.1 (with 7 behind it, "
    "seven steps a batch), or several joined by +."
)
TEST_HELP = (
    "What they are tested on, separated by commas: σ 0.2, shift right 4, gaussian_noise 3 or another corruption, "
    "pgd Linf 0.1 or another attack; short for many: corruptions 3, shift all 4, shift right 1-6, rotate 1-5. "
    "By default a wide choice of all of them."
)


def _names(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    """The parts between commas."""
    if value is None:
        return None
    parts = tuple(part.strip() for part in value.split(","))
    if not all(parts):
        raise click.BadParameter(
            f"between two commas of {value!r} there is nothing: give names such as {parameter.default or 'clean'!r}."
        )
    return parts


def _epsilons(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[float, ...]:
    """The numbers between commas."""
    try:
        epsilons = tuple(float(part) for part in value.split(",")) if value else ()
    except ValueError as error:
        raise click.BadParameter(f"{value!r} must be numbers separated by commas, such as 0.05,0.1.") from error
    for epsilon in epsilons:
        if not 0 < epsilon <= 1:
            raise click.BadParameter(f"ε {epsilon:g} is not in the range 0<ε<=1, where black is 0 and white is 1.")
    return epsilons


@click.command()
@options(
    *data_options,
    click.option("--recipe", default="default", help="Network and training: a name or a .toml file."),
    click.option("--train", default="clean,σ 0.2,shift,distort,adversarial Linf 0.1", callback=_names, help=TRAIN_HELP),
    click.option("--test", callback=_names, help=TEST_HELP),
    click.option("--baseline", help="The training condition that the others are compared with; else the first."),
    click.option("--repeats", type=click.IntRange(1, 100), default=3, help="Networks of each row."),
    click.option("--holdout", type=SHARE, default=0.1, help="Share of the training rows that no network sees."),
    seed_option,
    click.option("--certify", type=click.FloatRange(0, 2, min_open=True), metavar="σ",
                 help="Also certify the first repeat of each row by randomised smoothing with noise of this σ."),
    click.option("--certify-rows", type=click.IntRange(1), default=500, help="Holdout rows to certify."),
    click.option("--certify-samples", type=click.IntRange(1), default=10_000, help="Noisy copies of each."),
    click.option("--certify-alpha", type=SHARE, default=0.001,
                 help="How probable it may be that a row's certificate is wrong."),
    click.option("--prove", callback=_epsilons, metavar="ε,ε,…",
                 help="Also attack, and prove, the first repeat of each row at these ε (no pixel changes by more): "
                 "accuracy from above and below, the distance to the nearest mistake, and whom attacks fool else."),
    click.option("--prove-rows", type=click.IntRange(1), default=200, help="Holdout rows for that."),
    find_option,
    *job_options,
)  # fmt: skip
@click.pass_context
def command(context: click.Context, /, **given: Any) -> None:
    """Compare ways of training on many test conditions: noise, corruptions, shifts, attacks.

    Every way is trained --repeats times with fresh random numbers and the same number of steps; every cell of
    the matrix comes from the same held-out rows, those of `run` with the same seed. Each finished network is kept at
    once: the same command again goes on with a comparison that was interrupted. Ends with a report of one HTML file.
    """
    job = open_job(context, _plan, "compare")

    from pipeline.jobs.driver import run_job
    from pipeline.report.matrix import terminal_matrix

    outcome, data = run_job(job.plan, job.options, job.run_log), job.plan.competition
    about = {"data": data.name, "sample": data.is_sample, "width": job.run_log.console.width}
    about["ladders"] = outcome.ladders
    found = (outcome.grid, outcome.comparisons, outcome.findings)
    job.run_log.result(terminal_matrix(*found, attacks=outcome.attacks, **about))
    say_repeats(outcome, given["find"])
    print(f"Report: {outcome.folder / 'report.html'}")


def _plan(given: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    from pipeline.training import recipe as recipes

    settings = {name: given[name] for name in SETTINGS if name != "test" or given["test"]}
    return "compare", {**settings, "recipe": recipes.load(given["recipe"]), "holdout_share": given["holdout"]}
