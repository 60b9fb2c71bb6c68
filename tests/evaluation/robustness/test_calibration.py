"""Reliability, ECE and risk against coverage, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import UsageError
from pipeline.evaluation.robustness.calibration import (
    cross_tempered,
    fit_temperature,
    reliability,
    risk_coverage,
    tempered,
)


def two_class(confidences: list[float], right: list[bool]) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that class 0 has these confidences, and labels 0 where that is right."""
    p = np.array(confidences)
    return np.stack([p, 1 - p], axis=1), np.where(right, 0, 1)


def test_reliability_and_ece_by_hand():
    # Bins of 0.2. (0.6, 0.8]: 0.65 and 0.8, one right: 0.5 against 0.725. (0.8, 1]: 0.9 and 1.0, both right: 1
    # against 0.95. ECE = (2 · 0.225 + 2 · 0.05) / 4 = 0.1375.
    found = reliability(*two_class([0.65, 0.8, 0.9, 1.0], [True, False, True, True]), bins=5)
    assert found.rows.tolist() == [0, 0, 0, 2, 2]
    np.testing.assert_allclose(found.confidence[3:], [0.725, 0.95])
    np.testing.assert_allclose(found.accuracy[3:], [0.5, 1])
    assert np.isnan(found.accuracy[:3]).all()
    assert found.ece == pytest.approx(0.1375)


def test_probabilities_that_are_the_truth_have_hardly_any_ece_and_overconfident_ones_have():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, 20_000)
    right = rng.random(20_000) < confidence
    assert reliability(*two_class(confidence, right)).ece < 0.02
    # All say 1, three of four are right.
    assert reliability(*two_class([1.0] * 4, [True, True, True, False])).ece == pytest.approx(0.25)


def test_risk_and_coverage_by_hand_with_a_tie():
    found = risk_coverage(*two_class([0.6, 0.9, 0.9, 0.7], [True, True, False, True]))
    np.testing.assert_allclose(found.threshold, [0.9, 0.7, 0.6])
    np.testing.assert_allclose(found.coverage, [0.5, 0.75, 1])
    np.testing.assert_allclose(found.accuracy, [1 / 2, 2 / 3, 3 / 4])
    assert found.at_coverage(0.2)[1] == 0.5  # the tie is answered together
    np.testing.assert_allclose(found.at_coverage(0.75), (0.7, 0.75, 2 / 3))
    np.testing.assert_allclose(found.at_coverage(1), (0.6, 1, 3 / 4))


@pytest.mark.parametrize("coverage", [0, -0.1, 1.1, float("nan")])
def test_coverages_outside_0_to_1_are_refused(coverage):
    with pytest.raises(UsageError, match="A coverage must lie above 0 and at most at 1"):
        risk_coverage(*two_class([0.9], [True])).at_coverage(coverage)


@pytest.mark.parametrize("function", [reliability, risk_coverage])
@pytest.mark.parametrize(
    ("probabilities", "labels", "words"),
    [
        (np.array([[3.0, -2.0]]), np.array([0]), "give no logits"),
        (np.array([[np.nan, 0.5]]), np.array([0]), "give no logits"),
        (np.array([[0.5, 0.5]]), np.array([0, 1]), "n labels"),
        (np.zeros((0, 2)), np.zeros(0, int), "n at least 1"),
    ],
)
def test_what_is_not_probabilities_is_refused(function, probabilities, labels, words):
    with pytest.raises(UsageError, match=words):
        function(probabilities, labels)


def test_a_curve_needs_a_bin():
    with pytest.raises(UsageError, match="at least 1, found 0"):
        reliability(*two_class([0.9], [True]), bins=0)


def drawn(rng, rows: int, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of a network whose logits are `temperature` times too large, and labels drawn by the true ones."""
    logits = rng.normal(0, 2, (rows, 5))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (rng.random((rows, 1)) > true.cumsum(axis=1)).sum(axis=1)
    sharp = np.exp(logits * temperature)
    return sharp / sharp.sum(axis=1, keepdims=True), labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_the_logits_were_multiplied_by_is_found(temperature):
    probabilities, labels = drawn(np.random.default_rng(0), 20_000, temperature)
    assert fit_temperature(probabilities, labels) == pytest.approx(temperature, rel=0.05)
    assert fit_temperature(np.stack([probabilities] * 3), labels) == pytest.approx(temperature, rel=0.05)
    after, mean = cross_tempered(probabilities, labels)
    assert mean == pytest.approx(temperature, rel=0.05) and reliability(after, labels).ece < 0.012
    assert np.array_equal(after.argmax(axis=1), probabilities.argmax(axis=1))
    assert (reliability(probabilities, labels).ece > 0.05) == (temperature != 1)


def test_tempered_by_hand():
    # softmax(log p / 2) is √p, normalised: √0.64, √0.36 = 0.8, 0.6; a probability of 0 stays next to 0.
    np.testing.assert_allclose(tempered(np.array([[0.64, 0.36]]), 2.0), [[0.8 / 1.4, 0.6 / 1.4]])
    assert tempered(np.array([[1.0, 0.0]]), 0.5).tolist() == [[1.0, pytest.approx(0, abs=1e-20)]]


def test_a_temperature_is_not_fitted_to_its_own_half():
    """Labels at random in one half: the other half's rows are still judged by that half's temperature."""
    probabilities, labels = drawn(np.random.default_rng(1), 4000, 1.0)
    labels[1::2] = np.random.default_rng(2).integers(0, 5, 2000)
    after, _ = cross_tempered(probabilities, labels)
    assert after[::2].max() < 0.5 < after[1::2].max()
