"""Mistakes worth looking at: misclassified rows, ordered by how unlikely the true class seemed."""

from __future__ import annotations

import numpy as np


def surest_mistakes(probabilities: np.ndarray, labels: np.ndarray, most: int) -> np.ndarray:
    """Indices of at most `most` misclassified rows, those first whose true class has the smallest probability.

    probabilities (n, classes), labels (n,) class indices.
    """
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return wrong[np.argsort(probabilities[wrong, labels[wrong]], kind="stable")][:most]
