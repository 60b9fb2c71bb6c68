"""One fit, as a task that any process can do: train a network by a recipe, then ask it about some rows.

Whatever depends on the trained network is asked in the same process, so that the network need not travel:
changed pictures, attacks on it, the honesty checks of these, certificates.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.robustness.attack_sanity import Finding, sanity_checks
from pipeline.evaluation.robustness.attacks import attack
from pipeline.evaluation.robustness.certificates import certify
from pipeline.evaluation.robustness.conditions import Condition
from pipeline.evaluation.robustness.methods import parse_attack
from pipeline.nn.network import Network
from pipeline.training import Epoch, Hooks, Streams, TrainingData, TrainingPlan, fit
from pipeline.training.recipe import Recipe

# Second number of the keys of what is random after training, so that training's own streams stay as they are.
ATTACK, CERTIFY = 1, 2


@dataclass(frozen=True)
class Rows:
    """What fits share: rows with labels, and rows to ask about with their labels where they are known.

    images (n, side, side) and asked (m, side, side) uint8; labels (n,) class indices; asked_labels: those of the
    first of the asked rows, of all or of fewer, or None.
    """

    images: np.ndarray
    labels: np.ndarray
    classes: int
    asked: np.ndarray
    asked_labels: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Part:
    """The part that one fit takes of the rows that all share: of a split, or of a fold.

    learnt: indices of the labelled rows to train on. held: indices of labelled rows to ask about, which must not be
    among them. asked: whether the shared asked rows are asked about as well, after the held ones.
    pseudo_labels (m,): a class index, or -1, for each of the asked rows: those that have one are trained on too.
    """

    learnt: np.ndarray
    held: np.ndarray
    asked: bool = False
    pseudo_labels: np.ndarray | None = None

    def of(self, rows: Rows) -> Rows:
        """The rows that the fit sees. Raises ValueError for a row that is both learnt and held: it would be a leak."""
        if np.intersect1d(self.learnt, self.held).size:
            raise ValueError("rows to be held out stand among those to be learnt")
        images, labels = rows.images[self.learnt], rows.labels[self.learnt]
        if self.pseudo_labels is not None:
            chosen = self.pseudo_labels >= 0
            images = np.concatenate([images, rows.asked[chosen]])
            labels = np.concatenate([labels, self.pseudo_labels[chosen].astype(labels.dtype)])
        asked = rows.images[self.held]
        if self.asked:
            asked = np.concatenate([asked, rows.asked])
        return Rows(images, labels, rows.classes, asked, rows.labels[self.held])


@dataclass(frozen=True)
class Certifying:
    """Certificates for the first `rows` of the asked rows at noise σ `sigma`: see certify."""

    sigma: float
    rows: int = 500
    samples: int = 10_000
    alpha: float = 0.001


@dataclass(frozen=True)
class TrainingTask:
    """One network to train: by which recipe, at which noise level σ, from which seeds; and what to ask it.

    key: whole numbers that all randomness of this fit follows from.
    conditions: what the asked rows go through before the network sees them.
    attacks: what it is attacked with afterwards, each as parse_attack reads it.
    checks: how many of the asked rows the honesty checks of those attacks take; 0 leaves them out.
    certifying: certificates, or None.
    part: which of the shared rows it takes; None for all.
    """

    name: str
    recipe: Recipe
    sigma: float
    key: tuple[int, ...]
    conditions: Sequence[Condition]
    attacks: tuple[str, ...] = ()
    checks: int = 0
    certifying: Certifying | None = None
    part: Part | None = None

    @property
    def file_name(self) -> str:
        """The name in letters that every file system takes: "sigma-0.1-repeat-2"."""
        return self.name.replace("σ", "sigma").replace(",", "").replace(" ", "-")


@dataclass(frozen=True)
class TrainingResult:
    """values: the trained Network.values (size,).

    probabilities (conditions, then attacks; m; classes) float32 of the asked rows; under an attack those of
    this network's own attacked pictures. seconds: wall time; cpu_seconds: processor time of its process.
    findings: of the honesty checks. certified (rows,) class or ABSTAIN, radius (rows,), L2; None where no
    certificates were asked for.
    """

    values: np.ndarray
    history: list[Epoch]
    probabilities: np.ndarray
    seconds: float
    findings: tuple[Finding, ...] = ()
    certified: np.ndarray | None = None
    radius: np.ndarray | None = None
    cpu_seconds: float = 0.0


def run_fit(
    task: TrainingTask, rows: Rows, on_epoch: Callable[[Epoch], None] | None = None, *, threads: int = 1
) -> TrainingResult:
    """Do the task. Equal tasks and rows give equal results wherever they run. Raises DivergedError.

    threads: how many share the work of convolutions; see Pass.
    """
    begin, begin_cpu = time.perf_counter(), time.process_time()
    if task.part is not None:
        rows = task.part.of(rows)
    recipe, streams = task.recipe, Streams.of(*task.key)
    network: Network = recipe.network(rows.images.shape[1:], rows.classes, rng=streams.weights)
    data = TrainingData(rows=rows.images, labels=rows.labels, validation=_validation(rows))
    plan = TrainingPlan(
        loss=recipe.loss(),
        optimizer=recipe.optimizer(network),
        schedule=recipe.schedule(),
        epochs=recipe.training.epochs,
        batch_size=recipe.training.batch_size_for(len(rows.images)),
        threads=threads,
    )
    hooks = Hooks(
        augment=recipe.augment(task.sigma),
        adversary=recipe.adversary(),
        average=recipe.average(network),
        on_epoch=on_epoch,
    )
    history = fit(network, data, plan, streams=streams, hooks=hooks)
    asked = [network.probabilities(condition.apply(rows.asked)) for condition in task.conditions]
    asked += [_under_attack(network, task, rows, text) for text in task.attacks]
    certified = radius = None
    if task.certifying is not None:
        certified, radius = _certify(network, task, rows)
    return TrainingResult(
        network.values,
        history,
        np.stack(asked).astype(np.float32),
        time.perf_counter() - begin,
        _check(network, task, rows),
        certified,
        radius,
        time.process_time() - begin_cpu,
    )


def _validation(rows: Rows) -> TrainingData | None:
    if rows.asked_labels is None or len(rows.asked_labels) == 0:
        return None
    return TrainingData(rows=rows.asked[: len(rows.asked_labels)], labels=rows.asked_labels)


def _under_attack(network: Network, task: TrainingTask, rows: Rows, text: str) -> np.ndarray:
    method, ball = parse_attack(text)
    rng = np.random.default_rng([*task.key, ATTACK, *text.encode()])
    attacked = attack(network, rows.asked, rows.asked_labels, method, ball, rng=rng)
    return network.probabilities(attacked.pictures)


def _check(network: Network, task: TrainingTask, rows: Rows) -> tuple[Finding, ...]:
    """The honesty checks, once for each norm that the attacks use."""
    findings: list[Finding] = []
    balls = [parse_attack(text)[1] for text in task.attacks] if task.checks else []
    for norm in dict.fromkeys(ball.norm for ball in balls):
        epsilons = [ball.epsilon for ball in balls if ball.norm == norm]
        if max(epsilons) > 0:
            part = slice(task.checks)
            findings += sanity_checks(
                network, rows.asked[part], rows.asked_labels[part], norm=norm, epsilons=epsilons, seed=task.key[0]
            )
    return tuple(findings)


def _certify(network: Network, task: TrainingTask, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
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
