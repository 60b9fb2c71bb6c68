"""The fit loop: rows and a network in, a trained network and its history out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from pipeline.errors import DivergedError, UsageError
from pipeline.nn.network import Network
from pipeline.nn.workspace import Pass
from pipeline.training.history import BestCheckpoint, Epoch
from pipeline.training.zero_columns import SortedColumns, sorted_columns

Loss = Callable[..., tuple[float, np.ndarray]]
Hits = Callable[[np.ndarray, np.ndarray], np.ndarray]
Batch = tuple[np.ndarray, np.ndarray, np.ndarray | None]


class Augment(Protocol):
    """A change made to each training batch: floats (n, …) in [0, 1] in, the same shape out."""

    def __call__(self, batch: np.ndarray, *, rng: np.random.Generator) -> np.ndarray: ...


@dataclass(frozen=True)
class Streams:
    """Independent sources of randomness for the parts of one fit, so that a change in one leaves the others."""

    weights: np.random.Generator
    order: np.random.Generator
    augment: np.random.Generator

    @classmethod
    def of(cls, *key: int) -> Streams:
        """Streams for a key of whole numbers (seed, stage, repeat …); equal keys give equal streams."""
        return cls(*(np.random.default_rng(child) for child in np.random.SeedSequence(key).spawn(3)))


def class_hits(outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(n,) bool: whether the largest of outputs (n, classes) stands at the class index in labels (n,)."""
    return outputs.argmax(axis=1) == labels


def fit(
    network: Network,
    rows: np.ndarray,
    labels: np.ndarray,
    *,
    loss: Loss,
    optimizer: Any,
    schedule: Callable[[int, int], float],
    epochs: int,
    batch_size: int,
    streams: Streams,
    augment: Augment | None = None,
    adversary: Callable[..., np.ndarray] | None = None,
    validation: tuple[np.ndarray, ...] | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
    sample_weight: np.ndarray | None = None,
    shuffle: bool = True,
    hits: Hits | None = class_hits,
    penalty: Callable[[float], float] | None = None,
    average: Any = None,
    stop: Callable[[Epoch], bool] | None = None,
    best_by: str | None = None,
    threads: int = 1,
) -> list[Epoch]:
    """Train `network` in place and give its history, one Epoch each.

    rows (n, *input_shape) uint8 or float, or a scipy.sparse CSR matrix (n, features), of which one batch at a
    time is made dense; labels (n,) class indices, or whatever `loss` and `hits` take; sample_weight (n,), none
    below 0. validation: rows, labels and, where wanted, weights. Every epoch visits each row once, in an order
    of its own unless `shuffle` is off; the last batch of an epoch may be smaller.

    hits(outputs, labels) → (n,) bool, which rows are right; None where that makes no sense.
    adversary(network, batch, labels, rng=…) → the batch as it is learnt from, after `augment`: a change that
    knows the network and the labels, as adversarial training does.
    penalty(total weight of the batch) → the penalty on the weights; adds its gradient to network.grads.
    average: gets update(values, share of the steps done) after every step; its `values`, once it has any, are
    what validation and the caller see: see pipeline.nn.averaging.
    stop(epoch): whether to stop after it; a EarlyStopping, for one.
    best_by: validation_loss or validation_accuracy; the network is given back as it was after the epoch that
    is best by this figure, else as it is after the last one.
    threads: see Pass.

    Raises DivergedError when the loss or a weight is no longer a finite number, the network then being as it
    was after the best epoch (without validation: when the epoch of the smallest loss began); UsageError for
    epochs, batch_size, rows or weights that cannot be.
    """
    if epochs < 1 or batch_size < 1:
        raise UsageError(f"epochs and batch_size must be at least 1, found {epochs} and {batch_size}.")
    changed = augment is not None or adversary is not None or average is not None
    columns = None if changed else sorted_columns(network, rows)
    order = streams.order if shuffle else None
    batches = _Batches(rows, labels, sample_weight, batch_size, rng=order, columns=columns)
    if best_by is not None and validation is None:
        raise UsageError(f"best_by {best_by!r} needs validation rows to tell the best epoch.")
    best = BestCheckpoint(network)
    run = Pass(train=True, rng=streams.augment, threads=threads)
    history: list[Epoch] = []

    def step(batch: Batch, rate: float, done: float) -> tuple[float, int]:
        taken, targets, weights = batch
        x = network.to_numbers(taken, run) if columns is None else network.scaled(taken, run)
        if augment is not None:
            x = augment(x, rng=streams.augment)
        if adversary is not None:
            x = adversary(network, x, targets, rng=streams.augment)
        outputs, backward = network.forward(x, run)
        value, gradient = loss(outputs, targets, run, weights)
        if not math.isfinite(value):
            raise _diverged(len(history) + 1, f"the loss became {value}", x)
        right = 0 if hits is None else int(hits(outputs, targets).sum())
        backward(gradient)
        if penalty is not None:
            value += penalty(len(x) if weights is None else float(weights.sum()))
        optimizer.step(network.params, network.grads, rate)
        if average is not None:
            average.update(network.values, done)
        return value, right

    def epoch_of(number: int) -> Epoch:
        begin = time.perf_counter()
        before = network.values.copy() if validation is None else None
        total_loss, right = 0.0, 0
        with nullcontext() if columns is None else columns.in_place():
            for place, batch in enumerate(batches):
                at, steps = (number - 1) * len(batches) + place, epochs * len(batches)
                rate = schedule(at, steps)
                value, hit = step(batch, rate, (at + 1) / steps)
                total_loss += value * len(batch[0])
                right += hit
        if not np.isfinite(network.values).all():
            raise _diverged(number, "a weight left the range of numbers")
        seconds = time.perf_counter() - begin
        accuracy = None if hits is None else right / batches.n
        with _averaged(network, average):
            checked = (None, None) if validation is None else evaluate(network, *validation, loss=loss, hits=hits)
            epoch = Epoch(number, rate, total_loss / batches.n, accuracy, *checked, seconds)
            # An epoch's training loss tells of the weights that it began with, not of those it ends with.
            if validation is None:
                best.offer(epoch.goodness("train_loss"), before)
            else:
                best.offer(epoch.goodness(best_by or "validation_loss"), network.values.copy())
        return epoch

    try:
        # What overflows on the way to a loss that is not finite is told once, by the error.
        with np.errstate(over="ignore", invalid="ignore"):
            for number in range(1, epochs + 1):
                history.append(epoch_of(number))
                if on_epoch is not None:
                    on_epoch(history[-1])
                if stop is not None and stop(history[-1]):
                    break
    except DivergedError:
        best.restore()
        raise
    if best_by is not None:
        best.restore()
    elif average is not None and average.values is not None:
        network.values[...] = average.values
    return history


def evaluate(
    network: Network,
    rows: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    loss: Loss,
    hits: Hits | None = class_hits,
) -> tuple[float, float | None]:
    """Mean loss and accuracy (share of 1; None without `hits`) on rows and labels as `fit` takes them."""
    outputs = network.logits(rows)
    value = loss(outputs, labels, Pass(), weights)[0]
    return value, None if hits is None else float(np.average(hits(outputs, labels), weights=weights))


def check_weights(weights: np.ndarray, n: int) -> None:
    """Raise UsageError where weights are not n numbers of at least 0, one of them above."""
    if weights.shape != (n,) or not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise UsageError(f"sample_weight must hold one number of at least 0 for each of the {n} rows.")
    if not weights.any():
        raise UsageError("sample_weight is zero for every row: at least one must count.")


class _Batches:
    """Iterated over, one epoch: (rows, labels, weights) of each batch; `rng` orders them anew each time.

    The rows of a batch share their memory with those of the one before.
    """

    def __init__(
        self,
        rows: np.ndarray,
        labels: np.ndarray,
        weights: np.ndarray | None,
        batch_size: int,
        *,
        rng: np.random.Generator | None,
        columns: SortedColumns | None = None,
    ) -> None:
        self.n = rows.shape[0]
        if self.n == 0 or self.n != len(labels):
            raise UsageError(
                f"Training takes as many labels as rows, at least one: found {self.n} rows, {len(labels)} labels."
            )
        if weights is not None:
            check_weights(weights, self.n)
        self.rows, self.used = (rows, None) if columns is None else (columns.rows, columns.used)
        self.labels, self.weights, self.rng = labels, weights, rng
        self.size = min(batch_size, self.n)
        self.gathered = None if hasattr(rows, "toarray") else np.empty((self.size, *self.rows.shape[1:]), rows.dtype)

    def __len__(self) -> int:
        return -(-self.n // self.size)

    def __iter__(self) -> Iterator[Batch]:
        order = np.arange(self.n) if self.rng is None else self.rng.permutation(self.n)
        for start in range(0, self.n, self.size):
            chosen = order[start : start + self.size]
            weights = None if self.weights is None else self.weights[chosen]
            if weights is not None and not weights.any():
                continue  # nothing to learn from, and a mean over no weight is not a number
            yield self._gather(chosen), self.labels[chosen], weights

    def _gather(self, chosen: np.ndarray) -> np.ndarray:
        if self.gathered is None:
            return self.rows[chosen].toarray()
        taken = np.take(self.rows, chosen, axis=0, out=self.gathered[: len(chosen)], mode="clip")
        return taken if self.used is None else taken[:, : self.used[chosen].max()]


@contextmanager
def _averaged(network: Network, average: Any) -> Iterator[None]:
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
