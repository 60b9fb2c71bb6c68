"""The API: right answers for every kind of body."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from calls import BAR, NUMBERS, post

from pipeline.dataset import Competition, Digits
from pipeline.prediction import picture
from pipeline.prediction.picture import Style
from pipeline.prediction.reader import Reader
from pipeline.web.app import create_app
from pipeline.web.models import Choice, Models


def test_a_picture_file_gets_what_the_model_itself_says(client, models, seven):
    prepared = picture.prepare(picture.decode(seven))
    expected = models.default.probabilities(prepared.image[None])[0]
    data_url = "data:image/png;base64," + base64.b64encode(seven).decode()
    answers = [
        client.post("/api/predict", data=seven, content_type="image/png"),
        client.post("/api/predict", data=data_url, content_type="text/plain"),
        post(client, "/api/predict", data_url),
        post(client, "/api/predict", {"image": data_url}),
        post(client, "/api/predict", prepared.image.tolist()),
        post(client, "/api/predict", {"image": prepared.image.ravel().tolist()}),
    ]
    for answer in answers:
        assert answer.status_code == 200, answer.text
        np.testing.assert_allclose(answer.json["probabilities"], expected, atol=1e-7)
        assert answer.json["label"] == int(expected.argmax())
        assert answer.json["probability"] == pytest.approx(float(expected.max()))


def test_fractions_of_ink_mean_the_same_as_bytes(client):
    whole = post(client, "/api/predict", NUMBERS).json["probabilities"]
    parts = post(client, "/api/predict", (BAR / 255).tolist()).json["probabilities"]
    np.testing.assert_allclose(whole, parts, atol=1e-6)


def test_the_model_asked_for_answers(client, models):
    for choice in models.levels:
        said = client.post(f"/api/predict?model={choice.name}", json=NUMBERS).json
        assert said["model"] == choice.name
        np.testing.assert_allclose(said["probabilities"], choice.probabilities(BAR[None])[0], atol=1e-7)


def test_explain_shows_what_the_network_saw(client, seven):
    said = client.post("/api/predict?explain=true", data=seven, content_type="image/png").json
    assert said["side"] == 28
    assert len(said["seen"]) == len(said["saliency"]) == 784
    assert said["size"] == [120, 120]
    top, bottom, left, right = said["box"]
    # The line goes from y 25 to 100 and x 35 to 85, and is 9 wide.
    assert 17 <= top <= 25 and 100 <= bottom <= 108 and 27 <= left <= 35 and 85 <= right <= 93
    assert 0.5 < max(map(abs, said["saliency"])) <= 1
    assert all(s == 0 for s, p in zip(said["saliency"], said["seen"], strict=True) if p == 0)


def test_blank_pictures_get_no_forced_answer(client):
    assert post(client, "/api/predict", [0] * 784).json["verdict"] == "blank"


def test_a_row_of_digits_is_split(client, seven):
    from PIL import Image

    one = Image.open(io.BytesIO(seven))
    row = Image.new("L", (240, 120), 245)
    row.paste(one, (0, 0))
    row.paste(one, (120, 0))
    file = io.BytesIO()
    row.save(file, "PNG")
    said = client.post("/api/predict?split=true", data=file.getvalue(), content_type="image/png").json
    assert said["verdict"] == "several digits"
    assert len(said["digits"]) == 2
    alone = client.post("/api/predict", data=seven, content_type="image/png").json
    assert [digit["label"] for digit in said["digits"]] == [alone["label"]] * 2


def test_models_and_health(client, models):
    said = client.get("/api/models").json
    assert said["default"] == "all-rows"
    assert said["levels"] == [choice.name for choice in models.levels]
    assert [m["sigma"] for m in said["models"]] == [0.0, 0.1, 0.3, 0.3]
    assert said["models"][0]["parameters"] == 784 * 24 + 24 + 24 * 10 + 10
    assert client.get("/healthz").json["models"] == 4


def test_inside_adds_up_and_finds_similar_rows(models, tmp_path, make_model):
    rng = np.random.default_rng(0)
    rows = Digits(rng.integers(0, 256, (40, 28, 28), dtype=np.uint8), np.arange(40) % 10, np.arange(10))
    data = Competition(rows, rows, np.arange(40), "id", "label", "made up", False, "memory", "print")
    known = make_model(3, 0.1)
    choice = Choice("known", Reader((replace(known, about={"data_fingerprint": "print"}),), "tests", Style(), 0.5))
    client = create_app(Models(choice, (choice,), competition=data), tmp_path / "c.sqlite").test_client()
    image = rows.images[17]
    said = post(client, "/api/inside", {"image": image.tolist(), "label": 4}).json
    total = said["bias"] + said["rest"] + sum(unit["contribution"] for unit in said["for"] + said["against"])
    assert (
        total == pytest.approx(said["logit"]) == pytest.approx(float(known.network.logits(image[None])[0, 4]), abs=1e-4)
    )
    assert base64.b64decode(said["nearest"][0]["pixels"]) == image.tobytes()  # nothing is nearer than itself
    assert said["nearest"][0]["label"] == 7
    assert all(len(unit["excited_by"]) == 8 and unit["contribution"] > 0 for unit in said["for"])
    other = post(create_app(models, tmp_path / "c.sqlite").test_client(), "/api/inside", {"image": NUMBERS}).json
    assert other["nearest"] == []  # the page has no rows like those that they learnt
