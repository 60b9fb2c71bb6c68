"""Figures of a search: its course, what was pruned when, which settings mattered."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.jobs.tuning.results import SearchResults, Trial
from pipeline.report.figures import styled
from pipeline.report.style import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLACK, ORANGE, BLUE, GREY = COLOURS[0], COLOURS[1], COLOURS[2], COLOURS[7]
PALE = "#BBBBBB"
WIDTH = 8.0  # inches
CHARACTERS = 15.2  # of a caption, to an inch


@contextmanager
def canvas(title: str, caption: str, height: float, *, left: float = 0.75, right: float = 0.25) -> Iterator[Any]:
    """(figure, function that gives axes at inches from the left and the bottom of the drawing's room)."""
    with styled():
        from matplotlib.figure import Figure

        note = textwrap.wrap(caption, round(CHARACTERS * WIDTH))
        below, above = 0.7 + 0.165 * len(note), 0.6
        whole = height + below + above
        figure = Figure(figsize=(WIDTH, whole))
        figure.text(0.1 / WIDTH, 1 - 0.12 / whole, title, fontsize=13, weight="bold", va="top", parse_math=False)
        text = {"fontsize": 8, "color": "#444444", "va": "bottom", "linespacing": 1.35, "parse_math": False}
        figure.text(0.1 / WIDTH, 0.1 / whole, "\n".join(note), **text)
        room = WIDTH - left - right

        def axes(x: float = 0.0, y: float = 0.0, width: float = room, tall: float = height, **more: Any) -> Axes:
            return figure.add_axes(((left + x) / WIDTH, (below + y) / whole, width / WIDTH, tall / whole), **more)

        yield figure, axes


def score_limits(results: SearchResults) -> tuple[float, float]:
    """Ends of the scale in %, by the complete trials: a pruned trial may lie far below, where nothing is to be seen."""
    scores = 100 * np.array([trial.score.accuracy for trial in results.complete])
    margin = max(0.08 * float(np.ptp(scores)), 0.05)
    return float(scores.min()) - 2 * margin, min(float(scores.max()) + margin, 100.0 + margin)


def history(results: SearchResults) -> Figure:
    """The score of each trial, in their order."""
    caption = (
        f"{results.about} Dots: complete trials. Triangles at the bottom: pruned ones, which have no comparable "
        "figure. Crosses: failed ones. The best so far can only rise, whether or not anything is gained: part of it "
        "is luck."
    )
    with canvas("The course of the search", caption, 3.4, right=1.35) as (figure, new_axes):
        axes = new_axes()
        axes.set_ylim(*score_limits(results))
        low = axes.get_ylim()[0]
        x, y = zip(*((trial.number, 100 * trial.score.accuracy) for trial in results.complete), strict=True)
        best_so_far = np.maximum.accumulate(y)
        last = max(trial.number for trial in results.trials)
        axes.step([*x, last], [*best_so_far, best_so_far[-1]], where="post", color=ORANGE, zorder=2)
        axes.plot(x, y, "o", color=BLUE, zorder=3)
        for state, marker in (("pruned", "^"), ("failed", "x")):
            at = [trial.number for trial in results.trials if trial.state == state]
            axes.plot(at, [low] * len(at), marker, color=GREY, clip_on=False, markersize=5)
        labels = [(float(best_so_far[-1]), "best so far", ORANGE)]
        if results.own is not None:
            level = 100 * results.own.score.accuracy
            axes.axhline(level, color=BLACK, linewidth=1, linestyle="--", zorder=1)
            labels.append((level, "the recipe's own", BLACK))
        _label_right(axes, labels)
        _whole_ticks(axes)
        axes.set_xlabel("trial")
        axes.set_ylabel("accuracy, mean of the folds (%)")
        return figure


def epochs(results: SearchResults) -> Figure:
    """The accuracy of each trial while it went, and where it was pruned."""
    caption = (
        f"{results.about} One line a trial: accuracy on the first fold's held-out rows after each epoch, then the "
        "mean of the folds done so far at the dotted lines. Grey lines with a cross were pruned there."
    )
    with canvas("What was pruned, and when", caption, 3.4, right=1.35) as (figure, new_axes):
        axes = new_axes()
        seen = [value for trial in results.complete for _, value in trial.curve]
        # From the worst tenth upwards: the first epochs would press all that matters into a line.
        low = 100 * float(np.quantile(seen, 0.1))
        high = 100 * max(seen)
        axes.set_ylim(low - 0.1 * (high - low) - 0.05, high + 0.1 * (high - low) + 0.05)
        for end in results.folds_at:
            axes.axvline(end, color=PALE, linestyle=":", linewidth=1)
        for trial in results.drawn_in_order:
            if not trial.curve:
                continue
            x, y = np.array(trial.curve).T
            colour, width = (PALE, 1.0) if trial.state != "complete" else (BLUE, 1.2)
            if trial is results.own:
                colour, width = BLACK, 1.6
            if trial.number == results.best.number:
                colour, width = ORANGE, 1.8
            axes.plot(x, 100 * y, color=colour, linewidth=width)
            if trial.state == "pruned":
                axes.plot(x[-1:], 100 * y[-1:], "x", color=GREY, markersize=5)
        labels = [(100 * trial.curve[-1][1], name, colour) for trial, name, colour in _named(results)]
        _label_right(axes, labels)
        _whole_ticks(axes)
        axes.set_xlabel("epochs spent")
        axes.set_ylabel("accuracy so far (%)")
        return figure


def _named(results: SearchResults) -> list[tuple[Trial, str, str]]:
    best = next(trial for trial in results.complete if trial.number == results.best.number)
    if results.own is None or results.own is best:
        return [(best, "the best", ORANGE)]
    return [(best, "the best", ORANGE), (results.own, "the recipe's own", BLACK)]


def importances(results: SearchResults, shares: Mapping[str, float]) -> Figure:
    """One bar a setting. shares: importance by path, shares of 1, the largest first."""
    caption = (
        f"{results.about} PED-ANOVA (Watanabe, Bansal, Hutter, IJCAI 2023) over {len(results.complete)} complete "
        "trials: how far a setting tells the best tenth from the rest. Shares of 1, of what these bounds and these "
        "trials show; with few trials hardly more than a hint."
    )
    names, widths = list(shares), list(shares.values())
    left = 0.3 + 0.085 * max(map(len, names))
    with canvas("Which settings mattered", caption, 0.34 * len(names) + 0.3, left=left) as (figure, new_axes):
        axes = new_axes()
        places = np.arange(len(names))[::-1]
        axes.barh(places, widths, color=BLUE, height=0.6)
        axes.set_yticks(places, names)
        for place, share in zip(places, widths, strict=True):
            axes.text(share + 0.01, place, f"{share:.2f}", va="center", fontsize=9)
        axes.set_xlim(0, max(widths) * 1.12)
        axes.grid(False, axis="y")
        axes.set_xlabel("importance (share of 1)")
        return figure


def _label_right(axes: Axes, labels: Sequence[tuple[float, str, str]]) -> None:
    """Names beside the lines' right ends, moved apart where they would touch."""
    low, high = axes.get_ylim()
    gap, below = 0.06, -math.inf
    for level, name, colour in sorted(labels):
        place = max((level - low) / (high - low), below + gap)
        below = place
        axes.text(1.01, place, name, transform=axes.transAxes, va="center", color=colour, fontsize=9)


def _whole_ticks(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
