"""What a command runs: one driver, and a plan for each kind of job.

plan.py              what a job is: settings, identity, rows
driver.py            run folder, ledger, lock, resume, report: for every job
bench.py             what a plan works with: options, run folder, log, training in an engine with checkpoints
matrix.py            ways of training × test conditions, folded into a grid
noise_levels.py      the main job; compare.py, cross_validation.py and tuning/ are the other plans
blend.py             finished runs averaged; out_of_fold.py reads what they said
answer.py            any rows answered by a finished run
look.py              the data before training
ensemble.py          what a cross-validation chooses on out-of-fold rows
models.py            model files, test-time augmentation, the submission
progress.py          what a job says while it runs
"""

import importlib
from typing import Any

# Kind → where its plan stands; imported only when it is needed, for a search brings Optuna.
PLANS = {
    "main": "pipeline.jobs.noise_levels:NoiseLevels",
    "folds": "pipeline.jobs.cross_validation:CrossValidation",
    "blend": "pipeline.jobs.blend:Blend",
    "compare": "pipeline.jobs.compare:ComparePlan",
    "tune": "pipeline.jobs.tuning.search:Search",
}


def plan_class(kind: str) -> Any:
    """The Plan of that kind of job."""
    module, _, name = PLANS[kind].partition(":")
    return getattr(importlib.import_module(module), name)
