"""The API in the terms of OpenAPI 3.1: openapi.json, and in it what depends on networks and limits."""

import json
from pathlib import Path
from typing import Any

import pipeline
from pipeline.nn.optimizers import OPTIMIZERS
from pipeline.web.lab import CURVE, SLIDERS
from pipeline.web.limits import Limits
from pipeline.web.models import Models
from pipeline.web.trainings import SETTINGS

DOCUMENT = Path(__file__).with_suffix(".json")
NUMBER, SHARE = {"type": "number"}, {"$ref": "#/components/schemas/Share"}


def description(models: Models, limits: Limits) -> dict[str, Any]:
    """The document for a server of these networks and limits."""
    first, document = models.default, json.loads(DOCUMENT.read_text(encoding="utf-8"))
    side, classes = first.side, first.labels
    size = side * side
    byte, label = {"type": "number", "minimum": 0, "maximum": 255}, {"enum": classes}
    flat, rows = _list(byte, size), _list(_list(byte, side), side)
    ink = {"contains": {"minimum": 0.004}}  # as a fraction, one step of 255
    pixels = f"{side} × {side} pixels from 0 (paper) to 255 (ink), or fractions of ink where none is above 1: as a "
    sliders = {name: NUMBER | {"minimum": low, "maximum": high} for name, (low, high) in SLIDERS.items()}
    settings = {
        name: {"type": "integer" if kind is int else "number", "minimum": low, "maximum": high}
        for name, (kind, low, high, _) in SETTINGS.items()
    }
    sigmas = {"type": "array", "items": SHARE, "minItems": 1, "maxItems": 2, "uniqueItems": True}
    document["components"]["schemas"] |= {
        "Label": label,
        "Labels": _list(label, len(classes)),
        "Shares": _list(SHARE, len(classes)),
        "Model": {"enum": list(models.by_name)},
        "Pixels": {"description": pixels + "training picture, centred and scaled already.", "oneOf": [flat, rows]},
        "Ink": {"oneOf": [flat | ink, rows | {"contains": ink}]},
        "Seen": _list({"type": "integer", "minimum": 0, "maximum": 255}, size),
        "Signed": _list({"type": "number", "minimum": -1, "maximum": 1}, size),
        "Numbers": _list(NUMBER, size),
        "Curve": _list(SHARE, len(CURVE)),
        "CurveSigmas": _list(NUMBER, len(CURVE)),
        "Experiment": _object({"image": {"$ref": "#/components/schemas/Pixels"}, "label": label, **sliders}, ["image"]),
        "Settings": _object({**settings, "optimizer": {"enum": list(OPTIMIZERS)}, "sigmas": sigmas}, []),
    }
    document["info"] |= {
        "version": pipeline.__version__,
        "description": f"At most {limits.body:,} bytes a request, {limits.pixels:,} pixels a picture and "
        f"{limits.rate:,.0f} requests a second; those that do the work of many count {limits.lab_cost:g} each.",
    }
    return document


def _list(items: dict[str, Any], length: int) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": length, "maxItems": length}


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
