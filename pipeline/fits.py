"""One fit, as a task that any process can do: train a network by a recipe, then ask it about some rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.augment import Chain
from pipeline.augment.noise import NoiseOnShare, gaussian
from pipeline.augment.shift import RandomShift
from pipeline.nn.network import Network
from pipeline.recipe import Recipe
from pipeline.training import Epoch, Streams, fit


@dataclass(frozen=True)
class Condition:
    """A test condition: Gaussian noise of σ `sigma`, drawn from `seed` alone, so the same for every model."""

    name: str
    sigma: float
    seed: int

    def apply(self, images: np.ndarray) -> np.ndarray:
        """The changed pictures (n, side, side): floats in [0, 1]; σ = 0 gives the very same uint8 array."""
        if self.sigma == 0:
            return images
        return gaussian(images, self.sigma, rng=np.random.default_rng([self.seed, round(self.sigma * 1e6)]))


@dataclass(frozen=True)
class Rows:
    """What fits share: rows to train on, and rows to ask about with their labels where they are known.

    images (n, side, side) and asked (m, side, side) uint8; labels (n,), asked_labels (m,) class indices.
    """

    images: np.ndarray
    labels: np.ndarray
    classes: int
    asked: np.ndarray
    asked_labels: np.ndarray | None


@dataclass(frozen=True)
class FitTask:
    """One network to train: by which recipe, at which noise level σ, from which seeds.

    key: whole numbers that all randomness of this fit follows from.
    conditions: what the asked rows go through before the network sees them.
    """

    name: str
    recipe: Recipe
    sigma: float
    key: tuple[int, ...]
    conditions: Sequence[Condition]

    @property
    def file_name(self) -> str:
        """The name in letters that every file system takes: "sigma-0.1-repeat-2"."""
        return self.name.replace("σ", "sigma").replace(",", "").replace(" ", "-")


@dataclass(frozen=True)
class FitResult:
    """params: the trained parameters (size,). probabilities (conditions, m, classes) float32 of the asked rows."""

    params: np.ndarray
    history: list[Epoch]
    probabilities: np.ndarray
    seconds: float


def run_fit(task: FitTask, rows: Rows, on_epoch: Callable[[Epoch], None] | None = None) -> FitResult:
    """Do the task. Equal tasks and rows give equal results wherever they run. Raises DivergedError."""
    begin = time.perf_counter()
    recipe, streams = task.recipe, Streams.of(*task.key)
    network: Network = recipe.network(rows.images.shape[1:], rows.classes, rng=streams.weights)
    history = fit(
        network,
        rows.images,
        rows.labels,
        loss=recipe.loss(),
        optimizer=recipe.optimizer(network),
        schedule=recipe.schedule(),
        epochs=recipe.training.epochs,
        batch_size=recipe.training.batch_size_for(len(rows.images)),
        streams=streams,
        augment=Chain(
            RandomShift(recipe.training.shift_for(rows.images.shape[1])),
            NoiseOnShare(task.sigma, share=recipe.training.noisy_share),
        ),
        validation=None if rows.asked_labels is None else (rows.asked, rows.asked_labels),
        on_epoch=on_epoch,
    )
    probabilities = np.stack([network.probabilities(condition.apply(rows.asked)) for condition in task.conditions])
    return FitResult(network.params, history, probabilities.astype(np.float32), time.perf_counter() - begin)
