"""Arguments for every kernel: what its NumPy form and its loop are given to compare what they leave."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Arguments = tuple[Any, ...]
Number = type[np.floating]


def optimizer_step(scalars: tuple[float, ...], *options: bool) -> Callable[..., Iterator[Arguments]]:
    """Parameters, gradients and moments, the last not below 0, of some sizes."""

    def arguments(rng: np.random.Generator, number: Number, arrays: int = 4) -> Iterator[Arguments]:
        for size in (1, 40_001):
            values = [rng.normal(size=size).astype(number) for _ in range(arrays)]
            yield *values[:-1], np.abs(values[-1]), *map(number, scalars), *options

    return arguments


def of(arrays: int, *how: Any) -> Callable[..., Iterator[Arguments]]:
    steps = optimizer_step(*how)
    return lambda rng, number: steps(rng, number, arrays)


def gather(rng: np.random.Generator, number: Number) -> Iterator[Arguments]:
    pixels = rng.integers(0, 256, (9, 30), dtype=np.uint8)
    for columns in (30, 7):
        yield np.empty((5, columns), number), pixels, rng.integers(0, 9, 5), number(1 / 255)


def relu_backward(rng: np.random.Generator, number: Number) -> Iterator[Arguments]:
    dy, y = rng.normal(size=(2, 100)).astype(number)
    yield np.empty(100, number), dy, np.maximum(y, 0)


def softmax_cross_entropy(rng: np.random.Generator, number: Number) -> Iterator[Arguments]:
    for scale, off in ((1, 0.01), (1000, 0.0)):
        z = (scale * rng.normal(size=(6, 10))).astype(number)
        yield np.empty((6, 10), number), np.empty(6, number), z, rng.integers(0, 10, 6), number(off), number(0.9)


INPUTS: dict[str, Callable[[np.random.Generator, Number], Iterator[Arguments]]] = {
    "_add_scaled": of(2, (0.3,)),
    "_momentum_step": of(3, (0.9, 0.1), True),
    "_rmsprop_step": of(3, (0.99, 0.01, 1e-8, 0.1)),
    "_adam_step": of(4, (0.9, 0.999, 1e-8, 0.1)),
    "_gather": gather,
    "_relu_backward": relu_backward,
    "_softmax_cross_entropy": softmax_cross_entropy,
}
# What each number comes from alone, without a sum: these give the NumPy form's bits.
EXACT = {"_add_scaled", "_momentum_step", "_rmsprop_step", "_adam_step", "_gather", "_relu_backward"}
