"""What a job is, before it runs: its settings, by which the same job is known again, and the work that the driver does.

A kind of job is one subclass of Plan, which trains through the Bench that the driver hands it. So run folder, ledger,
lock, checkpoints, resume, engine, progress and report belong to every job.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pipeline.dataset import Competition, Digits
from pipeline.dataset.split import stratified_folds, stratified_holdout
from pipeline.jobs.bench import Bench
from pipeline.runs.run_folder import data_record, rows_record
from pipeline.seeds import Stream, generator
from pipeline.training.environment import environment
from pipeline.training.recipe import Recipe
from pipeline.training.task import SharedRows, Split

INPUTS = ("competition", "recipe", "extra", "dropped", "answers")  # of a plan's fields, those that are no settings
SUBMITTED = "submission.csv"  # in the run folder: the run's own, which the driver copies to where it was asked for


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """What a plan's work comes to; record: what run.json and the ledger keep of it beside the plan's own record."""

    folder: Path
    record: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldRows:
    """Which labelled rows do what in a cross-validation.

    pool (n,): the rows that the folds are of; labels (n,) theirs. folds: pairs of rows to train on and to predict,
    indices into the pool; fold_of (n,): in which of them each is predicted. held_out: rows that no fold has.
    """

    pool: np.ndarray
    labels: np.ndarray
    folds: list[tuple[np.ndarray, np.ndarray]]
    fold_of: np.ndarray
    held_out: np.ndarray

    @property
    def predicted(self) -> list[np.ndarray]:
        """Of each fold the rows that it predicts, indices into the pool."""
        return [predicted for _, predicted in self.folds]

    def splits(self, *, test: bool = False) -> dict[str, Split]:
        """The split of each fold, by fold_name."""
        return {
            fold_name(fold): Split(train=self.pool[learnt], validation=self.pool[predicted], test=test)
            for fold, (learnt, predicted) in enumerate(self.folds)
        }


def fold_name(fold: int) -> str:
    """The name of a fold's split; folds count from 0, their names from 1."""
    return f"fold {fold + 1}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """A job laid out. A subclass adds its settings as fields, all of which are JSON values, and does its `work`.

    extra: rows to train on beside the competition's own. dropped (d,): labelled rows that nothing is trained on; where
    they are held out, they are measured on all the same, so that runs of one seed stay comparable. Fields named in
    `free` may differ when the job is resumed; all others are its identity. prefix: of a new run's name, before the
    recipe's. What follows from the settings (recipes read from files, a hash over extra rows) is derived once.
    """

    kind: ClassVar[str]
    free: ClassVar[tuple[str, ...]] = ()
    goes_on_when_finished: ClassVar[bool] = False
    prefix: ClassVar[str] = ""
    submits: ClassVar[bool] = False

    competition: Competition
    recipe: Recipe
    seed: int = 0
    extra: Digits | None = None
    dropped: np.ndarray | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """The seed and the subclass's own fields as JSON values."""
        names = [each.name for each in fields(self) if each.name not in INPUTS]
        return _json({name: getattr(self, name) for name in names})

    @cached_property
    def fixed_settings(self) -> dict[str, Any]:
        """Settings that the job is known again by."""
        return {name: value for name, value in self.settings.items() if name not in self.free}

    @cached_property
    def identity(self) -> dict[str, Any]:
        """All that results follow from: equal identities are the same job, wherever its data lie."""
        content = {key: value for key, value in self.recipe.content.items() if key not in ("summary", "reached")}
        return _json(
            {
                "kind": self.kind,
                "recipe": {"name": self.recipe.name, **content},
                "settings": self.fixed_settings,
                "data": self.competition.fingerprint,
                "extra": self.extra and rows_record(self.extra.images, self.extra.labels),
                "dropped": None if self.dropped is None else rows_record(self.dropped.astype("<i8")),
                "environment": environment(),
            }
        )

    @cached_property
    def record(self) -> dict[str, Any]:
        """What run.json says of every job."""
        about = {"recipe": self.recipe.record, "data": data_record(self.competition)}
        rows = {name: self.identity[name] for name in ("extra", "dropped")}
        return {"kind": self.kind, **self.fixed_settings, **about, **rows}

    def check(self) -> None:
        """Raise UsageError for settings that do not suit the data, before anything is written."""

    def work(self, bench: Bench) -> Outcome:
        """Train, evaluate, write artifacts into bench.folder. Raises InkproofError."""
        raise NotImplementedError

    def holdout(self, fraction: float) -> tuple[np.ndarray, np.ndarray]:
        """Rows to train on, and the holdout: the same rows for every job of one seed and fraction."""
        return stratified_holdout(self.competition.train.labels, fraction, rng=generator(self.seed, Stream.HOLDOUT))

    def fold_rows(self, folds: int, held_out_share: float, stream: Stream) -> FoldRows:
        """Stratified folds of all rows but the holdout; with a share of 0 nothing is held out."""
        train = self.competition.train
        pool, held_out = self.holdout(held_out_share) if held_out_share else (np.arange(train.n), np.arange(0))
        pairs = stratified_folds(train.labels[pool], folds, rng=generator(self.seed, stream))
        fold_of = np.empty(len(pool), np.int64)
        for fold, (_, predicted) in enumerate(pairs):
            fold_of[predicted] = fold
        return FoldRows(pool=pool, labels=train.labels[pool], folds=pairs, fold_of=fold_of, held_out=held_out)

    def shared_rows(self, splits: Mapping[str, Split]) -> SharedRows:
        """The rows of all fits; every split trains on the extra rows, behind the competition's, and on none dropped."""
        train = self.competition.train
        images, labels = train.images, train.labels
        if self.extra is not None:
            images = np.concatenate([images, self.extra.images])
            labels = np.concatenate([labels, self.extra.labels])
        added = np.arange(train.n, len(labels))
        dropped = np.arange(0) if self.dropped is None else self.dropped
        return SharedRows(
            images=images,
            labels=labels,
            classes=len(train.classes),
            test_images=self.competition.test.images,
            splits={
                name: replace(split, train=np.concatenate([np.setdiff1d(split.train, dropped), added]))
                for name, split in splits.items()
            },
        )


def _json(value: Any) -> Any:
    return json.loads(json.dumps(value))
