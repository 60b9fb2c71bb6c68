"""The checks pass for an honest network and attack, and each fault that is planted fails the check made for it."""

from __future__ import annotations

import numpy as np
import pytest
from robust_nets import PIXELS, Rounding, WrongWay, linear, small_net

from pipeline.errors import UsageError
from pipeline.evaluation.robustness.apgd import APGD
from pipeline.evaluation.robustness.attack_sanity import (
    lowers,
    sanity_checks,
    vanished_gradients,
)
from pipeline.evaluation.robustness.attacks import Ball, attack
from pipeline.evaluation.robustness.ladder import climb
from pipeline.evaluation.robustness.methods import PGD, RandomSearch

IMAGES = np.random.default_rng(2).random((150, 6, 6), dtype=np.float32)
STRONG = APGD(explore=4, steps=10)
SEARCH = RandomSearch(queries=60)


def failed(network, *, method=STRONG, epsilons=(0.02, 0.05)) -> dict[str, str]:
    labels = network.logits(IMAGES).argmax(axis=1)
    found = sanity_checks(network, IMAGES, labels, norm="Linf", epsilons=epsilons, method=method, search=SEARCH)
    assert len({finding.check for finding in found}) == 8
    return {finding.check: finding.words for finding in found if not finding.ok}


def test_an_honest_network_passes_all():
    assert failed(small_net()) == {}


def test_a_weak_attack_is_called_weak_by_each_stronger_one():
    found = failed(small_net(), method=PGD(steps=1, step=0.02))
    assert "too weak for this network" in found["FGSM does not leave fewer right"]
    assert "too weak for this network" in found["random search does not leave fewer right"]
    assert "an attack that gets stuck" in found["with any picture allowed, nothing is left"]


def test_one_untargeted_start_is_called_weak_where_restarts_find_more():
    """PGD's one start leads between two classes; its restarts make for each, on a linear network of five classes."""
    rng = np.random.default_rng(3)
    weights = rng.standard_normal((PIXELS, 5))
    network = linear(weights, -weights.sum(axis=0) / 2)
    images = (0.3 + 0.4 * rng.random((400, 6, 6))).astype(np.float32)
    labels = network.logits(images).argmax(axis=1)
    weak = sanity_checks(
        network, images, labels, norm="Linf", epsilons=(0.01,), method=PGD(steps=5, step=0.4), search=RandomSearch(5)
    )
    failed_checks = {finding.check for finding in weak if not finding.ok}
    assert "3 restarts does not leave fewer right" in failed_checks
    strong = sanity_checks(network, images, labels, norm="Linf", epsilons=(0.01,), search=RandomSearch(5))
    assert all(finding.ok for finding in strong)


def test_too_few_steps_are_called_weak_where_doubled_steps_find_more():
    found = failed(small_net(), method=PGD(steps=4, step=0.1))
    assert "doubled steps does not leave fewer right" in found


def test_a_network_that_hides_its_gradient_is_found_by_transfer():
    """The same weights with a layer that hides the gradient: the open twin's pictures fool it, its own attack can't."""
    masked, twin = small_net(Rounding()), small_net()
    labels = twin.logits(IMAGES).argmax(axis=1)
    (both,) = climb({"twin": twin, "masked": masked}, IMAGES, labels, [0.05], rng=np.random.default_rng(0)).transferred
    honest = attack(twin, IMAGES, labels, APGD(), Ball("Linf", 0.05), rng=np.random.default_rng(0)).correct
    assert both[0, 0] <= honest.mean() + 0.02 and both[0, 1] < both[1, 1]


def test_a_lead_within_chance_or_within_a_point_is_none():
    left = np.ones(144, bool)
    for finds, ok in ((2, True), (4, True), (5, False)):  # ½⁴ is above 5 %, ½⁵ below
        other = left.copy()
        other[:finds] = False
        assert lowers("x", left, other, "", "APGD").ok == ok
    many, other = np.ones(2000, bool), np.ones(2000, bool)
    other[:19] = False  # beyond chance, but less than a point
    assert lowers("x", many, other, "", "APGD").ok


def test_hidden_gradients_are_called_hidden():
    network = small_net(Rounding())
    found = failed(network)
    assert found["gradients have not vanished"] == (
        "100.00 % of the rows have no input gradient: attacks by gradient cannot move them (masking)."
    )
    assert "random search does not leave fewer right" in found
    assert vanished_gradients(network, IMAGES, np.zeros(150, int)) == 1


def test_gradients_that_mislead_are_found_by_random_search():
    found = failed(small_net(WrongWay()))
    assert "its gradients mislead" in found["random search does not leave fewer right"]
    assert "gradients have not vanished" not in found


def test_accuracy_that_rises_with_epsilon_is_told():
    # Logits 0 and 0.1·u − 1.15 − 0.3·relu(u − 14), u the sum of 36 pixels of 0.3. One step of ε 0.05 goes from
    # u 10.8 to 12.6, where the second logit is 0.11; one of ε 0.2 goes beyond to 18, where it is −0.55.
    network = small_net(units=2, classes=2)
    first, last = network.layers[1].params, network.layers[3].params
    first["weight"][...], first["bias"][...] = 1, (0, -14)
    last["weight"][...], last["bias"][...] = ((0, 0.1), (0, -0.3)), (0, -1.15)
    images, labels = np.full((10, 6, 6), 0.3, np.float32), np.zeros(10, int)
    found = sanity_checks(
        network, images, labels, norm="Linf", epsilons=(0.05, 0.2), method=PGD(steps=1, step=1.0), search=SEARCH
    )
    rising = next(finding for finding in found if finding.check == "accuracy does not rise with ε")
    assert not rising.ok
    assert rising.words == "Accuracy rises from 0.00 % at ε 0.05 to 100.00 % at ε 0.2: give PGD more steps."


def test_an_epsilon_above_0_is_needed():
    for epsilons in ((), (0.0,)):
        with pytest.raises(UsageError, match="at least one ε above 0"):
            failed(small_net(), epsilons=epsilons)
    with pytest.raises(UsageError, match=r"ε must be a number at least 0, found -0\.1"):
        failed(small_net(), epsilons=(-0.1, 0.1))
