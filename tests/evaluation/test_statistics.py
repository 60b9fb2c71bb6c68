import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.evaluation.grid import Grid
from pipeline.evaluation.statistics import (
    Comparison,
    Estimate,
    cell_estimates,
    compare_to_baseline,
    holm,
    mcnemar_exact,
    mean_interval,
    paired_difference,
    smallest_visible_difference,
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


def test_cells_take_the_interval_that_their_repeats_allow():
    labels = np.zeros(20, int)
    predictions = np.zeros((1, 2, 1, 20), int)
    predictions[0, 0, 0, :4] = 1  # 16 right
    predictions[0, 1, 0, :2] = 1  # 18 right
    several = Grid(("σ 0",), ("clean",), labels, predictions, predictions[:, 0])
    # s = 0.1/√2, t(1) = 12.706: half = 12.706 · 0.05
    assert cell_estimates(several)[0][0] == pytest.approx((0.85, 0.85 - 0.6353, 0.85 + 0.6353), abs=1e-4)
    single = Grid(("σ 0",), ("clean",), labels, predictions[:, :1] * 0 + 1, predictions[:, 0])
    assert cell_estimates(single)[0][0] == pytest.approx((0, 0, 0.1611), abs=5e-5)  # Newcombe's 0 of 20


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
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.6, 0.7]) == [1, 1]


@given(st.lists(st.floats(0, 1), max_size=8), st.floats(0.001, 0.5))
@settings(deadline=None)
def test_holm_is_the_step_down_procedure(p_values, alpha):
    rejected = set()  # as Holm words it: go up from the smallest p, stop at the first that is not small enough
    for step, position in enumerate(np.argsort(p_values, kind="stable")):
        if (len(p_values) - step) * p_values[position] > alpha:
            break
        rejected.add(int(position))
    assert {position for position, p in enumerate(holm(p_values)) if p <= alpha} == rejected


def answers(*rows: str) -> np.ndarray:
    return np.array([[mark == "1" for mark in row] for row in rows])


def test_paired_difference_by_hand():
    # D = (1 0 1; 0 0 1): V_rows 1/12, V_seeds 1/36, V_rest 1/36, so V = 1/12 and
    # df = (1/144) / (1/288 + 1/1296 + 1/2592) = 1.5
    found = paired_difference(answers("111", "011"), answers("010", "010"))
    half = scipy.stats.t.ppf(0.975, 1.5) / math.sqrt(12)
    assert found == pytest.approx((0.5, 0.5 - half, 0.5 + half))


def test_paired_difference_with_seeds_alone_is_a_t_interval_over_repeats():
    # One repeat wins every row, the other none: 0.5 ± 12.706 · (1/√2)/√2
    found = paired_difference(answers("1111", "0000"), answers("0000", "0000"))
    assert found == pytest.approx((0.5, 0.5 - 6.353, 0.5 + 6.353), abs=5e-4)


@pytest.mark.parametrize("repeats", [1, 3])
def test_paired_difference_with_rows_alone_is_a_t_interval_over_rows(repeats):
    rng = np.random.default_rng(0)
    first, second = np.tile(rng.random(300) < 0.9, (repeats, 1)), np.tile(rng.random(300) < 0.8, (repeats, 1))
    wanted = scipy.stats.ttest_rel(first[0] * 1.0, second[0] * 1.0).confidence_interval()
    assert paired_difference(first, second)[1:] == pytest.approx((wanted.low, wanted.high))


def test_paired_difference_without_any_difference():
    assert paired_difference(answers("101", "110"), answers("101", "110")) == (0, 0, 0)


def test_paired_difference_refuses_what_is_not_paired():
    with pytest.raises(UsageError, match=r"found \(1, 3\) and \(2, 3\)"):
        paired_difference(answers("101"), answers("101", "110"))
    with pytest.raises(UsageError, match="at least 2 rows"):
        paired_difference(answers("1"), answers("1"))


@given(st.integers(0, 2**32 - 1), st.integers(2, 4), st.integers(2, 9))
@settings(deadline=None, max_examples=60)
def test_paired_difference_against_a_slow_analysis_of_variance(seed, repeats, rows):
    rng = np.random.default_rng(seed)
    first, second = rng.random((2, repeats, rows)) < 0.6
    table = [[float(first[r, i]) - float(second[r, i]) for i in range(rows)] for r in range(repeats)]
    mean = sum(map(sum, table)) / (repeats * rows)
    seed_means = [sum(line) / rows for line in table]
    row_means = [sum(line[i] for line in table) / repeats for i in range(rows)]
    ms_seeds = rows * sum((m - mean) ** 2 for m in seed_means) / (repeats - 1)
    ms_rows = repeats * sum((m - mean) ** 2 for m in row_means) / (rows - 1)
    freedom = (rows - 1) * (repeats - 1)
    total = sum((table[r][i] - mean) ** 2 for r in range(repeats) for i in range(rows))
    ms_rest = max(0.0, total - (repeats - 1) * ms_seeds - (rows - 1) * ms_rows) / freedom

    found = paired_difference(first, second)
    assert found.value == pytest.approx(mean)
    ms_rest = min(ms_rest, ms_rows, ms_seeds)
    variance = ms_rows + ms_seeds - ms_rest
    if variance < 1e-12:
        assert found.half_width == pytest.approx(0, abs=1e-9)
        return
    satterthwaite = variance**2 / (ms_rows**2 / (rows - 1) + ms_seeds**2 / (repeats - 1) + ms_rest**2 / freedom)
    half = scipy.stats.t.ppf(0.975, satterthwaite) * math.sqrt(variance / (rows * repeats))
    assert found.half_width == pytest.approx(half, rel=1e-6)


@pytest.mark.parametrize(
    ("discordant", "points"),
    [
        (0, 6),
        (6, 6),
        (10, 8),  # 1 against 9: p = 22/1024; 2 against 8: p = 112/1024
        (100, 22),  # tables of the sign test: 39 or fewer of 100
    ],
)
def test_smallest_visible_difference_by_hand(discordant, points):
    assert smallest_visible_difference(1000, discordant) == points / 1000


@given(st.integers(6, 3000))
@settings(deadline=None)
def test_smallest_visible_difference_is_where_mcnemar_begins_to_see(discordant):
    gap = round(4200 * smallest_visible_difference(4200, discordant))
    wins, losses = (discordant + gap) // 2, (discordant - gap) // 2
    assert wins + losses == discordant
    assert mcnemar_exact(wins, losses) < 0.05
    assert mcnemar_exact(wins - 1, losses + 1) >= 0.05


# --- verdicts


def comparison(**changes) -> Comparison:
    fields = {
        "trained": "σ 0.1", "baseline": "σ 0", "condition": "clean", "rows": 4200, "repeats": 3,
        "points": Estimate(1.0, 0.5, 1.5), "wins": 60, "losses": 20, "p": 0.001, "p_holm": 0.003, "family": 3,
    }  # fmt: skip
    return Comparison(**{**fields, **changes})


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "better"),
        ({"points": Estimate(-1, -1.5, -0.5), "wins": 20, "losses": 60}, "worse"),
        ({"repeats": 1}, "better (with this one seed)"),
        ({"p_holm": 0.05}, "no difference that 4,200 rows can show"),
        ({"p": 0.04, "p_holm": 0.12}, "no difference that 4,200 rows can show"),
        ({"points": Estimate(1, -0.1, 2.1)}, "no difference that 3 repeats on 4,200 rows can show"),
        ({"points": Estimate(1, -0.1, 2.1), "repeats": 1}, "no difference that 4,200 rows can show"),
        ({"points": Estimate(1, 0, 2)}, "no difference that 3 repeats on 4,200 rows can show"),
        # the averaged models say the contrary of the single ones
        ({"wins": 20, "losses": 60}, "no difference that 3 repeats on 4,200 rows can show"),
    ],
)
def test_verdict_needs_test_and_interval(changes, verdict):
    assert comparison(**changes).verdict == verdict


def test_compare_to_baseline_by_hand():
    labels = np.zeros(10, int)
    predictions = np.zeros((3, 1, 2, 10), int)
    predictions[0, 0, 0, :2] = 1  # baseline, clean: misses rows 0 and 1
    predictions[1, 0, 0, 1:4] = 1  # misses rows 1, 2 and 3: wins row 0, loses rows 2 and 3
    predictions[0, 0, 1, :] = 1  # baseline, noisy: misses all; the others none
    grid = Grid(("σ 0", "σ 0.1", "σ 0.2"), ("clean", "σ 0.5"), labels, predictions, predictions[:, 0])
    found = compare_to_baseline(grid, "σ 0", ["clean", "σ 0.5"])
    assert [(one.condition, one.trained, one.wins, one.losses) for one in found] == [
        ("clean", "σ 0.1", 1, 2),
        ("clean", "σ 0.2", 2, 0),
        ("σ 0.5", "σ 0.1", 10, 0),
        ("σ 0.5", "σ 0.2", 10, 0),
    ]
    assert [one.points.value for one in found] == pytest.approx([-10, 20, 100, 100])
    assert [one.p for one in found] == pytest.approx([1, 0.5, 2 / 1024, 2 / 1024])
    assert [one.p_holm for one in found] == pytest.approx([1, 1, 8 / 1024, 8 / 1024])
    assert {one.family for one in found} == {4}
    assert compare_to_baseline(grid, "σ 0.1", ["clean"])[0].trained == "σ 0"
    with pytest.raises(UsageError, match="no trained row 'none'"):
        compare_to_baseline(grid, "none", ["clean"])


def simulated(rng: np.random.Generator, *, gain: float, luck: float, rows: int = 600) -> Grid:
    """Three repeats; a row is right where its easiness + gain + the seed's luck + chance is above 0."""
    repeats = 3
    easiness = 1.6 + rng.normal(size=rows)
    skill = np.array([0, gain]).reshape(2, 1, 1) + rng.normal(scale=luck, size=(2, repeats, 1))
    margin = easiness + skill + rng.normal(scale=0.3, size=(2, repeats, rows))
    wrong, wrong_averaged = (margin < 0).astype(int), (margin.mean(axis=1) < 0).astype(int)
    return Grid(("a", "b"), ("clean",), np.zeros(rows, int), wrong[:, :, None], wrong_averaged[:, None])


def test_equal_models_are_seldom_called_different_although_their_seeds_differ():
    rng = np.random.default_rng(1)
    found = [compare_to_baseline(simulated(rng, gain=0, luck=0.25), "a", ["clean"])[0] for _ in range(400)]
    assert np.mean([one.outcome != "none" for one in found]) <= 0.05
    # The rows' test alone takes the luck of a seed for a difference: this is what the interval prevents.
    assert np.mean([one.p < 0.05 for one in found]) > 0.15
    assert np.mean([one.points.low <= 0 <= one.points.high for one in found]) > 0.9


def test_a_real_difference_is_found():
    rng = np.random.default_rng(2)
    found = [compare_to_baseline(simulated(rng, gain=0.8, luck=0.05), "a", ["clean"])[0] for _ in range(40)]
    assert np.mean([one.outcome == "better" for one in found]) > 0.8
