"""What a model states about pictures: measured on the right rows, and not trusted when it is read."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from pipeline.errors import ModelFileError
from pipeline.evaluation.robustness.conditions import DistortedHoldout
from pipeline.nn.layers import Dense, Flatten
from pipeline.nn.network import Network
from pipeline.prediction import confidence_threshold as world
from pipeline.prediction.model_file import Model
from pipeline.prediction.picture import Style, style_of


def model_stating(about):
    return Model(Network([Flatten(), Dense(2)], (8, 8)), np.array([0, 1]), 8, about)


def strokes():
    """Rows of 8×8 pictures with a bar, two pixels wide and five to eight long."""
    rows = np.zeros((8, 8, 8), np.uint8)
    for number, row in enumerate(rows):
        row[: 5 + number % 4, 3:5] = 200
    return rows


def test_measured_is_what_is_read():
    # Right, right, wrong, right from the surest down: at 0.8 one of two and at 0.95 all are right.
    probabilities = np.array([[0.99, 0.01], [0.95, 0.05], [0.8, 0.2], [0.3, 0.7]])
    measured = world.measure(world.training_style(strokes()), probabilities, np.array([0, 0, 1, 1]))
    assert measured["threshold"] == 0.95
    model = model_stating({"pictures": measured})
    assert world.threshold_for([model]) == 0.95
    assert world.threshold_for([model, model_stating({"pictures": {"threshold": 0.85}})]) == pytest.approx(0.9)
    assert world.style_for(model) == style_of(strokes())


def test_a_network_that_is_never_right_is_never_sure_below_certainty():
    measured = world.measure(world.training_style(strokes()), np.array([[1.0, 0.0], [0.9, 0.1]]), np.array([1, 1]))
    assert measured["threshold"] == 1


def test_rows_without_ink_have_no_style():
    style = world.training_style(np.zeros((5, 8, 8), np.uint8))
    assert style is None
    assert "style" not in world.measure(style, np.array([[0.9, 0.1]]), np.array([0]))


def test_a_model_that_states_nothing():
    model = model_stating({})
    assert world.style_for(model) == Style(side=8)
    assert world.threshold_for([model]) == world.UNMEASURED


@pytest.mark.parametrize("threshold", [-0.1, 1.1, "0.5", None, True, float("nan")])
def test_a_stated_threshold_is_checked(threshold):
    with pytest.raises(ModelFileError, match="threshold must be a number from 0 to 1"):
        world.threshold_for([model_stating({"pictures": {"threshold": threshold}})])


@pytest.mark.parametrize("change", [{"box": 0}, {"box": 2}, {"centre": "middle"}, {"extra": 0.5}, {"thinnest": None}])
def test_a_stated_style_is_checked(change):
    stated = {name: value for name, value in asdict(Style()).items() if name != "side"} | change
    with pytest.raises(ModelFileError, match="style must hold box, thinnest, thickest, centre"):
        world.style_for(model_stating({"pictures": {"style": stated}}))


def test_strangers_write_the_same_for_every_network():
    images = np.random.default_rng(0).integers(0, 256, (20, 28, 28), dtype=np.uint8)
    before = images.copy()
    once, twice, other = (DistortedHoldout(seed).apply(images) for seed in (3, 3, 4))
    np.testing.assert_array_equal(once, twice)
    np.testing.assert_array_equal(images, before)
    assert not np.array_equal(once, other)
    assert once.min() >= 0 and once.max() <= 1
    assert (np.abs(once - images / 255).mean(axis=(1, 2)) > 0.1).all()


def test_the_temperature_is_that_of_clean_rows_and_the_threshold_one_of_probabilities_at_it():
    # 80 % of rows are right at a confidence of 60 %: at a temperature of ln 1.5 / ln 4 = 0.2925 they say 80 %.
    labels = np.array([0] * 80 + [1] * 20)
    clean = np.tile([0.6, 0.4], (100, 1))
    measured = world.measure(world.training_style(strokes()), clean, labels, clean)
    assert measured["temperature"] == pytest.approx(0.2925, abs=1e-3)
    alone = world.measure(
        world.training_style(strokes()), np.array([[0.6, 0.4], [0.9, 0.1]]), np.array([0, 0]), clean[:2]
    )
    assert world.measure(world.training_style(strokes()), clean, labels)["temperature"] == 1.0
    assert alone["threshold"] > 0.6
