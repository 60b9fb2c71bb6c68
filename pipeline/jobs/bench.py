"""What a job works with: its options, the run's folder and log, and training in an engine, with checkpoints."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.errors import COMMAND, DataError, InkproofError
from pipeline.jobs.progress import RunLog
from pipeline.runs.run_folder import RUNS
from pipeline.training.checkpoint import load_checkpoint, save_checkpoint, split_fingerprints, task_fingerprint
from pipeline.training.parallel import run_tasks
from pipeline.training.task import SharedRows, TrainingResult, TrainingTask

SUBMISSION = Path("submissions/submission.csv")
CHECKPOINTS = Path("checkpoints", "fits")  # so deep that `predict` and `serve` do not take them for models


@dataclass(frozen=True, kw_only=True)
class JobOptions:
    """How and where a job runs; results do not depend on it.

    jobs: fits at the same time. engine: "processes" of this machine or "dask". scheduler: address of a Dask
    scheduler; None starts one. runs: where run folders are. submission: where the submission goes. command: the
    command line. resume: id of the run to go on with. source: the words of the command line that name the data.
    """

    jobs: int = 1
    engine: str = "processes"
    scheduler: str | None = None
    runs: Path = RUNS
    submission: Path = SUBMISSION
    command: str = COMMAND
    resume: str | None = None
    source: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What the driver hands to a plan's work: identity, the run's folder, options, log, training with checkpoints."""

    identity: Mapping[str, Any]
    folder: Path
    options: JobOptions
    run_log: RunLog

    def train(
        self,
        tasks: Sequence[TrainingTask],
        shared: SharedRows,
        fold: Callable[[TrainingTask, TrainingResult], None],
        *,
        title: str,
    ) -> None:
        """Train what has no checkpoint yet; fold(task, result) is called in the order of the tasks.

        Each result is written as soon as it is there and dropped; one that comes before its turn is read again when
        it is folded, so that sums do not depend on which fit ended first. Raises InkproofError for fits that failed,
        when the others are done.
        """
        data = json.dumps([self.identity["data"], self.identity["extra"]])
        splits = split_fingerprints(shared)
        fingerprints = {task.name: task_fingerprint(task, data=data, split=splits[task.split]) for task in tasks}
        missing, turn, failures = [], 0, []
        for task in tasks:
            result = self._checkpoint(task, fingerprints[task.name])
            if result is None:
                missing.append(task)
            elif not missing:
                fold(task, result)
                turn += 1
        if len(missing) < len(tasks):
            self.run_log.say(f"{len(tasks) - len(missing)} of {len(tasks)} fits are there already")
        with closing(self._results(missing, shared, title)) as results:
            for task, result in results:
                if isinstance(result, str):
                    failures.append(
                        f"The fit {task.name} (recipe {task.recipe.name}, σ {task.sigma:g}) failed: {result}"
                    )
                    continue
                save_checkpoint(self._path(task), result, fingerprints[task.name])
                if not failures and task is tasks[turn]:
                    fold(task, result)
                    turn += 1
        if failures:
            raise InkproofError(
                f"{' '.join(failures)} The other {len(tasks) - len(failures)} of {len(tasks)} fits are kept: the same "
                f"command again, or --resume {self.folder.name}, trains only what is missing."
            )
        for task in tasks[turn:]:
            fold(task, load_checkpoint(self._path(task), fingerprints[task.name]))

    def _results(
        self, tasks: Sequence[TrainingTask], shared: SharedRows, title: str
    ) -> Iterator[tuple[TrainingTask, TrainingResult | str]]:
        """Each task with its result, or why it has none, as soon as it ends."""
        if not tasks:
            return
        options = self.options
        with self.run_log.fits(title, tasks) as on_epoch:
            how = {"jobs": options.jobs, "folder": self.folder / "history", "on_epoch": on_epoch}
            if options.engine == "dask":
                from pipeline.training.dask_cluster import run_tasks_on_cluster

                yield from run_tasks_on_cluster(tasks, shared, scheduler=options.scheduler, **how)
            else:
                yield from run_tasks(tasks, shared, say=self.run_log.say, **how)

    def _path(self, task: TrainingTask) -> Path:
        return self.folder / CHECKPOINTS / f"{task.file_name}.safetensors"

    def _checkpoint(self, task: TrainingTask, fingerprint: str) -> TrainingResult | None:
        """The task's finished fit, None where there is no whole one."""
        path = self._path(task)
        try:
            return load_checkpoint(path, fingerprint) if path.exists() else None
        except DataError as error:
            self.run_log.say(f"Trained again: {error}")
            return None
