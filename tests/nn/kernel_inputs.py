"""Arguments for every kernel: what its NumPy form and its loop are given to compare what they leave."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from pipeline.nn.layers import pooling

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


def rows_and(arrays: int, vectors: int, *, total: bool = False) -> Callable[..., Iterator[Arguments]]:
    """For batch normalisation: arrays (7, 33), vectors (33,), and a total in float64."""

    def arguments(rng: np.random.Generator, number: Number) -> Iterator[Arguments]:
        values = [rng.normal(size=shape).astype(number) for shape in [(7, 33)] * arrays + [(33,)] * vectors]
        yield *values, *([np.zeros(33)] if total else [])

    return arguments


def products(rng: np.random.Generator, number: Number) -> Iterator[Arguments]:
    for of_d in (0, 1):
        d, x = rng.normal(size=(2, 7, 33)).astype(number)
        yield d, x, rng.normal(size=33).astype(number), number(of_d), np.zeros(33)


def windows(rng: np.random.Generator, number: Number) -> Iterator[Arguments]:
    """Of few numbers, so that many are equal; side by side, overlapping, and apart."""
    for size, stride in (((2, 2), (2, 2)), ((3, 2), (1, 1)), ((1, 2), (2, 3))):
        x = rng.integers(-2, 3, (5, 3, 7, 4)).astype(number)
        height, width = ((side - k) // step + 1 for side, k, step in zip((5, 7), size, stride, strict=True))
        yield np.empty((height, 3, width, 4), number), x, np.array(size), np.array(stride)
    x[0, 1, 1, 1] = np.nan
    yield np.empty((height, 3, width, 4), number), x, np.array(size), np.array(stride)


def windows_back(rng: np.random.Generator, number: Number) -> Iterator[Arguments]:
    for y, x, size, stride in windows(rng, number):
        pooling._largest.numpy_form(y, x, size, stride)
        yield np.empty_like(x), rng.normal(size=y.shape).astype(number), y, x, size, stride


def tiles(channels: int, size: int) -> Callable[..., Iterator[Arguments]]:
    """For Winograd's transforms: a block of `size` more pixels than tiles give, and V or M; either may be the first."""

    def arguments(rng: np.random.Generator, number: Number) -> Iterator[Arguments]:
        block = rng.normal(size=(2, 4 + size, channels, 6 + size, 5)).astype(number)
        yield block, rng.normal(size=(16, channels, 2, 2, 3, 5)).astype(number), np.empty((4, 20), number)

    return arguments


def turned(inputs: Callable[..., Iterator[Arguments]]) -> Callable[..., Iterator[Arguments]]:
    return lambda rng, number: ((second, first, *rest) for first, second, *rest in inputs(rng, number))


def shift(rng: np.random.Generator, number: Number) -> Iterator[Arguments]:
    for reach in (1, 9):
        pictures = rng.random((6, 5, 7)).astype(number)
        yield np.empty_like(pictures), pictures, rng.integers(0, 2 * reach + 1, (2, 6)), reach


def add_noise(rng: np.random.Generator, number: Number) -> Iterator[Arguments]:
    quantiles = np.linspace(-2, 2, 65536).astype(np.float32)
    for limits in ((0, 1), (-np.inf, np.inf)):
        places = rng.integers(0, 65536, 99).astype(np.uint16)
        yield rng.random(99).astype(number), quantiles, places, np.array(limits, number)


def warp(rng: np.random.Generator, number: Number) -> Iterator[Arguments]:
    padded = np.zeros((4, 9, 11), number)
    padded[:, 1:-2, 1:-2] = rng.random((4, 6, 8))
    down, right = rng.normal(scale=4, size=(2, 4, 6, 8)).astype(np.float32)
    yield np.empty((4, 6, 8), number), padded, down, right


def shear(rng: np.random.Generator, number: Number) -> Iterator[Arguments]:
    x = rng.random((3, 5, 7)).astype(number)
    yield np.empty_like(x), np.empty_like(x), x, rng.integers(-9, 10, (3, 5)), rng.random((3, 5)).astype(number)


INPUTS: dict[str, Callable[[np.random.Generator, Number], Iterator[Arguments]]] = {
    "_add_scaled": of(2, (0.3,)),
    "_momentum_step": of(3, (0.9, 0.1), True),
    "_rmsprop_step": of(3, (0.99, 0.01, 1e-8, 0.1)),
    "_adam_step": of(4, (0.9, 0.999, 1e-8, 0.1)),
    "_gather": gather,
    "_relu_backward": relu_backward,
    "_softmax_cross_entropy": softmax_cross_entropy,
    "_sums": rows_and(1, 0, total=True),
    "_products": products,
    "_stretch": rows_and(2, 3),
    "_stretch_back": rows_and(3, 4),
    "_largest": windows,
    "_to_largest": windows_back,
    "_to_inputs": turned(tiles(3, 2)),
    "_from_products": tiles(3, 0),
    "_to_products": turned(tiles(3, 0)),
    "_to_pixels": tiles(3, 2),
    "_shift": shift,
    "_add_noise": add_noise,
    "_warp": warp,
    "_shear": shear,
}
# What each number comes from alone, without a sum: these give the NumPy form's bits.
EXACT = set(INPUTS) - {
    "_softmax_cross_entropy", "_sums", "_products", "_to_largest",
    "_to_inputs", "_from_products", "_to_products", "_to_pixels",
}  # fmt: skip

# What these leave in their last argument is nobody's business.
SCRATCH = {"_to_inputs", "_from_products", "_to_products", "_to_pixels"}
