"""Attacks and proofs side by side: they meet where the truth is known, and never cross."""

from __future__ import annotations

import numpy as np
import pytest
from robust_nets import small_net, two_classes

from pipeline.errors import UsageError
from pipeline.evaluation.robustness.ladder import climb
from pipeline.nn.layers import MaxPool2D, ReLU
from pipeline.nn.network import Network

EPSILONS = (0.02, 0.05, 0.1)


def test_for_a_linear_network_the_attack_leaves_what_is_proven_and_both_are_exact():
    network, w, images = two_classes()
    images = images[:80]
    labels = network.logits(images).argmax(axis=1)
    ladders = climb({"linear": network}, images, labels, EPSILONS[::-1], rng=np.random.default_rng(0))
    assert ladders.epsilons.tolist() == list(EPSILONS) and ladders.provable.all()
    x = images.reshape(len(images), -1).astype(np.float64)
    margin = np.abs(x @ w + float(network.layers[1].params["bias"][1]))
    up = (w > 0) == (labels == 0)[:, None]
    for step, epsilon in enumerate(EPSILONS):
        # Each pixel moves by ε the way that hurts, or to the end of its scale.
        stands = margin > np.minimum(np.where(up, 1 - x, x), epsilon) @ np.abs(w)
        assert 0 < stands.sum() < len(stands)
        np.testing.assert_array_equal(ladders.attacked[0, step], stands)
        np.testing.assert_array_equal(ladders.proven[0, step], stands)
        assert ladders.transferred[step, 0, 0] == pytest.approx(stands.mean())
        assert ladders.left(0, np.array([epsilon])) == pytest.approx(stands.mean())
        assert np.all((ladders.distances[0] > epsilon) == stands)


def test_what_is_proven_no_attack_breaks_and_networks_that_differ_fool_each_other_less():
    networks = {f"seed {seed}": small_net(seed=seed) for seed in range(3)}
    images = np.random.default_rng(1).random((60, 6, 6), dtype=np.float32)
    labels = networks["seed 0"].logits(images).argmax(axis=1)
    ladders = climb(networks, images, labels, EPSILONS, rng=np.random.default_rng(0))
    assert ladders.clean[0].all() and not ladders.clean[1].all()
    assert not (ladders.proven & ~ladders.attacked).any() and ladders.proven[0, 0].any()
    assert np.all(np.diff(ladders.attacked.sum(axis=2), axis=1) <= 0)
    assert np.all(ladders.left(0, np.array([0.0, 0.05])) == [1.0, ladders.attacked[0, 1].mean()])
    own = ladders.transferred[:, 0, 0]
    assert np.all(own <= 1) and own[2] < own[0]
    right = ladders.clean[0]
    assert ladders.median_distance(0) == pytest.approx(np.median(ladders.distances[0][right]))


def test_where_nothing_is_left_to_prove_the_proofs_stay_zero():
    network = small_net()
    images = np.random.default_rng(1).random((10, 6, 6), dtype=np.float32)
    labels = network.logits(images).argmax(axis=1)
    ladders = climb({"small": network}, images, labels, [0.01, 0.9, 1.0], rng=np.random.default_rng(0))
    assert ladders.provable.all()
    assert ladders.proven[0, 0].any() and not ladders.proven[0, 1:].any()


def test_layers_that_take_no_proof_are_attacked_all_the_same():
    from pipeline.nn.layers import Conv2D, Dense, Flatten

    pooled = Network([Conv2D(2, 3), ReLU(), MaxPool2D(2), Flatten(), Dense(3)], (6, 6), rng=np.random.default_rng(0))
    images = np.random.default_rng(1).random((10, 6, 6), dtype=np.float32)
    labels = pooled.logits(images).argmax(axis=1)
    ladders = climb({"pooled": pooled}, images, labels, [0.2], rng=np.random.default_rng(0))
    assert not ladders.provable.any() and not ladders.proven.any()
    assert ladders.attacked[0, 0].mean() < 1


@pytest.mark.parametrize("epsilon", [0, -0.1, 1.5, float("nan")])
def test_an_epsilon_out_of_range_is_refused(epsilon):
    network, _, images = two_classes()
    with pytest.raises(UsageError, match="ε"):
        climb({"a": network}, images, np.zeros(len(images), int), [epsilon], rng=np.random.default_rng(0))
