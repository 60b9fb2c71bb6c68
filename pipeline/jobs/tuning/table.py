"""A search in the terminal: its best trials with their intervals, what the best changed, what the figures rest on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.evaluation.statistics import Estimate
from pipeline.jobs.tuning.results import SearchResults, Trial, ranked
from pipeline.report.wording import SAMPLE_WARNING

if TYPE_CHECKING:
    from rich.console import Group

HEAD = ("trial", "accuracy in % (95 %)", "points to the recipe (95 %)", "log-loss")
SHOWN = 5


def terminal_search(results: SearchResults) -> Group:
    """For `rich.console.Console.print`."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in HEAD:
        table.add_column(name, justify="left" if name == "trial" else "right", overflow="fold")
    for trial in shown_trials(results):
        table.add_row(*map(Text, trial_cells(results, trial)))
    settings = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("setting", "in the recipe", f"in trial {results.best.number}"):
        settings.add_column(name, overflow="fold")
    for setting in results.space:
        value = results.best.values[setting.path]
        style = "bold" if value != setting.own else ""
        settings.add_row(Text(setting.path), Text(str(setting.own)), Text(str(value), style=style))
    parts: list[Any] = [Text(SAMPLE_WARNING, style="bold")] if results.sample else []
    parts += [Text("The best trials", style="bold"), table, Text(), settings, Text()]
    return Group(*parts, *(Text(note) for note in notes(results)))


def shown_trials(results: SearchResults) -> list[Trial]:
    """The best SHOWN trials, and the recipe's own where it is not among them."""
    complete = ranked(results.trials)
    return complete[:SHOWN] + [trial for trial in complete[SHOWN:] if trial is results.own]


def trial_cells(results: SearchResults, trial: Trial) -> tuple[str, str, str, str]:
    """A trial's line under HEAD."""
    value, low, high = (100 * number for number in trial.accuracy())
    own = trial is results.own
    difference = None if own or results.own is None else trial.better_than(results.own)
    return (
        f"{trial.number}{', the recipe' if own else ''}",
        f"{value:.2f} ({low:.2f} to {high:.2f})",
        points(difference),
        f"{trial.score.log_loss:.4f}",
    )


def points(difference: Estimate | None) -> str:
    """A difference of shares as percentage points: +0.12 (-0.03 to +0.27)."""
    if difference is None:
        return "–"
    value, low, high = (100 * number for number in difference)
    return f"{value:+.2f} ({low:+.2f} to {high:+.2f})"


def notes(results: SearchResults) -> list[str]:
    """What the figures rest on, and what they do not say."""
    states = [trial.state for trial in results.trials]
    lines = [
        f"{len(states)} trials: {states.count('complete')} complete, {states.count('pruned')} pruned, "
        f"{states.count('failed')} failed. Accuracy: mean of {results.folds} folds of {results.rows:,} rows, the same "
        "for all trials; intervals are of the luck of the rows, not of the seed. Log-loss in nats."
    ]
    lines += [f"Trial {trial.number} failed: {trial.reason}" for trial in results.trials if trial.reason]
    if results.own is None:
        lines.append("The recipe's own settings failed, so there is nothing to compare the best with.")
    elif results.gain is None:
        lines.append("No trial did better than the recipe's own settings.")
    else:
        seen = "more than" if results.gain.low > 0 else "no more than"
        lines.append(f"The best gains {points(results.gain)} points on the recipe: {seen} the luck of the rows can do.")
    if results.expected is not None:
        value, low, high = (100 * number for number in results.expected)
        lines.append(
            f"The best of {states.count('complete')} is in part the luckiest (winner's curse), and all trials share "
            f"these folds and seeds. Chosen on some of the rows and judged on the others, 1,000 times, it reached "
            f"{value:.2f} % (95 % of them {low:.2f} to {high:.2f}). The search itself has looked at these rows, which "
            "that does not undo: only rows that no trial has seen tell."
        )
    return lines
