"""The accuracy table and its verdicts: for the terminal (rich), as CSV and as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipeline.evaluation.grid import Grid
from pipeline.evaluation.statistics import Comparison, cell_estimates
from pipeline.report.wording import SAMPLE_WARNING, cell_text, claim_notes, notes, verdict_rows

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

TITLE = "Accuracy in %: how it was trained (down) × what it was tested on (across)"
VERDICT_HEAD = ("trained", "verdict", "points (interval)", "p")


def terminal_report(
    grid: Grid, comparisons: Sequence[Comparison], *, data: str, sample: bool = False, width: int = 80
) -> Group:
    """The table, the verdicts and what they rest on, for `rich.console.Console.print`.

    data: name of the data. sample: it is the embedded sample, which is then said first. width: columns of
    the terminal; where a cell does not fit beside its interval, the interval goes below it.
    """
    from rich.console import Group
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    parts: list = [Text(SAMPLE_WARNING, style="bold")] if sample else []
    parts += [Text(TITLE, style="bold"), *_accuracy_tables(grid, width)]
    # Text objects, not strings: rich would read [brackets] in a file's name as its markup.
    parts += [Text(line, style="dim") for line in notes(grid, data)]
    for condition, lines in verdict_rows(comparisons).items():
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        for name, justify in zip(VERDICT_HEAD, ("left", "left", "right", "right"), strict=True):
            # Where there is room for it, the verdict alone takes a second line; figures stay whole.
            keep = name != "verdict" and width >= 80
            table.add_column(name, justify=justify, no_wrap=keep, overflow="fold")
        for trained, verdict, *figures in lines:
            style = "bold" if verdict in ("better", "worse") else ""
            table.add_row(Text(trained), Text(verdict, style=style), *figures)
        heading = Text(f"\nTested on {condition}: against {comparisons[0].baseline}", style="bold")
        parts += [heading, Padding(table, (0, 0, 0, 2), expand=False)]
    parts += [Text(), *(Text(line, style="dim") for line in claim_notes(comparisons))]
    return Group(*parts)


def plain_table() -> Table:
    """A table for the terminal with a line below its head."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    return Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False, collapse_padding=True)


def _accuracy_tables(grid: Grid, width: int) -> list[Table]:
    """The table, cut into several of the same rows where its columns do not fit side by side."""
    from rich.text import Text

    cells = [[cell_text(cell) for cell in row] for row in cell_estimates(grid)]
    room = width - max(map(len, grid.trained)) - 2

    def widths(between: str) -> list[int]:
        """Columns of the terminal that each condition takes, the gap on its left included."""
        return [
            2 + max(len(line) for text in (name, *map(between.join, column)) for line in text.split("\n"))
            for name, column in zip(grid.conditions, zip(*cells, strict=True), strict=True)
        ]

    between = " " if sum(widths(" ")) <= room else "\n"
    blocks: list[list[int]] = []
    left = -1
    for column, taken in enumerate(widths(between)):
        left -= taken
        if left < 0:
            blocks.append([])
            left = room - taken
        blocks[-1].append(column)
    tables = []
    for block in blocks:
        tables.append(plain_table())
        tables[-1].add_column("")
        for column in block:
            # Folding, because an ellipsis would swallow digits.
            tables[-1].add_column(Text(grid.conditions[column]), justify="right", overflow="fold")
        for name, row in zip(grid.trained, cells, strict=True):
            tables[-1].add_row(Text(name), *(between.join(row[column]) for column in block))
    return tables


def markdown_report(grid: Grid, comparisons: Sequence[Comparison], *, data: str, sample: bool = False) -> str:
    """The same as Markdown text, ending in a newline."""
    cells = [[" ".join(cell_text(cell)) for cell in row] for row in cell_estimates(grid)]
    lines = [f"**{SAMPLE_WARNING}**", ""] if sample else []
    lines += [f"**{TITLE}**", ""]
    lines += markdown_table(
        ("", *grid.conditions), [(name, *row) for name, row in zip(grid.trained, cells, strict=True)]
    )
    lines += ["", *(f"- {line}" for line in notes(grid, data))]
    for condition, rows in verdict_rows(comparisons).items():
        lines += ["", f"**Tested on {condition}: against {comparisons[0].baseline}**", ""]
        lines += markdown_table(VERDICT_HEAD, rows)
    lines += ["", *(f"- {line}" for line in claim_notes(comparisons))]
    return "\n".join(lines) + "\n"


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return [line(head), line(["---"] * len(head)), *map(line, rows)]


def table_csv(grid: Grid) -> str:
    """The table as CSV text, one line a cell: accuracy and its interval's ends in %, and which interval."""
    interval = "95 % over rows and seeds" if grid.repeats > 1 else "95 % Wilson of one model"
    records = [
        {
            "train": trained,
            "test": test,
            "repeats": grid.repeats,
            "rows": grid.rows,
            "accuracy_percent": 100 * cell.value,
            "low_percent": 100 * cell.low,
            "high_percent": 100 * cell.high,
            "interval": interval,
        }
        for trained, row in zip(grid.trained, cell_estimates(grid), strict=True)
        for test, cell in zip(grid.conditions, row, strict=True)
    ]
    return csv_text(records, floats=".4f")


def grid_csv(grid: Grid) -> str:
    """The ungrouped grid (Grid.records) as CSV text, one line for each model × condition."""
    return csv_text(grid.records(), floats=".6f")


def csv_text(records: Sequence[Mapping[str, Any]], *, floats: str) -> str:
    """Records of the same keys as CSV text; floats in that format, empty where they are None or not a number."""
    import pandas as pd

    return pd.DataFrame(records).to_csv(index=False, lineterminator="\n", float_format=f"%{floats}")
