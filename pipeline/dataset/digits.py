"""What every reader returns: pictures with their labels, and the competition they belong to."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.dataset.limits import MAX_CLASSES, MIN_CLASSES
from pipeline.errors import DataError

MISSING = {"NA", "N/A", "#N/A", "<NA>", "n/a", "NULL", "null", "None"}
"""How pandas and spreadsheets write that a value is missing."""


@dataclass(frozen=True)
class Digits:
    """Square pictures and, where they are known, their labels.

    images: (n, side, side) uint8, C-contiguous, as they stand in the file.
    labels: (n,) int64, index into `classes`; None for unlabelled rows.
    classes: (k,) the label values in sorted order, int64 or text; None where no labels are known.
    """

    images: np.ndarray
    labels: np.ndarray | None = None
    classes: np.ndarray | None = None

    @property
    def n(self) -> int:
        """Number of pictures."""
        return len(self.images)

    @property
    def side(self) -> int:
        """Height and width of a picture in pixels."""
        return self.images.shape[1]

    def take(self, rows: np.ndarray) -> Digits:
        """The pictures at `rows` (indices or a mask) with their labels, as a copy; classes stay the same."""
        return Digits(self.images[rows], None if self.labels is None else self.labels[rows], self.classes)


@dataclass(frozen=True)
class Competition:
    """Labelled rows to learn from, unlabelled rows to predict, and how the answer must be written.

    ids: (test.n,) int64 or text, the test rows' ids as they must stand in the submission.
    id_column, label_column: the submission's header.
    name: the slug where there is one, else the name of the file or folder, called unnamed.
    is_sample: True for scikit-learn's digits, whose figures must be named as such.
    source: the file or folder that was read.
    fingerprint: SHA-256 over pictures, labels and classes; the same data in another container
        (CSV, zip, IDX, npz) has the same fingerprint.
    slug: the competition's short name on Kaggle, as Kaggle spells it; None where nobody named it.
    """

    train: Digits
    test: Digits
    ids: np.ndarray
    id_column: str
    label_column: str
    name: str
    is_sample: bool
    source: Path
    fingerprint: str
    slug: str | None = None

    @classmethod
    def read_from(
        cls, source: Path, train: Digits, test: Digits, header: Sequence[str], ids: np.ndarray, hashes: Sequence[str]
    ) -> Competition:
        """What a reader found at `source`. header: names of id and label; hashes: SHA-256 of both sets of pixels."""
        return cls(
            train=train,
            test=test,
            ids=ids,
            id_column=header[0],
            label_column=header[1],
            name=source.stem if source.is_file() else source.resolve().name,
            is_sample=False,
            source=source,
            fingerprint=fingerprint(train, *hashes),
        )


def index_labels(values: np.ndarray, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Turn label values (n,) into indices (n,) int64 and the sorted classes (k,).

    `where` names the data in the error. Raises DataError for fewer than 2 or more than 1,000 classes, for a
    class that looks like a damaged number or a missing value, and for a class with a single row, which cannot
    stand both in the training rows and in a holdout.
    """
    classes, first_rows, labels, counts = np.unique(values, return_index=True, return_inverse=True, return_counts=True)
    if odd := odd_names(classes):
        rows = (np.flatnonzero(values == odd[0]) + 1).tolist()
        raise DataError(
            f"{where} holds label {odd[0]!r} in {len(rows):,} rows (such as {str(rows[:5])[1:-1]}), which looks like a "
            "damaged number or a missing value: correct these labels, or remove the rows."
        )
    if not MIN_CLASSES <= len(classes) <= MAX_CLASSES:
        found = f"1 class (every label is {classes[0]})" if len(classes) == 1 else f"{len(classes):,} classes"
        raise DataError(
            f"{where} holds {found} where {MIN_CLASSES} to {MAX_CLASSES:,} classes are allowed: check that "
            "it is the label column and that no rows were lost."
        )
    if counts.min() < 2:
        lonely = int(np.argmin(counts))
        raise DataError(
            f"{where} holds class {classes[lonely]} in a single row (row {first_rows[lonely] + 1}) where "
            "every class needs at least 2, one to train on and one to check with: add rows of this class, or "
            "remove it."
        )
    return labels.astype(np.int64, copy=False), classes


def odd_names(values: np.ndarray) -> list[str]:
    """Of labels or ids (n,) those that stand for a missing value, or, beside whole numbers, look like a number and
    are written otherwise."""
    if values.dtype.kind != "U":
        return []
    names = values.tolist()
    numbers = [name for name in names if re.fullmatch(r"-?(0|[1-9][0-9]{0,17})", name)]
    digits = [name for name in names if re.fullmatch(r"[0-9]+", name)]
    padded = len({len(name) for name in digits}) == 1  # 01 to 10 is a way to write all of them
    usual = {*numbers, *(digits if padded else ())}

    def is_like_number(name: str) -> bool:
        no_letter = not any(map(str.isalpha, name)) or re.fullmatch(r"[+-]?0[xob][0-9a-f]+", name.lower())
        return bool(no_letter) and any(map(str.isnumeric, name))

    return [name for name in names if name in MISSING or (numbers and name not in usual and is_like_number(name))]


def fingerprint(train: Digits, train_sha256: str, test_sha256: str) -> str:
    """SHA-256 of a competition's contents, given the SHA-256 of both sets of pixels."""
    described = {
        "train": [list(train.images.shape), train_sha256],
        "classes": train.classes.tolist(),
        "labels": hashlib.sha256(train.labels.astype("<i8")).hexdigest(),
        "test": test_sha256,
    }
    return hashlib.sha256(json.dumps(described).encode("utf-8")).hexdigest()
