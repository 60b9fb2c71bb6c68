"""Several changes of a batch as one."""

from collections.abc import Callable
from itertools import groupby

import numpy as np

from pipeline.augment.distort import Displacement, Sum

Change = Callable[..., np.ndarray]


class Chain:
    """One change after the other. Distortions that stand side by side become one field and one gather."""

    def __init__(self, *changes: Change) -> None:
        self.changes: list[Change] = []
        for distorts, neighbours in groupby(changes, lambda change: isinstance(change, Displacement)):
            found = list(neighbours)
            self.changes += [Sum(*found)] if distorts else found

    def __call__(self, batch: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
        for change in self.changes:
            batch = change(batch, rng=rng)
        return batch
