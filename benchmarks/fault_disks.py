"""Jobs on disks that are full or cannot be written to, and two at once in one folder (see fault_jobs.py)."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from fault_jobs import (
    JOB_SECONDS,
    JOBS,
    OLD,
    Attempt,
    Job,
    again,
    half_files,
    ledger_lies,
    other_bytes,
    prepare,
    report,
    workplace,
)

FULL = ("No space left on device", "File too large")
CLOSED = ("Read-only file system", "Permission denied", "Is a directory", "Not a directory", "File exists")


@contextlib.contextmanager
def small_disk(size: int | None) -> Iterator[Path | None]:
    """A disk of so many bytes with a `here` in it; None where this user may not mount one."""
    with tempfile.TemporaryDirectory(prefix="inkproof-faults-") as name:
        options = f"size={size}" if size else "size=100m"
        if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", name], capture_output=True).returncode:
            yield None
            return
        try:
            (Path(name) / "temporary").mkdir()
            prepare(Path(name) / "here")
            yield Path(name)
        finally:
            subprocess.run(["umount", "-l", name], check=True)


def refused(attempt: Attempt, causes: tuple[str, ...], *, old: bool = True) -> list[str]:
    """What is wrong with how a job ended that could not write."""
    code, said = attempt.end(JOB_SECONDS)
    wrong = [] if code in (1, 2) else [f"exit {code}, said {said[-600:]!r}"]
    lines = [line for line in said.splitlines() if line.strip()]
    if "Traceback" in said or len(lines) != 1 or not any(cause in said for cause in causes):
        wrong.append(f"said {said[-1500:]!r}")
    submission = attempt.folder / "here" / "submissions" / "submission.csv"
    if old and submission.is_file() and submission.read_text() != OLD:
        wrong.append("the old submission is gone")
    wrong += [f"orphan: {one}" for one in attempt.orphans()]
    return wrong + half_files(attempt.folder, killed=False)


def full_disk(job: Job, rng: np.random.Generator) -> tuple[str, list[str]]:
    """A disk, or files, that end somewhere within what the job writes; then there is room, and it is typed again."""
    size = int(job.undisturbed.size * rng.uniform(0.02, 0.95)) // 4096 * 4096 + 16384
    with small_disk(size) as disk:
        if disk is not None:
            wrong = refused(Attempt(job, disk), FULL)
            subprocess.run(["mount", "-o", "remount,size=100m", str(disk)], check=True)
            return f"{job.name}: a disk of {size:,} bytes", wrong + again(job, disk)
    with workplace() as folder:
        size = int(rng.integers(1, 60)) * 1024
        wrong = refused(Attempt(job, folder, limit=size), FULL)
        return f"{job.name}: no file above {size:,} bytes", wrong + again(job, folder)


def closed_place(job: Job, rng: np.random.Generator) -> tuple[str, list[str]]:
    """A place that cannot be written to is told before anything is trained."""
    with workplace() as folder, contextlib.ExitStack() as stack:
        here, kind = folder / "here", int(rng.integers(4))
        place = here / ("submissions" if kind == 0 and job.name.startswith("run") else "runs")
        if kind == 1:
            place.rmdir() if place.exists() and not list(place.iterdir()) else None
            place = here / "runs"
            place.write_text("a file where a folder should be")
        elif kind == 2 and job.name.startswith("run"):
            place = here / "submissions" / "submission.csv"
            place.unlink()
            place.mkdir()
        else:
            place.mkdir(exist_ok=True)
            stack.enter_context(read_only(place))
        wrong = refused(Attempt(job, folder), CLOSED, old=False)
        wrong += [f"trained before: {path}" for path in here.rglob("*.jsonl") if path.stat().st_size]
        return f"{job.name}: {place.relative_to(here)} cannot be written", wrong


@contextlib.contextmanager
def read_only(place: Path) -> Iterator[None]:
    if os.geteuid():
        place.chmod(0o555)
        yield
        place.chmod(0o755)
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", str(place)], check=True)
    yield
    subprocess.run(["umount", "-l", str(place)], check=True)


def two_at_once(job: Job, _: np.random.Generator) -> tuple[str, list[str]]:
    """The same command twice in one folder: one does the work, the other waits its turn or says who works."""
    with workplace() as folder:
        ends = [attempt.end(JOB_SECONDS) for attempt in (Attempt(job, folder), Attempt(job, folder))]
        wrong = [
            f"exit {code}, said {said[-600:]!r}" for code, said in ends if code not in (0, 2) or "Traceback" in said
        ]
        if all(code for code, _ in ends):
            wrong.append("neither did it")
        if sum(code == 0 for code, _ in ends) == 2:
            wrong.append("both did it")
        wrong += [said for code, said in ends if code == 2 and not re.search("worked on by another process", said)]
        wrong += other_bytes(job, folder)
        return f"{job.name}: two at once", wrong + half_files(folder, killed=False) + ledger_lies(folder)


def disks(count: int, seed: int, show: Callable[[str], None] = print, jobs: Sequence[Job] = JOBS) -> int:
    """So many full disks and closed places, two of one to one of the other, and half as many pairs; the bad ones."""
    ways = (full_disk, closed_place, full_disk, two_at_once)
    trials = (
        ways[trial % len(ways)](jobs[trial % len(jobs)], np.random.default_rng([seed, trial]))
        for trial in range(count * 4 // 3)
    )
    return report(trials, "disks, places and pairs", show)
