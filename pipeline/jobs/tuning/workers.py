"""Trials until there are as many as asked for: in this process, or in several that share the study."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from pipeline.errors import InkproofError
from pipeline.jobs.plan import JobOptions
from pipeline.jobs.tuning.study import FOUND, REASON, RUN, StudyStorage, is_one_too_many, missing, quietly
from pipeline.jobs.tuning.trial import Score, score
from pipeline.training import recipe as recipes
from pipeline.training.parallel import WorkerKilled, in_processes
from pipeline.training.recipe import Recipe
from pipeline.training.search_space import Parameter, with_values
from pipeline.training.task import SharedRows


@dataclass(frozen=True, kw_only=True, eq=False)
class TrialWork:
    """All that a process needs to do trials.

    run: id of the run that they belong to. total: trials that the study is to have. positions: see trial.score.
    session: differs from one command to the next, so that a process that lives on reads the study anew.
    """

    storage: StudyStorage
    run: str
    session: str
    total: int
    recipe: Recipe
    space: tuple[Parameter, ...]
    positions: Sequence[np.ndarray]
    seed: int
    pruner: str

    @property
    def longest(self) -> int:
        """Epochs of the longest fit that may be tried."""
        for setting in self.space:
            if setting.path == "training.epochs":
                return max(setting.choices) if setting.choices else setting.high
        return self.recipe.training.epochs

    @property
    def own(self) -> dict[str, object]:
        """The recipe's own values of the settings that are searched."""
        return {setting.path: setting.own for setting in self.space}

    def study(self) -> optuna.Study:
        return self.storage.study(self.pruner, self.longest, len(self.positions), self.seed)


def run_trials(
    work: TrialWork,
    shared: SharedRows,
    study: optuna.Study,
    *,
    options: JobOptions,
    on_trial: Callable[[int], None],
) -> None:
    """Do trials until the study has work.total, options.jobs at a time; on_trial(number) is called for each that ended.

    Raises InkproofError when a worker process was killed; what had ended is in the study.
    """
    count = missing(study, work.run, work.total)
    if options.engine == "dask" and count:
        from pipeline.training.dask_cluster import cluster, on_cluster

        with cluster(options.scheduler, min(options.jobs, count)) as client:
            for _, number in on_cluster(partial(_trial_in_worker, work), range(count), shared, client=client):
                if isinstance(number, str):
                    raise InkproofError(f"A trial was given up: {number} The same command goes on with it.")
                if number is not None:
                    on_trial(number)
        return
    if options.jobs == 1 or count <= 1:
        for _ in range(count):
            number = one_trial(work, shared, study)
            if number is None:
                return
            on_trial(number)
        return
    try:
        how = {"jobs": min(options.jobs, count)}
        with closing(in_processes(partial(_trial_in_worker, work), range(count), shared, **how)) as trials:
            for _, number in trials:
                if number is not None:
                    on_trial(number)
    except WorkerKilled as error:
        raise InkproofError(
            f"{error} The same command goes on with what is missing, and does what it was at again."
        ) from error


_open: dict[str, optuna.Study] = {}  # in a worker process: the study of the session that it works for


def _trial_in_worker(work: TrialWork, _: int, shared: SharedRows) -> int | None:
    if work.session not in _open:
        _open.clear()
        _open[work.session] = work.study()
    return one_trial(work, shared, _open[work.session])


def one_trial(work: TrialWork, shared: SharedRows, study: optuna.Study) -> int | None:
    """Ask the study for settings, score them, report the score; the trial's number, None where there are enough.

    The recipe's own settings are never pruned: everything is compared with them. Settings that make no recipe, and
    a training that breaks down, are a failed trial with the reason in it.
    """
    with quietly():
        trial = study.ask()
        if is_one_too_many(study, trial.number, work.total):
            return None
        trial.set_user_attr(RUN, work.run)

        def report(step: int, accuracy: float) -> None:
            trial.report(accuracy, step)
            # Past the first fold the few that are left differ by little more than chance.
            if step <= work.longest and trial.should_prune() and values != work.own:
                raise optuna.TrialPruned

        try:
            values = {setting.path: setting.suggest(trial) for setting in work.space}
            content = with_values(work.recipe.content, values)
            del content["search"]
            tried = recipes.check(content, name=work.recipe.name, where=f"trial {trial.number}")
            result = score(tried, shared, work.positions, seed=work.seed, longest=work.longest, report=report)
        except optuna.TrialPruned:
            study.tell(trial, state=TrialState.PRUNED)
        except InkproofError as error:
            trial.set_user_attr(REASON, str(error))
            study.tell(trial, state=TrialState.FAIL)
        else:
            trial.set_user_attr(FOUND, pack(result))
            study.tell(trial, result.accuracy)
        return trial.number


def pack(found: Score) -> dict[str, object]:
    """A score as JSON values; the rows as bits, because a database's text fields are short."""
    bits = base64.b85encode(zlib.compress(np.packbits(found.wrong).tobytes())).decode("ascii")
    return {"accuracies": list(found.accuracies), "log_losses": list(found.log_losses), "wrong": bits}


def unpack(trial: FrozenTrial, rows: int) -> Score | None:
    """The score of a trial on so many rows; None where it has none."""
    packed = trial.user_attrs.get(FOUND)
    if packed is None:
        return None
    bits = np.frombuffer(zlib.decompress(base64.b85decode(packed["wrong"])), np.uint8)
    wrong = np.unpackbits(bits, count=rows).astype(bool)
    return Score(tuple(packed["accuracies"]), tuple(packed["log_losses"]), wrong)
