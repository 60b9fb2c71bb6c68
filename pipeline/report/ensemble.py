"""The report of a cross-validation: its members and their ensemble, as a table and a figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.evaluation.scores import EnsembleSummary, Score
from pipeline.evaluation.statistics import mean_interval
from pipeline.report.figures import WIDTH, canvas
from pipeline.report.tables import csv_text, markdown_table, plain_table
from pipeline.report.wording import SAMPLE_WARNING

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Group

HEAD = ("", "networks", "folds' mean", "lowest", "highest", "CPU s a network")


def lines(scores: Sequence[Score]) -> list[tuple[str, ...]]:
    """The table's lines as text, under HEAD; accuracies in %."""
    found = []
    for score in scores:
        mean = mean_interval(score.by_fold)
        folds = f"{100 * mean.value:.2f} ± {100 * mean.half_width:.2f}"
        ends = (f"{100 * end:.2f}" for end in (min(score.by_fold), max(score.by_fold)))
        seconds = "" if score.cpu_seconds is None else f"{score.cpu_seconds:.0f}"
        found.append((score.name, f"{score.networks:,}" if score.networks else "", folds, *ends, seconds))
    return found


def sentences(run: EnsembleSummary) -> list[str]:
    """What the figures are of, and what they are not; then the run's own notes."""
    found = [
        f"Data: {run.data}. Accuracy in % on {run.rows:,} rows in {len(run.scores[-1].by_fold)} folds, each row "
        "answered by networks that did not see it; ±: 95 % t-interval over the folds (which share training rows, so it "
        "is a little too narrow).",
        run.about
        or "A member's line is of its networks one by one; the last line of those that did not see a row all "
        "together, averaged with the weights that the other folds' rows chose. The submission is made by the networks "
        "of all folds, which are more.",
    ]
    if len(run.weights) > 1:
        found.append(f"Weights: {', '.join(f'{name} {weight:.2f}' for name, weight in run.weights.items())}.")
    if run.holdout is not None:
        found.append(
            f"The submission's networks on {run.held_out:,} rows that no fold had: {100 * run.holdout.value:.2f} % "
            f"({100 * run.holdout.low:.2f}–{100 * run.holdout.high:.2f}, 95 % Wilson interval)."
        )
    return [*found, *run.notes]


def ensemble_terminal(run: EnsembleSummary) -> Group:
    """The table and its sentences for `rich.console.Console.print`."""
    from rich.console import Group
    from rich.text import Text

    table = plain_table()
    for name in HEAD:
        table.add_column(name, justify="right" if name else "left", overflow="fold")
    for line in lines(run.scores):
        table.add_row(*map(Text, line))
    parts = [Text(SAMPLE_WARNING, style="bold")] if run.sample else []
    parts += [Text("Accuracy in % on rows that the networks did not see", style="bold"), table]
    return Group(*parts, *(Text(line, style="dim") for line in sentences(run)))


def ensemble_markdown(run: EnsembleSummary) -> str:
    """The same as Markdown."""
    parts = [f"**{SAMPLE_WARNING}**\n"] if run.sample else []
    parts += [*markdown_table(HEAD, lines(run.scores)), *(f"\n{sentence}" for sentence in sentences(run))]
    return "\n".join(parts) + "\n"


def folds_csv(scores: Sequence[Score]) -> str:
    """One line for each member (and the ensemble) and fold: name, networks, fold, accuracy (share of 1)."""
    records = [
        {"name": score.name, "networks": score.networks, "fold": fold, "accuracy": float(accuracy)}
        for score in scores
        for fold, accuracy in enumerate(score.by_fold, 1)
    ]
    return csv_text(records, floats=".6f")


def ensemble_figure(run: EnsembleSummary) -> Figure:
    """The accuracy of each member and of all together in every fold, with their mean and its interval."""
    caption = (
        f"{SAMPLE_WARNING + ' ' if run.sample else ''}{run.data}: {run.rows:,} rows. Strokes: folds. Dot and bar: "
        "mean and 95 % t-interval over the folds."
    )
    with canvas(WIDTH, 1.4 + 0.45 * len(run.scores), caption) as figure:
        axes = figure.subplots()
        for place, score in enumerate(run.scores):
            mean = mean_interval(score.by_fold)
            colour = "#0072B2" if score.cpu_seconds is None else "#7F7F7F"
            axes.plot([100 * share for share in score.by_fold], [place] * len(score.by_fold), "|", color=colour, ms=11)
            # An interval of two folds is wider than the picture, and says so by leaving it.
            bar = {"xerr": 100 * mean.half_width, "fmt": "o", "color": colour, "capsize": 4, "elinewidth": 1.6}
            axes.errorbar(100 * mean.value, place, **bar)
        ends = [100 * share for score in run.scores for share in score.by_fold]
        room = max(max(ends) - min(ends), 0.1) * 0.25
        axes.set_xlim(min(ends) - room, min(max(ends) + room, 100))
        axes.set_ylim(len(run.scores) - 0.5, -0.5)
        axes.set_yticks(range(len(run.scores)), [score.name for score in run.scores])
        axes.set_xlabel("Accuracy in %, out of fold")
        axes.set_title("Members and their ensemble, fold by fold", loc="left", fontweight="bold", fontsize=11)
        return figure
