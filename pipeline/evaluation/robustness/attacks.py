"""Attacks: small changes of a picture, made to be misread. Here is all that they share; methods.py has the rest.

An attack may change a picture within an ε ball around it and within [0, 1]. A method only says which pictures
it proposes (`run`); `attack` alone clips them to what is allowed and asks the network what it makes of them.
A row counts as right only if it is right both before and after, for the picture itself lies in every ball.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from pipeline.errors import UsageError, number, one_of
from pipeline.nn.losses import check_labels
from pipeline.nn.network import PREDICT_ROWS, Network
from pipeline.nn.workspace import Pass

NORMS = ("Linf", "L2")


@dataclass(frozen=True)
class Ball:
    """What an attack may do: norm "Linf" (no pixel changes by more than ε) or "L2" (the root of the sum of
    squared changes is at most ε). epsilon: in units of the [0, 1] pixel scale, at least 0.

    All methods take and give float pictures (n, side, side). Raises UsageError for another norm or ε.
    """

    norm: str
    epsilon: float

    def __post_init__(self) -> None:
        one_of("norm", self.norm, NORMS)
        number("ε", self.epsilon, at_least=0)

    def clip(self, pictures: ndarray, clean: ndarray) -> ndarray:
        """The pictures, brought into the ball around `clean` and into [0, 1]; a new array.

        Where `clean` itself is outside of [0, 1], with unclipped noise on it, up to there.
        """
        # Clipping to [0, 1] moves each pixel towards the clean one, so it cannot leave the ball again.
        change = shortened(pictures - clean, self.norm, self.epsilon)
        return np.clip(clean + change, np.minimum(clean, 0), np.maximum(clean, 1))

    def steepest(self, gradient: ndarray) -> ndarray:
        """The change of size 1 in this norm along which a function of this gradient grows fastest."""
        if self.norm == "Linf":
            return np.sign(gradient)
        return gradient / np.maximum(lengths(gradient), 1e-30)

    def random(self, like: ndarray, *, rng: Generator) -> ndarray:
        """Changes drawn uniformly from the ball."""
        if self.norm == "Linf":
            return rng.uniform(-self.epsilon, self.epsilon, like.shape).astype(like.dtype)
        change = rng.standard_normal(like.shape, dtype=np.float32)
        reach = self.epsilon * rng.random((len(like), 1, 1)) ** (1 / like[0].size)
        return (change * (reach / lengths(change))).astype(like.dtype)


def shortened(changes: ndarray, norm: str, epsilon: float | ndarray) -> ndarray:
    """Changes (n, height, width), overwritten, brought to a size of at most epsilon, a number or one each (n, 1, 1)."""
    if norm == "Linf":
        return np.clip(changes, -epsilon, epsilon, out=changes)
    changes *= np.minimum(1, epsilon / np.maximum(lengths(changes), 1e-12))
    return changes


def lengths(changes: ndarray) -> ndarray:
    """Euclidean length of each row of (n, height, width), as (n, 1, 1)."""
    return np.sqrt(np.einsum("nij,nij->n", changes, changes))[:, None, None]


class Target:
    """A network as an attack sees it: logits, margins and input gradients of float pictures (n, side, side)."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self._ctx = Pass(wants_input_gradient=True)

    def logits(self, pictures: ndarray) -> ndarray:
        """Logits (n, classes); the next call writes over them."""
        return self.network.forward(pictures, self._ctx)[0]

    def climb(self, pictures: ndarray, labels: ndarray, towards: ndarray | None = None) -> tuple[ndarray, ...]:
        """What an attack makes large: its value (n,) float64 and gradient (n, side, side), and what is misread (n,).

        With logits z and the label y it is log Σ exp(z of all other classes) − z_y, which grows with cross-entropy;
        with class indices `towards` (n,) z of that class − z_y. Neither becomes 0 in float32 where the network is
        sure of itself, as cross-entropy does, whose gradient then vanishes and makes it seem robust. The gradient is
        written over by the next call; so are the network's own `grads`.
        """
        logits, backward = self.network.forward(pictures, self._ctx)
        wrong = logits.argmax(axis=1) != labels
        rows = np.arange(len(labels))
        exact = logits.astype(np.float64)
        right = exact[rows, labels]
        d = np.zeros_like(logits)
        if towards is None:
            exact[rows, labels] = -np.inf
            largest = exact.max(axis=1)
            shares = np.exp(exact - largest[:, None])
            total = shares.sum(axis=1)
            value = largest + np.log(total) - right
            d[...] = shares / total[:, None]
        else:
            value = exact[rows, towards] - right
            d[rows, towards] = 1
        d[rows, labels] = -1
        return value, backward(d), wrong


def ascend(
    target: Target,
    start: ndarray,
    clean: ndarray,
    labels: ndarray,
    ball: Ball,
    *,
    steps: Sequence[float],
    towards: ndarray | None = None,
    until_misread: bool = False,
) -> ndarray:
    """Projected gradient descent (Madry et al. 2018, §2.1): where steps of these sizes, in ε, lead; a new array.

    Inside the ball around `clean`, from `start`, up what Target.climb gives. until_misread: leave a row as soon as it
    is misread, which is all that an attack wants; training wants the worst picture.
    """
    at, left = start.copy(), slice(None)
    for step in steps:
        _, gradient, wrong = target.climb(at[left], labels[left], None if towards is None else towards[left])
        if until_misread:
            gradient, left = gradient[~wrong], np.arange(len(at))[left][~wrong]
            if len(left) == 0:
                break
        at[left] = ball.clip(at[left] + step * ball.epsilon * ball.steepest(gradient), clean[left])
    return at


class Method(Protocol):
    """An attack's own idea. `name` is what tables show. `run` gives proposed pictures, which the caller clips."""

    name: str

    def run(self, target: Target, pictures: ndarray, labels: ndarray, ball: Ball, *, rng: Generator) -> ndarray: ...


@dataclass(frozen=True)
class Attacked:
    """What an attack left. pictures (n, side, side) floats: the attacked ones; where a row was misread before
    any change, or ε is 0, the pictures as they were. clean_correct, correct (n,) bool: read rightly before the
    attack, and both before and after.
    """

    pictures: ndarray
    clean_correct: ndarray
    correct: ndarray

    @property
    def accuracy(self) -> float:
        """Share of rows, 0 to 1, that the attack left right."""
        return float(self.correct.mean())


def attack(
    network: Network, images: ndarray, labels: ndarray, method: Method, ball: Ball, *, rng: Generator
) -> Attacked:
    """Attack every row that the network reads rightly, clip to ball and [0, 1], and score.

    images (n, side, side) uint8 or floats in [0, 1]; labels (n,) class indices. The network's parameters stay;
    its `grads` are written over. Raises UsageError for images, labels or values that do not fit.
    """
    clean = check_rows(network, images, labels)
    clean_correct = network.logits(clean).argmax(axis=1) == labels
    pictures = clean.copy()
    if ball.epsilon == 0:
        return Attacked(pictures, clean_correct, clean_correct.copy())
    target, right = Target(network), np.flatnonzero(clean_correct)
    for start in range(0, len(right), PREDICT_ROWS):
        rows = right[start : start + PREDICT_ROWS]
        proposed = method.run(target, clean[rows], labels[rows], ball, rng=rng)
        pictures[rows] = ball.clip(proposed, clean[rows])
    correct = clean_correct & (network.logits(pictures).argmax(axis=1) == labels)
    return Attacked(pictures, clean_correct, correct)


def check_rows(network: Network, images: ndarray, labels: ndarray) -> ndarray:
    """The images as floats of the network's dtype. Raises UsageError where rows, labels and network do not fit."""
    if images.ndim != 3 or len(images) == 0:
        raise UsageError(f"An attack takes pictures (n, side, side), at least one, found shape {images.shape}.")
    check_labels(labels, len(images), network.output_shape[0])
    pictures = network.to_numbers(images)
    if not (pictures.min() >= 0 and pictures.max() <= 1):
        raise UsageError(
            f"An attack takes floats in [0, 1] or uint8 pixels, found floats from {pictures.min():g} to "
            f"{pictures.max():g}: divide by the largest pixel value."
        )
    return pictures
