"""Which column of a CSV holds the label, which the id, and which are pixels."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt

from pipeline.dataset.limits import MAX_LINE_BYTES
from pipeline.dataset.source import Source
from pipeline.errors import DataError

LABEL_NAMES = ("label",)
ID_NAMES = ("id", "imageid")


@dataclass(frozen=True)
class Layout:
    """A header, the position of its one label or id column (None without), and those of its pixels."""

    header: tuple[str, ...]
    key: int | None
    pixels: tuple[int, ...]
    is_label: bool = False

    @property
    def pixel_names(self) -> tuple[str, ...]:
        return tuple(self.header[position] for position in self.pixels)


def read_header(source: Source) -> tuple[str, ...]:
    """The column names in the first line. Raises DataError when the file is empty or no CSV with commas."""
    with source.open() as file:
        line = file.readline(MAX_LINE_BYTES)
    if not line:
        raise DataError(
            f"{source} is empty where a header line such as label,pixel0,pixel1,… is expected: download it again."
        )
    try:
        text = line.decode("utf-8-sig").rstrip("\r\n")
        names = next(csv.reader([text], strict=True), [])
    except (UnicodeDecodeError, csv.Error):
        raise not_csv(source, repr(line[:24])) from None
    if len(names) < 2 or "\0" in text or len(line) == MAX_LINE_BYTES:
        raise not_csv(source, repr(text[:24]))
    if len(set(names)) < len(names) and all(re.fullmatch(r"[0-9]+(\.[0-9]+)?", name) for name in names):
        raise DataError(
            f"{source} has no header: its first line holds numbers as rows do, found {_few(names)}; put a line such as "
            "label,pixel0,pixel1,… above it."
        )
    return tuple(names)


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def not_csv(source: Source, found: str) -> DataError:
    """The error for a file that is something else altogether."""
    return DataError(
        f"{source} is not a CSV file: its first line must be UTF-8 text with column names between commas, "
        f"found {found}; take Kaggle's own file, or save the table as CSV."
    )


def train_layout(source: Source, header: tuple[str, ...], label_column: str | None, id_column: str | None) -> Layout:
    """Layout of train.csv: the label column, an id column that is left out, pixels else.

    The label column is `label_column`, or the first one named 'label' in any case. Raises DataError.
    """
    label = _find(source, header, label_column, LABEL_NAMES, "--label-column")
    if label is None:
        is_like_pictures = any(isqrt(n) ** 2 == n > 0 for n in (len(header) - 1, len(header) - 2))
        advice = "the label's column with --label-column" if is_like_pictures else "other data, whose rows are pictures"
        raise DataError(f"{source} has no column named 'label' in its first line, found {_few(header)}: name {advice}.")
    # Train rows often carry no id even where test rows do, so a given name need not be here.
    given_here = id_column if id_column in header else None
    left_out = {label, _find(source, header, given_here, ID_NAMES, "--id-column")}
    return _square(source, header, label, left_out)


def test_layout(source: Source, header: tuple[str, ...], label_column: str | None, id_column: str | None) -> Layout:
    """Layout of test.csv: an id column where there is one, pixels else. Raises DataError, also for a label column."""
    layout = rows_layout(source, header, label_column, id_column)
    labels = set(range(len(header))) - {layout.key, *layout.pixels}
    if labels:
        raise DataError(
            f"{source} has a label column, {header[labels.pop()]!r}, where test rows are those whose label is to be "
            "predicted: remove the column."
        )
    return layout


def rows_layout(source: Source, header: tuple[str, ...], label_column: str | None, id_column: str | None) -> Layout:
    """Layout of any rows: an id column and a label column, which is left out, where they are there; pixels else."""
    key = _find(source, header, id_column, ID_NAMES, "--id-column")
    label = _find(source, header, None, ((label_column or "label").lower(),), "--label-column")
    # The width is not checked for being square: a difference to other rows is the better message.
    return Layout(header, key, tuple(i for i in range(len(header)) if i not in (key, label)))


def _find(
    source: Source, header: tuple[str, ...], given: str | None, usual: tuple[str, ...], option: str
) -> int | None:
    """Position of the column `given`, else of the first one with a usual name, else None."""
    if given is not None and given not in header:
        raise DataError(
            f"{source} has no column {given!r}, found {', '.join(header[:3])}, …: correct {option}, or leave it out."
        )
    if given is not None:
        return header.index(given)
    return next((i for i, name in enumerate(header) if name.strip().lower() in usual), None)


def _square(source: Source, header: tuple[str, ...], key: int, left_out: set[int | None]) -> Layout:
    pixels = tuple(i for i in range(len(header)) if i not in left_out)
    side = isqrt(len(pixels))
    if side == 0 or side * side != len(pixels):
        colour = isqrt(len(pixels) // 3)
        advice = "check that no column is missing, and name an id column with --id-column"
        if colour > 1 and 3 * colour**2 == len(pixels):
            advice = f"as many have pictures of {colour}×{colour} in three colours, so make them grey first"
        raise DataError(
            f"{source} has {len(pixels)} pixel columns where a square picture is needed (such as 8×8 = 64 or "
            f"28×28 = 784): {advice}."
        )
    return Layout(header, key, pixels, is_label=True)
