"""Jobs under attack: killed at a random moment, on a full disk, in places that cannot be written to, two at once.

Every trial has a folder of its own. The job is disturbed, looked at, and then typed again undisturbed: it must end
with the bytes of a job that nothing happened to. `kills` and `disks` print each bad end and give their number.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
RECIPE = """
summary = "A small network that trains in a moment"
network.layers = [{ layer = "Flatten" }, { layer = "Dense", units = 16 }, { layer = "ReLU" },
                  { layer = "Dense", units = "classes" }]
loss.name = "softmax-cross-entropy"
optimizer.name = "adam"
schedule = { name = "constant", learning_rate = 0.01 }
training = { epochs = 2, batch_size = 64 }
search."schedule.learning_rate" = { low = 0.001, high = 0.1, log = true }
"""
END_SECONDS = 10  # for a process to end after a signal
ORPHAN_SECONDS = 2
JOB_SECONDS = 300
OLD = "ImageId,Label\n1,7\n"  # a submission that stood there before
DISK_FULL = ("No space left on device", "File too large")
STOPPED = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}
# Files that a job's settings decide, to the byte; of a search without its times, ids and numbers of trials.
SAME = ("*.csv", "*.npz", "best.toml", "submission.csv", "models/**/*.safetensors")
COMMANDS = {
    "run": ("run", "--noise", "0,0.2", "--repeats", "1"),
    "run --cv": ("run", "--cv", "2"),
    "compare": ("compare", "--train", "clean", "--test", "clean", "--repeats", "2"),
    "tune": ("tune", "--trials", "3", "--folds", "2", "--pruner", "none"),
}
ENGINES = {"": ("--jobs", "1"), ", 2 processes": ("--jobs", "2"), ", Dask": ("--jobs", "2", "--engine", "dask")}


@dataclass(frozen=True, kw_only=True)
class Job:
    """A command line, and what it comes to when nothing happens."""

    name: str
    words: tuple[str, ...]

    @cached_property
    def undisturbed(self) -> Result:
        with workplace() as folder:
            begin = time.monotonic()
            attempt = Attempt(self, folder)
            attempt.wait_until_it_listens()
            code, said = attempt.end(JOB_SECONDS)
            if code:
                raise SystemExit(f"{self.name} does not even end undisturbed: {said}")
            size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            return Result(seconds=time.monotonic() - begin, size=size, files=files_of(folder))


@dataclass(frozen=True, kw_only=True)
class Result:
    """seconds of the clock, bytes on the disk, name → content of what the settings decide."""

    seconds: float
    size: int
    files: dict[str, bytes]


JOBS = [
    Job(name=command + engine, words=(*words, *how))
    for engine, how in ENGINES.items()
    for command, words in COMMANDS.items()
]


@dataclass
class Attempt:
    """A job that runs in a session of its own, so that all that it starts can be found."""

    job: Job
    folder: Path
    limit: int | None = None  # bytes of a file, for who may not mount a small disk
    process: subprocess.Popen = field(init=False)

    def __post_init__(self) -> None:
        command = [sys.executable, str(ROOT / "main.py"), *self.job.words, "--recipe", "quick.toml", "--quiet"]
        limit = self.limit
        self.said = Path(tempfile.mkstemp(prefix="inkproof-said-")[1])
        with self.said.open("w") as said:
            self.process = subprocess.Popen(
                command, cwd=self.folder / "here", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said,
                start_new_session=True,
                env={**os.environ, "TMPDIR": str(self.folder / "temporary"), "PYTHONUTF8": "1"},
                preexec_fn=limit and (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))),
            )  # fmt: skip

    def wait_until_it_listens(self) -> None:
        """Before that, Python itself is starting, and a signal is its own affair."""
        with contextlib.suppress(OSError):
            while self.process.poll() is None:
                status = Path(f"/proc/{self.process.pid}/status").read_text()
                if int(re.search(r"SigCgt:\s*(\w+)", status)[1], 16) >> (signal.SIGTERM - 1) & 1:
                    return
                time.sleep(0.001)

    def end(self, seconds: float) -> tuple[int | None, str]:
        """Exit code, None for one that had to be killed; and what was said on standard error."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            code = None
        text = self.said.read_text(encoding="utf-8", errors="replace")
        self.said.unlink()
        return code, text

    def orphans(self) -> list[str]:
        """What it started and is still there after ORPHAN_SECONDS: processes, shared memory."""
        deadline = time.monotonic() + ORPHAN_SECONDS
        while (alive := session(self.process.pid)) and time.monotonic() < deadline:
            time.sleep(0.02)
        for number in alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        shared = [path.name for path in Path("/dev/shm").glob("*")]
        pid = str(self.process.pid)
        return [*alive.values(), *(name for name in shared if pid in re.split("[-_]", name))]


def session(number: int) -> dict[int, str]:
    """Number → command of the living processes of a session."""
    alive = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            state, _, _, owner = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(owner) == number and state != "Z":
                alive[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
    return alive


@contextlib.contextmanager
def workplace() -> Iterator[Path]:
    """A folder with a `here` to type in, a recipe, a submission of old, and a place for temporary files."""
    with tempfile.TemporaryDirectory(prefix="inkproof-faults-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "temporary").mkdir()
        prepare(folder / "here")
        yield folder


def prepare(here: Path) -> None:
    (here / "submissions").mkdir(parents=True)
    (here / "submissions" / "submission.csv").write_text(OLD)
    (here / "quick.toml").write_text(RECIPE)


def files_of(folder: Path) -> dict[str, bytes]:
    """The newest finished run's files and the submission, whatever its id is."""
    here = folder / "here"
    found = {"submitted": (here / "submissions" / "submission.csv").read_bytes()}
    for run in sorted(path.parent for path in here.glob("runs/*/run.json"))[-1:]:
        for path in sorted({path for pattern in SAME for path in run.glob(pattern)}):
            found[str(path.relative_to(run))] = plain(path, run.name)
    return found


def plain(path: Path, run: str) -> bytes:
    """A file's bytes; of a search without seconds, run ids and what a stopped trial was renumbered to."""
    content = path.read_bytes().replace(run.encode(), b"RUN")
    if path.name not in ("trials.csv", "best.toml"):
        return content
    lines = [line for line in content.decode().splitlines() if not line.startswith("#") and "reached" not in line]
    return "\n".join(",".join(line.split(",")[1:-2]) if "," in line else line for line in lines).encode()


def half_files(folder: Path, *, killed: bool) -> list[str]:
    """Files that are no whole file of their kind; temporary ones are, unless their writer was killed."""
    from safetensors import safe_open

    half = []
    for path in (path for path in (folder / "here").rglob("*") if path.is_file()):
        try:
            if path.suffix == ".part":
                assert killed, "a temporary file is left"
            elif path.suffix == ".json":
                json.loads(path.read_text(encoding="utf-8"))
            elif path.suffix == ".npz":
                with np.load(path) as arrays:
                    assert all(arrays[name].size >= 0 for name in arrays)
            elif path.suffix == ".safetensors":
                with safe_open(path, "numpy") as file:
                    assert file.keys()
            elif path.suffix in (".csv", ".html", ".md", ".txt", ".toml", ".svg"):
                assert path.read_bytes().rstrip(b" ").endswith((b"\n", b">")), "no end of a line"
        except Exception as error:
            half.append(f"{path.relative_to(folder)}: {error}")
    return half


def ledger_lies(folder: Path) -> list[str]:
    """Runs that the ledger calls finished without a report and a record."""
    sys.path.insert(0, str(ROOT))
    from pipeline.runs.ledger import Ledger

    runs = folder / "here" / "runs"
    wanted = ("report.html", "run.json")
    finished = [run.id for run in Ledger(runs).runs() if run.status == "finished"]
    return [f"{run} is called finished without {name}" for run in finished for name in wanted
            if not (runs / run / name).exists()]  # fmt: skip


def again(job: Job, folder: Path) -> list[str]:
    """What is wrong after the same command was typed again, undisturbed."""
    code, said = Attempt(job, folder).end(JOB_SECONDS)
    if code != 0:
        return [f"typed again it ended with {code}: {said[-600:]}"]
    return other_bytes(job, folder) + half_files(folder, killed=False) + ledger_lies(folder)


def other_bytes(job: Job, folder: Path) -> list[str]:
    files, expected = files_of(folder), job.undisturbed.files
    return [f"other bytes in {name}" for name in expected if files.get(name) != expected[name]]


def kill_once(job: Job, rng: np.random.Generator) -> tuple[str, list[str]]:
    """What was done, and what was wrong with it."""
    number = signal.Signals(int(rng.choice(list(STOPPED))))
    everyone = bool(rng.random() < 0.5)
    moment = float(rng.random() * job.undisturbed.seconds)
    with workplace() as folder:
        attempt = Attempt(job, folder)
        attempt.wait_until_it_listens()
        with contextlib.suppress(subprocess.TimeoutExpired):
            attempt.process.wait(moment)
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if everyone else os.kill)(attempt.process.pid, number)
        code, said = attempt.end(END_SECONDS)
        wrong = [] if code in (0, STOPPED[number]) else [f"exit {code}, said {said[-600:]!r}"]
        if "Traceback" in said or len(said.strip().splitlines()) > 1:
            wrong.append(f"said {said[-1500:]}")
        wrong += [f"orphan: {one}" for one in attempt.orphans()]
        wrong += half_files(folder, killed=number == signal.SIGKILL) + ledger_lies(folder)
        for path in (folder / "temporary").iterdir():
            if not (everyone and number == signal.SIGKILL):  # then nobody is left to remove it
                wrong.append(f"left over: {path.name}")
            shutil.rmtree(path)
        expected = job.undisturbed.files["submitted"]
        if (folder / "here" / "submissions" / "submission.csv").read_bytes() not in (OLD.encode(), expected):
            wrong.append("a changed submission")
        wrong += again(job, folder) if code != 0 else []
    whom = "the group" if everyone else "the process"
    return f"{job.name}: {number.name} to {whom} after {moment:.2f} s", wrong


def report(trials: Iterator[tuple[str, list[str]]], what: str, show: Callable[[str], None]) -> int:
    """Show every bad trial and the counts; how many were bad."""
    ends, begin = Counter(), time.monotonic()
    for name, wrong in trials:
        ends["bad" if wrong else "good"] += 1
        for sentence in wrong:
            show(f"{name}: {sentence}")
    show(f"{what}: {ends.total():,}, {ends['good']:,} ended well, {ends['bad']:,} did not "
         f"({time.monotonic() - begin:.0f} s)")  # fmt: skip
    return ends["bad"]


def kills(count: int, seed: int, show: Callable[[str], None] = print, jobs: Sequence[Job] = JOBS) -> int:
    """So many kills, of all jobs in turn; how many ended badly."""
    trials = (kill_once(jobs[trial % len(jobs)], np.random.default_rng([seed, trial])) for trial in range(count))
    return report(trials, "kills", show)
