"""NetworkClassifier: MLPClassifier's parameters, methods and results over our network."""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np
from scipy.special import expit
from sklearn.base import ClassifierMixin
from sklearn.utils import column_or_1d, compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels

from pipeline.errors import UsageError
from pipeline.estimators.base import NetworkEstimator, has_epochs
from pipeline.estimators.parts import TimesOutputs
from pipeline.estimators.rows import dense
from pipeline.nn.losses import BinaryCrossEntropy, SoftmaxCrossEntropy, softmax
from pipeline.nn.onnx_graph import Graph, Ports
from pipeline.training import Epoch, TrainingData, class_hits


@dataclass(repr=False, eq=False)
class NetworkClassifier(ClassifierMixin, NetworkEstimator):
    """A network that tells classes, to be used like scikit-learn's MLPClassifier; parameters: see Parameters.

    label_smoothing: share ε of the target that is spread over all classes. class_weight: a dictionary from class to
    weight, or "balanced" (a list of dictionaries, one a label, for multi-label targets).

    Two classes make one output and a sigmoid, more a softmax, multi-label targets (n, labels) of 0 and 1 a sigmoid
    each. Fitted attributes are those of MLPClassifier: classes_, coefs_, intercepts_, loss_, loss_curve_,
    best_loss_, validation_scores_, best_validation_score_, n_iter_, n_features_in_, feature_names_in_ and so on.
    Raises UsageError (a ValueError) for parameters and data that cannot be, DivergedError when training breaks down.
    """

    _: KW_ONLY
    label_smoothing: float = 0.0
    class_weight: Mapping[Any, float] | str | None = None

    _figure = "validation_accuracy"
    _numeric_targets = False

    @available_if(has_epochs)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """One epoch over X and y, going on from before; the first call needs all `classes`, unless multi-label."""
        if self.class_weight == "balanced":
            raise UsageError('partial_fit cannot know what is "balanced": give class_weight as a dictionary.')
        if classes is not None:
            classes = unique_labels(classes)
            if hasattr(self, "classes_") and not np.array_equal(classes, self.classes_):
                raise UsageError(f"classes must be those of the first call, {self.classes_}, found {classes}.")
            self.classes_ = classes
        elif not hasattr(self, "classes_") and not type_of_target(y).startswith("multilabel"):
            raise UsageError("The first call of partial_fit needs classes, all that will ever occur.")
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class (n,), or for multi-label targets 0 and 1 (n, labels)."""
        outputs = self._outputs(X)
        if self._multilabel:
            return (outputs > 0).astype(int)
        if self.out_activation_ == "softmax":
            return self.classes_[outputs.argmax(axis=1)]
        return self.classes_[np.minimum(outputs[:, 0] > 0, len(self.classes_) - 1).astype(int)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities (n, classes) in the order of classes_; for multi-label targets of a 1 in each column."""
        outputs = self._outputs(X)
        if self.out_activation_ == "softmax":
            return softmax(outputs)
        return expit(outputs) if self._multilabel else expit(np.hstack([-outputs, outputs]))

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Logarithms of predict_proba(X); −∞ where a probability rounds to 0."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def _onnx_answers(self, graph: Graph, outputs: str) -> Ports:
        """Add the nodes from the network's outputs to probabilities and labels."""
        classes = self.classes_.astype(object) if self.classes_.dtype.kind == "U" else self.classes_
        if self.n_outputs_ == 1 and not self._multilabel:
            outputs = graph.add("Concat", graph.add("Neg", outputs), outputs, axis=1)
            classes = classes[[0, -1]]
        if self._multilabel:
            graph.cast(graph.add("Greater", outputs, graph.constant(np.float32(0))), np.int64, "label")
        else:
            best = graph.add("ArgMax", outputs, axis=1, keepdims=0)
            graph.add("Gather", graph.constant(classes), best, output="label")
        function = "Softmax" if self.out_activation_ == "softmax" else "Sigmoid"
        graph.add(function, outputs, output="probabilities")
        label = (np.int64, ["n", len(classes)]) if self._multilabel else (classes.dtype, ["n"])
        return {"label": label, "probabilities": (np.float32, ["n", len(classes)])}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _targets(self, y: Any, *, incremental: bool, resuming: bool) -> np.ndarray:
        """y as the loss takes it: class indices (n,), or floats (n, outputs) from 0 to 1."""
        check_classification_targets(y)
        kind = type_of_target(y)
        if kind == "multiclass-multioutput":
            raise UsageError("y has several columns of more than 0 and 1: train a classifier for each column.")
        multilabel = kind == "multilabel-indicator"
        if not multilabel:
            y = column_or_1d(y, warn=True)
        found = np.arange(y.shape[1]) if multilabel else np.unique(y)
        if resuming and multilabel != self._multilabel:
            raise UsageError("y must be of the kind of the first fit: classes (n,), or 0 and 1 (n, labels).")
        if not resuming and not (incremental and hasattr(self, "classes_")):
            self.classes_ = found
        self._check_known(found, all_needed=resuming and not incremental)
        if not resuming:
            self._multilabel = multilabel
            one_each = multilabel or len(self.classes_) > 2
            self.n_outputs_ = len(self.classes_) if one_each else 1
            self.out_activation_ = "softmax" if one_each and not multilabel else "logistic"
        if multilabel:
            return self._smoothed(dense(y))
        indices = np.searchsorted(self.classes_, y)
        return indices if self.out_activation_ == "softmax" else self._smoothed(indices[:, None])

    def _check_known(self, found: np.ndarray, *, all_needed: bool) -> None:
        unknown = np.setdiff1d(found, self.classes_)
        if all_needed and not np.array_equal(found, self.classes_):
            raise UsageError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                f"Previously got {self.classes_}, `y` has {found}"
            )
        if len(unknown):
            raise UsageError(f"y holds {unknown}, which are not among the classes {self.classes_}.")

    def _smoothed(self, targets: np.ndarray) -> np.ndarray:
        return targets * (1 - self.label_smoothing) + self.label_smoothing / 2

    def _loss(self) -> Callable[..., tuple[float, np.ndarray]]:
        if self.out_activation_ == "softmax":
            return SoftmaxCrossEntropy(label_smoothing=self.label_smoothing)
        return TimesOutputs(BinaryCrossEntropy())

    @property
    def _hits(self) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        return class_hits if self.out_activation_ == "softmax" else _all_labels_hit

    def _row_weights(self, y: Any, sample_weight: np.ndarray | None) -> np.ndarray | None:
        """What each row counts, by its class and by itself."""
        if self.class_weight is None:
            return sample_weight
        if self.class_weight != "balanced":
            by_class = compute_sample_weight(self.class_weight, dense(y))
            return by_class if sample_weight is None else by_class * sample_weight
        weights = np.ones(len(y)) if sample_weight is None else sample_weight
        by_row = weights
        for column in dense(y).T if self._multilabel else [y]:  # as compute_sample_weight, but rows count by weight
            places = np.unique(column, return_inverse=True)[1]
            totals = np.bincount(places, weights)
            present = np.count_nonzero(totals)
            by_row = by_row * (weights.sum() / present / np.where(totals > 0, totals, 1))[places]
        return by_row

    def _strata(self, targets: np.ndarray) -> np.ndarray | None:
        """What early stopping's holdout keeps the shares of; None where a class is too rare for that."""
        if self._multilabel:
            return None
        classes, counts = np.unique(targets, return_counts=True)
        held = round(len(targets) * self.validation_fraction)
        return targets if counts.min() >= 2 and held >= len(classes) else None

    def _validation_score(self, epoch: Epoch, validation: TrainingData) -> float:
        return epoch.validation_accuracy


def _all_labels_hit(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """(n,) bool: whether all of outputs (n, k) lie on the side of 0 that targets (n, k) in [0, 1] ask for."""
    return ((outputs > 0) == (targets > 0.5)).all(axis=1)
