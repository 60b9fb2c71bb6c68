"""`python main.py compare`: the full matrix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from pipeline.cli.jobs import job_options, open_job
from pipeline.cli.options import data_options, seed_option

# Of the options, those that are settings of the plan under the same name.
SETTINGS = (
    "train", "test", "repeats", "seed", "baseline", "certify", "certify_rows", "certify_samples", "certify_alpha",
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


@click.command("compare", short_help="The full matrix.")
@data_options
@click.option("--recipe", default="default", show_default=True, help="Network and training: a name or a .toml file.")
@click.option(
    "--train",
    default="clean,σ 0.2,shift,distort,adversarial Linf 0.1",
    show_default=True,
    callback=_names,
    help=TRAIN_HELP,
)
@click.option("--test", callback=_names, help=TEST_HELP)
@click.option("--baseline", help="The training condition that the others are compared with; by default the first.")
@click.option("--repeats", type=click.IntRange(1, 100), default=3, show_default=True, help="Networks of each row.")
@click.option(
    "--holdout", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.1, show_default=True,
    help="Share of the training rows that no network sees, to measure on.",
)  # fmt: skip
@seed_option
@click.option(
    "--certify", type=click.FloatRange(0, 2, min_open=True), metavar="σ",
    help="Also certify the first repeat of each row by randomised smoothing with noise of this σ.",
)  # fmt: skip
@click.option("--certify-rows", type=click.IntRange(1), default=500, show_default=True, help="Holdout rows to certify.")
@click.option(
    "--certify-samples", type=click.IntRange(1), default=10_000, show_default=True, help="Noisy copies of each."
)
@click.option(
    "--certify-alpha", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.001, show_default=True,
    help="How probable it may be that a row's certificate is wrong.",
)  # fmt: skip
@job_options
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

    outcome = run_job(job.plan, job.options, job.run_log)
    job.run_log.result(
        terminal_matrix(
            outcome.grid,
            outcome.comparisons,
            outcome.findings,
            attacks=outcome.attacks,
            data=job.plan.competition.name,
            sample=job.plan.competition.is_sample,
            width=job.run_log.console.width,
        )
    )
    print(f"Report: {outcome.folder / 'report.html'}")


def _plan(given: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    from pipeline.jobs.compare.condition_names import DEFAULT
    from pipeline.training import recipe as recipes

    settings = {name: given[name] for name in SETTINGS}
    settings["test"] = settings["test"] or tuple(part.strip() for part in DEFAULT.split(","))
    return "compare", {**settings, "recipe": recipes.load(given["recipe"]), "holdout_share": given["holdout"]}
