"""The API's routes: /api/predict, /api/lab, /api/inside, /api/corrections, /api/trainings, /api/models, /healthz."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from flask import Blueprint, Response, current_app, request
from werkzeug.local import LocalProxy

import pipeline
from pipeline.errors import UsageError
from pipeline.web.answers import answers, as_bytes, see_inside
from pipeline.web.corrections import Corrections
from pipeline.web.lab import SLIDERS, Change, experiment
from pipeline.web.limits import Limits
from pipeline.web.models import Choice, Models, is_sample
from pipeline.web.openapi import description
from pipeline.web.reading import BRIGHTEST, Given, kind, read_array, read_object, read_picture, split_body, truth
from pipeline.web.scores import score
from pipeline.web.trainings import SETTINGS, Trainings, settings_of


@dataclass(frozen=True)
class Page:
    """What a page is served with."""

    models: Models
    corrections: Corrections
    trainings: Trainings
    limits: Limits


page: Page = LocalProxy(lambda: current_app.config["PAGE"])
api = Blueprint("api", __name__)
OPTIONS = ("model", "explain", "split")
encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def as_json(value: Any, status: int = 200) -> Response:
    return Response(encode(value), status, mimetype="application/json")


@api.get("/healthz")
def healthz() -> Response:
    """The server is up, and its networks are loaded."""
    return as_json({"status": "ok", "version": pipeline.__version__, "models": len(page.models.by_name)})


@api.get("/api/openapi.json")
def openapi() -> Response:
    """This API in OpenAPI's terms."""
    return as_json(description(page.models, page.limits))


@api.get("/api/models")
def models() -> Response:
    """The networks that were loaded, and which of them answers."""
    first, data = page.models.default, page.models.competition
    return as_json(
        {
            "default": first.name,
            "side": first.side,
            "classes": first.labels,
            "threshold": first.reader.threshold,
            "levels": [choice.name for choice in page.models.levels],
            "models": [_listed(choice) for choice in page.models.by_name.values()],
            "examples": [{"label": first.labels[k], "pixels": as_bytes(image)} for k, image in page.models.starters],
            "trains": data and {"data": data.name, "rows": data.train.n, "sample": data.is_sample},
        }
    )


@api.post("/api/predict")
def predict() -> Response:
    """What the network says of one picture."""
    source, options = split_body(request.get_data(cache=False), request.is_json, request.args, OPTIONS)
    choice = page.models.get(options.get("model"))
    explain, split = truth(options, "explain"), truth(options, "split")
    given = read_picture(source, page.models.style, page.limits, split=split)
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
    first = page.models.default
    label = body.get("label", first.labels[first.probabilities(image[None])[0].argmax()])
    return as_json(experiment(numbers, change, page.models.levels, _class_index(first, label)))


@api.post("/api/inside")
def inside() -> Response:
    """Why the network says what it says of one picture: hidden units, feature maps, similar pictures."""
    body = read_object(request.get_data(cache=False), ("image", "label", "model"))
    choice = page.models.get(body.get("model"))
    image = _image(body)
    label = _class_index(choice, body["label"]) if "label" in body else None
    return as_json(see_inside(choice, image, label, page.models.gallery(choice)))


@api.get("/api/corrections")
def corrections() -> Response:
    """How many corrections are kept, and how many of them each network gets right."""
    return as_json(score(page.models, page.corrections.all(page.models.default, _visitor())))


@api.post("/api/corrections")
def correct() -> Response:
    """Keep one picture with its true label."""
    body = read_object(request.get_data(cache=False), ("image", "label", "answered"))
    image, first = _image(body), page.models.default
    if not image.any():
        raise UsageError("The picture is blank: draw the digit, then say what it was.")
    if image.dtype != np.uint8:
        image = np.rint(image * BRIGHTEST).astype(np.uint8)
    label = first.labels[_class_index(first, body.get("label"))]
    said = body.get("answered")
    answered = None if said is None else first.labels[_class_index(first, said)]
    return as_json({"id": page.corrections.add(image, label, answered, _visitor()), "label": label}, 201)


@api.delete("/api/corrections")
def forget() -> Response:
    """Delete every correction of this visitor."""
    return as_json({"deleted": page.corrections.delete(_visitor())})


@api.delete("/api/corrections/<int:id>")
def forget_one(id: int) -> Response:
    """Delete one correction."""
    return as_json({"deleted": page.corrections.delete(_visitor(), min(id, 2**62))})


@api.get("/api/corrections.csv")
def export() -> Response:
    """The corrections as rows of Kaggle's train.csv."""
    text = page.corrections.csv(page.models.default, _visitor())
    attachment = {"Content-Disposition": "attachment; filename=corrections.csv"}
    return Response(text, mimetype="text/csv", headers=attachment)


@api.post("/api/trainings")
def train() -> Response:
    """Start a training in a process of its own."""
    body = read_object(request.get_data(cache=False), (*SETTINGS, "sigmas", "optimizer"))
    return as_json({"id": page.trainings.start(settings_of(body)).id}, 201)


@api.get("/api/trainings/<id>/events")
def events(id: str) -> Response:
    """What happens in the training, as server-sent events."""
    after = request.headers.get("Last-Event-ID", "0")
    told = page.trainings.get(id).events(int(after) if after.isascii() and after.isdigit() else 0)
    return Response(told, mimetype="text/event-stream")


@api.post("/api/trainings/<id>")
def command(id: str) -> Response:
    """Pause, resume, step, stop or keep the training, or change its learning rate."""
    body = read_object(request.get_data(cache=False), ("action", "rate"))
    training, action = page.trainings.get(id), body.get("action")
    if action == "keep":
        return as_json({"run": training.ask({"action": "keep"})})
    if action == "stop":
        training.stop()
    elif action == "rate":
        training.send({"action": "rate", "rate": settings_of({"rate": body.get("rate")})["rate"]})
    elif action in ("pause", "resume", "step"):
        training.send({"action": action})
    else:
        raise UsageError("action must be one of pause, resume, step, rate, keep, stop.")
    return as_json({"run": None})


@api.post("/api/trainings/<id>/ask")
def ask(id: str) -> Response:
    """What the networks in training say of one picture."""
    training = page.trainings.get(id)
    source, _ = split_body(request.get_data(cache=False), request.is_json, request.args, ())
    given = read_picture(source, training.style, page.limits)
    seen = as_bytes(given.image)
    return as_json({"seen": seen, "probabilities": training.ask({"action": "ask", "image": seen})})


def _image(body: dict[str, Any]) -> np.ndarray:
    image = body.get("image")
    if not isinstance(image, list):
        raise UsageError(f"image must be an array of the picture's numbers, found {kind(image)}.")
    return read_array(image, page.models.default.side)


def _class_index(choice: Choice, label: object) -> int:
    """Which output stands for the label. Raises UsageError."""
    if type(label) is float and label.is_integer():  # in JSON 4.0 is 4
        label = int(label)
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
        "sample": is_sample(choice),
        "accuracy": choice.accuracy,
    }


def _visitor() -> str | None:
    """The random text that the page made up for its visitor."""
    return request.headers.get("Visitor", "")[:64] or None
