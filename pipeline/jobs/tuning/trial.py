"""One trial: a recipe's accuracy over the folds, reported epoch by epoch, in any process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.errors import InkproofError
from pipeline.evaluation.robustness.conditions import Condition
from pipeline.seeds import Stream
from pipeline.training import Epoch
from pipeline.training.recipe import Recipe
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
            conditions=(Condition("clean", "σ", 0.0, seed),),
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


def fold_name(fold: int) -> str:
    """The name of a fold's split."""
    return f"fold {fold + 1}"
