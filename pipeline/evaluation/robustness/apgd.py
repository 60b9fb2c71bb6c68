"""APGD: projected gradient steps that halve where they no longer help, from several starts with several aims.

F. Croce and M. Hein, Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse Parameter-free
Attacks (2020, §4): algorithm 1 with its constants. What is climbed is told in `Target.climb`: the numerators of
cross-entropy and of the targeted difference-of-logits ratio, which no scaling of the logits can hide.
"""

from dataclasses import dataclass

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from pipeline.errors import whole_number
from pipeline.evaluation.robustness.attacks import Ball, Target

MOMENTUM = 0.75  # α of the paper
OFTEN = 0.75  # ρ: the share of steps that must climb for the step to stay as it is
NEAR = 0.35  # see APGD
FIRST, LESS, SHORTEST = 0.22, 0.03, 0.06  # checkpoints, as shares of all steps: w₁, how much intervals shrink, to what


@dataclass(frozen=True)
class APGD:
    """Row by row the worst of climbs by cross-entropy and towards every wrong class.

    First a short climb (`explore` steps) towards each wrong class. Rows that are then still right, and near enough
    for more steps to matter (what is missing is at most NEAR of what was climbed), are climbed from `restarts` random
    places by cross-entropy and towards the `targets` classes that came nearest, `steps` each. A row is left alone as
    soon as it is misread.
    """

    explore: int = 6
    steps: int = 30
    targets: int = 3
    restarts: int = 1
    name = "APGD"

    def __post_init__(self) -> None:
        for what in ("explore", "steps", "targets", "restarts"):
            whole_number(f"APGD {what}", getattr(self, what), at_least=1)

    def run(self, target: Target, pictures: ndarray, labels: ndarray, ball: Ball, *, rng: Generator) -> ndarray:
        logits = target.logits(pictures).astype(np.float64)
        every, classes = np.arange(len(pictures)), logits.shape[1]
        others = logits.argsort(axis=1)[:, -2::-1]  # the largest is the label: all rows are read rightly
        first = np.take_along_axis(logits, others, axis=1) - logits[every, labels][:, None]
        reached = np.full((len(pictures), classes - 1), -np.inf)
        best, left = pictures.copy(), every
        for rank in range(classes - 1):
            towards = others[left, rank]
            clean = pictures[left]
            best[left], reached[left, rank], misread = climb_from(
                target, clean, clean, labels[left], towards, ball, self.explore
            )
            left = left[~misread]
            if len(left) == 0:
                return best
        near = (-reached <= NEAR * (reached - first)).any(axis=1)
        left = left[near[left]]
        aims = np.take_along_axis(others, np.argsort(-reached, axis=1), axis=1)
        for rank in [*range(1 + min(self.targets, classes - 1))] * self.restarts:
            if len(left) == 0:
                break
            clean, towards = pictures[left], aims[left, rank - 1] if rank else None
            start = ball.clip(clean + ball.random(clean, rng=rng), clean)
            best[left], _, misread = climb_from(target, start, clean, labels[left], towards, ball, self.steps)
            left = left[~misread]
        return best


def checkpoints(steps: int) -> set[int]:
    """The steps after which a climb looks back: ⌈p·steps⌉ with p 0, 0.22, and intervals that shrink to 0.06."""
    places, shares = set(), [0.0, FIRST]
    while shares[-1] < 1:
        places.add(int(np.ceil(round(shares[-1] * steps, 6))))
        shares.append(shares[-1] + max(shares[-1] - shares[-2] - LESS, SHORTEST))
    return places


def climb_from(
    target: Target, start: ndarray, clean: ndarray, labels: ndarray, towards: ndarray | None, ball: Ball, steps: int
) -> tuple[ndarray, ndarray, ndarray]:
    """The best pictures (n, side, side) of a climb, misread ones as they are at once; their values; which they are."""
    ends, misread, values = start.copy(), np.zeros(len(start), bool), np.zeros(len(start))
    rows = np.arange(len(start))
    at, before = start.copy(), start.copy()
    best, best_gradient = at.copy(), np.zeros_like(at)
    value = best_value = checked_value = np.full(len(at), -np.inf)
    step = np.full((len(at), 1, 1), 2 * ball.epsilon, at.dtype)
    climbed, halved, last = np.zeros(len(at), int), np.zeros(len(at), bool), 0
    look_back, momentum = checkpoints(steps), at.dtype.type(MOMENTUM)
    for number in range(steps + 1):
        new, gradient, wrong = target.climb(at, labels[rows], None if towards is None else towards[rows])
        climbed += new > value
        value = new
        better = value > best_value
        best_value = np.where(better, value, best_value)
        best[better], best_gradient[better] = at[better], gradient[better]
        if wrong.any():
            ends[rows[wrong]], misread[rows[wrong]] = at[wrong], True
            keep = ~wrong
            state = (rows, at, before, clean, best, best_gradient, gradient, value, best_value, checked_value)
            rows, at, before, clean, best, best_gradient, gradient, value, best_value, checked_value = (
                each[keep] for each in state
            )
            step, climbed, halved = step[keep], climbed[keep], halved[keep]
        if number == steps or len(rows) == 0:
            break
        if number in look_back and number:
            stuck = climbed < OFTEN * (number - last)
            stuck |= ~halved & (best_value <= checked_value)
            step[stuck] /= 2
            at[stuck], before[stuck] = best[stuck], best[stuck]
            gradient = np.where(stuck[:, None, None], best_gradient, gradient)
            checked_value, halved, climbed, last = best_value, stuck, np.zeros(len(rows), int), number
        moved = ball.clip(at + step * ball.steepest(gradient), clean)
        if number:
            moved = ball.clip(at + momentum * (moved - at) + (1 - momentum) * (at - before), clean)
        at, before = moved, at
    ends[rows], values[rows] = best, best_value
    return ends, values, misread
