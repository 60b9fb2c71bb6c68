"""From grey values to what the network sees: the same drawing gives the same picture, whatever it is drawn on."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageDraw, ImageFilter

from pipeline.errors import DataError, UsageError
from pipeline.picture import BLANK, EDGE, FAINT, SEVERAL, THIN, Style, decode, prepare, split_digits, style_of
from pipeline.picture.fit import centre_of_mass, stroke_width

SHAPES = {
    1: [[(0.5, 0), (0.5, 1)]],
    2: [[(0, 0.2), (0.3, 0), (0.6, 0.2), (0, 1), (0.65, 1)]],
    4: [[(0.4, 0), (0, 0.6), (0.7, 0.6)], [(0.5, 0.3), (0.5, 1)]],
    5: [[(0.6, 0), (0.1, 0), (0.05, 0.45), (0.5, 0.5), (0.6, 0.75), (0.3, 1), (0, 0.9)]],
    7: [[(0, 0), (0.6, 0), (0.2, 1)]],
    0: [[(0.3, 0), (0.6, 0.5), (0.3, 1), (0, 0.5), (0.3, 0), (0.6, 0.5)]],
}


def draw(digit=5, *, size=(280, 280), at=(80.0, 60.0), tall=150.0, pen=18.0):
    """A drawing (h, w) float32, 1 ink on 0: strokes with round ends, drawn four times as large."""
    image = Image.new("L", (size[0] * 4, size[1] * 4))
    pencil = ImageDraw.Draw(image)
    for stroke in SHAPES[digit]:
        points = [((at[0] + x * tall) * 4, (at[1] + y * tall) * 4) for x, y in stroke]
        pencil.line(points, fill=255, width=round(pen * 4))
        for x, y in points:
            pencil.ellipse((x - pen * 2, y - pen * 2, x + pen * 2, y + pen * 2), fill=255)
    return np.asarray(image.reduce(4), np.float32) / 255


def difference(first, second):
    """Mean absolute difference of two prepared pictures, in grey levels per grey level of ink."""
    first, second = first.image.astype(float), second.image.astype(float)
    return np.abs(first - second).sum() / first.sum()


def lamp_and_shadow(height, width):
    """Brightness of a page with a lamp at its left and a shadow across its lower right corner."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    shadow = 1 - 0.4 / (1 + np.exp(-(x + y - 0.9 * width) / 8))
    return (1 - 0.35 * x / width) * shadow


WHITE = prepare(1 - draw())


# ---- The form


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
        fine = (
            np.asarray(Image.fromarray(image).resize((112, 112), Image.Resampling.BICUBIC), np.float32) / 255
        )
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


# ---- The same drawing


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
    assert np.allclose(twice.centre, once.centre, atol=0.05)


def test_uint8_and_fractions_agree():
    image = np.round((1 - draw()) * 255).astype(np.uint8)
    assert np.array_equal(prepare(image).image, prepare(image / 255).image)


def test_the_picture_is_not_changed_and_the_answer_is_the_same_twice():
    image = 1 - draw()
    image.flags.writeable = False
    assert np.array_equal(prepare(image).image, prepare(image).image)


def photo(ink, *, paper=0.85, seed=0):
    rng = np.random.default_rng(seed)
    page = paper * lamp_and_shadow(*ink.shape) * (1 - 0.75 * ink)
    return np.clip(page + 0.012 * rng.standard_normal(ink.shape), 0, 1)


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


# ---- What is not the digit


def frame(picture, value, inset, thick):
    picture = picture.copy()
    height, width = picture.shape
    edge = np.ones(picture.shape, bool)
    edge[inset + thick : height - inset - thick, inset + thick : width - inset - thick] = False
    edge[:inset] = edge[height - inset :] = edge[:, :inset] = edge[:, width - inset :] = False
    picture[edge] = value
    return picture


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
    assert prepared.ink.ink.sum() > prepared.cleaned.sum() + 500


def test_squared_paper():
    image = 1 - draw()
    lines = np.ones_like(image)
    lines[::35] = lines[:, ::35] = 0.5
    assert difference(WHITE, prepare(np.minimum(image, lines))) < 0.15


def test_the_top_bar_of_a_thin_7_is_no_line():
    tight = 1 - draw(7, at=(3, 3), tall=270, pen=4, size=(170, 280))
    assert difference(prepare(1 - draw(7, tall=180, pen=4 * 180 / 270)), prepare(tight)) < 0.2


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
    alone = Image.fromarray(((1 - draw()) * 255).astype(np.uint8)).rotate(
        6, Image.Resampling.BICUBIC, fillcolor=255
    )
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


# ---- What it says


def test_no_warning_for_a_good_drawing():
    assert WHITE.warnings == ()
    assert WHITE.writing.shape == WHITE.cleaned.shape == WHITE.ink.ink.shape == WHITE.grey.shape
    assert WHITE.centre == centre_of_mass(WHITE.image)


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
        [
            draw(digit, size=(int(0.7 * tall) + gap, 220), at=(gap / 2, 45), tall=tall, pen=14)
            for digit in digits
        ]
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


# ---- Anything else


@settings(deadline=None, max_examples=60)
@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=70)))
def test_any_picture_gives_a_form_or_blank(picture):
    prepared = prepare(picture)
    assert prepared.image.shape == (28, 28)
    assert (prepared.box is None) == (BLANK in prepared.warnings) == (not prepared.image.any())
    for part in split_digits(picture):
        top, bottom, left, right = part.box
        assert 0 <= top < bottom <= picture.shape[0]
        assert 0 <= left < right <= picture.shape[1]


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (np.zeros(784), r"shape \(784,\)"),
        (np.zeros((28, 28, 3)), r"shape \(28, 28, 3\)"),
        (np.zeros((0, 5)), r"shape \(0, 5\)"),
        (np.full((28, 28), 255.0), "float64 from 255.0 to 255.0"),
        (np.full((28, 28), -0.1), "fractions from 0 to 1"),
        (np.full((28, 28), np.nan), "float64 from nan to nan"),
        (np.zeros((28, 28), np.int64), "int64 from 0 to 0"),
    ],
)
def test_arrays_that_are_no_picture(picture, words):
    with pytest.raises(DataError, match=words):
        prepare(picture)
    with pytest.raises(DataError, match=words):
        split_digits(picture)


HANDWRITING = Path(__file__).resolve().parents[3] / "shared" / "handwriting"


@pytest.mark.skipif(not HANDWRITING.is_dir(), reason="the labelled pictures are not here")
def test_real_pictures_are_each_one_digit_of_the_right_form():
    paths = sorted(p for p in HANDWRITING.rglob("*") if p.suffix in (".png", ".bmp"))
    assert len(paths) > 300
    for path in paths:
        prepared = prepare(decode(path).grey)
        assert not {BLANK, SEVERAL} & set(prepared.warnings), path
        assert np.allclose(prepared.centre, 14, atol=0.5), path
        assert prepared.ink.dark == ("light-on-dark" not in path.parent.name), path
