"""Optimisers, by hand; test_against_torch.py holds them against PyTorch over whole trainings."""

import numpy as np
import pytest

from pipeline.errors import UsageError
from pipeline.nn.optimizers import OPTIMIZERS, SGD, Adam, AdamW, RMSProp


def steps(optimizer, *grads, start=1.0, rate=0.5):
    """The one parameter after each step, beginning at `start`."""
    p = np.array([start])
    path = []
    for g in grads:
        optimizer.step(p, np.array([g]), rate)
        path.append(p.item())
    return path


def build(kind, **arguments):
    return kind(1, np.dtype("float64"), **arguments)


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        (build(SGD), [0.0, -0.5]),
        # velocity 2, then 0.5·2 + 1 = 2
        (build(SGD, momentum=0.5), [0.0, -1.0]),
        # 2 + 0.5·2 = 3, then 1 + 0.5·2 = 2
        (build(SGD, momentum=0.5, nesterov=True), [-0.5, -1.5]),
        # gradient 2 + 1·1 = 3, then 1 + 1·(−0.5) = 0.5
        (build(SGD, weight_decay=1.0), [-0.5, -0.75]),
        # shortened from 2 to 1; 1 is not longer than 1
        (build(SGD, clip_norm=1.0), [0.5, 0.0]),
        # v = 0.75·4 = 3, then 0.25·3 + 0.75·1 = 1.5
        (build(RMSProp, rho=0.25), [1 - 1 / 3**0.5, 1 - 1 / 3**0.5 - 0.5 / 1.5**0.5]),
        # m̂ = 2, v̂ = 4; then m̂ = (0.5·1 + 0.5·1) / 0.75, v̂ = (0.75·1 + 0.25·1) / (1 − 0.75²)
        (build(Adam, beta_1=0.5, beta_2=0.75), [0.5, 0.5 - 0.5 * (1 / 0.75) / (1 / 0.4375) ** 0.5]),
        # the weight first shrinks by 1 − 0.5·0.5, then Adam's step of 0.5
        (build(AdamW, weight_decay=0.5), [0.25]),
    ],
)
def test_worked_steps(optimizer, expected):
    found = steps(optimizer, *[2.0, 1.0][: len(expected)])
    assert found == pytest.approx(expected, abs=2e-6)


def test_clipping_keeps_the_direction():
    p = np.zeros(2)
    SGD(2, p.dtype, clip_norm=1.0).step(p, np.array([30.0, -40.0]), 1.0)
    np.testing.assert_allclose(p, [-0.6, 0.8], rtol=1e-6)


@pytest.mark.parametrize("kind", OPTIMIZERS.values())
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_optimiser_finds_the_bottom_of_a_bowl(kind, dtype):
    """½·Σ cᵢ·pᵢ² with c from 0.1 to 10: the gradient is c·p, the minimum 0."""
    c = np.logspace(-1, 1, 5).astype(dtype)
    p = np.ones(5, dtype)
    optimizer = kind(5, p.dtype, weight_decay=0.0)
    for step in range(800):
        optimizer.step(p, c * p, np.float64(0.05 * (1 - step / 800)))
    assert p.dtype == dtype
    assert np.abs(p).max() < 0.15
    assert np.abs(p * c).max() < 0.05


@pytest.mark.parametrize(
    ("kind", "arguments", "sentence"),
    [
        (SGD, {"momentum": 1.0}, "momentum must be a number at least 0 and below 1, found 1.0"),
        (SGD, {"momentum": "much"}, "found 'much'"),
        (SGD, {"nesterov": True}, "nesterov must be true with a momentum above 0"),
        (SGD, {"momentum": 0.9, "nesterov": 1}, "or false, found 1"),
        (SGD, {"weight_decay": -1}, "weight_decay must be a number at least 0, found -1"),
        (SGD, {"clip_norm": 0.0}, "clip_norm must be a number above 0, found 0.0"),
        (RMSProp, {"rho": float("nan")}, "rho must be a number at least 0 and below 1, found nan"),
        (RMSProp, {"epsilon": 0}, "epsilon must be a number above 0, found 0"),
        (Adam, {"beta_1": 1}, "beta_1 must be a number at least 0 and below 1, found 1"),
        (Adam, {"beta_2": -0.1}, "beta_2 must be"),
        (Adam, {"epsilon": float("inf")}, "epsilon must be a number above 0, found inf"),
        (AdamW, {"weight_decay": float("nan")}, "weight_decay must be a number at least 0, found nan"),
    ],
)
def test_arguments_that_cannot_be(kind, arguments, sentence):
    with pytest.raises(UsageError, match=sentence):
        build(kind, **arguments)
