"""The exponential moving average of the weights: a steadier network than the last step's."""

from __future__ import annotations

import numpy as np

from pipeline.nn.checks import number


class MovingAverage:
    """a ← δ·a + (1 − δ)·p after every step, beginning with a = p (Polyak and Juditsky 1992, in the form of PyTorch).

    params (size,): the average so far, of the network's dtype; copy it into a network's params to use it.
    decay: δ, at least 0 and below 1; the average reaches back about 1 / (1 − δ) steps. Raises UsageError.
    """

    def __init__(self, size: int, dtype: np.dtype, *, decay: float = 0.999) -> None:
        self.decay = number("decay", decay, at_least=0, below=1)
        self.params = np.zeros(size, dtype)
        self.steps = 0
        self._scratch = np.empty(size, dtype)

    def update(self, params: np.ndarray) -> None:
        """Take in the params (size,) as they are after a step."""
        self.steps += 1
        if self.steps == 1:
            self.params[...] = params
            return
        # a + (1 − δ)·(p − a) is the same, and exact where p stays what it is.
        change = np.subtract(params, self.params, out=self._scratch)
        change *= 1.0 - self.decay
        self.params += change
