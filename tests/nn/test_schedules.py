"""Schedules, by hand; test_against_torch.py compares those that PyTorch has too."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.nn.schedules import SCHEDULES, Constant, Cosine, OneCycle, Step


def rates(schedule, steps):
    return [schedule(step, steps) for step in range(steps)]


def test_constant():
    assert rates(Constant(learning_rate=0.5), 3) == [0.5, 0.5, 0.5]
    assert rates(Constant(learning_rate=0.5, warmup=0.5), 8) == [0.125, 0.25, 0.375, 0.5, 0.5, 0.5, 0.5, 0.5]


def test_step():
    found = rates(Step(learning_rate=8.0, at=[0.5, 0.75], factor=0.5), 8)
    assert found == [8, 8, 8, 8, 4, 4, 2, 2]
    found = rates(Step(learning_rate=8.0, at=[0.5], factor=0.25, warmup=0.25), 8)
    assert found == [4, 8, 8, 8, 2, 2, 2, 2]


def test_cosine():
    # cos 0, cos 60°, cos 120° between 1 and 0.2: 1, 0.8, 0.4
    assert rates(Cosine(learning_rate=1.0, last=0.2), 3) == pytest.approx([1, 0.8, 0.4])
    assert rates(Cosine(learning_rate=1.0, last=0.2, warmup=0.4), 5) == pytest.approx([0.5, 1, 1, 0.8, 0.4])


def test_one_cycle():
    # The peak lies at step 0.5·6 − 1 = 2; half a cosine up from 8/4 = 2, then down in 3 steps to 2/2 = 1.
    found = rates(OneCycle(peak=8.0, warmup=0.5, start_divisor=4, end_divisor=2), 6)
    assert found == pytest.approx([2, 5, 8, 6.25, 2.75, 1])


@settings(deadline=None, derandomize=True)
@given(name=st.sampled_from(sorted(SCHEDULES)), steps=st.integers(1, 200), warmup=st.floats(0.001, 0.999))
def test_every_rate_is_above_nothing_and_at_most_the_highest(name, steps, warmup):
    highest = {"peak": 0.3} if name == "one-cycle" else {"learning_rate": 0.3}
    found = rates(SCHEDULES[name](**highest, warmup=warmup), steps)
    assert all(0 < rate <= 0.3 * (1 + 1e-15) for rate in found)


@settings(deadline=None, derandomize=True)
@given(steps=st.integers(2, 200), warmup=st.floats(0.001, 0.999))
def test_one_cycle_ends_at_almost_nothing(steps, warmup):
    assert OneCycle(peak=1.0, warmup=warmup)(steps - 1, steps) == pytest.approx(1 / 25 / 1e4)


@pytest.mark.parametrize(
    ("kind", "arguments", "sentence"),
    [
        (Constant, {"learning_rate": 0}, "learning_rate must be a number above 0, found 0"),
        (Constant, {"learning_rate": float("nan")}, "found nan"),
        (Constant, {"warmup": 1.0}, r"warmup \(a share of all steps\) must be a number at least 0 and below 1"),
        (Step, {"at": [0.5, 1.5]}, "each must be a number above 0 and below 1, found 1.5"),
        (Step, {"at": [0.7, 0.3]}, "a list of rising shares"),
        (Step, {"at": 0.5}, "a list of rising shares .* found 0.5"),
        (Step, {"factor": 1}, "factor must be a number above 0 and below 1, found 1"),
        (Cosine, {"learning_rate": 0.1, "last": 0.2}, "last .* must be a number at least 0 and at most 0.1, found 0.2"),
        (OneCycle, {"peak": float("inf")}, "peak must be a number above 0, found inf"),
        (OneCycle, {"warmup": 0}, "above 0 and below 1, found 0"),
        (OneCycle, {"start_divisor": 0.5}, "start_divisor must be a number at least 1, found 0.5"),
    ],
)
def test_arguments_that_cannot_be(kind, arguments, sentence):
    with pytest.raises(UsageError, match=sentence):
        kind(**arguments)
