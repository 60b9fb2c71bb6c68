"""Every error that Inkproof raises on purpose, its exit code, and the checks of arguments that raise it.

    InkproofError                 exit 1: the run failed
    ├── UsageError                exit 2: the command or an argument is wrong
    │   └── RecipeError           a recipe: unknown key, value out of range
    ├── DataError                 a data file: missing, damaged, not of the format
    ├── ModelFileError            a model file: missing, damaged, made for something else
    ├── SubmissionError           a submission that Kaggle would not score as meant
    ├── StorageError              the disk: full, read-only, not permitted
    ├── DivergedError             training left the range of numbers
    └── KaggleError               the kaggle client or the service behind it

A message is one sentence for a beginner: what is wrong and where (file, row, column), what is
allowed, what was found, what to do.
"""

from __future__ import annotations

import difflib
import math
import re
import sys
from collections.abc import Iterable
from numbers import Integral, Real
from pathlib import Path

COMMAND = "inkproof" if Path(sys.argv[0]).stem == "inkproof" else "python main.py"
"""What the user types before a command's name; messages that advise a command begin it so."""


class InkproofError(Exception):
    """Base of all errors whose message is meant for the user."""

    exit_code = 1


class UsageError(InkproofError, ValueError):
    """A command, an option or a function argument is wrong. Also a ValueError, for library users."""

    exit_code = 2


class RecipeError(UsageError):
    """A recipe holds an unknown key or a value out of range."""


class DataError(InkproofError):
    """A data file is missing, damaged or not of the expected format."""


class ModelFileError(InkproofError):
    """A model file is missing, damaged, or belongs to something else."""


class SubmissionError(InkproofError):
    """A submission file is not what Kaggle expects."""


class StorageError(InkproofError):
    """A file could not be written."""


class DivergedError(InkproofError, ValueError):
    """The training loss became NaN or infinite. Also a ValueError, which scikit-learn's users expect of fit."""


class KaggleError(InkproofError):
    """The kaggle client, or the service behind it, failed."""


def counted(number: int, noun: str) -> str:
    """A number with its noun, as messages have it: "1 row", "2,000 rows"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def without_password(text: str) -> str:
    """Addresses in `text` without the user name and password that they may hold, as messages and records show them."""
    return re.sub(r"//[^/@\s]+@", "//", text)


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
