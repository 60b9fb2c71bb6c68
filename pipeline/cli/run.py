"""`python main.py run`: the main job."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pipeline.dataset import Competition
    from pipeline.jobs.progress import RunLog

DEFAULT_NOISE = (0.0, 0.1, 0.2, 0.3)

NOISE_HELP = (
    "Noise levels σ to train at, separated by commas: standard deviations of Gaussian noise, where black is "
    "0 and white is 1. Each level is trained --repeats times."
)


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


@click.command("run", short_help="The main job.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help=(
        "Folder, zip or npz file with the data; by default data/, with Kaggle's train.csv and test.csv or its "
        "digit-recognizer.zip. Without any data a small embedded sample is used."
    ),
)
@click.option("--label-column", help="Column of train.csv that holds the labels, where it is not named label.")
@click.option("--id-column", help="Column of test.csv that holds the ids, where it is not named id.")
@click.option(
    "--recipe",
    default="default",
    show_default=True,
    help=("Which network and training: a name (python main.py recipes lists them) or a .toml file of your own."),
)
@click.option(
    "--noise", type=NoiseLevels(), metavar="σ,σ,…", help=f"{NOISE_HELP} By default the recipe's, else 0,0.1,0.2,0.3."
)
@click.option(
    "--repeats",
    type=click.IntRange(1, 100),
    help=(
        "Networks at each level, each with fresh random numbers: what chance alone does shows in their spread. By "
        "default the recipe's, else 3; with --cv networks in each fold, else 1."
    ),
)
@click.option(
    "--cv",
    type=click.IntRange(0, 100),
    metavar="FOLDS",
    help=(
        "Cross-validate: as many folds, each answered by networks that never saw it, and all networks together make "
        "the submission, with weights chosen on those answers. By default the recipe's, else 0: one holdout instead."
    ),
)
@click.option(
    "--holdout",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help=(
        "Share of the training rows that no network sees, to measure on; by default 0.1. With --cv none, unless it is "
        "given: then the submission's networks are measured on it as well."
    ),
)
@click.option(
    "--extra",
    type=click.Path(path_type=Path),
    metavar="CSV",
    help="Labelled rows like train.csv's to train on as well, such as the drawing page's export; never measured on.",
)
@click.option(
    "--pseudo-labels",
    type=click.FloatRange(0.5, 1),
    metavar="P",
    help=(
        "With --cv: train a second time, also on the test rows that the fold's networks were sure of, with a "
        "probability of at least P, as if the answers were true. Off by default: it doubles the time, and mistakes "
        "that are sure are learnt."
    ),
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help=("Start of all random numbers: the same seed, data and recipe give the same files on the same machine."),
)
@click.option(
    "--submit-level",
    type=float,
    metavar="σ",
    help=(
        "Noise level of the networks that make the submission; by default the one that did best on clean holdout "
        "rows, or the largest that ties with it."
    ),
)
@click.option(
    "--submission",
    type=click.Path(path_type=Path),
    default=Path("submissions/submission.csv"),
    show_default=True,
    help="Where the submission is written.",
)
@click.option(
    "--jobs", type=click.IntRange(1), help="Networks trained at the same time; by default one a processor core."
)
@click.option("--quiet", is_flag=True, help="Print only the table and where the submission is.")
def command(
    data: Path | None,
    label_column: str | None,
    id_column: str | None,
    recipe: str,
    noise: tuple[float, ...] | None,
    repeats: int | None,
    cv: int | None,
    holdout: float | None,
    extra: Path | None,
    pseudo_labels: float | None,
    seed: int,
    submit_level: float | None,
    submission: Path,
    jobs: int | None,
    quiet: bool,
) -> None:
    """Train at several noise levels, tell what the noise did, and write a submission.

    Reads the data, holds out a part of the training rows, trains networks at every noise level, measures
    all of them on the same held-out rows (clean and with noise), prints the table with its verdicts,
    trains the best level again on all rows, and writes the submission. With --cv, or a recipe that asks for it,
    a committee is trained in folds instead. Everything a run makes is kept in a folder of its own below runs/.
    """
    import time

    begin = time.perf_counter()
    if not quiet:
        print(f"Inkproof: reading {data or 'data/'}", flush=True)

    from pipeline import dataset
    from pipeline.dataset.extra import read_extra
    from pipeline.jobs.progress import RunLog
    from pipeline.training import recipe as recipes
    from pipeline.training.parallel import cores

    run_log = RunLog(quiet=quiet)
    chosen = recipes.load(recipe)
    folds = chosen.run.folds if cv is None else cv
    levels = noise or chosen.run.noise or ((0.0,) if folds else DEFAULT_NOISE)
    _check_together(folds, cv, levels, submit_level, pseudo_labels)
    competition = dataset.load(data, label_column=label_column, id_column=id_column)
    if competition.is_sample and data is None:
        run_log.say(
            "No data in data/: get Kaggle's files with `python main.py fetch`\n"
            f"(or put train.csv and test.csv there); going on with the embedded sample, {competition.name}."
        )
    run_log.say(
        f"{competition.name}: {competition.train.n:,} labelled and {competition.test.n:,} unlabelled pictures of "
        f"{competition.train.side}×{competition.train.side}, {len(competition.train.classes)} classes"
    )
    names = {"label_column": label_column, "id_column": id_column}
    more = None if extra is None else read_extra(extra, competition.train, **names)
    if more is not None:
        run_log.say(f"{extra}: {more.n:,} rows more to train on")
    shared = {
        "recipe": chosen,
        "seed": seed,
        "jobs": jobs or cores(),
        "extra": more,
        "submission": submission,
        "command": shlex.join(["python", "main.py", *sys.argv[1:]]),
    }
    repeats = repeats or chosen.run.repeats
    if folds:
        shared |= {"folds": folds, "sigma": levels[0], "repeats": repeats or 1, "holdout": holdout or 0.0}
        folder = _by_folds(competition, run_log, pseudo_labels=pseudo_labels, **shared)
    else:
        shared |= {"sigmas": levels, "repeats": repeats or 3, "holdout": holdout or 0.1, "submit_level": submit_level}
        folder = _by_holdout(competition, run_log, **shared)
    run_log.say(f"Everything this run made: {folder}")
    run_log.say(f"It took {time.perf_counter() - begin:.0f} s.")
    print(f"Submission: {submission}")
    if competition.is_sample:
        run_log.say("It answers the embedded sample: Kaggle has no competition for it.")
    else:
        message = f"Inkproof {folder.name}"
        send = ["kaggle", "competitions", "submit", "-c", competition.name, "-f", str(submission), "-m", message]
        run_log.say(f"Send it to Kaggle with:\n  {shlex.join(send)}")


def _check_together(
    folds: int, cv: int | None, levels: tuple[float, ...], submit_level: float | None, pseudo_labels: float | None
) -> None:
    """Raise click.UsageError for options that do not go together."""
    given = ", ".join(f"{level:g}" for level in levels)
    if folds == 1:
        raise click.UsageError("--cv 1 is no cross-validation: give at least 2 folds, or 0 for a holdout.")
    if folds and len(levels) > 1:
        raise click.UsageError(f"A cross-validation trains at one noise level, found {given}: give one with --noise.")
    if folds and submit_level is not None:
        raise click.UsageError(
            "--submit-level chooses among noise levels, and a cross-validation has one: leave it out."
        )
    if not folds and pseudo_labels is not None:
        raise click.UsageError("--pseudo-labels goes with a cross-validation: add --cv 5.")
    if submit_level is not None and submit_level not in levels:
        raise click.UsageError(
            f"--submit-level {submit_level:g} is not among the noise levels {given}: choose one of them, or add it with"
            " --noise."
        )


def _by_holdout(competition: Competition, run_log: RunLog, **settings: Any) -> Path:
    from pipeline.jobs.noise_levels import Settings, run
    from pipeline.report.tables import terminal_report

    outcome = run(competition, Settings(**settings), run_log)
    run_log.result(
        terminal_report(
            outcome.grid,
            outcome.comparisons,
            data=competition.name,
            sample=competition.is_sample,
            width=run_log.console.width,
        )
    )
    for note in outcome.notes:
        run_log.result(note)
    run_log.say(f"Submitted level: σ {outcome.level:g} ({outcome.chosen_because}).")
    return outcome.folder


def _by_folds(competition: Competition, run_log: RunLog, **settings: Any) -> Path:
    from pipeline.jobs.cross_validation import Settings, run
    from pipeline.report.committee import committee_terminal

    outcome = run(competition, Settings(**settings), run_log)
    run_log.result(committee_terminal(outcome.summary))
    return outcome.folder
