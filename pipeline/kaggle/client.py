"""The kaggle client as a subprocess: started, listened to, and ended when a limit is reached.

The client waits for ever on a server that says nothing, so every call here has a limit.
"""

import importlib.util
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from pipeline.errors import KaggleError

PROGRESS_LINE = re.compile(r"^\s*\d+%\||^\S*\s*\d[\d.]*[kMG]?i?B? \[")


@dataclass(frozen=True)
class Limits:
    """How long is waited, in seconds; the client's own retries would take up to 370. on_wait is told meanwhile."""

    call: float = 60  # one question to the service
    upload: float = 240
    download: float = 3600
    silence: float = 120  # a download that moves no byte
    score: float = 900
    poll: float = 5  # between two questions for the score
    listed: float = 300  # from its sending, until a submission that was made must have shown in Kaggle's list
    on_wait: Callable[[str], None] = lambda text: None  # gets what is waited for, every few seconds


LIMITS = Limits()
WAIT_SECONDS = 4.0  # of silence, after which on_wait is told


@dataclass(frozen=True)
class Outcome:
    """How the client ended: its exit code (None: ended by us at a limit) and what it wrote."""

    code: int | None
    out: str
    err: str


# What the new process runs: the client, until its standard input ends. That is when this process is gone,
# even killed: a client left alone would send on what nobody waits for, or hang for ever.
_CLIENT = """
import os, runpy, threading
def leave_with_the_parent():
    os.read(0, 1)
    os._exit(1)
threading.Thread(target=leave_with_the_parent, daemon=True).start()
runpy.run_module("kaggle", run_name="__main__", alter_sys=True)
"""


def client_command() -> list[str]:
    """The words that start the client. Raises KaggleError when it is not installed."""
    spec = importlib.util.find_spec("kaggle")
    if spec is None or spec.origin is None:
        raise KaggleError("The kaggle client is not installed: type `python -m pip install kaggle six`.")
    # -P: a file kaggle.py in the current folder must not be taken for the client. -W: no version warning.
    return [sys.executable, "-P", "-c", _CLIENT, "-W"]


def run_client(
    arguments: Sequence[str],
    *,
    time_limit: float,
    silence_limit: float | None = None,
    on_progress: Callable[[str], None] | None = None,
    on_wait: Callable[[str], None] = LIMITS.on_wait,
) -> Outcome:
    """Run the client to its end or to a limit, whichever is first.

    time_limit, silence_limit: seconds in all, and without a byte of output. on_progress gets the client's
    progress bar as text; everything else it writes is kept. on_wait is told how long nothing came.
    The client ends when this process does.
    Raises KaggleError when it is not installed.
    """
    process = subprocess.Popen(
        [*client_command(), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"},
    )
    out = _Listener(process.stdout, None)
    err = _Listener(process.stderr, on_progress)
    started = last_told = time.monotonic()
    try:
        while process.poll() is None:
            now = time.monotonic()
            silent = now - max(started, out.heard, err.heard)
            if now - started > time_limit or (silence_limit is not None and silent > silence_limit):
                break
            if min(silent, now - last_told) > WAIT_SECONDS:
                on_wait(f"Waiting for Kaggle's answer, {silent:.0f} s so far; given up after {time_limit:.0f} s")
                last_told = now
            time.sleep(0.02)
        code = process.poll()
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdin.close()
        out.close()
        err.close()
    return Outcome(code, out.text(), err.text())


def read_json(text: str) -> Any:
    """The JSON value in the client's output, after whatever lines it put above it; None without one."""
    for match in re.finditer(r"^[\[{]", text, re.MULTILINE):
        try:
            return json.loads(text[match.start() :])
        except json.JSONDecodeError:
            continue
    return None


class _Listener:
    """Reads a pipe in a thread. Remembers when it last heard something."""

    def __init__(self, pipe: BinaryIO, on_progress: Callable[[str], None] | None) -> None:
        self.heard = 0.0
        self._pipe, self._on_progress = pipe, on_progress
        self._kept: list[str] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        rest = ""
        while chunk := os.read(self._pipe.fileno(), 65536):
            self.heard = time.monotonic()
            *lines, rest = re.split(r"[\r\n]", rest + chunk.decode("utf-8", "replace"))
            for line in lines:
                self._take(line)
        self._take(rest)

    def _take(self, line: str) -> None:
        if not PROGRESS_LINE.match(line):
            self._kept.append(line)
        elif self._on_progress is not None:
            self._on_progress(line.strip())

    def close(self) -> None:
        # A grandchild could hold the pipe open after the client is gone: it must not hold us.
        self._thread.join(timeout=2)
        if not self._thread.is_alive():
            self._pipe.close()

    def text(self) -> str:
        return "\n".join(line for line in self._kept if line)
