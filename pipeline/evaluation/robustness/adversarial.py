"""Adversarial training: batches attacked as the network stands, before it learns from them."""

from __future__ import annotations

import numpy as np

from pipeline.checks import number, whole_number
from pipeline.evaluation.robustness.attacks import Ball, Target
from pipeline.nn.network import Network


def adversarial_batch(
    target: Target,
    batch: np.ndarray,
    labels: np.ndarray,
    ball: Ball,
    *,
    steps: int,
    step: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Attacked pictures: a random start in the ball, then `steps` steps of size step·ε; a new array.

    batch: floats (n, side, side) in [0, 1]; labels (n,) class indices. steps = 1 with step 1.25 is the fast
    FGSM of Wong, Rice and Kolter (2020, algorithm 3), more steps are Madry et al. (2018). All rows are taken to
    the end, misread or not: training wants the worst picture, an attack any that is misread.
    """
    return ascend(target, ball.clip(batch + ball.random(batch, rng=rng), batch), batch, labels, ball, steps, step)


def ascend(
    target: Target, at: np.ndarray, clean: np.ndarray, labels: np.ndarray, ball: Ball, steps: int, step: float
) -> np.ndarray:
    """`steps` steps of size step·ε from `at` to where the loss is larger, inside the ball around `clean`; a new array.

    Projected gradient descent (Madry et al. 2018, §2.1) that goes on where a picture is misread already.
    """
    for _ in range(steps):
        gradient, _ = target.gradient(at, labels)
        at = ball.clip(at + step * ball.epsilon * ball.steepest(gradient), clean)
    return at


class AdversarialTraining:
    """The change of training batches that knows the network and the labels.

    norm, epsilon: the ball (see Ball). steps, step: see adversarial_batch; step None is 1.25 for one step and
    2.5 / steps for more. share: the first part of each batch that is attacked; batches come in random order, so
    it is a random choice, and the rest keeps accuracy on clean pictures up. Raises UsageError for values out of
    range.
    """

    def __init__(
        self, epsilon: float, *, norm: str = "Linf", steps: int = 1, step: float | None = None, share: float = 1.0
    ) -> None:
        self.ball, self.steps = Ball(norm, epsilon), whole_number("The steps of adversarial training", steps)
        default = 1.25 if steps == 1 else 2.5 / steps
        self.step = default if step is None else number("The step of adversarial training", step, above=0)
        self.share = number("The share of adversarial training", share, above=0, at_most=1)
        self._target: Target | None = None

    def __call__(
        self, network: Network, batch: np.ndarray, labels: np.ndarray, *, rng: np.random.Generator
    ) -> np.ndarray:
        """Change the float batch (n, side, side) in place, and give it back; writes over the network's grads."""
        if self.ball.epsilon == 0:
            return batch
        if self._target is None or self._target.network is not network:
            self._target = Target(network)
        part = slice(round(len(batch) * self.share))
        batch[part] = adversarial_batch(
            self._target, batch[part], labels[part], self.ball, steps=self.steps, step=self.step, rng=rng
        )
        return batch
