"""The reference implementation of rows.py: reads a CSV cell by cell, and names the first bad cell.

It takes what the csv module takes (quotes, any line end) and sets the rules that both follow:
- a pixel is a whole number from 0 to 255, written in at most three digits and nothing else;
- a label or id is a whole number or a word: not blank, no space around it, no fraction, NaN or infinity;
- every row has as many cells as the header; blank lines may only stand at the end.
"""

import csv
import re
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import islice

import numpy as np

from pipeline.dataset.columns import Layout
from pipeline.dataset.limits import MAX_BLANK_LINES, MAX_KEY_LETTERS, MAX_LINE_BYTES, MAX_ROWS
from pipeline.dataset.source import Source, check_time
from pipeline.errors import DataError

PIXELS = {f"{value:0{width}d}": value for width in (1, 2, 3) for value in range(256)}
PIXELS |= {f"{value}.0": value for value in range(256)}
"""Every way to write a pixel: '7', '07' and '007' are 7, and so is '7.0', as pandas writes a column of floats."""

BLOCK_ROWS = 1000
SHOWN = 20  # characters of a bad cell that an error shows


def is_key(cell: str) -> bool:
    """Whether `cell` may be a label or an id: a whole number or a word, of letters and signs that can be seen."""
    if not cell or cell != cell.strip() or not cell.isprintable() or len(cell) > MAX_KEY_LETTERS:
        return False
    if re.fullmatch(r"-?[0-9]+", cell):
        return True
    if re.match(r"[=+@].*[0-9]", cell):  # a spreadsheet's formula
        return False
    try:
        float(cell)  # '1.5', '3.0', '1e5', 'nan', 'inf': a damaged number, not the name of a class
    except ValueError:
        return True
    return False


def records(source: Source) -> Iterator[tuple[str, list[str]]]:
    """The records of a CSV, the header first: where each stands, for a message, and its cells. Raises DataError.

    Blank lines may stand at the end alone.
    """
    begin, blank_line = time.thread_time(), ""
    number = blanks = letters = done = 0
    with source.open_text() as text:

        def lines() -> Iterator[str]:
            nonlocal letters, done
            while line := text.readline(MAX_LINE_BYTES + 1):
                letters, done = letters + len(line), done + len(line)
                check_time(source, begin, done)
                if letters > MAX_LINE_BYTES:
                    raise DataError(
                        f"{source}, row {number} has more than {MAX_LINE_BYTES:,} letters, where a row of pixels has "
                        "far fewer: check that lines end and that quotation marks are closed, or download it again."
                    )
                yield line

        reader = csv.reader(lines(), strict=True)
        try:
            for cells in reader:
                where = f"{source}, row {number} (line {reader.line_num})" if number else f"{source}, the header"
                letters = 0
                if not cells:
                    blank_line = blank_line or where
                    blanks += 1
                if blank_line and (cells or blanks > MAX_BLANK_LINES):
                    raise DataError(f"{blank_line} is blank where a row is expected: remove the blank line.")
                if number > MAX_ROWS:
                    raise DataError(
                        f"{source} has more than the {MAX_ROWS:,} rows that are allowed: take a part of them."
                    )
                if cells:
                    yield where, cells
                    number += 1
        except UnicodeDecodeError:
            raise DataError(
                f"{source} holds bytes that are not UTF-8 text after row {max(number - 1, 0)}, where only text "
                "is allowed: download it again, or save the table as CSV in UTF-8."
            ) from None
        except csv.Error as error:
            raise DataError(
                f"{source}, row {number} (line {reader.line_num}) is not CSV ({error}) where "
                "cells between commas are expected: correct the line or download the file again."
            ) from None


def blocks(source: Source, layout: Layout, *, skip: int = 0) -> Iterator[tuple[np.ndarray, list[str]]]:
    """The rows after the first `skip`, a block at a time, as rows.blocks gives them. Raises DataError."""
    with closing(records(source)) as rows:
        rows = islice(rows, 1 + skip, None)
        while several := list(islice(rows, BLOCK_ROWS)):
            key: list[str] = []
            pixels = bytearray().join(_read_row(cells, layout, where, key) for where, cells in several)
            yield np.frombuffer(pixels, np.uint8).reshape(-1, len(layout.pixels)), key


def _read_row(row: list[str], layout: Layout, where: str, key: list[str]) -> bytes:
    """One row's pixels as bytes; its key cell is appended to `key`."""
    if len(row) != len(layout.header):
        raise DataError(
            f"{where} has {len(row)} cells where the header has {len(layout.header)}: every row needs one "
            "cell for each column, so correct the row or download the file again."
        )
    if layout.key is not None:
        cell = row[layout.key]
        if layout.is_label and re.fullmatch(r"-?[0-9]+\.0", cell):
            cell = cell.removesuffix(".0")  # pandas again
        check_key(where, layout.header[layout.key], cell)
        key.append(cell)
    cells = [row[position] for position in layout.pixels]
    try:
        return bytes([PIXELS[cell] for cell in cells])
    except KeyError:
        bad = next(i for i, cell in enumerate(cells) if cell not in PIXELS)
        raise _bad_cell(where, layout.pixel_names[bad], "a pixel, a whole number from 0 to 255", cells[bad]) from None


def check_key(where: str, column: str, cell: str) -> None:
    """Raise DataError for a cell that is no label and no id."""
    if not is_key(cell):
        raise _bad_cell(where, column, "a whole number or a word", cell)


def _bad_cell(where: str, column: str, allowed: str, cell: str) -> DataError:
    shown = cell if len(cell) <= SHOWN else cell[:SHOWN] + "…"
    found = repr(shown) if cell else "a blank cell"
    advice = "correct the cell or download the file again"
    with suppress(ValueError):
        if "pixel" in allowed and float(cell) % 1 > 0:
            advice = "pixels that were scaled must be brought back to whole numbers"
    return DataError(f"{where}, column {column!r} must be {allowed}, found {found}: {advice}.")
