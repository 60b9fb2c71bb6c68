"""Hyperparameter search as a job: rows held out and folds laid, trials until there are enough, the best as a recipe."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import optuna

from pipeline.dataset.split import stratified_folds
from pipeline.errors import InkproofError
from pipeline.jobs.plan import Plan, Workbench
from pipeline.jobs.tuning.artifacts import next_command, record_of, write_all
from pipeline.jobs.tuning.results import SearchResults, Trial, after_choice, importances, ranked, trials_of
from pipeline.jobs.tuning.study import DAMAGE, StudyStorage, quietly, repair_journal, resume, storage_errors
from pipeline.jobs.tuning.trial import fold_name
from pipeline.jobs.tuning.workers import TrialWork, run_trials
from pipeline.runs.ledger.mlflow import without_password
from pipeline.seeds import Stream, generator
from pipeline.training.recipe_tables import HOLDOUT
from pipeline.training.search_space import NOT_SEARCHED, Parameter, search_space
from pipeline.training.task import SharedRows, Split

JOURNAL = "journal.log"


@dataclass(frozen=True, kw_only=True, eq=False)
class SearchOutcome:
    """What a search came to. next: the command that measures the best on the rows held out."""

    folder: Path
    record: Mapping[str, Any]
    results: SearchResults
    next: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Search(Plan):
    """trials: how many there are to be in all. holdout_share: of the rows, which no trial sees.

    pruner: asha, hyperband or none. storage: address of a database; None is a journal in the run's folder.
    recipe_source: text of the recipe's file.
    """

    kind: ClassVar[str] = "tune"
    free: ClassVar[tuple[str, ...]] = ("trials", "recipe_source")
    goes_on_when_finished: ClassVar[bool] = True

    trials: int = 20
    folds: int = 3
    holdout_share: float = HOLDOUT
    pruner: str = "asha"
    storage: str | None = None
    recipe_source: str | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """Without the password of a database."""
        storage = None if self.storage is None else without_password(self.storage)
        return {**super().settings, "storage": storage}

    @cached_property
    def space(self) -> tuple[Parameter, ...]:
        return search_space(self.recipe.content)

    @cached_property
    def study_name(self) -> str:
        """The study's name wherever it is stored: the recipe's, and a fingerprint of what trials follow from."""
        content = {key: value for key, value in self.recipe.content.items() if key not in NOT_SEARCHED}
        identity = {**self.identity, "recipe": {**content, "search": self.recipe.content.get("search")}}
        identity["settings"] = {name: value for name, value in identity["settings"].items() if name != "storage"}
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        return f"inkproof-{self.recipe.name}-{digest[:12]}"

    def check(self) -> None:
        _ = self.space
        if self.storage is not None:  # an address that does not work is told before a run begins
            StudyStorage(self.study_name, Path(JOURNAL), self.storage).storage()

    def work(self, bench: Workbench) -> SearchOutcome:
        shared, positions = self.rows()
        place = StudyStorage(self.study_name, (bench.folder / JOURNAL).absolute(), self.storage)
        work = TrialWork(
            storage=place,
            run=bench.folder.name,
            session=secrets.token_hex(8),
            total=self.trials,
            recipe=self.recipe,
            space=self.space,
            positions=positions,
            seed=self.seed,
            pruner=self.pruner,
        )
        with storage_errors(place, *DAMAGE):
            study = self._resume(bench, work)
        with storage_errors(place):
            self._run_trials(bench, work, shared, study)
        with storage_errors(place, *DAMAGE):
            results = self._results(work, study)
            shares = importances(study, results.trials)
        follow = next_command(self, bench.folder, bench.options.source)
        write_all(self, bench.folder, results, shares, follow)
        return SearchOutcome(folder=bench.folder, record=record_of(self, results), results=results, next=follow)

    def rows(self) -> tuple[SharedRows, list[np.ndarray]]:
        """The rows and their folds; for each fold, where its validation rows stand among those that trials may see."""
        seen, _ = self.holdout(self.holdout_share)
        labels = self.competition.train.labels[seen]
        folds = stratified_folds(labels, self.folds, rng=generator(self.seed, Stream.SEARCH_FOLDS))
        splits = {
            fold_name(number): Split(train=self.to_train_on(seen[learnt]), validation=seen[predicted])
            for number, (learnt, predicted) in enumerate(folds)
        }
        return self.shared_rows(splits), [predicted for _, predicted in folds]

    def _resume(self, bench: Workbench, work: TrialWork) -> optuna.Study:
        """The study, ready for this run to go on with."""
        alone = self.storage is None
        if alone:
            repair_journal(work.storage.journal)
        with quietly():
            study = work.study()
            again = resume(study, work.run, work.own, alone=alone)
            study = work.study()  # once more, for the sampler to know what was stopped
        rows = sum(map(len, work.positions))
        there = trials_of(study, work.space, rows)
        bench.run_log.say(
            f"{bench.folder.name}: {len(work.space)} settings of recipe {self.recipe.name}, {self.folds} folds of "
            f"{rows:,} rows; {self.competition.train.n - rows:,} rows are held out and seen by no trial\n"
            f"{len(there)} of {self.trials} trials are there already"
            + (f", {again} that had been stopped are done again" if again else "")
        )
        return study

    def _run_trials(self, bench: Workbench, work: TrialWork, shared: SharedRows, study: optuna.Study) -> None:
        rows = sum(map(len, work.positions))
        there = len(trials_of(study, work.space, rows))
        with bench.run_log.counting("Trials", self.trials, there) as report:

            def on_trial(number: int) -> None:
                trials = trials_of(study, work.space, rows)
                report(_progress(next(trial for trial in trials if trial.number == number), ranked(trials)))

            run_trials(work, shared, study, options=bench.options, on_trial=on_trial)
        if len(trials_of(study, work.space, rows)) < self.trials:
            bench.run_log.say(
                "Other runs are at the missing trials, or were killed in them: the same command there ends them."
            )

    def _results(self, work: TrialWork, study: optuna.Study) -> SearchResults:
        """Raises InkproofError where no trial ended with a score."""
        rows = sum(map(len, work.positions))
        trials = trials_of(study, work.space, rows)
        if not ranked(trials):
            reasons = dict.fromkeys(trial.reason for trial in trials if trial.reason)
            raise InkproofError(f"None of {len(trials)} trials ended with a score: {' '.join(reasons)}")
        best = ranked(trials)[0]
        own = next((trial for trial in ranked(trials) if trial.values == work.own), None)
        return SearchResults(
            data=self.competition.name,
            recipe=self.recipe.name,
            sample=self.competition.is_sample,
            rows=rows,
            folds=self.folds,
            longest=work.longest,
            space=work.space,
            trials=trials,
            best=best,
            own=own,
            gain=None if own is None or own is best else best.better_than(own),
            expected=after_choice(trials, self.seed),
        )


def _progress(trial: Trial, best: Sequence[Trial]) -> str:
    outcome = f"failed: {trial.reason}"
    if trial.score is not None:
        outcome = f"{trial.score.accuracy:.2%}"
    elif trial.state == "pruned":
        outcome = f"pruned at {trial.curve[-1][1]:.2%} after {trial.curve[-1][0]} epochs"
    so_far = f" (best {best[0].score.accuracy:.2%}, trial {best[0].number})" if best else ""
    return f"trial {trial.number}: {outcome}{so_far}"
