"""Trials until there are as many as asked for: in this process, or in several that share the study."""

from __future__ import annotations

import base64
import os
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from pipeline.errors import InkproofError
from pipeline.jobs.tuning.study import FOUND, REASON, RUN, StudyStorage, missing, quietly
from pipeline.jobs.tuning.trial import Score, score
from pipeline.training import recipe as recipes
from pipeline.training.parallel import KILLED, exit_with_parent, kill_workers
from pipeline.training.recipe import Recipe
from pipeline.training.search_space import Parameter, with_values
from pipeline.training.task import Part, Rows


@dataclass(frozen=True)
class Work:
    """All that a process needs to do trials.

    run: id of the run that they belong to. parts: the folds. session: differs from one command to the next, so that
    a process that lives on reads the study anew.
    """

    place: StudyStorage
    run: str
    session: str
    recipe: Recipe
    space: tuple[Parameter, ...]
    parts: Sequence[Part]
    seed: int
    pruner: str

    @property
    def longest(self) -> int:
        """Epochs of the longest fit that may be tried."""
        for one in self.space:
            if one.path == "training.epochs":
                return max(one.choices) if one.choices else one.high
        return self.recipe.training.epochs

    @property
    def own(self) -> dict[str, object]:
        """The recipe's own values of the settings that are searched."""
        return {one.path: one.own for one in self.space}

    def study(self) -> optuna.Study:
        return self.place.study(self.pruner, self.longest, len(self.parts), self.seed)


def run_trials(
    work: Work, rows: Rows, study: optuna.Study, total: int, *, jobs: int, on_trial: Callable[[int], None]
) -> None:
    """Do trials until the study has `total`, `jobs` at a time; on_trial(number) is told each that has ended.

    Raises InkproofError when a worker process was killed; what had ended is in the study.
    """
    count = missing(study, work.run, total)
    if jobs == 1 or count <= 1:
        for _ in range(count):
            on_trial(one_trial(work, rows, study))
        return

    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    # joblib writes large arrays to a file once, which all workers map into their memory.
    parallel = Parallel(
        min(jobs, count), backend="loky", inner_max_num_threads=1, return_as="generator_unordered", batch_size=1
    )
    try:
        for number in parallel(delayed(_in_worker)(work, rows, os.getpid()) for _ in range(count)):
            on_trial(number)
    except TerminatedWorkerError as error:
        kill_workers()
        raise InkproofError(
            f"{KILLED}: use fewer --jobs; the same command goes on with what is missing, and does what it was at again."
        ) from error
    except BaseException:
        kill_workers()
        raise


_open: dict[str, optuna.Study] = {}  # in a worker process: the study of the session that it works for


def _in_worker(work: Work, rows: Rows, parent: int) -> int:
    exit_with_parent(parent)
    if work.session not in _open:
        _open.clear()
        _open[work.session] = work.study()
    return one_trial(work, rows, _open[work.session])


def one_trial(work: Work, rows: Rows, study: optuna.Study) -> int:
    """Ask for settings, score them, tell what came out; the trial's number.

    The recipe's own settings are never pruned: everything is compared with them. Settings that make no recipe, and
    a training that breaks down, are a failed trial with the reason in it.
    """
    with quietly():
        trial = study.ask()
        trial.set_user_attr(RUN, work.run)

        def report(step: int, accuracy: float) -> None:
            trial.report(accuracy, step)
            # Past the first fold the few that are left differ by little more than chance.
            if step <= work.longest and trial.should_prune() and values != work.own:
                raise optuna.TrialPruned

        try:
            values = {one.path: one.suggest(trial) for one in work.space}
            content = with_values(work.recipe.content, values)
            del content["search"]
            tried = recipes.check(content, name=work.recipe.name, where=f"trial {trial.number}")
            found = score(tried, rows, work.parts, seed=work.seed, longest=work.longest, report=report)
        except optuna.TrialPruned:
            study.tell(trial, state=TrialState.PRUNED)
        except InkproofError as error:
            trial.set_user_attr(REASON, str(error))
            study.tell(trial, state=TrialState.FAIL)
        else:
            trial.set_user_attr(FOUND, pack(found))
            study.tell(trial, found.accuracy)
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
