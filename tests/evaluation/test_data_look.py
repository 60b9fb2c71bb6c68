"""A look at the data, on rows made for it: what is planted is found, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pipeline.evaluation.data_look import auc, drift, find_duplicates, find_odd


@pytest.fixture
def strokes():
    """60 pictures of 12×12: dark, with a bright square somewhere inside, no two alike."""
    rng = np.random.default_rng(0)
    images = np.zeros((60, 12, 12), np.uint8)
    for image in images:
        row, column = rng.integers(2, 7, 2)
        image[row : row + 3, column : column + 3] = rng.integers(150, 256, (3, 3))
    return images


def test_duplicates(strokes):
    train, test = strokes[:40].copy(), strokes[40:].copy()
    labels = np.zeros(40, np.int64)
    train[5], train[7] = train[3], train[1]
    labels[7] = 1
    test[4], test[6] = test[2], train[9]
    found = find_duplicates(train, labels, test)
    assert found.train.tolist() == [5, 7]
    assert found.conflicts.tolist() == [1, 7]
    assert found.test.tolist() == [4]
    assert found.across.tolist() == [6]


def test_no_duplicates(strokes):
    found = find_duplicates(strokes[:40], np.arange(40) % 2, strokes[40:])
    assert not any(len(rows) for rows in vars(found).values())


@pytest.mark.parametrize("bright", [False, True])
def test_odd_rows(strokes, bright):
    images = strokes.copy()
    images[3] = 9
    images[8] = 255 - images[8]
    images[20, 0, 4:7] = 255
    found = find_odd(255 - images if bright else images)
    assert (found.blank.tolist(), found.inverted.tolist(), found.cut_off.tolist()) == ([3], [8], [20])


def test_what_is_usual_is_not_odd(strokes):
    strokes[:30, 0, 4:7] = 255
    assert find_odd(strokes).cut_off.tolist() == []


def test_area_under_the_curve_by_hand():
    # Of 2 × 3 pairs, 4 are in order and 1 is a tie: 4.5 / 6. Placements 1 and 1/2, and 1, 1/2, 3/4 with variances
    # 1/8 and 1/16: error √(1/16 + 1/48) = 0.288675.
    found = auc(np.array([3.0, 1.0]), np.array([0.0, 2.0, 1.0]))
    assert found.value == pytest.approx(0.75)
    assert (found.low, found.high) == (pytest.approx(0.75 - 1.959964 * 0.288675, abs=1e-5), 1.0)


def test_area_under_the_curve_against_scikit_learn():
    rng = np.random.default_rng(1)
    positive, negative = rng.normal(0.5, 1, 40).round(1), rng.normal(0, 1, 70).round(1)
    expected = roc_auc_score(np.repeat([1, 0], [40, 70]), np.concatenate([positive, negative]))
    assert auc(positive, negative).value == pytest.approx(expected)


def test_drift_is_found_where_it_is(strokes):
    rng = np.random.default_rng(2)
    same = rng.permutation(strokes)
    assert drift(same[:30], same[30:], rng=rng).low < 0.5 < drift(same[:30], same[30:], rng=rng).high
    assert drift(same[:30], np.minimum(same[30:], 120), rng=rng).low > 0.9
