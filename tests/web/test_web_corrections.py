"""What visitors put right: kept, scored, exported, deleted."""

from __future__ import annotations

import csv
import io
import sqlite3
from contextlib import closing

import numpy as np
import pytest
from calls import BAR, NUMBERS, post

from pipeline.prediction.picture import Style
from pipeline.prediction.reader import Reader
from pipeline.web.app import create_app
from pipeline.web.corrections import SCHEMA
from pipeline.web.limits import Limits
from pipeline.web.models import Choice, Models


def test_corrections_are_kept_counted_exported_and_deleted(client, models):
    images = [NUMBERS, BAR.T.ravel().tolist()]
    for image, label in zip(images, (7, 3), strict=True):
        answer = post(client, "/api/corrections", {"image": image, "label": label, "answered": 1})
        assert (answer.status_code, answer.json["label"]) == (201, label)
    said = client.get("/api/corrections").json
    assert said["count"] == 2
    for entry in said["models"]:
        read = models.by_name[entry["model"]].probabilities(np.stack([BAR, BAR.T])).argmax(axis=1)
        assert entry["right"] == (read == [7, 3]).sum()
        assert entry["share"] == entry["right"] / 2
        # Wilson's interval of 0 and of 1 of 2, z 1.96: 0 to z² / (2 + z²), and 1/2 ± z √(1/2 + z²/4) / (2 + z²).
        low, high = {0: (0, 0.6576), 1: (0.0945, 0.9055), 2: (0.3424, 1)}[entry["right"]]
        assert (entry["low"], entry["high"]) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))
    assert "put right" in said["note"]
    export = client.get("/api/corrections.csv")
    assert "attachment" in export.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(export.text)))
    assert [row["label"] for row in rows] == ["7", "3"]
    assert [int(rows[0][f"pixel{i}"]) for i in range(784)] == NUMBERS
    assert client.delete("/api/corrections").json == {"deleted": 2}
    none = client.get("/api/corrections").json
    assert none["count"] == 0
    assert all((m["right"], m["share"], m["low"], m["high"]) == (0, None, None, None) for m in none["models"])
    assert client.get("/api/corrections.csv").text.count("\n") == 1  # the header alone


def test_corrections_of_another_competition_are_left_alone(models, tmp_path, make_model):
    def served(**form):
        choice = Choice("other", Reader((make_model(1, 0.0, **form),), "tests", Style(form["side"]), 0.5))
        return create_app(Models(choice, (choice,)), tmp_path / "both.sqlite").test_client()

    small, few = served(side=8, classes=10), served(side=28, classes=3)
    client = create_app(models, tmp_path / "both.sqlite").test_client()
    post(small, "/api/corrections", {"image": [9] * 64, "label": 7})
    post(client, "/api/corrections", {"image": NUMBERS, "label": 7})
    post(client, "/api/corrections", {"image": BAR.T.ravel().tolist(), "label": 2})
    assert [c.get("/api/corrections").json["count"] for c in (small, few, client)] == [1, 1, 2]
    assert few.get("/api/corrections.csv").text.splitlines()[1].startswith("2,")
    assert few.delete("/api/corrections").json == {"deleted": 3}


def test_the_export_is_read_like_kaggles_train_csv(client, tmp_path):
    from pipeline.dataset import load

    for turn, label in enumerate((7, 3, 7, 3)):
        post(client, "/api/corrections", {"image": np.roll(BAR, turn).ravel().tolist(), "label": label})
    text = client.get("/api/corrections.csv").text
    (tmp_path / "train.csv").write_text(text, encoding="utf-8")
    header, row = text.splitlines()[:2]
    test = "\n".join([header.partition(",")[2], row.partition(",")[2]])
    (tmp_path / "test.csv").write_text(test + "\n", encoding="utf-8")
    competition = load(tmp_path, cache=False)
    np.testing.assert_array_equal(competition.train.images[0], BAR)
    assert competition.train.classes[competition.train.labels].tolist() == [7, 3, 7, 3]


@pytest.mark.parametrize(
    "value",
    [
        {"image": NUMBERS},
        {"image": NUMBERS, "label": 10},
        {"image": NUMBERS, "label": "7"},
        {"image": NUMBERS, "label": True},
        {"image": NUMBERS, "label": 7, "answered": 99},
        {"image": [0] * 784, "label": 7},
        {"image": "data:image/png;base64,", "label": 7},
        [],
    ],
)
def test_wrong_corrections_are_refused(client, value):
    assert post(client, "/api/corrections", value).status_code == 422
    assert client.get("/api/corrections").json["count"] == 0


def test_corrections_have_a_limit(models, tmp_path):
    app = create_app(models, tmp_path / "c.sqlite", limits=Limits(corrections=1))
    client = app.test_client()
    values = [{"image": NUMBERS, "label": 7}, {"image": NUMBERS, "label": 1}, {"image": BAR.T.tolist(), "label": 7}]
    assert [post(client, "/api/corrections", value).status_code for value in values] == [201, 201, 422]


def test_a_drawing_has_one_label_and_can_be_taken_back(client):
    first, second = (
        post(client, "/api/corrections", {"image": NUMBERS, "label": label}).json["id"] for label in (7, 1)
    )
    (kept,) = client.get("/api/corrections").json["latest"]
    assert (kept["id"], kept["label"], kept["pixels"]) == (second, "1", NUMBERS)
    assert client.delete(f"/api/corrections/{first + 100}").json == {"deleted": 0}
    assert client.delete(f"/api/corrections/{second}").json == {"deleted": 1}
    assert client.get("/api/corrections").json["count"] == 0


def test_no_visitor_of_a_shared_page_sees_anothers_drawings(models, tmp_path):
    client = create_app(models, tmp_path / "c.sqlite", hosts=None).test_client()
    mine, other = {"Visitor": "1-2-3-4"}, {"Visitor": "5-6-7-8"}
    kept = client.post("/api/corrections", json={"image": NUMBERS, "label": 7}, headers=mine).json["id"]
    for stranger in (other, {}):
        assert client.get("/api/corrections", headers=stranger).json["count"] == 0
        assert client.get("/api/corrections.csv", headers=stranger).text.count("\n") == 1
        assert client.delete(f"/api/corrections/{kept}", headers=stranger).json == {"deleted": 0}
        assert client.delete("/api/corrections", headers=stranger).json == {"deleted": 0}
    assert client.get("/api/corrections", headers=mine).json["count"] == 1
    assert client.delete("/api/corrections", headers=mine).json == {"deleted": 1}


def test_a_file_of_before_visitors_had_names_is_read(models, tmp_path):
    old = SCHEMA.replace("answered TEXT,", "answered TEXT").replace(
        "    visitor TEXT              -- whose it is, a random text that the page made up\n", ""
    )
    with closing(sqlite3.connect(tmp_path / "c.sqlite")) as database, database:
        database.execute(old)
        database.execute(
            "INSERT INTO corrections (created, side, pixels, label) VALUES ('2026-01-01', 28, ?, '7')", (BAR.tobytes(),)
        )
    client = create_app(models, tmp_path / "c.sqlite").test_client()
    assert client.get("/api/corrections").json["count"] == 1
    assert post(client, "/api/corrections", {"image": BAR.T.tolist(), "label": 7}).status_code == 201


def test_a_disk_that_refuses_is_told(models, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    app = create_app(models, tmp_path / "file" / "c.sqlite")
    answer = post(app.test_client(), "/api/corrections", {"image": NUMBERS, "label": 7})
    assert answer.status_code == 503
    assert "c.sqlite" in answer.json["error"]
