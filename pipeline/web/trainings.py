"""Trainings that visitors started: each a process of its own, its events, and its end when the visitor leaves."""

import json
import multiprocessing
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoReply
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.dataset import Competition
from pipeline.dataset.split import stratified_holdout
from pipeline.errors import InkproofError, UsageError, one_of, whole_number, within
from pipeline.nn.optimizers import OPTIMIZERS
from pipeline.prediction.picture import style_of
from pipeline.runs.run_folder import data_record
from pipeline.training.parallel import signals_kept
from pipeline.web import trainer
from pipeline.web.limits import Limits
from pipeline.web.reading import plain

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
        if type_ is int:
            settings[name] = whole_number(name, value, at_least=low, at_most=high)
        else:
            settings[name] = within(name, value, low, high)
    settings["optimizer"] = one_of("optimizer", plain(values.get("optimizer", "adam")), OPTIMIZERS)
    sigmas = values.get("sigmas", list(SIGMAS))
    if not isinstance(sigmas, list) or len(sigmas) not in (1, 2) or len(set(map(plain, sigmas))) < len(sigmas):
        raise UsageError(f"sigmas must be one or two different numbers from 0 to 1, found {str(plain(sigmas))[:40]}.")
    settings["sigmas"] = [within("each of sigmas", plain(sigma), 0, 1) for sigma in sigmas]
    trainer.recipe_of(settings)
    return settings


class Training:
    """A training process and what it has told so far. Its id is known to the visitor who started it alone.

    It ends when nobody has been at its events for a while, and after `seconds`. style: of the pictures it learns.
    """

    def __init__(self, job: trainer.Job, seconds: float) -> None:
        self.id, self.style, self.seconds = secrets.token_urlsafe(16), style_of(job.train.images), seconds
        self.begun = self.left = time.monotonic()
        self._number, self._reader = 0, None
        self._events: list[tuple[int, str]] = []
        self._walls: dict[int, tuple[int, str]] = {}  # only the latest of each network is worth sending
        self._replies: dict[str, Future] = {}
        self._news = threading.Condition()
        processes = multiprocessing.get_context("spawn")
        self.pipe, end = processes.Pipe()
        self.process = processes.Process(target=trainer.run, args=(end, job), daemon=True)
        with signals_kept():
            self.process.start()
        end.close()  # or the pipe would not end with the process
        threading.Thread(target=self._watch, daemon=True).start()

    @property
    def running(self) -> bool:
        return self.process.is_alive()

    def send(self, command: Mapping[str, Any]) -> None:
        """Tell the process a command. Raises UsageError when it has ended."""
        try:
            with self._news:
                self.pipe.send(command)
        except OSError:
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

    def stop(self) -> None:
        with self._news:
            self.process.kill()
            self.process.join()

    def _watch(self) -> None:
        try:
            while not self._expired():
                if self.pipe.poll(HEARTBEAT_SECONDS):
                    self._take(self.pipe.recv())
        except (EOFError, OSError):  # the process has ended
            pass
        self.stop()
        with self._news:
            self.pipe.close()
            self._news.notify_all()

    def _expired(self) -> bool:
        now = time.monotonic()
        left = self._reader is None and now - self.left > LEAVE_SECONDS
        return left or now - self.begun > self.seconds

    def _take(self, event: Mapping[str, Any]) -> None:
        if event["kind"] == "reply":
            reply = self._replies.get(event["to"])
            if reply and "error" in event:
                reply.set_exception(InkproofError(event["error"]))
            elif reply:
                reply.set_result(event["value"])
            return
        with self._news:
            self._number += 1
            entry = self._number, json.dumps(event, allow_nan=False)
            if event["kind"] == "wall":
                self._walls[event["net"]] = entry
            else:
                self._events.append(entry)
            self._news.notify_all()


@dataclass
class Trainings:
    """All that run. competition: where rows come from, or None. runs: the folder that kept ones go to."""

    competition: Competition | None
    runs: Path
    limits: Limits
    _by_id: dict[str, Training] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def start(self, settings: dict[str, Any]) -> Training:
        """Start a process with these checked settings. Raises UsageError when there are too many, or no rows."""
        with self._lock:
            self._by_id = {id: training for id, training in self._by_id.items() if training.running}
            if self.competition is None:
                raise UsageError("There are no rows to train on: start the page with --data.")
            if len(self._by_id) >= self.limits.trainings:
                most = self.limits.trainings
                raise UsageError(f"{most} trainings run already, which is all that this machine shall do: wait.")
            training = Training(self._job(self.competition, settings), self.limits.training_seconds)
            self._by_id[training.id] = training
            return training

    def get(self, id: str) -> Training:
        """Raises UsageError for an unknown id."""
        training = self._by_id.get(id)
        if training is None or not training.running:
            raise UsageError("There is no such training, or it has ended: start it again.")
        return training

    def stop_all(self) -> None:
        for training in self._by_id.values():
            training.stop()

    def _job(self, competition: Competition, settings: dict[str, Any]) -> trainer.Job:
        rows, rng = competition.train, np.random.default_rng(trainer.SEED)
        rest, held = stratified_holdout(rows.labels, min(HELD, rows.n // 3) / rows.n, rng=rng)
        learnt = rows.take(rng.permutation(rest)[: settings["rows"]])
        data = data_record(competition) | {"train": learnt.n, "test": 0}
        return trainer.Job(settings=settings, train=learnt, held=rows.take(held), data=data, runs=self.runs.absolute())
