"""The gradient check: a backward pass against central differences of the forward pass, in float64.

Differences are taken along random directions v of length 1: (f(x + h·v) − f(x − h·v)) / 2h against ∇f·v.
A wrong gradient shows in every direction; the median of a few is taken because a step may cross a kink
(of ReLU, of max pooling), which spoils that one direction only.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.nn.layers import Flatten, Layer
from pipeline.nn.network import Network
from pipeline.nn.workspace import Pass

TOLERANCE = 1e-7
STEP = 1e-5
DIRECTIONS = 5
MASKS = 7  # seed of what dropout draws: the same in every pass


def relative_error(
    f: Callable[[np.ndarray], float], x: np.ndarray, gradient: np.ndarray, *, rng: np.random.Generator
) -> float:
    """How far `gradient`, claimed to be ∇f at x, is from the differences, relative to its size along a direction.

    Rounding in f hides slopes below a thousandth of f itself, so that is the least size taken.
    """
    assert gradient.shape == x.shape
    errors = []
    for _ in range(DIRECTIONS):
        v = rng.normal(size=x.shape)
        v /= np.linalg.norm(v)
        by_difference = (f(x + STEP * v) - f(x - STEP * v)) / (2 * STEP)
        by_gradient = float((gradient * v).sum())
        usual = np.linalg.norm(gradient) / np.sqrt(x.size)
        size = max(abs(by_difference), abs(by_gradient), usual, 1e-3 * abs(f(x)), 1e-12)
        errors.append(abs(by_difference - by_gradient) / size)
    return float(np.median(errors))


def layer_error(
    layer: Layer, shape: tuple[int, ...], *, rng: np.random.Generator, rows: int = 3, train: bool = False
) -> float:
    """The worst relative error of a layer's gradients, of its input and of each of its parameters.

    The layer takes rows of `shape`; f is a random weighted sum of its outputs.
    """
    network = Network([layer, Flatten()], shape, rng=rng, dtype="float64")
    network.params += 0.3 * rng.normal(size=network.params.shape)
    x = rng.normal(size=(rows, *shape))
    c = rng.normal(size=(rows, *network.output_shape))

    def loss(outputs: np.ndarray, targets: None, ctx: Pass, weights: None = None) -> tuple[float, np.ndarray]:
        return float((outputs * c).sum()), c.copy()

    return network_error(network, loss, x, None, rng=rng, train=train)


def network_error(
    network: Network,
    loss: Callable[..., tuple[float, np.ndarray]],
    x: np.ndarray,
    targets: np.ndarray | None,
    *,
    rng: np.random.Generator,
    weights: np.ndarray | None = None,
    train: bool = False,
) -> float:
    """The worst relative error of a network's gradients under a loss, of its input x and of each parameter array."""

    def once(x: np.ndarray) -> tuple[float, np.ndarray]:
        ctx = Pass(train=train, wants_input_gradient=True, rng=np.random.default_rng(MASKS))
        outputs, backward = network.forward(x, ctx)
        value, d = loss(outputs, targets, ctx, weights)
        return value, backward(d)

    dx = once(x)[1].copy()
    grads = [grad.copy() for layer in network.layers for grad in layer.grads.values()]
    params = [param for layer in network.layers for param in layer.params.values()]
    errors = [relative_error(lambda x: once(x)[0], x, dx, rng=rng)]
    for param, grad in zip(params, grads, strict=True):

        def with_param(values: np.ndarray, param: np.ndarray = param) -> float:
            before = param.copy()
            param[...] = values
            value = once(x)[0]
            param[...] = before
            return value

        errors.append(relative_error(with_param, param.copy(), grad, rng=rng))
    return max(errors)


def loss_error(
    loss: Callable[..., tuple[float, np.ndarray]],
    outputs: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    rng: np.random.Generator,
) -> float:
    """The relative error of a loss's gradient at outputs (n, k)."""
    gradient = loss(outputs, targets, Pass(), weights)[1]
    return relative_error(lambda z: loss(z, targets, Pass(), weights)[0], outputs, gradient, rng=rng)
