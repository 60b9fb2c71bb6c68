"""From a drawing to training rows: read, put right, exported, trained on, read again."""

from __future__ import annotations

import io
import json

import numpy as np
from PIL import Image, ImageDraw

from pipeline.prediction.find_models import newest_run
from pipeline.web.app import create_app
from pipeline.web.models import load_models


def hook(size: int = 120) -> bytes:
    """A drawing that is no digit, as a PNG file's bytes."""
    image = Image.new("L", (size, size), 255)
    ImageDraw.Draw(image).line([(20, 20), (20, 100), (100, 100), (100, 60), (60, 60)], fill=0, width=9)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_a_correction_becomes_a_training_row_and_never_a_holdout_row(inkproof, tmp_path, quick_recipe_file):
    usual = ["run", "--quiet", "--recipe", str(quick_recipe_file), "--repeats", "1", "--noise", "0"]
    done = inkproof(*usual)
    assert done.returncode == 0, done.stderr
    before = newest_run(tmp_path / "runs")
    app = create_app(load_models(before), tmp_path / "runs" / "corrections.sqlite")
    client = app.test_client()
    said = client.post("/api/predict?explain=true", data=hook(), content_type="image/png").json
    label = next(each for each in said["classes"] if each not in (said["label"], said["runner_up"]))
    kept = client.post("/api/corrections", json={"image": said["seen"], "label": label, "answered": said["label"]})
    assert kept.status_code == 201
    by_name = {each["model"]: each for each in client.get("/api/corrections").json["models"]}
    assert by_name["all-rows"]["right"] == 0
    header, row = client.get("/api/corrections.csv").text.splitlines()
    rows = "\n".join([header, *[row] * 150, ""])  # often enough for a small network to learn it
    (tmp_path / "corrections.csv").write_text(rows, encoding="utf-8")

    done = inkproof(*usual, "--extra", "corrections.csv")
    assert done.returncode == 0, done.stderr
    after = newest_run(tmp_path / "runs")
    assert after != before
    rows = [np.load(run / "holdout.npz")["rows"] for run in (before, after)]
    np.testing.assert_array_equal(*rows)  # the same holdout: none of the 150 rows came into it
    figures = [json.loads((run / "run.json").read_text(encoding="utf-8"))["holdout"]["rows"] for run in (before, after)]
    assert figures[0] == figures[1] == len(rows[0])
    client = create_app(load_models(after), tmp_path / "runs" / "corrections.sqlite").test_client()
    assert client.post("/api/predict", data=hook(), content_type="image/png").json["label"] == label
    assert {each["right"] for each in client.get("/api/corrections").json["models"]} == {1}
