"""What a fit is made of: its data, its plan, its hooks, and its sources of randomness."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pipeline.errors import UsageError
from pipeline.nn.network import Network
from pipeline.nn.workspace import Pass
from pipeline.training.history import Epoch

Schedule = Callable[[int, int], float]
Hits = Callable[[np.ndarray, np.ndarray], np.ndarray]
Regularizer = Callable[[float], float]
Stop = Callable[[Epoch], bool]


class Loss(Protocol):
    """The mean loss over a batch and its gradient for the outputs: see pipeline.nn.losses."""

    def __call__(
        self, outputs: np.ndarray, targets: np.ndarray, ctx: Pass, weights: np.ndarray | None = None
    ) -> tuple[float, np.ndarray]: ...


class Optimizer(Protocol):
    """Moves the parameters against their gradients, both (size,), which it uses up: see pipeline.nn.optimizers."""

    def step(self, params: np.ndarray, grads: np.ndarray, learning_rate: float) -> None: ...


class Average(Protocol):
    """Takes in the network's values (size,) after each step, and what share of the steps is done.

    values: the average so far, or None where it has not begun: see pipeline.nn.averaging.
    """

    values: np.ndarray | None

    def update(self, values: np.ndarray, done: float) -> None: ...


class Augment(Protocol):
    """A change made to each training batch: floats (n, …) in [0, 1] in, the same shape out."""

    def __call__(self, batch: np.ndarray, *, rng: np.random.Generator) -> np.ndarray: ...


class Adversary(Protocol):
    """A change of each training batch that knows the network and the labels, as adversarial training does."""

    def __call__(
        self, network: Network, batch: np.ndarray, labels: np.ndarray, *, rng: np.random.Generator
    ) -> np.ndarray: ...


def class_hits(outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(n,) bool: whether the largest of outputs (n, classes) stands at the class index in labels (n,)."""
    return outputs.argmax(axis=1) == labels


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingData:
    """The rows of a fit.

    rows (n, *input_shape) uint8 or float, or a scipy.sparse CSR matrix (n, features). labels (n,) class indices, or
    whatever the plan's loss and hits take. sample_weight (n,), none below 0. validation: rows to evaluate every
    epoch on, or None.
    """

    rows: np.ndarray
    labels: np.ndarray
    sample_weight: np.ndarray | None = None
    validation: TrainingData | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingPlan:
    """How a network is trained.

    Every epoch visits each row once, in an order of its own unless `shuffle` is off; its last batch may be smaller.
    hits(outputs, labels) → (n,) bool, which rows are right; None where that makes no sense. regularizer(total
    weight of the batch) → a penalty on the weights, whose gradient it adds to network.grads. threads: see Pass.
    """

    loss: Loss
    optimizer: Optimizer
    schedule: Schedule
    epochs: int
    batch_size: int
    shuffle: bool = True
    hits: Hits | None = class_hits
    regularizer: Regularizer | None = None
    threads: int = 1

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1:
            raise UsageError(f"epochs and batch_size must be at least 1, found {self.epochs} and {self.batch_size}.")


@dataclass(frozen=True, kw_only=True, eq=False)
class Hooks:
    """What else takes part in a fit.

    augment, then adversary change each batch before it is learnt from. average: its values, once it has any, are
    what validation and the caller see. on_epoch is called after each epoch; stop(epoch) says whether to stop after
    it (EarlyStopping, for one). best_by: validation_loss or validation_accuracy; the network is given back as it
    was after the epoch that is best by this figure, else as it is after the last one.
    """

    augment: Augment | None = None
    adversary: Adversary | None = None
    average: Average | None = None
    on_epoch: Callable[[Epoch], None] | None = None
    stop: Stop | None = None
    best_by: str | None = None


@dataclass(frozen=True)
class Streams:
    """Independent sources of randomness for the parts of one fit, so that a change in one leaves the others."""

    weights: np.random.Generator
    order: np.random.Generator
    augment: np.random.Generator

    @classmethod
    def of(cls, *key: int) -> Streams:
        """Streams for a key of whole numbers (seed, stage, repeat …); equal keys give equal streams."""
        return cls(*(np.random.default_rng(child) for child in np.random.SeedSequence(key).spawn(3)))
