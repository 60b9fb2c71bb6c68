"""What a table of accuracies can claim: intervals, paired tests, and a verdict in plain words.

Two kinds of luck move an accuracy: which rows the holdout holds, and which seed the training had. Each
function says which of the two it covers. Accuracies and differences are shares, 0 to 1, unless a name
says points (percentage points).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from pipeline.errors import UsageError
from pipeline.evaluation.grid import Grid

SIGNIFICANCE = 0.05


class Estimate(NamedTuple):
    """A value and its confidence interval; low and high are NaN where no interval can be had."""

    value: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2

    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0


def mean_interval(values: Sequence[float] | np.ndarray, level: float = 0.95) -> Estimate:
    """Mean of R repeats and its t-interval: mean ± t(R-1) · s / √R. Covers the luck of the seed only.

    values: (R,) float. One repeat has no spread to measure: low and high are NaN.
    """
    values = np.asarray(values, dtype=np.float64)
    mean = float(values.mean())
    if len(values) == 1:
        return Estimate(mean, math.nan, math.nan)
    half = _t_quantile(len(values) - 1, level) * values.std(ddof=1) / math.sqrt(len(values))
    return Estimate(mean, mean - half, mean + half)


def wilson_interval(correct: int, rows: int, level: float = 0.95) -> Estimate:
    """Share of right answers of one model and its score interval. Covers the luck of the rows only.

    E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927).
    Raises UsageError unless 0 ≤ correct ≤ rows and rows ≥ 1.
    """
    from scipy.special import ndtri

    if not 0 <= correct <= rows or rows < 1:
        raise UsageError(
            f"A Wilson interval needs 0 ≤ correct ≤ rows and at least one row, found {correct} correct of "
            f"{rows} rows: count the right answers of one model on one set of rows."
        )
    z = float(ndtri((1 + level) / 2))
    share = correct / rows
    centre = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z / (1 + z * z / rows) * math.sqrt(share * (1 - share) / rows + (z / (2 * rows)) ** 2)
    # At none and at all right, the formula's bound is the share itself; rounding must not push it past.
    low = 0.0 if correct == 0 else centre - half
    high = 1.0 if correct == rows else centre + half
    return Estimate(share, low, high)


def mcnemar_exact(wins: int, losses: int) -> float:
    """Two-sided exact p of McNemar's test: are wins and losses a fair coin's? Covers the rows only.

    wins, losses: rows that only the one, only the other model got right. No such row at all gives 1.
    Q. McNemar, Psychometrika 12 (1947); exact: 2 · P(Binomial(wins + losses, ½) ≤ the smaller), at most 1.
    """
    from scipy.special import bdtr

    return min(1.0, 2 * float(bdtr(min(wins, losses), wins + losses, 0.5)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p values, in the order given: below α, the claim holds for the whole family.

    S. Holm, A simple sequentially rejective multiple test procedure, Scand. J. Statist. 6 (1979).
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for step, position in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - step) * p_values[position]))
        adjusted[position] = largest
    return adjusted


def paired_difference(correct: np.ndarray, baseline: np.ndarray, level: float = 0.95) -> Estimate:
    """Difference of mean accuracy on the same rows, with an interval over rows and seeds together.

    correct, baseline: (R, n) bool, which rows each repeat got right; repeat r is paired with repeat r.
    With D = correct - baseline (repeat r, row i), both repeats and rows are a sample (a crossed design
    with two random factors, as readers × cases in Hillis, Statist. Med. 26, 2007). Its mean has variance

        V = V_rows + V_seeds - V_rest, where
        V_rows  = variance of the n row means of D / n
        V_seeds = variance of the R repeat means of D / R
        V_rest  = residual mean square (D less row and repeat means) / (n R); both others contain it, so
                  it is taken to be no larger than either, and V is never below V_rows or V_seeds

    and the interval is mean ± t(df) · √V with Satterthwaite's degrees of freedom

        df = V² / (V_rows² / (n-1) + V_seeds² / (R-1) + V_rest² / ((n-1)(R-1))).

    With one repeat it is the t-interval over rows, and the seeds are not in it. With three repeats it
    covers the truth in 91 to 98 % of simulated comparisons, with two in 88 to 99 %; the low ends are where
    seeds and rows weigh about the same.
    Raises UsageError when the shapes differ or there are fewer than two rows.
    """
    if correct.shape != baseline.shape or correct.ndim != 2 or correct.shape[1] < 2:
        raise UsageError(
            "A paired difference needs two arrays of the same shape, repeats × rows with at least 2 rows, "
            f"found {correct.shape} and {baseline.shape}: score both models on the same rows."
        )
    difference = correct.astype(np.float64) - baseline
    repeats, rows = difference.shape
    mean = float(difference.mean())
    row_means, repeat_means = difference.mean(axis=0), difference.mean(axis=1, keepdims=True)
    of_rows = float(row_means.var(ddof=1)) / rows
    if repeats == 1:
        variance, freedom = of_rows, rows - 1.0
    else:
        of_seeds = float(repeat_means.var(ddof=1)) / repeats
        rest = difference - row_means - repeat_means + mean
        of_rest = float((rest**2).sum()) / ((rows - 1) * (repeats - 1)) / (rows * repeats)
        of_rest = min(of_rest, of_rows, of_seeds)
        variance = of_rows + of_seeds - of_rest
        spread = of_rows**2 / (rows - 1) + of_seeds**2 / (repeats - 1)
        spread += of_rest**2 / ((rows - 1) * (repeats - 1))
        freedom = variance**2 / spread if spread > 0 else rows - 1.0
    half = _t_quantile(freedom, level) * math.sqrt(variance)
    return Estimate(mean, mean - half, mean + half)


def smallest_visible_difference(rows: int, discordant: int) -> float:
    """The smallest measured difference in accuracy that an exact McNemar test on `rows` rows calls one.

    discordant: rows that exactly one of the two models gets right, m. Of these the loser may win at most
    the largest c with 2 · P(Binomial(m, ½) ≤ c) < 0.05, so the difference is (m - 2c) / rows. Six rows are
    needed in any case (2 · ½⁶ < 0.05 < 2 · ½⁵); above 1 the rows are too few to show anything. A true
    difference of this size is seen only about every second time; Holm's correction asks for more.
    """
    from scipy.special import bdtr

    discordant = max(discordant, 6)
    losses = np.arange(discordant // 2 + 1)
    visible = losses[2 * bdtr(losses, discordant, 0.5) < SIGNIFICANCE]
    return float(discordant - 2 * visible[-1]) / rows


@dataclass(frozen=True)
class Comparison:
    """One trained row against the baseline under one test condition, on the same rows.

    points:       difference of mean accuracy (percentage points) with its 95 % interval: paired_difference.
    wins, losses: rows that only this, only the baseline's averaged prediction got right.
    p, p_holm:    exact McNemar on the averaged predictions, alone and corrected over the family.
    family:       number of comparisons that Holm's correction covers.
    """

    trained: str
    baseline: str
    condition: str
    rows: int
    repeats: int
    points: Estimate
    wins: int
    losses: int
    p: float
    p_holm: float
    family: int

    @property
    def outcome(self) -> Literal["better", "worse", "none"]:
        """better or worse only where test and interval agree, so that neither rows nor seeds explain it."""
        if self.p_holm >= SIGNIFICANCE or not self.points.excludes_zero():
            return "none"
        if self.points.value > 0 and self.wins > self.losses:
            return "better"
        if self.points.value < 0 and self.wins < self.losses:
            return "worse"
        return "none"

    @property
    def verdict(self) -> str:
        """The outcome in plain words, which never claim more than the test."""
        if self.outcome != "none":
            return self.outcome if self.repeats > 1 else f"{self.outcome} (with this one seed)"
        if self.p_holm < SIGNIFICANCE and self.repeats > 1:
            return f"no difference that {self.repeats} repeats on {self.rows:,} rows can show"
        return f"no difference that {self.rows:,} rows can show"


def compare_to_baseline(grid: Grid, baseline: str, conditions: Sequence[str]) -> list[Comparison]:
    """Every other trained row against `baseline`, under each of `conditions`; Holm covers them all.

    Order: condition by condition, trained rows as in the grid. For noise, give "clean" and the strongest
    noise that some level was trained on: one common condition, so that the levels' lines can be laid
    beside each other. A grid with nothing but the baseline gives an empty list. Raises UsageError for
    unknown names.
    """
    base = grid.trained_index(baseline)
    columns = [grid.condition_index(name) for name in conditions]
    pairs = [(row, column) for column in columns for row in range(len(grid.trained)) if row != base]
    correct, averaged = grid.correct(), grid.averaged == grid.labels

    wins = [int(np.sum(averaged[row, column] & ~averaged[base, column])) for row, column in pairs]
    losses = [int(np.sum(~averaged[row, column] & averaged[base, column])) for row, column in pairs]
    p_values = [mcnemar_exact(won, lost) for won, lost in zip(wins, losses, strict=True)]
    adjusted = holm(p_values)

    comparisons = []
    for position, (row, column) in enumerate(pairs):
        difference = paired_difference(correct[row, :, column], correct[base, :, column])
        comparisons.append(
            Comparison(
                trained=grid.trained[row],
                baseline=baseline,
                condition=grid.conditions[column],
                rows=grid.rows,
                repeats=grid.repeats,
                points=Estimate(*(100 * value for value in difference)),
                wins=wins[position],
                losses=losses[position],
                p=p_values[position],
                p_holm=adjusted[position],
                family=len(pairs),
            )
        )
    return comparisons


def cell_estimates(grid: Grid) -> list[list[Estimate]]:
    """The accuracy in each cell of the table (T lists of C), shares 0 to 1, with a 95 % interval.

    Several repeats: mean_interval over them. One repeat: wilson_interval of the single model.
    """
    correct = grid.correct().sum(axis=-1)
    return [
        [
            mean_interval(correct[row, :, column] / grid.rows)
            if grid.repeats > 1
            else wilson_interval(int(correct[row, 0, column]), grid.rows)
            for column in range(len(grid.conditions))
        ]
        for row in range(len(grid.trained))
    ]


def _t_quantile(freedom: float, level: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + level) / 2))
