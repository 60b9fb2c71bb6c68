"""Trials: a recipe's accuracy over the folds, epoch by epoch, and as many of them as were asked for, in any process."""

import base64
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from pipeline.errors import InkproofError
from pipeline.evaluation.robustness.conditions import condition
from pipeline.jobs.bench import JobOptions
from pipeline.jobs.plan import fold_name
from pipeline.jobs.tuning.study import FOUND, REASON, RUN, StudyStorage, is_one_too_many, missing, quietly
from pipeline.seeds import Stream
from pipeline.training import Epoch
from pipeline.training import recipe as recipes
from pipeline.training.parallel import WorkerKilled, in_processes
from pipeline.training.recipe import Recipe
from pipeline.training.search_space import Parameter, own_values, with_values
from pipeline.training.task import SharedRows, TrainingTask, attempt

Report = Callable[[int, float], None]


@dataclass(frozen=True)
class Score:
    """What a recipe reached on rows that were held out fold by fold.

    accuracies, log_losses: one a fold; log-loss in nats. wrong (n,) bool: the rows of all folds that were misread.
    """

    accuracies: tuple[float, ...]
    log_losses: tuple[float, ...]
    wrong: np.ndarray

    @property
    def accuracy(self) -> float:
        return float(np.mean(self.accuracies))

    @property
    def log_loss(self) -> float:
        return float(np.mean(self.log_losses))


def score(
    recipe: Recipe, shared: SharedRows, positions: Sequence[np.ndarray], *, seed: int, longest: int, report: Report
) -> Score:
    """Train the recipe once for each fold and predict the rows that each network has not seen.

    positions: for each fold, whose split is named by fold_name, where its validation rows stand among all rows that
    have a fold. All that is random follows from the seed and the fold, so two recipes meet the same folds and, where
    their shapes allow it, the same first weights and orders. longest: epochs of the longest fit that is compared with
    this one. report(epochs spent, accuracy) is called after each epoch of the first fold and, with the mean so far
    and multiples of `longest`, after each fold; what it raises ends the trial. Raises InkproofError for a network
    that cannot be built or trained.
    """
    accuracies: list[float] = []
    log_losses: list[float] = []
    wrong = np.zeros(sum(map(len, positions)), bool)
    epochs = recipe.training.epochs

    def on_epoch(epoch: Epoch) -> None:
        # The last one is reported with the fold, at the same count for short and long fits.
        if not accuracies and epoch.epoch < epochs:
            report(epoch.epoch, epoch.validation_accuracy)

    for fold, places in enumerate(positions):
        task = TrainingTask(
            name=fold_name(fold),
            trained=recipe.name,
            recipe=recipe,
            sigma=0.0,
            repeat=0,
            fold=fold,
            key=(seed, Stream.SEARCH_FITS, fold),
            split=fold_name(fold),
            conditions=(condition("clean", seed=seed),),
        )
        result = attempt(task, shared, on_epoch)
        if isinstance(result, str):
            raise InkproofError(result)
        probabilities = result.probabilities["clean"]
        labels = shared.labels[shared.splits[task.split].validation]
        missed = probabilities.argmax(axis=1) != labels
        wrong[places] = missed
        accuracies.append(1 - float(missed.mean()))
        of_label = probabilities[np.arange(len(labels)), labels].astype(np.float64)
        log_losses.append(float(-np.log(np.maximum(of_label, np.finfo(np.float32).tiny)).mean()))
        report(longest * (fold + 1), float(np.mean(accuracies)))
    return Score(tuple(accuracies), tuple(log_losses), wrong)


@dataclass(frozen=True, kw_only=True, eq=False)
class TrialWork:
    """All that a process needs to do trials.

    run: id of the run that they belong to. total: trials that the study is to have. positions: see score. session:
    differs from one command to the next, so that a process that lives on reads the study anew.
    """

    storage: StudyStorage
    run: str
    total: int
    session: str
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
    def rows(self) -> int:
        """Rows of all folds."""
        return sum(map(len, self.positions))

    def study(self) -> optuna.Study:
        return self.storage.study(self.pruner, self.longest, len(self.positions), self.seed)


def run_trials(work: TrialWork, shared: SharedRows, study: optuna.Study, options: JobOptions) -> Iterator[int]:
    """Do trials until the study has work.total, options.jobs at a time; the number of each as it ends.

    Raises InkproofError when a worker process was killed; what had ended is in the study.
    """
    count = missing(study, work.run, work.total)
    jobs, do = min(options.jobs, count), partial(_trial_in_worker, work)
    if options.engine == "dask" and count:
        from pipeline.training.dask_cluster import cluster, on_cluster

        with cluster(options.scheduler, jobs) as client:
            for _, number in on_cluster(do, range(count), shared, client=client):
                if isinstance(number, str):
                    raise InkproofError(f"A trial was given up: {number} The same command goes on with it.")
                if number is not None:
                    yield number
    elif jobs <= 1:
        for _ in range(count):
            number = one_trial(work, shared, study)
            if number is None:
                return
            yield number
    else:
        try:
            with closing(in_processes(do, range(count), shared, jobs=jobs)) as trials:
                yield from (number for _, number in trials if number is not None)
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
            if step <= work.longest and trial.should_prune() and values != own_values(work.space):
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


def pack(score: Score) -> dict[str, object]:
    """A score as JSON values; the rows as bits, because a database's text fields are short."""
    bits = base64.b85encode(zlib.compress(np.packbits(score.wrong).tobytes())).decode("ascii")
    return {"accuracies": list(score.accuracies), "log_losses": list(score.log_losses), "wrong": bits}


def unpack(trial: FrozenTrial, rows: int) -> Score | None:
    """The score of a trial on so many rows; None where it has none."""
    packed = trial.user_attrs.get(FOUND)
    if packed is None:
        return None
    bits = np.frombuffer(zlib.decompress(base64.b85decode(packed["wrong"])), np.uint8)
    wrong = np.unpackbits(bits, count=rows).astype(bool)
    return Score(tuple(packed["accuracies"]), tuple(packed["log_losses"]), wrong)
