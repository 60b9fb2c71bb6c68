"""Activations: functions of single numbers, between the layers that have weights.

Each takes any shape, and inputs far beyond ±10⁴. To add one, write its forward and its slope, and put its
name into the list in this package's __init__.py.
"""

import math

import numpy as np

from pipeline.errors import number
from pipeline.nn.kernels import Array, kernel
from pipeline.nn.layers.base import Backward, Layer
from pipeline.nn.workspace import Pass


class Linear(Layer):
    """y = x: no activation, said aloud."""

    def forward(self, x: np.ndarray, ctx: Pass) -> tuple[np.ndarray, Backward]:
        return x, lambda dy: dy


class Sigmoid(Layer):
    """y = 1 / (1 + e⁻ˣ), slope y·(1 − y)."""

    def forward(self, x: np.ndarray, ctx: Pass) -> tuple[np.ndarray, Backward]:
        y = sigmoid(x, out=ctx.array(self, "y", x.shape, x.dtype))

        def backward(dy: np.ndarray) -> np.ndarray:
            dx = np.subtract(1, y, out=ctx.array(self, "dx", x.shape, x.dtype))
            dx *= y
            dx *= dy
            return dx

        return y, backward


def _relu_backward_arrays(dx: Array, dy: Array, y: Array) -> None:
    np.multiply(dy, y > 0, out=dx)


@kernel(_relu_backward_arrays)
def _relu_backward(dx: Array, dy: Array, y: Array) -> None:
    """dx ← dy where y > 0, else 0·dy; all flat."""
    for i in range(dx.size):
        dx[i] = dy[i] if y[i] > 0 else dy[i] * 0


class ReLU(Layer):
    """y = max(x, 0); its slope at 0 is taken as 0."""

    def forward(self, x: np.ndarray, ctx: Pass) -> tuple[np.ndarray, Backward]:
        y = np.maximum(x, 0, out=ctx.array(self, "y", x.shape, x.dtype))

        def backward(dy: np.ndarray) -> np.ndarray:
            dx = ctx.array(self, "dx", x.shape, x.dtype)
            _relu_backward(dx.reshape(-1), np.ascontiguousarray(dy).reshape(-1), y.reshape(-1))
            return dx

        return y, backward


class LeakyReLU(Layer):
    """y = x where x > 0, else slope · x (Maas, Hannun, Ng 2013).

    slope: at least 0 and below 1. Raises UsageError for another.
    """

    def __init__(self, slope: float = 0.01) -> None:
        super().__init__()
        self.slope = number("LeakyReLU slope", slope, at_least=0, below=1)

    def forward(self, x: np.ndarray, ctx: Pass) -> tuple[np.ndarray, Backward]:
        slope = x.dtype.type(self.slope)
        y = np.multiply(x, slope, out=ctx.array(self, "y", x.shape, x.dtype))
        np.maximum(x, y, out=y)

        def backward(dy: np.ndarray) -> np.ndarray:
            dx = ctx.array(self, "dx", x.shape, x.dtype)
            np.maximum(x > 0, slope, out=dx)
            dx *= dy
            return dx

        return y, backward


class Tanh(Layer):
    """y = tanh x, slope 1 − y²."""

    def forward(self, x: np.ndarray, ctx: Pass) -> tuple[np.ndarray, Backward]:
        y = np.tanh(x, out=ctx.array(self, "y", x.shape, x.dtype))

        def backward(dy: np.ndarray) -> np.ndarray:
            dx = np.multiply(y, y, out=ctx.array(self, "dx", x.shape, x.dtype))
            np.subtract(1, dx, out=dx)
            dx *= dy
            return dx

        return y, backward


class GELU(Layer):
    """y = x·Φ(x), slope Φ(x) + x·φ(x), of the normal distribution (Hendrycks and Gimpel 2016, exact form)."""

    def forward(self, x: np.ndarray, ctx: Pass) -> tuple[np.ndarray, Backward]:
        from scipy.special import ndtr  # takes longer to import than the rest of the network

        below = ndtr(x, out=ctx.array(self, "below", x.shape, x.dtype))
        y = np.multiply(x, below, out=ctx.array(self, "y", x.shape, x.dtype))

        def backward(dy: np.ndarray) -> np.ndarray:
            dx = np.multiply(x, x, out=ctx.array(self, "dx", x.shape, x.dtype))
            dx *= -0.5
            np.exp(dx, out=dx)
            dx *= x
            dx *= 1 / math.sqrt(2 * math.pi)
            dx += below
            dx *= dy
            return dx

        return y, backward


class Softplus(Layer):
    """y = log(1 + eˣ), slope 1 / (1 + e⁻ˣ)."""

    def forward(self, x: np.ndarray, ctx: Pass) -> tuple[np.ndarray, Backward]:
        y = np.logaddexp(x, 0, out=ctx.array(self, "y", x.shape, x.dtype))

        def backward(dy: np.ndarray) -> np.ndarray:
            dx = sigmoid(x, out=ctx.array(self, "dx", x.shape, x.dtype))
            dx *= dy
            return dx

        return y, backward


def sigmoid(x: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """1 / (1 + e⁻ˣ) of any shape; `out` may be x itself."""
    out = np.negative(x, out=out)
    with np.errstate(over="ignore"):  # e¹⁰⁰⁰⁰ is infinite, and 1 / ∞ is the 0 that is meant
        np.exp(out, out=out)
    out += 1
    return np.reciprocal(out, out=out)
