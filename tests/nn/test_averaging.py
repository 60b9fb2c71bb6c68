"""Averages of the weights, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import UsageError
from pipeline.nn.averaging import MovingAverage, TailAverage

FLOAT64 = np.dtype("float64")


def test_moving_average_by_hand():
    average = MovingAverage(2, FLOAT64, decay=0.75)
    for values in ([4.0, 1.0], [8.0, 1.0], [1.0, 1.0]):
        average.update(np.array(values))
    # 4; 0.75·4 + 0.25·8 = 5; 0.75·5 + 0.25·1 = 4
    np.testing.assert_array_equal(average.values, [4.0, 1.0])


def test_moving_average_of_every_second_step():
    average = MovingAverage(1, FLOAT64, decay=0.5, every=2)
    for value in (4.0, 8.0, 100.0, 2.0):
        average.update(np.array([value]))
    # 4; then steps 2 and 4 only: 0.5·4 + 0.5·8 = 6; 0.5·6 + 0.5·2 = 4
    assert average.values.tolist() == [4.0]


def test_tail_average_by_hand():
    average = TailAverage(1, FLOAT64, start=0.5)
    for step, value in enumerate((50.0, 70.0, 1.0, 3.0, 8.0), 1):
        average.update(np.array([value]), step / 5)
        assert (average.values is None) == (step <= 2)
    assert average.values.tolist() == [4.0]  # (1 + 3 + 8) / 3


def test_tail_average_of_every_third_step():
    average = TailAverage(1, FLOAT64, start=0.0, every=3)
    for step, value in enumerate((2.0, 99.0, 4.0, 99.0, 99.0, 9.0), 1):
        average.update(np.array([value]), step / 6)
    assert average.values.tolist() == [5.0]  # the first, the third, the sixth


@pytest.mark.parametrize("kind", [MovingAverage, TailAverage])
def test_an_average_keeps_its_own_copy(kind):
    values = np.ones(3, np.float32)
    average = kind(3, values.dtype)
    average.update(values, 1.0)
    values[:] = 5
    np.testing.assert_array_equal(average.values, [1, 1, 1])


@pytest.mark.parametrize("decay", [1.0, -0.1, float("nan"), None])
def test_moving_average_refuses(decay):
    with pytest.raises(UsageError, match="decay must be a number at least 0 and below 1"):
        MovingAverage(1, FLOAT64, decay=decay)


@pytest.mark.parametrize("start", [1.0, -0.1, "late"])
def test_tail_average_refuses(start):
    with pytest.raises(UsageError, match="start"):
        TailAverage(1, FLOAT64, start=start)


@pytest.mark.parametrize("every", [0, 1.5, True])
def test_steps_left_out_are_a_whole_number(every):
    with pytest.raises(UsageError, match=r"every \(steps\) must be a whole number of at least 1"):
        TailAverage(1, FLOAT64, every=every)
