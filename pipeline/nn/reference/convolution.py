"""Convolution and pooling in plain loops, for pictures (height, width) or (channels, height, width)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

from pipeline.nn.reference.layers import Backward, Layer, Shape
from pipeline.nn.reference.lists import Nested, zeros
from pipeline.nn.workspace import Pass

Pair = int | tuple[int, int]


class Conv2D(Layer):
    """y[f][i][j] = b[f] + Σ_{c,u,v} w[f][c][u][v] · x[c][i·stride + u][j·stride + v]; "same" adds zeros around x."""

    def __init__(
        self,
        filters: int,
        kernel: Pair,
        *,
        stride: Pair = 1,
        padding: str = "valid",
        bias: bool = True,
        init: str = "he",
    ) -> None:
        super().__init__()
        self.filters, self.padding, self.bias = filters, padding, bias
        self.kernel, self.stride = _pair(kernel), _pair(stride)

    def walk(self, size: int, axis: int) -> tuple[int, int]:
        """(outputs along an axis of `size` pixels, zeros before its first pixel)."""
        kernel, stride = self.kernel[axis], self.stride[axis]
        if self.padding == "valid":
            return (size - kernel) // stride + 1, 0
        outputs = (size + stride - 1) // stride
        return outputs, max((outputs - 1) * stride + kernel - size, 0) // 2

    def output_shape(self, shape: Shape) -> Shape:
        return (self.filters, self.walk(shape[-2], 0)[0], self.walk(shape[-1], 1)[0])

    def param_shapes(self, shape: Shape) -> dict[str, Shape]:
        channels = shape[0] if len(shape) == 3 else 1
        shapes: dict[str, Shape] = {"weight": (self.filters, channels, *self.kernel)}
        return shapes | ({"bias": (self.filters,)} if self.bias else {})

    def forward(self, x: Nested, ctx: Pass) -> tuple[Nested, Backward]:
        x, to_input = _with_channels(x)
        weight = self.params["weight"]
        shape = self.output_shape((len(x[0]), len(x[0][0]), len(x[0][0][0])))
        y = zeros((len(x), *shape))
        for n, f, i, j in _indices(len(x), *shape):
            total = self.params["bias"][f] if self.bias else 0.0
            for c, u, v, row, column in self.seen(x[n], i, j):
                total += weight[f][c][u][v] * x[n][c][row][column]
            y[n][f][i][j] = total

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

    def seen(self, picture: Nested, i: int, j: int) -> Iterator[tuple[int, int, int, int, int]]:
        """What output (i, j) sees: (channel, tap down, tap across, row, column) of pixels that exist."""
        height, width = len(picture[0]), len(picture[0][0])
        top = i * self.stride[0] - self.walk(height, 0)[1]
        left = j * self.stride[1] - self.walk(width, 1)[1]
        for c, u, v in _indices(len(picture), *self.kernel):
            if 0 <= top + u < height and 0 <= left + v < width:
                yield c, u, v, top + u, left + v


class Pool2D(Layer):
    """What pooling has in common: windows of `size`, each `stride` pixels from the one before."""

    def __init__(self, size: Pair, *, stride: Pair | None = None) -> None:
        super().__init__()
        self.size = _pair(size)
        self.stride = self.size if stride is None else _pair(stride)

    def output_shape(self, shape: Shape) -> Shape:
        sides = [(shape[a - 2] - self.size[a]) // self.stride[a] + 1 for a in (0, 1)]
        return (shape[0] if len(shape) == 3 else 1, *sides)

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


class MaxPool2D(Pool2D):
    """The largest number of each window; of several that are largest the first gets the gradient."""

    def pool(self, picture: Nested, window: list[tuple[int, int]]) -> tuple[float, list[float]]:
        values = [picture[row][column] for row, column in window]
        first = values.index(max(values))
        return values[first], [1.0 if k == first else 0.0 for k in range(len(values))]


class AveragePool2D(Pool2D):
    """The mean of each window."""

    def pool(self, picture: Nested, window: list[tuple[int, int]]) -> tuple[float, list[float]]:
        total = 0.0
        for row, column in window:
            total += picture[row][column]
        return total / len(window), [1 / len(window)] * len(window)


def _pair(value: Pair) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)


def _indices(*sizes: int) -> Iterator[tuple[int, ...]]:
    """All places of an array of that shape, the last index fastest."""
    return product(*(range(size) for size in sizes))


def _with_channels(x: Nested) -> tuple[Nested, Callable[[Nested], Nested]]:
    """Pictures (height, width) as those of one channel, and what takes their gradients back."""
    if isinstance(x[0][0][0], list):
        return x, lambda dx: dx
    return [[picture] for picture in x], lambda dx: [picture[0] for picture in dx]
