"""A search in the terminal: its best trials with their intervals, and what the best of them changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.evaluation.statistics import Estimate
from pipeline.report.wording import SAMPLE_WARNING

if TYPE_CHECKING:
    from rich.console import Group

HEAD = ("trial", "accuracy in % (95 %)", "points to the recipe (95 %)", "log-loss")


@dataclass(frozen=True)
class Line:
    """One trial of the table. accuracy: a share of 1; difference: to the recipe's own settings, None for these."""

    number: int
    accuracy: Estimate
    difference: Estimate | None
    log_loss: float
    is_own: bool


def terminal_search(
    lines: Sequence[Line], changed: Mapping[str, tuple[Any, Any]], notes: Sequence[str], *, sample: bool
) -> Group:
    """For `rich.console.Console.print`. changed: path → (value in the recipe, value in the best trial)."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in HEAD:
        table.add_column(name, justify="left" if name == "trial" else "right", overflow="fold")
    for one in lines:
        low, high = 100 * one.accuracy.low, 100 * one.accuracy.high
        cells = [f"{one.number}{', the recipe' if one.is_own else ''}"]
        cells += [f"{100 * one.accuracy.value:.2f} ({low:.2f} to {high:.2f})", points(one.difference)]
        cells.append(f"{one.log_loss:.4f}")
        table.add_row(*map(Text, cells))
    settings = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("setting", "in the recipe", f"in trial {lines[0].number}"):
        settings.add_column(name, overflow="fold")
    for path, (before, after) in changed.items():
        settings.add_row(Text(path), Text(str(before)), Text(str(after), style="bold" if before != after else ""))
    parts: list[Any] = [Text(SAMPLE_WARNING, style="bold")] if sample else []
    parts += [Text("The best trials", style="bold"), table, Text(), settings, Text()]
    return Group(*parts, *(Text(note) for note in notes))


def points(difference: Estimate | None) -> str:
    """A difference of shares as percentage points: +0.12 (-0.03 to +0.27)."""
    if difference is None:
        return "–"
    value, low, high = (100 * number for number in difference)
    return f"{value:+.2f} ({low:+.2f} to {high:+.2f})"
