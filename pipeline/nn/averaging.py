"""Averages of the weights over the course of a training: a steadier network than the last step's.

`update(values, done)` comes after every step, with the network's values (size,) and the share of all steps that is
done; `values` is the average so far, or None where it has not begun. Running moments of batch normalisation are
averaged with the weights that they belong to.
"""

import numpy as np

from pipeline.errors import number, whole_number


class MovingAverage:
    """a ← δ·a + (1 − δ)·p, beginning with a = p (Polyak and Juditsky 1992, in the form of PyTorch).

    decay: δ, at least 0 and below 1; the average reaches back about every / (1 − δ) steps.
    every: one step in so many is taken in, which saves time: each costs three passes over all weights.
    Raises UsageError for values out of range.
    """

    def __init__(self, size: int, dtype: np.dtype, *, decay: float = 0.999, every: int = 1) -> None:
        self.decay = number("decay", decay, at_least=0, below=1)
        self.every = whole_number("every (steps)", every)
        self.values: np.ndarray | None = None
        self._scratch = np.empty(size, dtype)
        self._steps = 0

    def update(self, values: np.ndarray, done: float = 1.0) -> None:
        """Take in the values (size,) as they are after a step."""
        self._steps += 1
        if self.values is None:
            self.values = values.copy()
        elif self._steps % self.every == 0:
            # a + (1 − δ)·(p − a) is the same, and exact where p stays what it is.
            change = np.subtract(values, self.values, out=self._scratch)
            change *= 1.0 - self.decay
            self.values += change


class TailAverage:
    """The plain mean over the last part of the training: stochastic weight averaging (Izmailov et al. 2018).

    start: share of all steps after which it begins. every: as in MovingAverage. It wants a learning rate that is
    still large at the end (schedule cosine with `last`, or constant): weights that stand still are their own mean.
    """

    def __init__(self, size: int, dtype: np.dtype, *, start: float = 0.75, every: int = 1) -> None:
        self.start = number("start (a share of all steps)", start, at_least=0, below=1)
        self.every = whole_number("every (steps)", every)
        self.values: np.ndarray | None = None
        self._scratch = np.empty(size, dtype)
        self._steps = self._taken = 0

    def update(self, values: np.ndarray, done: float) -> None:
        """Take in the values (size,) as they are when the share `done` of all steps is done."""
        if done <= self.start:
            return
        self._steps += 1
        if self.values is None:
            self.values, self._taken = values.copy(), 1
        elif self._steps % self.every == 0:
            self._taken += 1
            change = np.subtract(values, self.values, out=self._scratch)
            change *= 1.0 / self._taken
            self.values += change


AVERAGES = {"ema": MovingAverage, "swa": TailAverage}
