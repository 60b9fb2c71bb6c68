"""Losses: what training makes small. Each gives its value and its gradient in one call.

Softmax and sigmoid are part of their losses, not layers: together they are exact for logits of any size, apart they
overflow.
"""

from collections.abc import Sequence

import numpy as np

from pipeline.errors import UsageError, number
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


class Loss:
    """A mean over rows; each loss says in `_rows` what it is of every row. See __call__ for what all take and give."""

    def __call__(
        self, outputs: np.ndarray, targets: np.ndarray, ctx: Pass, weights: np.ndarray | None = None
    ) -> tuple[float, np.ndarray]:
        """Mean loss, and ∂loss/∂outputs (n, k), for outputs (n, k).

        targets: (n, k), or class indices (n,) of k > 1 outputs, which stand for 1 at the class and 0 elsewhere.
        weights (n,) count rows more or less; the mean is then over their sum. Raises UsageError for targets or
        weights that do not fit the outputs.
        """
        if outputs.ndim != 2:
            raise UsageError(f"A loss takes outputs of shape (rows, outputs), found {outputs.shape}: end with Dense.")
        if len(outputs) == 0:
            raise UsageError("A loss is the mean over rows, found none: give at least one row.")
        per_row, d = self._rows(outputs, targets, ctx)
        share = _shares(self._row_weights(targets, weights), len(outputs))
        if share is None:
            d *= 1.0 / len(d)
            return float(per_row.mean()), d
        share = share.astype(outputs.dtype)
        d *= share[:, None]
        return float(per_row @ share), d

    def _rows(self, outputs: np.ndarray, targets: np.ndarray, ctx: Pass) -> tuple[np.ndarray, np.ndarray]:
        """The loss of each row (n,), and the gradients (n, k) of these."""
        raise NotImplementedError

    def _row_weights(self, targets: np.ndarray, weights: np.ndarray | None) -> np.ndarray | None:
        return weights


class SoftmaxCrossEntropy(Loss):
    """−Σ_k t_k · log softmax(z)_k, where t is 1 − ε + ε/K for the true class and ε/K for the others.

    Targets are class indices. label_smoothing: ε in [0, 1), after Szegedy et al. 2016, §7.
    class_weight: a number above 0 for each class, by which its rows count more or less; None for equal.
    """

    def __init__(self, *, label_smoothing: float = 0.0, class_weight: Sequence[float] | None = None) -> None:
        self.label_smoothing = number("label_smoothing", label_smoothing, at_least=0, below=1)
        if class_weight is not None:
            if np.ndim(class_weight) != 1:
                raise UsageError(f"class_weight must be a list of one number for each class, found {class_weight!r}.")
            class_weight = np.array([number("class_weight of each class", w, above=0) for w in class_weight])
        self.class_weight = class_weight

    def _rows(self, logits: np.ndarray, labels: np.ndarray, ctx: Pass) -> tuple[np.ndarray, np.ndarray]:
        n, classes = logits.shape
        check_labels(labels, n, classes)
        if self.class_weight is not None and len(self.class_weight) != classes:
            raise UsageError(
                f"class_weight has {len(self.class_weight)} numbers where the network has {classes} outputs: "
                "give one for each class."
            )
        d = ctx.array(self, "d", logits.shape, logits.dtype)
        per_row = ctx.array(self, "per row", (n,), logits.dtype)
        off, on = self.label_smoothing / classes, 1.0 - self.label_smoothing
        _softmax_cross_entropy(d, per_row, np.ascontiguousarray(logits), labels, *map(logits.dtype.type, (off, on)))
        return per_row, d

    def _row_weights(self, labels: np.ndarray, weights: np.ndarray | None) -> np.ndarray | None:
        if self.class_weight is None:
            return weights
        return self.class_weight[labels] * (1.0 if weights is None else weights)


class MSE(Loss):
    """Mean over the outputs of (y − t)², as PyTorch has it: without ½."""

    def _rows(self, outputs: np.ndarray, targets: np.ndarray, ctx: Pass) -> tuple[np.ndarray, np.ndarray]:
        targets, k = _matching_targets(targets, outputs), outputs.shape[1]
        d = np.subtract(outputs, targets, out=ctx.array(self, "d", outputs.shape, outputs.dtype))
        per_row = np.einsum("ij,ij->i", d, d) / k
        d *= 2 / k
        return per_row, d


class BinaryCrossEntropy(Loss):
    """Mean over the outputs of −t·log σ(z) − (1 − t)·log(1 − σ(z)): several yes/no questions a row (multi-label)."""

    def _rows(self, logits: np.ndarray, targets: np.ndarray, ctx: Pass) -> tuple[np.ndarray, np.ndarray]:
        targets = _matching_targets(targets, logits)
        if not (targets.min() >= 0 and targets.max() <= 1):
            found = targets.min() if targets.min() < 0 else targets.max()
            raise UsageError(f"BinaryCrossEntropy takes targets from 0 to 1, found {found:g}.")
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
        d *= 1 / logits.shape[1]
        return per_row, d


class AbsoluteError(Loss):
    """Mean over the outputs of |y − t|, whose best constant is the median: one wild target counts as one."""

    def _rows(self, outputs: np.ndarray, targets: np.ndarray, ctx: Pass) -> tuple[np.ndarray, np.ndarray]:
        difference = outputs - _matching_targets(targets, outputs).astype(outputs.dtype, copy=False)
        return np.abs(difference).mean(axis=1), np.sign(difference) / outputs.shape[1]


class Poisson(Loss):
    """Mean over the outputs of t·log(t/ŷ) − t + ŷ with ŷ = exp(z), half the Poisson deviance: for counts t ≥ 0."""

    def _rows(self, outputs: np.ndarray, targets: np.ndarray, ctx: Pass) -> tuple[np.ndarray, np.ndarray]:
        targets = _matching_targets(targets, outputs).astype(outputs.dtype, copy=False)
        if targets.min() < 0:
            raise UsageError(f"Poisson takes targets of at least 0, found {targets.min():g}.")
        difference = np.exp(outputs) - targets
        entropy = targets * np.log(np.where(targets > 0, targets, 1))
        return (entropy - targets * outputs + difference).mean(axis=1), difference / outputs.shape[1]


LOSSES = {"softmax-cross-entropy": SoftmaxCrossEntropy, "mse": MSE, "binary-cross-entropy": BinaryCrossEntropy}


def _shares(weights: np.ndarray | None, n: int) -> np.ndarray | None:
    """Each row's share (n,) in the mean, or None for equal shares; all 0 where no row counts."""
    if weights is None:
        return None
    weights = np.asarray(weights, np.float64)
    if weights.shape != (n,):
        raise UsageError(f"The weights of {n} rows must be of shape ({n},), found {weights.shape}.")
    total = weights.sum()
    if not (np.isfinite(total) and weights.min() >= 0):
        raise UsageError("The weights of rows must be finite numbers of at least 0, found one that is not.")
    return weights / total if total else weights


def check_labels(labels: np.ndarray, n: int, classes: int) -> None:
    """Raise UsageError unless labels are n class indices from 0 to classes − 1."""
    if labels.shape != (n,) or labels.dtype.kind not in "iu":
        raise UsageError(
            f"Labels must be {n} whole numbers, one a row, found {labels.dtype} of shape {labels.shape}: "
            "give class indices."
        )
    if labels.min() < 0 or labels.max() >= classes:
        found = labels.min() if labels.min() < 0 else labels.max()
        raise UsageError(f"Labels must be 0 to {classes - 1} for a network of {classes} outputs, found {found}.")


def _matching_targets(targets: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Targets of the outputs' shape (n, k): as they are, or made of class indices (n,)."""
    n, k = outputs.shape
    if targets.ndim == 1 and k > 1:
        check_labels(targets, n, k)
        one_hot = np.zeros(outputs.shape, outputs.dtype)
        one_hot[np.arange(n), targets] = 1
        return one_hot
    if targets.shape != outputs.shape:
        raise UsageError(f"Targets must be of the outputs' shape {outputs.shape}, found {targets.shape}.")
    if not np.isfinite(targets).all():
        raise UsageError("Targets must be finite numbers, found NaN or infinity.")
    return targets
