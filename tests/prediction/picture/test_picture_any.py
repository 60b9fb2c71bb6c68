"""Any array and any file: a form, blank, or one sentence."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp

from pipeline.errors import DataError
from pipeline.prediction.picture import BLANK, SEVERAL, decode, prepare, split_digits
from pipeline.prediction.picture.fit import centre_of_mass


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


HANDWRITING = Path(__file__).resolve().parents[4] / "shared" / "handwriting"


@pytest.mark.skipif(not HANDWRITING.is_dir(), reason="the labelled pictures are not here")
def test_real_pictures_are_each_one_digit_of_the_right_form():
    paths = sorted(p for p in HANDWRITING.rglob("*") if p.suffix in (".png", ".bmp"))
    assert len(paths) > 300
    for path in paths:
        prepared = prepare(decode(path))
        assert not {BLANK, SEVERAL} & set(prepared.warnings), path
        assert np.allclose(centre_of_mass(prepared.image), 14, atol=0.5), path
        assert prepared.ink.dark == ("light-on-dark" not in path.parent.name), path
