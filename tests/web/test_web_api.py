"""The API: right answers for every kind of body, one sentence for every wrong one."""

from __future__ import annotations

import base64
import csv
import io
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import picture
from pipeline.web.app import create_app
from pipeline.web.limits import Limits, Rate

BAR = np.zeros((28, 28), np.uint8)
BAR[4:24, 13:16] = 200
NUMBERS = BAR.ravel().tolist()


def post(client, path, value):
    return client.post(path, data=json.dumps(value), content_type="application/json")


def test_a_picture_file_gets_what_the_model_itself_says(client, models, seven):
    prepared = picture.prepare(picture.decode(seven).grey)
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
    assert said["centre"] == pytest.approx([14.5, 14.5], abs=1)
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


WRONG = {
    "nothing": b"",
    "text": b"seven",
    "half": b'{"image": [1,',
    "NaN": json.dumps([float("nan")] * 784).encode(),
    "Infinity": json.dumps([float("inf")] * 784).encode(),
    "beyond floats": b"[" + b",".join([b"1e999"] * 784) + b"]",
    "beyond all": b"[" + b",".join([b"9" * 400] * 784) + b"]",
    "thousands of digits": b"[" + b"9" * 5000 + b"]",
    "too bright": json.dumps([256] * 784).encode(),
    "negative": json.dumps([-1] * 784).encode(),
    "short": json.dumps([0] * 783).encode(),
    "long": json.dumps([0] * 785).encode(),
    "empty": b"[]",
    "ragged": json.dumps([[0] * 28] * 27 + [[0] * 27]).encode(),
    "too deep": json.dumps([[[0] * 28] * 28]).encode(),
    "nested": b"[" * 100_000,
    "nested objects": b'{"image":' * 50_000,
    "huge": b"[" + b"0," * 300_000 + b"0]",
    "truth": json.dumps([True] * 784).encode(),
    "texts": json.dumps(["0"] * 784).encode(),
    "nulls": json.dumps([None] * 784).encode(),
    "number": b"7",
    "null": b"null",
    "no image": b'{"picture": []}',
    "a key too many": json.dumps({"image": NUMBERS, "colour": 1}).encode(),
    "no such model": json.dumps({"image": NUMBERS, "model": "../../etc/passwd"}).encode(),
    "model is a list": json.dumps({"image": NUMBERS, "model": []}).encode(),
    "explain is a text": json.dumps({"image": NUMBERS, "explain": "perhaps"}).encode(),
    "no data URL": b'"hello"',
    "data URL without base64": b'"data:image/png,abc"',
    "damaged base64": b'"data:image/png;base64,&&&"',
    "no picture in it": b'"data:image/png;base64,aGVsbG8="',
    "not UTF-8": b"\xff\xfe\xfd",
    "lone surrogate": b'"\\ud800"',
}


@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG.keys())
def test_wrong_bodies_get_422_and_a_sentence(client, body):
    answer = client.post("/api/predict", data=body, content_type="application/json")
    assert answer.status_code == 422
    assert answer.mimetype == "application/json"
    assert answer.json["error"].endswith(".")
    assert len(answer.json["error"]) < 400


@pytest.mark.parametrize("body", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"GIF89a" + b"\xff" * 50, b"data:"])
def test_files_that_are_no_picture_get_422(client, body):
    answer = client.post("/api/predict", data=body, content_type="image/png")
    assert answer.status_code == 422
    assert answer.json["error"].endswith(".")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(NUMBERS),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["image", "label", "sigma", "epsilon", "rotation", "model", "answered", "x"]), inner
        )
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(["/api/predict", "/api/lab", "/api/corrections"]), value=JSON)
def test_no_json_makes_the_server_fail(client, path, value):
    answer = post(client, path, value)
    assert answer.status_code in (200, 201, 422)
    assert answer.status_code != 422 or answer.json["error"].endswith(".")


def test_limits_of_size(models, tmp_path, seven):
    app = create_app(models, tmp_path / "c.sqlite", limits=Limits(body=500_000, pixels=10_000))
    client = app.test_client()
    large = client.post("/api/predict", data=b"x" * 500_001, content_type="image/png")
    assert (large.status_code, large.mimetype) == (413, "application/json")
    assert "500,000 bytes" in large.json["error"]
    many = client.post("/api/predict", data=seven, content_type="image/png")  # 120 × 120 = 14,400 pixels
    assert many.status_code == 422
    assert "10,000" in many.json["error"]


def test_limit_of_rate(models, tmp_path):
    app = create_app(models, tmp_path / "c.sqlite", limits=Limits(rate=3))
    client = app.test_client()
    found = [client.get("/healthz").status_code for _ in range(5)]
    assert found[:3] == [200] * 3
    assert found[-1] == 429


def test_a_bucket_fills_up_again():
    now = [0.0]
    rate = Rate(2, clock=lambda: now[0])
    assert [rate.allows("a"), rate.allows("a"), rate.allows("a"), rate.allows("b")] == [True, True, False, True]
    now[0] = 0.5  # half a second brings one token
    assert [rate.allows("a"), rate.allows("a")] == [True, False]
    now[0] = 100  # never more than one second's worth
    assert [rate.allows("a", 2), rate.allows("a")] == [True, False]


def test_other_sites_may_not_send(client):
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        assert client.delete("/api/corrections", headers=headers).status_code == 403
    assert client.delete("/api/corrections", headers={"Origin": "http://localhost"}).status_code == 200
    # A name that someone else's server pointed at this machine.
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400


def test_every_answer_carries_the_headers(client):
    paths = ("/", "/nothing", "/static/app.js", "/api/models", "/api/predict")
    for answer in (client.get(path, buffered=True) for path in paths):
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy and "http" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_errors_are_json(client):
    for answer, status in ((client.get("/api/x"), 404), (client.get("/api/predict"), 405), (client.put("/"), 405)):
        assert answer.status_code == status
        assert answer.json["error"].endswith(".")
    assert "POST" in client.get("/api/predict").headers["Allow"]


def test_a_fault_of_ours_is_told_without_a_traceback(app, monkeypatch, caplog):
    def broken(*arguments, **options):
        raise RuntimeError("inside")

    monkeypatch.setattr("pipeline.web.api.answer", broken)
    said = app.test_client().post("/api/predict", json=NUMBERS)
    assert said.status_code == 500
    assert "inside" not in said.text
    assert "inside" in caplog.text


def test_models_and_health(client, models):
    said = client.get("/api/models").json
    assert said["default"] == "all-rows"
    assert said["levels"] == [choice.name for choice in models.levels]
    assert [m["sigma"] for m in said["models"]] == [0.0, 0.1, 0.3, 0.3]
    assert said["models"][0]["parameters"] == 784 * 24 + 24 + 24 * 10 + 10
    assert client.get("/healthz").json["models"] == 4


def test_corrections_are_kept_counted_exported_and_deleted(client, models):
    for label in (7, 3):
        answer = post(client, "/api/corrections", {"image": NUMBERS, "label": label, "answered": 1})
        assert (answer.status_code, answer.json) == (201, {"kept": True, "label": label})
    said = client.get("/api/corrections").json
    assert said["count"] == 2
    for entry in said["models"]:
        read = int(models.by_name[entry["model"]].probabilities(BAR[None])[0].argmax())
        assert entry["right"] == [7, 3].count(read)
    export = client.get("/api/corrections.csv")
    assert "attachment" in export.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(export.text)))
    assert [row["label"] for row in rows] == ["7", "3"]
    assert [int(rows[0][f"pixel{i}"]) for i in range(784)] == NUMBERS
    assert client.delete("/api/corrections").json == {"deleted": 2}
    assert client.get("/api/corrections").json["count"] == 0


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
