"""The one sentence for an argument that is not what it may be: a name, a number, a whole number."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from numbers import Integral, Real

from pipeline.errors import UsageError


def one_of(what: str, name: object, allowed: Iterable[str]) -> str:
    """`name`, if it is one of `allowed`. Raises UsageError that suggests the nearest one, else lists them all."""
    allowed = list(allowed)
    if name in allowed:
        return str(name)
    otherwise = f"choose one of {', '.join(allowed)}."
    raise UsageError(f"There is no {what} {name!r}: {did_you_mean(name, allowed, otherwise)}")


def did_you_mean(name: object, allowed: Iterable[str], otherwise: str) -> str:
    """The end of an error sentence: the allowed name that is nearest to the one found, or `otherwise`."""
    near = difflib.get_close_matches(str(name), list(allowed), n=1)
    return f"did you mean {near[0]}?" if near else otherwise


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
    if not _is_number(value, Real) or not _inside(value, at_least, above, below, at_most):
        bounds = {"at least": at_least, "above": above, "below": below, "at most": at_most}
        allowed = " and".join(f" {word} {bound:g}" for word, bound in bounds.items() if bound is not None)
        raise UsageError(f"{name} must be a number{allowed}, found {value!r}.")
    return float(value)


def within(name: str, value: object, low: float, high: float) -> float:
    """`value` as a float. Raises UsageError where it is not a number from `low` to `high` (True and False are none)."""
    if not _is_number(value, Real) or not low <= value <= high:
        raise UsageError(f"{name} must be a number from {low:g} to {high:g}, found {value!r}.")
    return float(value)


def whole_number(name: str, value: object, *, at_least: int = 1, at_most: int | None = None) -> int:
    """`value` as an int. Raises UsageError where it is no whole number (True and False are none) or out of range."""
    if not _is_number(value, Integral) or not _inside(value, at_least, None, None, at_most):
        allowed = f"of at least {at_least}" if at_most is None else f"from {at_least} to {at_most}"
        raise UsageError(f"{name} must be a whole number {allowed}, found {value!r}.")
    return int(value)


def _is_number(value: object, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and math.isfinite(value)


def _inside(
    value: float, at_least: float | None, above: float | None, below: float | None, at_most: float | None
) -> bool:
    return (
        (at_least is None or value >= at_least)
        and (above is None or value > above)
        and (below is None or value < below)
        and (at_most is None or value <= at_most)
    )
