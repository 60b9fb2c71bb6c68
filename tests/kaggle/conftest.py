"""The real kaggle client, pointed at a server on loopback."""

from __future__ import annotations

import importlib.metadata
import io
import threading
import zipfile

import numpy as np
import pytest
from kaggle_server import KaggleServer

from pipeline.kaggle.client import Limits
from pipeline.ledger import Ledger
from pipeline.submission import write_submission

KEY = "0f3b5c7d9e1a2b4c6d8e0f1a3b5c7d9e"
SIDE, TRAIN_ROWS, TEST_ROWS = 8, 60, 30


@pytest.fixture
def server():
    with KaggleServer() as running:
        running.archive = archive()
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield running
        assert "CONNECT" not in running.calls, "the client tried to leave the machine"
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
    """Short enough for tests, long enough for the client to start on a busy machine."""
    return Limits(call=20, upload=20, download=20, silence=10, score=20, poll=0.05, looks=(0, 0))


@pytest.fixture
def submission(tmp_path):
    path = tmp_path / "submissions" / "submission.csv"
    labels = np.arange(TEST_ROWS) % 10
    write_submission(path, np.arange(1, TEST_ROWS + 1), labels, id_column="ImageId", label_column="Label")
    return path


@pytest.fixture(scope="session")
def client_version() -> tuple[int, ...]:
    return tuple(int(part) for part in importlib.metadata.version("kaggle").split("."))


def archive(**members: str | None) -> bytes:
    """A competition's zip; members replace or add files (None leaves one out)."""
    pixels = ",".join(f"pixel{i}" for i in range(SIDE * SIDE))
    rng = np.random.default_rng(0)
    image = lambda: ",".join(map(str, rng.integers(0, 256, SIDE * SIDE)))  # noqa: E731
    files = {
        "train.csv": f"label,{pixels}\n" + "".join(f"{i % 10},{image()}\n" for i in range(TRAIN_ROWS)),
        "test.csv": f"{pixels}\n" + "".join(f"{image()}\n" for _ in range(TEST_ROWS)),
        "sample_submission.csv": "ImageId,Label\n" + "".join(f"{i + 1},0\n" for i in range(TEST_ROWS)),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, text in {**files, **members}.items():
            if text is not None:
                opened.writestr(name, text)
    return buffer.getvalue()
