"""`python main.py look`: what the data are, before anything is trained."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.options import data_options, seed_option

if TYPE_CHECKING:
    from pipeline.dataset import Competition
    from pipeline.evaluation.label_errors import LabelErrors


@click.command("look", short_help="Look at the data before training.")
@data_options
@click.option("--run", "run_id", metavar="RUN", help="A cross-validation (run --cv 5) of these data: also the rows "
              "whose label is probably wrong, from its out-of-fold answers.")  # fmt: skip
@click.option("--runs", type=click.Path(path_type=Path), default="runs", show_default=True,
              help="Folder of the ledger.")  # fmt: skip
@click.option("--to", type=click.Path(path_type=Path), default="look", show_default=True,
              help="Folder for the page, and for label-errors.csv with --run.")  # fmt: skip
@seed_option
def command(run_id: str | None, runs: Path, to: Path, seed: int, **data: Any) -> None:
    """Count the classes, find duplicates within and between train and test, odd pictures and drift, and write a page
    with the pictures. With --run, list the training rows whose label is probably wrong."""
    click.echo(f"Inkproof: looking at {data['data'] or 'data/'}")
    import textwrap

    import numpy as np

    from pipeline.dataset import load
    from pipeline.evaluation.data_look import drift, find_duplicates, find_odd
    from pipeline.report.data_page import DataLook, data_page, sentences
    from pipeline.storage import write_text

    competition = load(**data)
    train, test = competition.train, competition.test
    look = DataLook(
        data=competition,
        duplicates=find_duplicates(train.images, train.labels, test.images),
        odd_train=find_odd(train.images),
        odd_test=find_odd(test.images),
        drift=drift(train.images, test.images, rng=np.random.default_rng(seed)),
        errors=None if run_id is None else _label_errors(run_id, runs, competition),
    )
    for line in sentences(look):
        click.echo(textwrap.fill(line, 80, subsequent_indent="  "))
    write_text(to / "look.html", data_page(look))
    click.echo(f"The page, with pictures: {to / 'look.html'}")
    if look.errors is not None:
        write_text(to / "label-errors.csv", _csv(look.errors, competition))
        click.echo(f"The rows, the surest first: {to / 'label-errors.csv'}")


def _label_errors(run_id: str, runs: Path, competition: Competition) -> LabelErrors:
    """Indices are those of train.csv's rows. Raises UsageError for a run that has no such answers, or other data."""
    from dataclasses import replace

    import numpy as np

    from pipeline.errors import UsageError
    from pipeline.evaluation.label_errors import label_errors
    from pipeline.runs.ledger import Ledger

    run = Ledger(runs).run(run_id)
    path = runs / run.id / "out_of_fold.npz"
    if not path.exists():
        raise UsageError(f"Run {run.id} has no out-of-fold answers ({path}): name a run made with --cv 5.")
    if run.data_fingerprint != competition.fingerprint:
        raise UsageError(f"Run {run.id} answered {run.data_name}, found {competition.name}: name its data with --data.")
    with np.load(path) as answers:
        rows, labels = answers["rows"], answers["labels"]
        probabilities = answers["ensemble" if "ensemble" in answers else "committee"]
    found = label_errors(probabilities, labels)
    return replace(found, rows=rows[found.rows])


def _csv(errors: LabelErrors, competition: Competition) -> str:
    classes, labels = competition.train.classes, competition.train.labels
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["row", "label", "suggested", "probability_of_label", "probability_of_suggested"])
    for row, suggested, *both in zip(
        errors.rows.tolist(), errors.suggested, errors.of_label, errors.of_suggested, strict=True
    ):
        writer.writerow([row + 1, classes[labels[row]], classes[suggested], *(f"{share:.4f}" for share in both)])
    return buffer.getvalue()
