"""Picture files → labels, probabilities, verdicts and warnings."""

from __future__ import annotations

import glob
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import COMMAND, DataError, UsageError
from pipeline.nn.losses import softmax
from pipeline.nn.network import PREDICT_ROWS
from pipeline.prediction import model_file as model
from pipeline.prediction import picture
from pipeline.prediction.confidence_threshold import style_for, temperature_of, threshold_for
from pipeline.prediction.ensemble import Ensemble, saliency
from pipeline.prediction.find_models import answering_files, newest_run
from pipeline.prediction.model_file import Model
from pipeline.prediction.picture import Prepared, Style
from pipeline.prediction.picture.files import FORMATS

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")  # looked for in folders
STDIN = "-"
FIELDS = ("path", "label", "probability", "runner_up", "runner_up_probability", "verdict", "warnings")


@dataclass(frozen=True)
class Reader:
    """Networks that answer together, and how pictures are brought to them.

    models: their probabilities are averaged; all take pictures of one side and know the same classes.
    source: where they come from, in words. threshold: the probability from which an answer counts as sure.
    """

    models: tuple[Model, ...]
    source: str
    style: Style
    threshold: float

    @cached_property
    def labels(self) -> list[int] | list[str]:
        return self.models[0].classes.tolist()

    @cached_property
    def ensemble(self) -> Ensemble:
        return Ensemble([each.network for each in self.models])

    @cached_property
    def temperatures(self) -> np.ndarray:
        """(k, 1, 1): what each network's logits are divided by, so that its probabilities are calibrated."""
        return np.array([temperature_of(each) for each in self.models], np.float32)[:, None, None]

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """(n, classes) for images (n, side, side), uint8 0…255 or floats 0…1: the mean over the networks."""
        starts = range(0, max(len(images), 1), PREDICT_ROWS)
        parts = [self.ensemble.forward(images[start : start + PREDICT_ROWS])[0] for start in starts]
        logits = np.concatenate(parts, axis=1) / self.temperatures
        return softmax(logits.reshape(-1, logits.shape[-1])).reshape(logits.shape).mean(axis=0)

    def answers(self, images: np.ndarray, warnings: Sequence[Sequence[str]]) -> list[Answer]:
        """What the networks say of each of images (n, side, side), with the warnings of its preparation."""
        answers = []
        for image, lacks, probabilities in zip(images, warnings, self.probabilities(images), strict=True):
            said = {"probabilities": probabilities, "labels": self.labels, "warnings": tuple(lacks)}
            verdict = picture.verdict(probabilities, lacks, threshold=self.threshold)
            answers.append(Answer(image=image, verdict=verdict, **said))
        return answers

    def saliency(self, answer: Answer) -> np.ndarray:
        """(side, side) from −1 to 1: what spoke for the first answer against the second, the mean over the networks."""
        logits, backward = self.ensemble.forward(answer.image[None])
        return saliency(logits, backward, answer.image, answer.first, answer.second)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the networks say of one picture, or of one digit of a row.

    image (side, side): as the networks saw it, uint8 0…255 or floats 0…1. first, second: the two most probable
    classes, as indices. verdict, warnings: of prediction.picture. Of a picture file also path; grey (h, w) float32, the
    picture as decoded; and prepared, how it came to the networks.
    """

    image: np.ndarray
    warnings: tuple[str, ...]
    labels: Sequence[int] | Sequence[str]
    probabilities: np.ndarray
    verdict: str
    path: str = ""
    grey: np.ndarray | None = None
    prepared: Prepared | None = None

    @property
    def first(self) -> int:
        return int(self.probabilities.argmax())

    @property
    def second(self) -> int:
        return int(np.argsort(-self.probabilities, kind="stable")[1])  # another class than `first` in a tie too

    def fields(self) -> dict[str, Any]:
        """FIELDS but for the path, as plain JSON values. The label is the most probable one, whatever the verdict."""
        first, second = self.first, self.second
        return {
            "label": self.labels[first],
            "probability": float(self.probabilities[first]),
            "runner_up": self.labels[second],
            "runner_up_probability": float(self.probabilities[second]),
            "verdict": self.verdict,
            "warnings": list(self.warnings),
        }

    def row(self) -> dict[str, Any]:
        """FIELDS as plain JSON values."""
        return {"path": self.path, **self.fields()}


def load_reader(name: str | None, runs: Path, *, threshold: float | None = None) -> Reader:
    """The networks in the file or folder `name`, or of the run of that name in `runs`; by default the newest run's.

    threshold: in place of the one that was measured when they were trained. Raises UsageError, ModelFileError.
    """
    path = newest_run(runs) if name is None else Path(name)
    if path is None:
        raise UsageError(
            f"There is no trained network below {runs}/ yet: train one with `{COMMAND} --recipe pictures`, or "
            "name a model file with --model."
        )
    if not path.exists() and (runs / path).exists():
        path = runs / path
    files = answering_files(path)
    models = tuple(model.load(file) for file in files)
    for file, each in zip(files, models, strict=True):
        if each.side != models[0].side or each.classes.tolist() != models[0].classes.tolist():
            raise UsageError(f"{file} and {files[0]} do not take the same pictures and classes: name one of them.")
    several = f" and {len(files) - 1} more, probabilities averaged" if len(files) > 1 else ""
    sure = threshold_for(models) if threshold is None else threshold
    return Reader(models, f"{files[0]}{several}", style_for(models[0]), sure)


def find_pictures(names: Iterable[str]) -> Iterator[str | DataError]:
    """The picture files that `names` stand for, sorted within each; a name that stands for none gives its fault.

    A name is a file, a folder (all files below it that end in SUFFIXES), or a pattern such as "scans/**/*.png".
    """
    for name in names:
        path = Path(name)
        if name and path.is_dir():
            found = sorted(str(p) for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
            fault = f"{name} holds no pictures: a folder with files ending in {', '.join(SUFFIXES)} is needed."
        elif not os.path.lexists(name) and glob.has_magic(name):
            every = glob.glob(name, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern
            found = sorted(p for p in every if Path(p).is_file())
            fault = f"No file fits the pattern {name}: check the folder and the ending."
        elif path.suffix.lower() in (".csv", ".zip"):
            found, fault = (
                [],
                f"{name} holds rows of pixels, no picture: `{COMMAND} answer RUN --data {name}` reads them.",
            )
        else:
            found, fault = [name], ""
        yield from found or [DataError(fault)]


def names_or_picture(content: bytes) -> list[str] | bytes:
    """What came from standard input: `content` itself when it is a picture, else the names in it.

    Names stand one a line, or with a NUL behind each, as `find -print0` writes them. Raises DataError for neither.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=FORMATS):
            return content
    except Exception:  # anything but a whole header: what decoders raise for it is not one class
        separator = b"\0" if b"\0" in content else b"\n"
    names = [os.fsdecode(part.rstrip(b"\r")) for part in content.split(separator) if part.strip()]
    if not names or any(letter < " " for name in names for letter in name):
        raise DataError("Standard input holds neither a picture nor the paths of pictures, one a line: give either.")
    return names


def read_picture(reader: Reader, path: str, *, content: bytes | None = None, split: bool = False) -> list[Answer]:
    """The networks' answer for the picture at `path`, or in `content`; with `split` one for each digit of a row.

    A blank picture has one answer, whose verdict says so. Raises DataError.
    """
    shown = os.fsencode(path).decode("utf-8", "replace")  # a name that is no UTF-8 could not be written to JSON
    grey = picture.decode(path if content is None else content, name=shown)
    main, digits = picture.prepare_and_split(grey, reader.style)
    digits = digits if split and digits else [main]
    answers = reader.answers(np.stack([digit.image for digit in digits]), [digit.warnings for digit in digits])
    return [
        replace(answer, path=shown, grey=grey, prepared=digit) for answer, digit in zip(answers, digits, strict=True)
    ]


def label_in_name(path: str, labels: Sequence[int] | Sequence[str], *, folder: bool) -> int:
    """The class index that a file's name begins with, or that its folder is named. Raises DataError."""
    whole = Path(path).absolute()
    found = whole.parent.name if folder else whole.name[:1]
    known = [str(label) for label in labels]
    if found not in known:
        where = f"lies in the folder {found!r}" if folder else f"begins with {found!r}"
        raise DataError(f"{path} {where}, which is none of the classes {', '.join(known[:20])}: rename it.")
    return known.index(found)
