"""The checks pass for an honest network and attack, and each fault that is planted fails the check made for it."""

from __future__ import annotations

import numpy as np
import pytest
from robust_nets import Rounding, WrongWay, small_net

from pipeline.errors import UsageError
from pipeline.evaluation.robustness.attack_sanity import sanity_checks, vanished_gradients
from pipeline.evaluation.robustness.methods import PGD, RandomSearch

IMAGES = np.random.default_rng(2).random((150, 6, 6), dtype=np.float32)
STRONG = PGD(steps=15, step=0.2)
SEARCH = RandomSearch(queries=60)


def failed(network, *, pgd: PGD = STRONG, epsilons=(0.02, 0.05)) -> dict[str, str]:
    labels = network.logits(IMAGES).argmax(axis=1)
    found = sanity_checks(network, IMAGES, labels, norm="Linf", epsilons=epsilons, pgd=pgd, search=SEARCH)
    assert len({finding.check for finding in found}) == 7
    return {finding.check: finding.words for finding in found if not finding.ok}


def test_an_honest_network_passes_all():
    assert failed(small_net()) == {}


def test_a_weak_attack_is_called_weak():
    found = failed(small_net(), pgd=PGD(steps=1, step=0.01))
    assert "many small steps should find what one large step finds" in found["PGD leaves no more than FGSM"]
    assert "do not believe PGD's figures" in found["random search does not beat PGD"]
    assert "an attack that gets stuck" in found["with any picture allowed, nothing is left"]


def test_hidden_gradients_are_called_hidden():
    network = small_net(Rounding())
    found = failed(network)
    assert found["gradients have not vanished"] == (
        "100.00 % of the rows have no input gradient: attacks by gradient cannot move them (masking)."
    )
    assert "random search does not beat PGD" in found
    assert vanished_gradients(network, IMAGES, np.zeros(150, int)) == 1


def test_gradients_that_mislead_are_found_by_random_search():
    found = failed(small_net(WrongWay()))
    assert "the gradients mislead" in found["random search does not beat PGD"]
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
        network, images, labels, norm="Linf", epsilons=(0.05, 0.2), pgd=PGD(steps=1, step=1.0), search=SEARCH
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
