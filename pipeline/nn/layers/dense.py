"""The dense layer, and Flatten, which makes pictures into its rows."""

import numpy as np

from pipeline.errors import UsageError, one_of, whole_number
from pipeline.nn.initializers import INITIALIZERS
from pipeline.nn.layers.base import Backward, Layer, Shape
from pipeline.nn.layers.blocks import from_blocks, to_blocks
from pipeline.nn.workspace import Pass


class Flatten(Layer):
    """(n, height, width, …) → (n, height·width·…); pictures in blocks as (n, channels·height·width)."""

    def output_shape(self, shape: Shape) -> Shape:
        return (int(np.prod(shape)),)

    def forward(self, x: np.ndarray, ctx: Pass) -> tuple[np.ndarray, Backward]:
        rows = from_blocks(x, self, ctx)

        def backward(dy: np.ndarray) -> np.ndarray:
            dx = dy.reshape(rows.shape)
            return to_blocks(dx, self, ctx) if x.ndim == 5 else dx

        return rows.reshape(len(rows), -1), backward


class Dense(Layer):
    """y = x·W + b with W (inputs, units), b (units,).

    x (n, inputs), a scipy.sparse CSR matrix or an array; an array may be narrower: columns that are left off at the
    end count as zeros (training/zero_columns.py).
    """

    def __init__(self, units: int, *, bias: bool = True, init: str = "he") -> None:
        super().__init__()
        self.units, self.bias = whole_number("Dense: units", units), bias
        self.init = one_of("initializer", init, INITIALIZERS)

    def describe(self) -> str:
        return f"Dense {self.units}"

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 1:
            raise UsageError(f"Dense takes rows of one dimension, found shape {shape}: put Flatten before it.")
        return (self.units,)

    def param_shapes(self, shape: Shape) -> dict[str, Shape]:
        return {"weight": (shape[0], self.units)} | ({"bias": (self.units,)} if self.bias else {})

    def initialize(self, rng: np.random.Generator) -> None:
        weight = self.params["weight"]
        fan_in, fan_out = weight.shape
        weight[...] = INITIALIZERS[self.init](weight.shape, fan_in, fan_out, rng=rng)

    def forward(self, x: np.ndarray, ctx: Pass) -> tuple[np.ndarray, Backward]:
        columns = x.shape[1]
        weight = self.params["weight"][:columns]
        sparse = hasattr(x, "toarray")
        y = x @ weight if sparse else np.dot(x, weight, out=ctx.array(self, "y", (len(x), self.units), weight.dtype))
        if self.bias:
            y += self.params["bias"]

        def backward(dy: np.ndarray) -> np.ndarray | None:
            if sparse:
                self.grads["weight"][...] = x.T @ dy
            else:
                np.dot(x.T, dy, out=self.grads["weight"][:columns])
            self.grads["weight"][columns:] = 0
            if self.bias:
                dy.sum(axis=0, out=self.grads["bias"])
            if self.is_first and not ctx.wants_input_gradient:
                return None
            return np.dot(dy, weight.T, out=ctx.array(self, "dx", x.shape, weight.dtype))

        return y, backward
