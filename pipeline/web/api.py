"""The API's routes: /api/predict, /api/lab, /api/corrections, /api/models, /api/openapi.json, /healthz."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from flask import Blueprint, Response, current_app, request

import pipeline
from pipeline.errors import UsageError
from pipeline.web.answers import answers
from pipeline.web.corrections import Corrections
from pipeline.web.lab import SLIDERS, Change, experiment
from pipeline.web.limits import Limits
from pipeline.web.models import Choice, Models
from pipeline.web.openapi import description
from pipeline.web.reading import BRIGHTEST, Given, kind, read_array, read_object, read_picture, split_body, truth
from pipeline.web.scores import score

api = Blueprint("api", __name__)
OPTIONS = ("model", "explain", "split")
encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def as_json(value: Any, status: int = 200) -> Response:
    return Response(encode(value), status, mimetype="application/json")


@api.get("/healthz")
def healthz() -> Response:
    """The server is up, and its networks are loaded."""
    return as_json({"status": "ok", "version": pipeline.__version__, "models": len(_models().by_name)})


@api.get("/api/openapi.json")
def openapi() -> Response:
    """This API in OpenAPI's terms."""
    return as_json(description(_models(), _limits()))


@api.get("/api/models")
def models() -> Response:
    """The networks that were loaded, and which of them answers."""
    every = _models()
    first = every.default
    listed = [_listed(choice) for choice in every.by_name.values()]
    levels = [choice.name for choice in every.levels]
    return as_json(
        {
            "default": first.name,
            "side": first.side,
            "classes": first.labels,
            "threshold": first.reader.threshold,
            "levels": levels,
            "models": listed,
        }
    )


@api.post("/api/predict")
def predict() -> Response:
    """What the network says of one picture."""
    source, options = split_body(request.get_data(cache=False), request.is_json, request.args, OPTIONS)
    choice = _models().get(options.get("model"))
    explain, split = truth(options, "explain"), truth(options, "split")
    limits, style = _limits(), _models().style
    given = read_picture(source, style, max_bytes=limits.body, max_pixels=limits.pixels, split=split)
    digits = [Given(digit.image, given.grey, digit, digit.warnings) for digit in given.digits]
    result, *each = answers(choice, [given, *digits], explain=explain)
    return as_json(result | ({"digits": each} if split and given.grey is not None else {}))


@api.post("/api/lab")
def lab() -> Response:
    """One picture, changed, before a network of every noise level."""
    body = read_object(request.get_data(cache=False), ("image", "label", *SLIDERS))
    image = _image(body)
    numbers = image * np.float32(1 / BRIGHTEST) if image.dtype == np.uint8 else image
    change = Change.of({name: body[name] for name in SLIDERS if name in body})
    every = _models()
    if "label" in body:
        label = _class_index(every.default, body["label"])
    else:
        label = int(every.default.probabilities(image[None])[0].argmax())
    return as_json(experiment(numbers, change, every.levels, label))


@api.get("/api/corrections")
def corrections() -> Response:
    """How many corrections are kept, and how many of them each network gets right."""
    return as_json(score(_models(), *_corrections().all(_models().default)))


@api.post("/api/corrections")
def correct() -> Response:
    """Keep one picture with its true label."""
    body = read_object(request.get_data(cache=False), ("image", "label", "answered"))
    image, first = _image(body), _models().default
    if not image.any():
        raise UsageError("The picture is blank: draw the digit, then say what it was.")
    if image.dtype != np.uint8:
        image = np.rint(image * BRIGHTEST).astype(np.uint8)
    label = first.labels[_class_index(first, body.get("label"))]
    said = body.get("answered")
    _corrections().add(image, label, None if said is None else first.labels[_class_index(first, said)])
    return as_json({"kept": True, "label": label}, 201)


@api.delete("/api/corrections")
def forget() -> Response:
    """Delete every correction."""
    return as_json({"deleted": _corrections().delete_all()})


@api.get("/api/corrections.csv")
def export() -> Response:
    """The corrections as rows of Kaggle's train.csv."""
    text = _corrections().csv(_models().default)
    attachment = {"Content-Disposition": "attachment; filename=corrections.csv"}
    return Response(text, mimetype="text/csv", headers=attachment)


def _image(body: dict[str, Any]) -> np.ndarray:
    image = body.get("image")
    if not isinstance(image, list):
        raise UsageError(f"image must be an array of the picture's numbers, found {kind(image)}.")
    return read_array(image, _models().default.side)


def _class_index(choice: Choice, label: object) -> int:
    """Which output stands for the label. Raises UsageError."""
    for index, known in enumerate(choice.labels):
        if type(label) is type(known) and label == known:
            return index
    known = ", ".join(map(str, choice.labels[:20]))
    found = label if type(label) in (int, str) else kind(label)
    raise UsageError(f"The label must be one of {known}, found {str(found)[:40]}.")


def _listed(choice: Choice) -> dict[str, Any]:
    models = choice.reader.models
    about, network = models[0].about, models[0].network
    recipe = about.get("recipe")
    return {
        "name": choice.name,
        "sigma": choice.sigma,
        "recipe": recipe.get("name") if isinstance(recipe, dict) else None,
        "data": about.get("data"),
        "networks": len(models),
        "parameters": network.params.size,
        "layers": [layer.describe() for layer in network.layers],
    }


def _models() -> Models:
    return current_app.config["MODELS"]


def _limits() -> Limits:
    return current_app.config["LIMITS"]


def _corrections() -> Corrections:
    return current_app.config["CORRECTIONS"]
