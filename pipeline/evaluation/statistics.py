"""What a table of accuracies can claim: intervals, paired tests, and a verdict in plain words.

Two kinds of luck move an accuracy: which rows the holdout holds, and which seed the training had. A verdict is
about one figure, the expected accuracy of a network trained so, over rows and seeds together; its p value and its
interval come from the same analysis. Accuracies and differences are shares, 0 to 1, unless a name says points
(percentage points).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from pipeline.errors import UsageError
from pipeline.evaluation.crossed import SIGNIFICANCE, luck_of, paired_luck, t_quantile
from pipeline.evaluation.grid import Grid

FEWEST_REPEATS = 3  # of a verdict: from two, the spread of seeds is one number, which may be anything
MOST_REPEATS = 100


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
    half = t_quantile(len(values) - 1, level) * values.std(ddof=1) / math.sqrt(len(values))
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


class Holm(NamedTuple):
    """Of one hypothesis of a family: its adjusted p, and how many were left when the procedure decided it."""

    p: float
    left: int


def holm(p_values: Sequence[float]) -> list[Holm]:
    """Holm's procedure, in the order given: where the adjusted p is below α, the claim holds for the whole family.

    It stops at the first hypothesis that it keeps, and decides the others beside it.
    S. Holm, A simple sequentially rejective multiple test procedure, Scand. J. Statist. 6 (1979).
    """
    found, largest, left = {}, 0.0, len(p_values)
    for position in sorted(range(len(p_values)), key=p_values.__getitem__):
        p = p_values[position]
        largest = max(largest, min(1.0, (len(p_values) - len(found)) * p))
        found[position] = Holm(largest, left)
        left -= p * left < SIGNIFICANCE
    return [found[position] for position in range(len(p_values))]


def paired_difference(correct: np.ndarray, baseline: np.ndarray, level: float = 0.95) -> Estimate:
    """Difference of mean accuracy on the same rows, with an interval over rows and seeds together: see paired_luck.

    correct, baseline: (R, n) bool. With one repeat it is over rows alone, and the seeds are not in it. It covers the
    truth in 93 to 97 % of simulated comparisons of ways whose seeds spread alike; where one way has all the spread of
    seeds, two and three repeats fall short (down to 88 and 92 %).
    Raises UsageError when the shapes differ or there are fewer than two rows.
    """
    value, luck = paired_luck(correct, baseline)
    half = luck.half_width(level)
    return Estimate(value, max(value - half, -1.0), min(value + half, 1.0))


def accuracy_interval(correct: np.ndarray, level: float = 0.95) -> Estimate:
    """Mean accuracy of correct (R, n) bool, with an interval over rows and seeds together, within 0 to 1.

    Wilson's interval with an effective number of rows, as for surveys (Kott and Carr, J. Official Stat. 13, 1997):
    the n rows that would have the variance of `paired_luck`'s analysis; with one repeat it is Wilson's own.
    """
    value, rows = float(correct.mean()), correct.shape[1]
    if len(correct) == 1 or value in (0.0, 1.0):
        return wilson_interval(round(value * rows), rows, level)
    luck = luck_of(correct.astype(np.float64), [correct.mean(axis=1)])
    squeeze = luck.half_width(level) ** 2 / (value * (1 - value))
    centre = (value + squeeze / 2) / (1 + squeeze)
    half = math.sqrt(squeeze * value * (1 - value) + squeeze**2 / 4) / (1 + squeeze)
    return Estimate(value, max(centre - half, 0.0), min(centre + half, 1.0))


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One trained row against the baseline under one test condition, on the same rows.

    points:     difference of mean accuracy (percentage points) with its interval (paired_luck) at `level`.
    level:      of that interval: 1 − 0.05 / (comparisons that Holm's procedure had left when it came to this one), so
                that it leaves out 0 exactly where p_holm is below 0.05.
    p, p_holm:  of the same analysis, alone and corrected over the family.
    family:     number of comparisons that Holm's correction covers: all that the table shows.
    detectable: the true difference (points) that would be found in four such comparisons of five.
    """

    trained: str
    baseline: str
    condition: str
    rows: int
    repeats: int
    points: Estimate
    level: float
    p: float
    p_holm: float
    family: int
    detectable: float

    @property
    def outcome(self) -> Literal["better", "worse", "none"]:
        """About the way of training: none below three repeats, whatever these networks do."""
        if self.repeats < FEWEST_REPEATS or not self.significant:
            return "none"
        return "better" if self.points.value > 0 else "worse"

    @property
    def significant(self) -> bool:
        """Whether chance is ruled out for the family: with one repeat that of the rows, else of rows and seeds."""
        return self.p_holm < SIGNIFICANCE

    @property
    def verdict(self) -> str:
        """The outcome in plain words, which never claim more than the test."""
        if self.outcome != "none":
            return self.outcome
        if self.repeats == 1:
            if not self.significant:
                return "these two networks: no visible difference"
            return f"these two networks: {'more' if self.points.value > 0 else 'fewer'} rows right"
        if self.repeats < FEWEST_REPEATS:
            return "two repeats are too few for a verdict"
        return f"no difference that {self.repeats} repeats on {self.rows:,} rows can show"


def compare_to_baseline(grid: Grid, baseline: str, conditions: Sequence[str]) -> list[Comparison]:
    """Every other trained row against `baseline`, under each of `conditions`; Holm covers them all.

    Order: condition by condition, trained rows as in the grid. A grid with nothing but the baseline gives an empty
    list. Raises UsageError for unknown names.
    """
    base = grid.trained_index(baseline)
    columns = [grid.condition_index(name) for name in conditions]
    pairs = [(row, column) for column in columns for row in range(len(grid.trained)) if row != base]
    found = [paired_luck(grid.correct(row, column), grid.correct(base, column)) for row, column in pairs]
    p_values = [luck.p_value(value) for value, luck in found]
    comparisons = []
    for (row, column), (value, luck), p, decided in zip(pairs, found, p_values, holm(p_values), strict=True):
        level = 1 - SIGNIFICANCE / decided.left
        half = luck.half_width(level)
        points = Estimate(100 * value, max(100 * (value - half), -100.0), min(100 * (value + half), 100.0))
        comparisons.append(
            Comparison(
                trained=grid.trained[row], baseline=baseline, condition=grid.conditions[column], rows=grid.rows,
                repeats=grid.repeats, points=points, level=level, p=p, p_holm=decided.p, family=len(pairs),
                detectable=100 * luck.detectable(level),
            )
        )  # fmt: skip
    return comparisons


def repeats_to_find(
    correct: np.ndarray, baseline: np.ndarray, difference: float, *, family: int = 1
) -> tuple[int | None, float]:
    """How many repeats would find that true difference (a share) in four tables of five, as the first of its family.

    correct, baseline: (R, n) bool of a pilot, R at least 2. Gives the number, or None where these rows can't show it
    with MOST_REPEATS, and the difference (a share) that so many would find. Raises UsageError for one repeat.
    """
    _, luck = paired_luck(correct, baseline)
    if luck.repeats == 1:
        raise UsageError("How many repeats are needed follows from how seeds spread: one repeat does not show it.")
    level = 1 - SIGNIFICANCE / family
    for repeats in range(FEWEST_REPEATS, MOST_REPEATS + 1):
        found = luck.with_repeats(repeats).detectable(level)
        if found <= difference:
            return repeats, found
    return None, found


def cell_estimates(grid: Grid) -> list[list[Estimate]]:
    """The accuracy in each cell of the table (T lists of C), shares 0 to 1: accuracy_interval of its repeats."""
    columns, rows = range(len(grid.conditions)), range(len(grid.trained))
    return [[accuracy_interval(grid.correct(row, column)) for column in columns] for row in rows]
