"""What both estimators share: from scikit-learn's fit(X, y) to one training of a network, and back."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from pipeline.errors import UsageError
from pipeline.estimators.lbfgs import minimize
from pipeline.estimators.parameters import Parameters
from pipeline.estimators.parts import L2Regularizer, Pace, layer_specs, make_augment, make_optimizer
from pipeline.estimators.rows import check_noise_fits, dense, pictures, portions, row_weights
from pipeline.nn.averaging import MovingAverage
from pipeline.nn.workspace import Pass
from pipeline.training import EarlyStopping, Epoch, Hooks, Streams, TrainingData, TrainingPlan, fit
from pipeline.training.recipe import build_network

LARGEST_SEED = 2**31 - 1


def has_epochs(estimator: Parameters) -> bool:
    """True where partial_fit makes sense. Raises AttributeError elsewhere, which hides the method."""
    if estimator.solver == "lbfgs":
        raise AttributeError("partial_fit needs a solver that works by epochs, which lbfgs does not: use adam or sgd.")
    return True


@dataclass(repr=False, eq=False)
class NetworkEstimator(Parameters, BaseEstimator):
    """Base of NetworkClassifier and NetworkRegressor, which add what their targets mean.

    coefs_, intercepts_: lists of the layers' weights and biases, views into the network: changing them in place
    changes it, and with warm_start the next fit begins there. network_: the pipeline.nn Network itself.
    Numbers are computed in float32 when X is float32 or pixels, else in float64.
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self.image_shape is None
        return tags

    def _fit(self, X: Any, y: Any, sample_weight: Any, *, incremental: bool) -> Any:
        self.check_parameters()
        resuming = hasattr(self, "network_") and (incremental or self.warm_start)
        rows, y = self._validated(X, y, reset=not resuming)
        check_noise_fits(self, rows)
        targets = self._targets(y, incremental=incremental, resuming=resuming)
        weights = None if sample_weight is None else row_weights(sample_weight, rows.shape[0])
        seed = int(check_random_state(self.random_state).randint(LARGEST_SEED))
        if not resuming:
            self._begin(rows, seed)
        if self.solver == "lbfgs":
            self._fit_lbfgs(TrainingData(rows=rows, labels=targets, sample_weight=self._row_weights(y, weights)))
            return self
        training, validation = np.arange(rows.shape[0]), None
        if self.early_stopping:
            training, held = self._split(targets, seed)
            validation = TrainingData(
                rows=dense(rows[held]),
                labels=targets[held],
                sample_weight=None if weights is None else weights[held],
            )
            rows, targets, y = rows[training], targets[training], y[training]
            weights = None if weights is None else weights[training]
        weights = self._row_weights(y, weights)
        data = TrainingData(rows=rows, labels=targets, sample_weight=weights, validation=validation)
        self._fit_epochs(data, incremental=incremental)
        return self

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any) -> Any:
        for name in ("early_stopping", "schedule", "average_decay"):
            if getattr(self, name):
                raise UsageError(f"partial_fit sees one epoch at a time, without {name}: use fit.")
        return self._fit(X, y, sample_weight, incremental=True)

    def _begin(self, rows: np.ndarray, seed: int) -> None:
        self._streams = Streams.of(seed)
        dtype = "float32" if rows.dtype in (np.float32, np.uint8) else "float64"
        specs, outputs = layer_specs(self, self.n_outputs_), self.n_outputs_
        self.network_ = build_network(specs, rows.shape[1:], outputs, rng=self._streams.weights, dtype=dtype)
        self.n_layers_ = len(self.coefs_) + 1
        self.loss_curve_: list[float] = []
        self.validation_scores_: list[float] | None = None
        self.n_iter_ = self.t_ = 0
        self._optimizer = None

    def _fit_lbfgs(self, data: TrainingData) -> None:
        network, limits = self.network_, {"max_iter": self.max_iter, "max_fun": self.max_fun, "tol": self.tol}
        regularizer = L2Regularizer(network, self.alpha)
        self.loss_, self.n_iter_ = minimize(network, data, loss=self._loss(), regularizer=regularizer, **limits)

    def _fit_epochs(self, data: TrainingData, *, incremental: bool) -> None:
        network, n, validation = self.network_, data.rows.shape[0], data.validation
        if not incremental or self._optimizer is None:
            self._optimizer = make_optimizer(self, network)
        before = self.t_ if incremental else 0  # a new fit begins with a new learning rate
        pace = Pace(self, self._patience(validation, incremental=incremental), rows=n, rows_before=before)
        decay = self.average_decay
        self.n_iter_ = 0
        if validation is not None and self.validation_scores_ is None:
            self.validation_scores_ = []
        plan = TrainingPlan(
            loss=self._loss(),
            optimizer=self._optimizer,
            schedule=pace.learning_rate,
            epochs=1 if incremental else self.epochs or self.max_iter,
            batch_size=min(200, n) if self.batch_size == "auto" else self.batch_size,
            shuffle=self.shuffle,
            hits=self._hits(),
            regularizer=L2Regularizer(network, self.alpha) if self.alpha else None,
        )
        hooks = Hooks(
            augment=make_augment(self),
            average=None if decay is None else MovingAverage(network.values.size, network.dtype, decay=decay),
            on_epoch=lambda epoch: self._remember(epoch, data),
            stop=pace.stop,
            best_by=None if validation is None else self._figure,
        )
        fit(network, data, plan, streams=self._streams, hooks=hooks)
        self.best_loss_ = min(self.loss_curve_) if validation is None else None
        self.best_validation_score_ = None if validation is None else max(self.validation_scores_)
        if not incremental and self.epochs is None and self.n_iter_ == self.max_iter and not pace.stopped:
            warnings.warn(
                f"Training stopped after max_iter={self.max_iter} epochs before it had converged: raise max_iter, or "
                "name the number of epochs that you want as epochs.",
                ConvergenceWarning,
                stacklevel=4,
            )

    def _remember(self, epoch: Epoch, data: TrainingData) -> None:
        self.n_iter_ = epoch.epoch
        self.t_ += data.rows.shape[0]
        self.loss_ = epoch.train_loss
        self.loss_curve_.append(epoch.train_loss)
        if self.verbose:
            print(f"Iteration {epoch.epoch}, loss = {epoch.train_loss:.8f}")
        if data.validation is not None:
            self.validation_scores_.append(self._validation_score(epoch, data.validation))
            if self.verbose:
                print(f"Validation score: {self.validation_scores_[-1]:f}")

    def _patience(self, validation: TrainingData | None, *, incremental: bool) -> EarlyStopping | None:
        if incremental or (self.epochs is not None and validation is None):
            return None
        if validation is None:
            return EarlyStopping("train_loss", epochs=self.n_iter_no_change, tolerance=self.tol)
        return EarlyStopping(self._figure, epochs=self.n_iter_no_change, tolerance=self._tolerance(validation))

    def _split(self, targets: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Places of the rows to train on and of those held out for early stopping."""
        places = np.arange(len(targets))
        training, held = train_test_split(
            places, random_state=seed, test_size=self.validation_fraction, stratify=self._strata(targets)
        )
        if len(held) < 2:
            raise UsageError(
                f"Early stopping needs at least 2 rows to validate on, found {len(held)} of {len(targets)}: raise "
                "validation_fraction or give more rows."
            )
        return training, held

    def _validated(self, X: Any, y: Any = "no_validation", *, reset: bool) -> Any:
        """Rows as the network takes them, and y where it is given; scikit-learn's checks and errors."""
        given = {"y": y} if isinstance(y, str) else {"y": y, "multi_output": True, "y_numeric": self._numeric_targets}
        if self.image_shape is None:
            return validate_data(self, X, accept_sparse="csr", dtype=(np.float64, np.float32), reset=reset, **given)
        checked = validate_data(self, X, dtype="numeric", reset=reset, **given)
        if isinstance(y, str):
            return pictures(checked, self.image_shape)
        return pictures(checked[0], self.image_shape), checked[1]

    def _outputs(self, X: Any) -> np.ndarray:
        """The network's outputs (n, outputs) before softmax or sigmoid."""
        check_is_fitted(self)
        rows = self._validated(X, reset=False)
        return np.concatenate([self.network_.logits(dense(rows[part])) for part in portions(rows.shape[0])])

    def input_gradient(self, X: Any, y: Any) -> np.ndarray:
        """∂loss/∂X (n, features): how each row's own loss at label y changes with its numbers.

        Dropout, noise and regularizer are left out. Pixels count from 0 to 1 here, whatever the type of X.
        """
        check_is_fitted(self)
        rows, y = self._validated(X, y, reset=False)
        targets, loss = self._targets(y, incremental=True, resuming=True), self._loss()
        ctx = Pass(wants_input_gradient=True)
        found = []
        for part in portions(rows.shape[0]):
            x = self.network_.to_numbers(dense(rows[part]), ctx)
            outputs, backward = self.network_.forward(x, ctx)
            gradient = loss(outputs, targets[part], ctx)[1]
            found.append(backward(gradient).reshape(len(x), -1) * len(x))
        return np.concatenate(found)

    @property
    def coefs_(self) -> list[np.ndarray]:
        return self._arrays("weight")

    @coefs_.setter
    def coefs_(self, values: list[np.ndarray]) -> None:
        _copy_all(self._arrays("weight"), values)

    @property
    def intercepts_(self) -> list[np.ndarray]:
        return self._arrays("bias")

    @intercepts_.setter
    def intercepts_(self, values: list[np.ndarray]) -> None:
        _copy_all(self._arrays("bias"), values)

    def _arrays(self, name: str) -> list[np.ndarray]:
        if "network_" not in vars(self):
            raise AttributeError("The estimator has weights after fit only.")
        return [layer.params[name] for layer in self.network_.layers if name in layer.params]


def _copy_all(arrays: list[np.ndarray], values: list[np.ndarray]) -> None:
    for array, value in zip(arrays, values, strict=True):
        array[...] = value
