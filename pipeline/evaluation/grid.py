"""The grid of a comparison: what every model said to every holdout row under every test condition.

Nothing is averaged here. Accuracies, intervals, tables and figures are all drawn from this one object.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pipeline.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Axis:
    """Where a test condition stands among those that differ from it in one number.

    family: what they share, such as "σ", "shift right" or "pgd Linf". strength: σ, pixels, degrees, severity or ε;
    0 is the clean picture.
    """

    kind: Literal["noise", "shift", "turn", "corruption", "attack"]
    family: str
    strength: float


@dataclass(frozen=True, eq=False)
class Grid:
    """Predictions of T trained rows × R repeats × C test conditions for the same n holdout rows.

    trained:     T names of how the models were trained, e.g. ("σ 0", "σ 0.1").
    conditions:  C names of how the holdout was changed, e.g. ("clean", "σ 0.1").
    labels:      (n,) integers, the true classes as indices 0, 1, ….
    predictions: (T, R, C, n) integers, the class that each model gives.
    averaged:    (T, C, n) integers, the class after averaging the R repeats' probabilities: what a
                 submission would hold.

    Raises UsageError when shapes, kinds or names do not fit together.
    """

    trained: tuple[str, ...]
    conditions: tuple[str, ...]
    labels: np.ndarray
    predictions: np.ndarray
    averaged: np.ndarray

    def __post_init__(self) -> None:
        for field, names in (("trained", self.trained), ("conditions", self.conditions)):
            if not names or len(set(names)) != len(names):
                raise UsageError(
                    f"The grid's {field} must be one or more different names, found {list(names)}: "
                    "give every row and column its own name."
                )
        trained, conditions, rows = len(self.trained), len(self.conditions), len(self.labels)
        repeats = np.shape(self.predictions)[1] if np.ndim(self.predictions) == 4 else "R"
        shapes = {
            "labels": (rows,),
            "predictions": (trained, repeats, conditions, rows),
            "averaged": (trained, conditions, rows),
        }
        for field, shape in shapes.items():
            found = getattr(self, field)
            if not isinstance(found, np.ndarray) or found.dtype.kind not in "iu":
                raise UsageError(
                    f"The grid's {field} must be a NumPy array of integers (class indices), found "
                    f"{getattr(found, 'dtype', type(found).__name__)}: give classes, not probabilities."
                )
            if found.shape != shape or 0 in found.shape:
                raise UsageError(
                    f"The grid's {field} must have the shape {' × '.join(map(str, shape))} and none of it empty "
                    f"({trained} trained × repeats × {conditions} conditions × holdout rows), "
                    f"found {' × '.join(map(str, found.shape))}: score every model on the same rows."
                )

    @property
    def rows(self) -> int:
        """n, the number of holdout rows."""
        return len(self.labels)

    @property
    def repeats(self) -> int:
        """R, the number of models for each trained row."""
        return self.predictions.shape[1]

    def correct(self, row: int, column: int) -> np.ndarray:
        """(R, n) bool: which rows each model of that trained row got right under that condition."""
        return self.predictions[row, :, column] == self.labels

    def right(self) -> np.ndarray:
        """(T, R, C) int64: how many rows each model got right. A cell at a time: the whole would double the memory."""
        columns, rows = range(len(self.conditions)), range(len(self.trained))
        cells = [[self.correct(row, column).sum(axis=-1) for column in columns] for row in rows]
        return np.array(cells, np.int64).swapaxes(1, 2)

    def accuracy(self) -> np.ndarray:
        """(T, R, C) float64: the share of rows that each model got right, 0 to 1."""
        return self.right() / self.rows

    def trained_index(self, name: str) -> int:
        """Position of a trained row's name. Raises UsageError."""
        return _index(name, self.trained, "trained row")

    def condition_index(self, name: str) -> int:
        """Position of a test condition's name. Raises UsageError."""
        return _index(name, self.conditions, "test condition")

    def records(self) -> list[dict[str, Any]]:
        """The ungrouped grid: one record for each model × condition.

        Keys: train, repeat (1 … R), test, rows, correct, accuracy (0 to 1).
        """
        places = itertools.product(self.trained, range(1, self.repeats + 1), self.conditions)
        correct = self.right().ravel().tolist()
        return [
            {"train": train, "repeat": repeat, "test": test, "rows": self.rows, "correct": n, "accuracy": n / self.rows}
            for (train, repeat, test), n in zip(places, correct, strict=True)
        ]


class GridFold:
    """Folds the probabilities of one network after the other into a Grid, and keeps no probabilities of any.

    What stays is int16 predictions (T, R, C, n) and running sums (T, C, n, k) float32 over the R repeats; sums depend
    in their last bits on the order of the networks. first (T, n, k) float32: the first repeat's probabilities under
    the first condition, the clean one.
    """

    def __init__(
        self, *, trained: Sequence[str], repeats: int, conditions: Sequence[str], labels: np.ndarray, classes: int
    ) -> None:
        shape = (len(trained), len(conditions), len(labels))
        self.trained, self.conditions, self.labels = tuple(trained), tuple(conditions), labels
        self.predictions = np.full((shape[0], repeats, *shape[1:]), -1, np.int16)
        self.sums = np.zeros((*shape, classes), np.float32)
        self.first = np.zeros((shape[0], shape[2], classes), np.float32)

    def add(self, trained: str, repeat: int, probabilities: Mapping[str, np.ndarray]) -> None:
        """Fold in one network: condition → probabilities (n, k); conditions that the grid does not have are left."""
        row = self.trained.index(trained)
        for column, condition in enumerate(self.conditions):
            found = probabilities[condition]
            self.predictions[row, repeat, column] = found.argmax(axis=-1)
            self.sums[row, column] += found
        if repeat == 0:
            self.first[row] = probabilities[self.conditions[0]]

    def mean(self, condition: str) -> np.ndarray:
        """(T, n, k) float32: the probabilities under that condition, averaged over the repeats."""
        return self.sums[:, self.conditions.index(condition)] / np.float32(self.predictions.shape[1])

    def grid(self) -> Grid:
        """The grid, when every network is in it. Raises ValueError before."""
        if self.predictions.min() < 0:
            raise ValueError("a network is missing from the grid")
        averaged = self.sums.argmax(axis=-1).astype(np.int16)
        return Grid(self.trained, self.conditions, self.labels, self.predictions, averaged)


def _index(name: str, names: tuple[str, ...], what: str) -> int:
    if name not in names:
        raise UsageError(f"The grid has no {what} {name!r}, only {', '.join(map(repr, names))}: name one of these.")
    return names.index(name)
