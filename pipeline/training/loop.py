"""The fit loop: rows and a network in, a trained network and its history out."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import numpy as np

from pipeline.errors import DivergedError, UsageError
from pipeline.nn.kernels import say_compiled
from pipeline.nn.network import Network
from pipeline.nn.workspace import Pass
from pipeline.training.history import BestCheckpoint, Epoch
from pipeline.training.plan import Average, Hits, Hooks, Loss, Streams, TrainingData, TrainingPlan, class_hits
from pipeline.training.zero_columns import sorted_columns

Batch = tuple[np.ndarray, np.ndarray, np.ndarray | None]
NO_HOOKS = Hooks()


def fit(
    network: Network, data: TrainingData, plan: TrainingPlan, *, streams: Streams, hooks: Hooks = NO_HOOKS
) -> list[Epoch]:
    """Train `network` in place and give its history, one Epoch each.

    Raises DivergedError when the loss or a weight is no longer a finite number, the network then being as it
    was after the best epoch (without validation: when the epoch of the smallest loss began); UsageError for
    rows, labels or weights that do not go together.
    """
    if hooks.best_by is not None and data.validation is None:
        raise UsageError(f"best_by {hooks.best_by!r} needs validation rows to tell the best epoch.")
    running = _Fit(network, data, plan, hooks, streams)
    history: list[Epoch] = []
    try:
        # What overflows on the way to a loss that is not finite is told once, by the error.
        with np.errstate(over="ignore", invalid="ignore"):
            for number in range(1, plan.epochs + 1):
                history.append(running.epoch(number))
                if hooks.on_epoch is not None:
                    hooks.on_epoch(history[-1])
                if hooks.stop is not None and hooks.stop(history[-1]):
                    break
    except DivergedError:
        running.best.restore()
        raise
    if hooks.best_by is not None:
        running.best.restore()
    elif hooks.average is not None and hooks.average.values is not None:
        network.values[...] = hooks.average.values
    return history


class _Fit:
    """One fit under way: what its epochs and steps share."""

    def __init__(
        self, network: Network, data: TrainingData, plan: TrainingPlan, hooks: Hooks, streams: Streams
    ) -> None:
        self.network, self.data, self.plan, self.hooks = network, data, plan, hooks
        self.rng = streams.augment
        changed = hooks.augment is not None or hooks.adversary is not None or hooks.average is not None
        self.columns = None if changed else sorted_columns(network, data.rows)
        order = streams.order if plan.shuffle else None
        self.ctx = Pass(train=True, rng=streams.augment, threads=plan.threads)
        self.batches = _Batches(data, plan.batch_size, rng=order)
        self.best = BestCheckpoint(network)

    def epoch(self, number: int) -> Epoch:
        """Train on every row once, then evaluate; `number` counts from 1."""
        begin = time.perf_counter()
        before = self.network.values.copy() if self.data.validation is None else None
        total_loss, right, steps = 0.0, 0, self.plan.epochs * len(self.batches)
        with nullcontext() if self.columns is None else self.columns.in_place():
            for place, batch in enumerate(self.batches, (number - 1) * len(self.batches)):
                rate = self.plan.schedule(place, steps)
                value, hit = self.step(batch, rate, (place + 1) / steps, number)
                total_loss += value * len(batch[1])
                right += hit
        if not np.isfinite(self.network.values).all():
            raise _diverged(number, "a weight left the range of numbers")
        seconds = time.perf_counter() - begin
        accuracy = None if self.plan.hits is None else right / self.batches.n
        with _averaged(self.network, self.hooks.average):
            epoch = Epoch(number, rate, total_loss / self.batches.n, accuracy, *self._evaluated(), seconds)
            # An epoch's training loss tells of the weights that it began with, not of those it ends with.
            if self.data.validation is None:
                self.best.offer(epoch.goodness("train_loss"), before)
            else:
                figure = self.hooks.best_by or "validation_loss"
                self.best.offer(epoch.goodness(figure), self.network.values.copy())
        return epoch

    def step(self, batch: Batch, rate: float, done: float, number: int) -> tuple[float, int]:
        """Learn from one batch: its mean loss, and how many rows were right. done: share of all steps."""
        chosen, targets, weights = batch
        network, plan, hooks, ctx = self.network, self.plan, self.hooks, self.ctx
        x = self._rows(chosen)
        if hooks.augment is not None:
            x = hooks.augment(x, rng=self.rng)
        if hooks.adversary is not None:
            x = hooks.adversary(network, x, targets, rng=self.rng)
        outputs, backward = network.forward(x, ctx)
        value, gradient = plan.loss(outputs, targets, ctx, weights)
        if not math.isfinite(value):
            raise _diverged(number, f"the loss became {value}", x.data if hasattr(x, "toarray") else x)
        right = 0 if plan.hits is None else int(plan.hits(outputs, targets).sum())
        backward(gradient)
        if plan.regularizer is not None:
            value += plan.regularizer(len(targets) if weights is None else float(weights.sum()))
        plan.optimizer.step(network.params, network.grads, rate)
        if hooks.average is not None:
            hooks.average.update(network.values, done)
        say_compiled()
        return value, right

    def _rows(self, chosen: np.ndarray) -> np.ndarray:
        """The batch as floats; the next one is written over it."""
        if self.columns is not None:
            used = int(self.columns.used[chosen].max())
            return self.network.gathered(self.columns.rows, chosen, self.ctx, used)
        if hasattr(self.data.rows, "toarray"):
            x = self.network.to_numbers(self.data.rows[chosen], self.ctx)
            changed = self.hooks.augment is not None or self.hooks.adversary is not None
            return x.toarray() if changed and hasattr(x, "toarray") else x
        return self.network.gathered(self.data.rows, chosen, self.ctx)

    def _evaluated(self) -> tuple[float | None, float | None]:
        if self.data.validation is None:
            return None, None
        return evaluate(self.network, self.data.validation, loss=self.plan.loss, hits=self.plan.hits)


def evaluate(
    network: Network, data: TrainingData, *, loss: Loss, hits: Hits | None = class_hits
) -> tuple[float, float | None]:
    """Mean loss and accuracy (share of 1; None without `hits`) on the rows, each by its weight."""
    outputs = network.logits(data.rows)
    value = loss(outputs, data.labels, Pass(), data.sample_weight)[0]
    if hits is None:
        return value, None
    return value, float(np.average(hits(outputs, data.labels), weights=data.sample_weight))


def check_weights(weights: np.ndarray, n: int) -> None:
    """Raise UsageError where weights are not n numbers of at least 0, one of them above."""
    if weights.shape != (n,) or not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise UsageError(f"sample_weight must hold one number of at least 0 for each of the {n} rows.")
    if not weights.any():
        raise UsageError("sample_weight is zero for every row: at least one must count.")


class _Batches:
    """Iterated over, one epoch: (places of rows, labels, weights) of each batch; `rng` orders them anew each time."""

    def __init__(self, data: TrainingData, batch_size: int, *, rng: np.random.Generator | None) -> None:
        self.n = data.rows.shape[0]
        if self.n == 0 or self.n != len(data.labels):
            raise UsageError(
                f"Training takes as many labels as rows, at least one: found {self.n} rows, {len(data.labels)} labels."
            )
        if data.sample_weight is not None:
            check_weights(data.sample_weight, self.n)
        self.labels, self.weights, self.rng = data.labels, data.sample_weight, rng
        self.size = min(batch_size, self.n)

    def __len__(self) -> int:
        return -(-self.n // self.size)

    def __iter__(self) -> Iterator[Batch]:
        order = np.arange(self.n) if self.rng is None else self.rng.permutation(self.n)
        for start in range(0, self.n, self.size):
            chosen = order[start : start + self.size]
            weights = None if self.weights is None else self.weights[chosen]
            if weights is not None and not weights.any():
                continue  # nothing to learn from, and a mean over no weight is not a number
            yield chosen, self.labels[chosen], weights


@contextmanager
def _averaged(network: Network, average: Average | None) -> Iterator[None]:
    """While the block runs, the network has the averaged weights."""
    if average is None or average.values is None:
        yield
        return
    own = network.values.copy()
    network.values[...] = average.values
    try:
        yield
    finally:
        network.values[...] = own


def _diverged(epoch: int, what: str, x: np.ndarray | None = None) -> DivergedError:
    if x is not None and not np.isfinite(x).all():
        return DivergedError(
            f"Training stopped in epoch {epoch}: the rows hold values that are not finite numbers; "
            "remove or replace them."
        )
    return DivergedError(
        f"Training broke down in epoch {epoch}: {what}; use a smaller learning rate (a tenth of it is a good next "
        "try) or clip the gradients; the network is as it was after its best epoch."
    )
