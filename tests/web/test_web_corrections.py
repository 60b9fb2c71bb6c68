"""What visitors put right: kept, scored, exported, deleted."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from calls import BAR, NUMBERS, post

from pipeline.prediction.picture import Style
from pipeline.prediction.reader import Reader
from pipeline.web.app import create_app
from pipeline.web.limits import Limits
from pipeline.web.models import Choice, Models


def test_corrections_are_kept_counted_exported_and_deleted(client, models):
    for label in (7, 3):
        answer = post(client, "/api/corrections", {"image": NUMBERS, "label": label, "answered": 1})
        assert (answer.status_code, answer.json) == (201, {"kept": True, "label": label})
    said = client.get("/api/corrections").json
    assert said["count"] == 2
    for entry in said["models"]:
        read = int(models.by_name[entry["model"]].probabilities(BAR[None])[0].argmax())
        assert entry["right"] == [7, 3].count(read)
        assert entry["share"] == entry["right"] / 2
        # Wilson's interval of 0 and of 1 of 2, z 1.96: 0 to z² / (2 + z²), and 1/2 ± z √(1/2 + z²/4) / (2 + z²).
        low, high = {0: (0, 0.6576), 1: (0.0945, 0.9055)}[entry["right"]]
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
    post(client, "/api/corrections", {"image": NUMBERS, "label": 2})
    assert [c.get("/api/corrections").json["count"] for c in (small, few, client)] == [1, 1, 2]
    assert few.get("/api/corrections.csv").text.splitlines()[1].startswith("2,")
    assert few.delete("/api/corrections").json == {"deleted": 3}


def test_the_export_is_read_like_kaggles_train_csv(client, tmp_path):
    from pipeline.dataset import load

    for label in (7, 3, 7, 3):
        post(client, "/api/corrections", {"image": NUMBERS, "label": label})
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
    client, value = app.test_client(), {"image": NUMBERS, "label": 7}
    assert [post(client, "/api/corrections", value).status_code for _ in range(2)] == [201, 422]


def test_a_disk_that_refuses_is_told(models, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    app = create_app(models, tmp_path / "file" / "c.sqlite")
    answer = post(app.test_client(), "/api/corrections", {"image": NUMBERS, "label": 7})
    assert answer.status_code == 503
    assert "c.sqlite" in answer.json["error"]
