"""The grid of a comparison: what every model said to every holdout row under every test condition.

Nothing is averaged here. Accuracies, intervals, tables and figures are all drawn from this one object.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.errors import UsageError


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
        rows = np.shape(self.labels)[0] if np.ndim(self.labels) else 0
        repeats = np.shape(self.predictions)[1] if np.ndim(self.predictions) == 4 else "R"
        trained, conditions = len(self.trained), len(self.conditions)
        for field, allowed in (
            ("labels", (rows,)),
            ("predictions", (trained, repeats, conditions, rows)),
            ("averaged", (trained, conditions, rows)),
        ):
            found = getattr(self, field)
            if not isinstance(found, np.ndarray) or found.dtype.kind not in "iu":
                kind = found.dtype if isinstance(found, np.ndarray) else type(found).__name__
                raise UsageError(
                    f"The grid's {field} must be a NumPy array of integers (class indices), found {kind}: "
                    "give classes, not probabilities."
                )
            if found.shape != allowed or 0 in found.shape:
                sizes = " × ".join(map(str, allowed))
                raise UsageError(
                    f"The grid's {field} must have the shape {sizes} and none of it empty "
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

    def correct(self) -> np.ndarray:
        """(T, R, C, n) bool: which rows each model got right."""
        return self.predictions == self.labels

    def accuracy(self) -> np.ndarray:
        """(T, R, C) float64: the share of rows that each model got right, 0 to 1."""
        return self.correct().mean(axis=-1)

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
        correct = self.correct().sum(axis=-1, dtype=np.int64).ravel().tolist()
        return [
            {"train": train, "repeat": repeat, "test": test, "rows": self.rows, "correct": n, "accuracy": n / self.rows}
            for (train, repeat, test), n in zip(places, correct, strict=True)
        ]


def _index(name: str, names: tuple[str, ...], what: str) -> int:
    if name not in names:
        raise UsageError(f"The grid has no {what} {name!r}, only {', '.join(map(repr, names))}: name one of these.")
    return names.index(name)
