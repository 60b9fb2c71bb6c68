"""The server itself: its port, its own refusals, many requests at once, and the command that starts it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import InkproofError, UsageError
from pipeline.prediction import model_file as model
from pipeline.web.limits import Limits
from pipeline.web.server import bind

ROOT = Path(__file__).parent.parent.parent


def connect(address: str) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(address.removeprefix("http://"), timeout=30)


def test_a_port_in_use_is_one_sentence(app):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(InkproofError, match=f"Port {port} of 127.0.0.1 is in use.*--port"):
            bind(app, "127.0.0.1", port)


def test_an_address_of_another_machine_is_refused(app):
    with pytest.raises(UsageError, match=r"203\.0\.113\.1, port 80.*--host"):
        bind(app, "203.0.113.1", 8000)


def test_many_requests_at_once_get_their_own_answers(address, models):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, 28, 28), dtype=np.uint8)
    names = list(models.by_name)

    def ask(i: int) -> list[float]:
        connection = connect(address)
        body = json.dumps({"image": images[i].tolist(), "model": names[i % len(names)], "explain": True})
        connection.request("POST", "/api/predict", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        said = json.load(answer)
        connection.close()
        assert answer.status == 200
        return said["probabilities"]

    with ThreadPoolExecutor(12) as pool:
        said = list(pool.map(ask, range(len(images))))
    for i, probabilities in enumerate(said):
        expected = models.by_name[names[i % len(names)]].probabilities(images[i][None])[0]
        np.testing.assert_allclose(probabilities, expected, atol=1e-6)


def test_bodies_of_any_size_are_refused_in_json(address):
    # The application refuses the first two once they are read, the server itself the third from its header.
    for size in (Limits().body + 1, 4 * Limits().body + 2**21, 10**12):
        connection = connect(address)
        connection.putrequest("POST", "/api/predict")
        connection.putheader("Content-Length", str(size))
        connection.endheaders()
        if size < 10**9:
            for start in range(0, size, 2**20):
                connection.send(bytes(min(2**20, size - start)))
        answer = connection.getresponse()
        assert answer.status == 413
        assert "error" in json.load(answer)
        connection.close()


def test_a_refused_body_that_never_ends_is_cut(address):
    connection = connect(address)
    connection.putrequest("POST", "/api/predict")
    connection.putheader("Content-Length", str(10**12))
    connection.endheaders()
    with pytest.raises(OSError):
        for _ in range(1000):
            connection.send(bytes(2**20))
    connection.close()


def test_a_malformed_request_is_refused_in_json(address):
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"POST /api/predict HTTP/1.1\r\nContent-Length: many\r\n\r\n")
        head, _, body = connection.makefile("rb").read().partition(b"\r\n\r\n")
    assert b" 400 " in head.splitlines()[0]
    assert b"application/json" in head
    assert "error" in json.loads(body)


@pytest.mark.skipif(sys.platform == "win32", reason="sends the signal of Ctrl-C as POSIX has it")
def test_the_command_serves_a_model_and_ends_with_ctrl_c(tmp_path, models):
    path = tmp_path / "mine.safetensors"
    model.save(models.default.reader.models[0], path)
    command = [sys.executable, str(ROOT / "main.py"), "serve", "--port", "0", "--model", str(path)]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONUTF8": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    try:
        assert "mine" in process.stdout.readline()
        address = process.stdout.readline().split()[4]
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(address + "healthz", timeout=30) as answer:
            assert json.load(answer)["models"] == 1
        second = subprocess.run(
            [*command[:-3], address.rstrip("/").rpartition(":")[2], *command[-2:]],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=60,
        )
        assert second.returncode == 1
        assert second.stderr.startswith("Error: Port") and second.stderr.count("\n") == 1
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (0, "")
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()
