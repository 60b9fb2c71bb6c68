"""What every job does with its trained networks: model files, test-time augmentation, the submission."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.dataset import Competition
from pipeline.errors import UsageError
from pipeline.evaluation.robustness.conditions import Condition, condition
from pipeline.kaggle.submission import check_for, require_valid, write_submission
from pipeline.nn.network import Network
from pipeline.prediction import model_file
from pipeline.prediction.confidence_threshold import PICTURES
from pipeline.seeds import Stream, derived_seed
from pipeline.training.recipe import Recipe
from pipeline.training.task import TrainingResult, TrainingTask


def views_of(recipe: Recipe, seed: int) -> tuple[Condition, ...]:
    """Test-time augmentation: the changed pictures that the recipe's [run] averages over, besides the picture itself.

    Raises UsageError for a name that does not exist, or that changes nothing.
    """
    views = tuple(condition(name, seed=derived_seed(seed, Stream.TEST_CONDITIONS)) for name in recipe.run.views)
    if any(view.strength == 0 for view in views):
        raise UsageError('views are pictures changed beside "clean", which is always among them: leave it out.')
    return views


def average_views(probabilities: Mapping[str, np.ndarray], views: Sequence[Condition]) -> np.ndarray:
    """(p, classes): the mean of the probabilities of the picture as it is and of those of the views."""
    return np.mean([probabilities[name] for name in ("clean", *(view.name for view in views))], axis=0)


def trained_network(competition: Competition, task: TrainingTask, result: TrainingResult) -> Network:
    """The network of a fit, with its trained values."""
    train = competition.train
    network = task.recipe.network(train.images.shape[1:], len(train.classes), rng=None)
    network.values[...] = result.values
    return network


def save_model(
    competition: Competition, task: TrainingTask, result: TrainingResult, pictures: Mapping[str, Any], folder: Path
) -> None:
    """Write the trained network to `folder`. pictures: what confidence_threshold.measure says of it."""
    train, network = competition.train, trained_network(competition, task, result)
    about = {
        "recipe": task.recipe.record,
        "sigma": task.sigma,
        "key": list(task.key),
        "data": competition.name,
        "data_fingerprint": competition.fingerprint,
        PICTURES: dict(pictures),
    }
    model = model_file.Model(network, train.classes, train.side, about)
    model_file.save(model, folder / f"{task.file_name}.safetensors")


def write_labels(competition: Competition, labels: np.ndarray, path: Path) -> None:
    """Write labels (test.n,), values of the competition's classes, as its submission, and check what was written."""
    names = {"id_column": competition.id_column, "label_column": competition.label_column}
    write_submission(path, competition.ids, labels, **names)
    require_valid(path, check_for(path, competition))
