"""Losses in plain loops: loss(outputs, targets, ctx, weights) → (mean loss, ∂loss/∂outputs)."""

import math

from pipeline.nn.reference.layers import Nested, sigmoid
from pipeline.nn.workspace import Pass


class Loss:
    """A mean over rows; subclasses say the loss and the gradient of one row."""

    def row(self, outputs: list[float], target: Nested) -> tuple[float, list[float]]:
        """Loss and ∂loss/∂outputs of one row, for its target: a class index, or a number for each output."""
        raise NotImplementedError

    def row_weight(self, target: Nested) -> float:
        return 1.0

    def __call__(self, outputs: Nested, targets: Nested, ctx: Pass, weights: Nested = None) -> tuple[float, Nested]:
        counts = [self.row_weight(targets[n]) * (1.0 if weights is None else weights[n]) for n in range(len(outputs))]
        total = sum(counts)
        mean, gradients = 0.0, []
        for n in range(len(outputs)):
            share = counts[n] / total if total else 0.0
            value, gradient = self.row(outputs[n], targets[n])
            mean += share * value
            gradients.append([share * d for d in gradient])
        return mean, gradients


class SoftmaxCrossEntropy(Loss):
    """−Σ_k t_k · log softmax(z)_k, where t is 1 − ε + ε/K for the true class and ε/K for the others."""

    def __init__(self, *, label_smoothing: float = 0.0, class_weight: list[float] | None = None) -> None:
        self.label_smoothing, self.class_weight = label_smoothing, class_weight

    def row_weight(self, label: int) -> float:
        return 1.0 if self.class_weight is None else self.class_weight[label]

    def row(self, logits: list[float], label: int) -> tuple[float, list[float]]:
        classes = len(logits)
        largest = max(logits)  # subtracted first, or exp would overflow
        total = sum(math.exp(z - largest) for z in logits)
        value, gradient = 0.0, []
        for k in range(classes):
            target = self.label_smoothing / classes + (1 - self.label_smoothing if k == label else 0.0)
            log_probability = logits[k] - largest - math.log(total)
            value -= target * log_probability
            gradient.append(math.exp(log_probability) - target)
        return value, gradient


class MSE(Loss):
    """Mean over the outputs of (y − t)²."""

    def row(self, outputs: list[float], target: Nested) -> tuple[float, list[float]]:
        k = len(outputs)
        differences = [y - t for y, t in zip(outputs, numbers_of(target, k), strict=True)]
        return sum(d * d for d in differences) / k, [2 * d / k for d in differences]


class BinaryCrossEntropy(Loss):
    """Mean over the outputs of −t·log σ(z) − (1 − t)·log(1 − σ(z))."""

    def row(self, logits: list[float], target: Nested) -> tuple[float, list[float]]:
        k = len(logits)
        value, gradient = 0.0, []
        for z, t in zip(logits, numbers_of(target, k), strict=True):
            # The same, without exp that overflows.
            value += (max(z, 0.0) - t * z + math.log1p(math.exp(-abs(z)))) / k
            gradient.append((sigmoid(z) - t) / k)
        return value, gradient


def numbers_of(target: Nested, k: int) -> list[float]:
    """A target as k numbers: as it is, or for a class index 1 at the class and 0 elsewhere."""
    return target if isinstance(target, list) else [1.0 if c == target else 0.0 for c in range(k)]


LOSSES = {"softmax-cross-entropy": SoftmaxCrossEntropy, "mse": MSE, "binary-cross-entropy": BinaryCrossEntropy}
