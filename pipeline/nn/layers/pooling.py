"""Pooling: the largest number, or the mean, of each window of a picture, channel by channel.

Windows are worked through one axis after the other, whole pictures at a time: the maximum over 4×4 windows is
the maximum over 4 columns of pixels, then over 4 rows of those.
"""

from __future__ import annotations

import math

import numpy as np

from pipeline.errors import UsageError
from pipeline.nn.kernels import kernel
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

    def spec(self) -> dict[str, object]:
        return {"layer": type(self).__name__, "size": list(self.size), "stride": list(self.stride)}

    def describe(self) -> str:
        return f"{type(self).__name__} {self.size[0]}×{self.size[1]}"

    def output_shape(self, shape: Shape) -> Shape:
        channels, *sides = picture_shape(type(self).__name__, shape)
        if any(side < size for side, size in zip(sides, self.size, strict=True)):
            raise UsageError(
                f"{self.describe()} does not fit into a picture of {sides[0]}×{sides[1]} pixels: take a smaller size."
            )
        steps = zip(sides, self.size, self.stride, strict=True)
        return (channels, *((side - size) // stride + 1 for side, size, stride in steps))


def _max_of_four_arrays(y: np.ndarray, x: np.ndarray) -> None:
    height, width = 2 * y.shape[0], 2 * y.shape[2]
    columns = np.maximum(x[:height, :, 0:width:2], x[:height, :, 1:width:2])
    np.maximum(columns[0::2], columns[1::2], out=y)


@kernel(_max_of_four_arrays)
def _max_of_four(y: np.ndarray, x: np.ndarray) -> None:
    """The largest of each 2×2 window of a block x; a number that is none makes its window none."""
    height, channels, width, lanes = y.shape
    for h in range(height):
        for c in range(channels):
            for w in range(width):
                upper, lower, out = x[2 * h, c, 2 * w], x[2 * h + 1, c, 2 * w], y[h, c, w]
                upper_right, lower_right = x[2 * h, c, 2 * w + 1], x[2 * h + 1, c, 2 * w + 1]
                for k in range(lanes):
                    up = upper[k] if upper[k] >= upper_right[k] or upper[k] != upper[k] else upper_right[k]
                    low = lower[k] if lower[k] >= lower_right[k] or lower[k] != lower[k] else lower_right[k]
                    out[k] = up if up >= low or up != up else low


def _max_of_four_back_arrays(dx: np.ndarray, dy: np.ndarray, x: np.ndarray) -> None:
    height, width = 2 * dy.shape[0], 2 * dy.shape[2]
    left, right = x[:height, :, 0:width:2], x[:height, :, 1:width:2]
    columns = np.maximum(left, right)
    dcolumns = np.empty_like(columns)
    np.multiply(dy, columns[0::2] >= columns[1::2], out=dcolumns[0::2])
    np.subtract(dy, dcolumns[0::2], out=dcolumns[1::2])
    dx[...] = 0
    np.multiply(dcolumns, left >= right, out=dx[:height, :, 0:width:2])
    np.subtract(dcolumns, dx[:height, :, 0:width:2], out=dx[:height, :, 1:width:2])


@kernel(_max_of_four_back_arrays)
def _max_of_four_back(dx: np.ndarray, dy: np.ndarray, x: np.ndarray) -> None:
    """dx ← dy at the first largest of each 2×2 window of x, row by row, and 0 elsewhere."""
    height, channels, width, lanes = dy.shape
    for row in range(2 * height, dx.shape[0]):
        dx[row] = 0
    for h in range(height):
        for c in range(channels):
            for column in range(2 * width, dx.shape[2]):
                dx[2 * h, c, column] = 0
                dx[2 * h + 1, c, column] = 0
            for w in range(width):
                upper, lower, d = x[2 * h, c, 2 * w], x[2 * h + 1, c, 2 * w], dy[h, c, w]
                upper_right, lower_right = x[2 * h, c, 2 * w + 1], x[2 * h + 1, c, 2 * w + 1]
                to_upper, to_lower = dx[2 * h, c, 2 * w], dx[2 * h + 1, c, 2 * w]
                to_upper_right, to_lower_right = dx[2 * h, c, 2 * w + 1], dx[2 * h + 1, c, 2 * w + 1]
                for k in range(lanes):
                    up = upper[k] if upper[k] >= upper_right[k] or upper[k] != upper[k] else upper_right[k]
                    low = lower[k] if lower[k] >= lower_right[k] or lower[k] != lower[k] else lower_right[k]
                    dup = d[k] if up >= low else d[k] * 0
                    dlow = d[k] - dup
                    to_upper[k] = dup if upper[k] >= upper_right[k] else dup * 0
                    to_upper_right[k] = dup - to_upper[k]
                    to_lower[k] = dlow if lower[k] >= lower_right[k] else dlow * 0
                    to_lower_right[k] = dlow - to_lower[k]


class MaxPool2D(_Pool2D):
    """y = the largest number of each window. Of several that are largest the first, row by row, gets the gradient.

    The maximum over 4 neighbours is the larger of two maxima over 2, so that an axis takes about log₂(size)
    steps: each gives the larger of an array and of the same array some places on.
    """

    def steps(self) -> list[tuple[int, int, int]]:
        """(axis, places on, stride) of each step. Across comes before down, or ties would go to another pixel."""
        return [
            (axis, *step)
            for axis, size, stride in ((ACROSS, self.size[1], self.stride[1]), (DOWN, self.size[0], self.stride[0]))
            for step in _doublings(size, stride)
        ]

    def forward(self, x: np.ndarray, ctx: Pass) -> tuple[np.ndarray, Backward]:
        to_input = way_back(x, self, ctx)
        x = to_blocks(x, self, ctx)
        if self.size == self.stride == (2, 2):
            return self._of_four(x, to_input, ctx)
        steps = self.steps()
        if not steps:
            return x, to_input
        levels = [x]  # what goes into each step, and what the last one gives
        for number, (axis, shift, stride) in enumerate(steps):
            shape = list(levels[-1].shape)
            shape[1 + axis] = (shape[1 + axis] - shift - 1) // stride + 1
            levels.append(ctx.array(self, f"level {number}", tuple(shape), x.dtype))

        def forward_block(block: int, part: int) -> None:
            for number, (axis, shift, stride) in enumerate(steps):
                out = levels[number + 1][block]
                here, there = (_view(levels[number][block], axis, on, stride, out) for on in (0, shift))
                np.maximum(here, there, out=out)

        ctx.share(len(x), forward_block)

        def backward(dy: np.ndarray) -> np.ndarray:
            dx = ctx.array(self, "dx", x.shape, x.dtype)

            def backward_block(block: int, part: int) -> None:
                d = dy[block]
                for number in reversed(range(len(steps))):
                    axis, shift, stride = steps[number]
                    level = levels[number][block]
                    here, there = (_view(level, axis, on, stride, d) for on in (0, shift))
                    dlevel = ctx.array(self, f"d {number} {part}", level.shape, x.dtype) if number else dx[block]
                    dlevel[...] = 0
                    dhere, dthere = (_view(dlevel, axis, on, stride, d) for on in (0, shift))
                    np.multiply(d, here >= there, out=dhere)
                    dthere += np.subtract(d, dhere, out=ctx.array(self, f"rest {number} {part}", d.shape, x.dtype))
                    d = dlevel

            ctx.share(len(x), backward_block)
            return to_input(dx)

        return levels[-1], backward

    def _of_four(self, x: np.ndarray, to_input: Backward, ctx: Pass) -> tuple[np.ndarray, Backward]:
        """The same as `forward` does, for windows of 2×2 side by side: compiled, in one pass."""
        blocks, height, channels, width, lanes = x.shape
        y = ctx.array(self, "y", (blocks, height // 2, channels, width // 2, lanes), x.dtype)
        ctx.share(blocks, lambda block, _: _max_of_four(y[block], x[block]))

        def backward(dy: np.ndarray) -> np.ndarray:
            dx, dy = ctx.array(self, "dx", x.shape, x.dtype), np.ascontiguousarray(dy)
            ctx.share(blocks, lambda block, _: _max_of_four_back(dx[block], dy[block], x[block]))
            return to_input(dx)

        return y, backward


class AveragePool2D(_Pool2D):
    """y = the mean of each window."""

    def forward(self, x: np.ndarray, ctx: Pass) -> tuple[np.ndarray, Backward]:
        to_input = way_back(x, self, ctx)
        x = to_blocks(x, self, ctx)
        blocks, _, channels, width, lanes = x.shape
        _, height_out, width_out = self.output_shape((channels, x.shape[1], width))
        y = ctx.array(self, "y", (blocks, height_out, channels, width_out, lanes), x.dtype)
        row_shape = (height_out, channels, width, lanes)
        share = x.dtype.type(1 / math.prod(self.size))

        def forward_block(block: int, part: int) -> None:
            rows = ctx.array(self, f"rows {part}", row_shape, x.dtype)
            rows[...] = 0
            for on in range(self.size[0]):
                rows += _view(x[block], DOWN, on, self.stride[0], rows)
            y[block] = 0
            for on in range(self.size[1]):
                y[block] += _view(rows, ACROSS, on, self.stride[1], y[block])
            y[block] *= share

        ctx.share(blocks, forward_block)

        def backward(dy: np.ndarray) -> np.ndarray:
            dx = ctx.array(self, "dx", x.shape, x.dtype)

            def backward_block(block: int, part: int) -> None:
                drows = ctx.array(self, f"drows {part}", row_shape, x.dtype)
                drows[...] = 0
                for on in range(self.size[1]):
                    columns = _view(drows, ACROSS, on, self.stride[1], dy[block])
                    columns += dy[block]
                drows *= share
                dx[block] = 0
                for on in range(self.size[0]):
                    pixels = _view(dx[block], DOWN, on, self.stride[0], drows)
                    pixels += drows

            ctx.share(blocks, backward_block)
            return to_input(dx)

        return y, backward


def _doublings(size: int, stride: int) -> list[tuple[int, int]]:
    """(places on, stride) of the steps to the maximum over `size` neighbours; only the last one strides."""
    shifts, reach = [], 1
    while reach < size:
        shifts.append(min(reach, size - reach))
        reach += shifts[-1]
    if not shifts and stride > 1:
        shifts = [0]
    return [(shift, stride if number == len(shifts) - 1 else 1) for number, shift in enumerate(shifts)]


def _view(array: np.ndarray, axis: int, first: int, stride: int, like: np.ndarray) -> np.ndarray:
    """Every stride-th place of `axis` from `first` on, as many as `like` has."""
    index = [slice(None)] * array.ndim
    index[axis] = slice(first, first + (like.shape[axis] - 1) * stride + 1, stride)
    return array[tuple(index)]
