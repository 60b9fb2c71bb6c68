"""From an estimator's parameters to the parts of a training: layers, schedule, regularizer, changes to batches."""

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pipeline.augment import Chain
from pipeline.augment.noise import NoiseOnShare
from pipeline.augment.shift import RandomShift
from pipeline.estimators.parameters import ACTIVATIONS, Parameters
from pipeline.nn.layers import Dense
from pipeline.nn.network import Network
from pipeline.nn.optimizers import OPTIMIZERS, Adam
from pipeline.nn.schedules import SCHEDULES
from pipeline.nn.workspace import Pass
from pipeline.training import Augment, EarlyStopping, Epoch
from pipeline.training.plan import Optimizer

SMALLEST_RATE = 1e-6  # where an adaptive learning rate gives up, as in scikit-learn


def layer_specs(parameters: Parameters, outputs: int) -> list[dict[str, Any]]:
    """The layers' specs, as recipes have them, that end in `outputs` numbers."""
    init = parameters.init
    if init == "mlp":  # for convolutions, which MLPClassifier does not have
        init = "he" if parameters.activation in ("relu", "leaky_relu", "gelu") else "glorot"
    name = ACTIVATIONS[parameters.activation]
    activation = [] if name is None else [{"layer": name}]
    specs: list[dict[str, Any]] = []
    if parameters.image_shape is not None:
        conv = {"layer": "Conv2D", "kernel": int(parameters.kernel_size), "padding": "same", "init": init}
        for filters in parameters.filters:
            specs += [{**conv, "filters": int(filters)}, *activation, {"layer": "MaxPool2D", "size": 2}]
        specs.append({"layer": "Flatten"})
    for units in parameters.hidden_sizes:
        specs += [{"layer": "Dense", "units": int(units), "init": init}, *activation]
        if parameters.dropout:
            specs.append({"layer": "Dropout", "rate": parameters.dropout})
    return [*specs, {"layer": "Dense", "units": outputs, "init": init}]


def draw_as_mlp(network: Network, activation: str, random: np.random.RandomState) -> None:
    """Weights and biases of dense layers as MLPClassifier draws them: U(−a, a), a = √(6 / (fan_in + fan_out)).

    With logistic units √(2 / …): Glorot and Bengio 2010, eq. 16, where the sigmoid's slope is a quarter.
    """
    for layer in network.layers:
        if isinstance(layer, Dense):
            limit = np.sqrt((2 if activation == "logistic" else 6) / sum(layer.params["weight"].shape))
            for array in (layer.params["weight"], layer.params["bias"]):
                array[...] = random.uniform(-limit, limit, array.shape)


class MLPAdam(Adam):
    """Adam with ε outside of the bias correction, as MLPClassifier has it: the ε̂ of Kingma and Ba 2015, section 2."""

    def step(self, params: np.ndarray, grads: np.ndarray, learning_rate: float) -> None:
        """One step as Adam's, whose own ε is divided by √(1 − β₂ᵗ)."""
        epsilon = self.epsilon
        self.epsilon /= math.sqrt(1 - self.beta_2 ** (self.steps + 1))
        super().step(params, grads, learning_rate)
        self.epsilon = epsilon


def make_optimizer(parameters: Parameters, network: Network) -> Optimizer:
    """A fresh optimiser with those of the parameters that it takes."""
    build = MLPAdam if parameters.solver == "adam" else OPTIMIZERS[parameters.solver]
    nesterov = parameters.nesterovs_momentum and parameters.momentum > 0
    given = {**vars(parameters), "nesterov": nesterov}
    return build(network.params.size, network.dtype, **_taken(build, given))


def _taken(build: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    names = inspect.signature(build).parameters
    return {name: given[name] for name in names if given.get(name) is not None}


def make_augment(parameters: Parameters) -> Augment | None:
    """The changes to training batches, or None for none."""
    shift = RandomShift(parameters.shift) if parameters.shift else None
    noise = NoiseOnShare(parameters.noise) if parameters.noise else None
    changes = [change for change in (shift, parameters.augment, noise) if change is not None]
    return Chain(*changes) if changes else None


class MLPOrder:
    """The order in which MLPClassifier visits its rows, drawn as it does; stands where a Generator would."""

    def __init__(self, random: np.random.RandomState) -> None:
        self.random, self.order = random, None

    def permutation(self, n: int) -> np.ndarray:
        """The places 0 … n − 1 in the next epoch's order: those of the epoch before, shuffled."""
        places = np.arange(n)
        self.random.shuffle(places)
        self.order = places if self.order is None else self.order[places]
        return self.order


class Pace:
    """The learning rate of every step, and after every epoch why training should stop, if it should.

    seen: rows that the optimiser has seen in earlier calls, for invscaling.
    """

    def __init__(self, parameters: Parameters, optimizer: Any, patience: EarlyStopping | None, *, seen: int) -> None:
        self.parameters, self.optimizer, self.patience = parameters, optimizer, patience
        self.rate = parameters.learning_rate_init
        self.schedule, self.gave_up = parameters.schedule, False
        self.kind = parameters.learning_rate if parameters.solver == "sgd" and not self.schedule else "constant"
        if isinstance(self.schedule, str):
            build = SCHEDULES[self.schedule]
            self.schedule = build(**_taken(build, {"learning_rate": self.rate, "peak": self.rate}))
        if seen and self.kind == "invscaling":
            self.rate = self._inverse(seen)

    def learning_rate(self, step: int, steps: int) -> float:
        """For a TrainingPlan's `schedule`."""
        return self.rate if self.schedule is None else self.schedule(step, steps)

    def reason_to_stop(self, epoch: Epoch, *, seen: int) -> str:
        """Why `epoch` should be the last, or nothing; an adaptive rate falls to a fifth before patience ends."""
        if self.kind == "invscaling":
            self._change_rate(self._inverse(seen))
        if self.patience is None or not self.patience(epoch):
            return ""
        if self.kind == "adaptive" and self.rate > SMALLEST_RATE:
            self._change_rate(self.rate / 5)
            self.patience.failures = 0
            if self.parameters.verbose:
                print(f"Learning rate set to {self.rate:g}")
            return ""
        self.gave_up = True
        figure = "training loss" if self.patience.figure == "train_loss" else "validation score"
        tolerance, epochs = self.parameters.tol, self.parameters.n_iter_no_change
        return f"the {figure} did not improve by more than tol={tolerance:g} for {epochs} epochs in a row"

    def _inverse(self, seen: int) -> float:
        return self.parameters.learning_rate_init / (seen + 1) ** self.parameters.power_t

    def _change_rate(self, rate: float) -> None:
        # MLPClassifier's velocity holds the rate of each of its steps, that of SGD here does not.
        if self.parameters.momentum:
            self.optimizer.velocity *= self.rate / rate
        self.rate = rate


class L2Regularizer:
    """½·alpha·Σ W² / (weight of the batch) over the weights of all layers; vectors (biases) are left alone."""

    def __init__(self, network: Network, alpha: float) -> None:
        self.alpha = alpha
        named = ((layer, *item) for layer in network.layers for item in layer.params.items())
        self.weights = [(weight, layer.grads[name]) for layer, name, weight in named if weight.ndim > 1]

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
