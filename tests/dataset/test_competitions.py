"""Competitions of this shape, as their real files are: headers, column names, id columns, sets of labels."""

from __future__ import annotations

import string
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from pipeline.dataset import load
from pipeline.dataset.slug import write_mark
from pipeline.kaggle.submission import check_for, write_submission

SIDE, TEST_ROWS = 28, 6


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How a competition's files look. first_pixel: number in the first pixel's name; ids: of test.csv, None without."""

    slug: str
    label: str
    labels: tuple
    first_pixel: int
    ids: tuple | None = None
    id_column: str = "id"
    sample: tuple[str, str] | None = None


SHAPES = [
    # pixel1 … pixel784, no ids, no sample submission
    Shape(slug="Fashion-MNIST", label="label", labels=tuple(range(10)), first_pixel=1),
    # pixel0 … pixel783, ids from 0 in test.csv and in the sample submission
    Shape(slug="Kannada-MNIST", label="label", labels=tuple(range(10)), first_pixel=0,
          ids=tuple(range(TEST_ROWS)), sample=("id", "label")),
    # 26 letters counted from 1
    Shape(slug="emnist-letters", label="label", labels=tuple(range(1, 27)), first_pixel=1),
    # letters as text, in a column of another name
    Shape(slug="letters", label="letter", labels=tuple(string.ascii_uppercase), first_pixel=0),
    # 24 classes: 9 (J) and 25 (Z) are moved, not shown
    Shape(slug="sign-language-mnist", label="label", labels=tuple(n for n in range(25) if n != 9), first_pixel=1),
    # ids that are text, in a column of another name
    Shape(slug="named-ids", label="label", labels=(0, 1), first_pixel=0, id_column="file",
          ids=tuple(f"img_{n:03}" for n in range(TEST_ROWS)), sample=("file", "label")),
]  # fmt: skip


def write(folder: Path, shape: Shape) -> np.ndarray:
    """Write the competition's files; the test rows' pixels (TEST_ROWS, 784)."""
    rng = np.random.default_rng(0)
    pixels = [f"pixel{n}" for n in range(shape.first_pixel, shape.first_pixel + SIDE * SIDE)]
    train = [[label, *rng.integers(0, 256, SIDE * SIDE)] for label in shape.labels for _ in range(2)]
    test = rng.integers(0, 256, (TEST_ROWS, SIDE * SIDE))
    ids = [] if shape.ids is None else [shape.id_column]
    tables = {
        "train.csv": [[shape.label, *pixels], *train],
        "test.csv": [[*ids, *pixels], *([*([shape.ids[n]] if ids else []), *row] for n, row in enumerate(test))],
    }
    if shape.sample:
        tables["sample_submission.csv"] = [shape.sample, *([id, shape.labels[0]] for id in shape.ids)]
    for name, rows in tables.items():
        (folder / name).write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
    write_mark(folder, shape.slug)
    return test


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.slug)
def test_read_and_answered(tmp_path, shape):
    test = write(tmp_path, shape)
    label_column = None if shape.label == "label" else shape.label
    data = load(tmp_path, label_column=label_column, id_column=shape.id_column if shape.ids else None)
    assert data.slug == shape.slug
    assert tuple(data.train.classes.tolist()) == shape.labels
    np.testing.assert_array_equal(data.train.labels, np.repeat(np.arange(len(shape.labels)), 2))
    np.testing.assert_array_equal(data.test.images.reshape(TEST_ROWS, -1), test)
    assert tuple(data.ids.tolist()) == (shape.ids or tuple(range(1, TEST_ROWS + 1)))
    path = tmp_path / "submission.csv"
    answers = data.train.classes[np.arange(TEST_ROWS) % 2]
    write_submission(path, data.ids, answers, id_column=data.id_column, label_column=data.label_column)
    assert [fault for fault in check_for(path, data) if fault.is_error] == []
    assert path.read_text().splitlines()[0] == ",".join(shape.sample or ("ImageId", "Label"))
