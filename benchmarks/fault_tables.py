"""Hostile tables: CSV files that are taken apart and put together wrong, and what other code reads in them."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.dataset import load, read_extra

ROWS, SIDE, CLASSES = 14, 3, (0, 1, 4)

CELLS = (
    "", " ", "0", "00", "007", "255", "256", "300", "-1", "-0", "1.0", "1.5", "7.00", ".5", "1e2", "1_0", "+7", " 7",
    "7 ", "\t7", "0x1", "0b1", "01", "1,000", '"1,000"', '"7"', '""', '"', "1%", "NA", "nan", "NaN", "inf", "null",
    "None", "True", "1\u200b", "\ufeff1", "1\u00a0", "٥", "１", "²", "½", "Ⅷ", "a", "Ä", "\0", "1;7", "1\t7", "=5+0",
    "@1", "'1", "1\r", "\x1b[2J", "9" * 19, "9" * 20, "18446744073709551615", "-9223372036854775809", "9" * 400,
    "x" * 300, "label", "id",
)  # fmt: skip
MISSING = {"NA", "N/A", "nan", "null", "None", "NULL"}


@dataclass(frozen=True, kw_only=True)
class Reader:
    """make(rng, folder) → the path to read; read(path) and expect(path) → what stands there, to be equal."""

    make: Callable[[np.random.Generator, Path], Path]
    read: Callable[[Path], Any]
    expect: Callable[[Path], Any]


class Refused(Exception):
    """What the other code raises for a file that no reader may take."""


# Bytes and text


def bend(content: bytes, rng: np.random.Generator) -> bytes:
    """Bytes with a few of them flipped, cut out, doubled or put in, or with the end missing."""
    spoilt = bytearray(content)
    for _ in range(min(rng.geometric(0.6), 4)):
        place = int(rng.integers(len(spoilt) + 1))
        kind = rng.integers(6)
        if kind == 0:
            del spoilt[place:]
        elif kind == 1:
            spoilt[place : place + int(rng.integers(1, 20))] = b""
        elif kind == 2:
            spoilt[place:place] = rng.bytes(int(rng.integers(1, 9)))
        elif kind == 3:
            spoilt[place:place] = spoilt[place : place + int(rng.integers(1, 60))]
        elif place < len(spoilt):
            spoilt[place] ^= 1 << int(rng.integers(8))
    return bytes(spoilt)


def pick(rng: np.random.Generator, choices: Any) -> Any:
    return choices[int(rng.integers(len(choices)))]


# Tables


def table(rng: np.random.Generator, *, label: bool, ids: bool) -> list[list[str]]:
    names = (["label"] if label else []) + (["id"] if ids else []) + [f"pixel{i}" for i in range(SIDE**2)]
    rows = [names]
    for row in range(ROWS if label else 5):
        key = ([str(CLASSES[row % len(CLASSES)])] if label else []) + ([str(100 + row)] if ids else [])
        rows.append(key + [str(value) for value in rng.integers(0, 256, SIDE**2)])
    return rows


def answers() -> list[list[str]]:
    return [["ImageId", "Label"], *([str(row + 1), "0"] for row in range(5))]


def spoil_table(rows: list[list[str]], rng: np.random.Generator) -> bytes:
    """A CSV whose cells, rows, header, line ends or bytes were changed, one to three times."""
    rows, end, sign, wide = [list(row) for row in rows], "\n", ",", ""
    for _ in range(min(rng.geometric(0.6), 4)):
        at = int(rng.integers(len(rows)))
        row, kind = rows[at], int(rng.integers(16))
        place = int(rng.integers(max(len(row), 1)))
        if kind < 5 and row:
            row[place] = pick(rng, CELLS)
        elif kind == 5 and row:
            for one in rows[1:]:  # a whole column, or many rows, of the same sort
                if rng.random() < 0.7 and place < len(one):
                    one[place] = pick(rng, ("1.0", "01", "NA", "0x1", one[place] + ".0", one[place] + "%"))
        elif kind == 6:
            rows[1:] = [[cell + ".0" for cell in one] for one in rows[1:]]
        elif kind == 7 and row:
            row.pop(place)
        elif kind == 8:
            row.insert(place, pick(rng, CELLS))
        elif kind == 9:
            rows.insert(at, list(pick(rng, rows)) if rng.random() < 0.6 else [])
        elif kind == 10 and len(rows) > 1:
            rows.pop(at)
        elif kind == 11:
            end = pick(rng, ("\r\n", "\r", "\n\n", "\n\r", "", ",\n", "\n\n\n\n\n\n"))
        elif kind == 12:
            sign = pick(rng, (";", "\t", " , ", ",,", "|"))
        elif kind == 13 and rows[0]:
            rows[0][place % len(rows[0])] = pick(
                rng, ("", "label", "Label ", "id", "pixel0", "0", "\u200b", '"', "a\nb")
            )
        elif kind == 14 and rng.random() < 0.1:
            wide = pick(
                rng, ("7" * 200_000, "\n" * 100_000, "1," * 700_000, '"' + "\n" * 9000, "\r" * 3000, "0\n" * 3000)
            )
        elif kind == 15 and row:
            row[place] = row[place][:-1] if rng.random() < 0.5 else row[place] + pick(rng, "01 9.\"';x-")
    text = end.join(sign.join(row) for row in rows) + end + wide
    content = text.encode(pick(rng, ("utf-8",) * 18 + ("utf-8-sig", "utf-16")))
    return bend(content, rng) if rng.random() < 0.25 else content


def records(content: bytes) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a CSV by Python's own module; only blank lines at the end may be left out."""
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))
    while rows and not rows[-1]:
        rows.pop()
    if not all(len(row) == len(rows[0]) for row in rows):
        raise Refused("rows of different lengths")
    return rows[0], rows[1:]


def names_seen(cells: list[str], *, whole: bool) -> list[str]:
    """Labels or ids as text. Raises Refused for what a person would not take for a name beside plain numbers."""
    any_plain = any(re.fullmatch("-?(0|[1-9][0-9]*)", cell) for cell in cells)
    for cell in cells:
        plain = re.fullmatch("-?(0|[1-9][0-9]*)", cell)
        word = (
            (any(map(str.isalpha, cell)) or not any_plain)
            and cell.isprintable()
            and cell == cell.strip()
            and cell not in MISSING
        )
        alike = cell.isascii() and cell.isdecimal() and len({len(other) for other in cells if other.isdecimal()}) == 1
        hexadecimal = re.fullmatch("0[xX][0-9a-fA-F]+|0[bB][01]+", cell)
        if not (plain or alike or (word and not (whole and any_plain) and not hexadecimal)):
            raise Refused(f"{cell!r} as a name")
    return cells


def pixels(header: list[str], rows: list[list[str]], left_out: set[int]) -> np.ndarray:
    kept = [place for place in range(len(header)) if place not in left_out]
    cells = [[row[place] for place in kept] for row in rows]
    if not all(re.fullmatch(r"[0-9]{1,3}|[0-9]{1,3}\.0", cell) and float(cell) <= 255 for row in cells for cell in row):
        raise Refused("a pixel")
    side = math.isqrt(len(kept))
    return np.array([[int(float(cell)) for cell in row] for row in cells]).reshape(len(rows), side, side)


def place_of(header: list[str], usual: tuple[str, ...]) -> int | None:
    return next((place for place, name in enumerate(header) if name.strip().lower() in usual), None)


def labelled(content: bytes) -> tuple[list, list[str]]:
    header, rows = records(content)
    label, key = place_of(header, ("label",)), place_of(header, ("id", "imageid"))
    cells = [re.sub(r"^(-?[0-9]+)\.0$", r"\1", row[label]) for row in rows]
    return pixels(header, rows, {label, key}).tolist(), names_seen(cells, whole=False)


def expect_tables(train: bytes, test: bytes, sample: bytes | None) -> tuple:
    header, rows = records(test)
    key = place_of(header, ("id", "imageid"))
    ids = [str(row + 1) for row in range(len(rows))] if key is None else [row[key] for row in rows]
    if sample is not None:
        names, lines = records(sample)
        if len(names) != 2 or not all(name.strip() == name and name.isprintable() and name for name in names):
            raise Refused("the header of the sample submission")
        given = [line[0] for line in lines]
        if key is not None and sorted(given) != sorted(ids):
            raise Refused("other ids")
        ids = given if key is None else ids
    if len(set(ids)) < len(ids):
        raise Refused("an id twice")
    return (*labelled(train), pixels(header, rows, {key}).tolist(), names_seen(ids, whole=True))


def facts(path: Path) -> tuple:
    """What `load` found, in the form of expect_tables."""
    competition = load(path, cache=False)
    train = competition.train
    labels = [str(name) for name in train.classes[train.labels].tolist()]
    return train.images.tolist(), labels, competition.test.images.tolist(), [str(i) for i in competition.ids.tolist()]


def make_folder(rng: np.random.Generator, folder: Path, *, spoil: tuple[str, ...]) -> Path:
    ids = bool(rng.random() < 0.4)
    files = {"train.csv": table(rng, label=True, ids=ids), "test.csv": table(rng, label=False, ids=ids)}
    if "sample_submission.csv" in spoil or rng.random() < 0.3:
        files["sample_submission.csv"] = answers()
        if ids:
            files["sample_submission.csv"][1:] = [[str(100 + row), "0"] for row in range(5)]
    chosen = pick(rng, spoil)
    for name, rows in files.items():
        content = "".join(",".join(row) + "\n" for row in rows).encode()
        (folder / name).write_bytes(spoil_table(rows, rng) if name == chosen else content)
    return folder


def expect_folder(folder: Path) -> tuple:
    names = ("train.csv", "test.csv", "sample_submission.csv")
    return expect_tables(*((folder / name).read_bytes() if (folder / name).exists() else None for name in names))


# Extra rows


def make_extra(rng: np.random.Generator, folder: Path) -> Path:
    (folder / "extra.csv").write_bytes(spoil_table(table(rng, label=True, ids=bool(rng.random() < 0.5)), rng))
    return folder / "extra.csv"


def read_extra_rows(path: Path) -> tuple:
    from pipeline.dataset import Digits

    train = Digits(np.zeros((1, SIDE, SIDE), np.uint8), np.zeros(1, np.int64), np.array(CLASSES))
    extra = read_extra(path, train)
    return extra.images.tolist(), [str(name) for name in extra.classes[extra.labels].tolist()]
