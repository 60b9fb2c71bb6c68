"""Adversarial training: batches attacked as the network stands, before it learns from them."""

from numpy import ndarray
from numpy.random import Generator

from pipeline.errors import number, whole_number
from pipeline.evaluation.robustness.attacks import Ball, Target, ascend
from pipeline.nn.network import Network


class AdversarialTraining:
    """The change of training batches that knows the network and the labels.

    From a random start in the ball (norm, epsilon: see Ball) `steps` steps of size step·ε: 1 with step 1.25 is the fast
    FGSM of Wong, Rice and Kolter (2020, algorithm 3), more are Madry et al. (2018). step None is 1.25 for one step and
    2.5 / steps for more. share: the first part of each batch that is attacked; batches come in random order, so it is a
    random choice, and the rest keeps accuracy on clean pictures up. Raises UsageError for values out of range.
    """

    def __init__(
        self, epsilon: float, *, norm: str = "Linf", steps: int = 1, step: float | None = None, share: float = 1.0
    ) -> None:
        self.ball, self.steps = Ball(norm, epsilon), whole_number("The steps of adversarial training", steps)
        default = 1.25 if steps == 1 else 2.5 / steps
        self.step = default if step is None else number("The step of adversarial training", step, above=0)
        self.share = number("The share of adversarial training", share, above=0, at_most=1)
        self._target: Target | None = None

    def __call__(self, network: Network, batch: ndarray, labels: ndarray, *, rng: Generator) -> ndarray:
        """Change the float batch (n, side, side) in place, and give it back; writes over the network's grads."""
        if self.ball.epsilon == 0:
            return batch
        if self._target is None or self._target.network is not network:
            self._target = Target(network)
        part = slice(round(len(batch) * self.share))
        clean = batch[part]
        start = self.ball.clip(clean + self.ball.random(clean, rng=rng), clean)
        batch[part] = ascend(self._target, start, clean, labels[part], self.ball, steps=[self.step] * self.steps)
        return batch
