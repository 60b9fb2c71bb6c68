"""`predict`: what picture files show."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.options import model_option, options

if TYPE_CHECKING:
    from pipeline.errors import DataError
    from pipeline.prediction.reader import Answer, Reader
    from pipeline.report.prediction_sheet import Card
    from pipeline.report.predictions import Row


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH…")
@options(
    model_option,
    click.option("--threshold", type=click.FloatRange(0, 1), help="Probability from which an answer is sure; by "
                 "default the one measured when the model was trained."),
    click.option("--split", is_flag=True, help="Read rows of digits: one answer for each digit, from left to right."),
    click.option("--labels-from", type=click.Choice(["file", "folder"]), help="Take true labels from the first "
                 "character of file names, or from the folders' names, and score."),
    click.option("--csv", "as_csv", is_flag=True, help="Print CSV; scores go to standard error."),
    click.option("--json", "as_json", is_flag=True, help="Print a JSON array; scores go to standard error."),
    click.option("--show", type=click.Path(path_type=Path, dir_okay=False), metavar="PNG",
                 help="Write a sheet with each picture, what the networks saw of it, and what spoke for the answer."),
)  # fmt: skip
def command(
    paths: tuple[str, ...],
    model: str | None,
    threshold: float | None,
    split: bool,
    labels_from: str | None,
    as_csv: bool,
    as_json: bool,
    show: Path | None,
) -> None:
    """Say which digit each picture shows, how sure that is, and what may be wrong with the picture.

    PATH is a picture file, a folder (all pictures below it), a pattern such as "scans/*.png", or - for standard
    input, which may hold a picture or the paths of pictures, one a line. A file that cannot be read is told on
    standard error; the others are read all the same, and the exit code is 1. Named twice, it is read once.
    """
    if as_csv and as_json:
        raise click.UsageError("--csv and --json exclude each other: choose one.")
    if split and labels_from:
        raise click.UsageError("--labels-from gives one label a picture, --split several digits: choose one.")

    from pipeline.errors import DataError
    from pipeline.prediction import reader as prediction
    from pipeline.report import predictions
    from pipeline.report.prediction_sheet import MOST_CARDS
    from pipeline.runs.run_folder import RUNS

    reader = prediction.load_reader(model, RUNS, threshold=threshold)
    rows, scored, cards, faults = [], [], [], 0
    for found in _pictures(paths):
        try:
            if isinstance(found, DataError):
                raise found
            path, content = found
            answers = prediction.read_picture(reader, path, content=content, split=split)
            rows += [answer.row() for answer in answers]
            if show:
                cards += [_card(reader, answer) for answer in answers[: MOST_CARDS - len(cards)]]
            if labels_from:
                place = prediction.label_in_name(path, reader.labels, folder=labels_from == "folder")
                scored.append((rows[-1], reader.labels[place]))
        except DataError as error:
            faults += 1
            print(f"Error: {error}", file=sys.stderr)

    if as_json:
        click.echo(predictions.as_json(rows), nl=False)
    elif as_csv:
        click.echo(predictions.as_csv(rows, prediction.FIELDS), nl=False)
    elif rows:
        _print_table(reader, rows)
    if scored:
        lines = predictions.score_lines(*zip(*scored, strict=True), reader.labels)
        click.echo("\n".join(lines), err=as_csv or as_json)
    if show and cards:
        _write_sheet(show, cards, reader.source, left_out=len(rows) - len(cards), quiet=as_csv or as_json)
    if faults:
        sys.exit(1)


def _pictures(paths: tuple[str, ...]) -> Iterator[tuple[str, bytes | None] | DataError]:
    """Path and, from standard input, content of every picture asked for, each once; or the fault of a path."""
    from pipeline.errors import DataError
    from pipeline.prediction import reader as prediction
    from pipeline.prediction.picture import Limits

    seen = set()
    for path in paths:
        names = [path]
        if path == prediction.STDIN:
            try:
                given = prediction.names_or_picture(sys.stdin.buffer.read(Limits().max_bytes + 1))
            except DataError as error:
                yield error
                continue
            if isinstance(given, bytes):
                yield path, given
                continue
            names = given
        for found in prediction.find_pictures(names):
            if isinstance(found, DataError):
                yield found
            elif found not in seen:
                seen.add(found)
                yield found, None


def _print_table(reader: Reader, rows: list[Row]) -> None:
    from pipeline.jobs.progress import plain_console
    from pipeline.prediction.picture import SEVERAL
    from pipeline.report.predictions import as_table, percent

    # A pipe has no width: nothing may be cut off there.
    console = plain_console(None if sys.stdout.isatty() else 400)
    console.print(as_table(rows))
    console.print(f"Sure from {percent(reader.threshold)} on. Read by {reader.source}")
    if any(row["verdict"] == SEVERAL for row in rows):
        console.print("With --split, the digits of a row are read one by one.")


def _card(reader: Reader, answer: Answer) -> Card:
    from pipeline.prediction.inside import look_inside
    from pipeline.report.prediction_sheet import MOST_UNITS, Card
    from pipeline.report.predictions import percent

    row, prepared = answer.row(), answer.prepared
    second = f"{row['runner_up']} {percent(row['runner_up_probability'])}"
    lines = (
        row["path"],
        f"{row['label']} {percent(row['probability'])}, then {second}: {row['verdict']}",
        ", ".join(row["warnings"]),
    )
    seen = look_inside(reader.models[0].network, answer.image, answer.first, most=MOST_UNITS // 2)
    units = [(unit.ink, unit.contribution) for unit in (*seen.spoke_for, *seen.against)]
    return Card(answer.grey, prepared.box, prepared.image, reader.saliency(answer), lines, units)


def _write_sheet(path: Path, cards: list[Card], source: str, *, left_out: int, quiet: bool) -> None:
    from pipeline.report.contact_sheet import save_sheet
    from pipeline.report.prediction_sheet import prediction_sheet

    save_sheet(prediction_sheet(cards, title=f"Read by {source}"), path)
    left = f" (the first {len(cards):,}; {left_out:,} more are not on it)" if left_out else ""
    click.echo(f"Sheet: {path}{left}", err=quiet)
