"""Optimisers over one flat vector of parameters, a handful of whole-array operations a step.

`step(params, grads, learning_rate)` changes params in place and uses grads up; both are arrays (size,) of
the optimiser's dtype, float32 or float64. The formulas are PyTorch's. All optimisers take

weight_decay: λ ≥ 0, added to the gradient as λ·p, as an L2 penalty of λ/2·‖p‖² would (AdamW: see there).
clip_norm: gradients longer than this are shortened to it, before anything else; None for never.
"""

from __future__ import annotations

import math

import numpy as np

from pipeline.checks import number
from pipeline.errors import UsageError


class Optimizer:
    """What all optimisers share; each adds `_update`. Raises UsageError for arguments out of range."""

    def __init__(self, size: int, dtype: np.dtype, *, weight_decay: float, clip_norm: float | None) -> None:
        self.weight_decay = number("weight_decay", weight_decay, at_least=0)
        self.clip_norm = None if clip_norm is None else number("clip_norm", clip_norm, above=0)
        self.scratch = np.empty(size, dtype)

    def step(self, params: np.ndarray, grads: np.ndarray, learning_rate: float) -> None:
        """Move params (size,) against grads (size,), whose content is used up."""
        if self.clip_norm is not None:
            factor = self.clip_norm / (math.sqrt(np.dot(grads, grads)) + 1e-6)  # PyTorch's guard against 0
            if factor < 1:
                grads *= factor
        learning_rate = float(learning_rate)  # a NumPy number would make float32 work float64
        self._decay(params, grads, learning_rate)
        self._update(params, grads, learning_rate)

    def _decay(self, params: np.ndarray, grads: np.ndarray, learning_rate: float) -> None:
        if self.weight_decay:
            grads += np.multiply(params, self.weight_decay, out=self.scratch)

    def _update(self, params: np.ndarray, grads: np.ndarray, learning_rate: float) -> None:
        raise NotImplementedError


class SGD(Optimizer):
    """p ← p − η·v with v ← μ·v + g; μ = 0 is plain gradient descent (Sutskever et al. 2013, as in PyTorch).

    nesterov: p ← p − η·(g + μ·v), the gradient as seen from where the momentum leads.
    """

    def __init__(
        self,
        size: int,
        dtype: np.dtype,
        *,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
    ) -> None:
        super().__init__(size, dtype, weight_decay=weight_decay, clip_norm=clip_norm)
        self.momentum = number("momentum", momentum, at_least=0, below=1)
        if not isinstance(nesterov, bool) or (nesterov and not self.momentum):
            raise UsageError(
                f"nesterov must be true with a momentum above 0, or false, found {nesterov!r} with momentum {momentum}."
            )
        self.nesterov = nesterov
        self.velocity = np.zeros(size, dtype)

    def _update(self, params: np.ndarray, grads: np.ndarray, learning_rate: float) -> None:
        direction = grads
        if self.momentum:
            v = self.velocity
            v *= self.momentum
            v += grads
            direction = v
            if self.nesterov:
                grads += np.multiply(v, self.momentum, out=self.scratch)
                direction = grads
        params -= np.multiply(direction, learning_rate, out=self.scratch)


class RMSProp(Optimizer):
    """p ← p − η·g / (√v + ε) with v ← ρ·v + (1 − ρ)·g² (Tieleman and Hinton 2012, lecture 6.5)."""

    def __init__(
        self,
        size: int,
        dtype: np.dtype,
        *,
        rho: float = 0.99,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
    ) -> None:
        super().__init__(size, dtype, weight_decay=weight_decay, clip_norm=clip_norm)
        self.rho = number("rho", rho, at_least=0, below=1)
        self.epsilon = number("epsilon", epsilon, above=0)
        self.second = np.zeros(size, dtype)

    def _update(self, params: np.ndarray, grads: np.ndarray, learning_rate: float) -> None:
        v, t = self.second, self.scratch
        v *= self.rho
        np.multiply(grads, grads, out=t)
        t *= 1.0 - self.rho
        v += t
        np.sqrt(v, out=t)
        t += self.epsilon
        np.divide(grads, t, out=t)
        t *= learning_rate
        params -= t


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, algorithm 1).

    The moments are kept without their factors (1 − β), which go into two scalars a step instead: with
    M = m / (1 − β₁), V = v / (1 − β₂) and c = √((1 − β₂) / (1 − β₂ᵗ)) the published update
    η · m̂ / (√v̂ + ε) becomes η · (1 − β₁) / (1 − β₁ᵗ) / c · M / (√V + ε/c), two whole-array
    operations shorter.
    """

    def __init__(
        self,
        size: int,
        dtype: np.dtype,
        *,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
    ) -> None:
        super().__init__(size, dtype, weight_decay=weight_decay, clip_norm=clip_norm)
        self.beta_1 = number("beta_1", beta_1, at_least=0, below=1)
        self.beta_2 = number("beta_2", beta_2, at_least=0, below=1)
        self.epsilon = number("epsilon", epsilon, above=0)
        self.steps = 0
        self.first = np.zeros(size, dtype)
        self.second = np.zeros(size, dtype)

    def _update(self, params: np.ndarray, grads: np.ndarray, learning_rate: float) -> None:
        self.steps += 1
        c = math.sqrt((1.0 - self.beta_2) / (1.0 - self.beta_2**self.steps))
        m, v, t = self.first, self.second, self.scratch
        m *= self.beta_1
        m += grads
        v *= self.beta_2
        v += np.multiply(grads, grads, out=t)
        np.sqrt(v, out=t)
        t += self.epsilon / c
        np.divide(m, t, out=t)
        t *= learning_rate * (1.0 - self.beta_1) / (1.0 - self.beta_1**self.steps) / c
        params -= t


class AdamW(Adam):
    """Adam whose weight decay works on the weights themselves: p ← p − η·λ·p before the step of Adam.

    A penalty in the gradient would be divided by √v̂ like all else (Loshchilov and Hutter 2019, algorithm 2).
    """

    def __init__(
        self,
        size: int,
        dtype: np.dtype,
        *,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.01,
        clip_norm: float | None = None,
    ) -> None:
        super().__init__(
            size,
            dtype,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            weight_decay=weight_decay,
            clip_norm=clip_norm,
        )

    def _decay(self, params: np.ndarray, grads: np.ndarray, learning_rate: float) -> None:
        params *= 1.0 - learning_rate * self.weight_decay


OPTIMIZERS = {"sgd": SGD, "rmsprop": RMSProp, "adam": Adam, "adamw": AdamW}
