"""Leaving off columns that are zero throughout a batch changes the order of sums, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.nn.layers import Conv2D, Dense, Flatten, ReLU
from pipeline.nn.losses import SoftmaxCrossEntropy
from pipeline.nn.network import Network
from pipeline.nn.optimizers import Adam
from pipeline.nn.schedules import Constant
from pipeline.training import Streams, TrainingData, TrainingPlan, fit
from pipeline.training import zero_columns as under_test
from pipeline.training.zero_columns import SortedColumns, sorted_columns


def margins(n: int = 60, seed: int = 0) -> np.ndarray:
    """Pictures (n, 6, 6) uint8 with ink in the middle, some of it rare."""
    rng = np.random.default_rng(seed)
    pictures = np.zeros((n, 6, 6), np.uint8)
    pictures[:, 2:4, 1:5] = rng.integers(0, 256, (n, 2, 4))
    pictures[::9, 1, 3] = 200
    return pictures


def network(dtype="float64") -> Network:
    return Network([Flatten(), Dense(7), ReLU(), Dense(3)], (6, 6), rng=np.random.default_rng(1), dtype=dtype)


def trained(pictures: np.ndarray, monkeypatch=None) -> tuple[np.ndarray, list[float]]:
    if monkeypatch is not None:
        monkeypatch.setattr("pipeline.training.loop.sorted_columns", lambda network, rows: None)
    net, labels = network(), np.arange(len(pictures)) % 3
    plan = TrainingPlan(
        loss=SoftmaxCrossEntropy(),
        optimizer=Adam(net.params.size, net.dtype),
        schedule=Constant(learning_rate=0.01),
        epochs=4,
        batch_size=8,
    )
    data = TrainingData(rows=pictures, labels=labels, validation=TrainingData(rows=pictures, labels=labels))
    history = fit(net, data, plan, streams=Streams.of(0))
    return net.params.copy(), [epoch.validation_loss for epoch in history]


def test_training_gives_the_same_weights_with_and_without(monkeypatch):
    assert sorted_columns(network(), margins()) is not None
    sorted_params, sorted_losses = trained(margins())
    params, losses = trained(margins(), monkeypatch)
    np.testing.assert_allclose(sorted_params, params, rtol=0, atol=1e-12)
    np.testing.assert_allclose(sorted_losses, losses, rtol=1e-12)


@given(seed=st.integers(0, 99), share=st.floats(0, 1))
@settings(deadline=None, max_examples=30)
def test_nothing_but_zeros_is_left_off(seed, share):
    rng = np.random.default_rng(seed)
    rows = rng.integers(1, 256, (9, 6, 6), dtype=np.uint8) * (rng.random((9, 6, 6)) < share)
    columns = SortedColumns(network(), rows.astype(np.uint8))
    for row, used in zip(columns.rows, columns.used, strict=True):
        assert used >= 1
        assert not row[used:].any()
        assert used == 1 or row[used - 1] != 0
    np.testing.assert_array_equal(columns.rows.sum(axis=1), rows.reshape(9, -1).sum(axis=1))


def test_the_weights_come_back_into_their_order():
    net = network()
    before = net.params.copy()
    columns = SortedColumns(net, margins())
    with pytest.raises(KeyboardInterrupt), columns.in_place():
        assert not np.array_equal(net.params, before)
        raise KeyboardInterrupt
    np.testing.assert_array_equal(net.params, before)


def test_where_it_does_not_pay_or_cannot_be(monkeypatch):
    bright = np.full((10, 6, 6), 9, np.uint8)
    assert sorted_columns(network(), bright) is None
    pictures = Network([Conv2D(2, 3), Flatten(), Dense(3)], (6, 6), rng=np.random.default_rng(0))
    assert sorted_columns(pictures, margins()) is None
    monkeypatch.setattr(under_test, "WORTH_SORTING", 1.0)
    assert sorted_columns(network(), margins()) is None
