"""What `look` says of the data: for the terminal, and as one self-contained page with pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.errors import counted
from pipeline.evaluation.data_look import Duplicates, OddRows
from pipeline.evaluation.label_errors import LabelErrors
from pipeline.evaluation.statistics import Estimate
from pipeline.report.page import render
from pipeline.report.page_pictures import data_uri

SHOWN = 40  # pictures of a kind; four times as many wrong labels
ZOOM = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class DataLook:
    """What was found in a competition's data.

    train, test (n, side, side) uint8; labels (n,) of train, indices into classes (k,). odd_train, odd_test: of each
    file; errors: None without a run.
    """

    name: str
    train: np.ndarray
    labels: np.ndarray
    classes: np.ndarray
    test: np.ndarray
    duplicates: Duplicates
    odd_train: OddRows
    odd_test: OddRows
    drift: Estimate
    errors: LabelErrors | None = None


def sentences(look: DataLook) -> list[str]:
    """The findings, one a line. Rows are counted from 1, as they stand in the files."""
    double, names, area = look.duplicates, look.classes.tolist(), look.drift
    counts = np.bincount(look.labels, minlength=len(names))
    fewest, most = int(counts.argmin()), int(counts.argmax())
    lines = [
        f"{look.name}: {len(look.train):,} labelled and {len(look.test):,} unlabelled pictures of "
        f"{look.train.shape[1]}×{look.train.shape[1]}, {len(names)} classes.",
        f"Balance: {counts[fewest]:,} ({names[fewest]}) to {counts[most]:,} ({names[most]}) rows a class; always "
        f"answering {names[most]} is right in {counts[most] / len(look.train):.2%}.",
        f"Duplicates: {counted(len(double.train), 'row')} of train, {len(double.test):,} of test like an earlier one; "
        f"{counted(len(double.across), 'test row')} in train as well; {counted(len(double.conflicts), 'row')} of train "
        "elsewhere with another label.",
    ]
    for name, odd in (("train", look.odd_train), ("test", look.odd_test)):
        lines.append(
            f"Odd in {name}: {len(odd.blank):,} blank, {len(odd.inverted):,} inverted, {len(odd.cut_off):,} that reach "
            "the edge and may be cut off."
        )
    lines.append(
        f"Drift: a classifier {'tells them apart' if area.low > 0.5 else 'cannot tell them apart'}, test from train: "
        f"AUC {area.value:.3f} (95 % interval {area.low:.3f} to {area.high:.3f}; 0.5 is chance)."
    )
    if look.errors is not None:
        wrong = counted(len(look.errors.rows), "doubtful label")
        lines.append(f"Labels: {wrong} (confident learning, Northcutt 2021): look at the pictures.")
    return lines


def data_page(look: DataLook) -> str:
    """The page's HTML: the sentences, the classes' mean pictures, and examples of what is odd."""
    of_class = [look.train[look.labels == place] for place in range(len(look.classes))]
    means = np.rint([rows.mean(axis=0) for rows in of_class]).astype(np.uint8)
    counts = [f"{name}: {len(rows):,}" for name, rows in zip(look.classes, of_class, strict=True)]
    galleries = [("Mean pictures, and rows", _pictures(means, counts))]
    double = look.duplicates
    for title, images, rows in (
        ("Repeated in train", look.train, double.train),
        ("Two labels for one picture", look.train, double.conflicts),
        ("Test rows that stand in train", look.test, double.across),
        ("Blank in train", look.train, look.odd_train.blank),
        ("Inverted in train", look.train, look.odd_train.inverted),
        ("Perhaps cut off in train", look.train, look.odd_train.cut_off),
        ("Blank in test", look.test, look.odd_test.blank),
        ("Inverted in test", look.test, look.odd_test.inverted),
        ("Perhaps cut off in test", look.test, look.odd_test.cut_off),
    ):
        said = [f": {look.classes[look.labels[row]]}" if images is look.train else "" for row in rows]
        captions = [f"row {row + 1:,}{label}" for row, label in zip(rows, said, strict=True)]
        galleries.append((f"{title}: {len(rows):,}", _pictures(images[rows[:SHOWN]], captions)))
    if look.errors is not None:
        rows, suggested = look.errors.rows, look.classes[look.errors.suggested]
        captions = [
            f"row {row + 1:,}: {look.classes[look.labels[row]]}, rather {label}"
            for row, label in zip(rows, suggested, strict=True)
        ]
        title = f"Probably wrong labels: {len(rows):,}"
        galleries.append((title, _pictures(look.train[rows[: 4 * SHOWN]], captions)))
    size = ZOOM * look.train.shape[1]
    return render("look.html", name=look.name, lines=sentences(look), galleries=galleries, size=size)


def _pictures(images: np.ndarray, captions: Sequence[str]) -> list[tuple[str, str]]:
    """Data URIs of the images (n, side, side) uint8, each with its caption, of which there may be more."""
    return [(data_uri(image), caption) for image, caption in zip(images, captions, strict=False)]
