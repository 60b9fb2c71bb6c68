"""Cut-out hides squares, whole ones inside of the frame, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.augment import CutOut
from pipeline.errors import UsageError


def test_one_square_a_picture():
    batch = np.ones((2000, 8, 8), np.float32)
    CutOut(share_of_side=0.375)(batch, rng=np.random.default_rng(0))
    hidden = batch == 0
    assert set(np.unique(batch)) == {0, 1}
    sizes = set(hidden.sum(axis=(1, 2)).tolist())
    assert sizes == {4, 6, 9}  # 3×3, or with a side or a corner beyond the frame
    tall, wide = hidden.any(axis=2).sum(axis=1), hidden.any(axis=1).sum(axis=1)
    np.testing.assert_array_equal(tall * wide, hidden.sum(axis=(1, 2)))  # one rectangle
    # Pixels of the middle lie in a square around one of 9 of 64 centres; a corner only in those around 4.
    assert hidden.mean(axis=0)[3:5, 3:5].mean() == pytest.approx(9 / 64, abs=0.01)
    assert hidden.mean(axis=0)[[0, 0, -1, -1], [0, -1, 0, -1]].mean() == pytest.approx(4 / 64, abs=0.01)


def test_an_even_square():
    batch = np.ones((500, 8, 8), np.float32)
    CutOut(share_of_side=0.25)(batch, rng=np.random.default_rng(0))
    assert (batch == 0).sum(axis=(1, 2)).max() == 4


@pytest.mark.parametrize(("probability", "share"), [(0, 0), (0.3, 0.3), (1, 1)])
def test_probability(probability, share):
    batch = np.ones((2000, 4, 4), np.float32)
    CutOut(share_of_side=0.5, probability=probability)(batch, rng=np.random.default_rng(0))
    assert (batch == 0).any(axis=(1, 2)).mean() == pytest.approx(share, abs=0.04)


def test_no_square_changes_nothing():
    batch = np.random.default_rng(0).random((6, 5, 5), dtype=np.float32)
    np.testing.assert_array_equal(CutOut(share_of_side=0)(batch.copy(), rng=np.random.default_rng(0)), batch)


@pytest.mark.parametrize("arguments", [{"share_of_side": 2}, {"share_of_side": 0.1, "probability": -1}])
def test_out_of_range(arguments):
    with pytest.raises(UsageError, match="must be a number from 0 to 1, found"):
        CutOut(**arguments)
