"""Figures of a search's settings: each against the score, and all together."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pipeline.jobs.tuning.figures import BLACK, BLUE, GREY, ORANGE, PALE, WIDTH, canvas, score_limits
from pipeline.jobs.tuning.results import SearchResults, Trial
from pipeline.training.search_space import Parameter

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL_HEIGHT = 2.6  # inches
ACROSS = 3  # panels side by side


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
        for place, asked in enumerate(results.space):
            down, across = divmod(place, ACROSS)
            axes = new_axes(across * (width + 0.3), (rows - 1 - down) * step, width, PANEL_HEIGHT)
            axes.set_ylim(*limits)
            scale, path = _Scale(asked), asked.path
            scale.dress(axes)
            for trial in results.drawn_in_order:
                if path not in trial.values:
                    continue
                x = scale.position(trial.values[path])
                if trial.state == "complete":
                    colour = ORANGE if trial.number == results.best.number else BLACK if trial is results.own else BLUE
                    axes.plot([x], [100 * trial.score.accuracy], "s" if trial is results.own else "o", color=colour)
                elif trial.state == "pruned":
                    axes.plot([x], [limits[0]], "|", color=GREY, markersize=9)
            axes.set_xlabel(path, parse_math=False, fontsize=9)
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
        scales = [_Scale(asked) for asked in results.space]
        axes.set_xlim(0, len(scales) - 1)
        axes.set_ylim(-0.03, 1.03)
        scores = [trial.score.accuracy for trial in results.complete]
        span = (max(scores) - min(scores)) or 1.0

        def look(trial: Trial) -> dict[str, Any]:
            if trial.number == results.best.number:
                return {"color": ORANGE, "linewidth": 2.6, "zorder": 5}
            if trial is results.own:
                return {"color": BLACK, "linewidth": 1.8, "linestyle": "--", "zorder": 4}
            if trial.state == "complete":
                rank = (trial.score.accuracy - min(scores)) / span
                return {"color": matplotlib.colormaps["viridis"](0.9 * rank), "linewidth": 1.2, "zorder": 3}
            return {"color": PALE, "linewidth": 0.8, "zorder": 2}

        for trial in results.trials:
            if trial.state != "failed" and all(asked.path in trial.values for asked in results.space):
                heights = [scale.height(trial.values[scale.path]) for scale in scales]
                axes.plot(range(len(scales)), heights, clip_on=False, **look(trial))
        for place, scale in enumerate(scales):
            axes.axvline(place, color="#666666", linewidth=1, zorder=1, clip_on=False)
            # Names of neighbours would run into each other on trial line.
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
    """Where the values of trial setting stand on an axis, within its bounds: by value, by ratio, or by their turn."""

    def __init__(self, asked: Parameter) -> None:
        self.path, self.log, self.choices = asked.path, asked.log, asked.choices
        self.low, self.high = (0, len(asked.choices) - 1) if asked.choices else (asked.low, asked.high)

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
