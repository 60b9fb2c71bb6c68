"""Distortions against cases worked by hand, SciPy's interpolation, and the moments that their documentation states."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from pipeline.augment import Affine, Elastic, distort
from pipeline.augment.distort import Sum, warp
from pipeline.errors import UsageError

BOTH = [
    Affine(rotation=15, scale=0.2, shear=0.3, shift=0.1),
    Elastic(alpha=0.05, sigma=0.14),
    Sum(Affine(rotation=15, shift=0.1), Elastic(alpha=0.05, sigma=0.14)),
]


class Drawn:
    """Stands in for a generator: the uniform numbers are these, one for each kind of change, in every picture."""

    def __init__(self, *, angle=0, slant=0, tall=0, wide=0, down=0, right=0):
        self.numbers = np.array([angle, slant, tall, wide, down, right], float)

    def uniform(self, low, high, shape):
        assert (low, high) == (-1, 1)
        return np.repeat(self.numbers[:, np.newaxis], shape[1], axis=1)


def pictures(n, side, seed=0):
    return np.random.default_rng(seed).random((n, side, side), dtype=np.float32)


@pytest.mark.parametrize("side", [1, 5, 8])
@pytest.mark.parametrize("change", [Affine(), Elastic(alpha=0, sigma=0.2), Sum(Affine(), Elastic(alpha=0, sigma=0.2))])
def test_without_size_nothing_changes(change, side):
    batch = pictures(4, side)
    np.testing.assert_array_equal(change(batch.copy(), rng=np.random.default_rng(0)), batch)


@pytest.mark.parametrize(("drawn", "turns"), [(1, 1), (-1, 3)])
def test_a_quarter_turn(drawn, turns):
    batch = pictures(3, 7)
    turned = Affine(rotation=90)(batch.copy(), rng=Drawn(angle=drawn))
    np.testing.assert_allclose(turned, np.rot90(batch, turns, axes=(1, 2)), atol=1e-5)


@pytest.mark.parametrize(("down", "right"), [(1, 0), (0, 1), (-1, 1)])
def test_a_shift_by_whole_pixels_is_a_roll_within_the_frame(down, right):
    batch = pictures(3, 8)
    batch[:, [0, 1, 6, 7]] = 0
    batch[:, :, [0, 1, 6, 7]] = 0  # two pixels of black all around, so that nothing rolls in
    moved = Affine(shift=0.25)(batch.copy(), rng=Drawn(down=down, right=right))
    np.testing.assert_array_equal(moved, np.roll(batch, (2 * down, 2 * right), axis=(1, 2)))


def test_what_leaves_the_frame_is_lost_and_black_comes_in():
    moved = Affine(shift=0.5)(np.ones((1, 4, 4), np.float32), rng=Drawn(right=1))
    np.testing.assert_array_equal(moved[0], [[0, 0, 1, 1]] * 4)


def test_a_shift_by_half_a_pixel_spreads_a_dot():
    batch = np.zeros((1, 5, 5), np.float32)
    batch[0, 2, 2] = 1
    Affine(shift=0.1)(batch, rng=Drawn(down=1, right=1))
    expected = np.zeros((5, 5))
    expected[2:4, 2:4] = 0.25
    np.testing.assert_allclose(batch[0], expected, atol=1e-6)


def test_half_the_height():
    # Row p from the centre shows what stood at 2p: the middle row stays, the rows beside it show the outermost.
    batch = np.repeat(np.array([0.1, 0.2, 0.3, 0.4, 0.5], np.float32)[np.newaxis, :, np.newaxis], 5, axis=2)
    Affine(scale=0.5)(batch, rng=Drawn(tall=-1))
    np.testing.assert_allclose(batch[0, :, 0], [0, 0.1, 0.3, 0.5, 0], atol=1e-6)


def test_a_slant_moves_the_upper_rows_to_the_right():
    batch = np.zeros((1, 5, 5), np.float32)
    batch[0, :, 2] = 1
    Affine(shear=1)(batch, rng=Drawn(slant=1))
    np.testing.assert_allclose(batch[0], np.fliplr(np.eye(5)), atol=1e-6)


def test_stretch_comes_before_slant_turn_and_shift():
    # A dot 2 to the right of the centre: halved to 1 right, a quarter turn takes it 1 up, the shift 3 to the right.
    batch = np.zeros((1, 9, 9), np.float32)
    batch[0, 4, 6] = 1
    Affine(scale=0.5, rotation=90, shift=3 / 9)(batch, rng=Drawn(wide=-1, angle=1, right=1))
    assert np.unravel_index(batch[0].argmax(), (9, 9)) == (3, 7)


@given(
    height=st.integers(1, 9), width=st.integers(1, 9), size=st.sampled_from([0.3, 2.0, 30.0]), seed=st.integers(0, 999)
)
@settings(deadline=None, max_examples=60)
def test_bilinear_as_scipy_does_it(height, width, size, seed):
    rng = np.random.default_rng(seed)
    batch = rng.random((3, height, width))
    field = rng.normal(0, size, (2, 3, height, width)).astype(np.float32)
    places = np.mgrid[:height, :width][:, np.newaxis] + field
    expected = [
        ndimage.map_coordinates(picture, place, order=1, mode="grid-constant")
        for picture, place in zip(batch, places.swapaxes(0, 1), strict=True)
    ]
    np.testing.assert_allclose(warp(batch, field), expected, atol=1e-5)


@pytest.mark.parametrize("change", BOTH)
@pytest.mark.parametrize("side", [8, 28])
def test_pixels_stay_in_range(change, side):
    batch = np.random.default_rng(0).choice(np.float32([0, 0.1, 1]), (200, side, side))
    change(batch, rng=np.random.default_rng(0))
    assert batch.dtype == np.float32
    assert batch.min() == 0 and 0.9 < batch.max() <= 1


@pytest.mark.parametrize("change", BOTH)
def test_equal_generators_give_equal_bytes_whatever_came_before(change):
    def distorted(seed, n):
        return change(pictures(n, 8), rng=np.random.default_rng(seed))

    first = distorted(3, 20)
    other = distorted(4, 33)
    np.testing.assert_array_equal(distorted(3, 20), first)
    assert (other[:20] != first).mean() > 0.9
    assert (first[0] != change(pictures(20, 8), rng=np.random.default_rng(3))[1]).mean() > 0.9


def test_a_picture_does_not_see_the_rest_of_its_batch(monkeypatch):
    rng = np.random.default_rng(0)
    batch, field = pictures(10, 6), rng.normal(0, 2, (2, 10, 6, 6)).astype(np.float32)
    alone = [warp(batch[i : i + 1].copy(), field[:, i : i + 1].copy())[0] for i in range(10)]
    np.testing.assert_array_equal(warp(batch.copy(), field.copy()), alone)
    monkeypatch.setattr(distort, "CHUNK_PIXELS", 300)  # chunks of three pictures, the last of one
    np.testing.assert_array_equal(warp(batch.copy(), field.copy()), alone)


@pytest.mark.parametrize("side", [8, 28])
def test_an_elastic_field_has_the_stated_size_everywhere(side):
    field = Elastic(alpha=0.05, sigma=0.14).field((4000, side, side), rng=np.random.default_rng(0))
    # 4000 numbers a pixel: the standard error of a standard deviation is 1.1 %, of a mean 0.016 of it.
    np.testing.assert_allclose(field.std(axis=1), 0.05 * side, rtol=0.06)
    np.testing.assert_allclose(field.mean(axis=1), 0, atol=0.07 * 0.05 * side)
    assert abs(np.corrcoef(field[0, :, 0, 0], field[1, :, 0, 0])[0, 1]) < 0.07


def test_an_elastic_field_is_as_smooth_as_a_gaussian_filter_makes_it():
    side, sigma, rng = 28, 4.0, np.random.default_rng(0)
    field = Elastic(alpha=0.05, sigma=sigma / side).field((4000, side, side), rng=rng)[0]
    noise = rng.standard_normal((1000, 60, 60))
    oracle = ndimage.gaussian_filter(noise, (0, sigma, sigma))[:, 16:44, 16:44]

    def correlations(fields):
        return [
            np.corrcoef(fields[:, 3, 5], fields[:, 3 + down, 5 + right])[0, 1]
            for down, right in ((1, 0), (0, 4), (4, 4), (8, 0), (15, 15))
        ]

    np.testing.assert_allclose(correlations(field), correlations(oracle), atol=0.1)


def test_affine_shifts_are_uniform():
    field = Affine(shift=0.1).field((20_000, 9, 9), rng=np.random.default_rng(0))
    assert np.ptp(field, axis=(2, 3)).max() < 1e-6  # the same for all pixels of a picture
    assert np.abs(field).max() <= 0.9
    np.testing.assert_allclose(field.std(axis=1), 0.9 / np.sqrt(3), rtol=0.02)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Affine(rotation=181), r"rotation \(degrees\) must be a number from 0 to 180, found 181"),
        (lambda: Affine(scale=1), "scale must be a number from 0 to 0.9, found 1"),
        (lambda: Affine(shear=-0.1), "shear must be a number from 0 to 2, found -0.1"),
        (lambda: Affine(shift=float("nan")), "shift .* must be a number from 0 to 1, found nan"),
        (lambda: Affine(scale=True), "scale must be a number"),
        (lambda: Elastic(alpha="much", sigma=0.1), "alpha .* must be a number from 0 to 0.5, found 'much'"),
        (lambda: Elastic(alpha=0.1, sigma=0), "sigma .* must be a number from 0.02 to 1, found 0"),
    ],
)
def test_sizes_out_of_range(make, sentence):
    with pytest.raises(UsageError, match=sentence):
        make()
