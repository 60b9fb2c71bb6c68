"""`python main.py run`: the main job."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

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
    "--noise", type=NoiseLevels(), metavar="σ,σ,…", default="0,0.1,0.2,0.3", show_default=True, help=NOISE_HELP
)
@click.option(
    "--repeats",
    type=click.IntRange(1, 100),
    default=3,
    show_default=True,
    help=("Networks at each level, each with fresh random numbers: what chance alone does shows in their spread."),
)
@click.option(
    "--holdout",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.1,
    show_default=True,
    help="Share of the training rows that no network sees, to measure on.",
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
    noise: tuple[float, ...],
    repeats: int,
    holdout: float,
    seed: int,
    submit_level: float | None,
    submission: Path,
    jobs: int | None,
    quiet: bool,
) -> None:
    """Train at several noise levels, tell what the noise did, and write a submission.

    Reads the data, holds out a part of the training rows, trains networks at every noise level, measures
    all of them on the same held-out rows (clean and with noise), prints the table with its verdicts,
    trains the best level again on all rows, and writes the submission. Everything it makes is kept in a
    folder of its own below runs/.
    """
    if submit_level is not None and submit_level not in noise:
        raise click.UsageError(
            f"--submit-level {submit_level:g} is not among the noise levels "
            f"{', '.join(f'{level:g}' for level in noise)}: choose one of them, or add it with --noise."
        )
    if not quiet:
        print(f"Inkproof: reading {data or 'data/'}", flush=True)

    from pipeline import dataset
    from pipeline import recipe as recipes
    from pipeline.console import Voice
    from pipeline.engine import cores
    from pipeline.stages import Settings, run

    voice = Voice(quiet=quiet)
    settings = Settings(
        recipe=recipes.load(recipe),
        sigmas=noise,
        repeats=repeats,
        holdout=holdout,
        seed=seed,
        jobs=jobs or cores(),
        submit_level=submit_level,
        submission=submission,
        command=shlex.join(["python", "main.py", *sys.argv[1:]]),
    )
    competition = dataset.load(data, label_column=label_column, id_column=id_column)
    if competition.is_sample and data is None:
        voice.say(
            "No data in data/: get Kaggle's files with `python main.py fetch`\n"
            f"(or put train.csv and test.csv there); going on with the embedded sample, {competition.name}."
        )
    voice.say(
        f"{competition.name}: {competition.train.n:,} labelled and {competition.test.n:,} unlabelled pictures of "
        f"{competition.train.side}×{competition.train.side}, {len(competition.train.classes)} classes"
    )
    outcome = run(competition, settings, voice)

    from pipeline.report.tables import terminal_report

    voice.result(
        terminal_report(
            outcome.grid,
            outcome.comparisons,
            data=competition.name,
            sample=competition.is_sample,
            width=voice.console.width,
        )
    )
    voice.say(f"Submitted level: σ {outcome.level:g} ({outcome.chosen_because}).")
    voice.say(f"Everything this run made: {outcome.folder}")
    print(f"Submission: {submission}")
    if competition.is_sample:
        voice.say("It answers the embedded sample: Kaggle has no competition for it.")
    else:
        message = f"Inkproof {outcome.folder.name}"
        send = ["kaggle", "competitions", "submit", "-c", competition.name, "-f", str(submission), "-m", message]
        voice.say(f"Send it to Kaggle with:\n  {shlex.join(send)}")
