"""Convolution and pooling in plain loops, for pictures (height, width) or (channels, height, width)."""

import math
from collections.abc import Callable, Iterator
from itertools import product

from pipeline.nn import layers as fast
from pipeline.nn.layers import Layer
from pipeline.nn.reference.layers import Backward, Nested, zeros
from pipeline.nn.workspace import Pass


class Conv2D(fast.Conv2D):
    """y[f][i][j] = b[f] + Σ_{c,u,v} w[f][c][u][v] · x[c][i·stride + u][j·stride + v]; "same" adds zeros around x."""

    def forward(self, x: Nested, ctx: Pass) -> tuple[Nested, Backward]:
        x, to_input = _with_channels(x)
        weight = self.params["weight"]
        shape = self.output_shape((len(x[0]), len(x[0][0]), len(x[0][0][0])))
        y = zeros((len(x), *shape))
        for n, f, i, j in _indices(len(x), *shape):
            products = (weight[f][c][u][v] * x[n][c][row][column] for c, u, v, row, column in self.seen(x[n], i, j))
            y[n][f][i][j] = sum(products) + (self.params["bias"][f] if self.bias else 0.0)

        def backward(dy: Nested) -> Nested:
            dweight = zeros((self.filters, len(x[0]), *self.kernel))
            dbias = zeros((self.filters,))
            dx = zeros((len(x), len(x[0]), len(x[0][0]), len(x[0][0][0])))
            for n, f, i, j in _indices(len(x), *shape):
                dbias[f] += dy[n][f][i][j]
                for c, u, v, row, column in self.seen(x[n], i, j):
                    dweight[f][c][u][v] += dy[n][f][i][j] * x[n][c][row][column]
                    dx[n][c][row][column] += dy[n][f][i][j] * weight[f][c][u][v]
            self.grads = {"weight": dweight} | ({"bias": dbias} if self.bias else {})
            return to_input(dx)

        return y, backward

    def zeros_before(self, size: int, axis: int) -> int:
        """Zeros before the first of `size` pixels along an axis."""
        kernel, stride = self.kernel[axis], self.stride[axis]
        outputs = math.ceil(size / stride)
        return max((outputs - 1) * stride + kernel - size, 0) // 2 if self.padding == "same" else 0

    def seen(self, picture: Nested, i: int, j: int) -> Iterator[tuple[int, int, int, int, int]]:
        """What output (i, j) sees: (channel, tap down, tap across, row, column) of pixels that exist."""
        height, width = len(picture[0]), len(picture[0][0])
        top = i * self.stride[0] - self.zeros_before(height, 0)
        left = j * self.stride[1] - self.zeros_before(width, 1)
        for c, u, v in _indices(len(picture), *self.kernel):
            if 0 <= top + u < height and 0 <= left + v < width:
                yield c, u, v, top + u, left + v


class Pool2D(Layer):
    """What pooling has in common: windows of `size`, each `stride` pixels from the one before."""

    def window(self, i: int, j: int) -> list[tuple[int, int]]:
        """(row, column) of the pixels of output (i, j), row by row."""
        return [(i * self.stride[0] + u, j * self.stride[1] + v) for u, v in _indices(*self.size)]

    def pool(self, picture: Nested, window: list[tuple[int, int]]) -> tuple[float, list[float]]:
        """The output of a window in a channel (height, width), and its slope with regard to each pixel."""
        raise NotImplementedError

    def forward(self, x: Nested, ctx: Pass) -> tuple[Nested, Backward]:
        x, to_input = _with_channels(x)
        shape = self.output_shape((len(x[0]), len(x[0][0]), len(x[0][0][0])))
        y = zeros((len(x), *shape))
        for n, c, i, j in _indices(len(x), *shape):
            y[n][c][i][j] = self.pool(x[n][c], self.window(i, j))[0]

        def backward(dy: Nested) -> Nested:
            dx = zeros((len(x), len(x[0]), len(x[0][0]), len(x[0][0][0])))
            for n, c, i, j in _indices(len(x), *shape):
                window = self.window(i, j)
                slopes = self.pool(x[n][c], window)[1]
                for (row, column), slope in zip(window, slopes, strict=True):
                    dx[n][c][row][column] += dy[n][c][i][j] * slope
            return to_input(dx)

        return y, backward


class MaxPool2D(Pool2D, fast.MaxPool2D):
    """The largest number of each window; of several that are largest the first gets the gradient."""

    def pool(self, picture: Nested, window: list[tuple[int, int]]) -> tuple[float, list[float]]:
        values = [picture[row][column] for row, column in window]
        first = values.index(max(values))
        return values[first], [1.0 if k == first else 0.0 for k in range(len(values))]


class AveragePool2D(Pool2D, fast.AveragePool2D):
    """The mean of each window."""

    def pool(self, picture: Nested, window: list[tuple[int, int]]) -> tuple[float, list[float]]:
        mean = sum(picture[row][column] for row, column in window) / len(window)
        return mean, [1 / len(window)] * len(window)


def _indices(*sizes: int) -> Iterator[tuple[int, ...]]:
    """All places of an array of that shape, the last index fastest."""
    return product(*(range(size) for size in sizes))


def _with_channels(x: Nested) -> tuple[Nested, Callable[[Nested], Nested]]:
    """Pictures (height, width) as those of one channel, and what takes their gradients back."""
    if isinstance(x[0][0][0], list):
        return x, lambda dx: dx
    return [[picture] for picture in x], lambda dx: [picture[0] for picture in dx]
