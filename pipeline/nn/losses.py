"""Losses: what training makes small. Each gives its value and its gradient in one call.

`loss(outputs, targets, run, weights)` → (mean loss over the batch, ∂loss/∂outputs). Softmax is part of
its loss, not a layer: together they are exact for logits of any size, apart they overflow.
"""

from __future__ import annotations

import numpy as np

from pipeline.errors import UsageError
from pipeline.nn.workspace import Pass


def softmax(logits: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Probabilities (n, classes) from logits (n, classes); the row's maximum is subtracted before exp."""
    out = np.subtract(logits, logits.max(axis=1, keepdims=True), out=out)
    np.exp(out, out=out)
    out /= out.sum(axis=1, keepdims=True)
    return out


class SoftmaxCrossEntropy:
    """−Σ_k t_k · log softmax(z)_k, where t is 1 − ε + ε/K for the true class and ε/K for the others.

    label_smoothing: ε in [0, 1), after Szegedy et al. 2016, §7.
    """

    def __init__(self, *, label_smoothing: float = 0.0) -> None:
        if not 0.0 <= label_smoothing < 1.0:
            raise UsageError(f"label_smoothing must be at least 0 and below 1, found {label_smoothing}.")
        self.label_smoothing = label_smoothing

    def __call__(
        self, logits: np.ndarray, labels: np.ndarray, run: Pass, weights: np.ndarray | None = None
    ) -> tuple[float, np.ndarray]:
        """Mean loss and ∂loss/∂logits (n, classes) for labels (n,) of class indices.

        weights (n,) count rows more or less; the mean is over their sum.
        """
        n, classes = logits.shape
        rows = np.arange(n)
        shifted = np.subtract(
            logits, logits.max(axis=1, keepdims=True), out=run.array(self, "z", logits.shape, logits.dtype)
        )
        d = np.exp(shifted, out=run.array(self, "d", logits.shape, logits.dtype))
        total = d.sum(axis=1, keepdims=True)
        d /= total
        shifted -= np.log(total)  # now log-probabilities

        smooth = self.label_smoothing
        per_row = -(1.0 - smooth) * shifted[rows, labels]
        if smooth:
            per_row -= smooth / classes * shifted.sum(axis=1)
            d -= logits.dtype.type(smooth / classes)
        d[rows, labels] -= logits.dtype.type(1.0 - smooth)
        if weights is None:
            d *= logits.dtype.type(1.0 / n)
            return float(per_row.mean()), d
        share = (weights / weights.sum()).astype(logits.dtype)
        d *= share[:, None]
        return float(per_row @ share), d


LOSSES = {"softmax-cross-entropy": SoftmaxCrossEntropy}
