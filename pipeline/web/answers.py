"""A picture → what the API says of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.prediction import picture
from pipeline.prediction.saliency import saliency
from pipeline.web.models import Choice
from pipeline.web.reading import BRIGHTEST, Given


def answer(choice: Choice, given: Given, *, explain: bool) -> dict[str, Any]:
    """What the network says of the picture, as plain JSON values.

    With `explain` also the picture that it saw, where that came from, and which pixels spoke for it.
    """
    reader = choice.reader
    probabilities = choice.probabilities(given.image[None])[0]
    second, first = np.argsort(probabilities)[-2:]
    classes = choice.labels
    values = probabilities.tolist()
    result: dict[str, Any] = {
        "model": choice.name,
        "label": classes[first],
        "probability": values[first],
        "runner_up": classes[second],
        "runner_up_probability": values[second],
        "verdict": picture.verdict(probabilities, given.warnings, threshold=reader.threshold),
        "warnings": list(given.warnings),
        "classes": classes,
        "probabilities": values,
    }
    if explain:
        result["side"] = choice.side
        result["seen"] = as_bytes(given.image)
        spoke = np.mean([saliency(each.network, given.image, first, second) for each in reader.models], axis=0)
        result["saliency"] = np.round(spoke.astype(float), 3).ravel().tolist()
        result["centre"] = _centre(given.image)
        result["size"] = None if given.grey is None else list(given.grey.shape)
        result["box"] = list(given.prepared.box) if given.prepared and given.prepared.box else None
    return result


def as_bytes(image: np.ndarray) -> list[int]:
    """Pixels (side, side) as whole numbers 0…255 in one list, row by row."""
    if image.dtype != np.uint8:
        image = np.rint(image * BRIGHTEST)
    return image.ravel().astype(int).tolist()


def _centre(image: np.ndarray) -> list[float] | None:
    """Row and column of the centre of mass in pixels from the upper left corner, or None for a blank picture."""
    total = float(image.sum(dtype=np.float64))
    if not total:
        return None
    places = np.arange(len(image)) + 0.5
    return [float(image.sum(axis, dtype=np.float64) @ places) / total for axis in (1, 0)]
