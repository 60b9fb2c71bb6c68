"""When to answer, and when to say that the answer is not sure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.errors import UsageError
from pipeline.prediction.picture.steps import BLANK, SEVERAL

SURE = "sure"
NOT_SURE = "not sure"


def verdict(probabilities: np.ndarray, warnings: Sequence[str], *, threshold: float) -> str:
    """SURE, NOT_SURE, BLANK or SEVERAL for one picture.

    `probabilities` (classes,) of the network, `warnings` of `prepare`. A blank picture and a row of digits
    have no answer whatever the network says; otherwise the best class must reach `threshold` (0 … 1).
    """
    if BLANK in warnings:
        return BLANK
    if SEVERAL in warnings:
        return SEVERAL
    return SURE if float(np.max(probabilities)) >= threshold else NOT_SURE


def calibrate(probabilities: np.ndarray, labels: np.ndarray, *, accuracy: float = 0.97) -> float:
    """The lowest threshold at which the sure answers among labelled pictures reach `accuracy`.

    `probabilities` (n, classes), `labels` (n,) class indices. Ties are kept together: all pictures at the
    threshold or above it count. Where no threshold suffices the result is above every probability given,
    so that nothing is called sure. Raises UsageError for arrays that do not belong together.
    """
    probabilities, labels = np.asarray(probabilities), np.asarray(labels)
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or not labels.size:
        raise UsageError(
            f"Probabilities {probabilities.shape} and labels {labels.shape} do not belong together: one row "
            "of probabilities for each label is needed, at least one; give them from the same pictures."
        )
    best = probabilities.max(1)
    order = np.argsort(-best, kind="stable")
    right = (probabilities.argmax(1) == labels)[order].cumsum()
    last_of_tie = np.append(np.diff(best[order]) != 0, True)
    good = np.flatnonzero(last_of_tie & (right >= accuracy * np.arange(1, labels.size + 1)))
    return float(best[order[good[-1]]]) if good.size else float(np.nextafter(best.max(), np.inf))
