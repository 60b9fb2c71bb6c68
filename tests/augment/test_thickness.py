"""Strokes grow and shrink as worked by hand, and as SciPy's dilation and erosion."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from pipeline.augment import Thickness
from pipeline.errors import UsageError


class Drawn:
    """Stands in for a generator: these are the uniform numbers, one a picture."""

    def __init__(self, *numbers):
        self.numbers = np.array(numbers, float)

    def uniform(self, low, high, n):
        assert (low, high, n) == (-1, 1, len(self.numbers))
        return self.numbers


def test_a_dot_grows_and_a_block_shrinks():
    batch = np.zeros((4, 5, 5), np.float32)
    batch[:2, 2, 2] = 1  # dots
    batch[2:, 1:4, 1:4] = 1  # blocks
    Thickness(share_of_side=0.2)(batch, rng=Drawn(1, 0.5, -1, -0.25))
    around = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]])
    dot = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]])
    inner = [slice(1, 4)] * 2
    np.testing.assert_allclose(batch[0][*inner], dot + around, atol=1e-6)
    np.testing.assert_allclose(batch[1][*inner], dot + 0.5 * around, atol=1e-6)
    np.testing.assert_allclose(batch[2][*inner], dot, atol=1e-6)
    np.testing.assert_allclose(batch[3][*inner], dot + 0.75 * (1 - dot), atol=1e-6)
    batch[(slice(None), *inner)] = 0
    assert not batch.any()


@pytest.mark.parametrize(("drawn", "oracle"), [(1, ndimage.grey_dilation), (-1, ndimage.grey_erosion)])
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_whole_steps_as_scipy_does_them(drawn, oracle, steps):
    batch = np.random.default_rng(0).random((1, 10, 10))
    expected = batch[0]
    cross = ndimage.generate_binary_structure(2, 1)
    for _ in range(steps):
        expected = oracle(expected, footprint=cross, mode="nearest")
    Thickness(share_of_side=steps / 10)(batch, rng=Drawn(drawn))
    np.testing.assert_allclose(batch[0], expected, atol=1e-12)


def test_no_share_changes_nothing():
    batch = np.random.default_rng(0).random((6, 5, 5), dtype=np.float32)
    np.testing.assert_array_equal(Thickness(share_of_side=0)(batch.copy(), rng=np.random.default_rng(0)), batch)


def test_pixels_stay_in_range_and_both_directions_occur():
    before = np.random.default_rng(0).random((200, 8, 8), dtype=np.float32)
    after = Thickness(share_of_side=0.1)(before.copy(), rng=np.random.default_rng(1))
    assert after.min() >= 0 and after.max() <= 1
    brighter = after.mean(axis=(1, 2)) > before.mean(axis=(1, 2))
    assert 70 < brighter.sum() < 130


def test_share_out_of_range():
    with pytest.raises(UsageError, match=r"share_of_side must be a number from 0 to 0\.5, found 0\.6"):
        Thickness(share_of_side=0.6)
