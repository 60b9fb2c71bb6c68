"""What training looks back at: its epochs, the best of them, and whether to go on."""

import math
from dataclasses import dataclass

import numpy as np

from pipeline.errors import UsageError
from pipeline.nn.network import Network

FIGURES = ("train_loss", "validation_loss", "validation_accuracy")


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave. Losses and accuracies (shares of 1) are means over its rows.

    train_* are taken while the weights still change and on augmented rows, so they may lie below the
    validation figures. validation_* are None without validation rows, accuracies also where outputs are
    not right or wrong but near or far.
    """

    epoch: int
    learning_rate: float
    train_loss: float
    train_accuracy: float | None
    validation_loss: float | None
    validation_accuracy: float | None
    seconds: float

    def goodness(self, figure: str) -> float:
        """One of FIGURES as a number that is larger when better. Raises UsageError where there is none."""
        value = getattr(self, figure) if figure in FIGURES else None
        if value is None:
            raise UsageError(
                f"Training cannot be judged by {figure!r} here: choose one of {', '.join(FIGURES)}, "
                "the last two of which need validation rows."
            )
        return value if figure == "validation_accuracy" else -value


class EarlyStopping:
    """Early stopping: says True once more than `epochs` epochs in a row have failed to improve.

    An epoch improves when its `figure` is better than the best before by at least `tolerance`.
    """

    def __init__(self, figure: str = "validation_loss", *, epochs: float = 10, tolerance: float = 0.0) -> None:
        self.figure, self.epochs, self.tolerance = figure, epochs, tolerance
        self.best = -math.inf
        self.failures = 0

    def __call__(self, epoch: Epoch) -> bool:
        goodness = epoch.goodness(self.figure)
        improved = goodness > self.best and goodness >= self.best + self.tolerance
        self.failures = 0 if improved else self.failures + 1
        self.best = max(self.best, goodness)
        return self.failures > self.epochs


class BestCheckpoint:
    """The network's values as they were at their best; before anything is offered, as they were given."""

    def __init__(self, network: Network) -> None:
        self.network, self.goodness = network, -math.inf
        self.values = network.values.copy()

    def offer(self, goodness: float, values: np.ndarray) -> None:
        """Keep `values`, a copy of the network's, if they are better than all before."""
        if goodness > self.goodness:
            self.goodness, self.values = goodness, values

    def restore(self) -> None:
        """Give the network what was kept."""
        self.network.values[...] = self.values
