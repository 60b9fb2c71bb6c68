"""The matrix of a comparison for the terminal: test conditions down, ways of training across."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.evaluation.grid import Grid
from pipeline.evaluation.robustness.attack_sanity import Finding
from pipeline.evaluation.robustness.ladder import Ladders
from pipeline.evaluation.statistics import Comparison, cell_estimates
from pipeline.report.page_tables import ladder_table
from pipeline.report.summary import claim, verdicts
from pipeline.report.tables import plain_table
from pipeline.report.wording import SAMPLE_WARNING, cell_text, notes, power_notes

if TYPE_CHECKING:
    from rich.console import Group

TITLE = "Accuracy in %: what it was tested on (down) × how it was trained (across)"


def terminal_matrix(
    grid: Grid,
    comparisons: Sequence[Comparison],
    findings: dict[str, Sequence[Finding]],
    *,
    attacks: Sequence[str],
    data: str,
    sample: bool = False,
    ladders: Ladders | None = None,
    width: int = 80,
) -> Group:
    """Matrix, honesty checks, verdicts and what they rest on, for `rich.console.Console.print`.

    findings: of the honesty checks, by trained row. attacks: which of the grid's conditions are attacks.
    width: columns of the terminal; where a cell does not fit beside its interval, the interval goes below it.
    """
    from rich.console import Group
    from rich.text import Text

    on_clean = [one for one in comparisons if one.condition == "clean"]
    table = plain_table()
    table.add_column("", no_wrap=True)
    for name in grid.trained:
        table.add_column(Text(name), justify="right", overflow="fold")
    lines = [[cell_text(cell) for cell in row] for row in zip(*cell_estimates(grid), strict=True)]
    room = width - max(map(len, grid.conditions)) - 3 * len(grid.trained)
    widest = max(len(" ".join(cell)) for line in lines for cell in line)
    between = " " if widest * len(grid.trained) <= room else "\n"
    for name, line in zip(grid.conditions, lines, strict=True):
        table.add_row(Text(name), *(between.join(cell) for cell in line))
    parts: list = [Text(SAMPLE_WARNING, style="bold")] if sample else []
    parts += [Text(TITLE, style="bold"), table]
    parts += [Text(line, style="dim") for line in [*notes(grid, data), *power_notes(on_clean)]]
    if ladders is not None:
        parts += _ladders(ladders)
    if findings:
        parts.append(Text("\nCan the attacks be believed?", style="bold"))
    for trained, found in findings.items():
        bad = [one for one in found if not one.ok]
        checks = "; ".join(dict.fromkeys(one.check for one in found if one.ok))
        parts.append(Text(f"  {trained}: {len(found) - len(bad)} of {len(found)} checks passed ({checks})."))
        parts += [Text(f"  NOT passed: {one.check}. {one.words}", style="bold") for one in bad]
    if comparisons:
        parts.append(Text("\nVerdicts", style="bold"))
        parts += [Text(f"  {sentence}") for sentence in verdicts(comparisons)]
        parts += [Text(line, style="dim") for line in claim(comparisons, attacks)]
    return Group(*parts)


def _ladders(ladders: Ladders) -> list:
    from rich.text import Text

    table = plain_table()
    for name in ("ε, no pixel changes by more", *ladders.trained.tolist()):
        table.add_column(Text(name), justify="right", overflow="fold")
    lines = ladder_table(ladders)
    for epsilon in ladders.epsilons.tolist():
        cells = [(one[f"attacked_at_{epsilon:g}"], one[f"proven_at_{epsilon:g}"]) for one in lines]
        texts = (f"{100 * left:.1f} | " + ("–" if sure is None else f"{100 * sure:.1f}") for left, sure in cells)
        table.add_row(f"{epsilon:g}", *texts)
    table.add_row("median distance", *(f"{one['median_distance']:.3f}" for one in lines))
    words = (
        f"First repeat of each, {ladders.clean.shape[1]:,} rows. Left: what attacks leave right, in %, an upper bound "
        "of the truth; right: what is proven (CROWN), a lower one. Distance: to the nearest mistake that was found."
    )
    return [Text("Attacked | proven", style="bold"), table, Text(words, style="dim")]
