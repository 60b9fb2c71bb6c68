"""Optimisers over one flat vector of parameters, a handful of whole-array operations a step.

`step(params, grads, learning_rate)` changes params in place; the arrays (size,) are float32 or float64.
"""

from __future__ import annotations

import numpy as np

from pipeline.errors import UsageError


def _check_rate(name: str, value: float) -> float:
    if not 0.0 <= value < 1.0:
        raise UsageError(f"{name} must be at least 0 and below 1, found {value}.")
    return value


class SGD:
    """p ← p − η·v with v ← μ·v + g; μ = 0 is plain gradient descent (Sutskever et al. 2013, as in PyTorch)."""

    def __init__(self, size: int, dtype: np.dtype, *, momentum: float = 0.0) -> None:
        self.momentum = _check_rate("momentum", momentum)
        self.velocity = np.zeros(size, dtype)
        self.scratch = np.empty(size, dtype)

    def step(self, params: np.ndarray, grads: np.ndarray, learning_rate: float) -> None:
        number = params.dtype.type
        v = self.velocity
        v *= number(self.momentum)
        v += grads
        params -= np.multiply(v, number(learning_rate), out=self.scratch)


class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1).

    The moments are kept without their factors (1 − β), which go into two scalars a step instead: with
    M = m / (1 − β₁), V = v / (1 − β₂) and c = √((1 − β₂) / (1 − β₂ᵗ)) the published update
    η · m̂ / (√v̂ + ε) becomes η · (1 − β₁) / (1 − β₁ᵗ) / c · M / (√V + ε/c), two whole-array
    operations shorter.
    """

    def __init__(
        self, size: int, dtype: np.dtype, *, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-8
    ) -> None:
        self.beta_1, self.beta_2 = _check_rate("beta_1", beta_1), _check_rate("beta_2", beta_2)
        if epsilon <= 0:
            raise UsageError(f"epsilon must be above 0, found {epsilon}.")
        self.epsilon = epsilon
        self.steps = 0
        self.first = np.zeros(size, dtype)
        self.second = np.zeros(size, dtype)
        self.scratch = np.empty(size, dtype)

    def step(self, params: np.ndarray, grads: np.ndarray, learning_rate: float) -> None:
        self.steps += 1
        number = params.dtype.type
        c = np.sqrt((1.0 - self.beta_2) / (1.0 - self.beta_2**self.steps))
        rate = number(learning_rate * (1.0 - self.beta_1) / (1.0 - self.beta_1**self.steps) / c)
        m, v, t = self.first, self.second, self.scratch
        m *= number(self.beta_1)
        m += grads
        v *= number(self.beta_2)
        v += np.multiply(grads, grads, out=t)
        np.sqrt(v, out=t)
        t += number(self.epsilon / c)
        np.divide(m, t, out=t)
        t *= rate
        params -= t


OPTIMIZERS = {"sgd": SGD, "adam": Adam}
