"""Parallel training in processes of this machine; what is not bound by processor cores' number uses one.

A failed fit does not take the others with it; a worker process that is killed costs the time of its own work.
"""

import atexit
import json
import os
import pickle
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from pipeline.errors import InkproofError
from pipeline.training import Epoch
from pipeline.training.task import SharedRows, TrainingResult, TrainingTask, attempt
from pipeline.training.worker import LENGTH

POLL_SECONDS = 0.1
ALIGNED = 64  # bytes, at a multiple of which each shared array begins
THREADS = tuple(f"{name}_NUM_THREADS" for name in ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMBA", "NUMEXPR"))
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
    with _following(tasks, folder, on_epoch):
        if jobs == 1 or len(tasks) == 1:
            threads = cores() if jobs > 1 else 1
            for task in tasks:
                yield task, _attempt(folder, threads, task, shared)
            return
        left, one_thread = {task.name: task for task in tasks}, partial(_attempt, folder, 1)
        try:
            for task, result in in_processes(one_thread, tasks, shared, jobs=min(jobs, len(tasks))):
                del left[task.name]
                yield task, result
        except WorkerKilled:
            fewer = max(1, jobs - 1)
            say(f"{KILLED}: {len(left)} of {len(tasks)} fits are done again, {fewer} at a time.")
            try:
                yield from in_processes(one_thread, list(left.values()), shared, jobs=fewer)
            except WorkerKilled as error:
                raise InkproofError(
                    f"{KILLED}, and another one when its work was done again: use fewer --jobs; what had been "
                    "written before is whole."
                ) from error


class WorkerKilled(InkproofError):
    """A worker process of in_processes was killed from outside; results that came before it stand."""


class WorkerProcess:
    """A process that does one piece of work after another; it ends with this process."""

    def __init__(self) -> None:
        with signals_kept():
            self.process = subprocess.Popen(
                [sys.executable, "-P", str(Path(__file__).with_name("worker.py"))],
                env={**os.environ, **dict.fromkeys(THREADS, "1")},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # on Windows: without Ctrl-C
            )
        _workers.append(self)
        self._send(sys.path)

    def do(self, *work: Any) -> Any:
        """The result of a piece of work. Raises what its function raised, or WorkerKilled."""
        try:
            self._send(work)
            done, result = pickle.load(self.process.stdout)
        except (OSError, EOFError, ValueError, pickle.UnpicklingError) as error:
            raise WorkerKilled(f"{KILLED}: use fewer --jobs.") from error
        if done:
            return result
        raise result

    def _send(self, work: Any) -> None:
        content = pickle.dumps(work)
        self.process.stdin.write(len(content).to_bytes(LENGTH) + content)
        self.process.stdin.flush()


_workers: list[WorkerProcess] = []  # of this process; those in _idle can be used again
_idle: list[WorkerProcess] = []
_calls = count()


def in_processes(
    function: Callable[[Item, Any], Result], items: Sequence[Item], shared: Any, *, jobs: int
) -> Iterator[tuple[Item, Result]]:
    """function(item, shared) for each item in worker processes, `jobs` at a time; (item, result) as each ends.

    Arrays in `shared` are written once, into memory that all workers map. Workers use one thread for matrix products,
    leave Ctrl-C to this process, are used again, and end with it however it ends. Raises WorkerKilled.
    """
    free: queue.SimpleQueue[WorkerProcess] = queue.SimpleQueue()

    def do(item: Item) -> Result:
        worker = free.get()
        try:
            return worker.do(function, item, place)
        finally:
            free.put(worker)

    with _mapped(shared) as place, ThreadPoolExecutor(jobs) as threads:
        try:
            used = [_idle.pop() if _idle else WorkerProcess() for _ in range(jobs)]
            for worker in used:
                free.put(worker)
            futures = {threads.submit(do, item): item for item in items}
            for future in as_completed(list(futures)):
                yield futures.pop(future), future.result()
            _idle.extend(used)
        except BaseException:
            kill_workers()
            threads.shutdown(cancel_futures=True)
            raise


@contextmanager
def signals_kept() -> Iterator[None]:
    """Processes that are started in the block never see Ctrl-C or SIGTERM, which their group may get: this one does."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _mapped(shared: Any) -> Iterator[tuple[str, list[tuple[int, int]], int]]:
    """Where worker.py finds `shared` while the block runs: a path, the spans of bytes there, the number of the call."""
    arrays: list[pickle.PickleBuffer] = []
    parts = [pickle.dumps(shared, protocol=5, buffer_callback=arrays.append), *(array.raw() for array in arrays)]
    spans: list[tuple[int, int]] = []
    if sys.platform == "linux":  # memory that goes with this process, even if that is killed
        handle, path = os.memfd_create("inkproof"), None
    else:
        handle, path = tempfile.mkstemp(prefix="inkproof-")
    try:
        with os.fdopen(handle, "wb") as file:
            for part in parts:
                start = file.seek(-(-file.tell() // ALIGNED) * ALIGNED)
                file.write(part)
                spans.append((start, file.tell()))
            file.flush()
            yield path or f"/proc/{os.getpid()}/fd/{handle}", spans, next(_calls)
    finally:
        if path:
            with suppress(OSError):  # Windows keeps what is mapped
                Path(path).unlink()


def _attempt(folder: Path, threads: int, task: TrainingTask, shared: SharedRows) -> TrainingResult | str:
    with history_file(folder, task).open("w", encoding="utf-8") as lines:

        def write(epoch: Epoch) -> None:
            lines.write(json.dumps(asdict(epoch)) + "\n")
            lines.flush()

        return attempt(task, shared, write, threads=threads)


def history_file(folder: Path, task: TrainingTask) -> Path:
    """Where a fit's epochs are written."""
    return folder / f"{task.file_name}.jsonl"


@contextmanager
def _following(tasks: Sequence[TrainingTask], folder: Path, on_epoch: OnEpoch) -> Iterator[None]:
    """While the block runs, call on_epoch for every line that comes into the tasks' files, once for each epoch.

    The files of an earlier run go at once; a fit that is done again writes its own anew, and is heard of where the
    attempt before it has not been.
    """
    files = {task.name: history_file(folder, task) for task in tasks}
    reported = dict.fromkeys(files, 0)
    ended = threading.Event()

    def look() -> None:
        for task in tasks:
            if reported[task.name] < task.recipe.training.epochs:
                with suppress(FileNotFoundError):  # not begun yet
                    look_at(task, files[task.name].read_bytes())

    def look_at(task: TrainingTask, content: bytes) -> None:
        whole_lines = content.rpartition(b"\n")[0].splitlines()
        for line in whole_lines[reported[task.name] :]:
            reported[task.name] += 1
            on_epoch(task, Epoch(**json.loads(line)))

    def follow() -> None:
        while not ended.wait(POLL_SECONDS):
            look()

    for file in files.values():
        file.unlink(missing_ok=True)
    thread = threading.Thread(target=follow, name="inkproof-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    look()


@atexit.register
def kill_workers() -> None:
    """End this process's worker processes now, in the middle of their work."""
    for worker in _workers:
        worker.process.kill()
    for worker in _workers:
        worker.process.wait()
        for pipe in (worker.process.stdin, worker.process.stdout):
            with suppress(OSError):
                pipe.close()
    _workers.clear()
    _idle.clear()
