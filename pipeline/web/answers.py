"""A picture → what the API says of it: prediction's Answer, and with `explain` what led there."""

import base64
from typing import Any

import numpy as np

from pipeline.prediction.inside import Gallery, Unit, look_inside
from pipeline.web.models import Choice
from pipeline.web.reading import BRIGHTEST, Given

EXCITED, NEAREST = 8, 10  # pictures that are shown


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
            saliency = np.round(reader.saliency(answer).astype(float), 3).ravel().tolist()
            box = given.prepared.box if given.prepared else None
            size = None if given.grey is None else given.grey.shape
            result |= {"side": choice.side, "seen": as_bytes(given.image), "saliency": saliency}
            result |= {"size": size, "box": box}
        results.append(result)
    return results


def see_inside(choice: Choice, image: np.ndarray, label: int | None, gallery: Gallery | None) -> dict[str, Any]:
    """What goes on in the first of the choice's networks when it sees image (side, side), as plain JSON values.

    label: the class whose logit is taken apart; None for the most probable.
    """
    network = choice.reader.models[0].network
    label = int(network.logits(image[None])[0].argmax()) if label is None else label
    seen = look_inside(network, image, label)

    def shown(places: np.ndarray) -> list[dict[str, Any]]:
        return [{"label": choice.labels[gallery.labels[i]], "pixels": _base64(gallery.images[i])} for i in places]

    def parts(units: tuple[Unit, ...]) -> list[dict[str, Any]]:
        return [
            {
                "unit": unit.number,
                "activation": unit.activation,
                "weight": unit.weight,
                "contribution": unit.contribution,
                "bias": unit.bias,
                "ink": np.round(unit.ink.astype(float), 4).ravel().tolist(),
                "excited_by": [] if gallery is None else shown(gallery.exciting(unit.number, EXCITED)),
            }
            for unit in units
        ]

    return {
        "label": choice.labels[label],
        "side": choice.side,
        "networks": len(choice.reader.models),
        "logit": seen.logit,
        "bias": seen.bias,
        "hidden": seen.hidden,
        "rest": seen.rest,
        "for": parts(seen.spoke_for),
        "against": parts(seen.against),
        "maps": [
            {"layer": name, "height": maps.shape[1], "width": maps.shape[2], "pixels": list(map(_stretched, maps))}
            for name, maps in seen.maps
        ],
        "nearest": [] if gallery is None else shown(gallery.nearest(image, NEAREST)),
    }


def _base64(image: np.ndarray) -> str:
    return base64.b64encode(image.tobytes()).decode()


def _stretched(values: np.ndarray) -> list[int]:
    """Any numbers as whole ones 0…255, the smallest 0 and the largest 255."""
    low, high = float(values.min()), float(values.max())
    return np.rint((values - low) * (BRIGHTEST / (high - low or 1.0))).astype(int).ravel().tolist()


def as_bytes(image: np.ndarray) -> list[int]:
    """Pixels (side, side) as whole numbers 0…255 in one list, row by row."""
    if image.dtype != np.uint8:
        image = np.rint(image * BRIGHTEST)
    return image.ravel().astype(int).tolist()
