"""Trainings in processes of their own: what they tell, what they obey, that they end."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from calls import ended, post

from pipeline.errors import UsageError
from pipeline.prediction.reader import load_reader
from pipeline.report.page import write_report
from pipeline.runs.ledger import Ledger
from pipeline.web.app import create_app
from pipeline.web.limits import Limits
from pipeline.web.models import Models
from pipeline.web.trainings import settings_of

ROOT = Path(__file__).parent.parent.parent
SMALL = {"rows": 200, "units": 8, "epochs": 6, "rate": 0.02}


@pytest.fixture
def app(models, bars, tmp_path):
    served = Models(models.default, models.levels, competition=bars)
    app = create_app(served, tmp_path / "runs" / "corrections.sqlite", limits=Limits(trainings=2))
    yield app
    app.config["PAGE"].trainings.stop_all()


def events_of(client, id: str, until: str = "done"):
    """The training's events so far, up to the first of the kind `until`."""
    found = []
    for chunk in client.get(f"/api/trainings/{id}/events").response:
        text = chunk if isinstance(chunk, str) else chunk.decode()
        if not text.startswith(":"):
            found.append(json.loads(text.partition("data: ")[2]))
            if found[-1]["kind"] == until:
                break
    return found


def test_two_networks_learn_from_the_same_rows_and_first_weights(app, bars):
    client = app.test_client()
    id = post(client, "/api/trainings", SMALL).json["id"]
    events = events_of(client, id)
    (begin,) = [event for event in events if event["kind"] == "begin"]
    # A third of the 400 rows is held out; each network has 144 · 8 + 8 + 8 · 2 + 2 parameters.
    assert (begin["rows"], begin["held"], begin["parameters"], begin["sigmas"]) == (200, 133, 1178, [0.0, 0.3])
    epochs = [event for event in events if event["kind"] == "epoch"]
    assert [(event["epoch"], event["net"]) for event in epochs] == [(e, net) for e in range(1, 7) for net in (0, 1)]
    clean, noisy = epochs[-2:]
    assert clean["accuracy"][0] > 0.9 and noisy["accuracy"][0] > 0.9
    assert np.sum(clean["confusion"][0]) == 133
    assert np.trace(clean["confusion"][0]) == round(clean["accuracy"][0] * 133)
    assert all(event["loss"] > 0 for event in epochs)
    walls = [event for event in events if event["kind"] == "wall"]
    assert {len(base64.b64decode(event["pixels"])) for event in walls} == {8 * 144}
    said = client.post(f"/api/trainings/{id}/ask", json=bars.train.images[1].tolist()).json
    assert said["seen"] == bars.train.images[1].ravel().tolist()
    assert [np.argmax(p) for p in said["probabilities"]] == [1, 1]
    assert np.sum(said["probabilities"], axis=1) == pytest.approx([1, 1], abs=1e-5)


def test_the_same_settings_train_the_same_networks(app):
    client = app.test_client()
    losses = []
    for _ in range(2):
        id = post(client, "/api/trainings", SMALL | {"epochs": 2}).json["id"]
        losses.append([event["loss"] for event in events_of(client, id) if event["kind"] == "epoch"])
        post(client, f"/api/trainings/{id}", {"action": "stop"})
    assert losses[0] == losses[1]
    assert losses[0][0] != losses[0][1]  # with and without noise


def test_pause_step_rate_and_keep(app, tmp_path, bars):
    client = app.test_client()
    id = post(client, "/api/trainings", SMALL | {"epochs": 60}).json["id"]
    events_of(client, id, "epoch")

    def tell(**command):
        return post(client, f"/api/trainings/{id}", command)

    assert tell(action="pause").status_code == 200
    client.post(f"/api/trainings/{id}/ask", json=[0] * 144)  # answered when it has paused
    before = app.config["PAGE"].trainings.get(id)._events[-1]
    time.sleep(0.3)
    assert app.config["PAGE"].trainings.get(id)._events[-1] == before
    assert tell(action="rate", rate=0.01).status_code == 200
    assert tell(action="step").status_code == 200
    after = int(before[0])
    for _ in range(100):
        fresh = [json.loads(text) for number, text in app.config["PAGE"].trainings.get(id)._events if number > after]
        if len(fresh) == 2:
            break
        time.sleep(0.05)
    assert [event["rate"] for event in fresh] == [0.01, 0.01]
    run = tell(action="keep").json["run"]
    reader = load_reader(run, tmp_path / "runs")
    asked = client.post(f"/api/trainings/{id}/ask", json=bars.train.images[0].tolist()).json["probabilities"]
    # The page asks the network as it is, the kept one answers at the temperature of its held-out rows.
    (model,) = reader.models
    np.testing.assert_allclose(model.network.probabilities(bars.train.images[:1])[0], asked[0], atol=1e-6)
    assert "<h1>" in write_report(tmp_path / "runs" / run).read_text(encoding="utf-8")
    (entry,) = Ledger(tmp_path / "runs").runs()
    assert (entry.id, entry.status, entry.data_name) == (run, "finished", "bars")
    assert entry.accuracy is not None
    assert tell(action="stop").status_code == 200
    assert tell(action="pause").status_code == 422


def test_a_rate_that_is_too_large_is_told(app):
    client = app.test_client()
    id = post(client, "/api/trainings", SMALL | {"rate": 1.0, "optimizer": "sgd", "layers": 3, "units": 512}).json["id"]
    events = events_of(client, id)
    faults = [event for event in events if event["kind"] == "fault"]
    assert all("learning rate" in event["message"] for event in faults)
    assert faults or all(np.isfinite(event["loss"]) for event in events if event["kind"] == "epoch")


def test_only_so_many_at_a_time_and_none_without_rows(app, client, models, tmp_path):
    client = app.test_client()
    ids = [post(client, "/api/trainings", SMALL).json["id"] for _ in range(2)]
    refused = post(client, "/api/trainings", SMALL)
    assert refused.status_code == 422 and "2 trainings run" in refused.json["error"]
    post(client, f"/api/trainings/{ids[0]}", {"action": "stop"})
    assert post(client, "/api/trainings", SMALL).status_code == 201
    without = create_app(models, tmp_path / "c.sqlite").test_client()
    assert "no rows" in post(without, "/api/trainings", SMALL).json["error"]
    assert post(client, "/api/trainings/guessed", {"action": "stop"}).status_code == 422


def test_a_training_that_was_left_ends(app, monkeypatch):
    monkeypatch.setattr("pipeline.web.trainings.LEAVE_SECONDS", 0.2)
    client = app.test_client()
    training = app.config["PAGE"].trainings.get(post(client, "/api/trainings", SMALL | {"epochs": 100}).json["id"])
    assert ended(training) != 0
    monkeypatch.setattr("pipeline.web.trainings.LEAVE_SECONDS", 60)
    app.config["PAGE"].trainings.limits = Limits(training_seconds=0.2)
    training = app.config["PAGE"].trainings.get(post(client, "/api/trainings", SMALL | {"epochs": 100}).json["id"])
    assert ended(training) != 0


def test_the_process_ends_with_the_server(app):
    training = app.config["PAGE"].trainings.get(post(app.test_client(), "/api/trainings", SMALL).json["id"])
    with socket.socket(fileno=os.dup(training.pipe.fileno())) as end:
        end.shutdown(socket.SHUT_WR)  # as the system does when the server was killed
    assert ended(training) == 0


@pytest.mark.parametrize(
    "values",
    [{"units": 0}, {"units": 2.5}, {"layers": 4}, {"rate": 0}, {"rate": True}, {"rows": 99}, {"rows": 10**9},
     {"epochs": 101}, {"shift": -1}, {"optimizer": "lion"}, {"sigmas": []}, {"sigmas": [0.1, 0.1]}, {"sigmas": [0, 2]},
     {"sigmas": "0"}],
    ids=str,
)  # fmt: skip
def test_settings_beyond_their_limits_are_refused(values):
    with pytest.raises(UsageError, match=next(iter(values))):
        settings_of(values)


KILLED = """
import os, sys
from pathlib import Path
import numpy as np
from pipeline.dataset import Digits
from pipeline.web.trainer import Job
from pipeline.web.trainings import Training, settings_of

rows = Digits(np.ones((100, 4, 4), np.uint8), np.arange(100) % 2, np.arange(2))
settings = settings_of({"rows": 100, "units": 4, "layers": 0, "epochs": 100, "sigmas": [0.0]})
training = Training(Job(settings=settings, train=rows, held=rows, data={"name": "x", "sample": False}, runs=Path()), 60)
if sys.argv[1] == "trains":
    next(training.events(0))
os._exit(9)
"""


@pytest.mark.parametrize("moment", ["begins", "trains"])
def test_a_training_ends_quietly_with_its_server(moment):
    """Its pipe ends when the server is killed; `run` waits until nobody holds standard error any more."""
    done = subprocess.run([sys.executable, "-c", KILLED, moment], cwd=ROOT, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (9, b"", b"")
