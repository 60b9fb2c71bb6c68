"""Hostile zip, IDX and npz files, and what other code reads in them."""

from __future__ import annotations

import bz2
import gzip
import io
import math
import re
import struct
import warnings
import zipfile
from pathlib import Path

import numpy as np
from fault_tables import CLASSES, ROWS, SIDE, Refused, answers, bend, expect_tables, pick, spoil_table, table

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
