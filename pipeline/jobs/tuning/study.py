"""Optuna's study: where it is stored, what proposes settings, what prunes, and what an earlier process left.

Optuna is imported by this package alone, and only when a search runs.
"""

import os
import sys
import time
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.samplers import TPESampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState

from pipeline.errors import InkproofError, StorageError, UsageError, without_password

optuna.logging.set_verbosity(optuna.logging.ERROR)

# In a trial's user attributes: the run that works on it, what it found, why it has no score.
RUN, FOUND, REASON = "run", "found", "reason"
# In the study's, with a trial's number behind it: this one was stopped and is done again under another number.
STOPPED = "stopped "
# Of the trials at a rung, one in so many goes on. A third would be cheaper; but while the learning rate is still high,
# as one-cycle has it for half of the epochs, accuracies say little of how they end.
REDUCTION = 2
# Where a database's driver has another name on the package index than in Python.
DRIVERS = {"psycopg": "psycopg[binary]", "psycopg2": "psycopg2-binary", "MySQLdb": "mysqlclient"}
# What Optuna raises for a journal whose lines are not what it wrote, and we for what it keeps for us.
DAMAGE = (AssertionError, AttributeError, LookupError, TypeError, ValueError, RecursionError, zlib.error)
BUSY_SECONDS = 60.0  # how long a process waits for another one's write to an SQLite file


@dataclass(frozen=True)
class StudyStorage:
    """Where a study lies: a journal file, or a database at an address (url); and its name there."""

    name: str
    journal: Path
    url: str | None = None

    def storage(self) -> BaseStorage:
        """Optuna's storage there, made where it is missing. Raises UsageError for an address that does not work."""
        if self.url is None:
            path = str(self.journal)
            # Windows lets only administrators make symbolic links, Optuna's usual lock.
            lock = JournalFileOpenLock(path) if sys.platform == "win32" else None
            return JournalStorage(JournalFileBackend(path, lock_obj=lock))
        from sqlalchemy.exc import IntegrityError, ProgrammingError, SQLAlchemyError

        sqlite = {"connect_args": {"timeout": BUSY_SECONDS}} if self.url.startswith("sqlite") else None
        try:
            with suppress(IntegrityError, ProgrammingError):  # another search makes the same tables just now
                return RDBStorage(self.url, engine_kwargs=sqlite)
            time.sleep(1)
            return RDBStorage(self.url, engine_kwargs=sqlite)
        except ImportError as error:
            driver = getattr(error.__cause__ or error, "name", None) or str(error)
            raise UsageError(
                f"--storage {without_password(self.url)} needs the package {driver}, which is not installed: type "
                f"`python -m pip install {DRIVERS.get(driver, driver)}`."
            ) from error
        except (SQLAlchemyError, ValueError, optuna.exceptions.OptunaError, RuntimeError) as error:
            reason = without_password(str(error).strip().splitlines()[0].rstrip("."))
            raise UsageError(
                f"--storage {without_password(self.url)} cannot be used ({reason}): give the address of a database "
                "that can be written to, such as sqlite:///search.db."
            ) from error

    def study(self, pruner: str, longest: int, folds: int, seed: int) -> optuna.Study:
        """The study there, begun where there is none. longest: epochs of the longest fit; see pruner_of."""
        study = optuna.create_study(
            study_name=self.name,
            storage=self.storage(),
            pruner=pruner_of(pruner, longest, folds),
            direction="maximize",
            load_if_exists=True,
        )
        study.sampler = SeededTPE(seed, stopped_in(study))
        return study


@contextmanager
def storage_errors(place: StudyStorage, *damage: type[Exception]) -> Iterator[None]:
    """A context in which a study that can no longer be read or written is a StorageError, whatever lies behind it.

    damage: what else means that, such as DAMAGE where nothing but reading is done.
    """
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (BrokenPipeError, InkproofError):  # the first is of who reads our output
        raise
    except (OSError, SQLAlchemyError, optuna.exceptions.OptunaError, *damage) as error:
        where = place.journal if place.url is None else without_password(place.url)
        reason = without_password((str(error).strip().splitlines() or [type(error).__name__])[0])
        raise StorageError(
            f"The trials in {where} could not be read or written ({reason}): check the disk or the database; the same "
            "command again goes on from there."
        ) from error


class SeededTPE(TPESampler):
    """The tree-structured Parzen estimator, whose draws follow from a seed and the trial's place in the search.

    J. Bergstra, R. Bardenet, Y. Bengio, B. Kégl, Algorithms for hyper-parameter optimization, NeurIPS 2011; over
    all settings together: S. Falkner, A. Klein, F. Hutter, BOHB, ICML 2018. One process asking always proposes the
    same; with several, what is known when a trial begins depends on which of the others have ended by then.
    stopped: numbers of trials that are done again under new ones: they must not move those that come after.
    """

    def __init__(self, seed: int, stopped: frozenset[int] = frozenset()) -> None:
        super().__init__(seed=seed)
        self._first_seed, self._stopped = seed, stopped

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        place = trial.number - sum(number < trial.number for number in self._stopped)
        (state,) = np.random.SeedSequence([self._first_seed, place]).generate_state(1)
        super().__init__(seed=int(state))  # draws that nothing moves which was drawn before
        super().before_trial(study, trial)


def pruner_of(name: str, longest: int, folds: int) -> optuna.pruners.BasePruner:
    """asha, hyperband or none, on a scale of epochs: those of the first fold, then `longest` for each fold.

    The rungs of asha lie at half of the longest fit, at the end of the first fold, of the second, the fourth and so
    on; only those of the first fold are made use of. L. Li et al., A system for massively parallel hyperparameter
    tuning, MLSys 2020; L. Li et al., Hyperband, JMLR 18 (2018).
    """
    least = max(1, longest // REDUCTION)
    if name == "asha":
        return optuna.pruners.SuccessiveHalvingPruner(min_resource=least, reduction_factor=REDUCTION)
    if name == "hyperband":
        return optuna.pruners.HyperbandPruner(
            min_resource=least, max_resource=longest * folds, reduction_factor=REDUCTION
        )
    return optuna.pruners.NopPruner()


def repair_journal(path: Path) -> None:
    """Take away what a killed process left: the half of a line at the journal's end, and its lock.

    Only for who knows that no other process writes to it.
    """
    with suppress(FileNotFoundError):
        Path(f"{path}.lock").unlink()
    if not path.exists():
        return
    with path.open("rb+") as file:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            file.truncate(whole)
            os.fsync(file.fileno())


def resume(study: optuna.Study, run: str, first: Mapping[str, Any], *, alone: bool) -> int:
    """Make the study ready for run `run` to go on with; how many trials had been stopped and are done again.

    first: the settings of the first trial of a new study, the recipe's own. Trials that `run` had begun and not
    ended are marked as failed, and their settings put in line again. alone: no other run writes to this study.
    """
    trials = study.get_trials(deepcopy=False)
    if not trials:
        study.enqueue_trial(dict(first))
    stopped = [
        trial for trial in trials if trial.state == TrialState.RUNNING and (alone or trial.user_attrs.get(RUN) == run)
    ]
    for trial in stopped:
        study.set_user_attr(f"{STOPPED}{trial.number}", True)
        study.tell(trial.number, state=TrialState.FAIL)
        # It may have been stopped before it took the settings that it was put in line with.
        study.enqueue_trial({**trial.system_attrs.get("fixed_params", {}), **trial.params})
    return len(stopped)


def stopped_in(study: optuna.Study) -> frozenset[int]:
    """Numbers of the trials that were stopped and are done again."""
    return frozenset(int(key.removeprefix(STOPPED)) for key in study.user_attrs if key.startswith(STOPPED))


def missing(study: optuna.Study, run: str, total: int) -> int:
    """How many more trials there must be for `total`: those that ended count, and those of other runs at work."""
    there, stopped = 0, stopped_in(study)
    for trial in study.get_trials(deepcopy=False):
        others = trial.state == TrialState.RUNNING and trial.user_attrs.get(RUN, run) != run
        there += others or (trial.state.is_finished() and trial.number not in stopped)
    return max(0, total - there)


def is_one_too_many(study: optuna.Study, number: int, total: int) -> bool:
    """Whether the study had `total` trials, ended or at work, before the one of that number was begun.

    Then it is taken back: two processes may each begin the last one that is missing, but numbers are given out once.
    """
    if number - sum(stopped < number for stopped in stopped_in(study)) < total:
        return False
    study.set_user_attr(f"{STOPPED}{number}", True)
    study.tell(number, state=TrialState.FAIL)
    return True


def quietly() -> warnings.catch_warnings:
    """A context in which Optuna's hints about features that may change are not shown."""
    return warnings.catch_warnings(action="ignore", category=optuna.exceptions.ExperimentalWarning)
