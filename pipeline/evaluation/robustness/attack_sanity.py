"""Is it the network that is strong, or the attack that is weak? Checks that every table of attacks should pass.

After Carlini et al., On Evaluating Adversarial Robustness (2019, §4), and Athalye, Carlini, Wagner,
Obfuscated Gradients Give a False Sense of Security (2018, §3.1).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy import ndarray

from pipeline.errors import UsageError
from pipeline.evaluation.crossed import SIGNIFICANCE
from pipeline.evaluation.robustness.apgd import APGD
from pipeline.evaluation.robustness.attacks import Ball, Method, Target, attack, check_rows
from pipeline.evaluation.robustness.methods import FGSM, PGD, RandomSearch
from pipeline.evaluation.statistics import mcnemar_exact
from pipeline.nn.network import PREDICT_ROWS, Network

LEAD = 0.01  # by how much of all rows, beyond chance, another attack may leave less before the attack is called weak
VANISHED = 0.01  # share of rows without a gradient from which on it is worth a warning
ANY_PICTURE = 0.5  # the ε in L∞ at which every picture may become plain grey


@dataclass(frozen=True)
class Finding:
    """One check: what it asks, whether all is well, and what was found, in a sentence with its figures."""

    check: str
    ok: bool
    words: str


def sanity_checks(
    network: Network,
    images: ndarray,
    labels: ndarray,
    *,
    norm: str,
    epsilons: Sequence[float],
    seed: int = 0,
    method: APGD | PGD | None = None,
    search: RandomSearch | None = None,
) -> list[Finding]:
    """Attack the rows in several ways and tell what does not fit together.

    images (n, side, side) uint8 or floats in [0, 1]; labels (n,) class indices; a few hundred rows will do.
    epsilons: at least one above 0; the attack runs at each, all else at the largest. method: the attack that a table
    rests on, APGD where none is given; search: the blind one beside it. All attacks draw from `seed`. Raises
    UsageError for values that do not fit.
    """
    method, search = method or APGD(), search or RandomSearch()
    balls = [Ball(norm, epsilon) for epsilon in sorted({0.0, *epsilons})]
    if len(balls) < 2 or balls[0].epsilon != 0:
        raise UsageError(f"The checks of an attack need at least one ε above 0, found {list(epsilons)}.")
    rows, largest = len(labels), balls[-1]

    def right(tried: Method, ball: Ball, draw: int = seed) -> ndarray:
        return attack(network, images, labels, tried, ball, rng=np.random.default_rng(draw)).correct

    clean = int((network.logits(images).argmax(axis=1) == labels).sum())
    left = [right(method, ball) for ball in balls]
    by_epsilon = [int(each.sum()) for each in left]
    commonest = int(np.bincount(labels).max())
    grey = int(right(method, Ball("Linf", ANY_PICTURE)).sum())
    vanished = vanished_gradients(network, images, labels)
    at = f"at ε {largest.epsilon:g} in {norm}"
    more = replace(method, restarts=method.restarts + 2)
    others = {
        "FGSM": right(FGSM(), largest),
        f"{more.restarts} restarts": right(more, largest, seed + 1),
        "doubled steps": right(replace(method, steps=2 * method.steps), largest),
        "random search": right(search, largest),
    }
    none = by_epsilon[0]
    clean_words = f"clean accuracy is {_share(clean, rows)}, {method.name} with ε = 0 leaves {_share(none, rows)}."
    grey_words = (
        f"At ε {ANY_PICTURE:g} in Linf, where every picture may become plain grey, {method.name} leaves "
        f"{_share(grey, rows)}; the commonest class has {_share(commonest, rows)}"
    )
    stuck = "." if grey <= commonest else ", more is not robustness but an attack that gets stuck."
    masked = "." if vanished <= VANISHED else ": attacks by gradient cannot move them (masking)."
    vanished_words = f"{100 * vanished:.2f} % of the rows have no input gradient{masked}"
    return [
        Finding("ε = 0 equals clean accuracy", none == clean, clean_words),
        _never_rises(balls, by_epsilon, rows, method.name),
        *(lowers(name, left[-1], other, at, method.name) for name, other in others.items()),
        Finding("with any picture allowed, nothing is left", grey <= commonest, grey_words + stuck),
        Finding("gradients have not vanished", vanished <= VANISHED, vanished_words),
    ]


def _never_rises(balls: Sequence[Ball], by_epsilon: Sequence[int], rows: int, attack_name: str) -> Finding:
    """The rule that accuracy does not rise with ε. by_epsilon: rows still right in each ball."""
    counts = list(zip(balls, by_epsilon, strict=True))
    rises = [
        f"from {_share(before, rows)} at ε {low.epsilon:g} to {_share(after, rows)} at ε {high.epsilon:g}"
        for (low, before), (high, after) in pairwise(counts)
        if after > before
    ]
    curve = ", ".join(f"{_share(count, rows)} at {ball.epsilon:g}" for ball, count in counts)
    words = f"Accuracy rises {', and '.join(rises)}: give {attack_name} more steps."
    return Finding("accuracy does not rise with ε", not rises, words if rises else f"{attack_name} leaves {curve}.")


def lowers(name: str, left: ndarray, other: ndarray, at: str, attack_name: str) -> Finding:
    """Whether another attack leaves clearly fewer rows right than the attack did.

    left, other (n,) bool: the rows that the attack, that the other left right. Failed where the other's own finds
    outnumber the attack's by more than LEAD of all rows, beyond chance (McNemar's exact test, one-sided 5 %).
    """
    finds, missed = int((left & ~other).sum()), int((other & ~left).sum())
    rows = len(left)
    weak = finds - missed > LEAD * rows and finds > missed and mcnemar_exact(finds, missed) / 2 < SIGNIFICANCE
    words = f"{name}: {_share(int(other.sum()), rows)} left {at}, {attack_name} {_share(int(left.sum()), rows)}"
    if weak:
        words += f": {attack_name} is too weak for this network, or its gradients mislead; do not believe its figures"
    return Finding(f"{name} does not leave fewer right", not weak, f"{words}.")


def _share(count: int, rows: int) -> str:
    return f"{100 * count / rows:.2f} %"


def vanished_gradients(network: Network, images: ndarray, labels: ndarray) -> float:
    """Share of rows (0 to 1) whose input gradient is 0 in every pixel, or not a finite number in one."""
    pictures, target = check_rows(network, images, labels), Target(network)
    vanished = 0
    for start in range(0, len(pictures), PREDICT_ROWS):
        part = slice(start, start + PREDICT_ROWS)
        largest = np.abs(target.climb(pictures[part], labels[part])[1]).max(axis=(1, 2))
        vanished += int(np.sum(~(np.isfinite(largest) & (largest > 0))))
    return vanished / len(pictures)
