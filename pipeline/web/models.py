"""Which networks the page asks: loaded once, and named."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipeline.errors import UsageError
from pipeline.prediction import model_file as model
from pipeline.prediction.confidence_threshold import style_for, threshold_for
from pipeline.prediction.find_models import model_files, split_final
from pipeline.prediction.picture import Style
from pipeline.prediction.reader import Reader, load_reader

MOST_LEVELS = 8  # side by side on a page


@dataclass(frozen=True)
class Choice:
    """What a request can choose: networks that answer together, mostly one, and their name: "sigma-0.1-repeat-1"."""

    name: str
    reader: Reader

    @property
    def labels(self) -> list[int] | list[str]:
        return self.reader.labels

    @property
    def side(self) -> int:
        return self.reader.models[0].side

    @property
    def sigma(self) -> float | None:
        """The noise level that it was trained at, where its file says so."""
        sigma = self.reader.models[0].about.get("sigma")
        return float(sigma) if type(sigma) in (int, float) else None

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """(n, classes) for images (n, side, side), uint8 0…255 or floats 0…1."""
        return self.reader.probabilities(images)


@dataclass(frozen=True)
class Models:
    """default: what answers, as `predict` on the command line would. levels: one network of each noise level, for
    the lab, by rising σ.

    All take pictures of one side and know the same classes.
    """

    default: Choice
    levels: tuple[Choice, ...]
    by_name: dict[str, Choice] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        everyone = {choice.name: choice for choice in (*self.levels, self.default)}
        for choice in everyone.values():
            if choice.side != self.default.side or choice.labels != self.default.labels:
                raise UsageError(
                    f"{choice.name} and {self.default.name} do not take the same pictures and classes: name one file, "
                    "or a folder of networks that were trained on the same data."
                )
        object.__setattr__(self, "by_name", everyone)

    @property
    def style(self) -> Style:
        return self.default.reader.style

    def get(self, name: object) -> Choice:
        """The networks of that name, the default for None. Raises UsageError."""
        if name is None:
            return self.default
        choice = self.by_name.get(name) if isinstance(name, str) else None
        if choice is None:
            known = ", ".join(self.by_name)
            raise UsageError(f"There is no model {str(name)[:80]!r}: choose one of {known}.")
        return choice


def load_models(path: Path) -> Models:
    """The networks of a run's folder, of any folder with model files, or of one file.

    Of a run, the networks trained on all rows answer together, and the first repeat of each noise level goes
    into the lab. Raises ModelFileError and UsageError.
    """
    reader = load_reader(str(path), path.parent)
    if path.is_file():
        only = Choice(path.stem, reader)
        return Models(only, (only,))
    final, others = split_final(model_files(path))
    levels = _one_a_level([_alone(file) for file in _first_repeats(others)])
    default = Choice(_without_repeat(final[0].stem), reader) if final else levels[0]
    return Models(default, levels or (default,))


def _alone(file: Path) -> Choice:
    loaded = model.load(file)
    return Choice(file.stem, Reader((loaded,), str(file), style_for(loaded), threshold_for([loaded])))


def _without_repeat(name: str) -> str:
    return re.sub(r"-repeat-\d+$", "", name)


def _first_repeats(files: Sequence[Path]) -> list[Path]:
    """Of files that differ only in their repeat, the first: the others need not be read."""
    first: dict[tuple[Path, str], Path] = {}
    for file in files:
        first.setdefault((file.parent, _without_repeat(file.stem)), file)
    return list(first.values())


def _one_a_level(choices: Sequence[Choice]) -> tuple[Choice, ...]:
    """One network a noise level by rising σ, evenly thinned out where there are too many to look at."""
    levels = {choice.sigma: choice for choice in reversed(choices)}
    ordered = tuple(sorted(levels.values(), key=lambda choice: (choice.sigma is None, choice.sigma)))
    if len(ordered) <= MOST_LEVELS:
        return ordered
    return tuple(ordered[round(i * (len(ordered) - 1) / (MOST_LEVELS - 1))] for i in range(MOST_LEVELS))
