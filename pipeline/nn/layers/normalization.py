"""Batch normalisation: each feature, or each channel of pictures, brought to mean 0 and variance 1."""

import numpy as np

from pipeline.errors import UsageError, number
from pipeline.nn.kernels import Array, Kernel, Number, kernel
from pipeline.nn.layers.base import Backward, Layer, Shape
from pipeline.nn.workspace import Pass

# Of all kernels below: x, dy, y, dx (rows, width); everything else is for each number of a row, totals float64.


def _sums_arrays(x: Array, total: Array) -> None:
    total += x.sum(axis=0, dtype=np.float64)


@kernel(_sums_arrays)
def _sums(x: Array, total: Array) -> None:
    """total ← total + Σ x over the rows."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            total[j] += x[i, j]


def _products_arrays(d: Array, x: Array, shift: Array, of_d: Number, total: Array) -> None:
    total += ((d - of_d * shift) * (x - shift)).sum(axis=0, dtype=np.float64)


@kernel(_products_arrays)
def _products(d: Array, x: Array, shift: Array, of_d: Number, total: Array) -> None:
    """total ← total + Σ (d − of_d·shift)·(x − shift) over the rows."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            total[j] += (d[i, j] - of_d * shift[j]) * (x[i, j] - shift[j])


def _stretch_arrays(y: Array, x: Array, shift: Array, factor: Array, offset: Array) -> None:
    np.subtract(x, shift, out=y)
    y *= factor
    y += offset


@kernel(_stretch_arrays)
def _stretch(y: Array, x: Array, shift: Array, factor: Array, offset: Array) -> None:
    """y ← (x − shift)·factor + offset."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            y[i, j] = (x[i, j] - shift[j]) * factor[j] + offset[j]


def _back_arrays(dx: Array, dy: Array, x: Array, shift: Array, slope: Array, constant: Array, factor: Array) -> None:
    np.subtract(x, shift, out=dx)
    dx *= slope
    dx += dy
    dx += constant
    dx *= factor


@kernel(_back_arrays)
def _stretch_back(dx: Array, dy: Array, x: Array, shift: Array, slope: Array, constant: Array, factor: Array) -> None:
    """dx ← ((x − shift)·slope + dy + constant)·factor."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            dx[i, j] = ((x[i, j] - shift[j]) * slope[j] + dy[i, j] + constant[j]) * factor[j]


class BatchNorm(Layer):
    """y = γ·(x − μ) / √(v + ε) + β (Ioffe and Szegedy 2015, algorithm 1).

    In a training pass μ and v are the mean and variance over the batch (and over all pixels of a channel), and the
    running moments move towards them by `momentum`; in any other pass μ and v are the running moments. The running
    variance is of the unbiased kind, as in PyTorch. Training passes of one network must not run at the same time.

    Takes rows (features,), or pictures (channels, height, width) in blocks or not. Parameters: gamma, beta;
    state: mean, variance, each (features or channels,).
    """

    def __init__(self, *, momentum: float = 0.1, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.momentum = number("BatchNorm momentum", momentum, above=0, at_most=1)
        self.epsilon = number("BatchNorm epsilon", epsilon, above=0)

    def param_shapes(self, shape: Shape) -> dict[str, Shape]:
        if len(shape) not in (1, 3):
            raise UsageError(
                f"BatchNorm takes rows (features,) or pictures (channels, height, width), found shape {shape}: "
                "put it after Flatten or Conv2D."
            )
        return {"gamma": (shape[0],), "beta": (shape[0],)}

    def state_shapes(self, shape: Shape) -> dict[str, Shape]:
        return {"mean": (shape[0],), "variance": (shape[0],)}

    def initialize(self, rng: np.random.Generator) -> None:
        self.params["gamma"][...] = self.state["variance"][...] = 1

    def forward(self, x: np.ndarray, ctx: Pass) -> tuple[np.ndarray, Backward]:
        gamma, beta = self.params["gamma"], self.params["beta"]
        blocks, outer = x.shape[:2] if x.ndim == 5 else (1, len(x))
        width = x.size // (blocks * outer)  # numbers of a row: all channels, each with its pixels side by side
        m = x.size // len(gamma)  # numbers that a mean is taken over
        xs = np.ascontiguousarray(x).reshape(blocks, outer, width)
        y = ctx.array(self, "y", xs.shape, x.dtype)

        def across(name: str, values: np.ndarray) -> np.ndarray:
            """A value for each channel as one for each number of a row."""
            out = ctx.array(self, name, (width,), x.dtype)
            np.copyto(out.reshape(len(gamma), -1), values[:, None], casting="same_kind")
            return out

        def summed(sums: list[np.ndarray]) -> np.ndarray:
            return sum(sums).reshape(len(gamma), -1).sum(axis=1)

        def sums_of(kernel: Kernel, *arguments: np.ndarray) -> np.ndarray:
            total = np.zeros(width)
            kernel(*arguments, total)
            return total

        if ctx.train:
            mean = summed(ctx.share(blocks, lambda b, _: sums_of(_sums, xs[b]))) / m
            shift = across("shift", mean)
            squares = summed(ctx.share(blocks, lambda b, _: sums_of(_products, xs[b], xs[b], shift, x.dtype.type(1))))
            variance = squares / m
            for running, now in (("mean", mean), ("variance", variance * (m / max(m - 1, 1)))):
                self.state[running] += self.momentum * (now - self.state[running])
        else:
            shift, variance = across("shift", self.state["mean"]), self.state["variance"].astype(np.float64)
        scale = 1 / np.sqrt(variance + self.epsilon)
        factor, offset = across("factor", gamma * scale), across("offset", beta)
        ctx.share(blocks, lambda b, _: _stretch(y[b], xs[b], shift, factor, offset))

        def backward(dy: np.ndarray) -> np.ndarray:
            dys = np.ascontiguousarray(dy).reshape(xs.shape)
            dbeta = summed(ctx.share(blocks, lambda b, _: sums_of(_sums, dys[b])))
            dcentred = summed(ctx.share(blocks, lambda b, _: sums_of(_products, dys[b], xs[b], shift, x.dtype.type(0))))
            self.grads["beta"][...] = dbeta
            self.grads["gamma"][...] = dcentred * scale
            dx = ctx.array(self, "dx", xs.shape, x.dtype)
            # The batch's own moments move with x; running moments do not.
            moving = float(ctx.train)
            slope = across("slope", -moving * scale**2 * dcentred / m)
            constant = across("constant", -moving * dbeta / m)
            ctx.share(blocks, lambda b, _: _stretch_back(dx[b], dys[b], xs[b], shift, slope, constant, factor))
            return dx.reshape(x.shape)

        return y.reshape(x.shape), backward
