"""The sentences around a table or figure: which data, what the interval covers, what can be claimed."""

from collections.abc import Sequence

from pipeline.evaluation.grid import Grid
from pipeline.evaluation.statistics import FEWEST_REPEATS, MOST_REPEATS, Comparison, Estimate, repeats_to_find

SAMPLE_WARNING = "EMBEDDED SAMPLE, not your competition's data: these figures say nothing about it."
ONE_REPEAT = (
    "One repeat: this is about these networks, on rows like these. Another training seed could change everything here; "
    "--repeats 3 or more is about the way of training."
)
TOO_FEW = (
    "Two repeats are too few: two figures tell next to nothing of how far seeds spread, so intervals are wide and "
    "there is no verdict. Give --repeats 3 or more."
)
READING = "Lines whose intervals overlap may still differ, for both read the same rows: the verdicts say so."
SIGMA = "σ: standard deviation of the noise, in units of the [0, 1] pixel scale."


def data_sentence(grid: Grid, data: str) -> str:
    """Which rows were scored."""
    return f"Data: {data}. Accuracy in % on {grid.rows:,} holdout rows, the same for every model."


def interval_sentence(repeats: int) -> str:
    """What the interval in a cell covers, and what it does not."""
    if repeats == 1:
        return (
            "Beside each accuracy: 95 % Wilson interval of the one network, for the luck of the rows. Another training "
            "seed would give another network: that luck is not in it."
        )
    sentence = (
        f"Beside each accuracy, the mean of {repeats} networks: 95 % interval for what networks trained so reach "
        "on rows like these, for the luck of the rows and of the training seeds together."
    )
    return sentence if repeats > 2 else f"{sentence} {TOO_FEW}"


def notes(grid: Grid, data: str) -> list[str]:
    """The sentences below an accuracy table."""
    lines = [data_sentence(grid, data), interval_sentence(grid.repeats)]
    if any("σ" in name for name in grid.trained + grid.conditions):
        lines.append(SIGMA)
    return lines


def claim_notes(comparisons: Sequence[Comparison]) -> list[str]:
    """The sentences below the verdicts: how each was reached, and what these rows and repeats can show at all."""
    if not comparisons:
        return ["One trained row only: there is nothing to compare it with."]
    first = comparisons[0]
    several = first.repeats > 1
    luck = "the rows and the training seeds together" if several else "the rows alone"
    lines = [
        f"points: difference of mean accuracy to {first.baseline}, on the same rows. In brackets its interval, for the "
        f"luck of {luck}: 95 % for one comparison, wider for several, so that it leaves out 0 exactly where p is below "
        "0.05.",
        f"p: how often chance alone would do as much, by the same analysis, Holm-corrected over these {first.family} "
        "comparisons: where no way of training differs, 19 tables of 20 say so throughout."
        if first.family > 1
        else "p: how often chance alone would do as much, by the same analysis.",
    ]
    if several:
        lines.append("better, worse: p is below 0.05. It is about the way of training, not these networks alone.")
    return [*lines, *power_notes(comparisons)]


def power_notes(comparisons: Sequence[Comparison]) -> list[str]:
    """The true difference that would be found in four tables of five, for each condition that was compared."""
    if not comparisons:
        return []
    first = comparisons[0]
    if first.repeats < FEWEST_REPEATS:
        return [ONE_REPEAT if first.repeats == 1 else TOO_FEW]
    largest: dict[str, float] = {}
    for each in comparisons:
        largest[each.condition] = max(each.detectable, largest.get(each.condition, 0.0))
    if min(largest.values()) > 100:
        return [f"{first.repeats} repeats on {first.rows:,} rows are too few to show any difference."]
    parts = ", ".join(f"{points:.2f} points on {name}" for name, points in largest.items())
    return [
        f"With {first.repeats} repeats on {first.rows:,} rows a true difference to {first.baseline} is found four "
        f"times in five if it is at least: {parts}. A smaller one may be there."
    ]


def repeats_notes(
    grid: Grid, comparisons: Sequence[Comparison], points: float, fit_seconds: Sequence[float]
) -> list[str]:
    """How many repeats find a true difference of so many points on clean rows, four times in five, row by row.

    fit_seconds: processor time of each fit so far.
    """
    if grid.repeats == 1 or not comparisons:
        return [
            "How many repeats are needed follows from how seeds spread, and how two ways of training differ: "
            "give --repeats 3 or more, and two rows."
        ]
    column, first = grid.condition_index("clean"), comparisons[0]
    baseline = grid.correct(grid.trained_index(first.baseline), column)
    lines = [f"To find {points:g} points to {first.baseline} on clean rows four times in five:"]
    for name in grid.trained:
        if name == first.baseline:
            continue
        correct = grid.correct(grid.trained_index(name), column)
        repeats, finds = repeats_to_find(correct, baseline, points / 100, family=first.family)
        minutes = (repeats or 0) * len(grid.trained) * sum(fit_seconds) / len(fit_seconds) / 60
        lines.append(
            f"  {name}: --repeats {repeats}, about {minutes:.0f} minutes of processor time"
            if repeats
            else f"  {name}: not on {grid.rows:,} rows; even {MOST_REPEATS} repeats find {100 * finds:.2f} points only"
        )
    return lines


def verdict_rows(comparisons: Sequence[Comparison]) -> dict[str, list[tuple[str, str, str, str]]]:
    """For each test condition, in order, the lines (trained, verdict, points, p) as text."""
    rows: dict[str, list[tuple[str, str, str, str]]] = {}
    for each in comparisons:
        points = f"{signed(each.points.value)} ({signed(each.points.low)} to {signed(each.points.high)})"
        rows.setdefault(each.condition, []).append((each.trained, each.verdict, points, p_text(each.p_holm)))
    return rows


def cell_text(cell: Estimate) -> tuple[str, str]:
    """Value and interval of one cell in %: ("98.48", "98.06–98.81")."""
    return f"{100 * cell.value:.2f}", f"{100 * cell.low:.2f}–{100 * cell.high:.2f}"


def p_text(p: float) -> str:
    """A p value with three decimals; rounding never carries it over the border of 0.05."""
    if p < 0.001:
        return "<0.001"
    text = f"{p:.3f}"
    return f"{p:.4f}" if text == "0.050" else text


def signed(points: float) -> str:
    """A difference with its sign and two decimals; more where rounding would make it 0."""
    text = f"{points:+.2f}" if abs(points) >= 0.005 else f"{points:+.1g}"
    return "0.00" if points == 0 else text.replace("-", "−")
