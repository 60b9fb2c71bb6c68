"""Changes made to training pictures: batch → batch, in place, on floats (n, height, width) in [0, 1]."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


class Chain:
    """One change after the other."""

    def __init__(self, *changes: Callable[..., np.ndarray]) -> None:
        self.changes = changes

    def __call__(self, batch: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
        for change in self.changes:
            batch = change(batch, rng=rng)
        return batch
