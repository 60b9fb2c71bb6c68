from collections.abc import Callable

import numpy as np
import pytest

from pipeline.evaluation.grid import Grid

TEST_SIGMAS = (0, 0.1, 0.2, 0.3, 0.5)


@pytest.fixture
def make_grid() -> Callable[..., Grid]:
    """Builds a grid of 1,000 rows whose accuracies are known: repeat r of level t misses the first
    `misses[t][c] + r` rows under condition c; the averaged prediction is the middle repeat's."""

    def make(misses=((15, 64, 480, 740, 850), (14, 16, 24, 36, 170)), *, repeats=3, levels=None) -> Grid:
        levels = levels or (0, 0.1, 0.2, 0.3)[: len(misses)]
        conditions = ("clean", *(f"σ {sigma:g}" for sigma in TEST_SIGMAS[1 : len(misses[0])]))
        missed = np.array(misses)[:, None, :, None] + np.arange(repeats)[None, :, None, None]
        predictions = (np.arange(1000) < missed).astype(np.int16)
        return Grid(
            tuple(f"σ {level:g}" for level in levels),
            conditions,
            np.zeros(1000, dtype=np.int64),
            predictions,
            predictions[:, repeats // 2],
        )

    return make
