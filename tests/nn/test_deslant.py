"""Deslant: what it does to a line by hand, that it leaves upright writing alone, and its gradient."""

from __future__ import annotations

import numpy as np
import pytest
from gradient_check import TOLERANCE, layer_error, network_error
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.nn.layers import Dense, Deslant, Flatten, Tanh
from pipeline.nn.losses import SoftmaxCrossEntropy
from pipeline.nn.network import Network
from pipeline.nn.workspace import Pass


def upright(images, **options):
    return Deslant(**options).forward(np.asarray(images, np.float64), Pass())[0]


def test_a_leaning_line_stands_up_where_its_centre_was():
    # Ones on the diagonal of 5×5: one column to the right for every row down, centre in the middle.
    np.testing.assert_allclose(upright([np.eye(5)])[0], np.outer(np.ones(5), [0, 0, 1, 0, 0]), atol=1e-6)


def test_half_a_column_a_row_is_interpolated():
    # Ink at columns 1, 1½ (two halves), 2: the middle row's halves weigh ¼ each as ink, and the slant is ½.
    picture = np.zeros((3, 4))
    picture[0, 1] = picture[2, 2] = 1
    picture[1, 1] = picture[1, 2] = 0.5
    expected = np.array([[0, 0.5, 0.5, 0]] * 3)
    np.testing.assert_allclose(upright([picture])[0], expected, atol=1e-6)


def test_a_slant_beyond_the_limit_is_taken_for_the_limit():
    # With limit ½ the diagonal's rows move by -1, -½, 0, ½, 1 columns instead of twice that.
    rows = upright([np.eye(5)], limit=0.5)[0]
    np.testing.assert_allclose(rows[0], [0, 1, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(rows[1], [0, 0.5, 0.5, 0, 0], atol=1e-6)
    np.testing.assert_allclose(rows[4], [0, 0, 0, 1, 0], atol=1e-6)


@pytest.mark.parametrize("picture", [np.zeros((4, 5)), np.ones((4, 5)), np.outer([0, 1, 0, 0], np.ones(5))])
def test_what_does_not_lean_stays_as_it_is(picture):
    np.testing.assert_allclose(upright([picture])[0], picture, atol=1e-12)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.floats(-0.8, 0.8), st.integers(0, 1000))
def test_slanted_copies_of_a_picture_become_nearly_the_same(slant, seed):
    # Blobs as smooth functions of the place, sheared exactly: no pixel grid is in the way but the two compared.
    rng = np.random.default_rng(seed)
    v, u = np.mgrid[:61, :61] - 30.0
    blobs = rng.uniform(-8, 8, (4, 2))

    def drawn(lean):
        lean *= v - blobs[:, 0].mean()
        return sum(np.exp(-((v - row) ** 2 + (u - lean - column) ** 2) / 50) for row, column in blobs)

    straight, leaning = upright([drawn(0.0), drawn(slant)], limit=4)
    # The centres may differ by parts of a pixel, because the lean is about another row than the ink's.
    near = min(np.abs(np.roll(straight, step, axis=1) - leaning).mean() for step in range(-5, 6))
    assert near < 0.1 * straight.mean()


@pytest.mark.parametrize("limit", [0.05, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_gradient(limit, seed):
    assert layer_error(Deslant(limit=limit), (7, 9), rng=np.random.default_rng(seed)) < TOLERANCE


def test_gradient_through_a_network():
    rng = np.random.default_rng(0)
    network = Network([Deslant(), Flatten(), Dense(5), Tanh(), Dense(3)], (6, 6), rng=rng, dtype="float64")
    x, labels = rng.random((4, 6, 6)), np.array([0, 1, 2, 1])
    assert network_error(network, SoftmaxCrossEntropy(), x, labels, rng=rng) < TOLERANCE


def test_rows_do_not_depend_on_those_beside_them():
    pictures = np.random.default_rng(1).random((5, 8, 8)).astype(np.float32)
    ctx, layer = Pass(), Deslant()
    together = layer.forward(pictures, ctx)[0].copy()
    assert together.dtype == np.float32
    for number, picture in enumerate(pictures):
        np.testing.assert_allclose(layer.forward(picture[None], ctx)[0][0], together[number], atol=1e-6)


def test_only_pictures_have_a_slant():
    with pytest.raises(UsageError, match=r"Deslant takes pictures \(height, width\), found shape \(784,\)"):
        Network([Deslant(), Flatten(), Dense(2)], (784,))
    with pytest.raises(UsageError, match="limit must be a number above 0 and at most 4, found 0"):
        Deslant(limit=0)
