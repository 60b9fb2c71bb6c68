"""What changed between two runs, and whether the difference is more than chance."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.evaluation.statistics import SIGNIFICANCE, Estimate, mcnemar_exact, wilson_interval
from pipeline.runs.ledger.database import Run
from pipeline.runs.run_folder import load_arrays, save_arrays

# In a run's folder: `correct` (n,) bool, the holdout rows that the run's model got right, and
# `rows` (n,) int, which rows of the data these were.
HOLDOUT_FILE = "holdout.npz"


@dataclass(frozen=True)
class Change:
    """One value that two runs do not share; None where a run does not have it."""

    name: str
    first: Any
    second: Any


@dataclass(frozen=True)
class RunDiff:
    """Two runs side by side. `verdict` is a sentence on the holdout's difference, second less first."""

    settings: tuple[Change, ...]
    results: tuple[Change, ...]
    verdict: str


def diff_runs(first: Run, second: Run, folder: Path) -> RunDiff:
    """Compare two runs whose folders are folder/<id>/."""
    settings, results = (
        tuple(
            Change(name, before.get(name), after.get(name))
            for name in dict.fromkeys([*before, *after])
            if before.get(name) != after.get(name)
        )
        for before, after in zip(_values(first), _values(second), strict=True)
    )
    return RunDiff(settings=settings, results=results, verdict=_verdict(first, second, folder))


def save_holdout(folder: Path, rows: np.ndarray, correct: np.ndarray) -> None:
    """Write what a paired comparison needs: rows (n,) int, correct (n,) bool. Raises StorageError."""
    save_arrays(folder / HOLDOUT_FILE, rows=rows, correct=correct)


def flatten(values: Mapping[str, Any], prefix: str = "", *, lists: bool = False) -> dict[str, Any]:
    """{'a': {'b': 1}} as {'a.b': 1}; with `lists`, {'c': [{'d': 2}]} as {'c.1.d': 2} too."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if lists and isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
            value = {str(place): item for place, item in enumerate(value, 1)}
        flat |= flatten(value, f"{name}.", lists=lists) if isinstance(value, Mapping) else {name: value}
    return flat


def _values(run: Run) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings and results of a run, by name."""
    data = {"name": run.data_name, "rows": run.data_rows, "fingerprint": run.data_fingerprint[:12]}
    settings = {"command": run.command, "seed": run.seed, "commit": run.git_commit, "data": data, "recipe": run.recipe}
    results = {"holdout": run.accuracy, "public score": run.public_score, "seconds": run.results.get("seconds")}
    return flatten(settings, lists=True), results


def _verdict(first: Run, second: Run, folder: Path) -> str:
    if first.accuracy is None or second.accuracy is None:
        return "No comparison: a run without a holdout figure cannot be compared."
    if first.data_fingerprint != second.data_fingerprint:
        return "No comparison: the runs had different data, so their holdouts are not the same rows."
    paired = _paired(folder / first.id, folder / second.id)
    if paired is not None:
        wins, losses, rows = paired
        p = mcnemar_exact(wins, losses)
        difference = 100 * (wins - losses) / rows
        return (
            f"{_word(difference, p < SIGNIFICANCE)} ({difference:+.2f} points; of the same {rows:,} rows "
            f"{second.id} alone has {wins:,} right, {first.id} alone {losses:,}; exact McNemar p = {p:.2g})."
        )
    try:
        estimate = two_proportions(*_counts(first), *_counts(second))
    except (KeyError, TypeError):
        return "No comparison: a run does not say how many rows its holdout had."
    value, low, high = (100 * number for number in estimate)
    return (
        f"{_word(value, estimate.excludes_zero())} ({value:+.2f} points, 95 % interval {low:+.2f} to "
        f"{high:+.2f}, as if the rows were not the same, which is wider than need be)."
    )


def _word(difference: float, significant: bool) -> str:
    if not significant:
        return "No difference that these rows can show"
    return "Better, and more than chance" if difference > 0 else "Worse, and more than chance"


def _counts(run: Run) -> tuple[int, int]:
    rows = int(run.holdout["rows"])
    return round(run.accuracy * rows), rows


def two_proportions(correct: int, rows: int, other_correct: int, other_rows: int) -> Estimate:
    """The second share less the first, with Newcombe's hybrid score interval for independent samples.

    R. G. Newcombe, Interval estimation for the difference between independent proportions, Statist. Med. 17
    (1998), method 10. Covers the luck of the rows only, not of the seed.
    """
    first, second = wilson_interval(correct, rows), wilson_interval(other_correct, other_rows)
    difference = second.value - first.value
    low = difference - math.hypot(second.value - second.low, first.high - first.value)
    high = difference + math.hypot(second.high - second.value, first.value - first.low)
    return Estimate(difference, low, high)


def _paired(first: Path, second: Path) -> tuple[int, int, int] | None:
    """Rows that only the second, only the first got right, and all; None without both runs' rows."""
    try:
        before, after = (load_arrays(folder / HOLDOUT_FILE, ("rows", "correct")) for folder in (first, second))
    except (OSError, KeyError, ValueError):
        return None
    if not np.array_equal(before["rows"], after["rows"]):
        return None
    won, lost = after["correct"] & ~before["correct"], before["correct"] & ~after["correct"]
    return int(won.sum()), int(lost.sum()), len(won)
