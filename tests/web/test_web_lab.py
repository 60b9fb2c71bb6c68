"""The lab's changes of a picture, and what it says of them."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import UsageError
from pipeline.web.lab import CURVE, Change, attacked, experiment, move


@pytest.fixture
def digit():
    image = np.zeros((28, 28), np.float32)
    image[6:22, 12:15] = 0.9
    image[6:9, 12:20] = 0.6
    return image


def test_a_shift_moves_right_and_down(digit):
    moved = move(digit, Change(right=3, down=-2))
    np.testing.assert_allclose(moved[4:20, 15:18], digit[6:22, 12:15], atol=1e-6)
    assert moved.sum() == pytest.approx(digit.sum(), rel=1e-5)


def test_a_quarter_turn_is_clockwise(digit):
    np.testing.assert_allclose(move(digit, Change(rotation=90)), np.rot90(digit, -1), atol=1e-5)


def test_shifts_are_in_pixels_of_28(digit):
    small = np.zeros((14, 14), np.float32)
    small[5, 5] = 1
    moved = move(small, Change(right=4))
    assert moved[5, 7] == pytest.approx(1)


@pytest.mark.parametrize("epsilon", [0.02, 0.1])
def test_an_attack_stays_within_epsilon_and_hurts(models, digit, epsilon):
    for choice in models.levels:
        label = int(choice.probabilities(digit[None])[0].argmax())
        worse = attacked(choice.reader.models[0].network, digit, label, epsilon)
        assert np.abs(worse - digit).max() <= epsilon + 1e-6
        assert worse.min() >= 0 and worse.max() <= 1
        before, after = choice.probabilities(np.stack([digit, worse]))[:, label]
        assert after < before


def test_an_attack_goes_on_where_the_picture_is_misread(models, digit):
    for choice in models.levels:
        network = choice.reader.models[0].network
        label = int(choice.probabilities(digit[None])[0].argmax())
        attacks = [attacked(network, digit, label, epsilon) for epsilon in (0.05, 0.1, 0.2, 0.4)]
        probabilities = choice.probabilities(np.stack(attacks))
        assert (probabilities.argmax(axis=1) != label).all()  # misread from the first on, and worse with each
        assert (np.diff(probabilities[:, label]) < 0).all()
        assert np.abs(attacks[-1] - digit).max() == pytest.approx(0.4, abs=1e-6)
        other = (label + 1) % 10  # the digit's true label, when the network misreads it from the start
        before, after = choice.probabilities(np.stack([digit, attacked(network, digit, other, 0.1)]))[:, other]
        assert after < before


def test_the_experiment_agrees_with_the_networks(models, digit):
    label = 4
    said = experiment(digit, Change(), models.levels, label)
    assert said["label"] == 4
    for choice, row in zip(models.levels, said["models"], strict=True):
        expected = choice.probabilities(digit[None])[0]
        np.testing.assert_allclose(row["probabilities"], expected, atol=1e-6)
        assert row["confidence"] == pytest.approx(float(expected[label]), abs=1e-6)
        assert row["curve"][0] == pytest.approx(float(expected[label]), abs=1e-4)
        assert len(row["curve"]) == len(CURVE)
        assert row["seen"] == np.rint(digit.ravel() * 255).astype(int).tolist()


def test_noise_is_the_same_for_all_and_for_every_request(models, digit):
    first, again = (experiment(digit, Change(sigma=0.3), models.levels, 1) for _ in range(2))
    assert first == again
    pictures = [row["seen"] for row in first["models"]]
    assert pictures[0] == pictures[1] == pictures[2]
    # σ 0.3 on mid-grey pixels, which clipping hardly touches: the standard deviation of the change is about 0.3.
    grey = np.full((28, 28), 0.5, np.float32)
    seen = np.array(experiment(grey, Change(sigma=0.2), models.levels, 1)["models"][0]["seen"]) / 255
    assert np.std(seen) == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize(
    "values", [{"sigma": -0.1}, {"sigma": float("nan")}, {"rotation": 181}, {"epsilon": "much"}, {"down": True}]
)
def test_sliders_beyond_their_ends_are_refused(values):
    with pytest.raises(UsageError, match=next(iter(values))):
        Change.of(values)
