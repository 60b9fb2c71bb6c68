"""The search for a recipe's best settings: Optuna proposes, folds judge.

trial.py     one trial: a recipe's accuracy over the folds, epoch by epoch, in any process
study.py     Optuna's study: where it is stored, what proposes, what prunes, what was left unfinished
workers.py   trials until there are as many as asked for, in one process or several
results.py   what the trials found: the best, how much better, and what choosing it is worth
plan.py      what is asked for, laid out: rows, folds, and how the same search is known again
artifacts.py the new recipe, the table of all trials, the figures, the record
summary.py   the sentences at its end
search.py    the whole of it
"""

from pipeline.jobs.tuning.artifacts import Outcome
from pipeline.jobs.tuning.plan import Settings
from pipeline.jobs.tuning.search import tune

__all__ = ["Outcome", "Settings", "tune"]
