"""What the network sees: size, stroke weight and place, the same for the same drawing wherever it was drawn."""

import numpy as np
import pytest
from drawings import SHAPES, WHITE, difference, draw
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.errors import UsageError
from pipeline.prediction.picture import FAINT, Style, prepare, style_of
from pipeline.prediction.picture.fit import centre_of_mass, stroke_width


@pytest.mark.parametrize("digit", SHAPES)
def test_box_and_centre_of_mass(digit):
    image = prepare(1 - draw(digit)).image
    assert image.shape == (28, 28)
    assert image.dtype == np.uint8
    rows, columns = np.flatnonzero(image.max(1) > 40), np.flatnonzero(image.max(0) > 40)
    assert 19 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 21
    # Kaggle's rows have theirs at pixel index 14.
    assert np.allclose(centre_of_mass(image), 14, atol=0.3)
    assert prepare(1 - draw(digit)).warnings == ()


@pytest.mark.parametrize("side", [8, 16, 28, 45, 64])
def test_any_side(side):
    image = prepare(1 - draw(), Style(side=side)).image
    assert image.shape == (side, side)
    assert np.allclose(centre_of_mass(image), side / 2, atol=0.3)
    rows = np.flatnonzero(image.max(1) > 40)
    assert abs(np.ptp(rows) + 1 - side * 20 / 28) <= 1.5


def test_the_aspect_is_kept():
    image = np.ones((100, 200))
    image[40:60, 50:150] = 0  # a bar five times as long as thick: 20 × 4 in the end
    prepared = prepare(image, Style(thickest=1))
    assert prepared.box == (39, 61, 49, 151)
    assert prepared.image[14].sum() / 255 == pytest.approx(20, abs=0.2)
    assert prepared.image[:, 14].sum() / 255 == pytest.approx(4, abs=0.2)


def test_the_box_is_that_of_the_given_picture():
    image = np.zeros((280, 280), np.uint8)
    image[60:200, 80:120] = 255
    top, bottom, left, right = prepare(image).box
    assert abs(top - 60) <= 1
    assert abs(bottom - 200) <= 1
    assert abs(left - 80) <= 1
    assert abs(right - 120) <= 1


def test_stroke_width_of_a_bar():
    bar = np.zeros((100, 40), np.float32)
    bar[:, 17:23] = 1  # 6 wide, 100 long, its ends at the edge of the picture, which count as well
    assert stroke_width(bar) == pytest.approx(2 * 600 / (100 + 6 + 100 + 6), rel=0.04)
    assert stroke_width(np.zeros((5, 5), np.float32)) == 0


def test_thin_and_thick_pens_come_near_the_training_data():
    usual = Style()
    widths = {pen: prepare(1 - draw(pen=pen)).image for pen in (4, 10, 18, 40)}
    for pen, image in widths.items():
        fine = np.asarray(Image.fromarray(image).resize((112, 112), Image.Resampling.BICUBIC), np.float32) / 255
        found = stroke_width(fine) / 4
        assert 0.85 * usual.thinnest * 28 <= found <= 1.15 * usual.thickest * 28, pen


def test_the_style_of_training_rows_is_measured():
    rows = np.stack([prepare(1 - draw(digit, pen=pen)).image for digit in SHAPES for pen in (14, 18, 22)])
    style = style_of(rows)
    assert style.side == 28
    assert style.box == pytest.approx(20 / 28, abs=1.1 / 28)
    assert style.centre == pytest.approx(0.5, abs=0.01)
    assert 2 / 28 <= style.thinnest <= style.thickest <= 3.6 / 28
    with pytest.raises(UsageError, match="cannot be measured"):
        style_of(np.zeros((3, 28, 28), np.uint8))


@settings(deadline=None, max_examples=25)
@given(x=st.floats(25, 160), y=st.floats(15, 110))
def test_shifts_give_the_same(x, y):
    assert difference(WHITE, prepare(1 - draw(at=(x, y)))) < 0.06


@settings(deadline=None, max_examples=25)
@given(scale=st.floats(0.3, 1.6))
def test_scales_give_the_same(scale):
    small = draw(at=(90 * scale, 65 * scale), tall=150 * scale, pen=18 * scale, size=(450, 450))
    assert difference(WHITE, prepare(1 - small)) < 0.16


@settings(deadline=None, max_examples=25)
@given(paper=st.floats(0, 1), ink=st.floats(0, 1))
def test_polarity_and_contrast_give_the_same(paper, ink):
    if abs(paper - ink) > 0.05:
        prepared = prepare(np.float32(paper) + np.float32(ink - paper) * draw())
        assert difference(WHITE, prepared) < 0.02
        assert prepared.ink.dark == (ink < paper)
        assert prepared.ink.contrast == pytest.approx(abs(ink - paper), abs=0.01)
        assert (FAINT in prepared.warnings) == (prepared.ink.contrast < 0.15)


@pytest.mark.parametrize("digit", SHAPES)
def test_what_was_prepared_stays_as_it_is(digit):
    once = prepare(1 - draw(digit))
    twice = prepare(once.image)
    # 28 × 28 hold a stroke of three pixels to a part of a pixel only.
    assert difference(once, twice) < 0.3
    assert difference(twice, prepare(twice.image)) < 0.15
    assert np.allclose(centre_of_mass(twice.image), centre_of_mass(once.image), atol=0.05)


def test_uint8_and_fractions_agree():
    image = np.round((1 - draw()) * 255).astype(np.uint8)
    assert np.array_equal(prepare(image).image, prepare(image / 255).image)


def test_the_picture_is_not_changed_and_the_answer_is_the_same_twice():
    image = 1 - draw()
    image.flags.writeable = False
    assert np.array_equal(prepare(image).image, prepare(image).image)
