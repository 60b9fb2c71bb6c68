"""Noise: its size, its range, and the rows it leaves alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pipeline.augment.noise import NoiseOnShare, gaussian
from pipeline.errors import UsageError


@given(sigma=st.floats(0, 2), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=30)
def test_noise_stays_in_range_and_leaves_its_input(sigma, seed):
    images = np.random.default_rng(seed).integers(0, 256, (5, 4, 4), dtype=np.uint8)
    before = images.copy()
    noisy = gaussian(images, sigma, rng=np.random.default_rng(seed))
    assert noisy.dtype == np.float32
    assert noisy.min() >= 0 and noisy.max() <= 1
    np.testing.assert_array_equal(images, before)


def test_sigma_zero_is_the_picture():
    images = np.array([[[0, 51], [102, 255]]], np.uint8)
    np.testing.assert_allclose(gaussian(images, 0, rng=np.random.default_rng(0))[0], [[0, 0.2], [0.4, 1]], rtol=1e-6)


def test_sigma_is_a_standard_deviation_on_the_unit_scale():
    grey = np.full((100, 28, 28), 0.5, np.float32)
    noise = gaussian(grey, 0.1, rng=np.random.default_rng(0)) - 0.5  # 5 σ to either end: no clipping
    assert noise.std() == pytest.approx(0.1, rel=0.01)
    assert noise.mean() == pytest.approx(0, abs=0.002)


def test_black_becomes_a_haze():
    # E[max(N(0, σ²), 0)] = σ / √(2π)
    black = np.zeros((100, 28, 28), np.float32)
    haze = gaussian(black, 0.3, rng=np.random.default_rng(0))
    assert haze.mean() == pytest.approx(0.3 / np.sqrt(2 * np.pi), rel=0.02)


@pytest.mark.parametrize("sigma", [-0.1, 2.1, float("nan"), float("inf")])
def test_sigma_out_of_range(sigma):
    with pytest.raises(UsageError, match="must be a number from 0 to 2, found"):
        gaussian(np.zeros((1, 2, 2)), sigma, rng=np.random.default_rng(0))


def test_training_noise_has_the_normal_distribution():
    noise = NoiseOnShare(0.3, share=1.0, clip=False)
    drawn = noise(np.zeros((1000, 784), np.float32), rng=np.random.default_rng(0)).ravel()
    assert drawn.std() == pytest.approx(0.3, rel=0.002)
    assert stats.kstest(drawn[:200_000] / 0.3, "norm").pvalue > 0.01


def test_training_noise_is_fresh_and_leaves_clean_rows():
    change, rng = NoiseOnShare(0.2, share=0.5), np.random.default_rng(0)
    clean = np.full((10, 4, 4), 0.5, np.float32)
    first, second = change(clean.copy(), rng=rng), change(clean.copy(), rng=rng)
    assert (first[:5] != clean[:5]).mean() > 0.9
    np.testing.assert_array_equal(first[5:], clean[5:])
    assert (first[:5] != second[:5]).mean() > 0.9


def test_unclipped_training_noise_leaves_the_range_of_pixels():
    batch = np.full((100, 28, 28), 0.9, np.float32)
    noise = NoiseOnShare(0.25, share=1.0, clip=False)(batch, rng=np.random.default_rng(0)) - 0.9
    assert noise.mean() == pytest.approx(0, abs=0.005)
    assert noise.std() == pytest.approx(0.25, rel=0.01)
    assert (noise > 0.1).mean() == pytest.approx(stats.norm.sf(0.4), rel=0.02)  # what clipping would take away


def test_training_noise_of_zero_draws_nothing():
    rng = np.random.default_rng(0)
    NoiseOnShare(0.0)(np.zeros((4, 2, 2), np.float32), rng=rng)
    assert rng.random() == np.random.default_rng(0).random()


@pytest.mark.parametrize("share", [0, -1, 1.5])
def test_share_out_of_range(share):
    with pytest.raises(UsageError, match="noisy share"):
        NoiseOnShare(0.1, share=share)
