"""Which networks the page asks: loaded once, and named."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from pipeline.dataset import Competition, Digits
from pipeline.dataset.sample import FINGERPRINT
from pipeline.errors import UsageError
from pipeline.nn.layers import Conv2D
from pipeline.prediction import model_file as model
from pipeline.prediction.confidence_threshold import style_for, threshold_for
from pipeline.prediction.find_models import model_files, split_final
from pipeline.prediction.inside import Gallery
from pipeline.prediction.picture import Style
from pipeline.prediction.reader import Reader, load_reader
from pipeline.runs.run_folder import HELD_OUT

MOST_LEVELS = 8  # side by side on a page
GALLERY_ROWS, GALLERY_ROWS_CONV = 12_000, 3_000  # a quarter of a second's work for a dense network


@dataclass(frozen=True)
class Choice:
    """What a request can choose: networks that answer together, mostly one, and their name: "sigma-0.1-repeat-1".

    accuracy: on held-out rows, {"value", "low", "high", "rows", "of"} with its 95 % interval, or None where no run
    says so.
    """

    name: str
    reader: Reader
    accuracy: Mapping[str, Any] | None = None

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

    All take pictures of one side and know the same classes. examples: labelled pictures to begin with, held-out rows
    of the run where it kept them. competition: the data that the page trains on, and looks for similar pictures in
    where the networks learnt from the same; None for none.
    """

    default: Choice
    levels: tuple[Choice, ...]
    examples: Digits | None = None
    competition: Competition | None = None
    by_name: dict[str, Choice] = field(init=False, repr=False)
    _galleries: dict[str, Gallery] = field(default_factory=dict, init=False, repr=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

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

    @cached_property
    def starters(self) -> list[tuple[int, np.ndarray]]:
        """An example of each class: its index, and its picture."""
        rows = self.examples
        if rows is None and self.competition is not None and self.competition.train.side == self.default.side:
            rows = self.competition.train
        if rows is None or rows.side != self.default.side or rows.classes.tolist() != self.default.labels:
            return []
        return [(k, rows.images[np.argmax(rows.labels == k)]) for k in np.unique(rows.labels).tolist()]

    def gallery(self, choice: Choice) -> Gallery | None:
        """Rows like those that the choice's first network learnt from; None where the page has other data."""
        about, network = choice.reader.models[0].about, choice.reader.models[0].network
        if self.competition is None or about.get("data_fingerprint") != self.competition.fingerprint:
            return None
        with self._lock:
            if choice.name not in self._galleries:
                train = self.competition.train
                most = GALLERY_ROWS_CONV if any(isinstance(x, Conv2D) for x in network.layers) else GALLERY_ROWS
                rows = slice(None, None, -(-train.n // most))
                self._galleries[choice.name] = Gallery(network, train.images[rows], train.labels[rows])
            return self._galleries[choice.name]

    def get(self, name: object) -> Choice:
        """The networks of that name, the default for None. Raises UsageError."""
        if name is None:
            return self.default
        if not isinstance(name, str) or name not in self.by_name:
            raise UsageError(f"There is no model {str(name)[:80]!r}: choose one of {', '.join(self.by_name)}.")
        return self.by_name[name]


def load_models(path: Path, competition: Competition | None = None) -> Models:
    """The networks of a run's folder, of any folder with model files, or of one file.

    Of a run, the networks trained on all rows answer together, and the first repeat of each noise level goes
    into the lab. Raises ModelFileError and UsageError.
    """
    reader = load_reader(str(path), path.parent)
    folder = next((place for place in (path, *path.parents[:3]) if (place / "run.json").is_file()), path)
    if path.is_file():
        only = _measured(Choice(path.stem, reader), folder, final=path.parent.name == "final")
        return Models(only, (only,), _held_out(folder), competition)
    final, others = split_final(model_files(path))
    # Of files that differ only in their repeat, the first is read.
    firsts = {(file.parent, _without_repeat(file.stem)): file for file in reversed(others)}
    levels = _one_a_level([_measured(_alone(file), folder) for file in reversed(firsts.values())])
    default = _measured(Choice(_without_repeat(final[0].stem), reader), folder, final=True) if final else levels[0]
    return Models(default, levels or (default,), _held_out(folder), competition)


def is_sample(choice: Choice) -> bool:
    """Whether it learnt from scikit-learn's 8×8 digits."""
    return choice.reader.models[0].about.get("data_fingerprint") == FINGERPRINT


def _measured(choice: Choice, folder: Path, *, final: bool = False) -> Choice:
    """The choice with what the folder's run.json says of networks like it on rows that they had not learnt."""
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        held = record["holdout"]
        if final:
            clean, of = {**held, "value": held["accuracy"]}, held.get("of")
        else:
            clean, of = record["levels"][f"σ {choice.sigma:g}"]["clean"], "the mean of this level's networks"
        shares = {name: clean[name] for name in ("value", "low", "high")}
        whole = type(held["rows"]) is int and all(type(x) is float and 0 <= x <= 1 for x in shares.values())
    except (OSError, ValueError, LookupError, TypeError):  # no run's folder, or a damaged one
        return choice
    return replace(choice, accuracy={**shares, "rows": held["rows"], "of": of}) if whole else choice


def _held_out(folder: Path) -> Digits | None:
    """The rows that a run held out, for examples."""
    try:
        with np.load(folder / HELD_OUT) as held:
            return Digits(held["images"], held["labels"], held["classes"])
    except (OSError, ValueError, KeyError):
        return None


def _alone(file: Path) -> Choice:
    loaded = model.load(file)
    return Choice(file.stem, Reader((loaded,), str(file), style_for(loaded), threshold_for([loaded])))


def _without_repeat(name: str) -> str:
    return re.sub(r"-repeat-\d+$", "", name)


def _one_a_level(choices: Sequence[Choice]) -> tuple[Choice, ...]:
    """One network a noise level by rising σ, evenly thinned out where there are too many to look at."""
    levels = {choice.sigma: choice for choice in reversed(choices)}
    ordered = sorted(levels.values(), key=lambda choice: (choice.sigma is None, choice.sigma))
    places = range(len(ordered))
    if len(ordered) > MOST_LEVELS:
        places = np.rint(np.linspace(0, len(ordered) - 1, MOST_LEVELS)).astype(int)
    return tuple(ordered[place] for place in places)
