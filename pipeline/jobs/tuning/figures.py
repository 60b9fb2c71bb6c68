"""Figures of a search: its course, what was pruned when, its settings against the score, which of them mattered."""

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
from pipeline.training.search_space import Parameter

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLACK, ORANGE, BLUE, GREY = COLOURS[0], COLOURS[1], COLOURS[2], COLOURS[7]
PALE = "#BBBBBB"
WIDTH = 8.0  # inches
PANEL_HEIGHT = 2.6  # inches
ACROSS = 3  # panels side by side
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


def colour_of(results: SearchResults, trial: Trial) -> str:
    """Of a trial's dot or line: the best, the recipe's own, another complete one, one without a score."""
    if trial is results.best:
        return ORANGE
    if trial is results.own:
        return BLACK
    return BLUE if trial.state == "complete" else PALE


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
        _label(axes, labels, "trial", "accuracy, mean of the folds (%)")
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
        low, high = 100 * float(np.quantile(seen, 0.1)), 100 * max(seen)
        axes.set_ylim(low - 0.1 * (high - low) - 0.05, high + 0.1 * (high - low) + 0.05)
        for fold in range(results.folds):
            axes.axvline(results.longest * (fold + 1), color=PALE, linestyle=":", linewidth=1)
        widths = {PALE: 1.0, BLUE: 1.2, BLACK: 1.6, ORANGE: 1.8}
        for trial in results.drawn_in_order:
            if not trial.curve:
                continue
            x, y = np.array(trial.curve).T
            colour = colour_of(results, trial)
            axes.plot(x, 100 * y, color=colour, linewidth=widths[colour])
            if trial.state == "pruned":
                axes.plot(x[-1:], 100 * y[-1:], "x", color=GREY, markersize=5)
        ends = [(results.best, "the best", ORANGE)]
        if results.own not in (None, results.best):
            ends.append((results.own, "the recipe's own", BLACK))
        labels = [(100 * trial.curve[-1][1], name, colour) for trial, name, colour in ends]
        _label(axes, labels, "epochs spent", "accuracy so far (%)")
        return figure


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


def slices(results: SearchResults) -> Figure:
    """Each setting against the score."""
    rows = math.ceil(len(results.space) / ACROSS)
    caption = (
        f"{results.about} One panel a setting; the other settings differ from dot to dot as well. Orange: the best. "
        "Black square: the recipe's own. Ticks at the bottom: pruned trials. A best value at an edge says: widen the "
        "bounds."
    )
    step = PANEL_HEIGHT + 0.62
    with canvas("Each setting against the score", caption, rows * step - 0.62) as (figure, new_axes):
        width = (WIDTH - 1.0 - (ACROSS - 1) * 0.3) / ACROSS
        limits = score_limits(results)
        for place, setting in enumerate(results.space):
            down, across = divmod(place, ACROSS)
            axes = new_axes(across * (width + 0.3), (rows - 1 - down) * step, width, PANEL_HEIGHT)
            axes.set_ylim(*limits)
            scale = _Scale(setting)
            scale.dress(axes)
            for trial in results.drawn_in_order:
                x = [scale.position(trial.values[setting.path])] if setting.path in trial.values else []
                if trial.state == "complete":
                    marker, colour = "s" if trial is results.own else "o", colour_of(results, trial)
                    axes.plot(x, [100 * trial.score.accuracy], marker, color=colour)
                elif trial.state == "pruned" and x:
                    axes.plot(x, [limits[0]], "|", color=GREY, markersize=9)
            axes.set_xlabel(setting.path, parse_math=False, fontsize=9)
            if across:
                axes.tick_params(labelleft=False)
            else:
                axes.set_ylabel("accuracy (%)")
        return figure


def parallel(results: SearchResults) -> Figure:
    """One line a trial through all of its settings."""
    caption = (
        f"{results.about} One line a trial, one upright a setting. Complete trials from dark (lowest score) to "
        "bright (highest); orange: the best; dashed black: the recipe's own; pale grey: pruned."
    )
    with canvas("All settings together", caption, 3.2, left=0.6, right=0.6) as (figure, new_axes):
        import matplotlib

        axes = new_axes()
        axes.set_axis_off()
        scales = [_Scale(setting) for setting in results.space]
        axes.set_xlim(0, len(scales) - 1)
        axes.set_ylim(-0.03, 1.03)
        scores = [trial.score.accuracy for trial in results.complete]
        span = (max(scores) - min(scores)) or 1.0

        def look(trial: Trial) -> dict[str, Any]:
            if trial is results.best:
                return {"color": ORANGE, "linewidth": 2.6, "zorder": 5}
            if trial is results.own:
                return {"color": BLACK, "linewidth": 1.8, "linestyle": "--", "zorder": 4}
            if trial.state == "complete":
                rank = (trial.score.accuracy - min(scores)) / span
                return {"color": matplotlib.colormaps["viridis"](0.9 * rank), "linewidth": 1.2, "zorder": 3}
            return {"color": PALE, "linewidth": 0.8, "zorder": 2}

        for trial in results.trials:
            if trial.state != "failed" and len(trial.values) == len(scales):
                heights = [scale.height(trial.values[scale.path]) for scale in scales]
                axes.plot(range(len(scales)), heights, clip_on=False, **look(trial))
        for place, scale in enumerate(scales):
            axes.axvline(place, color="#666666", linewidth=1, zorder=1, clip_on=False)
            # Names of neighbours would run into each other on one line.
            drop = -0.06 if place % 2 == 0 else -0.12
            side = {0: "left", len(scales) - 1: "right"}.get(place, "center")
            axes.text(place, drop, scale.path, ha=side, va="top", fontsize=9, parse_math=False, clip_on=False)
            for label, height in scale.marks():
                axes.text(
                    place, height, f" {label}", va="center", fontsize=8, color="#444444", parse_math=False, zorder=6,
                    bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.5},
                )  # fmt: skip
        return figure


class _Scale:
    """Where the values of a setting stand on an axis, within its bounds: by value, by ratio, or by their turn."""

    def __init__(self, setting: Parameter) -> None:
        self.path, self.log, self.choices = setting.path, setting.log, setting.choices
        self.low, self.high = (0, len(setting.choices) - 1) if setting.choices else (setting.low, setting.high)

    def position(self, value: Any) -> float:
        return float(self.choices.index(value)) if self.choices else float(value)

    def height(self, value: Any) -> float:
        """0 at the lowest value that may be tried, 1 at the highest."""
        place, low, high = self.position(value), self.low, self.high
        if self.log:
            place, low, high = math.log(place), math.log(low), math.log(high)
        return (place - low) / (high - low)

    def marks(self) -> list[tuple[str, float]]:
        """What is written beside an upright: its ends, or all choices."""
        return [(str(value), self.height(value)) for value in self.choices or (self.low, self.high)]

    def dress(self, axes: Axes) -> None:
        """Scale, limits and ticks of a panel's x axis."""
        from matplotlib.ticker import MaxNLocator

        if self.log:
            axes.set_xscale("log")
            ratio = (self.high / self.low) ** 0.06
            axes.set_xlim(self.low / ratio, self.high * ratio)
            middle = float(f"{math.sqrt(self.low * self.high):.1g}")
            axes.set_xticks([self.low, middle, self.high], [f"{tick:g}" for tick in (self.low, middle, self.high)])
            axes.minorticks_off()
            return
        margin = 0.06 * (self.high - self.low)
        if self.choices:
            margin = 0.5
            axes.set_xticks(range(len(self.choices)), map(str, self.choices))
        else:
            axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.set_xlim(self.low - margin, self.high + margin)


def _label(axes: Axes, labels: Sequence[tuple[float, str, str]], across: str, up: str) -> None:
    """Names of the axes; names beside the lines' right ends, moved apart where they would touch."""
    from matplotlib.ticker import MaxNLocator

    low, high = axes.get_ylim()
    gap, below = 0.06, -math.inf
    for level, name, colour in sorted(labels):
        below = max((level - low) / (high - low), below + gap)
        axes.text(1.01, below, name, transform=axes.transAxes, va="center", color=colour, fontsize=9)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlabel(across)
    axes.set_ylabel(up)
