"""The reference implementation of rows.py: reads a CSV cell by cell, and names the first bad cell.

It takes what the csv module takes (quotes, any line end) and sets the rules that both follow:
- a pixel is a whole number from 0 to 255, written in at most three digits and nothing else;
- a label or id is a whole number or a word: not blank, no space around it, no fraction, NaN or infinity;
- every row has as many cells as the header; blank lines may only stand at the end.
"""

from __future__ import annotations

import csv
import re

import numpy as np

from pipeline.dataset.columns import Layout
from pipeline.dataset.source import Source
from pipeline.errors import DataError

PIXELS = {f"{value:0{width}d}": value for width in (1, 2, 3) for value in range(256)}
"""Every way to write a pixel: '7', '07' and '007' are 7."""

SHOWN = 20
"""Characters of a bad cell that an error shows."""


def is_key(cell: str) -> bool:
    """Whether `cell` may be a label or an id: a whole number or a word."""
    if not cell or cell != cell.strip():
        return False
    if re.fullmatch(r"-?[0-9]+", cell):
        return True
    try:
        float(cell)  # '1.5', '3.0', '1e5', 'nan', 'inf': a damaged number, not the name of a class
    except ValueError:
        return True
    return False


def read_rows(source: Source, layout: Layout) -> tuple[np.ndarray, list[str] | None]:
    """All rows as pixels (n, p) uint8 and the key column's cells (None without one). Raises DataError."""
    pixel_rows: list[bytes] = []
    key: list[str] = []
    blank_line = None
    with source.open_text() as text:
        reader = csv.reader(text, strict=True)
        try:
            next(reader)
            for row in reader:
                where = f"{source}, row {len(pixel_rows) + 1} (line {reader.line_num})"
                if not row:
                    blank_line = blank_line or where
                    continue
                if blank_line:
                    raise DataError(f"{blank_line} is blank where a row is expected: remove the blank line.")
                pixel_rows.append(_read_row(row, layout, where, key))
        except UnicodeDecodeError:
            raise DataError(
                f"{source} holds bytes that are not UTF-8 text after row {len(pixel_rows)}, where only text "
                "is allowed: download it again, or save the table as CSV in UTF-8."
            ) from None
        except csv.Error as error:
            raise DataError(
                f"{source}, row {len(pixel_rows) + 1} (line {reader.line_num}) is not CSV ({error}) where "
                "cells between commas are expected: correct the line or download the file again."
            ) from None
    pixels = np.frombuffer(bytearray().join(pixel_rows), np.uint8).reshape(-1, len(layout.pixels))
    return pixels, None if layout.key is None else key


def _read_row(row: list[str], layout: Layout, where: str, key: list[str]) -> bytes:
    """One row's pixels as bytes; its key cell is appended to `key`."""
    if len(row) != len(layout.header):
        raise DataError(
            f"{where} has {len(row)} cells where the header has {len(layout.header)}: every row needs one "
            "cell for each column, so correct the row or download the file again."
        )
    if layout.key is not None:
        if not is_key(row[layout.key]):
            raise _bad_cell(where, layout.header[layout.key], "a whole number or a word", row[layout.key])
        key.append(row[layout.key])
    cells = [row[position] for position in layout.pixels]
    try:
        return bytes([PIXELS[cell] for cell in cells])
    except KeyError:
        bad = next(i for i, cell in enumerate(cells) if cell not in PIXELS)
        raise _bad_cell(where, layout.pixel_names[bad], "a pixel, a whole number from 0 to 255", cells[bad]) from None


def _bad_cell(where: str, column: str, allowed: str, cell: str) -> DataError:
    shown = cell if len(cell) <= SHOWN else cell[:SHOWN] + "…"
    found = repr(shown) if cell else "a blank cell"
    return DataError(
        f"{where}, column {column!r} must be {allowed}, found {found}: correct the cell or download the file again."
    )
