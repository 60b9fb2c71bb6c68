"""One fit, as a task that any process can do: train a network by a recipe, then ask it about some rows.

Whatever depends on the trained network is asked in the same process, so that the network need not travel:
changed pictures, attacks on it, the honesty checks of these, certificates.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.nn.network import Network
from pipeline.recipe import Recipe
from pipeline.robustness.adversarial import AdversarialTraining
from pipeline.robustness.attacks import attack
from pipeline.robustness.certificates import certify
from pipeline.robustness.conditions import Condition
from pipeline.robustness.honesty import Finding, honesty_checks
from pipeline.robustness.methods import parse_attack
from pipeline.training import Epoch, Streams, fit

# Second number of the keys of what is random after training, so that training's own streams stay as they are.
ATTACK, CERTIFY = 1, 2


@dataclass(frozen=True)
class Rows:
    """What fits share: rows to train on, and rows to ask about with their labels where they are known.

    images (n, side, side) and asked (m, side, side) uint8; labels (n,), asked_labels (m,) class indices.
    """

    images: np.ndarray
    labels: np.ndarray
    classes: int
    asked: np.ndarray
    asked_labels: np.ndarray | None


@dataclass(frozen=True)
class Adversary:
    """Adversarial training in the ball (norm, epsilon), with so many steps for each batch: see AdversarialTraining."""

    norm: str
    epsilon: float
    steps: int = 1


@dataclass(frozen=True)
class Certifying:
    """Certificates for the first `rows` of the asked rows at noise σ `sigma`: see certify."""

    sigma: float
    rows: int = 500
    samples: int = 10_000
    alpha: float = 0.001


@dataclass(frozen=True)
class FitTask:
    """One network to train: by which recipe, at which noise level σ, from which seeds; and what to ask it.

    key: whole numbers that all randomness of this fit follows from.
    conditions: what the asked rows go through before the network sees them.
    adversary: attacks on the training batches, or None.
    attacks: what it is attacked with afterwards, each as parse_attack reads it.
    checks: how many of the asked rows the honesty checks of those attacks take; 0 leaves them out.
    certifying: certificates, or None.
    """

    name: str
    recipe: Recipe
    sigma: float
    key: tuple[int, ...]
    conditions: Sequence[Condition]
    adversary: Adversary | None = None
    attacks: tuple[str, ...] = ()
    checks: int = 0
    certifying: Certifying | None = None

    @property
    def file_name(self) -> str:
        """The name in letters that every file system takes: "sigma-0.1-repeat-2"."""
        return self.name.replace("σ", "sigma").replace(",", "").replace(" ", "-")


@dataclass(frozen=True)
class FitResult:
    """values: the trained Network.values (size,).

    probabilities (conditions, then attacks; m; classes) float32 of the asked rows; under an attack those of
    this network's own attacked pictures. findings: of the honesty checks. certified (rows,) class or ABSTAIN,
    radius (rows,), L2; None where no certificates were asked for.
    """

    values: np.ndarray
    history: list[Epoch]
    probabilities: np.ndarray
    seconds: float
    findings: tuple[Finding, ...] = ()
    certified: np.ndarray | None = None
    radius: np.ndarray | None = None


def run_fit(
    task: FitTask, rows: Rows, on_epoch: Callable[[Epoch], None] | None = None, *, threads: int = 1
) -> FitResult:
    """Do the task. Equal tasks and rows give equal results wherever they run. Raises DivergedError.

    threads: how many share the work of convolutions; see Pass.
    """
    begin = time.perf_counter()
    recipe, streams = task.recipe, Streams.of(*task.key)
    adversary = task.adversary
    network: Network = recipe.network(rows.images.shape[1:], rows.classes, rng=streams.weights)
    history = fit(
        network,
        rows.images,
        rows.labels,
        loss=recipe.loss(),
        optimizer=recipe.optimizer(network),
        schedule=recipe.schedule(),
        epochs=recipe.training.epochs,
        batch_size=recipe.training.batch_size_for(len(rows.images)),
        streams=streams,
        augment=recipe.augment(task.sigma),
        adversary=adversary and AdversarialTraining(adversary.epsilon, norm=adversary.norm, steps=adversary.steps),
        validation=None if rows.asked_labels is None else (rows.asked, rows.asked_labels),
        on_epoch=on_epoch,
        threads=threads,
    )
    asked = [network.probabilities(condition.apply(rows.asked)) for condition in task.conditions]
    asked += [_under_attack(network, task, rows, text) for text in task.attacks]
    certified = radius = None
    if task.certifying is not None:
        certified, radius = _certify(network, task, rows)
    return FitResult(
        network.values,
        history,
        np.stack(asked).astype(np.float32),
        time.perf_counter() - begin,
        _check(network, task, rows),
        certified,
        radius,
    )


def _under_attack(network: Network, task: FitTask, rows: Rows, text: str) -> np.ndarray:
    method, ball = parse_attack(text)
    rng = np.random.default_rng([*task.key, ATTACK, *text.encode()])
    attacked = attack(network, rows.asked, rows.asked_labels, method, ball, rng=rng)
    return network.probabilities(attacked.pictures)


def _check(network: Network, task: FitTask, rows: Rows) -> tuple[Finding, ...]:
    """The honesty checks, once for each norm that the attacks use."""
    findings: list[Finding] = []
    balls = [parse_attack(text)[1] for text in task.attacks] if task.checks else []
    for norm in dict.fromkeys(ball.norm for ball in balls):
        epsilons = [ball.epsilon for ball in balls if ball.norm == norm]
        if max(epsilons) > 0:
            part = slice(task.checks)
            findings += honesty_checks(
                network, rows.asked[part], rows.asked_labels[part], norm=norm, epsilons=epsilons, seed=task.key[0]
            )
    return tuple(findings)


def _certify(network: Network, task: FitTask, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    asked = task.certifying
    found = certify(
        network,
        rows.asked[: asked.rows],
        sigma=asked.sigma,
        n=asked.samples,
        alpha=asked.alpha,
        rng=np.random.default_rng([*task.key, CERTIFY]),
    )
    return found.classes.astype(np.int16), found.radius
