"""First weights: their distribution, from 200,000 draws; the bounds are those of the papers."""

import numpy as np
import pytest

from pipeline.nn.initializers import INITIALIZERS
from pipeline.nn.layers import Dense
from pipeline.nn.network import Network

FAN_IN, FAN_OUT = 500, 400


@pytest.mark.parametrize(
    ("name", "deviation", "limit"),
    [
        ("he", (2 / 500) ** 0.5, None),
        ("lecun", (1 / 500) ** 0.5, None),
        ("glorot", (2 / 900) ** 0.5, (6 / 900) ** 0.5),
        ("normal", 1.0, None),
        ("uniform", 12**-0.5, 0.5),
    ],
)
def test_distribution(name, deviation, limit):
    w = INITIALIZERS[name]((FAN_IN, FAN_OUT), FAN_IN, FAN_OUT, rng=np.random.default_rng(0))
    assert w.shape == (FAN_IN, FAN_OUT)
    assert w.std() == pytest.approx(deviation, rel=0.01)
    assert abs(w.mean()) < 0.01 * deviation
    if limit is None:  # of a normal distribution 0.27 % lie beyond 3 deviations
        assert (np.abs(w) > 3 * deviation).mean() == pytest.approx(0.0027, rel=0.15)
    else:
        assert 0.99 * limit < np.abs(w).max() <= limit


def test_he_keeps_the_size_of_signals_through_many_layers():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 256))
    for _ in range(10):
        layer = Dense(256)
        network = Network([layer], (256,), rng=rng, dtype="float64")
        x = np.maximum(network.logits(x), 0)
    assert 0.5 < np.mean(x**2) < 2


def test_biases_begin_at_zero():
    layer = Dense(3)
    Network([layer], (2,), rng=np.random.default_rng(0))
    assert not layer.params["bias"].any()
    assert layer.params["weight"].all()
