"""Learning rates over the course of a training: `schedule(step, steps)` → rate at step 0 … steps − 1.

Where a schedule takes `warmup`, the rate first climbs in equal steps from 0 (not included) to
`learning_rate` during that share of all steps.
"""

import math
from collections.abc import Sequence

from pipeline.errors import UsageError, number


class Constant:
    """The same rate at every step."""

    def __init__(self, *, learning_rate: float = 0.001, warmup: float = 0.0) -> None:
        self.learning_rate = number("learning_rate", learning_rate, above=0)
        self.warmup = number("warmup (a share of all steps)", warmup, at_least=0, below=1)

    def __call__(self, step: int, steps: int) -> float:
        return self.learning_rate * _climb(step, self.warmup * steps)


class Step:
    """The rate times `factor` at each of the shares `at` of all steps: by default 0.1, then 0.01, then 0.001."""

    def __init__(
        self,
        *,
        learning_rate: float = 0.1,
        at: Sequence[float] = (0.5, 0.75),
        factor: float = 0.1,
        warmup: float = 0.0,
    ) -> None:
        self.learning_rate = number("learning_rate", learning_rate, above=0)
        sentence = f"at must be a list of rising shares of all steps, such as [0.5, 0.75], found {at!r}."
        if not isinstance(at, (list, tuple)):
            raise UsageError(sentence)
        self.at = [number("at (shares of all steps): each", share, above=0, below=1) for share in at]
        if self.at != sorted(set(self.at)):
            raise UsageError(sentence)
        self.factor = number("factor", factor, above=0, below=1)
        self.warmup = number("warmup (a share of all steps)", warmup, at_least=0, below=1)

    def __call__(self, step: int, steps: int) -> float:
        drops = sum(step >= share * steps for share in self.at)
        return self.learning_rate * self.factor**drops * _climb(step, self.warmup * steps)


class Cosine:
    """From `learning_rate` to `last` along a half cosine (Loshchilov and Hutter 2017, eq. 5, one period)."""

    def __init__(self, *, learning_rate: float = 0.001, last: float = 0.0, warmup: float = 0.0) -> None:
        self.learning_rate = number("learning_rate", learning_rate, above=0)
        self.last = number("last (the final learning rate)", last, at_least=0, at_most=self.learning_rate)
        self.warmup = number("warmup (a share of all steps)", warmup, at_least=0, below=1)

    def __call__(self, step: int, steps: int) -> float:
        begin = self.warmup * steps
        if step < begin:
            return self.learning_rate * _climb(step, begin)
        return _half_cosine(self.learning_rate, self.last, (step - begin) / (steps - begin))


class OneCycle:
    """Up to `peak` along a half cosine during the first `warmup` share of the steps, then down to almost 0.

    After Smith and Topin 2018 ("Super-convergence"), in the cosine form that PyTorch's OneCycleLR has:
    it begins at peak / start_divisor and ends at peak / start_divisor / end_divisor.
    """

    def __init__(
        self, *, peak: float = 0.005, warmup: float = 0.3, start_divisor: float = 25.0, end_divisor: float = 1e4
    ) -> None:
        self.peak = number("peak", peak, above=0)
        self.warmup = number("warmup (a share of all steps)", warmup, above=0, below=1)
        self.first = self.peak / number("start_divisor", start_divisor, at_least=1)
        self.last = self.first / number("end_divisor", end_divisor, at_least=1)

    def __call__(self, step: int, steps: int) -> float:
        turn = max(self.warmup * steps - 1, 0.0)  # the step of the peak, on the scale from 0 to steps − 1
        if step < turn:
            return _half_cosine(self.first, self.peak, step / turn)
        return _half_cosine(self.peak, self.last, (step - turn) / max(steps - 1 - turn, 1e-9))


def _climb(step: int, warm_steps: float) -> float:
    return min(1.0, (step + 1) / warm_steps) if warm_steps > 0 else 1.0


def _half_cosine(begin: float, end: float, share: float) -> float:
    return end + (begin - end) * 0.5 * (1.0 + math.cos(math.pi * share))


SCHEDULES = {"constant": Constant, "step": Step, "cosine": Cosine, "one-cycle": OneCycle}
