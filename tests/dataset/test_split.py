"""Holdout and folds: worked sizes, and what must hold for any labels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedShuffleSplit

from pipeline.dataset.split import stratified_folds, stratified_holdout
from pipeline.errors import DataError, UsageError

# Digit Recognizer's class counts, and a tenth of each, rounded; the tenths add up to 4,200.
DIGIT_COUNTS = [4132, 4684, 4177, 4351, 4072, 3795, 4137, 4401, 4063, 4188]


@st.composite
def label_arrays(draw):
    counts = draw(st.lists(st.integers(2, 40), min_size=1, max_size=12))
    labels = np.repeat(np.arange(len(counts)) * 3 - 4, counts)
    return np.random.default_rng(draw(st.integers(0, 2**32))).permutation(labels)


def counts_of(labels):
    return dict(zip(*np.unique(labels, return_counts=True), strict=True))


def test_worked_example():
    labels = np.array(list("aaaaaaaaaabbbbb"))
    train, holdout = stratified_holdout(labels, 0.2, rng=np.random.default_rng(0))
    assert counts_of(labels[holdout]) == {"a": 2, "b": 1}
    assert counts_of(labels[train]) == {"a": 8, "b": 4}


def test_left_over_rows_go_to_the_largest_remainders():
    # Shares 1.25, 1.75, 1.5 sum to 4.5, and round(4.5) is 4: one row above the floors, to the second class.
    labels = np.repeat([0, 1, 2], [5, 7, 6])
    _, holdout = stratified_holdout(labels, 0.25, rng=np.random.default_rng(0))
    assert counts_of(labels[holdout]) == {0: 1, 1: 2, 2: 1}


def test_kaggle_sized_holdout_has_scikit_learns_counts():
    labels = np.repeat(np.arange(10), DIGIT_COUNTS)
    train, holdout = stratified_holdout(labels, 0.1, rng=np.random.default_rng(1))
    assert (len(train), len(holdout)) == (37_800, 4_200)
    _, theirs = next(StratifiedShuffleSplit(1, test_size=0.1, random_state=0).split(labels, labels))
    difference = np.bincount(labels[holdout]) - np.bincount(labels[theirs])
    assert np.abs(difference).max() <= 1


def test_every_class_stands_on_both_sides():
    labels = np.repeat(np.arange(50), 2)
    for fraction in (0.01, 0.5, 0.99):
        train, holdout = stratified_holdout(labels, fraction, rng=np.random.default_rng(0))
        assert len(np.unique(labels[train])) == len(np.unique(labels[holdout])) == 50


@settings(deadline=None, max_examples=60)
@given(label_arrays(), st.floats(0.02, 0.98), st.integers(0, 2**32))
def test_holdout_properties(labels, fraction, seed):
    train, holdout = stratified_holdout(labels, fraction, rng=np.random.default_rng(seed))
    assert train.dtype == holdout.dtype == np.int64
    assert np.array_equal(np.sort(np.concatenate([train, holdout])), np.arange(len(labels)))
    assert (np.diff(train) > 0).all() and (np.diff(holdout) > 0).all()
    held = counts_of(labels[holdout])
    for label, count in counts_of(labels).items():
        assert 1 <= held[label] <= count - 1
        assert abs(held[label] - count * fraction) < 1 + 1e-9
    again = stratified_holdout(labels, fraction, rng=np.random.default_rng(seed))
    assert np.array_equal(again[1], holdout)


def test_another_seed_gives_other_rows():
    labels = np.repeat(np.arange(10), 30)
    holdouts = [stratified_holdout(labels, 0.2, rng=np.random.default_rng(seed))[1] for seed in (0, 1)]
    assert not np.array_equal(*holdouts)


@settings(deadline=None, max_examples=60)
@given(label_arrays(), st.integers(2, 8), st.integers(0, 2**32))
def test_folds_properties(labels, k, seed):
    k = min(k, len(labels))
    folds = stratified_folds(labels, k, rng=np.random.default_rng(seed))
    assert len(folds) == k
    assert np.array_equal(np.sort(np.concatenate([rows for _, rows in folds])), np.arange(len(labels)))
    sizes = [len(rows) for _, rows in folds]
    assert max(sizes) - min(sizes) <= 1
    for label in np.unique(labels):
        in_class = [np.count_nonzero(labels[rows] == label) for _, rows in folds]
        assert max(in_class) - min(in_class) <= 1
    for train, rows in folds:
        assert np.array_equal(np.sort(np.concatenate([train, rows])), np.arange(len(labels)))
        assert (np.diff(train) > 0).all() and (np.diff(rows) > 0).all()
        assert set(labels[train]) == set(labels)
    again = stratified_folds(labels, k, rng=np.random.default_rng(seed))
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(folds, again, strict=True))


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan")])
def test_fraction_out_of_range_is_refused(fraction):
    with pytest.raises(UsageError) as caught:
        stratified_holdout(np.array([0, 0, 1, 1]), fraction, rng=np.random.default_rng(0))
    assert str(caught.value) == (
        f"The holdout must be a part of the rows above 0 and below 1, found {fraction}: give a fraction such as 0.1."
    )


@pytest.mark.parametrize("k", [1, 0, 5])
def test_number_of_folds_out_of_range_is_refused(k):
    with pytest.raises(UsageError, match=f"must be from 2 to 4, the number of rows, found {k}"):
        stratified_folds(np.array([0, 0, 1, 1]), k, rng=np.random.default_rng(0))


def test_class_with_a_single_row_is_refused():
    labels = np.array(["one", "two", "one"])
    for split in (stratified_holdout, stratified_folds):
        with pytest.raises(DataError, match=r"Class two has a single row where .* needs at least 2"):
            split(labels, 0.5 if split is stratified_holdout else 2, rng=np.random.default_rng(0))
