"""A search's figures: nothing overlaps or leaves the picture, and the points are the trials."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.text import Text

from pipeline.jobs.tuning.figures import BLACK, BLUE, ORANGE, epochs, history, importances, parallel, slices
from pipeline.jobs.tuning.results import SearchResults, Trial
from pipeline.jobs.tuning.trials import Score
from pipeline.training.search_space import Parameter

SPACE = (
    Parameter("schedule.peak", 0.005, low=0.001, high=0.02, log=True),
    Parameter("training.batch_size", 256, choices=(64, 128, 256, 512)),
    Parameter("network.layers.1.units", 512, low=128, high=1024, step=128),
    Parameter("augment.0.share_of_side", 0.04, low=0.0, high=0.12),
    Parameter("optimizer.name", "adam", choices=("sgd", "adam")),
)
CURVE = ((1, 0.90), (5, 0.97), (15, 0.98), (30, 0.981), (45, 0.982))


def values(k):
    """The k-th of some settings; the 0th are the recipe's own."""
    if k == 0:
        return {one.path: one.own for one in SPACE}
    whole = 128 * (1 + k % 8)
    return dict(
        zip((one.path for one in SPACE), (0.001 * (1 + k), (64, 512)[k % 2], whole, 0.01 * k, "sgd"), strict=True)
    )


def trial(number, state, tried, curve=(), accuracy=None):
    score = None
    if accuracy is not None:
        score = Score(accuracies=(accuracy,), log_losses=(0.1,), wrong=np.zeros(10, bool))
    return Trial(number=number, state=state, values=tried, curve=curve, seconds=1.0, score=score)


def searched(accuracies, *, pruned=0, failed=0, space=SPACE):
    trials = [trial(k, "complete", values(k), CURVE, accuracy) for k, accuracy in enumerate(accuracies)]
    trials += [trial(len(trials) + k, "pruned", values(1 + k), CURVE[:2]) for k in range(pruned)]
    trials += [trial(len(trials) + k, "failed", {}) for k in range(failed)]
    return SearchResults(
        data="digits",
        recipe="default",
        sample=False,
        seed=0,
        rows=37_800,
        folds=3,
        longest=15,
        space=space,
        trials=trials,
    )


CASES = {
    "one trial": searched([0.98]),
    "all equal": searched([0.98] * 4, pruned=1, failed=1),
    "many": searched(np.linspace(0.95, 0.9912, 12), pruned=6, failed=2),
    "all right": searched([1.0, 0.5]),
    "two settings": searched([0.97, 0.98], space=SPACE[:2]),
}


@pytest.mark.parametrize("name", CASES)
def test_no_text_overlaps_or_leaves_the_picture(name):
    found = CASES[name]
    shares = {one.path: 1 / len(found.space) for one in found.space}
    for figure in (history(found), epochs(found), slices(found), parallel(found), importances(found, shares)):
        FigureCanvasAgg(figure).draw()
        shown = [text for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]
        hidden = set().union(*(_hidden_ticks(axes) for axes in figure.axes))
        boxes = [(text.get_text(), text.get_window_extent()) for text in shown if text not in hidden]
        for text, box in boxes:
            assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1, text
        for (one, first), (other, second) in itertools.combinations(boxes, 2):
            assert not first.overlaps(second), (one, other)


def _hidden_ticks(axes):
    """Tick labels that matplotlib keeps but does not draw: beyond an axis' end, or of axes that are off."""
    hidden = set()
    for labels, place, (low, high) in (
        (axes.get_xticklabels(which="both"), 0, axes.get_xlim()),
        (axes.get_yticklabels(which="both"), 1, axes.get_ylim()),
    ):
        hidden |= {text for text in labels if not (axes.axison and low <= text.get_position()[place] <= high)}
    return hidden


def test_the_course_shows_every_trial_and_the_best_so_far():
    figure = history(searched([0.98, 0.97, 0.99], pruned=2, failed=1))
    steps, dots, *others = figure.axes[0].lines
    assert steps.get_ydata() == pytest.approx([98, 98, 99, 99])
    assert (list(dots.get_xdata()), list(dots.get_ydata())) == ([0, 1, 2], pytest.approx([98, 97, 99]))
    assert [list(line.get_xdata()) for line in others[:2]] == [[3, 4], [5]]
    assert list(others[2].get_ydata()) == [98, 98]  # the recipe's own


def test_a_slice_has_a_point_for_each_trial_in_its_colour():
    figure = slices(searched([0.98, 0.97, 0.99], pruned=1))
    peak, batch = figure.axes[:2]
    points = {to_hex(line.get_color()).upper(): (line.get_xdata()[0], line.get_ydata()[0]) for line in peak.lines}
    assert points[BLACK] == pytest.approx((0.005, 98))
    assert points[BLUE] == pytest.approx((0.002, 97))
    assert points[ORANGE] == pytest.approx((0.003, 99))
    assert peak.get_xscale() == "log"
    assert peak.get_xlim()[0] < 0.001 and peak.get_xlim()[1] > 0.02
    assert [label.get_text() for label in batch.get_xticklabels()] == ["64", "128", "256", "512"]


def test_lines_through_the_settings_run_from_0_to_1_between_the_bounds():
    figure = parallel(searched([0.98, 0.97]))
    lines = [line for line in figure.axes[0].lines if len(line.get_xdata()) == len(SPACE)]
    # The recipe: log(0.005 / 0.001) / log(20); third of four; (512 - 128) / 896; a third; second of two.
    assert lines[0].get_ydata() == pytest.approx([np.log(5) / np.log(20), 2 / 3, 3 / 7, 1 / 3, 1])
