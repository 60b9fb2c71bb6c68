"""Training conditions: what a name means, and what is refused."""

from __future__ import annotations

import pytest

from pipeline import recipe
from pipeline.errors import UsageError
from pipeline.fits import Adversary
from pipeline.matrix.rows import training_condition

BASE = recipe.load("default")
SHIFT = {"change": "Affine", "shift": 0.154}


@pytest.mark.parametrize(
    ("text", "name", "changes", "sigma", "adversary"),
    [
        ("clean", "clean", [], 0.0, None),
        ("σ 0.20", "σ 0.2", [], 0.2, None),
        ("sigma 0", "clean", [], 0.0, None),
        ("shift", "shift", [SHIFT], 0.0, None),
        ("recipe", "recipe", [{"change": "Shift", "share_of_side": 0.04}], 0.0, None),
        ("shift +σ 0.1", "shift + σ 0.1", [SHIFT], 0.1, None),
        ("adversarial Linf 0.1", "adversarial Linf 0.1", [], 0.0, Adversary("Linf", 0.1, 1)),
        ("adversarial L2 1.50 7", "adversarial L2 1.5 7", [], 0.0, Adversary("L2", 1.5, 7)),
    ],
)
def test_what_a_name_means(text, name, changes, sigma, adversary):
    found = training_condition(text, BASE)
    assert (found.name, list(found.changes), found.sigma, found.adversary) == (name, changes, sigma, adversary)
    made = found.recipe(BASE)
    assert made.content["augment"] == changes
    assert made.content["network"] == BASE.content["network"] and made.training == BASE.training
    made.augment(sigma)


def test_distort_has_turns_and_bends():
    assert [c["change"] for c in training_condition("distort", BASE).changes] == ["Affine", "Elastic"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("shfit", "There is no training condition 'shfit': did you mean shift?"),
        ("", "A training condition is written as"),
        ("σ", "A training condition is written as"),
        ("σ much", "'σ much': a noise level σ must be a number, found 'much'."),
        ("σ 3", "A noise level σ must lie between 0 and 2, found 3.0."),
        ("adversarial L1 0.1", "There is no norm 'L1'"),
        ("adversarial Linf -0.1", "ε must be"),
        ("adversarial Linf 0.1 0", "the steps of an attack must be a whole number from 1 to 1000, found '0'."),
        ("clean + shift", '"clean" training takes nothing beside it'),
        ("σ 0.1 + σ 0.2", "Training takes one noise level, found 2"),
        ("shift + shift", "Something stands twice"),
    ],
)
def test_what_is_refused(text, sentence):
    with pytest.raises(UsageError) as caught:
        training_condition(text, BASE)
    assert sentence in str(caught.value)
