"""What is not the digit: frames, lines, specks, tables."""

import numpy as np
import pytest
from drawings import WHITE, difference, draw, frame, photo
from PIL import Image, ImageDraw

from pipeline.prediction.picture import SEVERAL, prepare
from pipeline.prediction.picture.clean import remove_lines


@pytest.mark.parametrize(("inset", "thick"), [(0, 3), (0, 12), (4, 2), (25, 3)])
def test_frames(inset, thick):
    assert difference(WHITE, prepare(frame(1 - draw(), 0, inset, thick))) < 0.03


@pytest.mark.parametrize("sides", [("top",), ("left", "bottom"), ("right",)])
def test_parts_of_a_frame(sides):
    cuts = {"top": np.s_[:5], "bottom": np.s_[-5:], "left": np.s_[:, :5], "right": np.s_[:, -5:]}
    image = 1 - draw()
    for side in sides:
        image[cuts[side]] = 0
    assert difference(WHITE, prepare(image)) < 0.03


def test_a_large_0_around_something_is_no_frame():
    ring = 1 - draw(0, at=(50, 30), tall=220)
    ring[125:155, 105:125] = 0
    assert prepare(ring).box[1] - prepare(ring).box[0] > 200


@pytest.mark.parametrize("lean", [0, 2])
def test_ruled_paper(lean):
    page = Image.new("L", (280, 280))
    for y in range(-10, 290, 40):
        ImageDraw.Draw(page).line((0, y, 280, y + lean * 4), fill=150, width=2)
    lines = np.asarray(page, np.float32) / 255
    prepared = prepare(1 - np.maximum(draw(), lines))
    assert difference(WHITE, prepared) < 0.15
    assert prepared.ink.ink.sum() > remove_lines(prepared.ink.ink).sum() + 500


def test_squared_paper():
    image = 1 - draw()
    lines = np.ones_like(image)
    lines[::35] = lines[:, ::35] = 0.5
    assert difference(WHITE, prepare(np.minimum(image, lines))) < 0.15


def test_the_top_bar_of_a_thin_7_is_no_line():
    tight = 1 - draw(7, at=(3, 3), tall=270, pen=4, size=(170, 280))
    assert difference(prepare(1 - draw(7, tall=180, pen=4 * 180 / 270)), prepare(tight)) < 0.2


STEMS = {  # each with lines as long as nine tenths of the picture, which they leave on no side
    "1": [[(100, 8), (98, 190)]],
    "7": [[(60, 12), (120, 12)], [(120, 12), (112, 192)]],
    "9": [[(116, 40), (93, 70), (70, 40), (93, 12), (116, 40)], [(116, 40), (112, 192)]],
}


@pytest.mark.parametrize("lines", STEMS.values(), ids=STEMS.keys())
def test_a_long_thin_stem_is_no_ruled_line(lines):
    image = Image.new("L", (200, 200), 245)
    for line in lines:
        ImageDraw.Draw(image).line(line, fill=15, width=3)
    prepared = prepare(np.asarray(image))
    kept = remove_lines(prepared.ink.ink).sum()
    assert kept == pytest.approx((np.asarray(image) < 100).sum(), rel=0.05)  # all of the ink
    lowest = max(y for line in lines for _, y in line)
    assert prepared.box[1] == pytest.approx(lowest, abs=4)


def test_specks():
    image = 1 - draw()
    rng = np.random.default_rng(3)
    for top, left in rng.integers(0, 276, (15, 2)):
        image[top : top + 3, left : left + 2] = 0
    assert difference(WHITE, prepare(image)) < 0.1


def test_a_card_on_a_table():
    scene = np.full((480, 480), 0.25, np.float32)
    scene[100:380, 90:370] = 0.9 * (1 - draw())
    prepared = prepare(scene)
    assert difference(WHITE, prepared) < 0.08
    assert abs(prepared.box[0] - (WHITE.box[0] + 100)) <= 2
    assert abs(prepared.box[2] - (WHITE.box[2] + 90)) <= 2
    turned = Image.fromarray((scene * 255).astype(np.uint8)).rotate(6, Image.Resampling.BICUBIC, fillcolor=64)
    alone = Image.fromarray(((1 - draw()) * 255).astype(np.uint8)).rotate(6, Image.Resampling.BICUBIC, fillcolor=255)
    assert difference(prepare(np.asarray(alone)), prepare(np.asarray(turned))) < 0.1


def test_a_black_canvas_on_a_white_page():
    scene = np.ones((400, 420), np.float32)
    scene[80:360, 100:380] = draw()
    prepared = prepare(scene)
    assert difference(WHITE, prepared) < 0.03
    assert not prepared.ink.dark


def test_a_dark_corner_does_not_hide_a_pale_stroke():
    page = photo(0.5 * draw())
    corner = np.add.outer(np.arange(280), np.arange(280)) < 70
    page[corner] = 0.02
    assert difference(WHITE, prepare(page)) < 0.15


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("thick", [3, 16])
def test_two_sides_of_a_frame_that_meet(turns, thick):
    corner = np.zeros((280, 280), bool)
    corner[6 : 6 + thick, 6:] = corner[6:, 6 : 6 + thick] = True
    image = 1 - draw()
    image[np.rot90(corner, turns)] = 0
    assert difference(WHITE, prepare(image)) < 0.03


def test_a_small_digit_in_a_large_frame():
    small = frame(1 - draw(tall=45, pen=6, at=(120, 120)), 0, 8, 4)
    assert difference(prepare(1 - draw(tall=45, pen=6, at=(120, 120))), prepare(small)) < 0.05


def test_a_large_7_with_a_stroke_of_its_own_is_no_frame():
    seven = draw(7, tall=270, pen=14, at=(5, 5), size=(175, 280))
    seven[150:160, 20:60] = 1
    prepared = prepare(1 - seven)
    assert prepared.box[1] - prepared.box[0] > 250
    assert prepared.box[3] - prepared.box[2] > 140


@pytest.mark.parametrize("lean", [0.0, 3.5])
@pytest.mark.parametrize("step", [22, 40])
def test_squared_paper_that_leans_with_lines_as_dark_as_ink(lean, step):
    y, x = np.mgrid[:280, :280].astype(np.float32)
    tilt = np.tan(np.radians(lean))
    near = [np.abs((line + step / 2) % step - step / 2) for line in (y + tilt * x + 9, x - tilt * y + 4)]
    lines = np.clip(1.5 - np.minimum(*near), 0, 1)
    prepared = prepare(0.9 - 0.7 * np.maximum(draw(), 0.7 * lines))
    assert SEVERAL not in prepared.warnings
    assert difference(WHITE, prepared) < 0.3
