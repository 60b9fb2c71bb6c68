"""Small networks whose best attack and true radius are known in closed form."""

from __future__ import annotations

import numpy as np

from pipeline.nn.layers import Dense, Flatten, Layer, ReLU
from pipeline.nn.network import Network

SIDE = 6
PIXELS = SIDE * SIDE


def linear(weights: np.ndarray, bias: np.ndarray) -> Network:
    """Logits x·W + b of flattened SIDE×SIDE pictures; weights (36, classes)."""
    network = Network([Flatten(), Dense(weights.shape[1])], (SIDE, SIDE))
    network.layers[1].params["weight"][...] = weights
    network.layers[1].params["bias"][...] = bias
    return network


def two_classes(seed: int = 0) -> tuple[Network, np.ndarray, np.ndarray]:
    """A network of logits (0, w·x + b), w itself float64 (36,), and 400 pictures on both sides of it."""
    rng = np.random.default_rng(seed)
    w = rng.standard_normal(PIXELS).astype(np.float32)
    network = linear(np.stack([np.zeros_like(w), w], axis=1), np.array([0, -w.sum() / 2]))
    return network, w.astype(np.float64), rng.random((400, SIDE, SIDE), dtype=np.float32)


def small_net(*extra: Layer, units: int = 32, classes: int = 3, seed: int = 0) -> Network:
    """Flatten, Dense, ReLU, any extra layers, Dense."""
    layers = [Flatten(), Dense(units), ReLU(), *extra, Dense(classes)]
    return Network(layers, (SIDE, SIDE), rng=np.random.default_rng(seed))


class Rounding(Layer):
    """Hides its gradient: rounds to hundredths, the slope of which is 0."""

    def forward(self, x, ctx):
        return np.round(x, 2), np.zeros_like


class WrongWay(Layer):
    """Misleads: its backward pass points downhill."""

    def forward(self, x, ctx):
        return x, np.negative
