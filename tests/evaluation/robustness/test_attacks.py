"""Attacks against linear networks, whose best attack is a formula, and their gradients against PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from robust_nets import PIXELS, linear, small_net, two_classes

from pipeline.errors import UsageError
from pipeline.evaluation.robustness.apgd import APGD, checkpoints
from pipeline.evaluation.robustness.attacks import Ball, Target, attack
from pipeline.evaluation.robustness.methods import FGSM, PGD, RandomSearch, parse_attack
from pipeline.evaluation.robustness.minimal_norm import minimal_distances
from pipeline.nn.layers import Conv2D, Dense, Flatten, ReLU
from pipeline.nn.network import Network

METHODS = [
    FGSM(), PGD(steps=10, step=0.25), PGD(steps=5, step=0.5, restarts=3), APGD(explore=4, steps=10), RandomSearch(60),
]  # fmt: skip
CASES = [(method, norm, epsilon) for method in METHODS for norm, epsilon in (("Linf", 0.05), ("L2", 0.4))]
IDS = [f"{method}-{norm}" for method, norm, _ in CASES]


def margins(network: Network, w: np.ndarray, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels as the network reads them, and |w·x + b| in float64."""
    bias = float(network.layers[1].params["bias"][1])
    values = images.reshape(len(images), -1).astype(np.float64) @ w + bias
    return (values > 0).astype(np.int64), np.abs(values)


def room(w: np.ndarray, images: np.ndarray, labels: np.ndarray, epsilon: float) -> np.ndarray:
    """How far the best L∞ attack moves w·x: each pixel by ε, or as far as [0, 1] lets it."""
    x = images.reshape(len(images), -1).astype(np.float64)
    up = (w > 0) == (labels == 0)[:, None]
    return np.minimum(np.where(up, 1 - x, x), epsilon) @ np.abs(w)


@pytest.mark.parametrize("method", METHODS[:4], ids=str)
def test_linf_attacks_on_a_linear_network_are_the_best_there_is(method):
    network, w, images = two_classes()
    labels, margin = margins(network, w, images)
    reach = room(w, images, labels, 0.05)
    assert np.abs(margin - reach).min() > 1e-4  # no row so close that rounding decides
    attacked = attack(network, images, labels, method, Ball("Linf", 0.05), rng=np.random.default_rng(0))
    assert attacked.clean_correct.all()
    assert np.array_equal(attacked.correct, margin > reach)
    assert 0.2 < attacked.accuracy < 0.9


@pytest.mark.parametrize("method", METHODS[:4], ids=str)
def test_l2_attacks_on_a_linear_network_are_the_best_there_is(method):
    # Pictures so grey that no pixel comes to 0 or 1: the best change is ε·w / ‖w‖.
    network, w, images = two_classes()
    images = 0.5 + 0.2 * (images - 0.5)
    labels, margin = margins(network, w, images)
    reach = 0.04 * np.linalg.norm(w)
    assert np.abs(margin - reach).min() > 1e-5
    attacked = attack(network, images, labels, method, Ball("L2", 0.04), rng=np.random.default_rng(0))
    assert np.array_equal(attacked.correct, margin > reach)
    assert 0.2 < attacked.accuracy < 0.9


def test_pgd_that_makes_for_each_class_is_the_best_attack_on_a_linear_network_of_several():
    rng = np.random.default_rng(3)
    weights = rng.standard_normal((PIXELS, 5))
    network = linear(weights, -weights.sum(axis=0) / 2)
    images = (0.3 + 0.4 * rng.random((400, 6, 6))).astype(np.float32)
    logits = network.logits(images).astype(np.float64)
    labels = logits.argmax(axis=1)
    # Class k needs an ε of (z_y − z_k) / ‖w_y − w_k‖₁; the nearest one decides.
    gaps = logits[np.arange(400), labels][:, None] - logits
    sizes = np.abs(weights[:, labels].T[:, :, None] - weights).sum(axis=1)
    gaps[np.arange(400), labels], sizes[np.arange(400), labels] = np.inf, 1
    safe = (gaps / sizes).min(axis=1) > 0.01
    assert 0.2 < safe.mean() < 0.8
    one_start = attack(network, images, labels, PGD(20, 0.25), Ball("Linf", 0.01), rng=rng).correct
    assert one_start[safe].all() and one_start[~safe].any()  # cross-entropy leads between two classes
    each_class = attack(network, images, labels, PGD(20, 0.25, 5), Ball("Linf", 0.01), rng=rng).correct
    assert np.array_equal(each_class, safe)


def test_random_search_fools_no_row_that_is_provably_safe_and_many_others():
    network, w, images = two_classes()
    labels, margin = margins(network, w, images)
    safe = margin > room(w, images, labels, 0.05) + 1e-4
    left = attack(network, images, labels, RandomSearch(200), Ball("Linf", 0.05), rng=np.random.default_rng(0)).correct
    assert left[safe].all()
    assert left[~safe].mean() < 0.4


@pytest.mark.parametrize(("method", "norm", "epsilon"), CASES, ids=IDS)
def test_pictures_stay_in_the_ball_and_in_0_to_1(method, norm, epsilon):
    network = small_net()
    images = np.random.default_rng(2).integers(0, 256, (50, 6, 6), dtype=np.uint8)
    labels = network.logits(images).argmax(axis=1)
    labels[:5] = (labels[:5] + 1) % 3  # misread to begin with
    params = network.params.copy()
    attacked = attack(network, images, labels, method, Ball(norm, epsilon), rng=np.random.default_rng(0))
    clean = network.to_numbers(images)
    change = (attacked.pictures - clean).reshape(50, -1).astype(np.float64)
    size = np.abs(change).max(axis=1) if norm == "Linf" else np.linalg.norm(change, axis=1)
    assert size.max() <= epsilon + 1e-6 and size.max() > 0.9 * epsilon
    assert attacked.pictures.min() >= 0 and attacked.pictures.max() <= 1
    assert not attacked.clean_correct[:5].any() and not attacked.correct[:5].any() and not size[:5].any()
    assert attacked.clean_correct[5:].all() and attacked.accuracy < 0.9
    assert np.array_equal(network.params, params)


@pytest.mark.parametrize(("method", "norm", "epsilon"), CASES, ids=IDS)
def test_epsilon_0_is_clean_accuracy_exactly(method, norm, epsilon):
    network = small_net()
    images = np.random.default_rng(2).random((50, 6, 6), dtype=np.float32)
    labels = np.arange(50) % 3
    attacked = attack(network, images, labels, method, Ball(norm, 0), rng=np.random.default_rng(0))
    assert attacked.accuracy == np.mean(network.logits(images).argmax(axis=1) == labels)
    assert np.array_equal(attacked.pictures, images)


@settings(deadline=None, max_examples=50)
@given(norm=st.sampled_from(["Linf", "L2"]), epsilon=st.floats(0, 3), seed=st.integers(0, 1000))
def test_a_ball_clips_anything_and_leaves_what_is_in_it(norm, epsilon, seed):
    rng = np.random.default_rng(seed)
    clean = rng.random((3, 4, 4))
    ball = Ball(norm, epsilon)
    clipped = ball.clip(clean + rng.standard_normal((3, 4, 4)), clean)
    change = (clipped - clean).reshape(3, -1)
    size = np.abs(change).max() if norm == "Linf" else np.linalg.norm(change, axis=1).max()
    assert size <= epsilon * (1 + 1e-9) + 1e-12 and clipped.min() >= 0 and clipped.max() <= 1
    np.testing.assert_allclose(ball.clip(clipped, clean), clipped, atol=1e-12)


def test_random_places_fill_the_ball():
    like = np.zeros((4000, 2, 2), np.float32)
    flat = Ball("Linf", 0.3).random(like, rng=np.random.default_rng(0))
    assert np.abs(flat).max() <= 0.3 and flat.std() == pytest.approx(0.3 / 3**0.5, rel=0.02)
    round_ = np.linalg.norm(Ball("L2", 0.3).random(like, rng=np.random.default_rng(0)).reshape(4000, 4), axis=1)
    # In 4 dimensions a 16th of the ball lies within half of its radius.
    assert round_.max() <= 0.3 + 1e-6 and np.mean(round_ < 0.15) == pytest.approx(1 / 16, abs=0.01)


def test_a_network_that_is_sure_of_itself_still_has_gradients():
    network, w, images = two_classes()
    labels, margin = margins(network, w, images)
    network.params *= 1000  # softmax is now 0 or 1 in float32, and cross-entropy's own gradient 0
    left = attack(network, images, labels, FGSM(), Ball("Linf", 0.05), rng=np.random.default_rng(0)).correct
    assert np.array_equal(left, margin > room(w, images, labels, 0.05))


def test_convolutional_networks_can_be_attacked():
    network = Network([Conv2D(4, 3), ReLU(), Flatten(), Dense(3)], (6, 6), rng=np.random.default_rng(0))
    images = np.random.default_rng(2).random((40, 6, 6), dtype=np.float32)
    labels = network.logits(images).argmax(axis=1)
    left = attack(network, images, labels, PGD(10, 0.25), Ball("Linf", 0.1), rng=np.random.default_rng(0)).accuracy
    assert left < 0.5


def test_gradients_are_pytorchs():
    torch = pytest.importorskip("torch")
    network = small_net()
    images = np.random.default_rng(2).random((20, 6, 6), dtype=np.float32)
    labels = np.arange(20) % 3
    found, wrong = Target(network).climb(images, labels)[1:]
    x = torch.tensor(images, requires_grad=True)
    first, last = network.layers[1].params, network.layers[3].params
    hidden = torch.relu(x.flatten(1) @ torch.tensor(first["weight"]) + torch.tensor(first["bias"]))
    logits = hidden @ torch.tensor(last["weight"]) + torch.tensor(last["bias"])
    torch.nn.functional.cross_entropy(logits, torch.tensor(labels), reduction="sum").backward()
    not_label = 1 - torch.softmax(logits, dim=1)[torch.arange(20), torch.tensor(labels)]
    expected = (x.grad / not_label[:, None, None]).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert np.array_equal(wrong, (logits.argmax(dim=1) != torch.tensor(labels)).numpy())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("pdg Linf 0.1", "There is no attack 'pdg': did you mean pgd?"),
        ("pgd Lnif 0.1", "There is no norm 'Lnif': did you mean Linf?"),
        ("pgd Linf -0.1", "ε must be a number at least 0, found -0.1."),
        ("pgd Linf x", "'pgd Linf x': ε must be a number of at least 0, found 'x'."),
        ("pgd", "An attack is written as method, norm and ε, such as \"pgd Linf 0.1\", found 'pgd'."),
    ],
)
def test_unknown_attacks_norms_and_sizes_are_refused(text, words):
    with pytest.raises(UsageError) as caught:
        parse_attack(text)
    assert str(caught.value) == words


def test_attacks_are_read_from_their_names():
    assert parse_attack("random-search L2 1.5") == (RandomSearch(), Ball("L2", 1.5))
    assert parse_attack("pgd Linf 0.1") == (PGD(), Ball("Linf", 0.1))


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        (np.zeros((2, 6, 6)), np.array([0, 3]), "Labels must be 0 to 2"),
        (np.zeros((2, 6, 6)), np.array([0]), "whole numbers, one a row"),
        (np.zeros((2, 6, 6)), np.array([0.0, 1.0]), "whole numbers, one a row"),
        (np.full((1, 6, 6), 255.0), np.array([0]), "floats in"),
        (np.full((1, 6, 6), np.nan), np.array([0]), "floats in"),
        (np.zeros((2, 7, 7)), np.array([0, 1]), "rows of shape"),
        (np.zeros((0, 6, 6)), np.array([], int), "at least one"),
    ],
)
def test_rows_that_do_not_fit_are_refused(images, labels, words):
    with pytest.raises(UsageError, match=words):
        attack(small_net(), images, labels, FGSM(), Ball("Linf", 0.1), rng=np.random.default_rng(0))


@pytest.mark.parametrize("make", [lambda: PGD(steps=0), lambda: PGD(restarts=0), lambda: RandomSearch(queries=1.5)])
def test_counts_below_1_are_refused(make):
    with pytest.raises(UsageError, match="whole number of at least 1"):
        make()


def test_apgd_looks_back_where_the_paper_does():
    # Croce and Hein 2020, §4.2: p (0), 0.22, 0.41, 0.57, 0.70, 0.80, 0.87, 0.93, 0.99 of 100 steps.
    assert checkpoints(100) == {22, 41, 57, 70, 80, 87, 93, 99}


@pytest.mark.parametrize("norm", ["Linf", "L2"])
def test_the_distance_to_the_nearest_mistake_of_a_linear_network(norm):
    network, w, images = two_classes()
    images = (0.5 + 0.2 * (images - 0.5))[:100]  # so grey that no pixel comes to 0 or 1
    labels, margin = margins(network, w, images)
    wanted = margin / (np.abs(w).sum() if norm == "Linf" else np.linalg.norm(w))
    labels[:5] = 1 - labels[:5]  # misread to begin with
    found = minimal_distances(network, images, labels, norm, rng=np.random.default_rng(0))
    assert not found[:5].any()
    # Never nearer than the boundary, and not much farther.
    assert np.all(found[5:] >= wanted[5:] - 1e-5) and np.median(found[5:] / wanted[5:]) < 1.05


def test_apgd_reaches_gradients_that_float32_would_round_to_0():
    network, w, images = two_classes()
    labels, margin = margins(network, w, images)
    network.params *= 1000
    left = attack(network, images, labels, APGD(), Ball("Linf", 0.05), rng=np.random.default_rng(0)).correct
    assert np.array_equal(left, margin > room(w, images, labels, 0.05))
