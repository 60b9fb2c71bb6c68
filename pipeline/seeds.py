"""Random streams: the key that each part of a job draws from, so that no two parts share random numbers.

Every stream's key begins with the job's seed and a member of Stream; what follows tells repeats, folds and members
apart. Equal keys give equal numbers, whatever the number of processes.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What a stream is for; the second number of its key."""

    HOLDOUT = 0  # the split that every job of one seed shares
    TEST_CONDITIONS = 1  # noise, corruptions and views of the rows that are predicted
    FITS = 2  # networks trained without the holdout: (seed, FITS, repeat)
    FINAL_FITS = 3  # networks trained on all rows: (seed, FINAL_FITS, repeat)
    DISTORTED_HOLDOUT = 4
    FOLDS = 20
    FOLD_FITS = 21  # (seed, FOLD_FITS, member, repeat, fold)
    LADDERS = 5  # attacks beside proofs, when all networks are trained
    SEARCH_FOLDS = 30
    SEARCH_FITS = 31  # (seed, SEARCH_FITS, fold)


class AfterTraining(IntEnum):
    """What a fit draws for when its network is trained: the number behind the fit's own key."""

    ATTACK = 1
    SMOOTHING = 2


def generator(seed: int, stream: Stream) -> np.random.Generator:
    """The generator of that stream."""
    return np.random.default_rng([seed, stream])


def derived_seed(seed: int, stream: Stream) -> int:
    """A seed of its own for that stream, below 2³²: for what takes a whole number and not a key."""
    return int(np.random.SeedSequence([seed, stream]).generate_state(1)[0])
