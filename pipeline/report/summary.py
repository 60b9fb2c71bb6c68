"""The verdicts of a whole matrix in plain words: one sentence for each way of training, which names its conditions."""

from collections.abc import Sequence

from pipeline.evaluation.statistics import FEWEST_REPEATS, Comparison
from pipeline.report.wording import signed

NAMED = 5  # conditions that a sentence names; the table below it has the rest

CLAIM = (
    "Each sentence rests on {family} comparisons with {baseline} on the same {rows:,} rows, by one analysis of rows "
    "and seeds together, Holm-corrected over all of them: where no way of training differs from another, 19 such "
    "tables of 20 hold no “better” and no “worse” at all. “No visible difference” does not mean that there is none."
)
CLAIM_OF_NETWORKS = (
    "Each sentence is about one network against another, on {family} test conditions of the same {rows:,} rows, "
    "Holm-corrected over all of them. Trained again, the next two may do otherwise."
)
ATTACKS_CLAIM = (
    "Under an attack every network reads pictures that were made against itself; an attack that knows a better way "
    "may leave less, so these figures are upper bounds."
)


def verdicts(comparisons: Sequence[Comparison]) -> list[str]:
    """One sentence for each trained row but the baseline, in the order of the comparisons."""
    by_row: dict[str, list[Comparison]] = {}
    for each in comparisons:
        by_row.setdefault(each.trained, []).append(each)
    return [_verdict(row) for row in by_row.values()]


def claim(comparisons: Sequence[Comparison], attacks: Sequence[str] = ()) -> list[str]:
    """What the verdicts rest on; nothing where nothing was compared."""
    if not comparisons:
        return []
    first = comparisons[0]
    text = CLAIM_OF_NETWORKS if first.repeats == 1 else CLAIM
    said = text.format(family=first.family, baseline=first.baseline, rows=first.rows)
    return [said, ATTACKS_CLAIM] if attacks else [said]


def _verdict(row: Sequence[Comparison]) -> str:
    first = row[0]
    start = f"Trained with {first.trained}, against {first.baseline}"
    if 1 < first.repeats < FEWEST_REPEATS:
        return f"{start}: {first.verdict}."
    words = ("better", "worse")
    if first.repeats == 1:
        start = f"The one network trained with {first.trained}, against that with {first.baseline}"
        words = ("more rows right", "fewer rows right")
    parts = []
    for word, sign in zip(words, (1, -1), strict=True):
        named = [each for each in row if each.significant and each.points.value * sign > 0]
        if named:
            named.sort(key=lambda each: -abs(each.points.value))
            parts.append(f"{word} {_listed([f'{_where(e)} ({signed(e.points.value)} points)' for e in named])}")
    # Clean pictures are never among those that are only counted.
    same = sorted((each for each in row if not each.significant), key=lambda each: each.condition != "clean")
    if same:
        parts.append(f"no visible difference {_listed([_where(each) for each in same])}")
    return f"{start}: {'; '.join(parts)}."


def _where(comparison: Comparison) -> str:
    return "on clean" if comparison.condition == "clean" else f"under {comparison.condition}"


def _listed(names: Sequence[str]) -> str:
    left = len(names) - NAMED
    more = f" and {left} more condition{'s' * (left > 1)}" if left > 0 else ""
    return ", ".join(names[:NAMED]) + more
