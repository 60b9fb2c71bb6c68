"""Deslant in plain loops, for pictures (height, width)."""

import math

from pipeline.nn import layers as fast
from pipeline.nn.layers.deslant import STEADY
from pipeline.nn.reference.layers import Backward, Nested, zeros
from pipeline.nn.workspace import Pass


class _Slant:
    """Of a picture's ink: its mass, its centre (r, c), how tall it is, and its slant a."""

    def __init__(self, picture: Nested) -> None:
        ink = [(i, j, x * x) for i, row in enumerate(picture) for j, x in enumerate(row)]
        self.mass = sum(w for _, _, w in ink) or 1.0
        self.r = sum(w * i for i, _, w in ink) / self.mass
        self.c = sum(w * j for _, j, w in ink) / self.mass
        self.tall = STEADY + sum(w * (i - self.r) ** 2 for i, _, w in ink)
        self.a = sum(w * (i - self.r) * (j - self.c) for i, j, w in ink) / self.tall


class Deslant(fast.Deslant):
    """y[i][j] is x at row i and column j + a·(i − r), a the slant of the ink w = x² and r its middle row."""

    def forward(self, x: Nested, ctx: Pass) -> tuple[Nested, Backward]:
        slants = [_Slant(picture) for picture in x]
        y = [self._sheared(picture, slant) for picture, slant in zip(x, slants, strict=True)]

        def backward(dy: Nested) -> Nested:
            return [self._backward(*parts) for parts in zip(x, slants, dy, strict=True)]

        return y, backward

    def _slope(self, slant: _Slant) -> float:
        return min(max(slant.a, -self.limit), self.limit)

    def _sheared(self, picture: Nested, slant: _Slant) -> Nested:
        y = zeros((len(picture), len(picture[0])))
        for i, row in enumerate(picture):
            for j in range(len(row)):
                left, part = _place(j + self._slope(slant) * (i - slant.r))
                y[i][j] = (1 - part) * _at(row, left) + part * _at(row, left + 1)
        return y

    def _backward(self, picture: Nested, slant: _Slant, dy: Nested) -> Nested:
        dx = zeros((len(picture), len(picture[0])))
        da = dr = 0.0
        for i, row in enumerate(picture):
            for j in range(len(row)):
                left, part = _place(j + self._slope(slant) * (i - slant.r))
                if 0 <= left < len(row):
                    dx[i][left] += (1 - part) * dy[i][j]
                if 0 <= left + 1 < len(row):
                    dx[i][left + 1] += part * dy[i][j]
                rise = dy[i][j] * (_at(row, left + 1) - _at(row, left))
                da += rise * (i - slant.r)
                dr -= rise * self._slope(slant)
        if abs(slant.a) > self.limit:
            da = 0.0
        for i, row in enumerate(picture):
            for j, ink in enumerate(row):
                below, right = i - slant.r, j - slant.c
                dw = da * (below * right - slant.a * below**2) / slant.tall + dr * below / slant.mass
                dx[i][j] += 2 * ink * dw
        return dx


def _place(column: float) -> tuple[int, float]:
    """The pixel on the left of a place between pixels, and how far right of it that is."""
    left = math.floor(column)
    return left, column - left


def _at(row: list[float], column: int) -> float:
    return row[column] if 0 <= column < len(row) else 0.0
