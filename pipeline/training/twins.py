"""The network and its reference implementation (nn/reference), trained side by side on the same rows."""

import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipeline import training
from pipeline.errors import UsageError
from pipeline.nn import network as fast
from pipeline.nn import reference as slow
from pipeline.training.plan import Streams, TrainingData
from pipeline.training.recipe import Recipe, build_network

TOLERANCE = 1e-9  # between weights after training, in float64


@dataclass(frozen=True)
class Cost:
    """seconds: of one epoch, a mean. peak: the most memory held at once by network, rows and training, in bytes."""

    seconds: float
    peak: int


@dataclass(frozen=True)
class TwinComparison:
    """difference: the largest between the same weight, or running moment, of both twins after training."""

    loops: Cost
    arrays: Cost
    difference: float

    @property
    def agree(self) -> bool:
        return self.difference < TOLERANCE


def train_both(
    recipe: Recipe, images: np.ndarray, labels: np.ndarray, classes: int, *, epochs: int, seed: int
) -> TwinComparison:
    """Train both twins by a recipe, in float64, on images (n, side, side) uint8 with labels (n,) class indices.

    Both begin with the same weights, and see the same batches and the same dropout; the recipe's shifts and
    noise are left out. Raises UsageError for a recipe with a layer that the reference implementation has
    not.
    """
    before = build(recipe, images.shape[1:], classes, seed=seed)
    twin_of(before)  # raises before any time is spent

    def train_arrays(epochs: int) -> np.ndarray:
        network = build(recipe, images.shape[1:], classes, seed=seed)
        plan = replace(recipe.plan(network, len(images)), epochs=epochs, batch_size=recipe.training.batch_size)
        data = TrainingData(rows=images.copy(), labels=labels)
        training.fit(network, data, plan, streams=Streams.of(seed))
        return network.values

    def train_loops(epochs: int) -> np.ndarray:
        network = twin_of(before)
        optimizer = part_of(slow.OPTIMIZERS, recipe.content["optimizer"], len(network.params))
        parts = {"loss": part_of(slow.LOSSES, recipe.content["loss"]), "optimizer": optimizer}
        plan = replace(recipe.plan(before, len(images)), epochs=epochs, batch_size=recipe.training.batch_size, **parts)
        slow.fit(network, images.tolist(), labels.tolist(), plan, streams=Streams.of(seed))
        return np.array(network.values)

    arrays, arrays_cost = _measured(train_arrays, epochs)
    loops, loops_cost = _measured(train_loops, epochs)
    return TwinComparison(loops_cost, arrays_cost, float(np.abs(arrays - loops).max()))


def build(recipe: Recipe, shape: tuple[int, ...], classes: int, *, seed: int) -> fast.Network:
    """The recipe's network in float64, whatever the recipe says, with its first weights."""
    weights = Streams.of(seed).weights
    return build_network(recipe.content["network"]["layers"], shape, classes, rng=weights, dtype="float64")


def twin_of(network: fast.Network) -> slow.Network:
    """The same layers in plain loops, with the same weights. Raises UsageError for a layer that has no twin."""
    layers = []
    for layer in network.layers:
        arguments = layer.spec()
        name = arguments.pop("layer")
        if name not in slow.LAYERS:
            raise UsageError(f"{name} has no reference implementation: choose a recipe without it.")
        layers.append(slow.LAYERS[name](**arguments))
    twin = slow.Network(layers, network.input_shape)
    twin.values = network.values.tolist()
    return twin


def part_of(registry: dict[str, Callable[..., Any]], table: dict[str, Any], *given: Any) -> Any:
    """The loss or optimiser that a recipe's table names, as the reference implementation has it."""
    return registry[table["name"]](*given, **{key: value for key, value in table.items() if key != "name"})


def _measured(train: Callable[[int], np.ndarray], epochs: int) -> tuple[np.ndarray, Cost]:
    # Apart, because counting every allocation slows loops down several times.
    tracemalloc.start()
    try:
        train(1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    begin = time.perf_counter()
    values = train(epochs)
    return values, Cost((time.perf_counter() - begin) / epochs, peak)
