"""Activations: functions of single numbers, between the layers that have weights."""

from __future__ import annotations

import numpy as np

from pipeline.nn.layers.base import Backward, Layer
from pipeline.nn.workspace import Pass


class ReLU(Layer):
    """y = max(x, 0); its slope at 0 is taken as 0."""

    def forward(self, x: np.ndarray, run: Pass) -> tuple[np.ndarray, Backward]:
        y = np.maximum(x, 0, out=run.array(self, "y", x.shape, x.dtype))

        def backward(dy: np.ndarray) -> np.ndarray:
            dx = run.array(self, "dx", x.shape, x.dtype)
            return np.multiply(dy, y > 0, out=dx)

        return y, backward
