"""What runs have in common: rows, entry in the ledger, networks, submission."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from pipeline import storage
from pipeline.dataset import Competition, Digits
from pipeline.errors import InkproofError, UsageError
from pipeline.evaluation.robustness.conditions import Condition, condition
from pipeline.jobs.progress import RunLog
from pipeline.kaggle.submission import check_for, require_valid, write_submission
from pipeline.prediction import model_file as model
from pipeline.prediction.confidence_threshold import PICTURES
from pipeline.runs.ledger import Ledger
from pipeline.runs.run_folder import git_commit, new_run_id
from pipeline.training.recipe import Recipe
from pipeline.training.task import Rows, TrainingResult, TrainingTask

Outcome = TypeVar("Outcome")


class Asked(Protocol):
    """What the settings of every such run hold."""

    recipe: Recipe
    seed: int
    command: str
    runs: Path


def in_ledger(
    competition: Competition,
    settings: Asked,
    run_log: RunLog,
    work: Callable[[Path], tuple[Outcome, dict[str, Any]]],
) -> Outcome:
    """Do `work` in a new folder below settings.runs, with its beginning and its end told in the ledger.

    work(folder) → its outcome, and the record that goes into the ledger and run.json. Raises what it raises; the
    ledger then says why.
    """
    run_id = new_run_id(settings.recipe.name)
    folder = settings.runs / run_id
    ledger = Ledger(settings.runs)
    about = (competition.name, competition.fingerprint, settings.command, git_commit())
    ledger.start_run(run_id, settings.recipe.record, settings.seed, *about)
    with failure_told(ledger, folder, run_log):
        outcome, record = work(folder)
        storage.write_json(folder / "run.json", {"id": run_id, **record})
    ledger.finish_run(run_id, record)
    return outcome


@contextmanager
def failure_told(ledger: Ledger, folder: Path, run_log: RunLog, *, on_stop: str = "") -> Iterator[None]:
    """While a run works in `folder`: the ledger is told why it fails, and log.txt gets what was said, however it ends.

    on_stop: a sentence to say when it is stopped from outside. Whatever is raised goes on.
    """
    try:
        yield
    except InkproofError as error:
        ledger.fail_run(folder.name, str(error))
        raise
    except (KeyboardInterrupt, SystemExit):
        ledger.fail_run(folder.name, "stopped from outside")
        if on_stop:
            run_log.say(on_stop)
        raise
    finally:
        storage.write_text(folder / "log.txt", "\n".join(run_log.said) + "\n")


def shared_rows(competition: Competition, extra: Digits | None) -> tuple[Rows, np.ndarray]:
    """The rows that all fits of a run share, asked about the test rows; and the indices of the extra rows.

    extra: rows to train on beside the competition's own, or None. They stand behind these, so that indices stay what
    they are, and are only ever learnt.
    """
    train = competition.train
    images, labels = train.images, train.labels
    if extra is not None:
        images, labels = np.concatenate([images, extra.images]), np.concatenate([labels, extra.labels])
    rows = Rows(images, labels, len(train.classes), competition.test.images, None)
    return rows, np.arange(train.n, len(images))


def extra_record(extra: Digits | None) -> dict[str, Any] | None:
    """Which extra rows a run learnt, as run.json keeps it."""
    if extra is None:
        return None
    return {"rows": extra.n, "sha256": storage.sha256_bytes(extra.images.tobytes() + extra.labels.tobytes())}


def views_of(recipe: Recipe, seed: int) -> list[Condition]:
    """The ways of looking that the recipe's [run] names, besides the picture as it is. Raises UsageError."""
    found = [condition(name, seed=seed) for name in recipe.run.views]
    if any(view.strength == 0 for view in found):
        raise UsageError('views are ways of looking beside "clean", which is always among them: leave it out.')
    return found


def save_models(
    competition: Competition,
    tasks: Sequence[TrainingTask],
    results: Sequence[TrainingResult],
    measured: Sequence[dict[str, Any]],
    folder: Path,
) -> None:
    """A model file for each fit. measured: what world.measure says of each network, in the order of the tasks."""
    train = competition.train
    for task, result, pictures in zip(tasks, results, measured, strict=True):
        network = task.recipe.network(train.images.shape[1:], len(train.classes), rng=None)
        network.values[...] = result.values
        about = {
            "recipe": task.recipe.record,
            "sigma": task.sigma,
            "key": list(task.key),
            "data": competition.name,
            "data_fingerprint": competition.fingerprint,
            PICTURES: pictures,
        }
        model.save(model.Model(network, train.classes, train.side, about), folder / f"{task.file_name}.safetensors")


def submit_labels(competition: Competition, labels: np.ndarray, path: Path) -> None:
    """Write labels (test.n,), values of the competition's classes, as its submission, and check what was written."""
    names = {"id_column": competition.id_column, "label_column": competition.label_column}
    write_submission(path, competition.ids, labels, **names)
    require_valid(path, check_for(path, competition))
