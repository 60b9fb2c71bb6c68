"""Dropout: units left out by chance while training, so that none relies on another."""

import numpy as np

from pipeline.errors import UsageError, number
from pipeline.nn.layers.base import Backward, Layer
from pipeline.nn.layers.blocks import to_blocks
from pipeline.nn.workspace import Pass


class Dropout(Layer):
    """Each number becomes 0 with probability `rate`, or else is divided by 1 − rate, so that means stay.

    Only in a training pass, whose `rng` draws; in any other the layer does nothing (Srivastava et al.
    2014, in the inverted form). rate: at least 0 and below 1.
    Raises UsageError for another rate, and in a training pass without rng.
    """

    def __init__(self, rate: float = 0.5) -> None:
        super().__init__()
        self.rate = number("Dropout rate", rate, at_least=0, below=1)

    def describe(self) -> str:
        return f"Dropout {self.rate:g}"

    def forward(self, x: np.ndarray, ctx: Pass) -> tuple[np.ndarray, Backward]:
        if not ctx.train or self.rate == 0:
            return x, lambda dy: dy
        if ctx.rng is None:
            raise UsageError("Dropout draws random numbers in training: give the pass an rng, Pass(train=True, rng=…).")
        # Drawn as float32 and picture by picture, whatever x's dtype and order in memory (blocks.py): equal
        # seeds drop equal units.
        shape = x.shape
        if x.ndim == 5:
            blocks, height, channels, width, lanes = shape
            shape = (blocks * lanes, channels, height, width)
        chance = ctx.rng.random(dtype=np.float32, out=ctx.array(self, "chance", shape, np.dtype(np.float32)))
        if x.ndim == 5:
            chance = to_blocks(chance, self, ctx)
        factor = ctx.array(self, "factor", x.shape, x.dtype)
        np.copyto(factor, chance >= self.rate)
        factor *= x.dtype.type(1 / (1 - self.rate))

        def backward(dy: np.ndarray) -> np.ndarray:
            return np.multiply(dy, factor, out=ctx.array(self, "dx", x.shape, x.dtype))

        return np.multiply(x, factor, out=ctx.array(self, "y", x.shape, x.dtype)), backward
