"""Results of a hyperparameter search: the best trial, its gain on the recipe, and what the choice is worth."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from pipeline.evaluation.statistics import Estimate, paired_difference, wilson_interval
from pipeline.jobs.tuning.study import REASON, stopped_in
from pipeline.jobs.tuning.trials import Score, TrialWork, unpack
from pipeline.training.search_space import Parameter, own_values

STATES = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}
DRAWS = 1000
FEWEST_FOR_IMPORTANCES = 10  # complete trials


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial:
    """A trial that has ended. state: complete, pruned or failed; score: of a complete one; reason: of a failed one.

    values: what it tried, by path. curve: (epochs spent, accuracy so far). seconds: wall time.
    """

    number: int
    state: str
    values: dict[str, Any]
    curve: tuple[tuple[int, float], ...]
    seconds: float
    score: Score | None = None
    reason: str | None = None

    def accuracy(self) -> Estimate:
        """The folds' mean, with Wilson's 95 % interval of the rows of all folds."""
        wrong = self.score.wrong
        interval = wilson_interval(int((~wrong).sum()), len(wrong))
        return Estimate(self.score.accuracy, interval.low, interval.high)

    def better_than(self, other: Trial) -> Estimate:
        """The difference in accuracy on the same rows, with its 95 % interval over rows."""
        return paired_difference(~self.score.wrong[None], ~other.score.wrong[None])


def trials_of(study: optuna.Study, work: TrialWork) -> list[Trial]:
    """All trials that have ended, in their order; those that were stopped and done again are left out."""
    stopped = stopped_in(study)
    return [
        _trial(frozen, work)
        for frozen in study.get_trials(deepcopy=False)
        if frozen.state in STATES and frozen.number not in stopped
    ]


def _trial(frozen: FrozenTrial, work: TrialWork) -> Trial:
    tried = frozen.params
    return Trial(
        number=frozen.number,
        state=STATES[frozen.state],
        values={setting.path: setting.rounded(tried[setting.path]) for setting in work.space if setting.path in tried},
        curve=tuple(sorted(frozen.intermediate_values.items())),
        seconds=frozen.duration.total_seconds() if frozen.duration else 0.0,
        score=unpack(frozen, work.rows) if frozen.state == TrialState.COMPLETE else None,
        reason=frozen.user_attrs.get(REASON),
    )


def ranked(trials: Sequence[Trial]) -> list[Trial]:
    """Complete trials, the best first: by accuracy, then by log-loss, then the older one."""
    complete = [trial for trial in trials if trial.score is not None]
    return sorted(complete, key=lambda trial: (-trial.score.accuracy, trial.score.log_loss, trial.number))


def after_choice(trials: Sequence[Trial], seed: int) -> Estimate | None:
    """The accuracy that choosing the best of these trials leads to; None where there was nothing to choose.

    The best of many is in part the luckiest. Here the choice is made DRAWS times on rows drawn with replacement
    and judged on the rows that were not drawn: mean, and 95 % of the draws. I. Tsamardinos, E. Greasidou, G.
    Borboudakis, Bootstrapping the out-of-sample predictions, Machine Learning 107 (2018), BBC-CV. That settings
    were proposed by what these same rows had said before is not undone by it.
    """
    complete = ranked(trials)
    if len(complete) < 2:
        return None
    right = np.stack([~trial.score.wrong for trial in complete]).astype(np.float32)
    rng = np.random.default_rng(seed)
    n = right.shape[1]
    accuracies = []
    for _ in range(DRAWS):
        times = np.bincount(rng.integers(n, size=n), minlength=n).astype(np.float32)
        winner = int((right @ times).argmax())
        accuracies.append(right[winner, times == 0].mean())
    return Estimate(float(np.mean(accuracies)), *np.quantile(accuracies, (0.025, 0.975)).tolist())


def importances(study: optuna.Study, trials: Sequence[Trial]) -> dict[str, float]:
    """Each setting's share in telling good trials from the rest, the largest first; empty with too few trials."""
    if len(ranked(trials)) < FEWEST_FOR_IMPORTANCES:
        return {}
    with warnings.catch_warnings(action="ignore"):  # that all are equal, where all trials are, is what the figure shows
        return {path: float(share) for path, share in optuna.importance.get_param_importances(study).items()}


@dataclass(frozen=True, kw_only=True, eq=False)
class SearchResults:
    """What a search came to, as tables, figures and the record read it.

    data: its name. recipe: name of the recipe that was searched. rows: those of all folds. longest: epochs of the
    longest fit. trials: all that ended, one of them complete.
    """

    data: str
    recipe: str
    sample: bool
    seed: int
    rows: int
    folds: int
    longest: int
    space: tuple[Parameter, ...]
    trials: Sequence[Trial]

    @cached_property
    def best(self) -> Trial:
        return ranked(self.trials)[0]

    @cached_property
    def own(self) -> Trial | None:
        """The best trial of the recipe's own settings; None where they failed."""
        values = own_values(self.space)
        return next((trial for trial in ranked(self.trials) if trial.values == values), None)

    @cached_property
    def gain(self) -> Estimate | None:
        """The accuracy of the best less that of the recipe's own settings; None where there is nothing to gain."""
        return None if self.own in (None, self.best) else self.best.better_than(self.own)

    @cached_property
    def expected(self) -> Estimate | None:
        """The accuracy that the choice is worth, None with a single complete trial."""
        return after_choice(self.trials, self.seed)

    @property
    def complete(self) -> list[Trial]:
        return [trial for trial in self.trials if trial.state == "complete"]

    @property
    def drawn_in_order(self) -> list[Trial]:
        """The recipe's own trial and the best last, so that they lie on top."""
        return sorted(self.trials, key=lambda trial: (trial is self.best, trial is self.own))

    @property
    def about(self) -> str:
        """A sentence on data, recipe and folds."""
        return f"{self.data}, {self.recipe}: {len(self.trials)} trials on {self.folds} folds of {self.rows:,} rows."
