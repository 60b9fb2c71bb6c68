"""What a model must know to read pictures from the world: what its training rows look like, and when it may be sure.

Both are measured when it is trained and kept in its file, under PICTURES in `about`. The threshold comes from held-out
rows distorted as by strangers' hands: on the rows as they are, a network is right far more often than in the world.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.errors import ModelFileError, UsageError
from pipeline.evaluation.robustness.calibration import fit_temperature, tempered
from pipeline.prediction.model_file import Model
from pipeline.prediction.picture import Style, style_of

PICTURES = "pictures"
SURE_AND_RIGHT = 0.97  # of the sure answers for the rewritten rows are right
UNMEASURED = 0.7  # the threshold of a model whose file states none
LENGTHS = ("box", "thinnest", "thickest", "centre")  # of a Style, parts of the side
REMEDY = "train it again or restore it from a copy."


def training_style(images: np.ndarray) -> dict[str, float] | None:
    """LENGTHS of the training pictures (n, side, side) uint8; None for rows without any ink, which nothing reads."""
    try:
        style = style_of(images)
    except UsageError:
        return None
    return {name: getattr(style, name) for name in LENGTHS}


def measure(
    style: Mapping[str, float] | None, probabilities: np.ndarray, labels: np.ndarray, clean: np.ndarray | None = None
) -> dict[str, Any]:
    """What goes into a model's `about` under PICTURES: plain JSON values.

    style: of the training rows. probabilities (m, classes): what the network, or several on average, say of held-out
    rows after DistortedHoldout; labels (m,): their class indices. clean (m, classes): what it says of these rows as
    they are. The temperature is fitted on these, and the threshold is one of probabilities at that temperature, as
    the reader shows them; without `clean` it is 1.
    """
    temperature = 1.0 if clean is None else fit_temperature(clean, labels)
    seen = probabilities if clean is None else tempered(probabilities, temperature)
    threshold = min(calibrate(seen, labels, accuracy=SURE_AND_RIGHT), 1.0)
    measured: dict[str, Any] = {"threshold": threshold, "temperature": temperature}
    return measured if style is None else measured | {"style": dict(style)}


def calibrate(probabilities: np.ndarray, labels: np.ndarray, *, accuracy: float) -> float:
    """The lowest threshold at which the sure answers among labelled pictures reach `accuracy`.

    probabilities (n, classes), labels (n,) class indices. Ties are kept together: all pictures at the threshold or
    above it count. Where no threshold suffices the result is above every probability given: nothing is called sure.
    """
    best = probabilities.max(axis=1)
    order = np.argsort(-best, kind="stable")
    right = (probabilities.argmax(axis=1) == labels)[order].cumsum()
    last_of_tie = np.append(np.diff(best[order]) != 0, True)
    good = np.flatnonzero(last_of_tie & (right >= accuracy * np.arange(1, labels.size + 1)))
    return float(best[order[good[-1]]] if good.size else np.nextafter(best.max(), np.inf))


def style_for(model: Model) -> Style:
    """The form that pictures must be brought into for this model; MNIST's where its file states none.

    Raises ModelFileError for lengths that cannot be.
    """
    stated = _stated(model).get("style")
    if stated is None:
        return Style(side=model.side)
    whole = isinstance(stated, dict) and set(stated) == set(LENGTHS)
    if not whole or not all(_is_part(length) and length > 0 for length in stated.values()):
        raise ModelFileError(
            f"The model's style must hold {', '.join(LENGTHS)}, parts of its side from 0 to 1, found {stated!r:.80}: "
            f"{REMEDY}"
        )
    return Style(side=model.side, **stated)


def threshold_for(models: Sequence[Model]) -> float:
    """The probability from which an answer of these models on average counts as sure. Raises ModelFileError."""
    stated = [_stated(model).get("threshold", UNMEASURED) for model in models]
    for threshold in stated:
        if not _is_part(threshold):
            raise ModelFileError(
                f"The model's threshold must be a number from 0 to 1, found {threshold!r:.40}: {REMEDY}"
            )
    return math.fsum(stated) / len(stated)


def temperature_of(model: Model) -> float:
    """What the model's logits are divided by before softmax (Guo et al. 2017), 1 where its file states none.

    Raises ModelFileError.
    """
    temperature = _stated(model).get("temperature", 1.0)
    if type(temperature) not in (int, float) or not 0 < temperature < math.inf:
        raise ModelFileError(f"The model's temperature must be a number above 0, found {temperature!r:.40}: {REMEDY}")
    return float(temperature)


def _stated(model: Model) -> dict[str, Any]:
    stated = model.about.get(PICTURES, {})
    return stated if isinstance(stated, dict) else {}


def _is_part(value: object) -> bool:
    return type(value) in (int, float) and 0 <= value <= 1
