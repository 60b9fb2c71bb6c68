"""From an estimator's parameters to the parts of a training: layers, schedule, regularizer, changes to batches."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pipeline.augment import Chain
from pipeline.augment.noise import NoiseOnShare
from pipeline.augment.shift import RandomShift
from pipeline.estimators.parameters import ACTIVATIONS, Parameters
from pipeline.nn.network import Network
from pipeline.nn.optimizers import OPTIMIZERS
from pipeline.nn.schedules import SCHEDULES
from pipeline.nn.workspace import Pass
from pipeline.training import Augment, EarlyStopping, Epoch
from pipeline.training.plan import Optimizer

SMALLEST_RATE = 1e-6  # where an adaptive learning rate gives up, as in scikit-learn


def layer_specs(parameters: Parameters, outputs: int) -> list[dict[str, Any]]:
    """The layers' specs, as recipes have them, that end in `outputs` numbers."""
    init = "he" if parameters.activation in ("relu", "leaky_relu", "gelu") else "glorot"
    name = ACTIVATIONS[parameters.activation]
    activation = [] if name is None else [{"layer": name}]
    specs: list[dict[str, Any]] = []
    if parameters.image_shape is not None:
        for filters in parameters.filters:
            specs += [
                {
                    "layer": "Conv2D",
                    "filters": int(filters),
                    "kernel": int(parameters.kernel_size),
                    "padding": "same",
                    "init": init,
                },
                *activation,
                {"layer": "MaxPool2D", "size": 2},
            ]
        specs.append({"layer": "Flatten"})
    for units in parameters.hidden_sizes:
        specs += [{"layer": "Dense", "units": int(units), "init": init}, *activation]
        if parameters.dropout:
            specs.append({"layer": "Dropout", "rate": parameters.dropout})
    return [*specs, {"layer": "Dense", "units": outputs, "init": init}]


def make_optimizer(parameters: Parameters, network: Network) -> Optimizer:
    """A fresh optimiser with those of the parameters that it takes."""
    build = OPTIMIZERS[parameters.solver]
    nesterov = parameters.nesterovs_momentum and parameters.momentum > 0
    given = {**vars(parameters), "nesterov": nesterov}
    return build(network.params.size, network.dtype, **_taken(build, given))


def _taken(build: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    names = inspect.signature(build).parameters
    return {name: given[name] for name in names if given.get(name) is not None}


def make_augment(parameters: Parameters) -> Augment | None:
    """The changes to training batches, or None for none."""
    changes: list[Augment] = []
    if parameters.shift:
        changes.append(RandomShift(parameters.shift))
    if parameters.augment is not None:
        changes.append(parameters.augment)
    if parameters.noise:
        changes.append(NoiseOnShare(parameters.noise))
    return Chain(*changes) if changes else None


class Pace:
    """The learning rate of every step, and after every epoch whether to stop.

    rows: training rows an epoch. rows_before: rows seen in earlier calls, for invscaling.
    """

    def __init__(self, parameters: Parameters, patience: EarlyStopping | None, *, rows: int, rows_before: int) -> None:
        self.patience, self.rows, self.rows_before, self.power = patience, rows, rows_before, parameters.power_t
        self.rate = parameters.learning_rate_init
        self.kind = parameters.learning_rate if parameters.solver == "sgd" else "constant"
        self.schedule = parameters.schedule
        if isinstance(self.schedule, str):
            build = SCHEDULES[self.schedule]
            self.schedule = build(**_taken(build, {"learning_rate": self.rate, "peak": self.rate}))
        self.epoch = 0
        self.stopped = False

    def learning_rate(self, step: int, steps: int) -> float:
        """For training.fit's `schedule`."""
        if self.schedule is not None:
            return self.schedule(step, steps)
        if self.kind == "invscaling":
            return self.rate / (self.rows_before + self.epoch * self.rows + 1) ** self.power
        return self.rate

    def stop(self, epoch: Epoch) -> bool:
        """For training.fit's `stop`: an adaptive rate falls to a fifth before patience ends."""
        self.epoch = epoch.epoch
        if self.patience is None or not self.patience(epoch):
            return False
        if self.kind != "adaptive" or self.rate <= SMALLEST_RATE:
            self.stopped = True
            return True
        self.rate /= 5
        self.patience.failures = 0
        return False


class L2Regularizer:
    """½·alpha·Σ W² / (weight of the batch) over the weights of all layers; vectors (biases) are left alone."""

    def __init__(self, network: Network, alpha: float) -> None:
        self.alpha = alpha
        self.weights = [
            (weight, layer.grads[name])
            for layer in network.layers
            for name, weight in layer.params.items()
            if weight.ndim > 1
        ]

    def __call__(self, batch_weight: float) -> float:
        """The penalty; its gradient is added to the layers' gradients."""
        factor = self.alpha / batch_weight
        squares = 0.0
        for weight, gradient in self.weights:
            flat = weight.ravel()
            squares += float(np.dot(flat, flat))
            gradient += factor * weight
        return 0.5 * factor * squares


class TimesOutputs:
    """A loss that is a mean over the outputs, made a sum over them (times `factor`), as scikit-learn has it."""

    def __init__(self, loss: Callable[..., tuple[float, np.ndarray]], factor: float = 1.0) -> None:
        self.loss, self.factor = loss, factor

    def __call__(
        self, outputs: np.ndarray, targets: np.ndarray, ctx: Pass, weights: np.ndarray | None = None
    ) -> tuple[float, np.ndarray]:
        value, gradient = self.loss(outputs, targets, ctx, weights)
        factor = self.factor * outputs.shape[1]
        if factor != 1:
            gradient *= factor
        return value * factor, gradient
