"""A look at the data before training: what is found, its page, and the list of labels that are probably wrong."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.dataset import Competition
from pipeline.errors import UsageError
from pipeline.evaluation.data_look import drift, find_duplicates, find_odd
from pipeline.evaluation.label_errors import LabelErrors, label_errors
from pipeline.evaluation.robustness.calibration import cross_tempered
from pipeline.jobs.out_of_fold import OUT_OF_FOLD, read_out_of_fold
from pipeline.report.data_page import DataLook, data_page, sentences
from pipeline.runs.ledger import Ledger
from pipeline.storage import csv_text, write_text


def look_at(competition: Competition, to: Path, *, ledger: Ledger, run_id: str | None, seed: int) -> list[str]:
    """Write to/look.html and, with a run, to/label-errors.csv; what was found, in sentences.

    Raises UsageError for a run that has no out-of-fold answers, or answered other data.
    """
    train, test = competition.train, competition.test
    look = DataLook(
        name=competition.name,
        train=train.images,
        labels=train.labels,
        classes=train.classes,
        test=test.images,
        duplicates=find_duplicates(train.images, train.labels, test.images),
        odd_train=find_odd(train.images),
        odd_test=find_odd(test.images),
        drift=drift(train.images, test.images, rng=np.random.default_rng(seed)),
        errors=None if run_id is None else _label_errors(run_id, ledger, competition),
    )
    write_text(to / "look.html", data_page(look))
    found = [*sentences(look), f"The page, with pictures: {to / 'look.html'}"]
    if look.errors is not None:
        write_text(to / "label-errors.csv", _csv(look.errors, competition))
        found.append(f"The rows, the surest first, which `run --drop` takes: {to / 'label-errors.csv'}")
    return found


def _label_errors(run_id: str, ledger: Ledger, competition: Competition) -> LabelErrors:
    """Indices are those of train.csv's rows."""
    run = ledger.run(run_id)
    folder = ledger.folder / run.id
    if not (folder / OUT_OF_FOLD).exists():
        raise UsageError(f"Run {run.id} has no out-of-fold answers in {folder}: name a run made with --cv 5.")
    if run.data_fingerprint != competition.fingerprint:
        raise UsageError(f"Run {run.id} answered {run.data_name}, found {competition.name}: name its data with --data.")
    answers = read_out_of_fold(folder, run.results)
    # Confident learning takes probabilities for what they say, and label smoothing makes them too modest.
    probabilities, _ = cross_tempered(answers.probabilities, answers.labels)
    found = label_errors(probabilities, answers.labels)
    return replace(found, rows=answers.rows[found.rows])


def _csv(errors: LabelErrors, competition: Competition) -> str:
    classes, labels = competition.train.classes, competition.train.labels
    lines = [["row", "label", "suggested", "probability_of_label", "probability_of_suggested"]]
    for row, suggested, *both in zip(
        errors.rows.tolist(), errors.suggested, errors.of_label, errors.of_suggested, strict=True
    ):
        lines.append([row + 1, classes[labels[row]], classes[suggested], *(f"{share:.4f}" for share in both)])
    return csv_text(lines)
