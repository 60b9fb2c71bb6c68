"""The real kaggle client, pointed at a server on loopback."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from kaggle_archive import KEY, TEST_ROWS, archive
from kaggle_server import KaggleServer

from pipeline.kaggle.client import Limits, run_client
from pipeline.kaggle.submission import write_submission
from pipeline.runs.ledger import Ledger


@pytest.fixture
def server():
    with KaggleServer() as running:
        running.archive = archive()
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield running
        left = [call for call in running.calls if call.startswith("CONNECT")]
        assert not left, f"the client tried to leave the machine: {left}"
        running.released.set()
        running.shutdown()


@pytest.fixture
def home(tmp_path, monkeypatch, server):
    """An empty home, the client redirected to `server`, the current folder empty, no credentials."""
    folder = tmp_path / "home"
    folder.mkdir()
    for name in ("KAGGLE_API_TOKEN", "KAGGLE_CONFIG_DIR", "KAGGLE_USERNAME", "KAGGLE_KEY", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    proxy = f"http://127.0.0.1:{server.port}"
    settings = {"HOME": str(folder), "USERPROFILE": str(folder), "KAGGLE_API_ENVIRONMENT": "LOCALHOST"}
    for name, value in {**settings, "http_proxy": proxy, "https_proxy": proxy, "no_proxy": ""}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def signed_in(home, monkeypatch):
    monkeypatch.setenv("KAGGLE_USERNAME", "stub")
    monkeypatch.setenv("KAGGLE_KEY", KEY)
    return home


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "runs")


@pytest.fixture
def limits():
    """None of these is reached by a client that gets its answers, however busy the machine is."""
    return Limits(call=60, upload=60, download=60, silence=60, score=60, poll=0.05, listed=0)


@pytest.fixture
def patience(home):
    """Seconds in which the client has surely started and made its first calls on this machine."""
    started = time.monotonic()
    run_client(["--version"], time_limit=60)
    return max(2.0, 4 * (time.monotonic() - started))


@pytest.fixture
def submission(tmp_path):
    path = tmp_path / "submissions" / "submission.csv"
    labels = np.arange(TEST_ROWS) % 10
    write_submission(path, np.arange(1, TEST_ROWS + 1), labels, id_column="ImageId", label_column="Label")
    return path
