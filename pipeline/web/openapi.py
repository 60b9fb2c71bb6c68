"""The API's description of itself, in the terms of OpenAPI 3.1."""

from __future__ import annotations

from typing import Any

import pipeline
from pipeline.nn.optimizers import OPTIMIZERS
from pipeline.web.lab import CURVE, SLIDERS
from pipeline.web.limits import Limits
from pipeline.web.models import Models
from pipeline.web.trainings import SETTINGS

NUMBER = {"type": "number"}
TEXT = {"type": "string"}
COUNT = {"type": "integer", "minimum": 0}
SHARE = {"type": "number", "minimum": 0, "maximum": 1}
TRUTH = {"type": "boolean"}
ACTIONS = ["pause", "resume", "step", "rate", "keep", "stop"]


def description(models: Models, limits: Limits) -> dict[str, Any]:
    """The document for a server of these networks and limits."""
    first = models.default
    side, classes = first.side, first.labels
    label = {"enum": classes}
    pixel = {"type": "number", "minimum": 0, "maximum": 255}
    pixels = {
        "description": f"{side} × {side} pixels from 0 (paper) to 255 (ink), or fractions of ink where none is above "
        "1: as a training picture, centred and scaled already.",
        "oneOf": [_list(pixel, side * side), _list(_list(pixel, side), side)],
    }
    in_one_list, in_rows = pixels["oneOf"]
    ink = {"minimum": 0.004}  # as a fraction, one step of 255
    not_blank = {"oneOf": [in_one_list | {"contains": ink}, in_rows | {"contains": {"contains": ink}}]}
    data_url = {"type": "string", "pattern": "^data:.*;base64,[A-Za-z0-9+/]*=*$"}
    image = {"anyOf": [pixels, data_url]}
    model = {"enum": list(models.by_name)}
    options = {"model": model, "explain": {"type": "boolean"}, "split": {"type": "boolean"}}
    seen = _list({"type": "integer", "minimum": 0, "maximum": 255}, side * side)
    answer = _object(
        {
            "model": model,
            "label": label,
            "probability": SHARE,
            "runner_up": label,
            "runner_up_probability": SHARE,
            "verdict": {"enum": ["sure", "not sure", "blank", "several digits"]},
            "warnings": _list(TEXT),
            "classes": _list(label, len(classes)),
            "probabilities": _list(SHARE, len(classes)),
        },
        {
            "side": COUNT,
            "seen": seen,
            "saliency": _list({"type": "number", "minimum": -1, "maximum": 1}, side * side),
            "size": _or_null(_list(COUNT, 2)),
            "box": _or_null(_list(COUNT, 4)),
            "digits": _list({"$ref": "#/components/schemas/Answer"}),
        },
    )
    sliders = {name: {"type": "number", "minimum": low, "maximum": high} for name, (low, high) in SLIDERS.items()}
    compared = _object(
        {
            "model": model,
            "sigma": _or_null(NUMBER),
            "seen": seen,
            "label": label,
            "probability": SHARE,
            "confidence": SHARE,
            "probabilities": _list(SHARE, len(classes)),
            "curve": _list(SHARE, len(CURVE)),
        }
    )
    experiment = _object(
        {"label": label, "side": COUNT, "curve_sigmas": _list(NUMBER, len(CURVE)), "models": _list(compared)}
    )
    listed = _object(
        {
            "name": model,
            "sigma": _or_null(NUMBER),
            "recipe": _or_null(TEXT),
            "data": _or_null(TEXT),
            "networks": COUNT,
            "parameters": COUNT,
            "layers": _list(TEXT),
            "sample": TRUTH,
            "accuracy": _or_null(
                _object({"value": SHARE, "low": SHARE, "high": SHARE, "rows": COUNT, "of": _or_null(TEXT)})
            ),
        }
    )
    every = _object(
        {
            "default": model,
            "side": COUNT,
            "classes": _list(label),
            "threshold": NUMBER,
            "levels": _list(model),
            "models": _list(listed),
            "examples": _list(_object({"label": label, "pixels": seen})),
            "trains": _or_null(_object({"data": TEXT, "rows": COUNT, "sample": TRUTH})),
        }
    )
    shown = _list(_object({"label": label, "pixels": TEXT | {"description": "Bytes 0…255, row by row, in base64."}}))
    unit = dict.fromkeys(("activation", "weight", "contribution", "bias"), NUMBER)
    unit = _object({"unit": COUNT, **unit, "ink": _list(NUMBER, side * side), "excited_by": shown})
    maps = _object({"layer": TEXT, "height": COUNT, "width": COUNT, "pixels": _list(_list(COUNT))})
    insides = _object(
        {
            "label": label,
            "side": COUNT,
            "networks": COUNT,
            "logit": NUMBER,
            "bias": NUMBER,
            "hidden": COUNT,
            "rest": NUMBER,
            "for": _list(unit),
            "against": _list(unit),
            "maps": _list(maps),
            "nearest": shown,
        }
    )
    interval = {name: _or_null(SHARE) for name in ("share", "low", "high")}
    right = _object({"model": model, "sigma": _or_null(NUMBER), "right": COUNT, **interval})
    latest = _object({"id": COUNT, "label": TEXT, "pixels": seen})
    kept = _object({"count": COUNT, "note": TEXT, "models": _list(right), "latest": _list(latest)})
    predict = {
        "application/json": {"schema": {"anyOf": [image, _object({"image": image}, options)]}},
        **{kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("image/png", "image/jpeg")},
    }
    correction = _object({"image": not_blank, "label": label}, {"answered": _or_null(label)})
    summary = "What the network says of one picture: a file's bytes, a data URL, or an array of pixels."
    in_query = [{"name": name, "in": "query", "schema": schema} for name, schema in options.items()]
    paths = {
        "/healthz": {
            "get": _operation(
                "The server is up, and its networks are loaded.",
                _object({"status": {"const": "ok"}, "version": TEXT, "models": COUNT}),
            )
        },
        "/api/models": {"get": _operation("The networks that were loaded.", every)},
        "/api/predict": {
            "post": _operation(summary, {"$ref": "#/components/schemas/Answer"}, body=predict, parameters=in_query)
        },
        "/api/lab": {
            "post": _operation(
                "One picture, changed, before a network of every noise level.",
                experiment,
                body={"application/json": {"schema": _object({"image": pixels}, {"label": label, **sliders})}},
            )
        },
        "/api/inside": {
            "post": _operation(
                "Why the first network gives a class its logit: hidden units, feature maps, similar pictures.",
                insides,
                body={"application/json": {"schema": _object({"image": pixels}, {"label": label, "model": model})}},
            )
        },
        "/api/trainings": {
            "post": _operation(
                "Start a training of one or two networks in a process of its own; only who knows its id can see it.",
                _object({"id": TEXT}),
                body={"application/json": {"schema": _object({}, _settings())}},
                status="201",
            )
        },
        "/api/trainings/{id}": {
            "post": _operation(
                "Tell a training something; step trains on to the end of an epoch, keep writes it as a run.",
                _object({"run": _or_null(TEXT)}),
                body={
                    "application/json": {
                        "schema": _object({"action": {"enum": ACTIONS}}, {"rate": _settings()["rate"]})
                    }
                },
                parameters=[_in_path(TEXT)],
            )
        },
        "/api/trainings/{id}/events": {
            "get": _operation(
                "What happens in a training, as server-sent events, each a JSON object with its kind.",
                TEXT,
                media="text/event-stream",
                parameters=[_in_path(TEXT)],
            )
        },
        "/api/trainings/{id}/ask": {
            "post": _operation(
                "What the networks in training say of one picture.",
                _object({"seen": _list(COUNT), "probabilities": _list(_list(SHARE))}),
                body=predict,
                parameters=[_in_path(TEXT)],
            )
        },
        "/api/corrections": {
            "get": _operation(
                "How many corrections are kept, and how many each network gets right (95 % Wilson interval).", kept
            ),
            "post": _operation(
                "Keep one picture with its true label, on this machine only.",
                _object({"id": COUNT, "label": label}),
                body={"application/json": {"schema": correction}},
                status="201",
            ),
            "delete": _operation("Delete every correction.", _object({"deleted": COUNT})),
        },
        "/api/corrections/{id}": {
            "delete": _operation("Delete one correction.", _object({"deleted": COUNT}), parameters=[_in_path(COUNT)])
        },
        "/api/corrections.csv": {
            "get": _operation("The corrections as rows of Kaggle's train.csv.", TEXT, media="text/csv")
        },
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Inkproof",
            "version": pipeline.__version__,
            "description": f"At most {limits.body:,} bytes a request, {limits.pixels:,} pixels a picture and "
            f"{limits.rate:,.0f} requests a second; the lab and the corrections count {limits.lab_cost:g} each.",
        },
        "paths": paths,
        "components": {"schemas": {"Answer": answer, "Error": _object({"error": TEXT})}},
    }


def _settings() -> dict[str, Any]:
    """What a training may be asked for."""
    kinds = {int: "integer", float: "number"}
    numbers = {
        n: {"type": kinds[kind], "minimum": low, "maximum": high} for n, (kind, low, high, _) in SETTINGS.items()
    }
    sigmas = {**_list(SHARE), "minItems": 1, "maxItems": 2, "uniqueItems": True}
    return {**numbers, "optimizer": {"enum": list(OPTIMIZERS)}, "sigmas": sigmas}


def _in_path(schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": "id", "in": "path", "required": True, "schema": schema}


def _operation(
    summary: str,
    schema: dict[str, Any],
    *,
    body: dict[str, Any] | None = None,
    parameters: list[dict[str, Any]] | None = None,
    status: str = "200",
    media: str = "application/json",
) -> dict[str, Any]:
    error = {"description": "One sentence that says why not.", "content": _content({"$ref": _ERROR})}
    responses = {status: {"description": summary, "content": {media: {"schema": schema}}}, "4XX": error, "503": error}
    operation: dict[str, Any] = {"summary": summary, "responses": responses}
    if parameters:
        operation["parameters"] = parameters
    if body:
        operation["requestBody"] = {"required": True, "content": body}
    return operation


_ERROR = "#/components/schemas/Error"


def _content(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _list(items: dict[str, Any], length: int | None = None) -> dict[str, Any]:
    exact = {} if length is None else {"minItems": length, "maxItems": length}
    return {"type": "array", "items": items, **exact}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }
