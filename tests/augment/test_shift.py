"""Shifts move pictures, lose what leaves the frame, and bring in black."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.augment.shift import RandomShift, Shift
from pipeline.errors import UsageError


@given(pixels=st.integers(0, 3), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=30)
def test_a_dot_moves_by_at_most_that_many_pixels(pixels, seed):
    batch = np.zeros((20, 9, 9), np.float32)
    batch[:, 4, 4] = 1
    RandomShift(pixels)(batch, rng=np.random.default_rng(seed))
    _, down, right = np.nonzero(batch)
    assert len(down) == 20  # every dot is still there, alone
    assert np.abs(down - 4).max() <= pixels and np.abs(right - 4).max() <= pixels


def test_every_shift_occurs():
    batch = np.zeros((500, 5, 5), np.float32)
    batch[:, 2, 2] = 1
    RandomShift(1)(batch, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(batch.any(axis=0)[1:4, 1:4], np.ones((3, 3), bool))


def test_black_comes_in():
    batch = np.ones((200, 3, 3), np.float32)
    RandomShift(1)(batch, rng=np.random.default_rng(0))
    sums = set(batch.sum(axis=(1, 2)).tolist())
    assert sums == {9.0, 6.0, 4.0}  # unmoved, moved along one side, moved along both


def test_negative_reach_is_refused():
    with pytest.raises(UsageError, match="A shift in pixels must be a whole number of at least 0, found -1"):
        RandomShift(-1)


@pytest.mark.parametrize(("side", "pixels"), [(28, 1), (8, 0), (64, 3)])
def test_a_share_is_rounded_to_whole_pixels(side, pixels):
    batch = np.random.default_rng(0).random((50, side, side), dtype=np.float32)
    by_share = Shift(share_of_side=0.04)(batch.copy(), rng=np.random.default_rng(1))
    by_pixels = RandomShift(pixels)(batch.copy(), rng=np.random.default_rng(1))
    np.testing.assert_array_equal(by_share, by_pixels)


def test_a_share_above_a_half_is_refused():
    with pytest.raises(UsageError, match=r"share_of_side must be a number from 0 to 0\.5, found 0\.51"):
        Shift(share_of_side=0.51)
