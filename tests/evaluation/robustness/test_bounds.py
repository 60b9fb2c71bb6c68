"""Proofs against brute force on tiny networks, linear ones' exact answer, and attacks, which never contradict them."""

from __future__ import annotations

import numpy as np
import pytest
from robust_nets import linear, small_net, two_classes

from pipeline.errors import UsageError
from pipeline.evaluation.robustness.apgd import APGD
from pipeline.evaluation.robustness.attacks import Ball, attack
from pipeline.evaluation.robustness.bounds import margins, proven
from pipeline.nn.layers import Conv2D, Dense, Flatten, MaxPool2D, ReLU
from pipeline.nn.network import Network

METHODS = ("ibp", "crown")


def deep_net(*units: int, side: int = 2, classes: int = 3, seed: int = 0) -> Network:
    layers = [Flatten(), *(layer for count in units for layer in (Dense(count), ReLU())), Dense(classes)]
    return Network(layers, (side, side), rng=np.random.default_rng(seed), dtype="float64")


def least_margin(network: Network, image: np.ndarray, label: int, epsilon: float, points: int = 9) -> float:
    """By brute force: the smallest margin on a grid over the ball of a 2×2 picture."""
    ends = [np.linspace(max(x - epsilon, 0), min(x + epsilon, 1), points) for x in image.ravel()]
    logits = network.logits(np.stack(np.meshgrid(*ends), axis=-1).reshape(-1, 2, 2))
    return float((logits[:, [label]] - np.delete(logits, label, axis=1)).min())


@pytest.mark.parametrize("units", [(), (8,), (6, 6), (5, 5, 5)])
@pytest.mark.parametrize("method", METHODS)
def test_no_grid_point_of_the_ball_is_below_the_bound(units, method):
    tight = []
    for seed in range(6):
        network = deep_net(*units, seed=seed)
        images = np.random.default_rng(seed).random((6, 2, 2))
        labels = network.logits(images).argmax(axis=1)
        for epsilon in (0.0, 0.03, 0.2):
            bounds = margins(network, images, labels, epsilon, method=method)
            least = [least_margin(network, x, y, epsilon) for x, y in zip(images, labels, strict=True)]
            assert np.all(bounds <= np.array(least) + 1e-9)
            tight.append(np.mean(least - bounds))
            if epsilon == 0:
                np.testing.assert_allclose(bounds, least, atol=1e-9)
    assert max(tight) < 3


def test_crown_proves_no_less_than_intervals_in_the_mean_and_linear_networks_exactly():
    network, w, images = two_classes()
    labels = network.logits(images).argmax(axis=1)
    x = images.reshape(len(images), -1).astype(np.float64)
    up = (w > 0) == (labels == 0)[:, None]
    reach = np.minimum(np.where(up, 1 - x, x), 0.05) @ np.abs(w)
    exact = np.abs(x @ w + float(network.layers[1].params["bias"][1])) - reach
    for method in METHODS:
        np.testing.assert_allclose(margins(network, images, labels, 0.05, method=method), exact, atol=1e-4)
    deep = deep_net(16, 16, side=6)
    pictures = np.random.default_rng(1).random((30, 6, 6))
    said = deep.logits(pictures).argmax(axis=1)
    by_crown, by_intervals = (margins(deep, pictures, said, 0.02, method=method) for method in ("crown", "ibp"))
    assert by_crown.mean() > by_intervals.mean() + 0.05


@pytest.mark.parametrize(
    "network",
    [
        small_net(),
        Network([Flatten(), Dense(16), ReLU(), Dense(12), ReLU(), Dense(3)], (6, 6), rng=np.random.default_rng(1)),
        Network(
            [Conv2D(4, 3), ReLU(), Conv2D(5, 3, padding="same"), ReLU(), Flatten(), Dense(3)], (6, 6),
            rng=np.random.default_rng(2),
        ),
    ],
    ids=["dense", "two hidden", "convolutions"],
)  # fmt: skip
def test_what_is_proven_no_attack_breaks_and_something_is(network):
    images = np.random.default_rng(2).random((120, 6, 6), dtype=np.float32)
    labels = network.logits(images).argmax(axis=1)
    for epsilon in (0.005, 0.02, 0.1):
        safe = proven(network, images, labels, epsilon)
        left = attack(network, images, labels, APGD(), Ball("Linf", epsilon), rng=np.random.default_rng(0)).correct
        assert left[safe].all()
    assert 0.1 < proven(network, images, labels, 0.005).mean() > proven(network, images, labels, 0.1).mean()
    # ε 0: the network's own margin, through convolutions written out as matrices.
    logits = network.logits(images)
    others = logits.copy()
    others[np.arange(120), labels] = -np.inf
    wanted = logits[np.arange(120), labels] - others.max(axis=1)
    np.testing.assert_allclose(margins(network, images, labels, 0.0), wanted, atol=1e-4)


def test_misread_rows_are_never_proven_and_other_layers_are_refused():
    network = linear(np.eye(36)[:, :3], np.zeros(3))
    images = np.random.default_rng(0).random((10, 6, 6), dtype=np.float32)
    wrong = (network.logits(images).argmax(axis=1) + 1) % 3
    assert not proven(network, images, wrong, 0.0).any()
    pooled = Network([Conv2D(2, 3), ReLU(), MaxPool2D(2), Flatten(), Dense(3)], (6, 6), rng=np.random.default_rng(0))
    with pytest.raises(UsageError, match="found MaxPool2D"):
        proven(pooled, images, wrong, 0.1)
