"""The report's figures: accuracy against σ, shift, severity and ε; epochs; calibration; certificates; the matrix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.evaluation.grid import Axis
from pipeline.evaluation.robustness.calibration import cross_tempered, reliability, risk_coverage
from pipeline.evaluation.robustness.ladder import Ladders
from pipeline.report.ensemble import ensemble_figure
from pipeline.report.figures import LINE, SIGMA_LABEL, Series, accuracy_figure, canvas
from pipeline.report.page_data import RunData
from pipeline.report.style import cell_colours, look
from pipeline.report.wording import READING, interval_sentence

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANEL, HEIGHT = 4.9, 3.9  # inches
CURVE_POINTS = 101
MATRIX = "Accuracy in %: trained (across), tested (down)"


def figures(run: RunData) -> Iterator[tuple[str, str, Figure]]:
    """(file name, title, figure) for everything that this run can show."""
    if run.summary is not None:
        yield "folds", "Members and their ensemble, fold by fold", ensemble_figure(run.summary)
    yield from _strengths(run)
    yield from _epochs(run)
    if run.certificates:
        yield "certificates", "Certified accuracy", _certified(run)
    if run.ladders is not None:
        yield "attacked-and-proven", "Accuracy against ε, from both sides", _ladders(run.ladders, run)
    if run.rows is not None:
        yield "calibration", "Calibration", _calibration(run)
    if run.grid is not None:
        yield "matrix", "The matrix", _matrix(run)


def curves(run: RunData) -> dict[str, list[tuple[float, int]]]:
    """Families of conditions that differ in one number: name → (number, column), ascending, clean as 0.

    A family is σ, a direction of shifts, a corruption, or an attack in a norm; it needs two numbers but 0.
    """
    families: dict[str, list[tuple[float, int]]] = {}
    for column, name in enumerate(run.conditions):
        axis = run.axes.get(name)
        if axis is not None and axis.strength > 0:
            families.setdefault(axis.family, []).append((axis.strength, column))
    clean = [(0.0, run.conditions.index("clean"))] if "clean" in run.conditions else []
    return {name: sorted(clean + points) for name, points in families.items() if len(points) >= 2}


def _strengths(run: RunData) -> Iterator[tuple[str, str, Figure]]:
    if run.grid is None:
        return
    cells = 100 * np.array(run.cells)
    interval = f"{interval_sentence(run.repeats)} {READING}"
    for family, points in curves(run).items():
        title, label = _axis(run.axes[run.conditions[points[-1][1]]])
        x, places = np.array([value for value, _ in points]), [column for _, column in points]
        series = [Series(name, *cells[row, places].T) for row, name in enumerate(run.trained)]
        caption = f"{run.holdout:,} holdout rows of {run.record['data']['name']}, the same for every model. {interval}"
        figure = accuracy_figure(x, series, title=title, x_label=label, series_label="trained with", caption=caption)
        yield f"against-{family.replace('σ', 'sigma').replace(' ', '-')}", title, figure


def _axis(axis: Axis) -> tuple[str, str]:
    """A curve's title and the label of its x axis."""
    if axis.kind == "noise":
        return "Accuracy against noise", SIGMA_LABEL
    if axis.kind == "attack":
        method, norm = axis.family.split()
        unit = "no pixel changes by more than ε" if norm == "Linf" else "L2 length of the change at most ε"
        return f"Accuracy against ε: {method} in {norm}", f"ε, units of the [0, 1] pixel scale ({unit})"
    if axis.kind == "corruption":
        return f"Accuracy against {axis.family}", f"severity of {axis.family}, 0 (none) to 5"
    direction = axis.family.split()[-1]
    if axis.kind == "shift":
        direction = axis.family.removeprefix("shift ")
        return f"Accuracy against a shift {direction}", f"pixels that the test pictures are moved {direction}"
    return f"Accuracy against a turn to the {direction}", f"degrees that the test pictures are turned {direction}"


@dataclass(frozen=True)
class Line:
    """x, y: the curve. row: which trained row's colour; None is a grey guide. dashed: as the legend says."""

    x: Sequence[float]
    y: Sequence[float]
    row: int | None
    dashed: bool = False


@dataclass(frozen=True)
class Panel:
    title: str
    x_label: str
    y_label: str
    lines: Sequence[Line]


def panels(run: RunData, parts: Sequence[Panel], caption: str) -> Figure:
    """Axes side by side with one legend of the trained rows above them."""
    with canvas(PANEL * len(parts), HEIGHT + LINE * -(-len(run.trained) // 4), caption) as figure:
        from matplotlib.lines import Line2D
        from matplotlib.ticker import MaxNLocator

        for axes, part in zip(figure.subplots(1, len(parts), squeeze=False)[0], parts, strict=True):
            for line in part.lines:
                colour, width = ("#7F7F7F", 1.0) if line.row is None else (look(line.row)["color"], 1.5)
                style = "--" if line.dashed or line.row is None else "-"
                marker = "o" if len(line.x) == 1 else ""  # one point is no line
                axes.plot(line.x, line.y, style, marker=marker, color=colour, linewidth=width)
            if part.x_label == "epoch":
                axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
            axes.set_title(part.title, fontsize=10, loc="left", parse_math=False)
            axes.set_xlabel(part.x_label, parse_math=False)
            axes.set_ylabel(part.y_label, parse_math=False)
        handles = [Line2D([], [], color=look(row)["color"], label=name) for row, name in enumerate(run.trained)]
        above = {"loc": "outside upper center", "ncols": min(4, len(handles)), "frameon": False, "fontsize": 9}
        figure.legend(handles=handles, **above)
        return figure


def _epochs(run: RunData) -> Iterator[tuple[str, str, Figure]]:
    def lines(figure: str, factor: float) -> list[Line]:
        found = []
        for row, name in enumerate(run.trained):
            histories = run.histories.get(name, [])
            values = [[epoch[figure] for epoch in history] for history in histories]
            if values and all(value is not None for history in values for value in history):
                shortest = min(map(len, values))
                mean = factor * np.mean([history[:shortest] for history in values], axis=0)
                found.append(Line(np.arange(1, shortest + 1), mean, row, dashed=figure.startswith("train")))
        return found

    loss = lines("train_loss", 1) + lines("validation_loss", 1)
    accuracy = lines("train_accuracy", 100) + lines("validation_accuracy", 100)
    if loss:
        parts = [Panel("Loss", "epoch", "loss", loss), Panel("Accuracy", "epoch", "accuracy (%)", accuracy)]
        held_out, means = ("holdout", "repeats") if run.summary is None else ("the fold's rows", "folds and repeats")
        caption = (
            f"Solid: {held_out}, clean pictures. Dashed: training rows, changed as the row's name says and while the "
            f"weights still change. Means over {means}."
        )
        yield "epochs", "Epochs", panels(run, parts, caption)


def _certified(run: RunData) -> Figure:
    some = next(iter(run.certificates.values()))
    radii = np.linspace(0, some.largest_radius, CURVE_POINTS)
    labels = run.rows.labels[: len(some.classes)]
    lines = [
        Line(radii, 100 * run.certificates[name].accuracy(labels, radii), row)
        for row, name in enumerate(run.trained)
        if name in run.certificates
    ]
    caption = (
        f"Randomised smoothing, σ {some.sigma:g}, {some.n:,} samples, {len(labels):,} holdout rows, each claim wrong "
        f"with probability ≤ {some.alpha:g}."
    )
    panel = Panel("Certified accuracy", "L2 radius, units of the [0, 1] pixel scale", "certified accuracy (%)", lines)
    return panels(run, [panel], caption)


def _ladders(ladders: Ladders, run: RunData) -> Figure:
    epsilons = np.linspace(0, ladders.epsilons[-1], CURVE_POINTS)
    lines = []
    for row in range(len(ladders.trained)):
        lines.append(Line(epsilons, 100 * ladders.left(row, epsilons), row))
        if ladders.provable[row]:  # what is proven at an ε is so at every smaller one: a step that ends at it
            proven, ends = 100 * ladders.proven[row].mean(axis=1), np.concatenate([[0], ladders.epsilons])
            lines.append(Line(np.repeat(ends, 2)[1:-1], np.repeat(proven, 2), row, dashed=True))
    caption = (
        "Solid: what attacks leave (the worse of APGD and FMN); a better attack may leave less. Dashed: what CROWN "
        "proves at the ε that were given, drawn back to the one before; more may be so than is proven. The truth lies "
        f"between the two. First repeat of each, {ladders.clean.shape[1]:,} holdout rows."
    )
    label = "ε, units of the [0, 1] pixel scale\n(no pixel changes by more than ε)"
    return panels(run, [Panel("Attacked and proven", label, "rows still read rightly (%)", lines)], caption)


def _coverage(run: RunData) -> Panel:
    shares = np.linspace(0.5, 1, CURVE_POINTS)
    lines = []
    for row in range(len(run.trained)):
        curve = risk_coverage(run.rows.first[row], run.rows.labels)
        lines.append(Line(100 * shares, [100 * curve.at_coverage(share)[2] for share in shares], row))
    return Panel("When it may say “not sure”", "rows answered (%), the surest first", "accuracy among these (%)", lines)


def _calibration(run: RunData) -> Figure:
    guide = Line([0, 1], [0, 1], None)
    lines = [guide]
    for row in range(len(run.trained)):
        after, _ = cross_tempered(run.rows.first[row], run.rows.labels)
        for probabilities, dashed in ((run.rows.first[row], True), (after, False)):
            found = reliability(probabilities, run.rows.labels)
            filled = found.rows > 0
            lines.append(Line(found.confidence[filled], found.accuracy[filled], row, dashed))
    panel = Panel("Reliability", "confidence (largest probability)", "accuracy at that confidence", lines)
    of = "First repeat of each, clean holdout." if run.summary is None else "Out-of-fold rows."
    caption = (
        f"{of} Dashed: as trained; solid: at a temperature fitted on the other half of these rows, as stored with "
        "models. Below the grey line a network is surer than it may be, above it more modest than it need be. Points "
        "of few rows wander: read the line where confidence is high, where nearly all rows lie."
    )
    return panels(run, [panel, _coverage(run)], caption)


def _matrix(run: RunData) -> Figure:
    values = 100 * np.array([[cell.value for cell in row] for row in run.cells]).T
    width = max(map(len, run.conditions)) * 0.085 + 1.1 * len(run.trained) + 0.5
    with canvas(width, 0.26 * len(run.conditions) + 1.2, MATRIX) as figure:
        axes = figure.subplots()
        axes.imshow(values, cmap="cividis", vmin=0, vmax=100, aspect="auto")
        axes.grid(False)
        axes.set_yticks(range(len(run.conditions)), run.conditions)
        names = [name.replace(" + ", "\n+ ").replace("adversarial ", "adversarial\n") for name in run.trained]
        axes.set_xticks(range(len(names)), names, fontsize=9)
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        for (line, column), value in np.ndenumerate(values):
            ink = cell_colours(value / 100)[1]
            axes.text(column, line, f"{value:.2f}", ha="center", va="center", fontsize=8, color=ink)
        return figure
