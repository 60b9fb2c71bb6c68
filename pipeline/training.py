"""The fit loop: rows and a network in, a trained network and its history out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

from pipeline.errors import DivergedError, UsageError
from pipeline.nn.network import Network
from pipeline.nn.workspace import Pass


class Augment(Protocol):
    """A change made to each training batch: floats (n, …) in [0, 1] in, the same shape out."""

    def __call__(self, batch: np.ndarray, *, rng: np.random.Generator) -> np.ndarray: ...


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave. Losses and accuracies (shares of 1) are means over its rows.

    train_* are taken while the weights still change and on augmented rows, so they may lie below the
    validation figures. validation_* are None without validation rows.
    """

    epoch: int
    learning_rate: float
    train_loss: float
    train_accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None
    seconds: float


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


def fit(
    network: Network,
    rows: np.ndarray,
    labels: np.ndarray,
    *,
    loss: Callable[..., tuple[float, np.ndarray]],
    optimizer: Any,
    schedule: Callable[[int, int], float],
    epochs: int,
    batch_size: int,
    streams: Streams,
    augment: Augment | None = None,
    validation: tuple[np.ndarray, np.ndarray] | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> list[Epoch]:
    """Train `network` in place and give its history, one Epoch each.

    rows (n, *input_shape) uint8 or float, labels (n,) class indices. Every epoch visits each row once, in
    an order of its own; the last batch of an epoch may be smaller. Raises DivergedError when the loss is
    no longer a finite number, UsageError for epochs, batch_size or rows that cannot be.
    """
    if epochs < 1 or batch_size < 1:
        raise UsageError(f"epochs and batch_size must be at least 1, found {epochs} and {batch_size}.")
    n = len(rows)
    if n == 0 or n != len(labels):
        raise UsageError(f"Training takes as many labels as rows, at least one: found {n} rows, {len(labels)} labels.")
    batch_size = min(batch_size, n)
    batches = -(-n // batch_size)
    run = Pass(train=True, rng=streams.augment)
    gathered = np.empty((batch_size, *rows.shape[1:]), rows.dtype)
    history: list[Epoch] = []
    for epoch in range(1, epochs + 1):
        begin = time.perf_counter()
        order = streams.order.permutation(n)
        total_loss, right = 0.0, 0
        for batch in range(batches):
            chosen = order[batch * batch_size : (batch + 1) * batch_size]
            targets = labels[chosen]
            x = np.take(rows, chosen, axis=0, out=gathered[: len(chosen)], mode="clip")
            x = network.to_numbers(x, run)
            if augment is not None:
                x = augment(x, rng=streams.augment)
            outputs, backward = network.forward(x, run)
            value, gradient = loss(outputs, targets, run)
            if not math.isfinite(value):
                raise DivergedError(
                    f"Training broke down in epoch {epoch}: the loss became {value}; "
                    "use a smaller learning rate (a tenth of it is a good next try)."
                )
            right += int((outputs.argmax(axis=1) == targets).sum())
            backward(gradient)
            rate = schedule((epoch - 1) * batches + batch, epochs * batches)
            optimizer.step(network.params, network.grads, rate)
            total_loss += value * len(chosen)
        seconds = time.perf_counter() - begin
        checked = (None, None) if validation is None else evaluate(network, *validation, loss=loss)
        history.append(Epoch(epoch, rate, total_loss / n, right / n, *checked, seconds))
        if on_epoch is not None:
            on_epoch(history[-1])
    return history


def evaluate(
    network: Network, rows: np.ndarray, labels: np.ndarray, *, loss: Callable[..., tuple[float, np.ndarray]]
) -> tuple[float, float]:
    """Mean loss and accuracy (share of 1) on rows (n, *input_shape) with labels (n,)."""
    logits = network.logits(rows)
    return loss(logits, labels, Pass())[0], float((logits.argmax(axis=1) == labels).mean())


def history_records(history: list[Epoch]) -> list[dict[str, Any]]:
    """The history as plain dictionaries, for JSON and CSV."""
    return [asdict(epoch) for epoch in history]
