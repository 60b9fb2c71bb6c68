"""Optimisers over one flat vector of parameters, one pass over it a step (kernels.py).

`step(params, grads, learning_rate)` changes params in place and uses grads up; both are arrays (size,) of
the optimiser's dtype, float32 or float64. The formulas are PyTorch's. All optimisers take

weight_decay: λ ≥ 0, added to the gradient as λ·p, as an L2 penalty of λ/2·‖p‖² would (AdamW: see there).
clip_norm: gradients longer than this are shortened to it, before anything else; None for never.
"""

import math
from dataclasses import KW_ONLY, dataclass

import numpy as np

from pipeline.errors import UsageError, number
from pipeline.nn.kernels import Array, Number, chunks, kernel
from pipeline.nn.workspace import aligned


def _add_scaled_arrays(x: Array, y: Array, factor: Number) -> None:
    for x_, y_ in chunks(x, y):
        x_ += y_ * factor


@kernel(_add_scaled_arrays)
def _add_scaled(x: Array, y: Array, factor: Number) -> None:
    """x ← x + factor·y."""
    for i in range(x.size):
        x[i] += y[i] * factor


def _momentum_step_arrays(p: Array, g: Array, v: Array, momentum: Number, rate: Number, nesterov: bool) -> None:
    for p_, g_, v_ in chunks(p, g, v):
        v_ *= momentum
        v_ += g_
        p_ -= (g_ + v_ * momentum if nesterov else v_) * rate


@kernel(_momentum_step_arrays)
def _momentum_step(p: Array, g: Array, v: Array, momentum: Number, rate: Number, nesterov: bool) -> None:
    """v ← μ·v + g, then p ← p − η·v, or with Nesterov's momentum p ← p − η·(g + μ·v)."""
    for i in range(p.size):
        v[i] = v[i] * momentum + g[i]
        p[i] -= (g[i] + v[i] * momentum if nesterov else v[i]) * rate


def _rmsprop_arrays(p: Array, g: Array, v: Array, rho: Number, rest: Number, epsilon: Number, rate: Number) -> None:
    for p_, g_, v_ in chunks(p, g, v):
        v_ *= rho
        v_ += g_ * g_ * rest
        p_ -= g_ / (np.sqrt(v_) + epsilon) * rate


@kernel(_rmsprop_arrays)
def _rmsprop_step(p: Array, g: Array, v: Array, rho: Number, rest: Number, epsilon: Number, rate: Number) -> None:
    """v ← ρ·v + (1 − ρ)·g², then p ← p − η·g / (√v + ε); rest: 1 − ρ."""
    for i in range(p.size):
        v[i] = v[i] * rho + g[i] * g[i] * rest
        p[i] -= g[i] / (np.sqrt(v[i]) + epsilon) * rate


def _adam_step_arrays(
    p: Array, g: Array, m: Array, v: Array, beta_1: Number, beta_2: Number, epsilon: Number, rate: Number
) -> None:
    for p_, g_, m_, v_ in chunks(p, g, m, v):
        m_ *= beta_1
        m_ += g_
        v_ *= beta_2
        v_ += g_ * g_
        p_ -= m_ / (np.sqrt(v_) + epsilon) * rate


@kernel(_adam_step_arrays)
def _adam_step(
    p: Array, g: Array, m: Array, v: Array, beta_1: Number, beta_2: Number, epsilon: Number, rate: Number
) -> None:
    """M ← β₁·M + g, V ← β₂·V + g², p ← p − rate·M / (√V + ε), with the scalars that Adam's docstring derives."""
    for i in range(p.size):
        m[i] = m[i] * beta_1 + g[i]
        v[i] = v[i] * beta_2 + g[i] * g[i]
        p[i] -= m[i] / (np.sqrt(v[i]) + epsilon) * rate


@dataclass(eq=False)
class Optimizer:
    """What all optimisers share; each adds `_update`. Raises UsageError for arguments out of range."""

    size: int
    dtype: np.dtype
    _: KW_ONLY
    weight_decay: float = 0.0
    clip_norm: float | None = None

    def __post_init__(self) -> None:
        number("weight_decay", self.weight_decay, at_least=0)
        if self.clip_norm is not None:
            number("clip_norm", self.clip_norm, above=0)
        self.number = np.dtype(self.dtype).type

    def step(self, params: np.ndarray, grads: np.ndarray, learning_rate: float) -> None:
        """Move params (size,) against grads (size,), whose content is used up."""
        if self.clip_norm is not None:
            factor = self.clip_norm / (math.sqrt(np.dot(grads, grads)) + 1e-6)  # PyTorch's guard against 0
            if factor < 1:
                grads *= factor
        self._decay(params, grads, learning_rate)
        self._update(params, grads, learning_rate)

    def _decay(self, params: np.ndarray, grads: np.ndarray, learning_rate: float) -> None:
        if self.weight_decay:
            _add_scaled(grads, params, self.number(self.weight_decay))

    def _update(self, params: np.ndarray, grads: np.ndarray, learning_rate: float) -> None:
        raise NotImplementedError

    def _zeros(self, turn: int) -> np.ndarray:
        """(size,), for what an optimiser remembers. Params and gradients take turns 0 and 1: see aligned."""
        array = aligned(self.size, self.dtype, turn)
        array[...] = 0
        return array


@dataclass(eq=False, kw_only=True)
class SGD(Optimizer):
    """p ← p − η·v with v ← μ·v + g; μ = 0 is plain gradient descent (Sutskever et al. 2013, as in PyTorch).

    nesterov: p ← p − η·(g + μ·v), the gradient as seen from where the momentum leads.
    """

    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        number("momentum", self.momentum, at_least=0, below=1)
        if not isinstance(self.nesterov, bool) or (self.nesterov and not self.momentum):
            raise UsageError(
                f"nesterov must be true with a momentum above 0, or false, found {self.nesterov!r} with momentum "
                f"{self.momentum}."
            )
        self.velocity = self._zeros(2)

    def _update(self, params: np.ndarray, grads: np.ndarray, learning_rate: float) -> None:
        rate = self.number(learning_rate)
        if self.momentum:
            _momentum_step(params, grads, self.velocity, self.number(self.momentum), rate, self.nesterov)
        else:
            _add_scaled(params, grads, -rate)


@dataclass(eq=False, kw_only=True)
class RMSProp(Optimizer):
    """p ← p − η·g / (√v + ε) with v ← ρ·v + (1 − ρ)·g² (Tieleman and Hinton 2012, lecture 6.5)."""

    rho: float = 0.99
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        number("rho", self.rho, at_least=0, below=1)
        number("epsilon", self.epsilon, above=0)
        self.second = self._zeros(3)

    def _update(self, params: np.ndarray, grads: np.ndarray, learning_rate: float) -> None:
        scalars = (self.rho, 1.0 - self.rho, self.epsilon, learning_rate)
        _rmsprop_step(params, grads, self.second, *map(self.number, scalars))


@dataclass(eq=False, kw_only=True)
class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, algorithm 1).

    The moments are kept without their factors (1 − β), which go into two scalars a step instead: with
    M = m / (1 − β₁), V = v / (1 − β₂) and c = √((1 − β₂) / (1 − β₂ᵗ)) the published update
    η · m̂ / (√v̂ + ε) becomes η · (1 − β₁) / (1 − β₁ᵗ) / c · M / (√V + ε/c), two operations shorter.
    """

    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        number("beta_1", self.beta_1, at_least=0, below=1)
        number("beta_2", self.beta_2, at_least=0, below=1)
        number("epsilon", self.epsilon, above=0)
        self.steps, self.first, self.second = 0, self._zeros(2), self._zeros(3)

    def _update(self, params: np.ndarray, grads: np.ndarray, learning_rate: float) -> None:
        self.steps += 1
        c = math.sqrt((1.0 - self.beta_2) / (1.0 - self.beta_2**self.steps))
        rate = learning_rate * (1.0 - self.beta_1) / (1.0 - self.beta_1**self.steps) / c
        scalars = (self.beta_1, self.beta_2, self.epsilon / c, rate)
        _adam_step(params, grads, self.first, self.second, *map(self.number, scalars))


@dataclass(eq=False, kw_only=True)
class AdamW(Adam):
    """Adam whose weight decay works on the weights themselves: p ← p − η·λ·p before the step of Adam.

    A penalty in the gradient would be divided by √v̂ like all else (Loshchilov and Hutter 2019, algorithm 2).
    """

    weight_decay: float = 0.01

    def _decay(self, params: np.ndarray, grads: np.ndarray, learning_rate: float) -> None:
        params *= self.number(1.0 - learning_rate * self.weight_decay)


OPTIMIZERS = {"sgd": SGD, "rmsprop": RMSProp, "adam": Adam, "adamw": AdamW}
