"""What both estimators share: from scikit-learn's fit(X, y) to one training of a network, and back."""

import math
import warnings
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from pipeline.errors import DivergedError, UsageError
from pipeline.estimators import parts
from pipeline.estimators.lbfgs import minimize
from pipeline.estimators.parameters import Parameters
from pipeline.estimators.rows import check_noise_fits, dense, pictures, row_weights
from pipeline.nn.averaging import MovingAverage
from pipeline.nn.network import PREDICT_ROWS
from pipeline.nn.onnx_graph import Graph
from pipeline.nn.workspace import Pass
from pipeline.training import EarlyStopping, Epoch, Hooks, Streams, TrainingData, TrainingPlan, fit
from pipeline.training.recipe import build_network

LARGEST_SEED = 2**31 - 1


def has_epochs(estimator: Parameters) -> bool:
    """True where partial_fit makes sense. Raises AttributeError elsewhere, which hides the method."""
    if estimator.solver == "lbfgs":
        raise AttributeError("partial_fit needs a solver that works by epochs, which lbfgs does not: use adam or sgd.")
    return True


def _arrays(name: str) -> property:
    """All layers' arrays of that name: views, into which a list that is assigned is copied."""

    def get(self: Any) -> list[np.ndarray]:
        if "network_" not in vars(self):
            raise AttributeError("The estimator has weights after fit only.")
        return [layer.params[name] for layer in self.network_.layers if name in layer.params]

    def put(self: Any, values: list[np.ndarray]) -> None:
        for array, value in zip(get(self), values, strict=True):
            array[...] = value

    return property(get, put)


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

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, X_val: Any = None, y_val: Any = None) -> Any:
        """Train on X (n, features), dense or sparse, and y: see the class.

        X_val, y_val: the rows that early_stopping watches, in place of a share of X and y.
        """
        return self._fit(X, y, sample_weight, X_val=X_val, y_val=y_val)

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, *, incremental: bool = False, X_val: Any = None, y_val: Any = None
    ) -> Any:
        self.check_parameters()
        for name in ("early_stopping", "schedule", "average_decay") if incremental else ():
            if value := getattr(self, name):
                raise UsageError(f"partial_fit does not support {name}={value!r}: it sees single epochs; use fit.")
        resuming = hasattr(self, "network_") and (incremental or self.warm_start)
        rows, y = self._validated(X, y, reset=not resuming)
        check_noise_fits(self, rows)
        targets = self._targets(y, incremental=incremental, resuming=resuming)
        weights = None if sample_weight is None else row_weights(sample_weight, rows.shape[0])
        random = check_random_state(self.random_state)
        if not resuming:
            self._begin(rows, random)
        validation = self._given_validation(X_val, y_val)
        if self.early_stopping and validation is None and self.solver != "lbfgs":
            training, held = self._split(targets, weights, random)
            held_weights = None if weights is None else weights[held]
            validation = TrainingData(rows=rows[held], labels=targets[held], sample_weight=held_weights)
            rows, targets, y = rows[training], targets[training], y[training]
            weights = None if weights is None else weights[training]
        weights = self._row_weights(y, weights)
        data = TrainingData(rows=rows, labels=targets, sample_weight=weights, validation=validation)
        self.stop_reason_, self.n_iter_ = "", 0
        if self.solver == "lbfgs":
            self._fit_lbfgs(data)
        else:
            self._fit_epochs(data, random, incremental=incremental)
        return self

    # What targets mean, where it is not said otherwise.

    _hits: ClassVar[Callable[[np.ndarray, np.ndarray], np.ndarray] | None] = None  # which rows are right

    def _row_weights(self, y: Any, sample_weight: np.ndarray | None) -> np.ndarray | None:
        """What each row counts."""
        return sample_weight

    def _strata(self, targets: np.ndarray) -> np.ndarray | None:
        """What early stopping's holdout keeps the shares of, or None."""
        return None

    def _tolerance(self, validation: TrainingData) -> float:
        """By how much the watched figure has to improve."""
        return self.tol

    def _begin(self, rows: np.ndarray, random: np.random.RandomState) -> None:
        # MLPClassifier's draws come first, so that the same random_state gives the same network; ours from a copy.
        self._rng = np.random.default_rng((deepcopy(random) if self.init == "mlp" else random).randint(LARGEST_SEED))
        dtype = "float32" if rows.dtype in (np.float32, np.uint8) else "float64"
        specs, outputs = parts.layer_specs(self, self.n_outputs_), self.n_outputs_
        self.network_ = build_network(specs, rows.shape[1:], outputs, rng=self._rng, dtype=dtype)
        if self.init == "mlp":
            parts.draw_as_mlp(self.network_, self.activation, random)
        self.n_layers_ = len(self.coefs_) + 1
        self.loss_curve_, self.validation_scores_, self.t_, self._optimizer = [], None, 0, None

    def _fit_lbfgs(self, data: TrainingData) -> None:
        def stop(loss: float) -> bool:
            self.n_iter_, self.loss_ = self.n_iter_ + 1, loss
            self._say(f"Iteration {self.n_iter_}, loss = {loss:.8f}")
            return self._stops("")

        options = {"maxiter": self.max_iter, "maxfun": self.max_fun, "gtol": self.tol}
        regularizer = parts.L2Regularizer(self.network_, self.alpha)
        result = minimize(self.network_, data, self._loss(), regularizer, stop=stop, options=options)
        self.loss_ = float(result.fun)
        if not self.stop_reason_:
            self._stops(f"lbfgs: {result.message}")
            if not result.success:
                self._warn(
                    f"lbfgs stopped after {result.nit} iterations before it had converged ({result.message}): "
                    "raise max_iter or max_fun, or scale the data."
                )

    def _fit_epochs(self, data: TrainingData, random: np.random.RandomState, *, incremental: bool) -> None:
        network, n, validation, decay = self.network_, data.rows.shape[0], data.validation, self.average_decay
        if self.batch_size != "auto" and self.batch_size > n:
            self._warn(f"batch_size={self.batch_size} is above the {n} training rows: one batch is all.", UserWarning)
        if not incremental:
            self._optimizer = None
        seen = self.t_ if self._optimizer else 0  # a new optimiser begins with the first learning rate
        self._optimizer = self._optimizer or parts.make_optimizer(self, network)
        pace = parts.Pace(self, self._optimizer, self._patience(validation, incremental=incremental), seen=seen)
        if validation is not None and self.validation_scores_ is None:
            self.validation_scores_ = []
        plan = TrainingPlan(
            loss=self._loss(),
            optimizer=self._optimizer,
            schedule=pace.learning_rate,
            epochs=1 if incremental else self.epochs or self.max_iter,
            batch_size=min(200, n) if self.batch_size == "auto" else self.batch_size,
            shuffle=self.shuffle,
            hits=self._hits,
            regularizer=parts.L2Regularizer(network, self.alpha) if self.alpha else None,
        )
        hooks = Hooks(
            augment=parts.make_augment(self),
            average=None if decay is None else MovingAverage(network.values.size, network.dtype, decay=decay),
            stop=lambda epoch: self._stops_after(epoch, data, pace, last=None if incremental else plan.epochs),
            best_by=None if validation is None else self._figure,
        )
        try:
            fit(network, data, plan, streams=Streams(self._rng, parts.MLPOrder(random), self._rng), hooks=hooks)
        except DivergedError as error:
            if validation is None or not self.n_iter_:
                raise
            # Early stopping has kept the best epoch, which is what it is for: MLPClassifier goes on here as well.
            self.n_iter_, self.stop_reason_ = self.n_iter_ + 1, str(error).rstrip(".")
            self.loss_curve_.append(math.nan)
            self.validation_scores_.append(math.nan)
            self._warn(str(error))
        self.best_loss_ = min(self.loss_curve_) if validation is None else None
        self.best_validation_score_ = None if validation is None else float(np.nanmax(self.validation_scores_))
        if not incremental and self.epochs is None and self.n_iter_ == self.max_iter and not pace.gave_up:
            self._warn(
                f"Training stopped after max_iter={self.max_iter} epochs before it had converged: raise max_iter, or "
                "name the number of epochs that you want as epochs."
            )

    def _stops_after(self, epoch: Epoch, data: TrainingData, pace: parts.Pace, *, last: int | None) -> bool:
        self.n_iter_, self.loss_ = epoch.epoch, epoch.train_loss
        self.t_ += data.rows.shape[0]
        self.loss_curve_.append(epoch.train_loss)
        self._say(f"Iteration {epoch.epoch}, loss = {epoch.train_loss:.8f}")
        if data.validation is not None:
            self.validation_scores_.append(self._validation_score(epoch, data.validation))
            self._say(f"Validation score: {self.validation_scores_[-1]:f}")
        reason = pace.reason_to_stop(epoch, seen=self.t_)
        return self._stops(f"{last} of {last} epochs are done" if not reason and epoch.epoch == last else reason)

    def _stops(self, reason: str) -> bool:
        """Whether training stops, for `reason` or because a callback says so."""
        self.stop_reason_ = reason
        wishes = [callback(self) for callback in self.callbacks]
        if any(wishes) and not reason:
            self.stop_reason_ = "a callback asked for it"
        if self.stop_reason_:
            self._say(f"Stopped: {self.stop_reason_}.")
        return bool(self.stop_reason_)

    def _say(self, line: str) -> None:
        if self.verbose:
            print(line)

    def _warn(self, message: str, category: type[Warning] = ConvergenceWarning) -> None:
        warnings.warn(message, category, stacklevel=5)  # where fit was called

    def _patience(self, validation: TrainingData | None, *, incremental: bool) -> EarlyStopping | None:
        if incremental or (self.epochs is not None and validation is None):
            return None
        watched = ("train_loss", self.tol) if validation is None else (self._figure, self._tolerance(validation))
        return EarlyStopping(watched[0], epochs=self.n_iter_no_change, tolerance=watched[1])

    def _given_validation(self, X_val: Any, y_val: Any) -> TrainingData | None:
        """The rows that fit was given to validate on, or None."""
        if X_val is None and y_val is None:
            return None
        if X_val is None or y_val is None or not self.early_stopping or self.solver == "lbfgs":
            raise UsageError(
                "X_val and y_val are the rows that early stopping watches: give both, with early_stopping=True and a "
                "solver that works by epochs."
            )
        rows, y = self._validated(X_val, y_val, reset=False)
        return TrainingData(rows=rows, labels=self._targets(y, incremental=True, resuming=True))

    def _split(self, targets: np.ndarray, weights: np.ndarray | None, random: Any) -> tuple[np.ndarray, np.ndarray]:
        """Places of the rows to train on and of those held out for early stopping; weightless rows are in neither."""
        places = np.arange(len(targets)) if weights is None else np.flatnonzero(weights)
        strata, fraction = self._strata(targets[places]), self.validation_fraction
        training, held = train_test_split(places, random_state=random, test_size=fraction, stratify=strata)
        if len(held) < 2:
            raise UsageError(
                f"The validation set is too small: early stopping needs at least 2 rows, found {len(held)} of "
                f"{len(places)}; raise validation_fraction, give more rows, or X_val and y_val."
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
        return self.network_.logits(self._validated(X, reset=False))

    def input_gradient(self, X: Any, y: Any) -> np.ndarray:
        """∂loss/∂X (n, features): how each row's own loss at label y changes with its numbers.

        Dropout, noise and regularizer are left out. Pixels count from 0 to 1 here, whatever the type of X.
        """
        check_is_fitted(self)
        rows, y = self._validated(X, y, reset=False)
        targets, loss = self._targets(y, incremental=True, resuming=True), self._loss()
        ctx = Pass(wants_input_gradient=True)
        found = []
        for start in range(0, rows.shape[0], PREDICT_ROWS):
            part = slice(start, start + PREDICT_ROWS)
            x = self.network_.to_numbers(dense(rows[part]), ctx)
            outputs, backward = self.network_.forward(x, ctx)
            gradient = loss(outputs, targets[part], ctx)[1]
            found.append(backward(gradient).reshape(len(x), -1) * len(x))
        return np.concatenate(found)

    def to_onnx(self) -> Any:
        """The fitted network for other programs, as an onnx.ModelProto, with skl2onnx's names: float32 throughout.

        It takes `X` (n, features), pixels divided by 255, and gives `label` and `probabilities` in the order of
        classes_; a regressor gives `variable` (n, outputs). Raises UsageError where the onnx package is missing.
        """
        check_is_fitted(self)
        graph, shape = Graph(), self.network_.input_shape
        x = "X" if len(shape) == 1 else graph.add("Reshape", "X", graph.constant(np.array([-1, *shape])))
        answers = self._onnx_answers(graph, graph.add_network(self.network_, x))
        return graph.model({"X": (np.float32, ["n", self.n_features_in_])}, answers, {"parameters": repr(self)})

    coefs_, intercepts_ = _arrays("weight"), _arrays("bias")
