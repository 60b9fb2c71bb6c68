"""Many independent fits at once, in processes on this machine.

Every fit computes on one thread, whether one runs or many: small matrix products keep several processes
busier than several threads, and the result cannot depend on how many run at a time.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import cache
from pathlib import Path

from pipeline.errors import InkproofError
from pipeline.fits import FitResult, FitTask, Rows, run_fit
from pipeline.training import Epoch

POLL_SECONDS = 0.1


def cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_fits(
    tasks: Sequence[FitTask],
    rows: Rows,
    *,
    jobs: int,
    folder: Path,
    on_epoch: Callable[[FitTask, Epoch], None],
) -> list[FitResult]:
    """Do all tasks, `jobs` at a time, and give the results in the order of the tasks.

    Each fit writes its epochs, one JSON line each, to `folder`/<name>.jsonl while it runs; on_epoch is
    called for each from a thread of this process. Raises InkproofError for a fit that fails, naming it.
    """
    from joblib import Parallel, delayed

    folder.mkdir(parents=True, exist_ok=True)
    files = {task.name: folder / f"{task.file_name}.jsonl" for task in tasks}
    with _following(tasks, files, on_epoch):
        if jobs == 1 or len(tasks) == 1:
            outcomes = [_attempt(task, rows, files[task.name], in_worker=False) for task in tasks]
        else:
            parallel = Parallel(min(jobs, len(tasks)), backend="loky", inner_max_num_threads=1)
            try:
                outcomes = parallel(delayed(_attempt)(task, rows, files[task.name], in_worker=True) for task in tasks)
            except BaseException:
                _kill_workers()
                raise
    failures = [(task, outcome) for task, outcome in zip(tasks, outcomes, strict=True) if isinstance(outcome, str)]
    if failures:
        task, reason = failures[0]
        raise InkproofError(f"The fit {task.name} (recipe {task.recipe.name}, σ {task.sigma:g}) failed: {reason}")
    return outcomes


def _attempt(task: FitTask, rows: Rows, file: Path, *, in_worker: bool) -> FitResult | str:
    """The result, or the reason why there is none: an error must not take the other fits with it."""
    from threadpoolctl import threadpool_limits

    if in_worker:
        _obey_parent()
    with file.open("w", encoding="utf-8") as lines, threadpool_limits(1):

        def write(epoch: Epoch) -> None:
            lines.write(json.dumps(asdict(epoch)) + "\n")
            lines.flush()

        try:
            return run_fit(task, rows, on_epoch=write)
        except InkproofError as error:
            return str(error)


@cache
def _obey_parent() -> None:
    """Leave Ctrl-C to the parent process, which then ends this one, and do not outlive it if it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, name="inkproof-parent", daemon=True).start()


@contextmanager
def _following(
    tasks: Sequence[FitTask], files: dict[str, Path], on_epoch: Callable[[FitTask, Epoch], None]
) -> Iterator[None]:
    """While the block runs, call on_epoch for every line that comes into the files."""
    read = dict.fromkeys(files, 0)
    ended = threading.Event()

    def look() -> None:
        for task in tasks:
            with files[task.name].open("ab+") as file:
                file.seek(read[task.name])
                whole, newline, _ = file.read().rpartition(b"\n")
            read[task.name] += len(whole) + len(newline)
            for line in whole.splitlines():
                on_epoch(task, Epoch(**json.loads(line)))

    def follow() -> None:
        while not ended.wait(POLL_SECONDS):
            look()

    thread = threading.Thread(target=follow, name="inkproof-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    look()


def _kill_workers() -> None:
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True, kill_workers=True)
