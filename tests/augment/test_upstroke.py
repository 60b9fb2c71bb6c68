"""Upstrokes come where a bare stroke is, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from pipeline.augment import Upstroke
from pipeline.augment.upstroke import bare_strokes
from pipeline.errors import UsageError


def stroke(*, lean=0.0, width=2.0, tall=20.0, side=28):
    """A picture (side, side) float32 with a straight stroke through its middle, `lean` degrees from the vertical."""
    down, right = np.mgrid[:side, :side] - (side - 1) / 2
    angle = np.deg2rad(lean)
    along = down * np.cos(angle) - right * np.sin(angle)
    across = down * np.sin(angle) + right * np.cos(angle)
    ink = np.minimum(width / 2 - np.abs(across), tall / 2 - np.abs(along)) + 0.5
    return np.clip(ink, 0, 1).astype(np.float32)


def ring():
    down, right = np.mgrid[:28, :28] - 13.5
    return (np.abs(np.hypot(down, right / 0.6) - 9) < 1.3).astype(np.float32)


def seven():
    picture = stroke(lean=20)
    picture[3:5, 8:18] = 1
    return picture


def test_bare_strokes_are_told_from_all_else():
    pictures = {
        "upright": stroke(), "leaning": stroke(lean=40), "bold": stroke(width=4), "flat": stroke(lean=60),
        "dot": stroke(tall=8, width=1), "ring": ring(), "seven": seven(), "blank": np.zeros((28, 28), np.float32),
    }  # fmt: skip
    found = bare_strokes(np.stack(list(pictures.values())))
    assert dict(zip(pictures, found.tolist(), strict=True)) == {
        "upright": True, "leaning": True, "bold": True, "flat": False,
        "dot": False, "ring": False, "seven": False, "blank": False,
    }  # fmt: skip


@pytest.mark.parametrize("side", [28, 56])
def test_an_upstroke_goes_from_the_top_to_the_lower_left(side):
    before = np.stack([stroke(tall=20 * side / 28, width=2 * side / 28, side=side)] * 200)
    after = Upstroke(probability=1)(before.copy(), rng=np.random.default_rng(0))
    assert (after.sum((1, 2)) > before.sum((1, 2)) * 1.1).all()
    assert after.min() >= 0 and after.max() <= 1
    for picture in after:
        _, pieces = ndimage.label(picture > 0.3, np.ones((3, 3)))
        assert pieces == 1  # it hangs together with the stroke
        upper = picture[: side // 2]
        stem = upper.sum(0).argmax()
        assert upper[:, : stem - side // 14].sum() > 3 * upper[:, stem + side // 14 + 1 :].sum()
    feet = (after[:, -side // 5 :] > 0.5).any(1).sum(1) > 0.2 * side
    assert 0.1 < feet.mean() < 0.3  # one in five


def test_the_centre_of_mass_stays():
    before = np.stack([stroke(lean=lean) for lean in np.linspace(-20, 20, 50)])
    after = Upstroke(probability=1)(before.copy(), rng=np.random.default_rng(1))
    for old, new in zip(before, after, strict=True):
        assert np.allclose(ndimage.center_of_mass(old), ndimage.center_of_mass(new), atol=0.55)


def test_probability_and_other_pictures():
    before = np.stack([stroke(), ring()] * 500)
    after = Upstroke(probability=0.3)(before.copy(), rng=np.random.default_rng(2))
    changed = (after != before).any((1, 2))
    assert not changed[1::2].any()
    assert 0.24 < changed[::2].mean() < 0.36  # within three standard errors of 0.3
    np.testing.assert_array_equal(Upstroke(probability=0)(before.copy(), rng=np.random.default_rng(3)), before)


def test_it_changes_the_batch_in_place_and_follows_its_seed():
    batch = np.stack([stroke()] * 5)
    given = Upstroke(probability=1)(batch, rng=np.random.default_rng(4))
    assert given is batch
    again = Upstroke(probability=1)(np.stack([stroke()] * 5), rng=np.random.default_rng(4))
    np.testing.assert_array_equal(batch, again)


@pytest.mark.parametrize("probability", [-0.1, 1.1, "often", True])
def test_probability_is_checked(probability):
    with pytest.raises(UsageError, match="probability must be a number from 0 to 1"):
        Upstroke(probability=probability)
