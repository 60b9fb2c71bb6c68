"""NetworkRegressor: MLPRegressor's parameters, methods and results over our network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if

from pipeline.errors import UsageError
from pipeline.estimators.base import NetworkEstimator, has_epochs
from pipeline.estimators.parts import TimesOutputs
from pipeline.nn.losses import MSE
from pipeline.training import Epoch, TrainingData


@dataclass(repr=False, eq=False)
class NetworkRegressor(RegressorMixin, NetworkEstimator):
    """A network that tells numbers, to be used like scikit-learn's MLPRegressor; parameters: see Parameters.

    Its loss is half the squared error, summed over the outputs. validation_scores_ are R², over all outputs.
    Raises UsageError (a ValueError) for parameters and data that cannot be, DivergedError when training breaks down.
    """

    _figure = "validation_loss"
    _numeric_targets = True

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> NetworkRegressor:
        """Train on X (n, features), dense or sparse, and y (n,) or (n, outputs) of numbers."""
        return self._fit(X, y, sample_weight, incremental=False)

    @available_if(has_epochs)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> NetworkRegressor:
        """One epoch over X and y, going on from before."""
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X: Any) -> np.ndarray:
        """Numbers (n,), or (n, outputs) where y had several columns."""
        outputs = self._outputs(X)
        return outputs if self.n_outputs_ > 1 else outputs[:, 0]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _targets(self, y: Any, *, incremental: bool, resuming: bool) -> np.ndarray:
        if y.ndim == 1 or y.shape[1] == 1:
            y = column_or_1d(y, warn=True)[:, None]
        if resuming and y.shape[1] != self.n_outputs_:
            raise UsageError(f"y must have {self.n_outputs_} columns as in the first fit, found {y.shape[1]}.")
        if not resuming:
            self.n_outputs_, self.out_activation_ = y.shape[1], "identity"
        return y

    def _loss(self) -> Callable[..., tuple[float, np.ndarray]]:
        return TimesOutputs(MSE(), 0.5)

    def _hits(self) -> None:
        return None

    def _row_weights(self, y: Any, sample_weight: np.ndarray | None) -> np.ndarray | None:
        return sample_weight

    def _strata(self, targets: np.ndarray) -> None:
        return None

    def _tolerance(self, validation: TrainingData) -> float:
        return self.tol * _spread(validation)

    def _validation_score(self, epoch: Epoch, validation: TrainingData) -> float:
        return 1 - epoch.validation_loss / _spread(validation)


def _spread(validation: TrainingData) -> float:
    """The loss of always telling the mean of the validation targets; what R² compares with."""
    targets, weights = validation.labels, validation.sample_weight
    mean = np.average(targets, axis=0, weights=weights)
    return 0.5 * float(np.average(((targets - mean) ** 2).sum(axis=1), weights=weights)) or 1.0
