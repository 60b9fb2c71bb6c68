"""A picture → what the API says of it: prediction's Answer, and with `explain` what led there."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.web.models import Choice
from pipeline.web.reading import BRIGHTEST, Given


def answers(choice: Choice, givens: list[Given], *, explain: bool) -> list[dict[str, Any]]:
    """What the networks say of each picture, as plain JSON values.

    With `explain` also the picture that they saw, where that came from, and which pixels spoke for the answer.
    """
    reader = choice.reader
    said = reader.answers(np.stack([given.image for given in givens]), [given.warnings for given in givens])
    results = []
    for given, answer in zip(givens, said, strict=True):
        result = {"model": choice.name, **answer.fields()}
        result |= {"classes": choice.labels, "probabilities": answer.probabilities.tolist()}
        if explain:
            box = given.prepared.box if given.prepared else None
            result |= {
                "side": choice.side,
                "seen": as_bytes(given.image),
                "saliency": np.round(reader.saliency(answer).astype(float), 3).ravel().tolist(),
                "size": None if given.grey is None else list(given.grey.shape),
                "box": list(box) if box else None,
            }
        results.append(result)
    return results


def as_bytes(image: np.ndarray) -> list[int]:
    """Pixels (side, side) as whole numbers 0…255 in one list, row by row."""
    if image.dtype != np.uint8:
        image = np.rint(image * BRIGHTEST)
    return image.ravel().astype(int).tolist()
