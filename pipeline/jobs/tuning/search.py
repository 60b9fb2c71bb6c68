"""Hyperparameter search as a job: rows held out and folds laid, trials until there are enough, the best as a recipe."""

import hashlib
import json
import secrets
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import optuna

from pipeline.errors import InkproofError, without_password
from pipeline.jobs.bench import Bench
from pipeline.jobs.plan import FoldRows, Outcome, Plan
from pipeline.jobs.tuning.artifacts import next_command, record_of, write_all
from pipeline.jobs.tuning.results import SearchResults, Trial, importances, ranked, trials_of
from pipeline.jobs.tuning.study import DAMAGE, StudyStorage, quietly, repair_journal, resume, storage_errors
from pipeline.jobs.tuning.trials import TrialWork, run_trials
from pipeline.seeds import Stream
from pipeline.training.recipe_tables import HOLDOUT
from pipeline.training.search_space import NOT_SEARCHED, Parameter, own_values, search_space

JOURNAL = "journal.log"


@dataclass(frozen=True, kw_only=True, eq=False)
class SearchOutcome(Outcome):
    """What a search came to. next: the command that measures the best on the rows held out."""

    results: SearchResults
    next: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Search(Plan):
    """trials: how many there are to be in all. holdout_share: of the rows, which no trial sees.

    pruner: asha, hyperband or none. storage: address of a database; None is a journal in the run's folder.
    recipe_source: text of the recipe's file.
    """

    kind: ClassVar[str] = "tune"
    prefix: ClassVar[str] = "tune-"
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
        return {**super().settings, "storage": self.storage and without_password(self.storage)}

    @cached_property
    def space(self) -> tuple[Parameter, ...]:
        return search_space(self.recipe.content)

    @cached_property
    def study_name(self) -> str:
        """The study's name wherever it is stored: the recipe's, and a fingerprint of what trials follow from."""
        content = {key: value for key, value in self.recipe.content.items() if key not in NOT_SEARCHED}
        identity = {**self.identity, "recipe": {**content, "search": self.recipe.content.get("search")}}
        identity["settings"] = {**self.fixed_settings, "storage": None}
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        return f"inkproof-{self.recipe.name}-{digest[:12]}"

    def check(self) -> None:
        _ = self.space
        if self.storage is not None:  # an address that does not work is told before a run begins
            StudyStorage(self.study_name, Path(JOURNAL), self.storage).storage()

    def rows(self) -> FoldRows:
        return self.fold_rows(self.folds, self.holdout_share, Stream.SEARCH_FOLDS)

    def work(self, bench: Bench) -> SearchOutcome:
        rows = self.rows()
        work = TrialWork(
            storage=StudyStorage(self.study_name, (bench.folder / JOURNAL).absolute(), self.storage),
            run=bench.folder.name,
            session=secrets.token_hex(8),
            total=self.trials,
            recipe=self.recipe,
            space=self.space,
            positions=rows.predicted,
            seed=self.seed,
            pruner=self.pruner,
        )
        with storage_errors(work.storage, *DAMAGE):
            study = self._resume(bench, work)
        with storage_errors(work.storage):
            self._run_trials(bench, work, rows, study)
        with storage_errors(work.storage, *DAMAGE):
            results = self._results(work, trials_of(study, work))
            shares = importances(study, results.trials)
        follow = next_command(bench.folder, bench.options.source, seed=self.seed, holdout_share=self.holdout_share)
        write_all(bench.folder, self.recipe, self.recipe_source, results, shares, seed=self.seed, follow=follow)
        return SearchOutcome(folder=bench.folder, record=record_of(results), results=results, next=follow)

    def _resume(self, bench: Bench, work: TrialWork) -> optuna.Study:
        """The study, ready for this run to go on with."""
        alone = self.storage is None
        if alone:
            repair_journal(work.storage.journal)
        with quietly():
            study = work.study()
            again = resume(study, work.run, own_values(self.space), alone=alone)
            study = work.study()  # once more, for the sampler to know what was stopped
        bench.run_log.say(
            f"{bench.folder.name}: {len(work.space)} settings of recipe {self.recipe.name}, {self.folds} folds of "
            f"{work.rows:,} rows; {self.competition.train.n - work.rows:,} rows are held out and seen by no trial\n"
            f"{len(trials_of(study, work))} of {self.trials} trials are there already"
            + (f", {again} that had been stopped are done again" if again else "")
        )
        return study

    def _run_trials(self, bench: Bench, work: TrialWork, rows: FoldRows, study: optuna.Study) -> None:
        shared = self.shared_rows(rows.splits())
        with (
            bench.run_log.counting("Trials", self.trials, len(trials_of(study, work))) as report,
            closing(run_trials(work, shared, study, bench.options)) as numbers,
        ):
            for number in numbers:
                trials = trials_of(study, work)
                report(_progress(next(trial for trial in trials if trial.number == number), ranked(trials)))
        if len(trials_of(study, work)) < self.trials:
            bench.run_log.say(
                "Other runs are at the missing trials, or were killed in them: the same command there ends them."
            )

    def _results(self, work: TrialWork, trials: Sequence[Trial]) -> SearchResults:
        """Raises InkproofError where no trial ended with a score."""
        if not ranked(trials):
            reasons = dict.fromkeys(trial.reason for trial in trials if trial.reason)
            raise InkproofError(f"None of {len(trials)} trials ended with a score: {' '.join(reasons)}")
        return SearchResults(
            data=self.competition.name,
            recipe=self.recipe.name,
            sample=self.competition.is_sample,
            seed=self.seed,
            rows=work.rows,
            folds=self.folds,
            longest=work.longest,
            space=self.space,
            trials=trials,
        )


def _progress(trial: Trial, best: Sequence[Trial]) -> str:
    outcome = f"failed: {trial.reason}"
    if trial.score is not None:
        outcome = f"{trial.score.accuracy:.2%}"
    elif trial.state == "pruned":
        outcome = f"pruned at {trial.curve[-1][1]:.2%} after {trial.curve[-1][0]} epochs"
    so_far = f" (best {best[0].score.accuracy:.2%}, trial {best[0].number})" if best else ""
    return f"trial {trial.number}: {outcome}{so_far}"
