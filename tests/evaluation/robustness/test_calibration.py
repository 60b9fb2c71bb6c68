"""Reliability, ECE and risk against coverage, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import UsageError
from pipeline.evaluation.robustness.calibration import reliability, risk_coverage


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
    assert found.binning == "5 bins of equal width over the largest probability"


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
