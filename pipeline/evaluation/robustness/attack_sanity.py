"""Is it the network that is strong, or the attack that is weak? Checks that every table of attacks should pass.

After Carlini et al., On Evaluating Adversarial Robustness (2019, §4), and Athalye, Carlini, Wagner,
Obfuscated Gradients Give a False Sense of Security (2018, §3.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.errors import UsageError
from pipeline.evaluation.robustness.attacks import Ball, Target, attack, check_rows
from pipeline.evaluation.robustness.methods import FGSM, PGD, RandomSearch
from pipeline.nn.network import PREDICT_ROWS, Network

RANDOM_SEARCH_LEAD = 0.01  # by how much of all rows a blind search may beat PGD before PGD is called weak
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
    images: np.ndarray,
    labels: np.ndarray,
    *,
    norm: str,
    epsilons: Sequence[float],
    seed: int = 0,
    pgd: PGD | None = None,
    search: RandomSearch | None = None,
) -> list[Finding]:
    """Attack the rows in several ways and tell what does not fit together.

    images (n, side, side) uint8 or floats in [0, 1]; labels (n,) class indices; a few hundred rows will do.
    epsilons: at least one above 0; PGD runs at each, all else at the largest. pgd, search: what to run there
    (their defaults); restarts are tried with 1 and with the larger of pgd.restarts and 3. All attacks draw from
    `seed`. Raises UsageError for values that do not fit.
    """
    pgd, search = pgd or PGD(), search or RandomSearch()
    balls = [Ball(norm, epsilon) for epsilon in sorted({0.0, *epsilons})]
    if len(balls) < 2 or balls[0].epsilon != 0:
        raise UsageError(f"The checks of an attack need at least one ε above 0, found {list(epsilons)}.")
    rows, largest = len(labels), balls[-1]

    def right(method: FGSM | PGD | RandomSearch, ball: Ball) -> int:
        return int(attack(network, images, labels, method, ball, rng=np.random.default_rng(seed)).correct.sum())

    def share(count: int) -> str:
        return f"{100 * count / rows:.2f} %"

    clean = int((network.logits(images).argmax(axis=1) == labels).sum())
    once = PGD(pgd.steps, pgd.step, 1)
    by_epsilon = [right(once, ball) for ball in balls]
    strongest = by_epsilon[-1]
    one_step = right(FGSM(), largest)
    restarts = max(pgd.restarts, 3)
    restarted = right(PGD(pgd.steps, pgd.step, restarts), largest)
    searched = right(search, largest)
    grey = right(once, Ball("Linf", ANY_PICTURE))
    commonest = int(np.bincount(labels).max())
    vanished = vanished_gradients(network, images, labels)
    at = f"at ε {largest.epsilon:g} in {norm}"

    rises = [
        f"from {share(before)} at ε {low.epsilon:g} to {share(after)} at ε {high.epsilon:g}"
        for (low, before), (high, after) in zip(
            zip(balls[:-1], by_epsilon[:-1], strict=True), zip(balls[1:], by_epsilon[1:], strict=True), strict=True
        )
        if after > before
    ]
    curve = ", ".join(f"{share(count)} at {ball.epsilon:g}" for ball, count in zip(balls, by_epsilon, strict=True))
    return [
        Finding(
            "ε = 0 equals clean accuracy",
            by_epsilon[0] == clean,
            f"clean accuracy is {share(clean)}, PGD with ε = 0 leaves {share(by_epsilon[0])}.",
        ),
        Finding(
            "accuracy does not rise with ε",
            not rises,
            f"Accuracy rises {', and '.join(rises)}: give PGD more steps." if rises else f"PGD leaves {curve}.",
        ),
        Finding(
            "PGD leaves no more than FGSM",
            strongest <= one_step,
            f"PGD leaves {share(strongest)}, FGSM {share(one_step)} {at}"
            + ("." if strongest <= one_step else ": many small steps should find what one large step finds."),
        ),
        Finding(
            "more restarts never raise accuracy",
            restarted <= strongest,
            f"PGD leaves {share(strongest)} from one start, {share(restarted)} from {restarts} {at}.",
        ),
        Finding(
            "random search does not beat PGD",
            strongest <= searched + RANDOM_SEARCH_LEAD * rows,
            f"Random search, which uses no gradient, leaves {share(searched)} {at}, PGD {share(strongest)}"
            + (
                "."
                if strongest <= searched + RANDOM_SEARCH_LEAD * rows
                else ": the gradients mislead (masking), do not believe PGD's figures."
            ),
        ),
        Finding(
            "with any picture allowed, nothing is left",
            grey <= commonest,
            f"At ε {ANY_PICTURE:g} in Linf, where every picture may become plain grey, PGD leaves {share(grey)}; "
            f"the commonest class has {share(commonest)}"
            + ("." if grey <= commonest else ", more is not robustness but an attack that gets stuck."),
        ),
        Finding(
            "gradients have not vanished",
            vanished <= VANISHED,
            f"{100 * vanished:.2f} % of the rows have no input gradient"
            + ("." if vanished <= VANISHED else ": attacks by gradient cannot move them (masking)."),
        ),
    ]


def vanished_gradients(network: Network, images: np.ndarray, labels: np.ndarray) -> float:
    """Share of rows (0 to 1) whose input gradient is 0 in every pixel, or not a finite number in one."""
    pictures, target = check_rows(network, images, labels), Target(network)
    vanished = 0
    for start in range(0, len(pictures), PREDICT_ROWS):
        part = slice(start, start + PREDICT_ROWS)
        largest = np.abs(target.gradient(pictures[part], labels[part])[0]).max(axis=(1, 2))
        vanished += int(np.sum(~(np.isfinite(largest) & (largest > 0))))
    return vanished / len(pictures)
