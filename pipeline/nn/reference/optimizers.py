"""Optimisers in plain loops, each in the form in which its paper gives it."""

import math


class Optimizer:
    """What all share: clipping and weight decay. Subclasses say what one parameter does."""

    def __init__(self, size: int, *, weight_decay: float = 0.0, clip_norm: float | None = None) -> None:
        self.weight_decay, self.clip_norm = weight_decay, clip_norm
        self.steps = 0

    def step(self, params: list[float], grads: list[float], learning_rate: float) -> None:
        """Change params in place."""
        self.steps += 1
        shorten = 1.0
        if self.clip_norm is not None:
            norm = math.sqrt(sum(g * g for g in grads))
            shorten = min(1.0, self.clip_norm / (norm + 1e-6))
        for i in range(len(params)):
            p, g = self.decayed(params[i], shorten * grads[i], learning_rate)
            params[i] = p - learning_rate * self.direction(i, g)

    def decayed(self, p: float, g: float, learning_rate: float) -> tuple[float, float]:
        """A parameter and its gradient with weight decay."""
        return p, g + self.weight_decay * p

    def direction(self, i: int, g: float) -> float:
        """What parameter number i moves against, for its gradient g."""
        raise NotImplementedError


class SGD(Optimizer):
    """v ← μ·v + g; p ← p − η·v, or with Nesterov's momentum p ← p − η·(g + μ·v)."""

    def __init__(self, size: int, *, momentum: float = 0.0, nesterov: bool = False, **shared: float) -> None:
        super().__init__(size, **shared)
        self.momentum, self.nesterov = momentum, nesterov
        self.velocity = [0.0] * size

    def direction(self, i: int, g: float) -> float:
        self.velocity[i] = self.momentum * self.velocity[i] + g
        return g + self.momentum * self.velocity[i] if self.nesterov else self.velocity[i]


class RMSProp(Optimizer):
    """v ← ρ·v + (1 − ρ)·g²; p ← p − η·g / (√v + ε)."""

    def __init__(self, size: int, *, rho: float = 0.99, epsilon: float = 1e-8, **shared: float) -> None:
        super().__init__(size, **shared)
        self.rho, self.epsilon = rho, epsilon
        self.second = [0.0] * size

    def direction(self, i: int, g: float) -> float:
        self.second[i] = self.rho * self.second[i] + (1 - self.rho) * g * g
        return g / (math.sqrt(self.second[i]) + self.epsilon)


class Adam(Optimizer):
    """m ← β₁·m + (1 − β₁)·g; v ← β₂·v + (1 − β₂)·g²; p ← p − η·m̂ / (√v̂ + ε), m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ)."""

    def __init__(
        self, size: int, *, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-8, **shared: float
    ) -> None:
        super().__init__(size, **shared)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon
        self.first, self.second = [0.0] * size, [0.0] * size

    def direction(self, i: int, g: float) -> float:
        self.first[i] = self.beta_1 * self.first[i] + (1 - self.beta_1) * g
        self.second[i] = self.beta_2 * self.second[i] + (1 - self.beta_2) * g * g
        m = self.first[i] / (1 - self.beta_1**self.steps)
        v = self.second[i] / (1 - self.beta_2**self.steps)
        return m / (math.sqrt(v) + self.epsilon)


class AdamW(Adam):
    """p ← p − η·λ·p, then the step of Adam without a penalty in its gradient."""

    def __init__(self, size: int, *, weight_decay: float = 0.01, **arguments: float) -> None:
        super().__init__(size, weight_decay=weight_decay, **arguments)

    def decayed(self, p: float, g: float, learning_rate: float) -> tuple[float, float]:
        return p - learning_rate * self.weight_decay * p, g


OPTIMIZERS = {"sgd": SGD, "rmsprop": RMSProp, "adam": Adam, "adamw": AdamW}
