"""Trainings that visitors started: each a process of its own, its events, and its end when the visitor leaves."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoReply
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.checks import one_of, whole_number, within
from pipeline.dataset import Competition
from pipeline.dataset.split import stratified_holdout
from pipeline.errors import COMMAND, InkproofError, UsageError
from pipeline.nn.optimizers import OPTIMIZERS
from pipeline.prediction.picture import Style, style_of
from pipeline.training.parallel import signals_kept
from pipeline.web.reading import plain
from pipeline.web.trainer import SEED, recipe_of

ROOT = Path(__file__).parent.parent.parent
HELD = 1_000  # rows that are not trained on, at most a third
LEAVE_SECONDS = 15.0  # without anyone at its events a training ends
REPLY_SECONDS = 10.0
HEARTBEAT_SECONDS = 1.0  # a visitor who left is noticed when something is sent

# Name → kind, lowest, highest, default.
SETTINGS: dict[str, tuple[type, float, float, Any]] = {
    "units": (int, 1, 512, 64),
    "layers": (int, 0, 3, 1),
    "rate": (float, 0.00001, 1.0, 0.001),
    "shift": (float, 0.0, 4.0, 0.0),
    "rows": (int, 100, 42_000, 10_000),
    "epochs": (int, 1, 100, 30),
}
SIGMAS = (0.0, 0.3)


def settings_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """A request's settings, checked and made whole. Raises UsageError."""
    settings: dict[str, Any] = {}
    for name, (type_, low, high, default) in SETTINGS.items():
        value = plain(values.get(name, default))
        whole = type_ is int
        settings[name] = (
            whole_number(name, value, at_least=low, at_most=high) if whole else within(name, value, low, high)
        )
    settings["optimizer"] = one_of("optimizer", plain(values.get("optimizer", "adam")), OPTIMIZERS)
    sigmas = values.get("sigmas", list(SIGMAS))
    if not isinstance(sigmas, list) or len(sigmas) not in (1, 2) or len(set(map(plain, sigmas))) < len(sigmas):
        raise UsageError(f"sigmas must be one or two different numbers from 0 to 1, found {str(plain(sigmas))[:40]}.")
    settings["sigmas"] = [within("each of sigmas", plain(sigma), 0, 1) for sigma in sigmas]
    recipe_of(settings)
    return settings


class Training:
    """A training process and what it has told so far. Its id is known to the visitor who started it alone."""

    def __init__(self, process: subprocess.Popen, style: Style) -> None:
        self.id, self.process, self.style = secrets.token_urlsafe(16), process, style
        self.begun = self.left = time.monotonic()
        self._number, self._reader = 0, None
        self._events: list[tuple[int, str]] = []
        self._walls: dict[int, tuple[int, str]] = {}  # only the latest of each network is worth sending
        self._replies: dict[str, Future] = {}
        self._news = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def send(self, command: Mapping[str, Any]) -> None:
        """Tell the process a command. Raises UsageError when it has ended."""
        try:
            with self._news:
                self.process.stdin.write(json.dumps(command).encode() + b"\n")
                self.process.stdin.flush()
        except (OSError, ValueError):
            raise UsageError("This training has ended: start it again.") from None

    def ask(self, command: Mapping[str, Any]) -> Any:
        """Tell the process a command and wait for its reply. Raises UsageError, InkproofError without one."""
        number, reply = secrets.token_hex(8), Future()
        self._replies[number] = reply
        try:
            self.send({**command, "to": number})
            return reply.result(REPLY_SECONDS)
        except NoReply:
            raise UsageError("The training did not reply in time: ask it again.") from None
        finally:
            self._replies.pop(number, None)

    def events(self, after: int) -> Iterator[str]:
        """Server-sent events later than number `after`, as they come; ends with the process, or with a new reader."""
        own = self._reader = object()
        try:
            while True:
                with self._news:
                    fresh = sorted(event for event in (*self._events, *self._walls.values()) if event[0] > after)
                    if not fresh:
                        if own is not self._reader or not self.running:
                            return
                        self._news.wait(HEARTBEAT_SECONDS)
                for after, text in fresh:
                    yield f"id: {after}\ndata: {text}\n\n"
                if not fresh:
                    yield ": still here\n\n"
        finally:
            if own is self._reader:
                self._reader, self.left = None, time.monotonic()

    def expired(self, seconds: float) -> bool:
        """Whether it has ended, was left, or has run for longer than `seconds`."""
        now = time.monotonic()
        left = self._reader is None and now - self.left > LEAVE_SECONDS
        return left or not self.running or now - self.begun > seconds

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()

    def _read(self) -> None:
        with self.process.stdout as lines:
            for line in lines:
                event = json.loads(line)
                if event["kind"] == "reply":
                    self._answer(event)
                    continue
                with self._news:
                    self._number += 1
                    entry = self._number, line.decode().rstrip()
                    if event["kind"] == "wall":
                        self._walls[event["net"]] = entry
                    else:
                        self._events.append(entry)
                    self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def _answer(self, event: Mapping[str, Any]) -> None:
        reply = self._replies.get(event["to"])
        if reply and "error" in event:
            reply.set_exception(InkproofError(event["error"]))
        elif reply:
            reply.set_result(event["value"])


@dataclass
class Trainings:
    """All that run. competition: where rows come from, or None. runs: the folder that kept ones go to.

    most: at a time. seconds: that one may last.
    """

    competition: Competition | None
    runs: Path
    most: int
    seconds: float

    def __post_init__(self) -> None:
        self._by_id: dict[str, Training] = {}
        self._lock = threading.Lock()
        self._sweeper: threading.Thread | None = None

    def start(self, settings: dict[str, Any]) -> Training:
        """Start a process with these checked settings. Raises UsageError when there are too many, or no rows."""
        with self._lock:
            self._sweep()
            if self.competition is None:
                raise UsageError("There are no rows to train on: start the page with --data.")
            if len(self._by_id) >= self.most:
                raise UsageError(f"{self.most} trainings run already, which is all that this machine shall do: wait.")
            training = Training(*self._spawn(self.competition, settings))
            self._by_id[training.id] = training
            if self._sweeper is None:
                self._sweeper = threading.Thread(target=self._watch, daemon=True)
                self._sweeper.start()
            return training

    def get(self, id: str) -> Training:
        """Raises UsageError for an unknown id."""
        training = self._by_id.get(id)
        if training is None:
            raise UsageError("There is no such training, or it has ended: start it again.")
        return training

    def stop(self, training: Training) -> None:
        with self._lock:
            self._by_id.pop(training.id, None)
        training.stop()

    def stop_all(self) -> None:
        for training in list(self._by_id.values()):
            self.stop(training)

    def _watch(self) -> None:
        while True:
            time.sleep(1)
            with self._lock:
                self._sweep()

    def _sweep(self) -> None:
        for training in list(self._by_id.values()):
            if training.expired(self.seconds):
                training.stop()
                del self._by_id[training.id]

    def _spawn(self, competition: Competition, settings: dict[str, Any]) -> tuple[subprocess.Popen, Style]:
        rows, rng = competition.train, np.random.default_rng(SEED)
        rest, held = stratified_holdout(rows.labels, min(HELD, rows.n // 3) / rows.n, rng=rng)
        learnt = rng.permutation(rest)[: settings["rows"]]
        header = {
            "settings": settings,
            "side": rows.side,
            "classes": rows.classes.tolist(),
            "rows": [len(learnt), len(held)],
            "name": competition.name,
            "competition": competition.slug,
            "fingerprint": competition.fingerprint,
            "sample": competition.is_sample,
            "runs": str(self.runs.absolute()),
            "command": f"{COMMAND} serve",
        }
        alone = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        with signals_kept():
            process = subprocess.Popen(
                [sys.executable, "-m", "pipeline.web.trainer"],
                cwd=ROOT,
                env={**os.environ, **alone, "PYTHONUTF8": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        process.stdin.write(json.dumps(header).encode() + b"\n")
        for places in (learnt, held):
            process.stdin.write(rows.images[places].tobytes() + rows.labels[places].astype(np.int64).tobytes())
        process.stdin.flush()
        return process, style_of(rows.images)
