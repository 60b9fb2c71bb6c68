"""Many independent fits on a Dask cluster: a running one, or one of processes on this machine for the while.

The rows go to the cluster once and to each worker once, not with each task. A worker that is killed costs the
time of its fits: the scheduler gives them to another one. The workers must run this very version of Inkproof.
"""

from __future__ import annotations

import json
import os
import threading
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pipeline
from pipeline import storage
from pipeline.errors import InkproofError, UsageError
from pipeline.training import Epoch
from pipeline.training.parallel import attempt
from pipeline.training.task import Rows, TrainingResult, TrainingTask

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT_SECONDS = 20
KERNELS = "OPENBLAS_CORETYPE"


def fit_each_on_cluster(
    tasks: Sequence[TrainingTask],
    rows: Rows,
    *,
    scheduler: str | None,
    jobs: int,
    folder: Path,
    on_epoch: Callable[[TrainingTask, Epoch], None],
) -> Iterator[tuple[TrainingTask, TrainingResult | str]]:
    """As engine.fit_each, on the Dask cluster whose scheduler has the address `scheduler`, such as tcp://host:8786.

    Without an address, on `jobs` worker processes of this machine. Epochs are told as news of them comes; those
    that no news came of, when their fit has ended. Raises UsageError for an address where no scheduler answers,
    InkproofError for workers that cannot do the work, and when the cluster goes away.
    """
    from distributed import as_completed

    folder.mkdir(parents=True, exist_ok=True)
    with _client(scheduler, min(jobs, len(tasks))) as client:
        _check_workers(client)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sending large graph")
            # A task and not `scatter`: the scheduler can make the result of a task again, scattered data is
            # lost with the last worker that holds it.
            shared = client.submit(_same, rows, pure=False)
        news = _News(tasks, on_epoch)
        topic = f"inkproof-epochs-{uuid.uuid4().hex}"  # a scheduler may serve several comparisons
        client.subscribe_topic(topic, news.heard)
        futures = {
            client.submit(attempt, task, shared, _Teller(topic, number), pure=False): task
            for number, task in enumerate(tasks)
        }
        for future in as_completed(futures, loop=client.loop):
            task = futures[future]
            outcome = _outcome(future)
            if not isinstance(outcome, str):
                lines = "".join(json.dumps(asdict(epoch)) + "\n" for epoch in outcome.history)
                storage.write_text(folder / f"{task.file_name}.jsonl", lines)
                news.tell(task, outcome.history)
            yield task, outcome
            future.release()


@dataclass(frozen=True)
class _Teller:
    """Called in a worker after each epoch of task `number`: the scheduler passes the news on, nobody waits for it."""

    topic: str
    number: int

    def __call__(self, epoch: Epoch) -> None:
        from distributed import get_worker

        get_worker().log_event(self.topic, [self.number, asdict(epoch)])


class _News:
    """Calls on_epoch once for each epoch of each task, however often, and in which order, it hears of them."""

    def __init__(self, tasks: Sequence[TrainingTask], on_epoch: Callable[[TrainingTask, Epoch], None]) -> None:
        self.tasks, self.on_epoch = tasks, on_epoch
        self.told: dict[str, set[int]] = {task.name: set() for task in tasks}
        self.telling = threading.Lock()  # `heard` comes from the client's own thread

    def heard(self, event: tuple[float, tuple[int, dict[str, Any]]]) -> None:
        """What _Teller sent, with the time that the scheduler got it."""
        number, epoch = event[1]
        self.tell(self.tasks[number], [Epoch(**epoch)])

    def tell(self, task: TrainingTask, history: Sequence[Epoch]) -> None:
        with self.telling:
            for epoch in history:
                if epoch.epoch not in self.told[task.name]:
                    self.told[task.name].add(epoch.epoch)
                    self.on_epoch(task, epoch)


def _outcome(future: Future) -> TrainingResult | str:
    from distributed import CancelledError
    from distributed.comm import CommClosedError
    from distributed.scheduler import KilledWorker

    try:
        return future.result()
    except KilledWorker:
        return "the workers that it was given to were killed, one after the other (is memory enough?)."
    except MemoryError:
        return "the memory of its worker is not enough."
    except (CancelledError, CommClosedError, OSError) as error:
        raise InkproofError(
            f"The Dask cluster went away before the work was done ({type(error).__name__}): start it again, then "
            "the same command; what had been written before is whole."
        ) from error


def _same(rows: Rows) -> Rows:
    return rows


@contextmanager
def _client(scheduler: str | None, workers: int) -> Iterator[Client]:
    from distributed import Client, LocalCluster

    if scheduler is None:
        # One fit to a process, no dashboard, nothing that listens beyond this machine, no limit of our own on memory.
        here = {"host": "127.0.0.1", "dashboard_address": None, "memory_limit": 0}
        with LocalCluster(workers, threads_per_worker=1, **here) as cluster, Client(cluster) as client:
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
        yield client


def _check_workers(client: Client) -> None:
    """Raises InkproofError where there is no worker, or one that would compute something else."""
    if not client.scheduler_info(n_workers=-1)["workers"]:
        raise InkproofError("The Dask cluster has no worker: start one with `dask worker` in Inkproof's folder.")
    here = _about_this_process()
    for address, there in client.run(_about_this_process, on_error="return").items():
        if isinstance(there, Exception):
            raise InkproofError(
                f"The Dask worker {address} cannot run Inkproof ({there}): start it in Inkproof's folder, in an "
                "environment with requirements.txt."
            )
        for what, value in here.items():
            if there[what] != value:
                raise InkproofError(
                    f"The Dask worker {address} has {what} {there[what]}, here it is {value}: results could differ; "
                    "give both the same."
                )


def _about_this_process() -> dict[str, str]:
    """What the bytes of a result depend on."""
    import numpy

    return {
        "Inkproof": pipeline.__version__,
        "NumPy": numpy.__version__,
        KERNELS: os.environ.get(KERNELS, "unset"),
    }
