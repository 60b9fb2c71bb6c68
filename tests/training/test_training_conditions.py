"""Training conditions: what a name means, and what is refused."""

from __future__ import annotations

import pytest

from pipeline.errors import UsageError
from pipeline.training import recipe
from pipeline.training.training_conditions import training_condition

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
        ("adversarial Linf 0.1", "adversarial Linf 0.1", [], 0.0, {"norm": "Linf", "epsilon": 0.1, "steps": 1}),
        ("adversarial L2 1.50 7", "adversarial L2 1.5 7", [], 0.0, {"norm": "L2", "epsilon": 1.5, "steps": 7}),
    ],
)
def test_what_a_name_means(text, name, changes, sigma, adversary):
    condition = training_condition(text, BASE)
    assert (condition.name, condition.sigma) == (name, sigma)
    made = condition.recipe
    assert made.content["augment"] == changes and made.content.get("adversary") == adversary
    assert made.content["network"] == BASE.content["network"] and made.training == BASE.training
    made.augment(sigma)
    assert (made.adversary() is None) == (adversary is None)


def test_unclipped_noise_goes_on_every_row():
    condition = training_condition("distort + sigma 0.25 unclipped", BASE)
    assert (condition.name, condition.sigma) == ("distort + σ 0.25 unclipped", 0.25)
    made = condition.recipe
    assert made.training.noisy_share == 1.0 and not made.training.clip_noise
    # What the record says is what is done.
    assert recipe.check(made.content, name="made", where="here").training == made.training
    assert made.training.epochs == BASE.training.epochs


def test_a_recipes_own_attacks_belong_to_recipe_and_to_nothing_else():
    content = {**BASE.content, "adversary": {"epsilon": 0.1, "share": 0.5}}
    base = recipe.check(content, name="base", where="here")
    assert training_condition("recipe + σ 0.1", base).recipe.content["adversary"] == content["adversary"]
    for text in ("clean", "σ 0.1", "shift"):
        assert training_condition(text, base).recipe.adversary() is None
    with pytest.raises(UsageError, match="Training takes one adversary, found 2"):
        training_condition("recipe + adversarial Linf 0.2", base)


def test_distort_has_turns_and_bends():
    assert [change["change"] for change in training_condition("distort", BASE).recipe.content["augment"]] == [
        "Affine",
        "Elastic",
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("shfit", "There is no training condition 'shfit': did you mean shift?"),
        ("", "A training condition is written as"),
        ("σ", "A training condition is written as"),
        ("σ much", "'σ much': a noise level σ must be a number, found 'much'."),
        ("σ 0.2 unclippd", "There is no kind of training noise 'unclippd': did you mean unclipped?"),
        ("σ 3", "A noise level σ must be a number from 0 to 2, found 3.0."),
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
