"""Confident learning, worked by hand and on planted mistakes."""

from __future__ import annotations

import numpy as np

from pipeline.evaluation.label_errors import label_errors


def test_by_hand():
    labels = np.array([0, 0, 0, 1, 1, 1])
    of_one = np.array([0.1, 0.2, 0.9, 0.8, 0.3, 0.7])
    # Thresholds: class 0 (0.9 + 0.8 + 0.1) / 3 = 0.6; class 1 (0.8 + 0.3 + 0.7) / 3 = 0.6. Row 2 counts as 1 by 0.9,
    # row 4 as 0 by 0.7; margins 0.1 − 0.9 and 0.3 − 0.7.
    found = label_errors(np.column_stack([1 - of_one, of_one]), labels)
    assert found.rows.tolist() == [2, 4]
    assert found.suggested.tolist() == [1, 0]
    np.testing.assert_allclose(found.of_label, [0.1, 0.3])
    np.testing.assert_allclose(found.of_suggested, [0.9, 0.7])


def test_a_row_that_is_sure_of_no_class_is_not_in_question():
    labels = np.array([0, 0, 1, 1])
    of_one = np.array([0.1, 0.55, 0.9, 0.9])
    # Threshold of class 1 is 0.9, of class 0 (0.9 + 0.45) / 2: row 1 reaches neither, though 1 is likelier.
    assert len(label_errors(np.column_stack([1 - of_one, of_one]), labels).rows) == 0


def test_planted_mistakes_are_found():
    rng = np.random.default_rng(0)
    truth = np.arange(300) % 3
    probabilities = 0.02 + 0.94 * np.eye(3)[truth] + rng.random((300, 3)) / 50
    wrong = [4, 77, 200]
    probabilities[wrong] = 0.005 + 0.985 * np.eye(3)[truth[wrong]]
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    labels = truth.copy()
    labels[wrong] = (labels[wrong] + 1) % 3
    found = label_errors(probabilities, labels)
    assert sorted(found.rows.tolist()) == wrong
    assert (found.suggested == truth[found.rows]).all()
