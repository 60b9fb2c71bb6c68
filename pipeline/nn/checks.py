"""The one sentence for a number that is not what an argument allows."""

from __future__ import annotations

import math
from numbers import Real

from pipeline.errors import UsageError


def number(
    name: str,
    value: object,
    *,
    at_least: float | None = None,
    above: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
) -> float:
    """`value` as a float. Raises UsageError where it is no finite number (True and False are none) or out of range."""
    bounds = {"at least": at_least, "above": above, "below": below, "at most": at_most}
    allowed = " and ".join(f"{word} {bound:g}" for word, bound in bounds.items() if bound is not None)
    if (
        not isinstance(value, Real)
        or isinstance(value, bool)
        or not math.isfinite(value)
        or (at_least is not None and value < at_least)
        or (above is not None and value <= above)
        or (below is not None and value >= below)
        or (at_most is not None and value > at_most)
    ):
        raise UsageError(f"{name} must be a number {allowed}, found {value!r}.")
    return float(value)
