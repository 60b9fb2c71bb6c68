"""Verdicts in words never say more than the comparisons they are made of, and name their conditions."""

from __future__ import annotations

from pipeline.evaluation.statistics import Comparison, Estimate
from pipeline.report.summary import claim, verdicts


def comparison(trained, condition, points, p, repeats=3):
    half = 1.0 if p < 0.05 else abs(points) + 1
    return Comparison(
        trained=trained, baseline="clean", condition=condition, rows=1000, repeats=repeats,
        points=Estimate(points, points - half, points + half), level=0.95, p=p, p_holm=p, family=8, detectable=2.0,
    )  # fmt: skip


def test_better_worse_and_the_rest_are_named():
    row = [
        comparison("shift", "shift down-left 4", 60.0, 0.001),
        comparison("shift", "clean", -0.2, 0.8),
        comparison("shift", "σ 0.5", -12.0, 0.001),
        comparison("shift", "σ 0.3", -20.0, 0.001),
    ]
    assert verdicts(row) == [
        "Trained with shift, against clean: better under shift down-left 4 (+60.00 points); worse under σ 0.3 (−20.00 "
        "points), under σ 0.5 (−12.00 points); no visible difference on clean."
    ]


def test_the_largest_are_named_and_clean_is_never_only_counted():
    row = [comparison("σ 0.2", f"σ 0.{n}", 10.0 + n, 0.001) for n in range(1, 8)]
    row += [comparison("σ 0.2", f"rotate {n}", 0.1, 1.0) for n in range(1, 6)]
    row += [comparison("σ 0.2", "clean", 0.1, 1.0)]
    (sentence,) = verdicts(row)
    assert (
        "under σ 0.7 (+17.00 points), under σ 0.6 (+16.00 points)" in sentence and "and 2 more conditions;" in sentence
    )
    assert sentence.endswith(
        "no visible difference on clean, under rotate 1, under rotate 2, under rotate 3, under rotate 4 and 1 "
        "more condition."
    )


def test_one_network_of_each_is_called_that():
    row = [comparison("shift", "σ 0.5", 9.0, 0.001, repeats=1), comparison("shift", "clean", -1.0, 0.001, repeats=1)]
    (sentence,) = verdicts(row)
    assert sentence == (
        "The one network trained with shift, against that with clean: more rows right under σ 0.5 (+9.00 points); "
        "fewer rows right on clean (−1.00 points)."
    )
    assert "one network against another" in claim(row)[0] and "better" not in " ".join(claim(row))


def test_two_repeats_are_too_few():
    assert verdicts([comparison("shift", "σ 0.5", 90.0, 0.001, repeats=2)]) == [
        "Trained with shift, against clean: two repeats are too few for a verdict."
    ]


def test_the_claim_names_family_and_baseline_and_attacks():
    rows = [comparison("shift", "σ 0.5", 9.0, 0.001)]
    assert "8 comparisons with clean on the same 1,000 rows" in claim(rows)[0]
    assert "upper bounds" in claim(rows, ["pgd Linf 0.1"])[1]
    assert claim([]) == [] and verdicts([]) == []
