"""NetworkRegressor: MLPRegressor's parameters, methods and results over our network."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if

from pipeline.errors import UsageError
from pipeline.estimators.base import NetworkEstimator, has_epochs
from pipeline.estimators.parts import TimesOutputs
from pipeline.nn.losses import MSE, AbsoluteError, Poisson
from pipeline.nn.onnx_graph import Graph, Ports
from pipeline.nn.workspace import Pass
from pipeline.training import Epoch, TrainingData

LOSSES = {
    "squared_error": TimesOutputs(MSE(), 0.5),
    "poisson": TimesOutputs(Poisson()),
    "absolute_error": TimesOutputs(AbsoluteError()),
}


@dataclass(repr=False, eq=False)
class _FirstParameter:
    """What stands before all other parameters, as in MLPRegressor."""

    loss: str = "squared_error"


@dataclass(repr=False, eq=False)
class NetworkRegressor(RegressorMixin, NetworkEstimator, _FirstParameter):
    """A network that tells numbers, to be used like scikit-learn's MLPRegressor; parameters: see Parameters.

    loss, summed over the outputs: squared_error (half of it), absolute_error, or poisson (half the deviance), whose
    predictions are exp of the network's outputs. validation_scores_ are 1 − loss / (loss of always telling the mean
    of the validation targets), which for squared_error is R².
    Raises UsageError (a ValueError) for parameters and data that cannot be, DivergedError when training breaks down.
    """

    _figure = "validation_loss"
    _numeric_targets = True

    def check_parameters(self) -> None:
        """Raise UsageError for a parameter that is out of range or does not go with another."""
        if self.loss not in LOSSES:
            raise UsageError(f"loss must be one of {', '.join(LOSSES)}, found {self.loss!r}.")
        super().check_parameters()

    @available_if(has_epochs)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """One epoch over X and y, going on from before."""
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: Any) -> np.ndarray:
        """Numbers (n,), or (n, outputs) where y had several columns."""
        outputs = self._outputs(X)
        if self.out_activation_ == "exp":
            np.exp(outputs, out=outputs)
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
        if self.loss == "poisson" and not (y.min() >= 0 and y.max() > 0):
            raise UsageError(f"loss='poisson' is for y of at least 0, not all 0, found {y.min():g} to {y.max():g}.")
        if not resuming:
            self.n_outputs_, self.out_activation_ = y.shape[1], "exp" if self.loss == "poisson" else "identity"
        return y

    def _loss(self) -> Callable[..., tuple[float, np.ndarray]]:
        return LOSSES[self.loss]

    def _tolerance(self, validation: TrainingData) -> float:
        spread = self._spread(validation)
        return self.tol * spread if spread else math.inf  # nothing to explain, so nothing to wait for

    def _validation_score(self, epoch: Epoch, validation: TrainingData) -> float:
        spread = self._spread(validation)
        return 1 - epoch.validation_loss / spread if spread else 0.0

    def _spread(self, validation: TrainingData) -> float:
        """The loss of always telling the mean of the validation targets; what R² compares with."""
        targets, weights = validation.labels, validation.sample_weight
        mean = np.average(targets, axis=0, weights=weights)
        if self.loss == "poisson":
            mean = np.log(np.maximum(mean, np.finfo(float).tiny))
        return self._loss()(np.tile(mean, (len(targets), 1)), targets, Pass(), weights)[0]

    def _onnx_answers(self, graph: Graph, outputs: str) -> Ports:
        graph.add("Exp" if self.out_activation_ == "exp" else "Identity", outputs, output="variable")
        return {"variable": (np.float32, ["n", self.n_outputs_])}
