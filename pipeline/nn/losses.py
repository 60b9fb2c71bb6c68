"""Losses: what training makes small. Each gives its value and its gradient in one call.

`loss(outputs, targets, ctx, weights)` → (mean loss over the batch, ∂loss/∂outputs). Softmax and sigmoid
are part of their losses, not layers: together they are exact for logits of any size, apart they overflow.

weights (n,) count rows more or less; the mean is then over their sum. All losses raise UsageError for
targets or weights that do not fit the outputs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.checks import number
from pipeline.errors import UsageError
from pipeline.nn.kernels import Array, Number, kernel
from pipeline.nn.layers.activations import sigmoid
from pipeline.nn.workspace import Pass


def softmax(logits: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Probabilities (n, classes) from logits (n, classes); the row's maximum is subtracted before exp."""
    out = np.subtract(logits, logits.max(axis=1, keepdims=True), out=out)
    np.exp(out, out=out)
    out /= out.sum(axis=1, keepdims=True)
    return out


def _softmax_cross_entropy_arrays(d: Array, per_row: Array, z: Array, labels: Array, off: Number, on: Number) -> None:
    rows = np.arange(len(z))
    shifted = z - z.max(axis=1, keepdims=True)
    np.exp(shifted, out=d)
    total = d.sum(axis=1, keepdims=True)
    d /= total
    shifted -= np.log(total)  # now log-probabilities
    per_row[...] = -on * shifted[rows, labels] - off * shifted.sum(axis=1)
    d -= off
    d[rows, labels] -= on


@kernel(_softmax_cross_entropy_arrays)
def _softmax_cross_entropy(d: Array, per_row: Array, z: Array, labels: Array, off: Number, on: Number) -> None:
    """Losses per_row (n,) and gradients d (n, classes) of logits z; targets: off everywhere, on more at labels."""
    n, classes = z.shape
    for i in range(n):
        largest = z[i, 0]
        for k in range(1, classes):
            largest = max(largest, z[i, k])
        total, shifted = largest * 0, largest * 0
        for k in range(classes):
            d[i, k] = np.exp(z[i, k] - largest)
            total += d[i, k]
            shifted += z[i, k] - largest
        log_total = np.log(total)
        per_row[i] = -on * (z[i, labels[i]] - largest - log_total) - off * (shifted - classes * log_total)
        for k in range(classes):
            d[i, k] = d[i, k] / total - off
        d[i, labels[i]] -= on


class SoftmaxCrossEntropy:
    """−Σ_k t_k · log softmax(z)_k, where t is 1 − ε + ε/K for the true class and ε/K for the others.

    label_smoothing: ε in [0, 1), after Szegedy et al. 2016, §7.
    class_weight: a number above 0 for each class, by which its rows count more or less; None for equal.
    """

    def __init__(self, *, label_smoothing: float = 0.0, class_weight: Sequence[float] | None = None) -> None:
        self.label_smoothing = number("label_smoothing", label_smoothing, at_least=0, below=1)
        if class_weight is not None:
            if np.ndim(class_weight) != 1:
                raise UsageError(f"class_weight must be a list of one number for each class, found {class_weight!r}.")
            class_weight = np.array([number("class_weight of each class", w, above=0) for w in class_weight])
        self.class_weight = class_weight

    def __call__(
        self, logits: np.ndarray, labels: np.ndarray, ctx: Pass, weights: np.ndarray | None = None
    ) -> tuple[float, np.ndarray]:
        """Mean loss and ∂loss/∂logits (n, classes) for labels (n,) of class indices 0 … classes − 1."""
        n, classes = _rows_of_outputs(logits)
        _check_labels(labels, n, classes)
        if self.class_weight is not None:
            if len(self.class_weight) != classes:
                raise UsageError(
                    f"class_weight has {len(self.class_weight)} numbers where the network has {classes} outputs: "
                    "give one for each class."
                )
            weights = self.class_weight[labels] * (1.0 if weights is None else weights)
        share = _shares(weights, n, logits.dtype)
        d = ctx.array(self, "d", logits.shape, logits.dtype)
        per_row = ctx.array(self, "per row", (n,), logits.dtype)
        off, on = self.label_smoothing / classes, 1.0 - self.label_smoothing
        _softmax_cross_entropy(d, per_row, np.ascontiguousarray(logits), labels, *map(logits.dtype.type, (off, on)))
        return _weighted(per_row, d, share)


class MSE:
    """Mean over the outputs of (y − t)², as PyTorch has it: without ½.

    Class indices (n,) as targets of a network of several outputs stand for 1 at the class, 0 elsewhere.
    """

    def __call__(
        self, outputs: np.ndarray, targets: np.ndarray, ctx: Pass, weights: np.ndarray | None = None
    ) -> tuple[float, np.ndarray]:
        """Mean loss and ∂loss/∂outputs (n, k) for targets (n, k), or class indices (n,) where k > 1."""
        n, k = _rows_of_outputs(outputs)
        targets = _matching_targets(targets, outputs)
        share = _shares(weights, n, outputs.dtype)
        d = np.subtract(outputs, targets, out=ctx.array(self, "d", outputs.shape, outputs.dtype))
        per_row = np.einsum("ij,ij->i", d, d) / k
        d *= 2 / k
        return _weighted(per_row, d, share)


class BinaryCrossEntropy:
    """Mean over the outputs of −t·log σ(z) − (1 − t)·log(1 − σ(z)): several yes/no questions a row (multi-label).

    Class indices (n,) as targets of a network of several outputs stand for 1 at the class, 0 elsewhere.
    """

    def __call__(
        self, logits: np.ndarray, targets: np.ndarray, ctx: Pass, weights: np.ndarray | None = None
    ) -> tuple[float, np.ndarray]:
        """Mean loss and ∂loss/∂logits (n, k) for targets (n, k) in [0, 1], or class indices (n,) where k > 1."""
        n, k = _rows_of_outputs(logits)
        targets = _matching_targets(targets, logits)
        if n and not (targets.min() >= 0 and targets.max() <= 1):
            found = targets.min() if targets.min() < 0 else targets.max()
            raise UsageError(f"BinaryCrossEntropy takes targets from 0 to 1, found {found:g}.")
        share = _shares(weights, n, logits.dtype)
        # −t·log σ(z) − (1 − t)·log(1 − σ(z)) = max(z, 0) − t·z + log(1 + e⁻|ᶻ|), where nothing overflows.
        each = np.maximum(logits, 0, out=ctx.array(self, "each", logits.shape, logits.dtype))
        d = np.multiply(targets, logits, out=ctx.array(self, "d", logits.shape, logits.dtype))
        each -= d
        np.abs(logits, out=d)
        np.negative(d, out=d)
        np.exp(d, out=d)
        each += np.log1p(d, out=d)
        per_row = each.mean(axis=1)
        sigmoid(logits, out=d)
        d -= targets
        d *= 1 / k
        return _weighted(per_row, d, share)


class AbsoluteError:
    """Mean over the outputs of |y − t|, whose best constant is the median: one wild target counts as one."""

    def __call__(
        self, outputs: np.ndarray, targets: np.ndarray, ctx: Pass, weights: np.ndarray | None = None
    ) -> tuple[float, np.ndarray]:
        """Mean loss and ∂loss/∂outputs (n, k) for targets (n, k)."""
        n, k = _rows_of_outputs(outputs)
        difference = outputs - _matching_targets(targets, outputs).astype(outputs.dtype, copy=False)
        share = _shares(weights, n, outputs.dtype)
        return _weighted(np.abs(difference).mean(axis=1), np.sign(difference) / k, share)


class Poisson:
    """Mean over the outputs of t·log(t/ŷ) − t + ŷ with ŷ = exp(z), half the Poisson deviance: for counts t ≥ 0."""

    def __call__(
        self, outputs: np.ndarray, targets: np.ndarray, ctx: Pass, weights: np.ndarray | None = None
    ) -> tuple[float, np.ndarray]:
        """Mean loss and ∂loss/∂outputs (n, k) for log-rates z (n, k) and targets (n, k) of at least 0."""
        n, k = _rows_of_outputs(outputs)
        targets = _matching_targets(targets, outputs).astype(outputs.dtype, copy=False)
        if n and targets.min() < 0:
            raise UsageError(f"Poisson takes targets of at least 0, found {targets.min():g}.")
        share = _shares(weights, n, outputs.dtype)
        difference = np.exp(outputs) - targets
        entropy = targets * np.log(np.where(targets > 0, targets, 1))
        per_row = (entropy - targets * outputs + difference).mean(axis=1)
        return _weighted(per_row, difference / k, share)


LOSSES = {"softmax-cross-entropy": SoftmaxCrossEntropy, "mse": MSE, "binary-cross-entropy": BinaryCrossEntropy}


def _weighted(per_row: np.ndarray, d: np.ndarray, share: np.ndarray | None) -> tuple[float, np.ndarray]:
    """The mean of the rows' losses, and their gradients (n, k) by each row's share in it."""
    if share is None:
        d *= 1.0 / len(d)
        return float(per_row.mean()), d
    d *= share[:, None]
    return float(per_row @ share), d


def _shares(weights: np.ndarray | None, n: int, dtype: np.dtype) -> np.ndarray | None:
    """Each row's share (n,) in the mean, or None for equal shares; all 0 where no row counts."""
    if n == 0:
        raise UsageError("A loss is the mean over rows, found none: give at least one row.")
    if weights is None:
        return None
    weights = np.asarray(weights, np.float64)
    if weights.shape != (n,):
        raise UsageError(f"The weights of {n} rows must be of shape ({n},), found {weights.shape}.")
    total = weights.sum()
    if not (np.isfinite(total) and weights.min() >= 0):
        raise UsageError("The weights of rows must be finite numbers of at least 0, found one that is not.")
    return (weights / total if total else weights).astype(dtype)


def _rows_of_outputs(outputs: np.ndarray) -> tuple[int, int]:
    if outputs.ndim != 2:
        raise UsageError(f"A loss takes outputs of shape (rows, outputs), found {outputs.shape}: end with Dense.")
    return outputs.shape


def _check_labels(labels: Array, n: int, classes: int) -> None:
    if labels.shape != (n,) or labels.dtype.kind not in "iu":
        raise UsageError(
            f"Labels must be {n} whole numbers, one a row, found {labels.dtype} of shape {labels.shape}: "
            "give class indices."
        )
    if n and (labels.min() < 0 or labels.max() >= classes):
        found = labels.min() if labels.min() < 0 else labels.max()
        raise UsageError(f"Labels must be 0 to {classes - 1} for a network of {classes} outputs, found {found}.")


def _matching_targets(targets: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Targets of the outputs' shape (n, k): as they are, or made of class indices (n,)."""
    n, k = outputs.shape
    if targets.ndim == 1 and k > 1:
        _check_labels(targets, n, k)
        one_hot = np.zeros(outputs.shape, outputs.dtype)
        one_hot[np.arange(n), targets] = 1
        return one_hot
    if targets.shape != outputs.shape:
        raise UsageError(f"Targets must be of the outputs' shape {outputs.shape}, found {targets.shape}.")
    if not np.isfinite(targets).all():
        raise UsageError("Targets must be finite numbers, found NaN or infinity.")
    return targets
