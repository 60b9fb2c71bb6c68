"""Scores of a cross-validation, its members and their ensemble on out-of-fold rows; and the mistakes behind them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from pipeline.evaluation.statistics import Estimate


@dataclass(frozen=True, kw_only=True)
class Score:
    """Out-of-fold accuracy (shares of 1) of a member's networks one by one, or of the ensemble.

    networks: how many there are, 0 where that is not known. by_fold: accuracy in each fold. accuracy: over all rows.
    cpu_seconds: mean processor time of a fit with its predictions, None for the ensemble.
    """

    name: str
    networks: int
    by_fold: tuple[float, ...]
    accuracy: float
    cpu_seconds: float | None


@dataclass(frozen=True, kw_only=True)
class EnsembleSummary:
    """All that the report of a cross-validation, or of a blend, says.

    scores: of the members, then of the ensemble. weights: of the members in it. holdout: accuracy of the
    submission's networks on held_out rows that no fold had, or None. notes: sentences of the run itself. data: its
    name; rows: in all folds; sample: whether it is the embedded sample. about: what its lines are of, where they are
    no members of folds.
    """

    scores: tuple[Score, ...]
    weights: Mapping[str, float]
    holdout: Estimate | None
    notes: tuple[str, ...]
    data: str
    rows: int
    held_out: int = 0
    sample: bool = False
    about: str = ""

    @classmethod
    def of(cls, record: Mapping) -> Self:
        """From the JSON values of asdict. Raises LookupError or TypeError for others."""
        holdout = record["holdout"]
        fields = {
            "scores": tuple(Score(**{**score, "by_fold": tuple(score["by_fold"])}) for score in record["scores"]),
            "holdout": None if holdout is None else Estimate(*holdout),
            "notes": tuple(record["notes"]),
        }
        return cls(**{**record, **fields})


def surest_mistakes(probabilities: np.ndarray, labels: np.ndarray, most: int) -> np.ndarray:
    """Indices of at most `most` misclassified rows, those first whose true class has the smallest probability.

    probabilities (n, classes), labels (n,) class indices.
    """
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return wrong[np.argsort(probabilities[wrong, labels[wrong]], kind="stable")][:most]
