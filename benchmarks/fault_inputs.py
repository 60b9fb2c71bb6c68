"""Hostile inputs for every reader of files: a good file is taken apart by its structure and put together wrong.

READERS maps a reader's name to a Reader: `make` writes an input, `read` reads it with Inkproof, `expect` reads it with
other code, which is stricter and slower. What `read` takes, `expect` must take, and find the same in it.
"""

from __future__ import annotations

import bz2
import copy
import csv
import gzip
import io
import json
import math
import re
import struct
import tomllib
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tomlkit

from pipeline.dataset import load, read_extra
from pipeline.nn.workspace import Pass
from pipeline.training import recipe as recipes

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


# Zip


def make_zip(rng: np.random.Generator, folder: Path) -> Path:
    """Zips of all methods, then with bits flipped, ends cut off, odd names, members twice, false sizes and flags."""
    path = folder / "data.zip"
    tables = {"train.csv": table(rng, label=True, ids=False), "test.csv": table(rng, label=False, ids=False)}
    tables["sample_submission.csv"] = answers()
    kind = int(rng.integers(10))
    with zipfile.ZipFile(path, "w") as archive, warnings.catch_warnings(action="ignore"):
        for name, rows in tables.items():
            text = "".join(",".join(row) + "\n" for row in rows).encode()
            if kind == 9:
                text = spoil_table(rows, rng)
            archive.writestr(name, text, pick(rng, (0, 8, 12, 14)))
        if kind == 0:
            odd = (
                ".",
                "",
                "/",
                "..",
                "a/..",
                "x/train.csv",
                "C:/x",
                "\\\\h\\x",
                "train.csv/",
                "a" * 300,
                ":",
            )
            info = zipfile.ZipInfo()
            info.filename = pick(rng, odd)
            archive.writestr(info, b"x" * int(rng.integers(9)))
    content = path.read_bytes()
    if kind == 1:  # a field of a header in the directory: method, sizes, offsets, flags
        start = pick(rng, [match.start() for match in re.finditer(b"PK\1\2|PK\3\4|PK\5\6", content)])
        place = start + int(rng.integers(4, 46))
        value = pick(rng, (b"\0", b"\xff\xff", b"\xff\xff\xff\xff", b"\1", b"\x7f\xff\xff\xff", b"\0\0\0\0"))
        content = content[:place] + value + content[place + len(value) :]
    elif kind < 9 and kind != 0:
        content = bend(content, rng) if rng.random() < 0.5 else flip(content, rng)
    path.write_bytes(content)
    return path


def flip(content: bytes, rng: np.random.Generator) -> bytes:
    spoilt = bytearray(content)
    for place in rng.integers(len(content), size=int(rng.integers(1, 4))):
        spoilt[place] ^= 1 << int(rng.integers(8))
    return bytes(spoilt)


def expect_zip(path: Path) -> tuple:
    names = ("train.csv", "test.csv", "sample_submission.csv")
    with zipfile.ZipFile(path) as archive:
        members = {Path(info.filename).name: info for info in archive.infolist() if not info.is_dir()}
        return expect_tables(*(archive.read(members[name]) if name in members else None for name in names))


# IDX


def make_idx(rng: np.random.Generator, folder: Path) -> Path:
    pictures = rng.integers(0, 256, (ROWS + 5, SIDE, SIDE), dtype=np.uint8)
    labels = np.array(CLASSES, np.uint8)[np.arange(ROWS + 5) % len(CLASSES)]
    files = {
        "train-images-idx3-ubyte": pictures[:ROWS], "train-labels-idx1-ubyte": labels[:ROWS],
        "t10k-images-idx3-ubyte": pictures[ROWS:], "t10k-labels-idx1-ubyte": labels[ROWS:],
    }  # fmt: skip
    chosen, zipped = pick(rng, list(files)), bool(rng.random() < 0.5)
    for name, array in files.items():
        header = [0x800 + array.ndim, *array.shape]
        if name == chosen and rng.random() < 0.5:
            header[int(rng.integers(len(header)))] = int(
                pick(rng, (0, 1, 2, 2**31, 2**32 - 1, 0xD03, 0x801, 0x803, 10**9, ROWS - 1))
            )
        content = struct.pack(f">{len(header)}I", *header) + array.tobytes()
        if name == chosen and rng.random() < 0.3:
            content = bend(content, rng)
        if zipped:
            content = gzip.compress(content)
            if name == chosen and rng.random() < 0.4:
                content = pick(rng, (bend(content, rng), bend(content, rng), content * 2, bz2.compress(b"x")))
        (folder / (name + ".gz" * zipped)).write_bytes(content)
    return folder


def expect_idx(folder: Path) -> tuple:
    arrays = {}
    for path in folder.iterdir():
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        dimensions = 3 if "images" in path.name else 1
        magic, *shape = struct.unpack(f">{1 + dimensions}I", content[: 4 + 4 * dimensions])
        body = content[4 + 4 * dimensions :]
        if magic != 0x800 + dimensions or math.prod(shape) != len(body):
            raise Refused("not its size")
        arrays[path.name[:8]] = np.array(list(body)).reshape(shape).tolist()
    images, test = arrays["train-im"], arrays["t10k-ima"]
    return images, [str(label) for label in arrays["train-la"]], test, [str(row + 1) for row in range(len(test))]


# npz


def make_npz(rng: np.random.Generator, folder: Path) -> Path:
    arrays = {
        "x_train": rng.integers(0, 256, (ROWS, SIDE, SIDE), dtype=np.uint8),
        "y_train": np.array(CLASSES, pick(rng, ("u1", "i8", ">i4")))[np.arange(ROWS) % len(CLASSES)],
        "x_test": rng.integers(0, 256, (5, SIDE, SIDE), dtype=np.uint8),
        "y_test": np.array(CLASSES)[np.arange(5) % len(CLASSES)],
    }
    chosen, kind = pick(rng, list(arrays)), int(rng.integers(5))
    if kind == 0:
        odd = (np.uint64(2**64 - 1), np.int64(-(2**63)), 1.5, True, "a", None, 1j, np.datetime64("2020-01-01"))
        arrays[chosen] = np.array([pick(rng, odd)] * arrays[chosen].size).reshape(arrays[chosen].shape)
    if kind == 1:
        forms = (lambda a: a[:-1], lambda a: a[None], lambda a: a[:0], np.asfortranarray, lambda a: a.T, lambda a: a[0])
        arrays[chosen] = pick(rng, forms)(arrays[chosen])
    path = folder / "data.npz"
    with zipfile.ZipFile(path, "w") as archive, warnings.catch_warnings(action="ignore"):
        for name, array in arrays.items():
            file = io.BytesIO()
            np.lib.format.write_array(file, array, allow_pickle=True)
            content = file.getvalue()
            if kind == 2 and name == chosen:
                content = spoil_npy(content, rng)
            archive.writestr(f"{name}.npy", content, pick(rng, (0, 8, 12, 14)))
            if kind == 3 and name == chosen and rng.random() < 0.4:
                info = zipfile.ZipInfo()
                info.filename = pick(rng, (name, f"{name}.npy", ".", "", "../x", "y_train", "y_test.npy"))
                archive.writestr(info, content[::-1] if rng.random() < 0.5 else content)
    content = path.read_bytes()
    if kind >= 3:
        content = bend(content, rng) if rng.random() < 0.5 else flip(content, rng)
    path.write_bytes(content)
    return path


def spoil_npy(content: bytes, rng: np.random.Generator) -> bytes:
    """An npy file with a changed header: words replaced, brackets lost, the length or the version wrong."""
    length = 10 + int.from_bytes(content[8:10], "little")
    header, body = content[10:length].decode("latin-1"), content[length:]
    words = (
        "True", "False", "-1", "0", "1", "9" * 30, "9" * 5000, "None", "1.5", "'a'", "(3,)", "[3]", "{", "}", "(", ")",
        "'|O'", "'|V8'", "[('a', 'u1')]", "'>u1'", "'u1'", "'zz'", "''", "\\x00", "\n", "#", "lambda: 1", "x" * 20_000,
        "(" * 3000, "3, " * 4000, "b'u1'", "'\ud7ff'", "3L", "1_0", "0x3", "--3", "3j",
    )  # fmt: skip
    for _ in range(rng.integers(1, 3)):
        places = [match.span() for match in re.finditer(r"'[^']*'|\d+|True|False|[{}(),:]", header)] or [(0, 0)]
        start, stop = pick(rng, places)
        header = header[:start] + (pick(rng, words) if rng.random() < 0.8 else "") + header[stop:]
    text = header.encode("utf-8", "surrogatepass")[: 2**16 - 1]
    version = pick(rng, (b"\1\0",) * 6 + (b"\2\0", b"\3\0", b"\0\0", b"\xff\xff"))
    said = len(text) if rng.random() < 0.8 else int(rng.integers(2**16))
    size = said.to_bytes(2 if version == b"\1\0" else 4, "little")
    return content[:6] + version + size + text + (body if rng.random() < 0.9 else body[:-1])


def expect_npz(path: Path) -> tuple:
    with zipfile.ZipFile(path) as archive:
        names = [info.filename.removesuffix(".npy") for info in archive.infolist()]
        if any(names.count(name) > 1 for name in ("x_train", "y_train", "x_test", "y_test")):
            raise Refused("a member twice")
    with np.load(path, allow_pickle=False) as archive:
        train, labels, test = (archive[name].tolist() for name in ("x_train", "y_train", "x_test"))
    return train, [str(label) for label in labels], test, [str(row + 1) for row in range(len(test))]


# Recipes

DEEP = 3000
VALUES = (
    0, 1, -1, 2, 2**31, 2**62, 2**63, 10**400, 0.0, 0.5, 1.0, -0.0, 512.0, 1e308, 1e-320, math.inf, -math.inf, math.nan,
    True, False, "", "adam", "classes", "x" * 300, "\0", "σ", "1", [], [[]], [0.1], [[0.1]], [1, 1], ["adam"], [{}], {},
    {"name": "adam"}, {"low": 1, "high": 9}, {"a": {"b": {}}}, [[[[1]]]], [1, "a", {}], "../../etc/passwd", "\u200b",
)  # fmt: skip
TEXTS = (
    "training = 3", 'training = ["epochs"]', "a = " + "[" * DEEP + "]" * DEEP, "a" + ".a" * 20_000 + " = 1",
    "training.epochs = " + "9" * 5000, 'like = "' + "x" * 300 + '"', 'like = "mine"', "like = []", 'like = "\\u0000"',
    "[network]\n", "[run]\nnoise = [[0.1]]", "[training]\nepochs = 1979-05-27", "a" * 100_000, "[a]\n" * 30_000,
    "x = " + '"' * 3 + "y" * 500_000, "[" * 5000, "a = {" + "b = {" * DEEP, "\0", "a = 1\r", "a . b . c = 1\n" * 50,
    "a" + " . a" * 20_000 + " = 1", "[a" + ".a" * 20_000 + "]", "a = 0x" + "f" * 5000, "a = 1e99999", "𝕒 = 1",
)  # fmt: skip
KEYS = ("name", "layer", "units", "epochs", "", "a.b", "σ", "x" * 300, "low", "choices", "self", "size", "rng", "like")


def make_recipe(rng: np.random.Generator, folder: Path) -> Path:
    path = folder / "mine.toml"
    text = (recipes.FOLDER / f"{pick(rng, recipes.names())}.toml").read_text(encoding="utf-8")
    if rng.random() < 0.1:
        path.write_text(pick(rng, ("", text)) + "\n" + pick(rng, TEXTS) + "\n", encoding="utf-8")
    elif rng.random() < 0.15:
        path.write_bytes(bend(text.encode(), rng))
    else:
        content = tomllib.loads(text)
        for _ in range(min(rng.geometric(0.6), 4)):
            change_tree(content, rng)
        path.write_text(tomlkit.dumps(content), encoding="utf-8")
    return path


def change_tree(content: dict, rng: np.random.Generator) -> None:
    """Replace, remove or add a value somewhere in a recipe's tables."""
    places = [(content, key) for key in content]
    for table_or_list, key in places:
        inside = table_or_list[key]
        if isinstance(inside, dict | list):
            places += [(inside, k) for k in (inside if isinstance(inside, dict) else range(len(inside)))]
    if not places:
        return
    inside, key = pick(rng, places)
    kind, value = int(rng.integers(5)), copy.deepcopy(pick(rng, VALUES))
    if kind == 0:
        del inside[key]
    elif kind == 1 and isinstance(inside, dict):
        inside[pick(rng, KEYS)] = value
    elif kind == 1:
        inside.insert(key, value)
    else:
        inside[key] = value


def read_recipe(path: Path) -> str:
    """A recipe that is taken must also do: a step of training on a few pictures, and a record that JSON can hold."""
    recipe = recipes.load(str(path))
    json.dumps(recipe.record, allow_nan=False)
    rng = np.random.default_rng(0)
    network = recipe.network((28, 28), 10, rng=rng)
    if network.params.size < 10**6:
        batch = rng.random((4, 28, 28), dtype=np.float32)
        change = recipe.augment(0.1)
        batch = batch if change is None else change(batch, rng=rng)
        ctx = Pass(train=True, rng=rng)
        outputs, backward = network.forward(network.to_numbers(batch), ctx)
        with np.errstate(all="ignore"):
            backward(recipe.loss()(outputs, np.arange(4), ctx)[1])
            recipe.optimizer(network).step(network.params, network.grads, recipe.schedule()(0, 100))
    return json.dumps({key: recipe.content[key] for key in sorted(recipe.content)})


def expect_recipe(path: Path) -> str:
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    if like := content.pop("like", None):
        base = tomllib.loads((recipes.FOLDER / f"{like}.toml").read_text(encoding="utf-8"))
        content = {key: base[key] for key in base if key not in recipes.OWN} | content
    return json.dumps({key: content[key] for key in sorted(content)})


READERS = {
    "CSV": Reader(
        make=lambda rng, folder: make_folder(rng, folder, spoil=("train.csv", "test.csv")),
        read=facts, expect=expect_folder,
    ),
    "sample submission": Reader(
        make=lambda rng, folder: make_folder(rng, folder, spoil=("sample_submission.csv",)),
        read=facts, expect=expect_folder,
    ),
    "extra rows": Reader(make=make_extra, read=read_extra_rows, expect=lambda path: labelled(path.read_bytes())),
    "zip": Reader(make=make_zip, read=facts, expect=expect_zip),
    "IDX": Reader(make=make_idx, read=facts, expect=expect_idx),
    "npz": Reader(make=make_npz, read=facts, expect=expect_npz),
    "recipe": Reader(make=make_recipe, read=read_recipe, expect=expect_recipe),
}  # fmt: skip
