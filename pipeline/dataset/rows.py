"""A CSV's rows → arrays, by array arithmetic over the file's bytes.

Nearly every file holds nothing but digits, commas and line ends, and then a cell's value follows from
its last three bytes. That is about three times as fast as a general CSV parser, and stricter: pandas
takes ' 7', '+7', '1e2' and rows that are too long. Whatever is not of that plain form (quotes, blank
cells, anything wrong) raises NotPlain inside this module, and exact.py reads the file instead, cell by
cell, and either understands it or names the first bad cell.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from math import isqrt
from typing import BinaryIO

import numpy as np

from pipeline.dataset import exact
from pipeline.dataset.columns import Layout, read_header
from pipeline.dataset.limits import MAX_LINE_BYTES, MAX_ROWS
from pipeline.dataset.source import Source, check_time
from pipeline.errors import DataError

BLOCK_BYTES = 2**19  # bytes decoded at a time: small enough for the working arrays to stay in the processor's cache

COMMA, NEWLINE, ZERO = b",\n0"


@dataclass(frozen=True)
class Table:
    """A CSV's rows.

    pixel_names: the pixel columns' names, p of them.
    pixels: (n, p) uint8, C-contiguous.
    key: (n,) the label or id column, int64 where all cells are whole numbers, else text; None without.
    key_name: that column's name; None without.
    pixels_sha256: of the bytes of `pixels`.
    """

    pixel_names: tuple[str, ...]
    pixels: np.ndarray
    key: np.ndarray | None
    key_name: str | None
    pixels_sha256: str

    @property
    def pictures(self) -> np.ndarray:
        """(n, side, side): the pixels of rows that are known to be square."""
        side = isqrt(len(self.pixel_names))
        return self.pixels.reshape(-1, side, side)


class NotPlain(Exception):
    """The bytes hold more than digits, commas and line ends."""


def read_table(source: Source, layout_of: Callable[[tuple[str, ...]], Layout]) -> Table:
    """Read all rows of `source`; `layout_of` tells from the header what each column is.

    Raises DataError, which names the first bad cell by row, line and column.
    """
    with source.damage_first():
        layout = layout_of(read_header(source))
        parts = list(blocks(source, layout))
    pixels = np.concatenate([pixels for pixels, _ in parts])
    digest = hashlib.sha256(pixels).hexdigest()
    if layout.key is None:
        return Table(layout.pixel_names, pixels, None, None, digest)
    key = key_array(list(chain.from_iterable(key for _, key in parts)))
    return Table(layout.pixel_names, pixels, key, layout.header[layout.key], digest)


def blocks(source: Source, layout: Layout) -> Iterator[tuple[np.ndarray, list[str]]]:
    """All rows of `source`, a block at a time: pixels (b, p) uint8 and the key column's cells, none without one.

    Raises DataError for the first bad cell, and where there is no row.
    """
    done = 0
    try:
        for pixels, key in _plain_blocks(source, layout):
            yield pixels, key
            done += len(pixels)
    except NotPlain:
        for pixels, key in exact.blocks(source, layout, skip=done):
            yield pixels, key
            done += len(pixels)
    if not done:
        raise DataError(
            f"{source} has a header but no rows below it, where one row for each picture is expected: "
            "download it again."
        )


def key_array(cells: list[str]) -> np.ndarray:
    """Label or id cells as int64 where every cell is an integer as Python writes it, else as text.

    '007' stays text, because a submission must repeat an id as it stood in the file.
    """
    with suppress(ValueError, OverflowError):
        numbers = [int(cell) for cell in cells]
        if [str(number) for number in numbers] == cells:
            return np.array(numbers, dtype=np.int64)
    return np.array(cells, dtype=np.str_)


def _plain_blocks(source: Source, layout: Layout) -> Iterator[tuple[np.ndarray, list[str]]]:
    """As `blocks`. Raises NotPlain, before the block that is not of the plain form, or beyond MAX_ROWS."""
    begin, done, rows = time.thread_time(), 0, 0
    with source.open() as file:
        file.readline()
        for block in _whole_lines(file):
            pixels, key = decode(block, layout)
            done, rows = done + len(block), rows + len(pixels)
            check_time(source, begin, done)
            if rows > MAX_ROWS or not all(map(exact.is_key, set(key))):
                raise NotPlain
            yield pixels, key


def _whole_lines(file: BinaryIO) -> Iterator[bytes]:
    """Blocks of whole lines, each ending in a newline; blank lines at the very end are left out."""
    rest = b""
    while more := file.read(BLOCK_BYTES):
        rest += more
        cut = rest.rstrip(b"\r\n").rfind(b"\n") + 1
        if cut:
            yield rest[:cut]
            rest = rest[cut:]
        if len(rest) > MAX_LINE_BYTES:  # a line, or blank lines, without end: exact.py says which
            raise NotPlain
    if rest := rest.rstrip(b"\r\n"):
        yield rest + b"\n"


def decode(block: bytes, layout: Layout) -> tuple[np.ndarray, list[str]]:
    """Decode whole lines into pixels (rows, p) uint8 and the key column's cells. Raises NotPlain.

    A pixel is 1 to 3 digits with a value up to 255; every line has as many cells as the header.
    """
    block = block.replace(b"\r\n", b"\n")
    if b'"' in block or b"\r" in block:
        raise NotPlain
    # For every byte at once: the value of the number that would end here, from this byte and the two
    # before. Three newlines in front let the first bytes look back as well.
    text = np.frombuffer(b"\n\n\n" + block, np.uint8)
    digit = text - np.uint8(ZERO)  # wraps around: whatever is no digit becomes greater than 9
    is_digit = digit <= 9
    digit *= is_digit
    value = digit[3:] + 10 * digit[2:-1] + np.uint16(100) * (digit[1:-2] * is_digit[2:-1])
    is_newline = text == NEWLINE
    is_end = is_newline | (text == COMMA)
    if (is_end[3:] & is_end[2:-1]).any():  # a blank cell or line
        raise NotPlain

    columns = len(layout.header)
    last = np.flatnonzero(is_end[4:])  # the last byte of every cell
    rows, beyond = divmod(len(last), columns)
    # As many newlines as rows, each after the last cell of a row: then every row has all its cells.
    after_row = is_newline[4:][last[columns - 1 :: columns]]
    if beyond or not after_row.all() or np.count_nonzero(is_newline[3:]) != rows:
        raise NotPlain

    four_digits = is_digit[3:] & is_digit[2:-1] & is_digit[1:-2] & is_digit[:-3]
    too_great = is_digit[3:] & (value > 255)
    unfit = np.flatnonzero(four_digits | too_great | ~(is_digit | is_end)[3:])
    column_of_unfit = np.searchsorted(last, unfit) % columns
    if (column_of_unfit != layout.key).any():  # a label or an id may be anything, a pixel may not
        raise NotPlain

    cells = value[last].reshape(rows, columns)
    pixels = cells[:, _as_slice(layout.pixels)].astype(np.uint8, order="C")
    if layout.key is None:
        return pixels, []
    starts = np.concatenate([[0], last[:-1] + 2])[layout.key :: columns]
    stops = last[layout.key :: columns] + 1
    try:
        key = [block[a:b].decode() for a, b in zip(starts.tolist(), stops.tolist(), strict=True)]
    except UnicodeDecodeError:
        raise NotPlain from None
    return pixels, key


def _as_slice(positions: tuple[int, ...]) -> slice | list[int]:
    """Neighbouring positions as a slice, which NumPy takes without gathering."""
    first, last = positions[0], positions[-1]
    return slice(first, last + 1) if last - first + 1 == len(positions) else list(positions)
