"""MNIST as it is handed round elsewhere: four IDX files, or one npz archive in Keras' layout."""

import gzip
import hashlib
import io
import math
import re
import struct
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.dataset.digits import Competition, Digits, index_labels
from pipeline.dataset.kaggle_csv import SUBMISSION_HEADER
from pipeline.dataset.limits import MAX_MEMBER_BYTES
from pipeline.dataset.source import Source, reading
from pipeline.errors import DataError

IDX_NAME = re.compile(r"(train|t10k)-(images|labels)[-.]idx[13]-ubyte(\.gz)?")
"""'train-images-idx3-ubyte' as published, 'train-images.idx3-ubyte' as some unpackers name it."""

NPZ_NAMES = ("x_train", "y_train", "x_test", "y_test")

PIECE_BYTES = 2**20

MAX_NPY_HEADER = 2**16  # bytes; NumPy itself refuses a header of more than 10,000
SHOWN = 40  # letters of a found thing that an error shows

UINT8_MAGIC = {3: 0x00000803, 1: 0x00000801}
"""IDX magic number by number of dimensions: two zero bytes, type 8 (unsigned byte), dimensions."""


def find_idx(folder: Path) -> dict[tuple[str, str], Path]:
    """The IDX files in `folder` by part ('train', 't10k') and content ('images', 'labels')."""
    found: dict[tuple[str, str], Path] = {}
    for path in sorted(folder.iterdir()):
        if match := IDX_NAME.fullmatch(path.name):
            found.setdefault((match[1], match[2]), path)  # plain before .gz, which sorts later
    return found


def read_idx_competition(files: dict[tuple[str, str], Path], folder: Path) -> Competition:
    """Read the files that find_idx found; test labels may be missing. Raises DataError."""
    for part, content in (("train", "images"), ("train", "labels"), ("t10k", "images")):
        if (part, content) not in files:
            raise DataError(
                f"{folder} has no {part}-{content} file, and IDX data need train-images, train-labels and "
                "t10k-images: put the missing file there."
            )
    arrays = {key: read_idx(path, 3 if key[1] == "images" else 1) for key, path in files.items()}
    order = [(part, content) for part in ("train", "t10k") for content in ("images", "labels")]
    return _competition(folder, *map(arrays.get, order))


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """Read an IDX file (plain or .gz) of unsigned bytes with 1 or 3 dimensions. Raises DataError.

    The format: a magic number and one length per dimension (big-endian uint32), then the bytes.
    """
    header = struct.Struct(f">{1 + dimensions}I")
    with reading(path), (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
        start = file.read(header.size)
        if len(start) < header.size:
            raise _damaged(path, f"has {len(start)} bytes where its header alone takes {header.size}")
        magic, *shape = header.unpack(start)
        if magic != UINT8_MAGIC[dimensions]:
            expected = UINT8_MAGIC[dimensions]
            raise _damaged(path, f"begins with 0x{magic:08x} where 0x{expected:08x} marks an IDX file of this kind")
        size = math.prod(shape)
        if size > MAX_MEMBER_BYTES:
            raise _damaged(path, f"claims {size:,} bytes of data where {MAX_MEMBER_BYTES:,} are allowed")
        # In pieces, because read(size) would allocate what the header claims, not what is there.
        content = bytearray()
        while len(content) <= size and (more := file.read(PIECE_BYTES)):
            content += more
    if len(content) != size:
        found = "more" if len(content) > size else f"{len(content):,}"
        raise _damaged(path, f"holds {found} bytes of data where its header says {size:,}")
    return np.frombuffer(content, np.uint8).reshape(shape)


def read_npz_competition(path: Path) -> Competition:
    """Read x_train, y_train, x_test and (where it is there) y_test from an npz archive. Raises DataError."""
    arrays: dict[str, np.ndarray] = {}
    with reading(path), zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            name = info.filename.removesuffix(".npy")
            if name in arrays:
                raise _damaged(path, f"holds {name} twice")
            if name in NPZ_NAMES and info.flag_bits & 1:
                raise _damaged(path, f"holds {name} encrypted")
            if name in NPZ_NAMES:
                with Source(path, info.filename).damage_first():
                    arrays[name] = _read_npy(path, archive, info)
    for name in NPZ_NAMES[:3]:
        if name not in arrays:
            raise _damaged(path, f"has no array {name!r} where x_train, y_train and x_test are needed")
    return _competition(path, *(arrays.get(name) for name in NPZ_NAMES))


def _read_npy(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    """An array of an npz. Its header is checked before memory is taken, because a header may claim anything."""
    name = info.filename.removesuffix(".npy")
    with archive.open(info) as member:
        head = io.BytesIO(member.read(MAX_NPY_HEADER))
    try:
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[np.lib.format.read_magic(head)]
        with warnings.catch_warnings(action="ignore"):  # of files that Python 2 wrote
            shape, is_fortran, dtype = read_header(head)
    except Exception:  # NumPy gives the header to Python's tokenizer and parser, which raise a dozen things
        raise _damaged(path, f"holds {name}, which does not begin as a plain array in npy format does") from None
    if name.startswith("y"):
        fits, allowed = dtype.kind in "ui" and len(shape) == 1, "whole numbers of shape (rows)"
    else:
        fits, allowed = dtype == np.uint8 and len(shape) == 3, "uint8 of shape (rows, side, side)"
    if not fits or not all(type(length) is int and length >= 0 for length in shape):
        raise _damaged(path, f"holds {name} as {str(dtype)[:SHOWN]} of shape {shape} where {allowed} is allowed")
    claimed, present = math.prod(shape) * dtype.itemsize, info.file_size - head.tell()
    if claimed != present or claimed > MAX_MEMBER_BYTES:
        raise _damaged(path, f"holds {name}, which claims {claimed:,} bytes where {present:,} can be")
    content = np.empty(claimed, np.uint8)
    with archive.open(info) as member:
        member.read(head.tell())
        if member.readinto(content) != claimed or member.read(1):
            raise EOFError(f"{name} ends early")
    return content.view(dtype).reshape(shape, order="F" if is_fortran else "C")


def _competition(
    path: Path, train_images: np.ndarray, train_values: np.ndarray, test_images: np.ndarray, test_values: Any
) -> Competition:
    """Check what the four arrays must have in common, and join them; test_values may be None."""
    for part, images, values in (("train", train_images, train_values), ("test", test_images, test_values)):
        if not len(images):
            raise _damaged(path, f"has no {part} pictures where at least one is needed")
        if values is not None and values.size and values.max() > np.iinfo(np.int64).max:
            raise _damaged(path, f"has {part} label {values.max()} where {np.iinfo(np.int64).max} is the largest")
        if values is not None and len(images) != len(values):
            raise _damaged(path, f"has {len(images)} {part} pictures but {len(values)} {part} labels")
    _, height, width = train_images.shape
    if height != width or not height:
        raise _damaged(path, f"has pictures of {height}×{width} pixels where squares are needed")
    if test_images.shape[1:] != train_images.shape[1:]:
        raise _damaged(path, "has test pictures of another size than its train pictures")

    labels, classes = index_labels(train_values.astype(np.int64), str(path))
    train = Digits(np.ascontiguousarray(train_images), labels, classes)
    test_labels = None
    if test_values is not None:
        unknown = np.setdiff1d(test_values, classes)
        if len(unknown):
            raise _damaged(path, f"has test label {unknown[0]}, which no train row has")
        test_labels = np.searchsorted(classes, test_values)
    test = Digits(np.ascontiguousarray(test_images), test_labels, classes)
    hashes = [hashlib.sha256(digits.images).hexdigest() for digits in (train, test)]
    return Competition.read_from(path, train, test, SUBMISSION_HEADER, np.arange(1, test.n + 1), hashes)


def _damaged(path: Path, problem: str) -> DataError:
    return DataError(f"{path} {problem}: download it again, or give Kaggle's train.csv and test.csv.")
