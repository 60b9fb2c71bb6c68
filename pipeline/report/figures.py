"""Figures: accuracy against the strength of a test condition, as PNG and SVG; same input, same bytes.

matplotlib is used through its Figure object, without pyplot: no window, no state shared between figures.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import UsageError
from pipeline.evaluation.grid import Grid
from pipeline.evaluation.statistics import cell_estimates
from pipeline.report.style import RC, look
from pipeline.report.wording import READING, SAMPLE_WARNING, data_sentence, interval_sentence
from pipeline.storage import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Inches, so that text keeps its size and its distance however many lines and labels there are.
WIDTH, AXES_HEIGHT = 8.0, 3.6
LEFT, EDGE = 0.68, 0.1
LINE = 0.19  # a label with its distance to the next
CAPTION_LINE = 0.165
CAPTION_COLUMNS = 118  # characters of a caption line that fit into WIDTH


@dataclass(frozen=True)
class Series:
    """One line of a figure: accuracy in % at each x and its interval's ends, each (number of x,) float."""

    name: str
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray


def noise_figure(grid: Grid, test_sigmas: Sequence[float], *, data: str, sample: bool = False) -> Figure:
    """Accuracy against the σ of the test noise, one line for each trained row of the grid.

    test_sigmas: the σ of each of the grid's conditions, 0 for the clean one. data, sample: as in
    tables.terminal_report. Raises UsageError when σ and conditions are not equally many.
    """
    if len(test_sigmas) != len(grid.conditions):
        raise UsageError(
            f"The noise figure needs one σ for each of the grid's {len(grid.conditions)} test conditions, "
            f"found {len(test_sigmas)}: give 0 for the clean rows."
        )
    estimates = 100 * np.array(cell_estimates(grid))
    series = [Series(name, *estimates[row, np.argsort(test_sigmas)].T) for row, name in enumerate(grid.trained)]
    return accuracy_figure(
        np.sort(test_sigmas),
        series,
        title="What noise in training does to accuracy",
        x_label="σ of the noise in the test pictures (units of the [0, 1] pixel scale)",
        series_label="trained with",
        caption=f"{data_sentence(grid, data)} {interval_sentence(grid.repeats)} {READING}",
        warning=SAMPLE_WARNING if sample else "",
    )


def accuracy_figure(
    x: np.ndarray,
    series: Sequence[Series],
    *,
    title: str,
    x_label: str,
    series_label: str,
    caption: str,
    warning: str = "",
) -> Figure:
    """Accuracy in % against x, one labelled line with error bars for each of `series`.

    x: (number of x,) float, ascending. The series' position decides its colour and marker (style.look).
    Intervals are drawn no further than 0 and 100 %. caption goes below the axes, warning below the title.
    """
    with styled():
        from matplotlib.figure import Figure

        note = textwrap.wrap(caption, CAPTION_COLUMNS)
        top, bottom = (0.85 if warning else 0.55), 0.7 + CAPTION_LINE * len(note)
        right = 0.5 + 0.085 * max(9, *(len(one.name) for one in series), 0)
        tall = max(AXES_HEIGHT, LINE * (len(series) + 1))
        height = top + tall + bottom
        figure = Figure(figsize=(WIDTH, height))
        axes = figure.add_axes((LEFT / WIDTH, bottom / height, (WIDTH - LEFT - right) / WIDTH, tall / height))
        for position, one in enumerate(series):
            low, high = np.clip([one.low, one.high], 0, 100)
            axes.errorbar(
                x, one.value, (one.value - low, high - one.value), **look(position), capsize=3,
                elinewidth=1.1, markeredgecolor="white", markeredgewidth=0.6,
                zorder=3 + len(series) - position,
            )  # fmt: skip
        axes.set_ylim(0, 102)
        axes.set_yticks(range(0, 101, 20))
        axes.set_ylabel("accuracy on the holdout (%)")
        axes.set_xlabel(x_label, parse_math=False)
        _set_x_ticks(axes, x)
        _label_lines(axes, x[-1], series, series_label, gap=LINE / tall)

        def write(from_bottom: float, text: str, **kind: object) -> None:
            figure.text(EDGE / WIDTH, from_bottom / height, text, parse_math=False, **kind)

        write(height - 0.12, title, fontsize=13, weight="bold", va="top")
        write(height - 0.42, warning, color="#A00000", weight="bold", va="top")
        write(EDGE, "\n".join(note), fontsize=8, color="#444444", va="bottom", linespacing=1.35)
        return figure


def save_figure(figure: Figure, path: Path | str) -> tuple[Path, Path]:
    """Write `path`.png (150 dots an inch) and `path`.svg atomically; return both. Raises StorageError."""
    written = []
    with styled():
        # Date, creator and software would make the bytes differ between days and versions.
        for suffix, metadata in ((".png", {"Software": None}), (".svg", {"Date": None, "Creator": None})):
            target = Path(path).with_name(Path(path).name + suffix)
            content = io.BytesIO()
            figure.savefig(content, format=suffix[1:], metadata=metadata)
            write_bytes(target, content.getvalue())
            written.append(target)
    return written[0], written[1]


@contextmanager
def styled() -> Iterator[None]:
    """matplotlib's own defaults with our style on top, whatever the user's matplotlibrc says."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(RC)
        yield


def _set_x_ticks(axes: Axes, x: np.ndarray) -> None:
    """A tick at each x that was measured, unless two would run into each other."""
    span = float(x[-1] - x[0])
    if span == 0 or np.diff(x).min() >= 0.05 * span:
        axes.set_xticks(x, [f"{value:g}" for value in x])
    margin = 0.03 * span or 0.1
    axes.set_xlim(x[0] - margin, x[-1] + margin)


def _label_lines(axes: Axes, last: float, series: Sequence[Series], series_label: str, *, gap: float) -> None:
    """Each line's name beside its end at x = last, moved up or down until no two are nearer than `gap`."""
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    start = (last - left) / (right - left) + 0.012
    ends = [(float(one.value[-1]) - low) / (high - low) for one in series]
    places = _spread(ends, gap, top=1 - gap)
    on_axes = {"transform": axes.transAxes, "clip_on": False}
    for position, (one, end, place) in enumerate(zip(series, ends, places, strict=True)):
        kind = look(position)
        axes.plot([start, 1.02], [end, place], color=kind["color"], linewidth=0.8, alpha=0.6, **on_axes)
        axes.plot([1.035], [place], **kind, linestyle="", **on_axes)
        axes.text(1.055, place, one.name, va="center", parse_math=False, **on_axes)
    heading = {"fontsize": 9, "color": "#444444", "va": "center", "parse_math": False}
    axes.text(1.02, max(places) + gap, series_label, **heading, **on_axes)


def _spread(wanted: Sequence[float], gap: float, *, top: float) -> list[float]:
    """The wanted heights moved as little as a greedy pass can, in the same order, `gap` apart, 0 … top."""
    order = sorted(range(len(wanted)), key=lambda position: (wanted[position], -position))
    placed = list(wanted)
    below = -gap
    for position in order:
        below = placed[position] = max(wanted[position], below + gap)
    above = top + gap
    for position in reversed(order):
        above = placed[position] = min(placed[position], above - gap)
    return placed
