"""Nested lists: made, walked through, taken apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Nested = Any  # a number, or a list of Nested


def zeros(shape: tuple[int, ...]) -> Nested:
    """A nested list of zeros: zeros((2, 3)) is [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]."""
    if not shape:
        return 0.0
    return [zeros(shape[1:]) for _ in range(shape[0])]


def each(f: Callable[..., float], *nested: Nested) -> Nested:
    """f of every number, or of the numbers at the same place in several lists of the same shape."""
    if isinstance(nested[0], list):
        return [each(f, *parts) for parts in zip(*nested, strict=True)]
    return f(*nested)


def flat(nested: Nested) -> list[float]:
    """All numbers of a nested list, one after the other."""
    if isinstance(nested, list):
        return [number for part in nested for number in flat(part)]
    return [nested]


def shaped(numbers: Iterator[float], shape: tuple[int, ...]) -> Nested:
    """The opposite of `flat`: the next numbers as a nested list of that shape."""
    if not shape:
        return next(numbers)
    return [shaped(numbers, shape[1:]) for _ in range(shape[0])]
