"""Names of test conditions, and that a condition is the same for every model."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from pipeline.augment.noise import gaussian
from pipeline.errors import UsageError
from pipeline.evaluation.robustness.conditions import condition
from pipeline.evaluation.robustness.corruptions import CORRUPTIONS, corrupt

IMAGES = np.random.default_rng(1).integers(0, 256, (4, 12, 12), dtype=np.uint8)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("clean", "clean"),
        ("σ 0", "clean"),
        ("σ 0.2", "σ 0.2"),
        ("sigma 0.20", "σ 0.2"),
        ("shift right 4", "shift right 4"),
        ("  shift  up-left   1 ", "shift up-left 1"),
        ("turn left 5", "turn left 5"),
        *((f"{name} 3", f"{name} 3") for name in CORRUPTIONS),
    ],
)
def test_names_are_read(text, name):
    assert condition(text).name == name
    assert condition(condition(text).name) == condition(text)


@pytest.mark.parametrize("text", ["clean", "σ 0", "shift left 0", "turn left 0", "contrast 0"])
def test_strength_0_gives_the_very_same_array(text):
    assert condition(text).apply(IMAGES) is IMAGES


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("shift rigth 4", "There is no shift direction 'rigth': did you mean right?"),
        ("shift right 7", "A shift must be by a whole number of pixels from 0 to 6, found '7' in 'shift right 7'."),
        ("shift right -1", "A shift must be by a whole number of pixels from 0 to 6, found '-1' in 'shift right -1'."),
        ("gausian_noise 3", "There is no test condition 'gausian_noise': did you mean gaussian_noise?"),
        ("rotate 6", "The severity of rotate must be a whole number from 0 to 5, found 6."),
        ("rotate x", "The severity of rotate must be a whole number from 0 to 5, found 'x'."),
        ("rotate ²", "The severity of rotate must be a whole number from 0 to 5, found '²'."),
        ("σ -0.1", "'σ -0.1': a noise level σ must be a number from 0 to 2, found '-0.1'."),
        ("σ nan", "'σ nan': a noise level σ must be a number from 0 to 2, found 'nan'."),
        (
            "rotate",
            'A test condition is written as "clean", "σ 0.2", "gaussian_noise 3", "shift right 4" or "turn left 5", '
            "found 'rotate'.",
        ),
        (
            "",
            'A test condition is written as "clean", "σ 0.2", "gaussian_noise 3", "shift right 4" or "turn left 5", '
            "found ''.",
        ),
        ("turn up 4", "There is no turn direction 'up': choose one of right, left."),
        ("turn left 46", "A turn must be by a whole number of degrees from 0 to 45, found '46' in 'turn left 46'."),
    ],
)
def test_other_texts_are_refused(text, words):
    with pytest.raises(UsageError) as caught:
        condition(text)
    assert str(caught.value) == words


@pytest.mark.parametrize(
    "text", ["σ 0.2", "shift down 2", "turn left 5", "rotate 4", "elastic_transform 1", "impulse_noise 5"]
)
def test_a_condition_is_the_same_every_time_and_in_every_process(text):
    first = condition(text, seed=3)
    again = pickle.loads(pickle.dumps(first))
    assert np.array_equal(first.apply(IMAGES), again.apply(IMAGES))
    out = first.apply(IMAGES)
    assert out.dtype == np.float32 and out.shape == IMAGES.shape and out.min() >= 0 and out.max() <= 1
    if not text.startswith(("shift", "turn")):
        assert not np.array_equal(out, condition(text, seed=4).apply(IMAGES))


def test_noise_is_the_main_jobs_and_a_corruption_its_functions():
    expected = gaussian(IMAGES, 0.2, rng=np.random.default_rng([5, 200_000]))
    assert np.array_equal(condition("σ 0.2", seed=5).apply(IMAGES), expected)
    # Nothing random is in contrast and brightness.
    assert np.array_equal(
        condition("contrast 2").apply(IMAGES), corrupt(IMAGES, "contrast", 2, rng=np.random.default_rng(9))
    )


def test_the_benchmark_takes_its_fifteen_in_turn():
    images = np.random.default_rng(0).integers(0, 256, (32, 28, 28), dtype=np.uint8)
    changed = condition("mnist-c", seed=3).apply(images)
    assert changed.shape == images.shape and changed.dtype == np.float32
    for place, name in ((0, "shot_noise 5"), (4, "shear 2"), (14, "canny_edges 1")):  # of the published files
        rows = images[place::15]
        np.testing.assert_array_equal(changed[place::15], condition(name, seed=3).apply(rows))
    assert condition("mnist-c").axis.kind == "corruption"


def test_a_shift_as_far_as_the_picture_is_wide_is_refused():
    with pytest.raises(UsageError, match="leaves nothing of a picture of 4×4"):
        condition("shift up 4").apply(IMAGES[:, :4, :4])


def test_a_turn_to_the_right_is_clockwise():
    # A dot above the centre goes to the right of it, where a clock's hand goes.
    image = np.zeros((1, 15, 15), np.uint8)
    image[0, 2, 7] = 255
    row, column = (place.item() for place in np.nonzero(condition("turn right 45").apply(image)[0] > 0.3))
    assert row < 7 < column
    there_and_back = condition("turn left 45").apply(condition("turn right 45").apply(IMAGES / np.float32(255)))
    assert abs(there_and_back[:, 6, 6] - IMAGES[:, 6, 6] / 255).max() < 0.5
