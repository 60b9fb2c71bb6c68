import hashlib
import itertools
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from PIL import Image

from pipeline.report.figures import Series, accuracy_figure, noise_figure, save_figure
from pipeline.report.style import look

SIGMAS = (0, 0.1, 0.2, 0.3, 0.5)


def misses(levels: int) -> list[list[int]]:
    """Lines that start together, fan out and, for the first three, end together."""
    return [[15, 60, 480, 740, 850]] * 3 + [
        [15, 40, 300 - 10 * t, 600 - 20 * t, 800 - 35 * t] for t in range(3, levels)
    ]


@pytest.mark.parametrize("levels", [1, 2, 4, 8, 20])
@pytest.mark.parametrize("sample", [False, True])
def test_no_text_overlaps_or_leaves_the_picture(make_grid, levels, sample):
    grid = make_grid(misses(levels)[:levels], levels=range(levels))
    figure = noise_figure(grid, SIGMAS, data="a rather long name of the data, " * 4, sample=sample)
    FigureCanvasAgg(figure).draw()
    # Ticks have a second label at the other side of the axes, which is not shown.
    shown = [text for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]
    boxes = {text.get_text(): text.get_window_extent() for text in shown}
    assert {f"σ {level}" for level in range(levels)} < set(boxes)
    for (one, first), (other, second) in itertools.combinations(boxes.items(), 2):
        assert not first.overlaps(second), (one, other)
    for text, box in boxes.items():
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1, text


def test_the_lines_are_the_table(make_grid):
    figure = noise_figure(make_grid(), SIGMAS, data="digits")
    bars = figure.axes[0].containers
    line, _, (interval,) = bars[0].lines
    assert line.get_xdata() == pytest.approx(SIGMAS)
    assert line.get_ydata() == pytest.approx([98.4, 93.5, 51.9, 25.9, 14.9])
    # Misses of 480, 481 and 482 of 1,000 rows: next to nothing but the luck of rows, so nearly Wilson's interval.
    assert interval.get_segments()[2][:, 1] == pytest.approx([48.80, 54.98], abs=0.1)
    assert len(bars) == 2


def test_conditions_out_of_order_are_drawn_in_order(make_grid):
    figure = noise_figure(make_grid(), (0.5, 0.3, 0.2, 0.1, 0), data="digits")
    line = figure.axes[0].containers[0].lines[0]
    assert line.get_xdata() == pytest.approx(SIGMAS)
    assert line.get_ydata() == pytest.approx([14.9, 25.9, 51.9, 93.5, 98.4])


def test_intervals_end_where_accuracy_ends():
    series = [Series("a", np.array([99.0]), np.array([60.0]), np.array([138.0]))]
    figure = accuracy_figure(np.array([1.0]), series, title="t", x_label="x", series_label="s", caption="c")
    (interval,) = figure.axes[0].containers[0].lines[2]
    assert interval.get_segments()[0][:, 1] == pytest.approx([60, 100])


def test_ticks_that_would_run_into_each_other_are_left_to_matplotlib(make_grid):
    close = noise_figure(make_grid(), (0, 0.001, 0.2, 0.3, 0.5), data="digits")
    assert 0.001 not in close.axes[0].get_xticks()
    assert 0.1 in noise_figure(make_grid(), SIGMAS, data="digits").axes[0].get_xticks()


def test_one_repeat_is_told_as_such(make_grid):
    texts = " ".join(text.get_text() for text in noise_figure(make_grid(repeats=1), SIGMAS, data="d").findobj(Text))
    assert "95 % Wilson interval" in texts.replace("\n", " ")


def test_files_are_what_they_say(make_grid, tmp_path):
    figure = noise_figure(make_grid(), SIGMAS, data="costs $5, not $6 & <more>", sample=True)
    png, svg = save_figure(figure, tmp_path / "figures" / "noise v1.2")
    assert (png.name, svg.name) == ("noise v1.2.png", "noise v1.2.svg")
    with Image.open(png) as picture:
        assert picture.format == "PNG"
        assert picture.width == 8 * 150
        assert picture.info["dpi"] == pytest.approx((150, 150), abs=0.1)
        assert not picture.text
    texts = " ".join(element.text or "" for element in ElementTree.parse(svg).iter("{http://www.w3.org/2000/svg}text"))
    for said in ("costs $5, not $6 & <more>", "EMBEDDED SAMPLE", "σ 0.1", "pixel scale"):
        assert said in texts


WRITE = """
import sys
from pathlib import Path
import numpy as np
from pipeline.evaluation.grid import Grid
from pipeline.report.figures import noise_figure, save_figure
from pipeline.report.tables import grid_csv, markdown_report, table_csv
from pipeline.evaluation.statistics import compare_to_baseline
predictions = np.random.default_rng(0).integers(0, 2, (3, 2, 2, 50))
grid = Grid(("a", "b", "c"), ("clean", "x"), np.zeros(50, int), predictions, predictions[:, 0])
folder = Path(sys.argv[1])
folder.mkdir()
text = markdown_report(grid, compare_to_baseline(grid, "a", ["clean", "x"]), data="d")
(folder / "text").write_bytes((text + table_csv(grid) + grid_csv(grid)).encode())
save_figure(noise_figure(grid, [0, 1], data="d"), folder / "figure")
"""


def test_same_input_same_bytes_in_another_process_on_another_day(tmp_path):
    def digests(name: str, **environment: str) -> dict[str, str]:
        subprocess.run(
            [sys.executable, "-c", WRITE, tmp_path / name],
            check=True, cwd=Path(__file__).parents[2], env=os.environ | environment,
        )  # fmt: skip
        files = sorted((tmp_path / name).iterdir())
        return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}

    first = digests("first", PYTHONHASHSEED="1", SOURCE_DATE_EPOCH="1")
    assert set(first) == {"text", "figure.png", "figure.svg"}
    assert digests("second", PYTHONHASHSEED="2", SOURCE_DATE_EPOCH="2000000000") == first


def test_the_users_own_settings_change_nothing_and_are_left_alone(make_grid, tmp_path):
    def svg(name: str) -> bytes:
        return save_figure(noise_figure(make_grid(), SIGMAS, data="d"), tmp_path / name)[1].read_bytes()

    plain = svg("plain")
    with matplotlib.rc_context({"axes.facecolor": "red", "font.size": 30, "savefig.bbox": "tight"}):
        assert svg("odd") == plain
        assert matplotlib.rcParams["font.size"] == 30


def test_twenty_models_look_different():
    assert len({tuple(look(position).values()) for position in range(20)}) == 20
