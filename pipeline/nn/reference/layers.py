"""Layers in plain loops; nn/layers has the same ones for whole arrays."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from pipeline.nn.reference.lists import Nested, each, flat, shaped, zeros
from pipeline.nn.workspace import Pass

Backward = Callable[[Nested], Nested]
Shape = tuple[int, ...]


class Layer:
    """Base of all layers; `params`, `grads` and `state` map names to nested lists."""

    is_first = False

    def __init__(self) -> None:
        self.params: dict[str, Nested] = {}
        self.grads: dict[str, Nested] = {}
        self.state: dict[str, Nested] = {}

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of one row's output for the shape of one row's input."""
        return shape

    def param_shapes(self, shape: Shape) -> dict[str, Shape]:
        """Names and shapes of the parameters for one row's input shape."""
        return {}

    def state_shapes(self, shape: Shape) -> dict[str, Shape]:
        """Names and shapes of what training leaves in the layer without a gradient."""
        return {}

    def forward(self, x: Nested, ctx: Pass) -> tuple[Nested, Backward]:
        """The output for a batch x, and the function that takes ∂L/∂y to ∂L/∂x."""
        raise NotImplementedError


class Flatten(Layer):
    """Pictures (height, width, …) become rows of numbers."""

    def output_shape(self, shape: Shape) -> Shape:
        return (math.prod(shape),)

    def forward(self, x: Nested, ctx: Pass) -> tuple[Nested, Backward]:
        shape = _shape(x)

        def backward(dy: Nested) -> Nested:
            return shaped(iter(flat(dy)), shape)

        return [flat(row) for row in x], backward


class Dense(Layer):
    """y_j = Σ_i x_i · W_ij + b_j."""

    def __init__(self, units: int, *, bias: bool = True, init: str = "he") -> None:
        super().__init__()
        self.units, self.bias = units, bias

    def output_shape(self, shape: Shape) -> Shape:
        return (self.units,)

    def param_shapes(self, shape: Shape) -> dict[str, Shape]:
        return {"weight": (shape[0], self.units)} | ({"bias": (self.units,)} if self.bias else {})

    def forward(self, x: Nested, ctx: Pass) -> tuple[Nested, Backward]:
        weight = self.params["weight"]
        inputs = len(weight)
        y = zeros((len(x), self.units))
        for n in range(len(x)):
            for j in range(self.units):
                total = self.params["bias"][j] if self.bias else 0.0
                for i in range(inputs):
                    total += x[n][i] * weight[i][j]
                y[n][j] = total

        def backward(dy: Nested) -> Nested:
            for j in range(self.units):
                for i in range(inputs):
                    total = 0.0
                    for n in range(len(x)):
                        total += x[n][i] * dy[n][j]
                    self.grads["weight"][i][j] = total
                if self.bias:
                    total = 0.0
                    for n in range(len(x)):
                        total += dy[n][j]
                    self.grads["bias"][j] = total
            if self.is_first and not ctx.wants_input_gradient:
                return None
            dx = zeros((len(x), inputs))
            for n in range(len(x)):
                for i in range(inputs):
                    total = 0.0
                    for j in range(self.units):
                        total += dy[n][j] * weight[i][j]
                    dx[n][i] = total
            return dx

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


class LeakyReLU(Activation):
    def __init__(self, slope: float = 0.01) -> None:
        super().__init__()
        self.slope = slope

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


class Dropout(Layer):
    """Each number becomes 0 with probability `rate`, or else is divided by 1 − rate; only in training."""

    def __init__(self, rate: float = 0.5) -> None:
        super().__init__()
        self.rate = rate

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
