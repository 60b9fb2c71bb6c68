import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import verdicts
from pipeline.errors import UsageError
from pipeline.evaluation.crossed import Luck, paired_luck
from pipeline.evaluation.grid import Grid
from pipeline.evaluation.statistics import (
    Comparison,
    Estimate,
    accuracy_interval,
    cell_estimates,
    compare_to_baseline,
    holm,
    mcnemar_exact,
    mean_interval,
    paired_difference,
    repeats_to_find,
    wilson_interval,
)

# --- one cell


def test_mean_interval_by_hand():
    # s = 1, and the printed t table gives 4.303 for two degrees of freedom: 4.303 / √3 = 2.484
    assert mean_interval([1, 2, 3]) == pytest.approx((2, 2 - 2.484, 2 + 2.484), abs=5e-4)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=8), st.sampled_from([0.9, 0.95, 0.99]))
@settings(deadline=None)
def test_mean_interval_against_scipy(values, level):
    found = mean_interval(values, level)
    error = scipy.stats.sem(values)
    if error > 1e-9:
        wanted = scipy.stats.t.interval(level, len(values) - 1, np.mean(values), error)
        assert found[1:] == pytest.approx(wanted, abs=1e-9)
    else:
        assert found.half_width == pytest.approx(0, abs=1e-6)


def test_one_repeat_has_no_interval():
    value, low, high = mean_interval([0.98])
    assert value == 0.98
    assert math.isnan(low) and math.isnan(high)


@pytest.mark.parametrize(
    ("correct", "rows", "low", "high"),
    # Newcombe, Two-sided confidence intervals for the single proportion, Statist. Med. 17 (1998), table I
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_published_examples(correct, rows, low, high):
    assert wilson_interval(correct, rows) == pytest.approx((correct / rows, low, high), abs=5e-5)


@given(st.integers(1, 5000), st.data(), st.sampled_from([0.9, 0.95, 0.99]))
@settings(deadline=None)
def test_wilson_against_scipy(rows, data, level):
    correct = data.draw(st.integers(0, rows))
    found = wilson_interval(correct, rows, level)
    wanted = scipy.stats.binomtest(correct, rows).proportion_ci(level, "wilson")
    assert found[1:] == pytest.approx((wanted.low, wanted.high), abs=1e-12)
    assert 0 <= found.low <= found.value <= found.high <= 1


@pytest.mark.parametrize(("correct", "rows"), [(-1, 5), (6, 5), (0, 0)])
def test_wilson_refuses_impossible_counts(correct, rows):
    with pytest.raises(UsageError, match=f"found {correct} correct of {rows} rows"):
        wilson_interval(correct, rows)


def test_one_repeats_cell_has_wilsons_interval():
    predictions = np.ones((1, 1, 1, 20), int)
    grid = Grid(("σ 0",), ("clean",), np.zeros(20, int), predictions, predictions[:, 0])
    assert cell_estimates(grid)[0][0] == pytest.approx((0, 0, 0.1611), abs=5e-5)  # Newcombe's 0 of 20


def test_repeats_that_answer_alike_are_one_network():
    correct = np.tile(np.arange(400) < 392, (4, 1))
    assert accuracy_interval(correct) == pytest.approx(wilson_interval(392, 400), abs=2e-4)


def test_a_cell_without_luck_of_rows_has_wilsons_interval_of_the_seeds():
    # Every row is read by one of two networks and not by the other: 50 % each, whatever the rows. Accuracies of 0.2 and
    # 0.8 give s² 0.18; t(1) 12.706: 12.706² · 0.09 / 0.25 = 58.1 stands where Wilson has z² / n.
    correct = np.array([[True] * 2 + [False] * 8, [False] * 2 + [True] * 8])
    value, low, high = accuracy_interval(correct)
    half = math.sqrt(58.12 * 0.25 + 58.12**2 / 4) / (1 + 58.12)
    assert (value, low, high) == pytest.approx((0.5, 0.5 - half, 0.5 + half), abs=2e-3)


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(2, 40), st.floats(0, 1))
@settings(deadline=None, max_examples=80)
def test_accuracies_and_differences_stay_where_they_can_be(seed, repeats, rows, share):
    rng = np.random.default_rng(seed)
    first, second = rng.random((2, repeats, rows)) < share
    value, low, high = accuracy_interval(first)
    assert 0 <= low <= value <= high <= 1 and low < high
    value, low, high = paired_difference(first, second)
    assert -1 <= low <= value <= high <= 1


# --- two models


@pytest.mark.parametrize(
    ("wins", "losses", "p"),
    [
        (12, 2, 0.0129),  # Armitage & Berry, Statistical Methods in Medical Research (1994), p. 127
        (2, 9, 0.06543),  # Fay, Exact McNemar's test and matching confidence intervals (R package exact2x2)
        (5, 0, 2 / 32),
        (0, 0, 1),
        (7, 7, 1),
    ],
)
def test_mcnemar_published_and_hand_worked(wins, losses, p):
    assert mcnemar_exact(wins, losses) == pytest.approx(p, abs=5e-5)


@given(st.integers(0, 3000), st.integers(0, 3000))
@settings(deadline=None)
def test_mcnemar_against_scipy(wins, losses):
    wanted = scipy.stats.binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert mcnemar_exact(wins, losses) == pytest.approx(wanted, rel=1e-9, abs=1e-280)
    assert mcnemar_exact(wins, losses) == mcnemar_exact(losses, wins)


def test_holm_worked_example():
    # Wikipedia, Holm–Bonferroni method: of these four, the first and the last are rejected at 0.05.
    found = holm([0.01, 0.04, 0.03, 0.005])
    assert [each.p for each in found] == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert [each.left for each in found] == [3, 2, 2, 4]  # 0.03 is above 0.05 / 2, where the procedure stops
    assert holm([]) == []
    assert [each.p for each in holm([0.6, 0.7])] == [1, 1]


@given(st.lists(st.floats(0, 1), max_size=8), st.floats(0.001, 0.5))
@settings(deadline=None)
def test_holm_is_the_step_down_procedure(p_values, alpha):
    rejected = set()  # as Holm words it: go up from the smallest p, stop at the first that is not small enough
    for step, position in enumerate(np.argsort(p_values, kind="stable")):
        if (len(p_values) - step) * p_values[position] > alpha:
            break
        rejected.add(int(position))
    assert {position for position, each in enumerate(holm(p_values)) if each.p <= alpha} == rejected


def answers(*rows: str) -> np.ndarray:
    return np.array([[mark == "1" for mark in row] for row in rows])


def test_paired_difference_of_one_repeat_is_nearly_mcnemars_test():
    # 8 wins, 1 loss of 100 rows. Σ D² = 9, k = 9: V = (9/100 − 0.07²) / 99 / 100 · … · (1 + 2/9); exact p 0.039.
    correct, baseline = np.ones((2, 1, 100), bool)
    baseline[0, :8], correct[0, 8] = False, False
    value, luck = paired_luck(correct, baseline)
    assert value == pytest.approx(0.07)
    assert luck.rows == pytest.approx((9 - 100 * 0.07**2) / 99 / 100 * 11 / 9)
    assert luck.p_value(value) == pytest.approx(mcnemar_exact(8, 1), abs=0.006)


@pytest.mark.parametrize(("wins", "losses"), [(5, 0), (6, 0), (7, 1), (10, 3), (20, 8), (60, 30), (15, 0)])
def test_p_of_one_repeat_is_about_mcnemars_and_never_far_below(wins, losses):
    correct, baseline = np.ones((2, 1, 4000), bool)
    baseline[0, :wins], correct[0, wins : wins + losses] = False, False
    value, luck = paired_luck(correct, baseline)
    exact = mcnemar_exact(wins, losses)
    assert (luck.p_value(value) < 0.05) == (exact < 0.05)
    assert luck.p_value(value) > 0.6 * exact


def test_paired_difference_with_seeds_alone_is_a_t_interval_over_repeats():
    # One repeat wins every row, the other none: half the width is 12.706 · (1/√2)/√2, and no difference is above 1.
    luck = paired_luck(answers("1111", "0000"), answers("0000", "0000"))[1]
    assert luck.half_width(0.95) == pytest.approx(6.353, abs=5e-4)
    assert paired_difference(answers("1111", "0000"), answers("0000", "0000")) == (0.5, -1, 1)


def test_seeds_of_both_ways_count_with_welchs_degrees_of_freedom():
    # Accuracies 0.25, 0.75, 0.5 against 0.5, 0.5, 0.5: all spread is the first's, s² 1/16, with two degrees of freedom.
    first, second = answers("1000", "0111", "1100"), answers("1100", "0011", "1100")
    luck = paired_luck(first, second)[1]
    assert luck.seeds == pytest.approx(max(1 / 48, luck.seeds)) and luck.welch == pytest.approx(2)
    both = paired_luck(first, answers("0100", "1011", "1010"))[1]  # the same spread in both
    assert both.welch == pytest.approx(4)


@pytest.mark.parametrize("repeats", [1, 3])
def test_paired_difference_with_rows_alone_is_nearly_a_t_interval_over_rows(repeats):
    rng = np.random.default_rng(0)
    first, second = np.tile(rng.random(3000) < 0.9, (repeats, 1)), np.tile(rng.random(3000) < 0.8, (repeats, 1))
    wanted = scipy.stats.ttest_rel(first[0] * 1.0, second[0] * 1.0).confidence_interval()
    assert paired_difference(first, second)[1:] == pytest.approx((wanted.low, wanted.high), abs=2e-4)


def test_networks_that_agree_on_every_row_may_differ_on_others():
    value, low, high = paired_difference(answers("101" * 100), answers("101" * 100))
    assert value == 0 and high == -low == pytest.approx(1.968 * math.sqrt(2) / 300, rel=1e-3)


@pytest.mark.parametrize(("rows", "seeds", "freedom"), [(0.9, 0.1, 2), (0.5, 0.5, 2), (0.3, 0.7, 4), (0.1, 0.9, 9)])
def test_p_values_are_the_integral_over_students_t(rows, seeds, freedom):
    """P(|√rows·Z + √seeds·T| > d) by the trapezoid rule over T, scaled to Satterthwaite's interval at 5 %."""
    luck = Luck(rows=rows, seeds=seeds, welch=1.4 * freedom, row_freedom=4000.0, repeats=freedom + 1)
    t = np.sinh(np.linspace(-12, 12, 40_001))
    density = scipy.stats.t.pdf(t, freedom)

    def integral(at):
        return 2 * np.trapezoid(scipy.stats.norm.sf((at - math.sqrt(seeds) * t) / math.sqrt(rows)) * density, t)

    satterthwaite = scipy.stats.t.ppf(0.975, 1 / (rows**2 / 4000 + seeds**2 / (1.4 * freedom)))
    assert luck.half_width(0.95) == pytest.approx(satterthwaite, rel=1e-6)
    scale = satterthwaite / scipy.optimize.brentq(lambda d: integral(d) - 0.05, 0.1, 100)
    assert scale < 1
    for distance in (0.5, 2.0, 5.0, 12.0):
        assert luck.p_value(distance) == pytest.approx(integral(distance / scale), rel=0.02)
    assert luck.p_value(luck.half_width(1 - 1e-4)) == pytest.approx(1e-4, rel=1e-6)


@given(st.integers(0, 2**32 - 1), st.integers(2, 4), st.integers(2, 9))
@settings(deadline=None, max_examples=60)
def test_the_parts_of_the_luck_against_a_slow_analysis_of_variance(seed, repeats, rows):
    rng = np.random.default_rng(seed)
    first, second = rng.random((2, repeats, rows)) < 0.6
    table = [[float(first[r, i]) - float(second[r, i]) for i in range(rows)] for r in range(repeats)]
    mean = sum(map(sum, table)) / (repeats * rows)
    seed_means = [sum(line) / rows for line in table]
    row_means = [sum(line[i] for line in table) / repeats for i in range(rows)]
    ss_seeds = rows * sum((m - mean) ** 2 for m in seed_means)
    ss_rows = repeats * sum((m - mean) ** 2 for m in row_means)
    total = sum((table[r][i] - mean) ** 2 for r in range(repeats) for i in range(rows))
    rest = max(0.0, total - ss_seeds - ss_rows) / ((rows - 1) * (repeats - 1)) / (rows * repeats)
    squares = [m**2 for m in row_means]
    raised = ss_rows / (rows - 1) / (rows * repeats)
    if sum(squares):
        raised *= 1 + 2 * sum(q**2 for q in squares) / sum(squares) ** 2
    else:
        raised = 2 / rows**2
    spread = [sum((sum(w[r]) / rows - sum(map(sum, w)) / rows / repeats) ** 2 for r in range(repeats))
              / (repeats - 1) / repeats for w in (first.tolist(), second.tolist())]  # fmt: skip

    value, luck = paired_luck(first, second)
    assert value == pytest.approx(mean)
    assert luck.rows == pytest.approx(max(0.0, raised - rest), abs=1e-12)
    assert luck.seeds == pytest.approx(max(sum(spread), rest), abs=1e-12)
    if sum(spread) > 1e-9:
        assert luck.welch == pytest.approx((repeats - 1) * sum(spread) ** 2 / sum(v**2 for v in spread))


# --- verdicts


def comparison(**changes) -> Comparison:
    fields = {
        "trained": "σ 0.1", "baseline": "σ 0", "condition": "clean", "rows": 4200, "repeats": 3,
        "points": Estimate(1.0, 0.5, 1.5), "level": 0.95, "p": 0.001, "p_holm": 0.003, "family": 3, "detectable": 0.7,
    }  # fmt: skip
    return Comparison(**{**fields, **changes})


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "better"),
        ({"points": Estimate(-1, -1.5, -0.5)}, "worse"),
        ({"p_holm": 0.05}, "no difference that 3 repeats on 4,200 rows can show"),
        ({"p": 0.04, "p_holm": 0.12}, "no difference that 3 repeats on 4,200 rows can show"),
        # nothing is said of a way of training that was tried once or twice
        ({"repeats": 1}, "these two networks: more rows right"),
        ({"repeats": 1, "points": Estimate(-1, -1.5, -0.5)}, "these two networks: fewer rows right"),
        ({"repeats": 1, "p_holm": 0.2}, "these two networks: no visible difference"),
        ({"repeats": 2}, "two repeats are too few for a verdict"),
    ],
)
def test_verdicts_in_words(changes, verdict):
    assert comparison(**changes).verdict == verdict
    assert (comparison(**changes).outcome == "none") == (verdict not in ("better", "worse"))


def test_compare_to_baseline_by_hand():
    labels = np.zeros(10, int)
    predictions = np.zeros((3, 1, 2, 10), int)
    predictions[0, 0, 0, :2] = 1  # baseline, clean: misses rows 0 and 1
    predictions[1, 0, 0, 1:4] = 1  # misses rows 1, 2 and 3: wins row 0, loses rows 2 and 3
    predictions[0, 0, 1, :] = 1  # baseline, noisy: misses all; the others none
    grid = Grid(("σ 0", "σ 0.1", "σ 0.2"), ("clean", "σ 0.5"), labels, predictions, predictions[:, 0])
    found = compare_to_baseline(grid, "σ 0", ["clean", "σ 0.5"])
    assert [(each.condition, each.trained) for each in found] == [
        ("clean", "σ 0.1"), ("clean", "σ 0.2"), ("σ 0.5", "σ 0.1"), ("σ 0.5", "σ 0.2"),
    ]  # fmt: skip
    assert [each.points.value for each in found] == pytest.approx([-10, 20, 100, 100])
    assert [each.p_holm for each in found] == pytest.approx([each.p for each in holm([each.p for each in found])])
    assert {each.family for each in found} == {4}
    assert compare_to_baseline(grid, "σ 0.1", ["clean"])[0].trained == "σ 0"
    with pytest.raises(UsageError, match="no trained row 'none'"):
        compare_to_baseline(grid, "none", ["clean"])


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 3, 5]))
@settings(deadline=None, max_examples=25)
def test_an_interval_leaves_out_0_exactly_where_there_is_a_verdict(seed, repeats):
    rng = np.random.default_rng(seed)
    skill = rng.choice([0.8, 0.8, 0.85, 0.95], (3, 1, 4, 1)) + rng.normal(0, 0.02, (3, repeats, 4, 1))
    predictions = (rng.random((3, repeats, 4, 200)) > skill).astype(int)
    grid = Grid(("a", "b", "c"), ("clean", "x", "y", "z"), np.zeros(200, int), predictions, predictions[:, 0])
    for each in compare_to_baseline(grid, "a", grid.conditions):
        assert each.significant == each.points.excludes_zero() == (each.verdict.endswith(("better", "worse", "right")))
        assert each.points.low <= each.points.value <= each.points.high and each.level >= 0.95


@pytest.mark.parametrize(("family", "repeats", "tables"), [(1, 3, 600), (6, 3, 250), (6, 5, 250), (148, 3, 12)])
def test_tables_of_chance_seldom_hold_a_verdict_and_intervals_cover(family, repeats, tables):
    """benchmarks/verdicts.py does this at length; here the bounds leave room for few tables (three standard errors)."""
    false, covered = verdicts.false_verdicts(family, repeats, 400, tables, np.random.default_rng(1))
    assert false <= 0.06 + 3 * math.sqrt(0.06 * 0.94 / tables)
    assert 0.93 - 0.03 <= covered <= 0.985


def test_a_test_that_forgets_the_seeds_would_be_caught():
    rng = np.random.default_rng(1)
    grids = [verdicts.simulated(ways=2, conditions=1, repeats=3, rows=4200, rng=rng, first=2) for _ in range(60)]
    p_values = [paired_luck(grid.correct(0, 0), grid.correct(1, 0)) for grid in grids]
    assert np.mean([replace(luck, seeds=0.0).p_value(value) < 0.05 for value, luck in p_values]) > 0.3


def test_two_repeats_and_one_never_speak_of_the_way_of_training():
    rng = np.random.default_rng(2)
    for repeats in (1, 2):
        grid = verdicts.simulated(ways=2, conditions=1, repeats=repeats, rows=4200, rng=rng, gain=-0.3)
        (found,) = compare_to_baseline(grid, "way 0", grid.conditions)
        assert found.outcome == "none" and found.points.value < -20


def test_what_is_said_to_be_found_in_four_of_five_is():
    rng = np.random.default_rng(3)
    pilots = [verdicts.simulated(ways=2, conditions=1, repeats=5, rows=4200, rng=rng) for _ in range(20)]
    gain = np.median([paired_luck(grid.correct(0, 0), grid.correct(1, 0))[1].detectable(0.95) for grid in pilots])
    trials = [verdicts.simulated(ways=2, conditions=1, repeats=5, rows=4200, rng=rng, gain=gain) for _ in range(80)]
    found = [compare_to_baseline(grid, "way 0", grid.conditions)[0].outcome == "better" for grid in trials]
    assert 0.65 <= np.mean(found) <= 0.95


def test_repeats_for_a_wanted_difference():
    rng = np.random.default_rng(4)
    grid = verdicts.simulated(ways=2, conditions=1, repeats=3, rows=4200, rng=rng)
    first, second = grid.correct(0, 0), grid.correct(1, 0)
    few, found = repeats_to_find(first, second, 0.01)
    many, _ = repeats_to_find(first, second, 0.004)
    assert 3 <= few < many and found <= 0.01
    assert repeats_to_find(first, second, 0.004, family=148)[0] > many
    # However many networks: the rows alone are too few for a hundredth of a point.
    assert repeats_to_find(first, second, 0.0001)[0] is None
    with pytest.raises(UsageError, match="one repeat does not show it"):
        repeats_to_find(first[:1], second[:1], 0.01)
