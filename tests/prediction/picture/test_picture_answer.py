"""Sure or not: the rule, and where its threshold comes from."""

import numpy as np
import pytest

from pipeline.prediction.confidence_threshold import calibrate
from pipeline.prediction.picture import BLANK, EDGE, FAINT, NOT_SURE, SEVERAL, SURE, verdict


@pytest.mark.parametrize(
    ("best", "warnings", "answer"),
    [
        (0.61, (), SURE),
        (0.60, (), SURE),
        (0.59, (), NOT_SURE),
        (0.99, (EDGE, FAINT), SURE),
        (0.99, (BLANK,), BLANK),
        (0.99, (EDGE, SEVERAL), SEVERAL),
        (0.10, (SEVERAL,), SEVERAL),
    ],
)
def test_verdict(best, warnings, answer):
    assert verdict(np.array([1 - best, best]), warnings, threshold=0.6) == answer


def test_calibrate_by_hand():
    best = np.array([0.9, 0.8, 0.7, 0.6, 0.55])
    labels = np.array([1, 1, 0, 1, 1])  # class 1 is given each time: the third is wrong
    probabilities = np.column_stack([1 - best, best])
    # Right so far: 1/1, 2/2, 2/3, 3/4, 4/5.
    assert calibrate(probabilities, labels, accuracy=1.0) == 0.8
    assert calibrate(probabilities, labels, accuracy=0.8) == 0.55
    assert calibrate(probabilities, labels, accuracy=0.78) == 0.55
    assert calibrate(probabilities[:4], labels[:4], accuracy=0.75) == 0.6
    shuffled = np.array([3, 0, 4, 2, 1])
    assert calibrate(probabilities[shuffled], labels[shuffled], accuracy=1.0) == 0.8


def test_ties_stay_together():
    best = np.array([0.9, 0.7, 0.7])
    probabilities = np.column_stack([1 - best, best])
    assert calibrate(probabilities, np.array([1, 1, 0]), accuracy=1.0) == 0.9


def test_no_threshold_suffices():
    probabilities = np.array([[0.1, 0.9], [0.2, 0.8]])
    threshold = calibrate(probabilities, np.array([0, 0]), accuracy=0.97)
    assert [verdict(p, (), threshold=threshold) for p in probabilities] == [NOT_SURE, NOT_SURE]
