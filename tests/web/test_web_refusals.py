"""The API: one sentence for every wrong request, limits, and headers on all answers."""

from __future__ import annotations

import json

import pytest
from calls import NUMBERS, post
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.web.app import create_app
from pipeline.web.limits import Limits, Rate

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

    monkeypatch.setattr("pipeline.web.api.answers", broken)
    said = app.test_client().post("/api/predict", json=NUMBERS)
    assert said.status_code == 500
    assert "inside" not in said.text
    assert "inside" in caplog.text
