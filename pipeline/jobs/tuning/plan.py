"""What a search is asked for, laid out: rows, folds, and the plan by which the same search is known again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.dataset import Competition
from pipeline.dataset.split import stratified_folds
from pipeline.jobs.noise_levels import holdout_of
from pipeline.jobs.tuning.trial import FOLDS
from pipeline.runs.ledger.mlflow import without_password
from pipeline.runs.run_folder import versions
from pipeline.training.recipe import Recipe
from pipeline.training.search_space import NOT_SEARCHED
from pipeline.training.task import Part, Rows

PLAN = "tune.json"


@dataclass(frozen=True)
class Settings:
    """What the tune command was asked for.

    trials: how many there are to be in all. holdout: share of the rows that no trial sees. pruner: asha, hyperband
    or none. storage: address of a database; None is a journal in the run's folder. source: text of the recipe's file.
    data: the words of the command line that said where the data are, for the command that is to be run next.
    """

    recipe: Recipe
    trials: int = 20
    folds: int = 3
    holdout: float = 0.1
    seed: int = 0
    pruner: str = "asha"
    jobs: int = 1
    storage: str | None = None
    source: str | None = None
    data: tuple[str, ...] = ()
    runs: Path = Path("runs")
    command: str = "python main.py tune"


def lay_out(competition: Competition, settings: Settings) -> tuple[Rows, list[Part]]:
    """The rows that the trials may see, and their folds. The others are those that `run` holds out with this seed."""
    train = competition.train
    seen, _ = holdout_of(train, settings.holdout, settings.seed)
    part = train.take(seen)
    rng = np.random.default_rng([settings.seed, FOLDS])
    parts = [Part(learnt, held) for learnt, held in stratified_folds(part.labels, settings.folds, rng=rng)]
    return Rows(part.images, part.labels, len(train.classes), part.images[:0], None), parts


def plan_of(settings: Settings, competition: Competition) -> dict[str, Any]:
    """All that the trials follow from but their number, as JSON values: equal plans are the same search."""
    content = {key: value for key, value in settings.recipe.content.items() if key not in NOT_SEARCHED}
    plan = {
        "recipe": {"name": settings.recipe.name, **content, "search": settings.recipe.content.get("search")},
        **{name: getattr(settings, name) for name in ("folds", "holdout", "seed", "pruner")},
        "data": {"name": competition.name, "fingerprint": competition.fingerprint},
        "storage": None if settings.storage is None else without_password(settings.storage),
    }
    return json.loads(json.dumps(plan))


def study_name(plan: dict[str, Any]) -> str:
    """The study's name, the same wherever it is stored: the recipe's, and a fingerprint of the plan."""
    same = {key: value for key, value in plan.items() if key != "storage"}
    digest = hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest()
    return f"inkproof-{plan['recipe']['name']}-{digest[:12]}"


def earlier_run(runs: Path, plan: dict[str, Any]) -> str | None:
    """The id of the newest run of this plan and storage, ended or not."""
    name = study_name(plan)
    for path in sorted(runs.glob(f"*/{PLAN}"), reverse=True):
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if (found.get("study"), found.get("storage")) == (name, plan["storage"]):
            return path.parent.name
    return None


def all_versions() -> dict[str, str]:
    """Versions that a trial can depend on."""
    return versions() | {"optuna": metadata.version("optuna")}


def other_versions(folder: Path) -> list[str]:
    """What the search in that folder began with and is not what is installed now, such as "numpy 2.2.0"."""
    try:
        before = json.loads((folder / PLAN).read_text(encoding="utf-8"))["versions"]
    except (OSError, ValueError, KeyError):
        return []
    return [f"{name} {before.get(name)}" for name, now in all_versions().items() if before.get(name) != now]
