"""The sentences around a table or figure: which data, what the interval covers, what can be claimed."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.evaluation.grid import Grid
from pipeline.evaluation.statistics import (
    Comparison,
    Estimate,
    cell_estimates,
    smallest_visible_difference,
    wilson_interval,
)

SAMPLE_WARNING = "EMBEDDED SAMPLE, not your competition's data: these figures say nothing about it."
SIGMA = "σ: standard deviation of the noise, in units of the [0, 1] pixel scale."


def data_sentence(grid: Grid, data: str) -> str:
    """Which rows were scored."""
    return f"Data: {data}. Accuracy in % on {grid.rows:,} holdout rows, the same for every model."


def interval_sentence(grid: Grid) -> str:
    """What the interval in a cell covers, and what it does not."""
    if grid.repeats == 1:
        return (
            "Beside each accuracy: 95 % Wilson interval of the one model, for the luck of the rows; the luck "
            "of the training seed is not in it."
        )
    best = max(cell.value for row in cell_estimates(grid) for cell in row)
    half = wilson_interval(round(best * grid.rows), grid.rows).half_width
    return (
        f"±: 95 % t-interval of the mean over {grid.repeats} repeats (the luck of the training seed). Other "
        f"holdout rows would move a cell as well, by about ±{100 * half:.2f} points at {100 * best:.2f} %, "
        "more at lower accuracy."
    )


def notes(grid: Grid, data: str) -> list[str]:
    """The sentences below an accuracy table."""
    lines = [data_sentence(grid, data), interval_sentence(grid)]
    if any("σ" in name for name in grid.trained + grid.conditions):
        lines.append(SIGMA)
    return lines


def claim_notes(grid: Grid, comparisons: Sequence[Comparison]) -> list[str]:
    """The sentences below the verdicts: how each was reached, and what these rows can show at all."""
    if not comparisons:
        return [*visible_difference(grid, comparisons), "One trained row only: there is nothing to compare it with."]
    first = comparisons[0]
    several = first.repeats > 1
    luck = "the luck of the rows and of the training seeds" if several else "the luck of the rows"
    averaged = ", each with its repeats averaged" if several else ""
    lines = [
        f"points: difference of mean accuracy to {first.baseline}, on the same rows, with a 95 % interval for {luck}.",
        f"won / lost: rows that only this model, only {first.baseline} gets right{averaged}.",
        f"p: exact McNemar test of won against lost, Holm-corrected over these {first.family} comparisons."
        if first.family > 1
        else "p: exact McNemar test of won against lost.",
        "better, worse: only where p is below 0.05 and the interval leaves out 0.",
    ]
    if not several:
        lines.append("One repeat: another training seed could change every verdict; --repeats 3 would tell.")
    return lines + visible_difference(grid, comparisons)


def verdict_rows(comparisons: Sequence[Comparison]) -> dict[str, list[tuple[str, str, str, str, str]]]:
    """For each test condition, in order, the lines (trained, verdict, points, won / lost, p) as text."""
    rows: dict[str, list[tuple[str, str, str, str, str]]] = {}
    for one in comparisons:
        points = f"{_signed(one.points.value)} ({_signed(one.points.low)} to {_signed(one.points.high)})"
        line = (one.trained, one.verdict, points, f"{one.wins:,} / {one.losses:,}", p_text(one.p_holm))
        rows.setdefault(one.condition, []).append(line)
    return rows


def cell_text(cell: Estimate, repeats: int) -> tuple[str, str]:
    """Value and interval of one cell in %: ("98.48", "± 0.12"), or ("98.48", "98.06–98.81") for one model."""
    if repeats > 1:
        return f"{100 * cell.value:.2f}", f"± {100 * cell.half_width:.2f}"
    return f"{100 * cell.value:.2f}", f"{100 * cell.low:.2f}–{100 * cell.high:.2f}"


def p_text(p: float) -> str:
    """A p value with three decimals; rounding never carries it over the border of 0.05."""
    if p < 0.001:
        return "<0.001"
    text = f"{p:.3f}"
    return f"{p:.4f}" if text == "0.050" else text


def _signed(points: float) -> str:
    text = f"{points:+.2f}"
    return "0.00" if float(text) == 0 else text.replace("-", "−")


def visible_difference(grid: Grid, comparisons: Sequence[Comparison]) -> list[str]:
    """The smallest difference that these rows can show, for each condition that was compared."""
    if not comparisons:
        # Nothing to count: models whose mistakes are independent disagree on 2 a (1 - a) of the rows.
        accuracy = cell_estimates(grid)[0][0].value
        discordant = {grid.conditions[0]: round(2 * accuracy * (1 - accuracy) * grid.rows)}
    else:
        discordant = {}
        for one in comparisons:
            count = one.wins + one.losses
            discordant[one.condition] = min(count, discordant.get(one.condition, count))
    smallest = {name: smallest_visible_difference(grid.rows, count) for name, count in discordant.items()}
    if min(smallest.values()) > 1:
        return [f"{grid.rows:,} rows are too few to show any difference."]
    parts = ", ".join(f"{100 * value:.2f} points on {name}" for name, value in smallest.items())
    to = f" to {comparisons[0].baseline}" if comparisons else ""
    return [f"The smallest difference{to} that these {grid.rows:,} rows can show: {parts}."]
