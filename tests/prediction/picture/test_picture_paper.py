"""Lamps, shadows, grain and chalk: the same drawing gives the same picture, whatever it is drawn on."""

import numpy as np
import pytest
from drawings import WHITE, difference, draw, lamp_and_shadow, photo
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from pipeline.prediction.picture import BLANK, prepare


def test_lamp_shadow_and_grain():
    prepared = prepare(photo(draw()))
    assert difference(WHITE, prepared) < 0.15
    assert prepared.warnings == ()
    assert prepared.ink.dark


def test_chalk_on_a_board():
    rng = np.random.default_rng(1)
    board = 0.15 + 0.1 * lamp_and_shadow(280, 280) + 0.5 * draw() + 0.01 * rng.standard_normal((280, 280))
    prepared = prepare(np.clip(board, 0, 1))
    assert difference(WHITE, prepared) < 0.15
    assert not prepared.ink.dark


def test_a_bold_digit_that_fills_its_picture():
    bold = draw(2, tall=150, pen=45)
    rows, columns = np.flatnonzero(bold.max(1) > 0.5), np.flatnonzero(bold.max(0) > 0.5)
    tight = 1 - bold[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert tight.mean() < 0.5  # more ink than paper
    assert difference(prepare(1 - bold), prepare(tight)) < 0.1
    blurred = Image.fromarray((tight * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1.5))
    grain = np.random.default_rng(2).normal(0, 4, tight.shape)
    assert prepare(np.clip(np.asarray(blurred) + grain, 0, 255).astype(np.uint8)).ink.dark


def edge_of_a_shadow(degrees, place, soft):
    """How far each pixel of 280 × 280 lies in a shadow, 0 to 1, whose straight edge is `soft` pixels wide."""
    y, x = np.mgrid[:280, :280] - 139.5
    along = np.cos(np.radians(degrees)) * x + np.sin(np.radians(degrees)) * y
    return 1 / (1 + np.exp(-(along - place) / soft))


@settings(deadline=None, max_examples=40)
@given(
    degrees=st.floats(0, 360),
    place=st.floats(-60, 60),
    depth=st.floats(0.3, 0.5),
    soft=st.floats(2, 25),
    seed=st.integers(0, 9),
)
def test_the_edge_of_a_shadow_is_no_ink(degrees, place, depth, soft, seed):
    light = 0.9 * (1 - depth * edge_of_a_shadow(degrees, place, soft))
    grain = 0.01 * np.random.default_rng(seed).standard_normal(light.shape)
    prepared = prepare(np.clip(light * (1 - 0.8 * draw()) + grain, 0, 1))
    assert prepared.ink.dark
    assert difference(WHITE, prepared) < 0.25


@pytest.mark.parametrize("seed", range(4))
def test_a_lamp_brighter_than_white(seed):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:280, :280]
    lamp = 1.35 * np.exp(-(((y - 130) ** 2 + (x - 150) ** 2) / 190**2)) + 0.25
    page = np.minimum(lamp, 1.1) * (1 - 0.85 * draw()) * 0.95
    prepared = prepare(np.clip(page + 0.01 * rng.standard_normal(page.shape), 0, 1))
    assert BLANK not in prepared.warnings
    assert difference(WHITE, prepared) < 0.15


@pytest.mark.parametrize("grain", [0.05, 0.1, 0.15])
def test_coarse_grain(grain):
    page = 0.8 - 0.65 * draw() + grain * np.random.default_rng(7).standard_normal((280, 280))
    assert difference(WHITE, prepare(np.clip(page, 0, 1))) < 0.2


@pytest.mark.parametrize("bold", [2, 5, 7])
def test_a_bold_digit_is_no_shadow(bold):
    ink = draw(bold, tall=230, at=(50, 25), pen=60)
    assert ink.mean() > 0.25
    prepared = prepare(np.float32(0.85) - 0.6 * ink)
    assert prepared.ink.dark
    assert difference(prepare(1 - ink), prepared) < 0.05
