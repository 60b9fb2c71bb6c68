"""`python main.py compare`: the full matrix."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click

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
@click.option("--data", type=click.Path(path_type=Path), help="Folder, zip or npz file with the data, as for run.")
@click.option("--label-column", help="Column of train.csv that holds the labels, where it is not named label.")
@click.option("--id-column", help="Column of test.csv that holds the ids, where it is not named id.")
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
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Of all random numbers.")
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
@click.option("--jobs", type=click.IntRange(1), help="Networks trained at the same time; by default one a core.")
@click.option(
    "--engine", type=click.Choice(["processes", "dask"]), default="processes", show_default=True,
    help="Where the fits run: in processes of this machine, or on a Dask cluster.",
)  # fmt: skip
@click.option("--scheduler", help="Address of a running Dask scheduler (tcp://…); without it, one of this machine.")
@click.option(
    "--resume", metavar="RUN", help="Take up this comparison with its own settings; only what is missing is done."
)
@click.option("--quiet", is_flag=True, help="Print only the table, the verdicts and where the report is.")
@click.pass_context
def command(context: click.Context, /, **given: Any) -> None:
    """Compare ways of training on many test conditions: noise, corruptions, shifts, attacks.

    Every way is trained --repeats times with fresh random numbers and the same number of steps; every cell of
    the matrix comes from the same held-out rows. Each finished network is kept at once: the same command again
    takes up a comparison that was interrupted. Ends with a report of one HTML file.
    """
    if given["scheduler"] and given["engine"] != "dask":
        raise click.UsageError("--scheduler names a Dask cluster: give --engine dask with it.")
    resume, runs = given["resume"], Path("runs")
    if not given["quiet"]:
        doing = f"taking up {resume}" if resume else f"reading {given['data'] or 'data/'}"
        print(f"Inkproof: {doing}", flush=True)

    from pipeline import dataset
    from pipeline.errors import DataError
    from pipeline.jobs.compare import job as compare
    from pipeline.jobs.compare.condition_names import DEFAULT
    from pipeline.jobs.progress import RunLog
    from pipeline.training import recipe as recipes
    from pipeline.training.parallel import cores

    run_log = RunLog(quiet=given["quiet"])
    how = {"jobs": given["jobs"] or cores(), "engine": given["engine"], "scheduler": given["scheduler"], "runs": runs}
    names = [name for name in compare.PLANNED if name in given]
    if resume:
        _refuse_settings(context, ("recipe", *names))
        plan = compare.read_plan(runs, resume)
        content = dict(plan["recipe"])
        recipe = recipes.check(content, name=content.pop("name"), where=str(runs / resume / compare.PLAN))
        asked = {name: tuple(plan[name]) if isinstance(plan[name], list) else plan[name] for name in names}
        how |= {"command": plan["command"], "check_rows": plan["check_rows"]}
        given["data"] = given["data"] or Path(plan["source"])
    else:
        recipe = recipes.load(given["recipe"])
        asked = {name: given[name] for name in names}
        asked["test"] = asked["test"] or tuple(part.strip() for part in DEFAULT.split(","))
        how["command"] = shlex.join(["python", "main.py", *sys.argv[1:]])
    competition = dataset.load(given["data"], label_column=given["label_column"], id_column=given["id_column"])
    if resume and competition.fingerprint != plan["data"]["fingerprint"]:
        raise DataError(
            f"Run {resume} compared on {plan['data']['name']}, whose rows are not those of {competition.name} here: "
            "name its data with --data."
        )
    outcome = compare.compare(competition, compare.Settings(recipe, **asked, **how), run_log, resume=resume)

    from pipeline.report.matrix import terminal_matrix
    from pipeline.report.page import write_report

    page = write_report(outcome.folder)
    run_log.result(
        terminal_matrix(
            outcome.grid,
            outcome.comparisons,
            outcome.findings,
            attacks=outcome.attacks,
            data=competition.name,
            sample=competition.is_sample,
            width=run_log.console.width,
        )
    )
    print(f"Report: {page}")


def _refuse_settings(context: click.Context, names: tuple[str, ...]) -> None:
    for name in names:
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"--resume takes its settings from the run it takes up: leave out {option}.")
