"""Training tasks: one network to train, and everything that depends on it, as a unit that any process can do.

Predictions under changed pictures, attacks, their sanity checks and certificates are made in the process that
trained the network, so that the network need not travel.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pipeline.errors import InkproofError
from pipeline.evaluation.robustness.attack_sanity import Finding, sanity_checks
from pipeline.evaluation.robustness.attacks import attack
from pipeline.evaluation.robustness.certificates import certify
from pipeline.evaluation.robustness.methods import parse_attack
from pipeline.nn.network import Network
from pipeline.seeds import AfterTraining
from pipeline.training import Epoch, Hooks, Streams, TrainingData, fit
from pipeline.training.recipe import Recipe


class PictureChange(Protocol):
    """A test condition: pictures (n, side, side) uint8 in, what the network sees out, under a name."""

    name: str

    def apply(self, images: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """Which of the shared rows a fit trains on, and which it predicts.

    train, validation: indices of labelled rows, none in both. test: whether the test rows are predicted as well,
    behind the validation rows. pseudo_labels (m,): a class index, or -1, for each test row; those with a class are
    trained on too.
    """

    train: np.ndarray
    validation: np.ndarray
    test: bool = False
    pseudo_labels: np.ndarray | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class SharedRows:
    """What all fits of a job share; it goes to each worker once, and a task names its split.

    images (n, side, side) uint8 and labels (n,) class indices: the labelled rows. test_images (m, side, side) uint8:
    rows without labels. splits: by name.
    """

    images: np.ndarray
    labels: np.ndarray
    classes: int
    test_images: np.ndarray
    splits: Mapping[str, Split]

    def of(self, split: str) -> tuple[TrainingData, np.ndarray]:
        """The rows of one fit: what it trains on, validation rows with it, and pictures (p, side, side) to predict.

        The validation rows come first among those. Raises ValueError for a row in train and in validation: that would
        be leakage.
        """
        part = self.splits[split]
        if np.intersect1d(part.train, part.validation).size:
            raise ValueError(f"the split {split!r} has rows in both train and validation")
        images, labels = self.images[part.train], self.labels[part.train]
        if part.pseudo_labels is not None:
            chosen = part.pseudo_labels >= 0
            images = np.concatenate([images, self.test_images[chosen]])
            labels = np.concatenate([labels, part.pseudo_labels[chosen].astype(labels.dtype)])
        judged = predicted = self.images[part.validation]
        if part.test:
            predicted = np.concatenate([judged, self.test_images])
        validation = TrainingData(rows=judged, labels=self.labels[part.validation]) if len(judged) else None
        return TrainingData(rows=images, labels=labels, validation=validation), predicted


@dataclass(frozen=True, kw_only=True)
class Smoothing:
    """Certificates by randomised smoothing with noise σ `sigma` for the first `rows` predicted rows: see certify."""

    sigma: float
    rows: int = 500
    samples: int = 10_000
    alpha: float = 0.001


@dataclass(frozen=True, kw_only=True)
class TrainingTask:
    """One network to train: by which recipe, on which split, from which seeds; and what to predict with it.

    name: unique in the job. trained: name of the training condition, or of the ensemble's member. repeat, fold: from
    0; fold is None without folds. final: whether it is trained for the submission, on all rows. key: whole numbers
    that all randomness of this fit follows from (see seeds.py). conditions: what the predicted rows go through.
    attacks: as parse_attack reads them. sanity_rows: how many rows the sanity checks of the attacks take; 0 leaves
    them out.
    """

    name: str
    trained: str
    recipe: Recipe
    sigma: float
    repeat: int
    key: tuple[int, ...]
    split: str
    conditions: tuple[PictureChange, ...]
    fold: int | None = None
    member: int = 0
    final: bool = False
    attacks: tuple[str, ...] = ()
    sanity_rows: int = 0
    smoothing: Smoothing | None = None

    @property
    def file_name(self) -> str:
        """The name in letters that every file system takes: "sigma-0.1-repeat-2"."""
        return self.name.replace("σ", "sigma").replace(",", "").replace(" ", "-")


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingResult:
    """A trained network and what it predicted.

    values (size,): the trained Network.values. probabilities: condition or attack → (predicted rows, classes)
    float32; under an attack, of this network's own attacked pictures. seconds: wall time; cpu_seconds: processor time
    of its process. findings: of the attacks' sanity checks. certified (rows,) class or ABSTAIN, radius (rows,) L2;
    None without smoothing.
    """

    values: np.ndarray
    history: list[Epoch]
    probabilities: Mapping[str, np.ndarray]
    seconds: float
    cpu_seconds: float = 0.0
    findings: tuple[Finding, ...] = ()
    certified: np.ndarray | None = None
    radius: np.ndarray | None = None


def attempt(
    task: TrainingTask, shared: SharedRows, on_epoch: Callable[[Epoch], None] | None = None, *, threads: int = 1
) -> TrainingResult | str:
    """run_task with matrix products on one thread; for an error its sentence: it must not take other fits with it."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        try:
            return run_task(task, shared, on_epoch, threads=threads)
        except InkproofError as error:
            return str(error)


def run_task(
    task: TrainingTask, shared: SharedRows, on_epoch: Callable[[Epoch], None] | None = None, *, threads: int = 1
) -> TrainingResult:
    """Train the network and predict. Equal tasks and rows give equal results wherever they run.

    threads: how many share the work of convolutions; see Pass. Raises DivergedError.
    """
    begin, begin_cpu = time.perf_counter(), time.process_time()
    data, predicted = shared.of(task.split)
    recipe, streams = task.recipe, Streams.of(*task.key)
    network: Network = recipe.network(data.rows.shape[1:], shared.classes, rng=streams.weights)
    plan = recipe.plan(network, len(data.rows), threads=threads)
    hooks = Hooks(
        augment=recipe.augment(task.sigma),
        adversary=recipe.adversary(),
        average=recipe.average(network),
        on_epoch=on_epoch,
    )
    history = fit(network, data, plan, streams=streams, hooks=hooks)
    probabilities = {change.name: network.probabilities(change.apply(predicted)) for change in task.conditions}
    probabilities |= {name: _attacked(network, task, data.validation, name) for name in task.attacks}
    findings = _check_attacks(network, task, data.validation)
    certified, radius = (None, None) if task.smoothing is None else _smooth(network, task, predicted)
    return TrainingResult(
        values=network.values,
        history=history,
        probabilities={name: found.astype(np.float32, copy=False) for name, found in probabilities.items()},
        seconds=time.perf_counter() - begin,
        cpu_seconds=time.process_time() - begin_cpu,
        findings=findings,
        certified=certified,
        radius=radius,
    )


def _attacked(network: Network, task: TrainingTask, rows: TrainingData, name: str) -> np.ndarray:
    method, ball = parse_attack(name)
    rng = np.random.default_rng([*task.key, AfterTraining.ATTACK, *name.encode()])
    return network.probabilities(attack(network, rows.rows, rows.labels, method, ball, rng=rng).pictures)


def _check_attacks(network: Network, task: TrainingTask, rows: TrainingData | None) -> tuple[Finding, ...]:
    """The sanity checks, once for each norm that the attacks use."""
    findings: list[Finding] = []
    balls = [parse_attack(name)[1] for name in task.attacks] if task.sanity_rows else []
    for norm in dict.fromkeys(ball.norm for ball in balls):
        epsilons = [ball.epsilon for ball in balls if ball.norm == norm]
        if max(epsilons) > 0:
            images, labels = rows.rows[: task.sanity_rows], rows.labels[: task.sanity_rows]
            findings += sanity_checks(network, images, labels, norm=norm, epsilons=epsilons, seed=task.key[0])
    return tuple(findings)


def _smooth(network: Network, task: TrainingTask, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    smoothing = task.smoothing
    certificates = certify(
        network,
        predicted[: smoothing.rows],
        sigma=smoothing.sigma,
        n=smoothing.samples,
        alpha=smoothing.alpha,
        rng=np.random.default_rng([*task.key, AfterTraining.SMOOTHING]),
    )
    return certificates.classes.astype(np.int16), certificates.radius
