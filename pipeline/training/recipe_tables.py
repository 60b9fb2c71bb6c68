"""The tables of a recipe that hold plain values, checked: [training] and [run]."""

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from pipeline.augment.noise import check_sigma
from pipeline.errors import UsageError, did_you_mean, number, whole_number

SMALL_DATA = 10_000  # rows; fewer get smaller batches
SMALLEST_EPOCH = 50  # steps
SMALLEST_BATCH = 16  # rows; below, a share of a batch is hardly a share any more

# What a job does where neither its options nor its recipe say otherwise.
NOISE = (0.0, 0.1, 0.2, 0.3)
REPEATS = 3
HOLDOUT = 0.1


@dataclass(frozen=True)
class Training:
    """How long, in what portions, and how much of each gets noise.

    batch_size: rows a step; SMALL_DATA get smaller batches (down to SMALLEST_BATCH), for SMALLEST_EPOCH
        steps an epoch.
    noisy_share: part of each batch that gets noise when σ > 0.
    clip_noise: whether noisy pixels are clipped to [0, 1], as pictures are; certificates want it off.
    """

    epochs: int = 10
    batch_size: int = 128
    noisy_share: float = 0.5
    clip_noise: bool = True

    def __post_init__(self) -> None:
        for name, low, high in (("epochs", 1, 100_000), ("batch_size", 1, 1_000_000)):
            whole_number(name, getattr(self, name), at_least=low, at_most=high)
        number("noisy_share", self.noisy_share, above=0, at_most=1)

    def batch_size_for(self, rows: int) -> int:
        """The batch size for that many rows; with 1,000 rows and 256 a batch an epoch would be 4 steps."""
        if rows >= SMALL_DATA:
            return self.batch_size
        return min(self.batch_size, max(SMALLEST_BATCH, rows // SMALLEST_EPOCH))


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """What a job goes by. noise: levels σ. repeats: networks of each level, or in each fold. folds: of a
    cross-validation, 0 for none. holdout: share of the training rows that no network sees."""

    noise: tuple[float, ...]
    repeats: int
    folds: int
    holdout: float


@dataclass(frozen=True)
class RunDefaults:
    """What `python main.py run` does with a recipe where its options say nothing; None leaves it to the command.

    noise: levels σ. repeats: networks of each level, or in each fold. folds: of a cross-validation, 0 for none.
    partners: other recipes whose networks join this one's in a cross-validation. views: test conditions (see
    pipeline.evaluation.robustness.conditions) whose answers are averaged with those to the picture as it is; a
    cross-validation does so only where out-of-fold rows say that it helps.
    """

    noise: tuple[float, ...] | None = None
    repeats: int | None = None
    folds: int = 0
    partners: tuple[str, ...] = ()
    views: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("noise", "partners", "views"):
            values = getattr(self, name)
            if values is not None:
                object.__setattr__(self, name, tuple(values))
            if values is not None and len(set(values)) < len(values):
                raise UsageError(f"{name} must name each one once, found {', '.join(map(str, values))}.")
        if self.noise is not None and not self.noise:
            raise UsageError("noise must be a list of one level or more such as [0, 0.1], found none.")
        for level in self.noise or ():
            check_sigma(level)
        for name, low in (("repeats", 1), ("folds", 0)):
            value = getattr(self, name)
            if value is not None:
                whole_number(name, value, at_least=low, at_most=100)
        if self.folds == 1:
            raise UsageError("folds must be 0, for no cross-validation, or at least 2, found 1.")

    def settings(
        self,
        *,
        noise: tuple[float, ...] | None = None,
        repeats: int | None = None,
        folds: int | None = None,
        holdout: float | None = None,
    ) -> RunSettings:
        """What a job goes by: its options, then this recipe, then NOISE, REPEATS and HOLDOUT.

        With folds the last are one level, σ 0, one network in each fold, and no holdout.
        """
        folds = self.folds if folds is None else folds
        return RunSettings(
            noise=noise or self.noise or ((0.0,) if folds else NOISE),
            repeats=repeats or self.repeats or (1 if folds else REPEATS),
            folds=folds,
            holdout=holdout or (0.0 if folds else HOLDOUT),
        )


WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


def fits(value: Any, hint: Any) -> bool:
    """Whether a value is of the type that an argument's annotation names; lists stand for tuples and sequences."""
    if hint in WORDS:
        kind = {int: Integral, float: Real}.get(hint, hint)
        return isinstance(value, kind) and (hint is bool or not isinstance(value, bool))
    if get_origin(hint) in (Union, UnionType):
        return any(fits(value, part) for part in get_args(hint))
    if hint is NoneType:
        return value is None
    return isinstance(value, (list, tuple)) and all(fits(entry, get_args(hint)[0]) for entry in value)


def in_words(hint: Any) -> str:
    """An annotation as a beginner reads it: int | None is "a whole number"."""
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(in_words(part) for part in get_args(hint) if part is not NoneType)
    return WORDS.get(hint) or f"a list ({in_words(get_args(hint)[0])} each)"


def refuse_unknown(table: Mapping[str, Any], allowed: Any, what: str) -> None:
    """Raise UsageError for a key of `table` that is not among those allowed, with the nearest that is."""
    for key in table:
        if key not in allowed:
            otherwise = f"allowed: {', '.join(allowed) or 'none'}."
            raise UsageError(f"unknown {what} {key}; {did_you_mean(key, allowed, otherwise)}")
