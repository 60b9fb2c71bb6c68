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

from pipeline.evaluation.grid import Grid
from pipeline.evaluation.statistics import cell_estimates
from pipeline.report.style import RC, look
from pipeline.report.wording import READING, SAMPLE_WARNING, data_sentence, interval_sentence
from pipeline.storage import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIGMA_LABEL = "σ of the noise in the test pictures (units of the [0, 1] pixel scale)"
WIDTH, AXES_HEIGHT, LINE = 8.0, 4.8, 0.21  # inches; LINE: of a legend
CHARACTERS, CAPTION_LINE = 14.75, 0.165  # of a caption: to an inch; inches


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
    tables.terminal_report.
    """
    estimates = 100 * np.array(cell_estimates(grid))
    series = [Series(name, *estimates[row, np.argsort(test_sigmas)].T) for row, name in enumerate(grid.trained)]
    return accuracy_figure(
        np.sort(test_sigmas),
        series,
        title="What noise in training does to accuracy",
        x_label=SIGMA_LABEL,
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
    """Accuracy in % against x, one line with error bars for each of `series`, named from the highest end down.

    x: (number of x,) float, ascending. The series' position decides its colour and marker (style.look).
    Intervals are drawn no further than 0 and 100 %. caption goes below the axes, warning below the title.
    """
    with canvas(WIDTH, max(AXES_HEIGHT, LINE * (len(series) + 5)), caption, title=title) as figure:
        axes = figure.subplots()
        for position, one in enumerate(series):
            low, high = np.clip([one.low, one.high], 0, 100)
            axes.errorbar(
                x,
                one.value,
                (one.value - low, high - one.value),
                **look(position),
                label=one.name,
                capsize=3,
                elinewidth=1.1,
                markeredgecolor="white",
                markeredgewidth=0.6,
                zorder=3 + len(series) - position,
            )
        axes.set_ylim(0, 102)
        axes.set_yticks(range(0, 101, 20))
        axes.set_ylabel("accuracy on the holdout (%)")
        axes.set_xlabel(x_label, parse_math=False)
        axes.set_title(warning, loc="left", fontsize=8, color="#A00000", weight="bold", parse_math=False)
        _set_x_ticks(axes, x)
        handles, names = axes.get_legend_handles_labels()
        order = sorted(range(len(series)), key=lambda position: -series[position].value[-1])
        figure.legend(
            [handles[place] for place in order],
            [names[place] for place in order],
            title=series_label,
            loc="outside right upper",
            frameon=False,
        )
        return figure


@contextmanager
def canvas(width: float, height: float, caption: str, *, title: str = "") -> Iterator[Figure]:
    """An empty figure in our style, which is laid out when it is saved; height: without the caption's lines."""
    with styled():
        from matplotlib.figure import Figure

        note = textwrap.wrap(caption, round(CHARACTERS * width))
        figure = Figure(figsize=(width, height + CAPTION_LINE * len(note)), layout="constrained")
        text = {"x": 0.01, "ha": "left", "parse_math": False}
        if title:
            figure.suptitle(title, fontsize=13, weight="bold", **text)
        figure.supxlabel("\n".join(note), fontsize=8, color="#444444", linespacing=1.35, **text)
        yield figure


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
