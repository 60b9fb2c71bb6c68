"""Confident learning: training rows whose label is probably wrong, from out-of-fold probabilities.

C. Northcutt, L. Jiang, I. Chuang, Confident learning: estimating uncertainty in dataset labels, JAIR 70 (2021). A row
counts as class j where its probability of j reaches what rows labelled j get on average (equation 2); rows that so
count as another class than their label are the off-diagonal of the confident joint (equation 1).
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelErrors:
    """Rows in question (m,), the surest first: indices, the class that they rather are, probabilities of both."""

    rows: np.ndarray
    suggested: np.ndarray
    of_label: np.ndarray
    of_suggested: np.ndarray


def label_errors(probabilities: np.ndarray, labels: np.ndarray) -> LabelErrors:
    """probabilities (n, classes), out-of-fold; labels (n,) class indices, every class with at least one row.

    The rows are sorted by the probability of their label less that of the suggested class (the normalised margin).
    """
    classes = np.arange(probabilities.shape[1])
    thresholds = np.array([probabilities[labels == one, one].mean() for one in classes])
    counted = np.where(probabilities >= thresholds, probabilities, -1.0)
    suggested = counted.argmax(axis=1)
    rows = np.flatnonzero((counted.max(axis=1) >= 0) & (suggested != labels))
    of_label, of_suggested = probabilities[rows, labels[rows]], probabilities[rows, suggested[rows]]
    order = np.argsort(of_label - of_suggested, kind="stable")
    rows, of_label, of_suggested = rows[order], of_label[order], of_suggested[order]
    return LabelErrors(rows=rows, suggested=suggested[rows], of_label=of_label, of_suggested=of_suggested)
