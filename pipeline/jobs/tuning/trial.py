"""One trial: a recipe's accuracy over the folds, told epoch by epoch, in any process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.errors import InkproofError
from pipeline.evaluation.robustness.conditions import Condition
from pipeline.training import Epoch
from pipeline.training.parallel import attempt
from pipeline.training.recipe import Recipe
from pipeline.training.task import Part, Rows, TrainingTask

# First number of the key that a part's randomness follows from; the other jobs have others: no two share a stream.
FOLDS, FITS = 30, 31

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


def score(recipe: Recipe, rows: Rows, parts: Sequence[Part], *, seed: int, longest: int, report: Report) -> Score:
    """Train the recipe once for each of `parts` and ask each network about the rows that it has not seen.

    parts: a partition of rows, as stratified_folds gives it. All that is random follows from the seed and the fold,
    so two recipes meet the same folds and, where their shapes allow it, the same first weights and orders.
    longest: epochs of the longest fit that is compared with this one. report(epochs spent, accuracy) is called
    after each epoch of the first fold and, with the mean so far and multiples of `longest`, after each fold; what
    it raises ends the trial. Raises InkproofError for a network that cannot be built or trained.
    """
    accuracies: list[float] = []
    log_losses: list[float] = []
    wrong = np.zeros(len(rows.labels), bool)
    clean = Condition("clean", "σ", 0.0, seed)
    epochs = recipe.training.epochs

    def on_epoch(epoch: Epoch) -> None:
        # The last one is told with the fold, at the same count for short and long fits.
        if not accuracies and epoch.epoch < epochs:
            report(epoch.epoch, epoch.validation_accuracy)

    for fold, part in enumerate(parts):
        task = TrainingTask(f"fold {fold + 1}", recipe, 0.0, (seed, FITS, fold), [clean], part=part)
        result = attempt(task, rows, on_epoch)
        if isinstance(result, str):
            raise InkproofError(result)
        probabilities = result.probabilities[0]
        labels = rows.labels[part.held]
        missed = probabilities.argmax(axis=1) != labels
        wrong[part.held] = missed
        accuracies.append(1 - float(missed.mean()))
        of_label = probabilities[np.arange(len(labels)), labels].astype(np.float64)
        log_losses.append(float(-np.log(np.maximum(of_label, np.finfo(np.float32).tiny)).mean()))
        report(longest * (fold + 1), float(np.mean(accuracies)))
    return Score(tuple(accuracies), tuple(log_losses), wrong)
