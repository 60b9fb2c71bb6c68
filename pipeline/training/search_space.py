"""A recipe's [search]: which of its settings a search may change, and within what bounds.

    [search]
    schedule.peak = { low = 0.001, high = 0.02, log = true }
    training.batch_size = { choices = [64, 128, 256] }
    network.layers.1.units = { low = 128, high = 1024, step = 128 }

The name is the way to the setting through the recipe's own tables; numbers count the entries of lists, from 0.
Whole numbers as low and high give whole numbers; a decimal point in one of them gives fractions as well. Names in
quotation marks ("schedule.peak") mean the same.
"""

import copy
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import UsageError, did_you_mean
from pipeline.training.recipe_tables import refuse_unknown

KEYS = ("low", "high", "log", "step", "choices")
# Sections whose values do not change how one network is trained.
NOT_SEARCHED = ("summary", "reached", "run", "search")
EXAMPLE = "schedule.peak = { low = 0.001, high = 0.02, log = true }"
DIGITS = 4  # significant ones of a tried fraction: what the new recipe says is then exactly what was trained


@dataclass(frozen=True)
class Parameter:
    """One setting to search. own: the recipe's value of it. Either choices, or low and high, both included.

    log: low to high is searched by ratios, not differences. step: only low, low + step, … are tried.
    """

    path: str
    own: Any
    low: float | None = None
    high: float | None = None
    log: bool = False
    step: float | None = None
    choices: tuple[Any, ...] = ()

    @property
    def is_whole(self) -> bool:
        return all(type(value) is int for value in (self.low, self.high, self.step or 1))

    def suggest(self, trial: Any) -> Any:
        """The value that an Optuna trial is to try."""
        if self.choices:
            return trial.suggest_categorical(self.path, self.choices)
        if self.is_whole:
            return trial.suggest_int(self.path, self.low, self.high, step=self.step or 1, log=self.log)
        return self.rounded(trial.suggest_float(self.path, self.low, self.high, step=self.step, log=self.log))

    def rounded(self, value: Any) -> Any:
        """What is tried for a suggested value: fractions have DIGITS digits, the recipe's own value stays as it is."""
        if self.choices or self.is_whole or value == self.own:
            return value
        return min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)

    def check(self) -> None:
        """Raise UsageError where no search could go by it."""
        if self.choices:
            typed = [(type(value), value) for value in self.choices]
            if any(kind not in (int, float, str, bool) for kind, _ in typed):
                raise self._wrong("choices must be numbers, texts or true and false", list(self.choices))
            if len(typed) < 2 or len(set(typed)) < len(typed):
                raise self._wrong("choices must be two different values or more", list(self.choices))
            if (type(self.own), self.own) not in typed:
                raise self._wrong("the recipe's own value, which is tried first, must be one of the choices", self.own)
            return
        for name in ("low", "high") if self.step is None else ("low", "high", "step"):
            value = getattr(self, name)
            if type(value) not in (int, float) or not math.isfinite(value):
                raise self._wrong(f"{name} must be a number, or give choices", value)
        if type(self.log) is not bool:
            raise self._wrong("log must be true or false", self.log)
        if self.low >= self.high:
            raise self._wrong("low must lie below high", f"{self.low} and {self.high}")
        if self.log and self.low <= 0:
            raise self._wrong("log needs a low above 0", self.low)
        if self.log and self.step is not None:
            raise self._wrong("log and step exclude each other: leave one out", f"step {self.step}")
        if self.step is not None and not (self.step > 0 and _is_multiple(self.high - self.low, self.step)):
            raise self._wrong("step must lead from low to high in whole steps", self.step)
        if type(self.own) not in (int, float):
            raise self._wrong("low and high need a recipe that has a number here (or give choices)", self.own)
        step = self.step or (1 if self.is_whole else None)
        if not self.low <= self.own <= self.high or (step and not _is_multiple(self.own - self.low, step)):
            raise self._wrong(
                "the recipe's own value must be one of those that may be tried, because it is tried first (bounds "
                "with a decimal point allow fractions)",
                self.own,
            )

    def _wrong(self, rule: str, found: Any) -> UsageError:
        return UsageError(f"[search] {self.path}: {rule}; found {found!r}.")


def _is_multiple(value: float, step: float) -> bool:
    return math.isclose(value / step, round(value / step), abs_tol=1e-9)


def search_space(content: Mapping[str, Any]) -> tuple[Parameter, ...]:
    """The settings that a recipe's content lets be searched, in its order. Raises UsageError."""
    search = content.get("search")
    if not isinstance(search, Mapping) or not search:
        raise UsageError(f"[search] names no setting: give one or more lines such as {EXAMPLE}.")
    own = {path: value for path, value in flat(content) if path.split(".")[0] not in NOT_SEARCHED}
    space: list[Parameter] = []
    for path, table in _tables(search):
        if not isinstance(table, Mapping):
            raise UsageError(f"[search] {path} must be a table such as {{ low = 1, high = 9 }}, found {table!r}.")
        refuse_unknown(table, KEYS, f"key of [search] {path}:")
        if "choices" in table and (len(table) > 1 or not isinstance(table["choices"], list)):
            raise UsageError(f"[search] {path}: choices must be a list and stand alone, found {dict(table)}.")
        if path not in own:
            raise UsageError(_unknown(path, own))
        values = {**table, "choices": tuple(table.get("choices", ()))}
        space.append(Parameter(path, own[path], **values))
        space[-1].check()
    if len({setting.path for setting in space}) < len(space):
        raise UsageError("[search] names a setting twice, with and without quotation marks: give each once.")
    return tuple(space)


def own_values(space: Iterable[Parameter]) -> dict[str, Any]:
    """The recipe's own values of the settings that are searched, by path."""
    return {setting.path: setting.own for setting in space}


def with_values(content: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a recipe's content with the setting at each path of `values` replaced."""
    changed = copy.deepcopy(dict(content))
    for path, value in values.items():
        put(changed, path, value)
    return changed


def put(content: Any, path: str, value: Any) -> None:
    """Replace the setting at that path, which must exist, in place; content may be a TOML document."""
    way, _, last = path.rpartition(".")
    table = reach(content, way)
    table[int(last) if isinstance(table, list) else last] = value


def reach(content: Any, path: str) -> Any:
    """What stands at that path, which must exist."""
    for part in path.split("."):
        content = content[int(part) if isinstance(content, list) else part]
    return content


def flat(content: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(path, value) of all settings that are neither table nor list."""
    inside = isinstance(content, (Mapping, list))
    for key, value in (content.items() if isinstance(content, Mapping) else enumerate(content)) if inside else ():
        path = f"{prefix}{key}"
        if isinstance(value, (Mapping, list)):
            yield from flat(value, f"{path}.")
        else:
            yield path, value


def _tables(search: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(path, its table), whether the path was written as one quoted name or as tables within tables."""
    for key, value in search.items():
        if isinstance(value, Mapping) and value and not set(value) & set(KEYS):
            yield from _tables(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _unknown(path: str, own: Mapping[str, Any]) -> str:
    within = [name for name in own if name.startswith(f"{path}.")]
    if within:
        return f"[search] {path} is not one setting but several: name one of them, such as {within[0]}."
    otherwise = "write it into its section first, the search begins at that value."
    return f"[search] names {path}, which the recipe does not have: {did_you_mean(path, own, otherwise)}"
