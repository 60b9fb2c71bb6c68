"""Labelled rows from elsewhere, to train on beside a competition's own, and rows of its own not to train on."""

from contextlib import closing
from math import isqrt
from pathlib import Path

import numpy as np

from pipeline.dataset.columns import Layout, train_layout
from pipeline.dataset.digits import Digits
from pipeline.dataset.exact import records
from pipeline.dataset.rows import Table, read_table
from pipeline.dataset.source import Source
from pipeline.errors import DataError

SHOWN_CLASSES = 20


def read_extra(
    path: Path | str, train: Digits, *, label_column: str | None = None, id_column: str | None = None
) -> Digits:
    """The rows of the CSV at `path`, which are to be trained on beside `train`.

    The file has a label column (`label_column` where it has one of that name, else 'label'), perhaps an id
    column, and pixels row by row, as the drawing page exports corrections and as Kaggle writes train.csv. Gives
    images (n, side, side) uint8 with labels as indices into `train.classes`; a class may be missing or stand in
    a single row. Raises DataError where the file is not of that form, its side is not that of `train`, or a
    label is none of the classes.
    """
    source = Source(Path(path))

    def layout_of(header: tuple[str, ...]) -> Layout:
        return train_layout(source, header, label_column if label_column in header else None, id_column)

    table = read_table(source, layout_of)
    side = isqrt(len(table.pixel_names))
    if side != train.side:
        raise DataError(
            f"{source} has {len(table.pixel_names):,} pixel columns ({side}×{side}) where the competition's rows have "
            f"{train.side**2:,} ({train.side}×{train.side}), and both need the same: give rows of pictures of that "
            "size, such as a page that serves a network of this competition exports."
        )
    return Digits(table.pictures, _places(table, train.classes, source), train.classes)


def _places(table: Table, classes: np.ndarray, source: Source) -> np.ndarray:
    """The index (n,) int64 into `classes` of each row's label. Raises DataError for another label."""
    # As text, because one word among the labels makes text of all of them.
    place_of = {str(name): place for place, name in enumerate(classes.tolist())}
    places = np.array([place_of.get(str(label), -1) for label in table.key.tolist()], np.int64)
    if (places < 0).any():
        row = int((places < 0).argmax())
        more = ", …" if len(classes) > SHOWN_CLASSES else ""
        raise DataError(
            f"{source}, row {row + 1}, column {table.key_name!r} must be one of the competition's classes "
            f"{', '.join(list(place_of)[:SHOWN_CLASSES])}{more}, found {str(table.key[row])[:20]!r}: correct the label "
            "or remove the row."
        )
    return places


def read_dropped(path: Path | str, train: Digits) -> np.ndarray:
    """The rows that the CSV at `path` names, as sorted indices (d,) of `train`.

    Its column `row` counts them from 1, as they stand below the header of train.csv; where it has a column `label`, as
    the list of doubtful labels has, the labels must be those of the rows. Raises DataError for another file, for rows
    that are not there, and for a class of which fewer than two rows would stay.
    """
    source = Source(Path(path))
    with closing(records(source)) as lines:
        header = next(lines, ("", []))[1]
        if "row" not in header:
            raise DataError(f"{source} must have a column 'row', found {', '.join(header)[:40]!r}: see `look --run`.")
        named = [(where, dict(zip(header, cells, strict=False))) for where, cells in lines]
    rows = np.array([_row(where, cells, train) for where, cells in named], np.int64)
    left = np.bincount(np.delete(train.labels, rows), minlength=len(train.classes))
    if left.min() < 2:
        raise DataError(
            f"{source} leaves {left.min()} of class {train.classes[left.argmin()]}, where 2 of each are needed: take "
            "rows of it out of the file."
        )
    return np.unique(rows)


def _row(where: str, cells: dict[str, str], train: Digits) -> int:
    """The index of the row that a line names."""
    text = cells.get("row", "")
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= train.n):
        raise DataError(f"{where}, column 'row' must be 1 to {train.n:,}, found {text[:20]!r}: correct it.")
    row = int(text) - 1
    label = str(train.classes[train.labels[row]])
    if cells.get("label", label) != label:
        raise DataError(
            f"{where} gives row {text} the label {cells['label'][:20]!r}, which is {label!r} in the data: name the "
            "data that the file is of with --data."
        )
    return row
