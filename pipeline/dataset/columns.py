"""Which column of a CSV holds the label, which the id, and which are pixels."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from math import isqrt

from pipeline.dataset.source import Source
from pipeline.errors import DataError

LABEL_NAMES = ("label",)
ID_NAMES = ("id", "imageid")
MAX_HEADER_BYTES = 2**20


@dataclass(frozen=True)
class Layout:
    """A header, the position of its one label or id column (None without), and those of its pixels."""

    header: tuple[str, ...]
    key: int | None
    pixels: tuple[int, ...]

    @property
    def pixel_names(self) -> tuple[str, ...]:
        return tuple(self.header[position] for position in self.pixels)


def read_header(source: Source) -> tuple[str, ...]:
    """The column names in the first line. Raises DataError when the file is empty or no CSV with commas."""
    with source.open() as file:
        line = file.readline(MAX_HEADER_BYTES)
    if not line:
        raise DataError(
            f"{source} is empty where a header line such as label,pixel0,pixel1,… is expected: download it again."
        )
    try:
        text = line.decode("utf-8-sig").rstrip("\r\n")
        names = next(csv.reader([text], strict=True), [])
    except (UnicodeDecodeError, csv.Error):
        raise not_csv(source, repr(line[:24])) from None
    if len(names) < 2 or "\0" in text:
        raise not_csv(source, repr(text[:24]))
    return tuple(names)


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
        shown = ", ".join(header[:3]) + (", …" if len(header) > 3 else "")
        raise DataError(
            f"{source} has no column named 'label' in its first line, found {shown}: name the label's column "
            "with --label-column."
        )
    # Train rows often carry no id even where test rows do, so a given name need not be here.
    given_here = id_column if id_column in header else None
    left_out = {label, _find(source, header, given_here, ID_NAMES, "--id-column")}
    return _square(source, header, label, left_out)


def test_layout(source: Source, header: tuple[str, ...], id_column: str | None) -> Layout:
    """Layout of test.csv: an id column where there is one, pixels else. Raises DataError."""
    key = _find(source, header, id_column, ID_NAMES, "--id-column")
    # The width is not checked for being square: a difference to train.csv is the better message.
    return Layout(header, key, tuple(i for i in range(len(header)) if i != key))


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
        raise DataError(
            f"{source} has {len(pixels)} pixel columns where a square picture is needed (such as 8×8 = 64 or "
            "28×28 = 784): check that no column is missing, and name an id column with --id-column."
        )
    return Layout(header, key, pixels)
