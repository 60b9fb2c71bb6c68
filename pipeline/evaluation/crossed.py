"""Rows × seeds: where the luck in a mean over repeats and rows comes from, its interval and its p value.

Both the holdout's rows and the training seeds are a sample: a crossed design with two random factors.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np

from pipeline.errors import UsageError

SIGNIFICANCE = 0.05
POWER = 0.8
# Nodes for means over a χ² variable, as probabilities: denser towards 0, where the far tail comes from.
_NODES = ((np.arange(64) + 0.5) / 64) ** 4
_WEIGHTS = (np.arange(64) + 0.5) ** 3 / ((np.arange(64) + 0.5) ** 3).sum()


@dataclass(frozen=True, kw_only=True)
class Luck:
    """The variance of a mean over R repeats × n rows, apart by where it comes from; both are a sample.

    rows: variance by the choice of rows. seeds: by the training seeds, what differs from row to row included.
    welch: degrees of freedom of `seeds` as Welch counts them. row_freedom: n − 1. repeats: R; with one, `seeds` is 0
    and unknown.
    """

    rows: float
    seeds: float
    welch: float
    row_freedom: float
    repeats: int

    @property
    def variance(self) -> float:
        return self.rows + self.seeds

    def half_width(self, level: float) -> float:
        """Of the interval at that level: the distance whose p value is 1 − level."""
        if self.seeds == 0:
            return t_quantile(self.row_freedom, level) * math.sqrt(self.rows)
        return self._scale * self._behrens_fisher(1 - level)

    def p_value(self, distance: float) -> float:
        """Two-sided p of a mean at that distance from what was expected."""
        from scipy.special import stdtr

        if distance == 0 or self.variance == 0:
            return 1.0
        if self.seeds == 0:
            return 2 * float(stdtr(self.row_freedom, -abs(distance) / math.sqrt(self.rows)))
        return self._tail(abs(distance) / self._scale)

    def with_repeats(self, repeats: int) -> Self:
        """As it would be with that many repeats, if seeds spread as they did in these."""
        welch = self.welch * (repeats - 1) / (self.repeats - 1)
        return replace(self, seeds=self.seeds * self.repeats / repeats, welch=welch, repeats=repeats)

    def detectable(self, level: float) -> float:
        """The true difference whose interval at that level leaves out 0 in four cases of five (POWER)."""
        from scipy.special import ndtri

        return self.half_width(level) + float(ndtri(POWER)) * math.sqrt(self.variance)

    @cached_property
    def _scale(self) -> float:
        """What brings the 5 % point to Welch's and Satterthwaite's, which the former exceeds with few seeds."""
        freedom = self.variance**2 / (self.rows**2 / self.row_freedom + self.seeds**2 / self.welch)
        satterthwaite = t_quantile(freedom, 1 - SIGNIFICANCE) * math.sqrt(self.variance)
        return min(1.0, satterthwaite / self._behrens_fisher(SIGNIFICANCE))

    @cached_property
    def _variances(self) -> np.ndarray:
        from scipy.special import gammaincinv

        # One way may have nearly all of the spread: far out, its own R − 1 degrees of freedom are what can be had.
        freedom = self.repeats - 1
        return self.rows + self.seeds * freedom / (2 * gammaincinv(freedom / 2, _NODES))

    def _tail(self, distance: float) -> float:
        """P(|√rows · Z + √seeds · T| > distance), Z normal, T Student's with R − 1 degrees."""
        from scipy.special import ndtr

        return float(2 * ndtr(-distance / np.sqrt(self._variances)) @ _WEIGHTS)

    def _behrens_fisher(self, p: float) -> float:
        from scipy.optimize import brentq

        high = math.sqrt(self.variance)
        while self._tail(high) > p:
            high *= 2
        return brentq(lambda distance: self._tail(distance) - p, 0, high, rtol=1e-10)


def paired_luck(correct: np.ndarray, baseline: np.ndarray) -> tuple[float, Luck]:
    """Difference of mean accuracy on the same rows, and the luck in it.

    correct, baseline: (R, n) bool, which rows each repeat got right. With D = correct − baseline (repeat r, row i),
    a crossed design with two random factors (as readers × cases in Hillis, Statist. Med. 26, 2007),

        V_rows  = variance of the n row means of D / n
        V_seeds = variance of the R accuracies / R, for both ways of training apart and added up (Welch 1947)
        V_rest  = residual mean square (D less row and repeat means) / (n R); both others contain it.

    The luck of rows is V_rows − V_rest, that of seeds the larger of V_seeds and V_rest. Few rows that differ tell
    little of V_rows: it is raised by 2/k, k their effective number, which leaves McNemar's exact test about where it
    is with one repeat. Intervals and p values take Behrens' and Fisher's distribution, √rows·Z + √seeds·T, whose
    tail holds for the smallest p that a family of hundreds asks for; it is scaled to Welch's and Satterthwaite's
    interval at 5 %. benchmarks/verdicts.py simulates how often both hold.
    Raises UsageError when the shapes differ or there are fewer than two rows.
    """
    if correct.shape != baseline.shape or correct.ndim != 2 or correct.shape[1] < 2:
        raise UsageError(
            "A paired difference needs two arrays of the same shape, repeats × rows with at least 2 rows, "
            f"found {correct.shape} and {baseline.shape}: score both models on the same rows."
        )
    difference = correct.astype(np.float64) - baseline
    squares = difference.mean(axis=0) ** 2
    differing = squares.sum() ** 2 / max((squares**2).sum(), 1e-300)
    floor = 2 / difference.shape[1] ** 2
    raised = (1 + 2 / differing, 0.0) if differing else (1.0, floor)
    return float(difference.mean()), luck_of(difference, (correct.mean(axis=1), baseline.mean(axis=1)), raised)


def luck_of(values: np.ndarray, arms: Sequence[np.ndarray], raised: tuple[float, float] = (1.0, 0.0)) -> Luck:
    """The luck in the mean of values (R, n): see paired_luck.

    arms: means (R,) over rows of what `values` is the difference of. raised: (a, b), V_rows becomes a · V_rows + b.
    """
    repeats, rows = values.shape
    mean, row_means = values.mean(), values.mean(axis=0)
    of_rows = float(row_means.var(ddof=1)) / rows * raised[0] + raised[1]
    if repeats == 1:
        return Luck(rows=of_rows, seeds=0.0, welch=math.inf, row_freedom=rows - 1.0, repeats=1)
    each = np.array([float(arm.var(ddof=1)) / repeats for arm in arms])
    rest = values - row_means - values.mean(axis=1, keepdims=True) + mean
    of_rest = float((rest**2).sum()) / ((rows - 1) * (repeats - 1)) / (rows * repeats)
    welch = (repeats - 1) * (float(each.sum() ** 2 / (each**2).sum()) if each.any() else float(len(arms)))
    of_rows, of_seeds = max(of_rows - of_rest, 0.0), max(float(each.sum()), of_rest)
    return Luck(rows=of_rows, seeds=of_seeds, welch=welch, row_freedom=rows - 1.0, repeats=repeats)


def t_quantile(freedom: float, level: float) -> float:
    """Half the width of a t-interval at that level, in standard errors."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + level) / 2))
