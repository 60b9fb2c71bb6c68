"""What changed between two runs, and whether the difference is more than chance."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.evaluation.statistics import SIGNIFICANCE, Estimate, mcnemar_exact, wilson_interval
from pipeline.runs.ledger.database import Run
from pipeline.storage import atomic_file

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
class Comparison:
    """Two runs side by side. `verdict` is a sentence on the holdout's difference, second less first."""

    settings: tuple[Change, ...]
    results: tuple[Change, ...]
    verdict: str


def compare(first: Run, second: Run, folder: Path) -> Comparison:
    """Compare two runs whose folders are folder/<id>/."""
    return Comparison(
        settings=_changes(_settings(first), _settings(second)),
        results=_changes(_results(first), _results(second)),
        verdict=_verdict(first, second, folder),
    )


def save_holdout(folder: Path, rows: np.ndarray, correct: np.ndarray) -> None:
    """Write what a paired comparison needs: rows (n,) int, correct (n,) bool. Raises StorageError."""
    with atomic_file(folder / HOLDOUT_FILE) as file:
        np.savez_compressed(file, rows=rows, correct=correct)


def flatten(values: Mapping[str, Any], prefix: str = "", *, lists: bool = False) -> dict[str, Any]:
    """{'a': {'b': 1}} as {'a.b': 1}; with `lists`, {'c': [{'d': 2}]} as {'c.1.d': 2} too."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if lists and isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
            value = {str(place): item for place, item in enumerate(value, 1)}
        flat |= flatten(value, f"{name}.", lists=lists) if isinstance(value, Mapping) else {name: value}
    return flat


def _settings(run: Run) -> dict[str, Any]:
    data = {"name": run.data_name, "rows": run.data_rows, "fingerprint": run.data_fingerprint[:12]}
    about = {"command": run.command, "seed": run.seed, "commit": run.git_commit, "data": data}
    return {**about, "recipe": run.recipe}


def _results(run: Run) -> dict[str, Any]:
    return {"holdout": run.accuracy, "public score": run.public_score, "seconds": run.results.get("seconds")}


def _changes(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[Change, ...]:
    one, two = flatten(first, lists=True), flatten(second, lists=True)
    names = dict.fromkeys([*one, *two])
    return tuple(Change(name, one.get(name), two.get(name)) for name in names if one.get(name) != two.get(name))


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
    rows = int(run.results["holdout"]["rows"])
    return round(run.accuracy * rows), rows


def two_proportions(correct: int, rows: int, other_correct: int, other_rows: int) -> Estimate:
    """The second share less the first, with Newcombe's hybrid score interval for independent samples.

    R. G. Newcombe, Interval estimation for the difference between independent proportions, Statist. Med. 17
    (1998), method 10. Covers the luck of the rows only, not of the seed.
    """
    one, two = wilson_interval(correct, rows), wilson_interval(other_correct, other_rows)
    difference = two.value - one.value
    low = difference - math.hypot(two.value - two.low, one.high - one.value)
    high = difference + math.hypot(two.high - two.value, one.value - one.low)
    return Estimate(difference, low, high)


def _paired(first: Path, second: Path) -> tuple[int, int, int] | None:
    """Rows that only the second, only the first got right, and all; None without both runs' rows."""
    try:
        with np.load(first / HOLDOUT_FILE) as one, np.load(second / HOLDOUT_FILE) as two:
            if not np.array_equal(one["rows"], two["rows"]):
                return None
            before, after = one["correct"], two["correct"]
    except (OSError, KeyError, ValueError):
        return None
    return int((after & ~before).sum()), int((before & ~after).sum()), len(before)
