"""The API's description of itself, in the terms of OpenAPI 3.1."""

from __future__ import annotations

from typing import Any

import pipeline
from pipeline.web.lab import CURVE, SLIDERS
from pipeline.web.limits import Limits
from pipeline.web.models import Models

NUMBER = {"type": "number"}
TEXT = {"type": "string"}
COUNT = {"type": "integer", "minimum": 0}
SHARE = {"type": "number", "minimum": 0, "maximum": 1}


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
        }
    )
    interval = {name: _or_null(SHARE) for name in ("share", "low", "high")}
    right = _object({"model": model, "sigma": _or_null(NUMBER), "right": COUNT, **interval})
    kept = _object({"count": COUNT, "note": TEXT, "models": _list(right)})
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
        "/api/corrections": {
            "get": _operation(
                "How many corrections are kept, and how many each network gets right (95 % Wilson interval).", kept
            ),
            "post": _operation(
                "Keep one picture with its true label, on this machine only.",
                _object({"kept": {"const": True}, "label": label}),
                body={"application/json": {"schema": correction}},
                status="201",
            ),
            "delete": _operation("Delete every correction.", _object({"deleted": COUNT})),
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
