"""What stands twice is counted, and what is too good is doubted."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation.leakage import across_split, data_warnings, shared_rows, suspicion


def pictures(*values):
    """2×2 pictures that differ by one pixel."""
    images = np.zeros((len(values), 2, 2), np.uint8)
    images[:, 1, 0] = values
    return images


def test_rows_that_stand_in_both():
    assert shared_rows(pictures(1, 2, 3), pictures(3, 1, 9)).tolist() == [True, False, True]


def test_pictures_across_a_split():
    # 7 stands on both sides with three rows, 5 twice on one side, 9 once.
    assert across_split(pictures(7, 5, 7, 9, 5, 7), np.array([0, 1, 1, 0, 1, 0])) == 3
    assert across_split(pictures(1, 2, 3), np.array([0, 1, 0])) == 0


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=30))
def test_across_a_split_agrees_with_looking_at_every_pair(rows):
    values, sides = zip(*rows, strict=True)
    pairs = [any(v == w and s != t for w, t in rows) for v, s in rows]
    assert across_split(pictures(*values), np.array(sides)) == sum(pairs)


def test_what_stands_twice_is_told_in_numbers():
    train, test = pictures(7, 5, 7, 9), pictures(9, 1, 9)
    first, second = data_warnings(train, test, np.array([0, 1, 1, 0]))
    assert first.startswith("2 of 3 test rows stand in the training rows as well")
    assert second.startswith("2 held-out rows have the very same picture among the rows trained on")
    assert data_warnings(pictures(1, 2), pictures(3), np.array([0, 1])) == []


def test_too_good_to_be_true():
    assert suspicion(0.998, 28_000) is None
    assert suspicion(1.0, 999) is None
    assert suspicion(0.9981, 28_000).startswith("99.81% of 28,000 unseen rows is suspect: ")
