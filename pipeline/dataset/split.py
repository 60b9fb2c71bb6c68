"""Stratified splits: every part holds the classes in the proportions of the whole."""

import numpy as np

from pipeline.errors import DataError, UsageError


def stratified_holdout(
    labels: np.ndarray, fraction: float, *, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Split rows into those to train on and a holdout of about `fraction` of them.

    labels: (n,) class of each row, of any sortable dtype.
    Returns (train_rows, holdout_rows), sorted int64 indices. Each class gives `fraction` of its rows to
    the holdout, rounded down or up so that the holdout has round(n · fraction) rows in all; every class
    stands on both sides, which takes precedence over the size.
    Raises UsageError for a fraction outside (0, 1), DataError for a class with a single row.
    """
    if not 0 < fraction < 1:
        raise UsageError(
            f"The holdout must be a part of the rows above 0 and below 1, found {fraction}: give a fraction "
            "such as 0.1."
        )
    groups = _rows_by_class(labels, "a holdout")
    sizes = np.array([len(rows) for rows in groups])
    shares = sizes * fraction
    # Largest remainder: the rows left over by rounding down go where rounding down took most.
    taken = np.floor(shares).astype(np.int64)
    left_over = round(sizes.sum() * fraction) - taken.sum()
    taken[np.argsort(taken - shares, kind="stable")[:left_over]] += 1
    taken = np.clip(taken, 1, sizes - 1)

    shuffled = [rng.permutation(rows) for rows in groups]
    holdout = [rows[:count] for rows, count in zip(shuffled, taken, strict=True)]
    train = [rows[count:] for rows, count in zip(shuffled, taken, strict=True)]
    return np.sort(np.concatenate(train)), np.sort(np.concatenate(holdout))


def stratified_folds(labels: np.ndarray, k: int, *, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    """Split rows into `k` folds for cross-validation.

    labels: (n,) class of each row, of any sortable dtype.
    Returns k pairs (train_rows, fold_rows) of sorted int64 indices; the folds are a partition of the rows.
    Folds differ by at most one row in size, and by at most one row in each class.
    Raises UsageError for k below 2 or above n, DataError for a class with a single row.
    """
    if not 2 <= k <= len(labels):
        raise UsageError(
            f"The number of folds must be from 2 to {len(labels):,}, the number of rows, found {k}: give a "
            "number such as 5."
        )
    groups = _rows_by_class(labels, "cross-validation")
    # Dealt like cards, class after class without starting anew, so that no fold gets all the odd rows.
    shuffled = np.concatenate([rng.permutation(rows) for rows in groups])
    fold_of_row = np.empty(len(shuffled), np.int64)
    fold_of_row[shuffled] = np.arange(len(shuffled)) % k
    return [(np.flatnonzero(fold_of_row != fold), np.flatnonzero(fold_of_row == fold)) for fold in range(k)]


def _rows_by_class(labels: np.ndarray, purpose: str) -> list[np.ndarray]:
    """Row indices of each class, in the order of the classes. Raises DataError for a class of one row."""
    classes, counts = np.unique(labels, return_counts=True)
    if counts.min() < 2:
        raise DataError(
            f"Class {classes[counts.argmin()]} has a single row where {purpose} needs at least 2 of each "
            "class: add rows of this class or remove it."
        )
    return np.split(np.argsort(labels, kind="stable"), np.cumsum(counts)[:-1])
