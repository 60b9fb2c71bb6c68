"""What the preparation says of a picture: blank, at the edge, too thin, faint, several digits."""

import numpy as np
import pytest
from drawings import WHITE, difference, draw

from pipeline.prediction.picture import BLANK, EDGE, FAINT, SEVERAL, THIN, prepare, split_digits


def test_no_warning_for_a_good_drawing():
    assert WHITE.warnings == ()


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("shape", [(1, 1), (2, 50), (28, 28), (280, 280)])
def test_blank(value, shape):
    prepared = prepare(np.full(shape, value, np.float32))
    assert prepared.warnings == (BLANK,)
    assert prepared.box is None
    assert not prepared.image.any()
    assert split_digits(np.full(shape, value, np.float32)) == []


@pytest.mark.parametrize("seed", range(5))
def test_grain_and_a_lamp_are_blank(seed):
    rng = np.random.default_rng(seed)
    page = 0.8 * (1 - 0.3 * np.linspace(0, 1, 240)) + 0.03 * rng.standard_normal((200, 240))
    assert prepare(np.clip(page, 0, 1)).warnings == (BLANK,)


@pytest.mark.parametrize("fall", [0.3, 0.6])
@pytest.mark.parametrize("degrees", [0, 35, 90, 200])
def test_a_lamp_beside_an_empty_page_is_blank(fall, degrees):
    y, x = np.mgrid[:200, :240] / 240
    light = np.cos(np.radians(degrees)) * x + np.sin(np.radians(degrees)) * y
    light = (light - light.min()) / np.ptp(light)
    page = 0.85 * (1 - fall * light) + 0.01 * np.random.default_rng(degrees).standard_normal(light.shape)
    assert prepare(np.clip(page, 0, 1)).warnings == (BLANK,)


@pytest.mark.parametrize("pale", [0.08, 0.12])
def test_a_pale_pencil_is_not_blank(pale):
    page = 0.85 - pale * draw(pen=6) + 0.008 * np.random.default_rng(3).standard_normal((280, 280))
    assert BLANK not in prepare(np.clip(page, 0, 1)).warnings


def test_a_single_dot_is_blank_only_when_nobody_would_see_it():
    dot = np.ones((280, 280), np.float32)
    dot[100:102, 100:102] = 0
    assert prepare(dot).warnings == (BLANK,)
    dot[90:110, 90:110] = 0
    assert BLANK not in prepare(dot).warnings


def test_touching_the_edge():
    assert prepare(1 - draw()[60:]).warnings == (EDGE,)


def test_too_thin():
    assert THIN in prepare(1 - draw(pen=2, tall=230, at=(40, 20))).warnings


def test_low_contrast():
    assert prepare(0.7 - 0.1 * draw()).warnings == (FAINT,)


def row(digits, *, gap=45, tall=120.0):
    return 1 - np.hstack(
        [draw(digit, size=(int(0.7 * tall) + gap, 220), at=(gap / 2, 45), tall=tall, pen=14) for digit in digits]
    )


@pytest.mark.parametrize("digits", [(7, 5), (1, 0, 2), (5, 4, 7, 2, 0, 5)])
def test_a_row_is_split_from_left_to_right(digits):
    picture = row(digits)
    assert SEVERAL in prepare(picture).warnings
    parts = split_digits(picture)
    assert len(parts) == len(digits)
    for part, digit in zip(parts, digits, strict=True):
        assert SEVERAL not in part.warnings
        assert difference(prepare(1 - draw(digit, tall=120.0, pen=14)), part) < 0.12
    assert [part.box[2] for part in parts] == sorted(part.box[2] for part in parts)


def test_one_digit_in_two_strokes_is_one():
    picture = 1 - draw()
    picture[:, 100:106] = 1  # the pen skipped: its left stroke and the rest hang together no more
    assert SEVERAL not in prepare(picture).warnings
    assert len(split_digits(picture)) == 1
