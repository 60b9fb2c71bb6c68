"""Many independent fits at once, in processes on this machine.

Every matrix product is computed on one thread, whether one fit runs or many: several processes keep the cores
busier than several threads, and the result cannot depend on how many run at a time. A fit that runs alone shares
the work of its convolutions over all cores, which does not change a byte either.
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

    Arguments as in fit_each. Raises InkproofError for a fit that failed, naming it, when the others are done.
    """
    found = {task.name: outcome for task, outcome in fit_each(tasks, rows, jobs=jobs, folder=folder, on_epoch=on_epoch)}
    for task in tasks:
        if isinstance(found[task.name], str):
            raise InkproofError(failure(task, found[task.name]))
    return [found[task.name] for task in tasks]


def failure(task: FitTask, reason: str) -> str:
    """The sentence about a fit that failed, with its settings."""
    return f"The fit {task.name} (recipe {task.recipe.name}, σ {task.sigma:g}) failed: {reason}"


def fit_each(
    tasks: Sequence[FitTask],
    rows: Rows,
    *,
    jobs: int,
    folder: Path,
    on_epoch: Callable[[FitTask, Epoch], None],
) -> Iterator[tuple[FitTask, FitResult | str]]:
    """Do all tasks, `jobs` at a time, and give each with its result, or why it has none, as soon as it ends.

    Each fit writes its epochs, one JSON line each, to `folder`/<name>.jsonl while it runs; on_epoch is
    called for each from a thread of this process. Raises InkproofError when a worker process was killed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {task.name: folder / f"{task.file_name}.jsonl" for task in tasks}
    with _following(tasks, files, on_epoch):
        if jobs == 1 or len(tasks) == 1:
            for task in tasks:
                yield task, _attempt(task, rows, files[task.name], threads=cores() if jobs > 1 else 1)
        else:
            yield from _in_processes(tasks, rows, files, min(jobs, len(tasks)))


def _in_processes(
    tasks: Sequence[FitTask], rows: Rows, files: dict[str, Path], jobs: int
) -> Iterator[tuple[FitTask, FitResult | str]]:
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    # joblib writes large arrays to a file once, which all workers map into their memory.
    parallel = Parallel(jobs, backend="loky", inner_max_num_threads=1, return_as="generator_unordered")
    try:
        for number, outcome in parallel(
            delayed(_in_worker)(number, task, rows, files[task.name], os.getpid()) for number, task in enumerate(tasks)
        ):
            yield tasks[number], outcome
    except TerminatedWorkerError as error:
        raise InkproofError(
            "A worker process was killed from outside, most often because the memory is not enough: use fewer --jobs; "
            "what had been written before is whole."
        ) from error
    except BaseException:
        _kill_workers()
        raise


def _in_worker(number: int, task: FitTask, rows: Rows, file: Path, parent: int) -> tuple[int, FitResult | str]:
    _obey(parent)
    return number, _attempt(task, rows, file)


def _attempt(task: FitTask, rows: Rows, file: Path, *, threads: int = 1) -> FitResult | str:
    with file.open("w", encoding="utf-8") as lines:

        def write(epoch: Epoch) -> None:
            lines.write(json.dumps(asdict(epoch)) + "\n")
            lines.flush()

        return attempt(task, rows, write, threads=threads)


def attempt(
    task: FitTask, rows: Rows, on_epoch: Callable[[Epoch], None] | None = None, *, threads: int = 1
) -> FitResult | str:
    """run_fit, matrix products on one thread; for an error its sentence: it must not take other fits with it."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        try:
            return run_fit(task, rows, on_epoch, threads=threads)
        except InkproofError as error:
            return str(error)


@cache
def _obey(parent: int) -> None:
    """Leave Ctrl-C to the parent process, which then ends this one, and do not outlive it if it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

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
