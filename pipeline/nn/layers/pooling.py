"""Pooling: the largest number, or the mean, of each window of a picture, channel by channel."""

import math

import numpy as np

from pipeline.errors import UsageError
from pipeline.nn.kernels import Array, kernel
from pipeline.nn.layers.base import Backward, Layer, Shape
from pipeline.nn.layers.blocks import pair, picture_shape, to_blocks, way_back
from pipeline.nn.workspace import Pass

# Axes of a block (height, channels, width, lanes).
DOWN, ACROSS = 0, 2


class _Pool2D(Layer):
    """What the two have in common.

    size, stride: one whole number, or (height, width); without `stride` windows stand side by side. Pixels
    that no whole window reaches are left out. Raises UsageError for pictures smaller than a window.
    """

    def __init__(self, size: int | tuple[int, int], *, stride: int | tuple[int, int] | None = None) -> None:
        super().__init__()
        name = type(self).__name__
        self.size = pair(f"{name} size", size)
        self.stride = self.size if stride is None else pair(f"{name} stride", stride)

    def describe(self) -> str:
        return f"{type(self).__name__} {self.size[0]}×{self.size[1]}"

    def output_shape(self, shape: Shape) -> Shape:
        channels, *sides = picture_shape(type(self).__name__, shape)
        if any(side < size for side, size in zip(sides, self.size, strict=True)):
            size = "×".join(map(str, sides))
            raise UsageError(f"{self.describe()} does not fit into a picture of {size} pixels: take a smaller size.")
        steps = zip(sides, self.size, self.stride, strict=True)
        return (channels, *((side - size) // stride + 1 for side, size, stride in steps))

    def forward(self, x: np.ndarray, ctx: Pass) -> tuple[np.ndarray, Backward]:
        to_input = way_back(x, self, ctx)
        x = to_blocks(x, self, ctx)
        blocks, height, channels, width, lanes = x.shape
        _, height_out, width_out = self.output_shape((channels, height, width))
        y = ctx.array(self, "y", (blocks, height_out, channels, width_out, lanes), x.dtype)
        ctx.share(blocks, lambda block, part: self.pool(y[block], x[block], ctx, part))

        def backward(dy: np.ndarray) -> np.ndarray:
            dx, dy = ctx.array(self, "dx", x.shape, x.dtype), np.ascontiguousarray(dy)
            ctx.share(blocks, lambda b, part: self.spread(dx[b], dy[b], y[b], x[b], ctx, part))
            return to_input(dx)

        return y, backward

    def pool(self, y: Array, x: Array, ctx: Pass, part: int) -> None:
        """y ← a block x; part: of the thread, for the name of an array to work in."""
        raise NotImplementedError

    def spread(self, dx: Array, dy: Array, y: Array, x: Array, ctx: Pass, part: int) -> None:
        """dx ← the gradients dy of y, where they came from."""
        raise NotImplementedError


def _largest_arrays(y: Array, x: Array, size: Array, stride: Array) -> None:
    y[...] = _through(x, (0, 0), stride, y)
    for tap in np.ndindex(*size):
        np.maximum(y, _through(x, tap, stride, y), out=y)


@kernel(_largest_arrays)
def _largest(y: Array, x: Array, size: Array, stride: Array) -> None:
    """The largest number of each window of a block x; size, stride (2,) whole numbers."""
    for h, c, w in np.ndindex(y.shape[:3]):
        out = y[h, c, w]
        first = x[h * stride[0], c, w * stride[1]]
        for k in range(out.size):  # out[:] = first takes seconds to compile
            out[k] = first[k]
        for a, b in np.ndindex(size[0], size[1]):
            seen = x[h * stride[0] + a, c, w * stride[1] + b]
            for k in range(out.size):  # not a number stays so, as with np.maximum
                out[k] = out[k] if out[k] >= seen[k] or out[k] != out[k] else seen[k]


def _to_largest_arrays(dx: Array, dy: Array, y: Array, x: Array, size: Array, stride: Array) -> None:
    dx[...] = 0
    rest = dy.copy()
    for tap in np.ndindex(*size):
        hit = np.where(_through(x, tap, stride, y) == y, rest, 0)
        to = _through(dx, tap, stride, y)
        to += hit
        rest -= hit


@kernel(_to_largest_arrays)
def _to_largest(dx: Array, dy: Array, y: Array, x: Array, size: Array, stride: Array) -> None:
    """dx ← the gradients dy of y, each at the first largest number of its window, row by row."""
    dx[...] = 0
    rest = np.empty_like(dy[0, 0, 0])
    for h, c, w in np.ndindex(y.shape[:3]):
        gradient, out = dy[h, c, w], y[h, c, w]
        for k in range(rest.size):
            rest[k] = gradient[k]
        for a, b in np.ndindex(size[0], size[1]):
            seen, to = x[h * stride[0] + a, c, w * stride[1] + b], dx[h * stride[0] + a, c, w * stride[1] + b]
            for k in range(rest.size):
                hit = rest[k] if seen[k] == out[k] else rest[k] * 0
                to[k] += hit
                rest[k] -= hit


class MaxPool2D(_Pool2D):
    """y = the largest number of each window. Of several that are largest the first, row by row, gets the gradient."""

    def pool(self, y: Array, x: Array, ctx: Pass, part: int) -> None:
        _largest(y, x, np.array(self.size), np.array(self.stride))

    def spread(self, dx: Array, dy: Array, y: Array, x: Array, ctx: Pass, part: int) -> None:
        _to_largest(dx, dy, y, x, np.array(self.size), np.array(self.stride))


class AveragePool2D(_Pool2D):
    """y = the mean of each window."""

    def pool(self, y: Array, x: Array, ctx: Pass, part: int) -> None:
        rows = ctx.array(self, f"rows {part}", (len(y), *x.shape[1:]), x.dtype)
        rows[...] = 0
        for on in range(self.size[0]):
            rows += _view(x, DOWN, on, self.stride[0], rows)
        y[...] = 0
        for on in range(self.size[1]):
            y += _view(rows, ACROSS, on, self.stride[1], y)
        y *= x.dtype.type(1 / math.prod(self.size))

    def spread(self, dx: Array, dy: Array, y: Array, x: Array, ctx: Pass, part: int) -> None:
        rows = ctx.array(self, f"rows {part}", (len(y), *x.shape[1:]), x.dtype)
        rows[...] = 0
        for on in range(self.size[1]):
            columns = _view(rows, ACROSS, on, self.stride[1], dy)
            columns += dy
        rows *= x.dtype.type(1 / math.prod(self.size))
        dx[...] = 0
        for on in range(self.size[0]):
            pixels = _view(dx, DOWN, on, self.stride[0], rows)
            pixels += rows


def _through(block: Array, tap: tuple[int, int], stride: Array, like: Array) -> Array:
    """What the windows of a block see through one tap (row, column)."""
    return _view(_view(block, DOWN, tap[0], stride[0], like), ACROSS, tap[1], stride[1], like)


def _view(array: np.ndarray, axis: int, first: int, stride: int, like: np.ndarray) -> np.ndarray:
    """Every stride-th place of `axis` from `first` on, as many as `like` has."""
    index = [slice(None)] * array.ndim
    index[axis] = slice(first, first + (like.shape[axis] - 1) * stride + 1, stride)
    return array[tuple(index)]
