"""A chain goes in order, and neighbouring distortions share one gather."""

from __future__ import annotations

import numpy as np

from pipeline.augment import Affine, Chain, CutOut, Elastic
from pipeline.augment.distort import warp
from pipeline.augment.noise import NoiseOnShare
from pipeline.augment.shift import RandomShift


def test_a_chain_goes_in_order():
    batch = np.ones((100, 4, 4), np.float32)
    Chain(RandomShift(1), NoiseOnShare(0.5, share=1.0))(batch, rng=np.random.default_rng(0))
    assert ((batch > 0) & (batch < 1)).any()  # noise came last, over the black edges


def test_an_empty_chain_changes_nothing():
    batch = np.random.default_rng(0).random((3, 4, 4))
    np.testing.assert_array_equal(Chain()(batch.copy(), rng=np.random.default_rng(0)), batch)


def test_neighbouring_distortions_are_one_field():
    affine, elastic = Affine(rotation=20, shift=0.1), Elastic(alpha=0.05, sigma=0.2)
    batch = np.random.default_rng(0).random((5, 8, 8), dtype=np.float32)
    rng = np.random.default_rng(1)
    field = affine.field(batch.shape, rng=rng).copy() + elastic.field(batch.shape, rng=rng)
    together = Chain(affine, elastic)(batch.copy(), rng=np.random.default_rng(1))
    np.testing.assert_array_equal(together, warp(batch.copy(), field))


def test_what_stands_between_keeps_distortions_apart():
    cut = CutOut(share_of_side=0.5)
    batch = np.random.default_rng(0).random((5, 8, 8), dtype=np.float32)
    expected, rng = batch.copy(), np.random.default_rng(1)
    for change in (Affine(shift=0.2), cut, Elastic(alpha=0.1, sigma=0.2)):
        expected = change(expected, rng=rng)
    chain = Chain(Affine(shift=0.2), cut, Elastic(alpha=0.1, sigma=0.2))
    np.testing.assert_array_equal(chain(batch.copy(), rng=np.random.default_rng(1)), expected)
