"""Parallel training in processes of this machine; what is not bound by processor cores' number uses one.

A failed fit does not take the others with it; a worker process that is killed costs the time of its own work.
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
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

from pipeline.errors import InkproofError
from pipeline.training import Epoch
from pipeline.training.task import SharedRows, TrainingResult, TrainingTask, attempt

POLL_SECONDS = 0.1
LARGEST_PICKLED = 64 * 1024  # bytes of an array; larger ones are mapped from a file that all workers share
KILLED = "A worker process was killed from outside, most often because the memory is not enough"

Item, Result = TypeVar("Item"), TypeVar("Result")
OnEpoch = Callable[[TrainingTask, Epoch], None]


def cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_tasks(
    tasks: Sequence[TrainingTask],
    shared: SharedRows,
    *,
    jobs: int,
    folder: Path,
    on_epoch: OnEpoch,
    say: Callable[[str], None] = lambda line: print(line, file=sys.stderr),
) -> Iterator[tuple[TrainingTask, TrainingResult | str]]:
    """Do all tasks, `jobs` at a time, and give each with its result, or why it has none, as soon as it ends.

    Each fit writes its epochs, one JSON line each, to `folder`/<name>.jsonl while it runs; on_epoch is called for
    each from a thread of this process. When a worker process is killed, `say` gets a sentence and what is missing is
    done again, with one fewer at a time; a second kill raises InkproofError.
    """
    folder = folder.absolute()  # worker processes are used again, and may have begun elsewhere
    folder.mkdir(parents=True, exist_ok=True)
    with _following(tasks, folder, on_epoch) as forget:
        if jobs == 1 or len(tasks) == 1:
            threads = cores() if jobs > 1 else 1
            for task in tasks:
                yield task, _attempt(folder, threads, task, shared)
        else:
            yield from _again_when_killed(partial(_attempt, folder, 1), tasks, shared, jobs, forget, say)


def _again_when_killed(
    function: Callable[[TrainingTask, SharedRows], TrainingResult | str],
    tasks: Sequence[TrainingTask],
    shared: SharedRows,
    jobs: int,
    forget: Callable[[TrainingTask], None],
    say: Callable[[str], None],
) -> Iterator[tuple[TrainingTask, TrainingResult | str]]:
    left = {task.name: task for task in tasks}
    for at_a_time, last in ((min(jobs, len(tasks)), False), (max(1, jobs - 1), True)):
        try:
            for task, result in in_processes(function, list(left.values()), shared, jobs=at_a_time):
                del left[task.name]
                yield task, result
            return
        except WorkerKilled as error:
            if last:
                raise InkproofError(
                    f"{KILLED}, and another one when its work was done again: use fewer --jobs; what had been "
                    "written before is whole."
                ) from error
        say(f"{KILLED}: {len(left)} of {len(tasks)} fits are done again, {max(1, jobs - 1)} at a time.")
        for task in left.values():
            forget(task)


class WorkerKilled(InkproofError):
    """A worker process of in_processes was killed from outside; results that came before it stand."""


def in_processes(
    function: Callable[[Item, Any], Result], items: Sequence[Item], shared: Any, *, jobs: int
) -> Iterator[tuple[Item, Result]]:
    """function(item, shared) for each item in worker processes, `jobs` at a time; (item, result) as each ends.

    Large arrays in `shared` are written to a file once, which all workers map into their memory. Workers use one
    thread for matrix products, leave Ctrl-C to this process, and end with it. Raises WorkerKilled.
    """
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    # For one job joblib would use this process, which has to live: two workers then, of which one is given work.
    parallel = Parallel(
        max(2, jobs),
        backend="loky",
        inner_max_num_threads=1,
        return_as="generator_unordered",
        pre_dispatch=2 * jobs if jobs > 1 else 1,
        batch_size=1,
        max_nbytes=LARGEST_PICKLED,
    )
    try:
        for number, result in parallel(
            delayed(_in_worker)(function, number, item, shared, os.getpid()) for number, item in enumerate(items)
        ):
            yield items[number], result
    except TerminatedWorkerError as error:
        kill_workers()
        raise WorkerKilled(f"{KILLED}: use fewer --jobs.") from error
    except BaseException:
        kill_workers()
        raise


def _in_worker(
    function: Callable[[Item, Any], Result], number: int, item: Item, shared: Any, parent: int
) -> tuple[int, Result]:
    exit_with_parent(parent)
    return number, function(item, shared)


def _attempt(folder: Path, threads: int, task: TrainingTask, shared: SharedRows) -> TrainingResult | str:
    with history_file(folder, task).open("w", encoding="utf-8") as lines:

        def write(epoch: Epoch) -> None:
            lines.write(json.dumps(asdict(epoch)) + "\n")
            lines.flush()

        return attempt(task, shared, write, threads=threads)


def history_file(folder: Path, task: TrainingTask) -> Path:
    """Where a fit's epochs are written."""
    return folder / f"{task.file_name}.jsonl"


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
    tasks: Sequence[TrainingTask], folder: Path, on_epoch: OnEpoch
) -> Iterator[Callable[[TrainingTask], None]]:
    """While the block runs, call on_epoch for every line that comes into the tasks' files, once for each epoch.

    Gives the function that empties a task's file, for it to begin anew: a line is looked for where the one before
    ended, which would be amid a line of another attempt. The files of an earlier run go at once.
    """
    files = {task.name: history_file(folder, task) for task in tasks}
    read, reported = dict.fromkeys(files, 0), dict.fromkeys(files, 0)
    ended, looking = threading.Event(), threading.Lock()

    def forget(task: TrainingTask) -> None:
        with looking:
            files[task.name].unlink(missing_ok=True)
            read[task.name] = 0

    def look() -> None:
        with looking:
            for task in tasks:
                if reported[task.name] < task.recipe.training.epochs:
                    look_at(task)

    def look_at(task: TrainingTask) -> None:
        try:
            with files[task.name].open("rb") as file:
                file.seek(read[task.name])
                whole, newline, _ = file.read().rpartition(b"\n")
        except FileNotFoundError:  # not begun yet
            return
        read[task.name] += len(whole) + len(newline)
        for line in whole.splitlines():
            epoch = Epoch(**json.loads(line))
            if epoch.epoch > reported[task.name]:
                reported[task.name] = epoch.epoch
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
