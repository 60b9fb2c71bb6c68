"""What a job is, before it runs: its settings, by which the same job is known again, and the work that the driver does.

A kind of job is one subclass of Plan, which trains through the Workbench that the driver hands it. So run folder,
ledger, lock, checkpoints, resume, engine, progress and report belong to every job.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from pipeline.dataset import Competition, Digits
from pipeline.dataset.split import stratified_holdout
from pipeline.errors import COMMAND
from pipeline.jobs.progress import RunLog
from pipeline.runs.run_folder import RUNS, data_record, dropped_record, extra_record
from pipeline.seeds import Stream, generator
from pipeline.training.environment import environment
from pipeline.training.recipe import Recipe
from pipeline.training.task import SharedRows, Split, TrainingResult, TrainingTask

INPUTS = ("competition", "recipe", "extra", "dropped")  # of a plan's fields, those that are no settings of its own
SUBMISSION = Path("submissions/submission.csv")
SUBMITTED = "submission.csv"  # in the run folder: the run's own, which the driver copies to where it was asked for


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


class Workbench(Protocol):
    """What the driver gives to a plan's work."""

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
        """Train what has no checkpoint yet; fold(task, result) is called in the order of the tasks."""


class Outcome(Protocol):
    """What a plan's work comes to. record: what run.json and the ledger keep beside what every job records."""

    folder: Path
    record: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """A job laid out. A subclass adds its settings as fields and does its `work`.

    extra: rows to train on beside the competition's own. dropped (d,): labelled rows that nothing is trained on; where
    they are held out, they are measured on all the same, so that runs of one seed stay comparable. Fields named in
    `free` may differ when the job is resumed; all others are its identity. What follows from the settings (recipes read
    from files, a hash over extra rows) is derived once.
    """

    kind: ClassVar[str]
    free: ClassVar[tuple[str, ...]] = ()
    goes_on_when_finished: ClassVar[bool] = False
    submits: ClassVar[bool] = False

    competition: Competition
    recipe: Recipe
    seed: int = 0
    extra: Digits | None = None
    dropped: np.ndarray | None = None

    @property
    def name(self) -> str:
        """What a new run folder is named after."""
        return f"{self.kind}-{self.recipe.name}"

    @property
    def settings(self) -> dict[str, Any]:
        """The plan's own settings as JSON values."""
        own = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in INPUTS}
        return _json(own)

    @cached_property
    def identity(self) -> dict[str, Any]:
        """All that results follow from: equal identities are the same job."""
        content = {key: value for key, value in self.recipe.content.items() if key not in ("summary", "reached")}
        return _json(
            {
                "kind": self.kind,
                "recipe": {"name": self.recipe.name, **content},
                "settings": {name: value for name, value in self.settings.items() if name not in self.free},
                "data": {"name": self.competition.name, "fingerprint": self.competition.fingerprint},
                "extra": extra_record(self.extra),
                "dropped": dropped_record(self.dropped),
                "environment": environment(),
            }
        )

    @property
    def record(self) -> dict[str, Any]:
        """What run.json says of every job."""
        return {
            "kind": self.kind,
            "seed": self.seed,
            "recipe": self.recipe.record,
            "data": data_record(self.competition),
            "extra": extra_record(self.extra),
            "dropped": dropped_record(self.dropped),
        }

    def check(self) -> None:
        """Raise UsageError for settings that do not suit the data, before anything is written."""

    def work(self, bench: Workbench) -> Outcome:
        """Train, evaluate, write artifacts into bench.folder. Raises InkproofError."""
        raise NotImplementedError

    def holdout(self, fraction: float) -> tuple[np.ndarray, np.ndarray]:
        """Rows to train on, and the holdout: the same rows for every job of one seed and fraction."""
        return stratified_holdout(self.competition.train.labels, fraction, rng=generator(self.seed, Stream.HOLDOUT))

    def shared_rows(self, splits: Mapping[str, Split]) -> SharedRows:
        """The rows of all fits; extra rows stand behind the competition's own, so that indices stay what they are."""
        train = self.competition.train
        images, labels = train.images, train.labels
        if self.extra is not None:
            images = np.concatenate([images, self.extra.images])
            labels = np.concatenate([labels, self.extra.labels])
        return SharedRows(
            images=images,
            labels=labels,
            classes=len(train.classes),
            test_images=self.competition.test.images,
            splits=splits,
        )

    def to_train_on(self, rows: np.ndarray) -> np.ndarray:
        """`rows` without those that are dropped, and the indices of the extra rows behind them."""
        first = self.competition.train.n
        kept = rows if self.dropped is None else np.setdiff1d(rows, self.dropped)
        return np.concatenate([kept, np.arange(first, first + (0 if self.extra is None else self.extra.n))])


def _json(value: Any) -> Any:
    return json.loads(json.dumps(value))
