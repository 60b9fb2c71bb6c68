"""Many independent fits at once, in processes on this machine.

Every matrix product is computed on one thread, whether one fit runs or many: several processes keep the cores
busier than several threads, and the result cannot depend on how many run at a time. A fit that runs alone shares
the work of its convolutions over all cores, which does not change a byte either.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import cache
from pathlib import Path

from pipeline.errors import InkproofError
from pipeline.training import Epoch
from pipeline.training.task import Rows, TrainingResult, TrainingTask, run_fit

POLL_SECONDS = 0.1
KILLED = "A worker process was killed from outside, most often because the memory is not enough"


def cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_fits(
    tasks: Sequence[TrainingTask],
    rows: Rows,
    *,
    jobs: int,
    folder: Path,
    on_epoch: Callable[[TrainingTask, Epoch], None],
) -> list[TrainingResult]:
    """Do all tasks, `jobs` at a time, and give the results in the order of the tasks.

    Arguments as in fit_each. Raises InkproofError for a fit that failed, naming it, when the others are done.
    """
    found = {task.name: outcome for task, outcome in fit_each(tasks, rows, jobs=jobs, folder=folder, on_epoch=on_epoch)}
    for task in tasks:
        if isinstance(found[task.name], str):
            raise InkproofError(failure(task, found[task.name]))
    return [found[task.name] for task in tasks]


def failure(task: TrainingTask, reason: str) -> str:
    """The sentence about a fit that failed, with its settings."""
    return f"The fit {task.name} (recipe {task.recipe.name}, σ {task.sigma:g}) failed: {reason}"


def fit_each(
    tasks: Sequence[TrainingTask],
    rows: Rows,
    *,
    jobs: int,
    folder: Path,
    on_epoch: Callable[[TrainingTask, Epoch], None],
    say: Callable[[str], None] = lambda line: print(line, file=sys.stderr),
) -> Iterator[tuple[TrainingTask, TrainingResult | str]]:
    """Do all tasks, `jobs` at a time, and give each with its result, or why it has none, as soon as it ends.

    Each fit writes its epochs, one JSON line each, to `folder`/<name>.jsonl while it runs; on_epoch is
    called for each from a thread of this process. When a worker process is killed, `say` gets a sentence and what
    is missing is done again, with one fewer at a time; a second kill raises InkproofError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {task.name: folder / f"{task.file_name}.jsonl" for task in tasks}
    with _following(tasks, files, on_epoch) as forget:
        if jobs == 1 or len(tasks) == 1:
            for task in tasks:
                yield task, _attempt(task, rows, files[task.name], threads=cores() if jobs > 1 else 1)
        else:
            yield from _in_processes(tasks, rows, files, min(jobs, len(tasks)), forget, say)


def _in_processes(
    tasks: Sequence[TrainingTask],
    rows: Rows,
    files: dict[str, Path],
    jobs: int,
    forget: Callable[[TrainingTask], None],
    say: Callable[[str], None],
) -> Iterator[tuple[TrainingTask, TrainingResult | str]]:
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    left = {task.name: task for task in tasks}
    for at_a_time, last in ((jobs, False), (max(1, jobs - 1), True)):
        try:
            for task, outcome in _in_workers(list(left.values()), rows, files, at_a_time):
                del left[task.name]
                yield task, outcome
            return
        except TerminatedWorkerError as error:
            kill_workers()
            if last:
                raise InkproofError(
                    f"{KILLED}, and another one when its work was done again: use fewer --jobs; what had been "
                    "written before is whole."
                ) from error
        except BaseException:
            kill_workers()
            raise
        say(f"{KILLED}: {len(left)} of {len(tasks)} fits are done again, {max(1, jobs - 1)} at a time.")
        for task in left.values():
            forget(task)


def _in_workers(
    tasks: Sequence[TrainingTask], rows: Rows, files: dict[str, Path], at_a_time: int
) -> Iterator[tuple[TrainingTask, TrainingResult | str]]:
    from joblib import Parallel, delayed

    # joblib writes large arrays to a file once, which all workers map into their memory. For one job it would use
    # this process, which has to live: two workers then, of which one is given work.
    parallel = Parallel(
        max(2, at_a_time),
        backend="loky",
        inner_max_num_threads=1,
        return_as="generator_unordered",
        pre_dispatch=2 * at_a_time if at_a_time > 1 else 1,
        batch_size=1,
    )
    for number, outcome in parallel(
        delayed(_in_worker)(number, task, rows, files[task.name], os.getpid()) for number, task in enumerate(tasks)
    ):
        yield tasks[number], outcome


def _in_worker(
    number: int, task: TrainingTask, rows: Rows, file: Path, parent: int
) -> tuple[int, TrainingResult | str]:
    exit_with_parent(parent)
    return number, _attempt(task, rows, file)


def _attempt(task: TrainingTask, rows: Rows, file: Path, *, threads: int = 1) -> TrainingResult | str:
    with file.open("w", encoding="utf-8") as lines:

        def write(epoch: Epoch) -> None:
            lines.write(json.dumps(asdict(epoch)) + "\n")
            lines.flush()

        return attempt(task, rows, write, threads=threads)


def attempt(
    task: TrainingTask, rows: Rows, on_epoch: Callable[[Epoch], None] | None = None, *, threads: int = 1
) -> TrainingResult | str:
    """run_fit, matrix products on one thread; for an error its sentence: it must not take other fits with it."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        try:
            return run_fit(task, rows, on_epoch, threads=threads)
        except InkproofError as error:
            return str(error)


@cache
def exit_with_parent(parent: int) -> None:
    """Leave Ctrl-C to the parent process, which then ends this one, and do not outlive it if it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, name="inkproof-parent", daemon=True).start()


@contextmanager
def _following(
    tasks: Sequence[TrainingTask], files: dict[str, Path], on_epoch: Callable[[TrainingTask, Epoch], None]
) -> Iterator[Callable[[TrainingTask], None]]:
    """While the block runs, call on_epoch for every line that comes into the files, once for each epoch.

    Gives the function that empties a task's file, for it to begin anew: a line is looked for where the one before
    ended, which would be amid a line of another attempt. The files of an earlier run go at once.
    """
    read, told = dict.fromkeys(files, 0), dict.fromkeys(files, 0)
    ended, looking = threading.Event(), threading.Lock()

    def forget(task: TrainingTask) -> None:
        with looking:
            files[task.name].unlink(missing_ok=True)
            read[task.name] = 0

    def look() -> None:
        with looking:
            for task in tasks:
                look_at(task)

    def look_at(task: TrainingTask) -> None:
        with files[task.name].open("ab+") as file:
            file.seek(read[task.name])
            whole, newline, _ = file.read().rpartition(b"\n")
        read[task.name] += len(whole) + len(newline)
        for line in whole.splitlines():
            epoch = Epoch(**json.loads(line))
            if epoch.epoch > told[task.name]:
                told[task.name] = epoch.epoch
                on_epoch(task, epoch)

    def follow() -> None:
        while not ended.wait(POLL_SECONDS):
            look()

    for task in tasks:
        forget(task)
    thread = threading.Thread(target=follow, name="inkproof-progress", daemon=True)
    thread.start()
    try:
        yield forget
    finally:
        ended.set()
        thread.join()
    look()


def kill_workers() -> None:
    """End this process's worker processes now, in the middle of their work."""
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True, kill_workers=True)
