"""Verdicts in words never say more than the comparisons they are made of."""

from __future__ import annotations

from pipeline.evaluation.statistics import Comparison, Estimate
from pipeline.report.summary import claim, verdicts


def comparison(trained, condition, points, p, repeats=3):
    half = 1.0 if p < 0.05 else abs(points) + 1
    wins, losses = (30, 5) if points > 0 else (5, 30)
    interval = Estimate(points, points - half, points + half)
    return Comparison(trained, "clean", condition, 1000, repeats, interval, wins, losses, p, p, 8)


def test_better_worse_and_the_rest_are_counted():
    row = [
        comparison("shift", "clean", -0.2, 0.8),
        comparison("shift", "shift down-left 4", 60.0, 0.001),
        comparison("shift", "σ 0.5", -12.0, 0.001),
        comparison("shift", "σ 0.3", -20.0, 0.001),
    ]
    (verdict,) = verdicts(row)
    assert (verdict.better, verdict.worse, verdict.same) == (1, 2, 1)
    assert verdict.sentence == (
        "Trained with shift, against clean: better on 1 of 4 test conditions (shift down-left 4 +60.0 points); worse "
        "on 2 of 4 test conditions (σ 0.3 −20.0 points, σ 0.5 −12.0 points); no visible difference on the other 1."
    )


def test_only_the_largest_are_named_and_clean_is_told():
    row = [comparison("σ 0.2", f"σ 0.{n}", 10.0 + n, 0.001) for n in range(1, 8)]
    row += [comparison("σ 0.2", "clean", 0.1, 1.0), comparison("σ 0.2", "rotate 3", 0.1, 1.0)]
    (verdict,) = verdicts(row)
    assert "σ 0.7 +17.0 points, σ 0.6 +16.0 points" in verdict.sentence and "and 2 more" in verdict.sentence
    assert verdict.sentence.endswith("no visible difference on the other 2, clean pictures among them.")


def test_one_seed_is_said_with_each_verdict():
    assert "with this one training seed" in verdicts([comparison("shift", "σ 0.5", 9.0, 0.001, repeats=1)])[0].sentence
    assert "one training seed only" in claim([comparison("shift", "σ 0.5", 9.0, 0.001, repeats=1)])[0]


def test_the_claim_names_family_and_baseline_and_attacks():
    rows = [comparison("shift", "σ 0.5", 9.0, 0.001)]
    assert "8 comparisons with clean on the same 1,000 rows" in claim(rows)[0]
    assert "upper bounds" in claim(rows, ["pgd Linf 0.1"])[1]
    assert claim([]) == [] and verdicts([]) == []
