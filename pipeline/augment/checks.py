"""The one sentence for a size that a change of pictures cannot have."""

from __future__ import annotations

from numbers import Real

from pipeline.errors import UsageError


def within(name: str, value: object, low: float, high: float) -> float:
    """`value` as a float. Raises UsageError where it is not a number from `low` to `high` (True and False are none)."""
    if not isinstance(value, Real) or isinstance(value, bool) or not low <= value <= high:
        raise UsageError(f"{name} must be a number from {low:g} to {high:g}, found {value!r}.")
    return float(value)
