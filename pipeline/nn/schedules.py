"""Learning rates over the course of a training: `schedule(step, steps)` → rate at step 0 … steps − 1."""

from __future__ import annotations

import math

from pipeline.errors import UsageError


def _positive(name: str, value: float) -> float:
    if not (value > 0 and math.isfinite(value)):
        raise UsageError(f"{name} must be a number above 0, found {value}.")
    return float(value)


class Constant:
    """The same rate at every step."""

    def __init__(self, *, learning_rate: float = 0.001) -> None:
        self.learning_rate = _positive("learning_rate", learning_rate)

    def __call__(self, step: int, steps: int) -> float:
        return self.learning_rate


class OneCycle:
    """Up to `peak` along a half cosine during the first `warmup` share of the steps, then down to almost 0.

    After Smith and Topin 2018 ("Super-convergence"), in the cosine form that PyTorch's OneCycleLR has:
    it begins at peak / start_divisor and ends at peak / start_divisor / end_divisor.
    """

    def __init__(
        self, *, peak: float = 0.005, warmup: float = 0.3, start_divisor: float = 25.0, end_divisor: float = 1e4
    ) -> None:
        self.peak = _positive("peak", peak)
        if not 0.0 < warmup < 1.0:
            raise UsageError(f"warmup must lie between 0 and 1 (a share of the steps), found {warmup}.")
        self.warmup = warmup
        self.first = self.peak / _positive("start_divisor", start_divisor)
        self.last = self.first / _positive("end_divisor", end_divisor)

    def __call__(self, step: int, steps: int) -> float:
        turn = self.warmup * steps - 1
        if step <= turn:
            return _half_cosine(self.first, self.peak, step / turn)
        return _half_cosine(self.peak, self.last, (step - turn) / max(steps - 1 - turn, 1e-9))


def _half_cosine(begin: float, end: float, share: float) -> float:
    return end + (begin - end) * 0.5 * (1.0 + math.cos(math.pi * share))


SCHEDULES = {"constant": Constant, "one-cycle": OneCycle}
