"""Corruptions and warps: moments, hand-worked pictures, and golden pictures that were looked at.

`python tests/evaluation/robustness/test_corruptions.py` draws golden/<corruption>.png for each that has none yet: two
digits at severity 0, then at 1 … 5. Look at it before keeping it; remove the file to draw it anew.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from pipeline.errors import UsageError
from pipeline.evaluation.robustness import overlays, warps
from pipeline.evaluation.robustness.corruptions import CORRUPTIONS, MNIST_C, corrupt

GOLDEN = Path(__file__).parent / "golden"
GREY = np.full((200, 28, 28), 0.5, np.float32)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def point(side: int = 29, n: int = 1) -> np.ndarray:
    images = np.zeros((n, side, side), np.float32)
    images[:, side // 2, side // 2] = 1
    return images


def spread(image: np.ndarray) -> np.ndarray:
    """Variance of the picture's mass along rows and columns."""
    places = np.mgrid[: image.shape[0], : image.shape[1]].reshape(2, -1)
    return np.cov(places, aweights=image.ravel(), ddof=0)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_severity_0_is_the_picture_itself_and_a_copy(name):
    images = rng(1).random((3, 28, 28), dtype=np.float32)
    before = images.copy()
    out = corrupt(images, name, 0, rng=rng())
    assert np.array_equal(out, images) and not np.shares_memory(out, images)
    corrupt(images, name, 5, rng=rng())
    assert np.array_equal(images, before)


@settings(deadline=None, max_examples=60)
@given(
    name=st.sampled_from(list(CORRUPTIONS)),
    severity=st.integers(1, 5),
    side=st.integers(8, 32),
    dtype=st.sampled_from([np.uint8, np.float32, np.float64]),
)
def test_any_picture_gives_a_picture(name, severity, side, dtype):
    images = rng(side).random((3, side, side))
    images = (images * 255).astype(np.uint8) if dtype == np.uint8 else images.astype(dtype)
    out = corrupt(images, name, severity, rng=rng())
    assert out.shape == images.shape and out.dtype == (np.float32 if dtype == np.uint8 else dtype)
    assert out.min() >= 0 and out.max() <= 1
    assert name == "spatter" or not np.array_equal(out, images)  # mud may miss three small pictures
    assert np.array_equal(out, corrupt(images, name, severity, rng=rng()))


@pytest.mark.parametrize(
    ("name", "severity", "message"),
    [
        ("gausian_noise", 1, "There is no corruption 'gausian_noise': did you mean gaussian_noise?"),
        ("rotate", 6, "The severity of rotate must be a whole number from 0 to 5, found 6."),
        ("rotate", -1, "The severity of rotate must be a whole number from 0 to 5, found -1."),
        ("rotate", 2.0, "The severity of rotate must be a whole number from 0 to 5, found 2.0."),
        ("rotate", True, "The severity of rotate must be a whole number from 0 to 5, found True."),
    ],
)
def test_unknown_names_and_severities_are_refused(name, severity, message):
    with pytest.raises(UsageError) as caught:
        corrupt(GREY, name, severity, rng=rng())
    assert str(caught.value) == message


def test_pictures_that_are_not_square_are_refused():
    with pytest.raises(UsageError, match=r"square pictures .* \(2, 4, 5\)"):
        corrupt(np.zeros((2, 4, 5), np.float32), "scale", 1, rng=rng())


def test_noises_have_the_moments_that_their_tables_say():
    assert corrupt(GREY, "gaussian_noise", 2, rng=rng()).std() == pytest.approx(0.12, rel=0.02)
    # Poisson: the count has the variance of its mean, 60 · 0.5.
    shot = corrupt(GREY, "shot_noise", 1, rng=rng())
    assert shot.mean() == pytest.approx(0.5, abs=0.001) and shot.std() == pytest.approx(30**0.5 / 60, rel=0.02)
    assert corrupt(GREY, "speckle_noise", 1, rng=rng()).std() == pytest.approx(0.15 * 0.5, rel=0.02)
    salted = corrupt(GREY, "impulse_noise", 5, rng=rng())
    assert (salted == 0).mean() == pytest.approx(0.135, abs=0.003)
    assert (salted == 1).mean() == pytest.approx(0.135, abs=0.003)
    assert (salted == 0.5).mean() == pytest.approx(0.73, abs=0.005)


def test_brightness_adds_and_clips_and_contrast_shrinks_towards_the_mean():
    images = np.array([[[0.0, 0.2], [0.6, 0.8]]], np.float32)
    np.testing.assert_allclose(corrupt(images, "brightness", 3, rng=rng())[0], [[0.3, 0.5], [0.9, 1.0]], atol=1e-6)
    # The mean is 0.4; half of the way at a factor of 0.1: 0.36, 0.38, 0.42, 0.44.
    np.testing.assert_allclose(corrupt(images, "contrast", 4, rng=rng())[0], [[0.36, 0.38], [0.42, 0.44]], atol=1e-6)


def test_blurs_spread_a_point_as_far_as_they_say_and_lose_nothing():
    scale = 29 / 28
    gaussian = corrupt(point(), "gaussian_blur", 2, rng=rng())[0]
    assert gaussian.sum() == pytest.approx(1, abs=0.01)
    np.testing.assert_allclose(spread(gaussian), np.eye(2) * (2 * scale) ** 2, atol=0.1)
    # A disc of radius r has variance r²/4 along each axis.
    disc = corrupt(point(), "defocus_blur", 3, rng=rng())[0]
    assert disc.sum() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(spread(disc), np.eye(2) * (6 * scale) ** 2 / 4, rtol=0.1, atol=0.01)
    motion = corrupt(point(n=200), "motion_blur", 1, rng=rng())
    np.testing.assert_allclose(motion.sum(axis=(1, 2)), 1, atol=0.01)
    # A one-sided tail of σ 3 at −45° … 45°: longer along columns than along rows.
    assert np.mean([spread(m)[1, 1] > spread(m)[0, 0] for m in motion]) > 0.95
    # Two blurs of σ 1.1 between which every swap moves a pixel by no more than 3, twice.
    glass = corrupt(point(), "glass_blur", 4, rng=rng())[0]
    assert glass.sum() > 0.5 and glass.max() < 0.2


def test_a_quarter_turn_is_numpys():
    images = rng(1).random((40, 9, 9), dtype=np.float32)
    turned = warps.rotate(images, np.pi / 2, rng=rng())
    pairs = zip(images, turned, strict=True)
    ways = [[np.allclose(after, np.rot90(before, k), atol=1e-5) for k in (1, 3)] for before, after in pairs]
    assert np.all(np.sum(ways, axis=1) == 1) and np.all(np.any(ways, axis=0))


def test_scale_shrinks_about_the_centre_against_scipy():
    images = ndimage.gaussian_filter(rng(1).random((1, 28, 28), dtype=np.float32), (0, 1, 1))
    half = corrupt(images, "scale", 5, rng=rng())[0]
    expected = ndimage.affine_transform(images[0], [2, 2], offset=-13.5, order=1, mode="constant")
    np.testing.assert_allclose(half, expected, atol=1e-5)


def test_shear_tilts_a_vertical_line_by_its_angle_and_keeps_the_centre():
    image = np.zeros((1, 29, 29), np.float32)
    image[0, :, 14] = 1
    sheared = np.abs(warps.shear(image, 0.4, rng=rng())[0])
    assert sheared[14, 14] == pytest.approx(1, abs=1e-5)
    # 10 rows below the centre the line lies 10 · sin 0.4 = 3.89 columns to one side.
    columns = np.average(np.arange(29), weights=sheared[24]) - 14
    assert abs(columns) == pytest.approx(3.89, abs=0.01)


def test_translate_moves_along_all_four_diagonals_and_fades_nothing():
    moved = corrupt(point(28, n=100), "translate", 3, rng=rng())
    places = {tuple(np.subtract(np.unravel_index(m.argmax(), m.shape), 14)) for m in moved}
    assert places == {(3, 3), (3, -3), (-3, 3), (-3, -3)}
    np.testing.assert_allclose(moved.max(axis=(1, 2)), 1, atol=1e-5)


def test_elastic_without_its_parts_is_the_identity_and_with_affine_only_keeps_lines_straight():
    images = rng(1).random((2, 28, 28), dtype=np.float32)
    np.testing.assert_allclose(warps.elastic(images, (0, 0.1, 0), rng=rng()), images, atol=1e-5)
    ramp = np.broadcast_to(np.linspace(0, 1, 28, dtype=np.float32), (5, 28, 28))
    inner = warps.elastic(ramp, (0, 0.1, 0.1), rng=rng())[:, 9:19, 9:19]
    assert np.abs(np.diff(inner, 2, axis=1)).max() < 1e-4 and np.abs(np.diff(inner, 2, axis=2)).max() < 1e-4


@pytest.mark.parametrize(("side", "square"), [(28, 12), (14, 6), (8, 3)])
def test_occlusion_hides_a_square_in_the_middle(side, square):
    hidden = corrupt(np.ones((200, side, side), np.float32), "occlusion", 5, rng=rng()) == 0
    assert np.all(hidden.sum(axis=(1, 2)) == square**2)
    margin = round(side / 7)
    rows = np.flatnonzero(hidden.any(axis=(0, 2)))
    assert rows[0] == margin and rows[-1] == side - margin - 1


@pytest.mark.parametrize(
    ("direction", "expected"),
    [
        ("right", [[0, 1, 2], [0, 4, 5], [0, 7, 8]]),
        ("left", [[2, 3, 0], [5, 6, 0], [8, 9, 0]]),
        ("up", [[4, 5, 6], [7, 8, 9], [0, 0, 0]]),
        ("down", [[0, 0, 0], [1, 2, 3], [4, 5, 6]]),
        ("down-right", [[0, 0, 0], [0, 1, 2], [0, 4, 5]]),
        ("up-left", [[5, 6, 0], [8, 9, 0], [0, 0, 0]]),
        ("up-right", [[0, 4, 5], [0, 7, 8], [0, 0, 0]]),
        ("down-left", [[0, 0, 0], [2, 3, 0], [5, 6, 0]]),
    ],
)
def test_shifts_go_where_their_name_says(direction, expected):
    image = np.arange(1, 10).reshape(1, 3, 3)
    assert warps.shift(image, direction, 1)[0].tolist() == expected
    assert np.array_equal(warps.shift(image, direction, 0), image)


def digits() -> np.ndarray:
    """Two 28×28 digits (2, 28, 28) uint8, a 3 and a 4, from scikit-learn's 8×8 ones."""
    from sklearn.datasets import load_digits

    small = load_digits().images[[3, 4]] / 16
    large = np.clip(ndimage.zoom(small, (1, 2.5, 2.5), order=3), 0, 1)
    return np.rint(255 * np.pad(large, ((0, 0), (4, 4), (4, 4)))).astype(np.uint8)


def row_of_sheet(images: np.ndarray, name: str) -> np.ndarray:
    """The two digits at all severities, side by side: (28, 336) uint8."""
    strip = [corrupt(images, name, severity, rng=rng(severity)) for severity in range(6)]
    return np.rint(255 * np.hstack(np.concatenate(strip))).astype(np.uint8)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_golden_pictures(name):
    golden = np.asarray(Image.open(GOLDEN / f"{name}.png")).astype(int)
    images = np.stack([golden[:, :28], golden[:, 28:56]]).astype(np.uint8)
    found = row_of_sheet(images, name)
    assert np.abs(golden - found).max() <= 1  # a grey level, for other machines' rounding


def test_a_quarter_turn_is_clockwise():
    images = rng().random((3, 9, 9)).astype(np.float32)
    np.testing.assert_allclose(warps.turn(images, 90), np.rot90(images, -1, axes=(1, 2)), atol=1e-5)
    np.testing.assert_allclose(warps.turn(images, 0), images, atol=1e-6)


def test_the_benchmark_has_fifteen_and_occlusion_is_not_among_them():
    assert len(MNIST_C) == 15 and "occlusion" not in MNIST_C and MNIST_C.keys() <= CORRUPTIONS.keys()


def test_stripe_turns_the_outer_quarters_negative():
    image = np.full((1, 28, 28), 0.25, np.float32)
    out = corrupt(image, "stripe", 1, rng=rng())
    assert np.all(out[:, :, :7] == 0.75) and np.all(out[:, :, 21:] == 0.75) and np.all(out[:, :, 7:21] == 0.25)


def test_a_line_fades_with_the_distance_along_columns():
    # From (column 4, row 10) to (column 8, row 10): log(1 − 1/2.3) + 1 = 0.4295 a row off, below 0 two rows off.
    drawn = overlays.line(4, 10, 8, 10, 28)
    assert drawn[10, 4:8].tolist() == [1] * 4 and drawn[[9, 11], 5] == pytest.approx([0.4295, 0.4295], abs=1e-4)
    assert not drawn[[8, 12]].any() and not drawn[:, :4].any() and not drawn[:, 8:].any()
    assert not overlays.line(4, 1, 4, 9, 28).any()


def test_dotted_lines_leave_two_columns_of_four_out():
    black = np.zeros((50, 28, 28), np.float32)
    columns = corrupt(black, "dotted_line", 1, rng=rng()).any(axis=(0, 1))
    assert columns.tolist() == ([False] * 2 + [True] * 2) * 6 + [False] * 2 + [True, False]


def test_zigzags_cross_the_picture_and_turn_every_four_columns():
    drawn = corrupt(np.zeros((60, 28, 28), np.float32), "zigzag", 1, rng=rng())
    assert drawn.any(axis=(0, 1))[3:24].all() and not drawn[:, :, :2].any() and not drawn[:, :, 26:].any()
    level = overlays._zigzag(14, 14, 28)  # its corners: row 16 in columns 4, 12, 20, row 12 in columns 8, 16, 24
    assert level[:, 3:24].argmax(axis=0)[[1, 9, 17]].tolist() == [16] * 3
    assert level[:, 3:24].argmax(axis=0)[[5, 13]].tolist() == [12] * 2


def test_fog_keeps_the_pictures_white_and_lifts_its_black():
    images = np.zeros((40, 28, 28), np.float32)
    images[:, 10:18, 10:18] = 0.8
    out = corrupt(images, "fog", 5, rng=rng())
    assert out.max() <= 0.8 + 1e-6 and out[:, :5].mean() > 0.1
    assert not corrupt(np.zeros((3, 28, 28), np.float32), "fog", 5, rng=rng()).any()  # no white, no fog: as published


def test_mud_is_dark_and_covers_more_with_severity():
    white = np.ones((200, 28, 28), np.float32)
    covered = [(corrupt(white, "spatter", severity, rng=rng()) < 0.5).mean() for severity in range(1, 6)]
    assert covered[0] > 0.02 and covered[:3] == sorted(covered[:3]) and covered[3] < covered[4] < 0.6
    assert corrupt(white, "spatter", 4, rng=rng()).min() == pytest.approx(63 / 255, abs=1e-4)


def test_edges_of_a_square_are_its_outline_in_every_picture_of_a_batch():
    images = np.zeros((3, 28, 28), np.float32)
    images[0, 8:20, 8:20] = 1
    images[2, 4:10, 4:24] = 0.05  # too faint for any edge
    out = corrupt(images, "canny_edges", 1, rng=rng())
    assert set(np.unique(out)) == {0, 1} and not out[1:].any()
    rows, columns = np.nonzero(out[0])
    assert {rows.min(), rows.max(), columns.min(), columns.max()} <= {7, 8, 19, 20} and not out[0, 10:18, 10:18].any()
    assert np.array_equal(out[:1], corrupt(images[:1], "canny_edges", 1, rng=rng()))


if __name__ == "__main__":
    for each in CORRUPTIONS:
        if not (GOLDEN / f"{each}.png").exists():
            Image.fromarray(row_of_sheet(digits(), each)).save(GOLDEN / f"{each}.png", optimize=True)
