"""The verdicts of a whole matrix in plain words: one sentence for each way of training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.evaluation.statistics import Comparison

NAMED = 5  # conditions that a sentence names; the table below it has the rest

CLAIM = (
    "Each sentence rests on {family} comparisons with {baseline} on the same {rows:,} rows: exact McNemar tests, "
    "Holm-corrected over all of them, and 95 % intervals {luck}. “Better” and “worse” are said only where both agree; "
    "“no visible difference” does not mean that there is none."
)
ATTACKS_CLAIM = (
    "Under an attack every network reads pictures that were made against itself; an attack that knows a better way "
    "may leave less, so these figures are upper bounds."
)


@dataclass(frozen=True)
class Verdict:
    """trained: its name. sentence: what its training did, in words. better, worse, same: how many conditions each."""

    trained: str
    sentence: str
    better: int
    worse: int
    same: int


def verdicts(comparisons: Sequence[Comparison]) -> list[Verdict]:
    """One verdict for each trained row but the baseline, in the order of the comparisons."""
    by_row: dict[str, list[Comparison]] = {}
    for one in comparisons:
        by_row.setdefault(one.trained, []).append(one)
    return [_verdict(trained, row) for trained, row in by_row.items()]


def claim(comparisons: Sequence[Comparison], attacks: Sequence[str] = ()) -> list[str]:
    """What the verdicts rest on; nothing where nothing was compared."""
    if not comparisons:
        return []
    first = comparisons[0]
    luck = "over rows and training seeds" if first.repeats > 1 else "over rows (one training seed only)"
    said = CLAIM.format(family=first.family, baseline=first.baseline, rows=first.rows, luck=luck)
    return [said, ATTACKS_CLAIM] if attacks else [said]


def _verdict(trained: str, row: Sequence[Comparison]) -> Verdict:
    better = [one for one in row if one.outcome == "better"]
    worse = [one for one in row if one.outcome == "worse"]
    same = [one for one in row if one.outcome == "none"]
    parts = []
    for word, ones in (("better", better), ("worse", worse)):
        if ones:
            parts.append(f"{word} on {len(ones)} of {len(row)} test conditions ({_largest(ones)})")
    if same:
        rest = "the other " if parts else "all "
        clean = "" if any(one.condition == "clean" for one in better + worse) else ", clean pictures among them"
        parts.append(f"no visible difference on {rest}{len(same)}{clean if len(same) > 1 else ''}")
    seed = "" if row[0].repeats > 1 else ", with this one training seed"
    return Verdict(
        trained,
        f"Trained with {trained}, against {row[0].baseline}{seed}: {'; '.join(parts)}.",
        len(better),
        len(worse),
        len(same),
    )


def _largest(ones: Sequence[Comparison]) -> str:
    ones = sorted(ones, key=lambda one: -abs(one.points.value))
    named = [one.condition + f" {one.points.value:+.1f} points".replace("-", "−") for one in ones[:NAMED]]
    more = f" and {len(ones) - NAMED} more" if len(ones) > NAMED else ""
    return ", ".join(named) + more
