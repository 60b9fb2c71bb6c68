"""Adversarial training: its pictures are allowed and worse, and a network that learned from them stands more."""

from __future__ import annotations

import numpy as np
import pytest
from robust_nets import small_net, two_classes

from pipeline.errors import UsageError
from pipeline.evaluation.robustness.adversarial import AdversarialTraining
from pipeline.evaluation.robustness.attacks import Ball, attack
from pipeline.evaluation.robustness.methods import PGD
from pipeline.nn.losses import SoftmaxCrossEntropy
from pipeline.nn.optimizers import OPTIMIZERS
from pipeline.nn.workspace import Pass


def loss_of(network, images, labels) -> float:
    return SoftmaxCrossEntropy()(network.logits(images), labels, Pass())[0]


@pytest.mark.parametrize(("norm", "epsilon"), [("Linf", 0.05), ("L2", 0.4)])
@pytest.mark.parametrize("steps", [1, 5])
def test_the_first_share_is_attacked_within_the_ball_and_the_rest_stays(norm, epsilon, steps):
    network = small_net()
    clean = np.random.default_rng(1).random((40, 6, 6), dtype=np.float32)
    labels = network.logits(clean).argmax(axis=1)
    batch = clean.copy()
    change = AdversarialTraining(epsilon, norm=norm, steps=steps, share=0.5)
    assert change(network, batch, labels, rng=np.random.default_rng(0)) is batch
    moved = (batch - clean).reshape(40, -1)
    size = np.abs(moved).max(axis=1) if norm == "Linf" else np.linalg.norm(moved, axis=1)
    assert np.all(size[:20] > 0.5 * epsilon) and np.all(size <= epsilon + 1e-6) and not size[20:].any()
    assert batch.min() >= 0 and batch.max() <= 1
    assert loss_of(network, batch[:20], labels[:20]) > 1.3 * loss_of(network, clean[:20], labels[:20])


def test_one_fast_step_is_the_best_change_of_a_linear_network():
    # From anywhere in the ball a step of 1.25 ε along the sign may stop a quarter inside of the far corner: here
    # w·x has to move by at least (−1 + 1.25) / 1 of the best, in the mean over starts by most of it.
    network, w, images = two_classes()
    images = 0.5 + 0.2 * (images - 0.5)
    labels = network.logits(images).argmax(axis=1)
    batch = images.copy()
    AdversarialTraining(0.05)(network, batch, labels, rng=np.random.default_rng(0))
    moved = (batch - images).reshape(400, -1) @ w * np.where(labels == 0, 1, -1)
    best = 0.05 * np.abs(w).sum()
    assert moved.min() > 0.25 * best and moved.max() <= best * (1 + 1e-5)
    # min(u + 1.25, 1) for u uniform in −1 … 1 is 1 with 5/8, else uniform in 0.25 … 1: a mean of 0.859.
    assert moved.mean() == pytest.approx(0.859375 * best, rel=0.01)


def test_unclipped_noise_stays_in_what_is_attacked():
    """Pixels that noise has taken out of [0, 1] are neither brought back nor led further out."""
    noisy = np.random.default_rng(1).normal(0.5, 0.5, (20, 6, 6)).astype(np.float32)
    batch, labels = noisy.copy(), np.zeros(20, int)
    AdversarialTraining(0.1)(small_net(), batch, labels, rng=np.random.default_rng(0))
    assert np.abs(batch - noisy).max() <= 0.1 + 1e-6
    low, high = noisy < 0, noisy > 1
    assert low.sum() > 50 and high.sum() > 50
    assert np.all(batch[low] >= noisy[low]) and np.all(batch[high] <= noisy[high])
    assert (batch[low] > noisy[low]).any() and (batch == noisy).any()


def test_epsilon_0_changes_nothing_and_draws_nothing():
    rng, batch = np.random.default_rng(0), np.full((4, 6, 6), 0.5, np.float32)
    AdversarialTraining(0)(small_net(), batch, np.zeros(4, int), rng=rng)
    assert np.all(batch == 0.5) and rng.random() == np.random.default_rng(0).random()


def test_a_network_trained_against_attacks_stands_them_better():
    rng = np.random.default_rng(5)
    labels = np.arange(600) % 3
    images = rng.uniform(0, 0.4, (600, 6, 6)).astype(np.float32)
    for row, label in enumerate(labels):
        images[row, :, 2 * label : 2 * label + 2] += 0.2
    left = {}
    for name, epsilon in (("plain", 0.0), ("against", 0.1)):
        network = small_net()
        change, loss, ctx = AdversarialTraining(epsilon, steps=3), SoftmaxCrossEntropy(), Pass(train=True)
        optimizer = OPTIMIZERS["adam"](network.params.size, network.dtype)
        for _ in range(15):
            for start in range(0, 450, 50):
                batch, targets = images[start : start + 50].copy(), labels[start : start + 50]
                change(network, batch, targets, rng=rng)
                outputs, backward = network.forward(batch, ctx)
                backward(loss(outputs, targets, ctx)[1])
                optimizer.step(network.params, network.grads, 0.005)
        attacked = attack(network, images[450:], labels[450:], PGD(10, 0.25), Ball("Linf", 0.1), rng=rng)
        assert attacked.clean_correct.mean() > 0.95
        left[name] = attacked.accuracy
    assert left["against"] > left["plain"] + 0.05


@pytest.mark.parametrize(
    "arguments", [{"epsilon": -1}, {"epsilon": 0.1, "norm": "L1"}, {"epsilon": 0.1, "steps": 0},
                  {"epsilon": 0.1, "share": 0}, {"epsilon": 0.1, "step": -1}]
)  # fmt: skip
def test_values_out_of_range_are_refused(arguments):
    with pytest.raises(UsageError):
        AdversarialTraining(**arguments)
