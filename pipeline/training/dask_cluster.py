"""Training on a Dask cluster: a running one, or one of processes on this machine for the while.

The rows go to the cluster once and to each worker once, not with each task. A worker that is killed costs the time of
its own work: the scheduler gives it to another one. Workers must have the environment that results depend on.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import tempfile
import threading
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline import storage
from pipeline.errors import InkproofError, UsageError
from pipeline.training import Epoch
from pipeline.training.environment import differences, environment
from pipeline.training.parallel import OnEpoch, WorkerProcess, history_file, kill_workers
from pipeline.training.task import SharedRows, TrainingResult, TrainingTask, attempt

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT_SECONDS = 20
START_SECONDS = 120  # for processes of this machine, however busy it is
AHEAD = 2  # pieces of work given to the cluster for each worker; the others wait here
RESUBMISSIONS = 3  # of a piece of work whose workers were all killed

Item, Result = TypeVar("Item"), TypeVar("Result")


def run_tasks_on_cluster(
    tasks: Sequence[TrainingTask],
    shared: SharedRows,
    *,
    scheduler: str | None,
    jobs: int,
    folder: Path,
    on_epoch: OnEpoch,
) -> Iterator[tuple[TrainingTask, TrainingResult | str]]:
    """As parallel.run_tasks, on the cluster whose scheduler has the address `scheduler`, such as tcp://host:8786.

    Without an address, on `jobs` worker processes of this machine. Epochs are reported as news of them comes; those
    that no news came of, when their fit has ended. Raises as on_cluster.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with cluster(scheduler, min(jobs, len(tasks))) as client:
        news = _News(tasks, on_epoch)
        topic = f"inkproof-epochs-{uuid.uuid4().hex}"  # a scheduler may serve several jobs
        client.subscribe_topic(topic, news.heard)
        for task, outcome in on_cluster(partial(_attempt, topic), tasks, shared, client=client):
            if isinstance(outcome, TrainingResult):
                lines = "".join(json.dumps(asdict(epoch)) + "\n" for epoch in outcome.history)
                storage.write_text(history_file(folder, task), lines)
                news.report(task, outcome.history)
            yield task, outcome


def on_cluster(
    function: Callable[[Item, Any], Result], items: Sequence[Item], shared: Any, *, client: Client
) -> Iterator[tuple[Item, Result | str]]:
    """function(item, shared) for each item on the cluster; (item, result, or why there is none) as each ends.

    Raises InkproofError when the cluster goes away.
    """
    from distributed import as_completed
    from distributed.scheduler import KilledWorker

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sending large graph")
        # A task and not `scatter`: the scheduler can make the result of a task again, scattered data is lost with
        # the last worker that holds it.
        everywhere = client.submit(_same, shared, pure=False)

    waiting = list(reversed(items))
    running: dict[Future, tuple[Item, int]] = {}

    def submit(item: Item, killed: int = 0) -> Future:
        future = client.submit(function, item, everywhere, pure=False)
        running[future] = (item, killed)
        return future

    room = AHEAD * max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
    ended = as_completed([submit(waiting.pop()) for _ in range(min(room, len(waiting)))], loop=client.loop)
    for future in ended:
        item, killed = running.pop(future)
        try:
            outcome = _outcome(future)
        except KilledWorker:
            if killed < RESUBMISSIONS:
                ended.add(submit(item, killed + 1))
                continue
            outcome = "the workers that it was given to were killed, one after the other (is memory enough?)."
        future.release()
        if waiting:
            ended.add(submit(waiting.pop()))
        yield item, outcome


def _attempt(topic: str, task: TrainingTask, shared: SharedRows) -> TrainingResult | str:
    """Train in a worker; the scheduler passes the news of each epoch on, nobody waits for it."""
    from distributed import get_worker

    return attempt(task, shared, lambda epoch: get_worker().log_event(topic, [task.name, asdict(epoch)]))


class _News:
    """Calls on_epoch once for each epoch of each task, however often, and in which order, it hears of them."""

    def __init__(self, tasks: Sequence[TrainingTask], on_epoch: OnEpoch) -> None:
        self.tasks, self.on_epoch = {task.name: task for task in tasks}, on_epoch
        self.reported: dict[str, set[int]] = {task.name: set() for task in tasks}
        self.lock = threading.Lock()  # `heard` comes from the client's own thread

    def heard(self, event: tuple[float, tuple[str, dict[str, Any]]]) -> None:
        """What _attempt sent, with the time that the scheduler got it."""
        name, epoch = event[1]
        self.report(self.tasks[name], [Epoch(**epoch)])

    def report(self, task: TrainingTask, history: Sequence[Epoch]) -> None:
        with self.lock:
            for epoch in history:
                if epoch.epoch not in self.reported[task.name]:
                    self.reported[task.name].add(epoch.epoch)
                    self.on_epoch(task, epoch)


def _outcome(future: Future) -> Any:
    from distributed import CancelledError
    from distributed.comm import CommClosedError

    try:
        return future.result()
    except MemoryError:
        return "the memory of its worker is not enough."
    except (CancelledError, CommClosedError, OSError) as error:
        raise InkproofError(
            f"The Dask cluster went away before the work was done ({type(error).__name__}): start it again, then "
            "the same command; what had been written before is whole."
        ) from error


def _same(shared: Any) -> Any:
    return shared


@contextmanager
def cluster(scheduler: str | None, workers: int) -> Iterator[Client]:
    """A client of the cluster at that address, or of one that lives as long as the block, its workers checked.

    Raises UsageError for an address where no scheduler answers, InkproofError for workers that cannot do the work.
    """
    from distributed import Client

    if scheduler is None:
        with _local_cluster(workers) as client:
            _check_workers(client)
            yield client
        return
    try:
        client = Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"No Dask scheduler answers at {scheduler} ({type(error).__name__}): give the address that `dask "
            "scheduler` prints, such as tcp://192.168.1.5:8786, or leave --scheduler out."
        ) from error
    with client:
        _check_workers(client)
        yield client


@contextmanager
def _local_cluster(workers: int) -> Iterator[Client]:
    """A scheduler in this process, without dashboard, and workers in the processes that parallel.py has.

    Dask's own, each behind a nanny, print tracebacks when they are stopped and leave semaphores when they are killed.
    Raises InkproofError where no worker comes.
    """
    import dask
    from distributed import Client, LocalCluster

    ended = threading.Event()

    def keep_one(address: str, folder: str) -> None:
        while not ended.is_set():  # one that is killed is replaced
            with suppress(Exception):
                WorkerProcess().do(_work_for, (address, folder), None)

    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # for the end, where silence_logs is over
    here = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0", "silence_logs": logging.CRITICAL}
    with (
        tempfile.TemporaryDirectory(prefix="inkproof-", ignore_cleanup_errors=True) as folder,
        dask.config.set(temporary_directory=folder),
        LocalCluster(n_workers=0, **here) as local,
        Client(local.scheduler_address, set_as_default=False) as client,
    ):
        try:
            for _ in range(workers):
                where = (local.scheduler_address, folder)
                threading.Thread(target=keep_one, args=where, daemon=True).start()
            client.wait_for_workers(workers, timeout=START_SECONDS)
            yield client
        except TimeoutError as error:
            raise InkproofError(f"No Dask worker began within {START_SECONDS} s: leave out --engine dask.") from error
        finally:
            ended.set()
            kill_workers()


def _work_for(scheduler: tuple[str, str], _: None) -> None:
    """In a worker process: be a Dask worker until that scheduler is gone. scheduler: its address, and a folder."""
    from distributed import Worker

    async def work() -> None:
        address, folder = scheduler
        here = {"nthreads": 1, "memory_limit": 0, "local_directory": folder, "dashboard": False}
        async with Worker(address, **here) as worker:
            await worker.finished()

    sys.modules["__main__"].temporary.append(scheduler[1])
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    asyncio.run(work())


def _check_workers(client: Client) -> None:
    """Raises InkproofError where there is no worker, or one that would compute something else."""
    if not client.scheduler_info(n_workers=-1)["workers"]:
        raise InkproofError(
            "The Dask cluster has no worker: start one in Inkproof's folder with `python -m dask worker` and the "
            "scheduler's address."
        )
    for address, there in client.run(environment, on_error="return").items():
        if isinstance(there, Exception):
            raise InkproofError(
                f"The Dask worker {address} cannot run Inkproof ({there}): start it with `python -m dask worker` in "
                "Inkproof's folder, in an environment with requirements.txt."
            )
        if other := differences(there):
            raise InkproofError(
                f"The Dask worker {address} has {', '.join(other)}: results could differ; give both the same."
            )
