"""Layers in plain loops. What they take and how their parameters are shaped they have from those of nn/layers."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from pipeline.nn import layers as fast
from pipeline.nn.layers import Layer, Shape
from pipeline.nn.workspace import Pass

Nested = Any  # a number, or a list of Nested
Backward = Callable[[Nested], Nested]


def zeros(shape: tuple[int, ...]) -> Nested:
    """A nested list of zeros: zeros((2, 3)) is [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]."""
    if not shape:
        return 0.0
    return [zeros(shape[1:]) for _ in range(shape[0])]


def each(f: Callable[..., float], *nested: Nested) -> Nested:
    """f of every number, or of the numbers at the same place in several lists of the same shape."""
    if isinstance(nested[0], list):
        return [each(f, *parts) for parts in zip(*nested, strict=True)]
    return f(*nested)


def flat(nested: Nested) -> list[float]:
    """All numbers of a nested list, one after the other."""
    if isinstance(nested, list):
        return [number for part in nested for number in flat(part)]
    return [nested]


def shaped(numbers: Iterator[float], shape: tuple[int, ...]) -> Nested:
    """The opposite of `flat`: the next numbers as a nested list of that shape."""
    if not shape:
        return next(numbers)
    return [shaped(numbers, shape[1:]) for _ in range(shape[0])]


class Flatten(fast.Flatten):
    """Pictures (height, width, …) become rows of numbers."""

    def forward(self, x: Nested, ctx: Pass) -> tuple[Nested, Backward]:
        shape = _shape(x)

        def backward(dy: Nested) -> Nested:
            return shaped(iter(flat(dy)), shape)

        return [flat(row) for row in x], backward


class Dense(fast.Dense):
    """y_j = Σ_i x_i · W_ij + b_j."""

    def forward(self, x: Nested, ctx: Pass) -> tuple[Nested, Backward]:
        weight, bias = self.params["weight"], self.params.get("bias", [0.0] * self.units)
        rows, inputs, units = range(len(x)), range(len(weight)), range(self.units)
        y = [[bias[j] + sum(x[n][i] * weight[i][j] for i in inputs) for j in units] for n in rows]

        def backward(dy: Nested) -> Nested:
            self.grads["weight"] = [[sum(x[n][i] * dy[n][j] for n in rows) for j in units] for i in inputs]
            if self.bias:
                self.grads["bias"] = [sum(dy[n][j] for n in rows) for j in units]
            if self.is_first and not ctx.wants_input_gradient:
                return None
            return [[sum(dy[n][j] * weight[i][j] for j in units) for i in inputs] for n in rows]

        return y, backward


class Activation(Layer):
    """A function of single numbers: subclasses say its value and its slope."""

    def value(self, x: float) -> float:
        raise NotImplementedError

    def derivative(self, x: float) -> float:
        raise NotImplementedError

    def forward(self, x: Nested, ctx: Pass) -> tuple[Nested, Backward]:
        def backward(dy: Nested) -> Nested:
            return each(lambda number, d: d * self.derivative(number), x, dy)

        return each(self.value, x), backward


class Linear(Activation):
    def value(self, x: float) -> float:
        return x

    def derivative(self, x: float) -> float:
        return 1.0


class Sigmoid(Activation):
    def value(self, x: float) -> float:
        return sigmoid(x)

    def derivative(self, x: float) -> float:
        return sigmoid(x) * (1 - sigmoid(x))


class ReLU(Activation):
    def value(self, x: float) -> float:
        return x if x > 0 else 0.0

    def derivative(self, x: float) -> float:
        return 1.0 if x > 0 else 0.0


class LeakyReLU(Activation, fast.LeakyReLU):
    def value(self, x: float) -> float:
        return x if x > 0 else self.slope * x

    def derivative(self, x: float) -> float:
        return 1.0 if x > 0 else self.slope


class Tanh(Activation):
    def value(self, x: float) -> float:
        return math.tanh(x)

    def derivative(self, x: float) -> float:
        return 1 - math.tanh(x) ** 2


class GELU(Activation):
    def value(self, x: float) -> float:
        return x * self.below(x)

    def derivative(self, x: float) -> float:
        return self.below(x) + x * math.exp(-x * x / 2) / math.sqrt(2 * math.pi)

    def below(self, x: float) -> float:
        """Φ(x): the share of the normal distribution below x."""
        return math.erfc(-x / math.sqrt(2)) / 2


class Softplus(Activation):
    def value(self, x: float) -> float:
        return max(x, 0.0) + math.log1p(math.exp(-abs(x)))

    def derivative(self, x: float) -> float:
        return sigmoid(x)


class Dropout(fast.Dropout):
    """Each number becomes 0 with probability `rate`, or else is divided by 1 − rate; only in training."""

    def forward(self, x: Nested, ctx: Pass) -> tuple[Nested, Backward]:
        if not ctx.train or self.rate == 0:
            return x, lambda dy: dy
        # One draw a number, in the order of the numbers: the draws of the fast twin.
        factor = each(lambda _: (ctx.rng.random(dtype=np.float32) >= self.rate) / (1 - self.rate), x)

        def backward(dy: Nested) -> Nested:
            return each(lambda d, f: d * f, dy, factor)

        return each(lambda number, f: number * f, x, factor), backward


def sigmoid(x: float) -> float:
    """1 / (1 + e⁻ˣ), by way of eˣ where e⁻ˣ would overflow."""
    return 1 / (1 + math.exp(-x)) if x > 0 else math.exp(x) / (1 + math.exp(x))


def _shape(x: Nested) -> Shape:
    return (len(x), *_shape(x[0])) if isinstance(x, list) else ()
