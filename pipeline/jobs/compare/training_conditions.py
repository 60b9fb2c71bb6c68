"""How a comparison's networks are trained, from its name: what happens to the training pictures.

"clean"                 nothing, not even the recipe's own changes
"recipe"                the recipe's own changes, and its own attacks
"σ 0.2"                 Gaussian noise of that σ on the recipe's share of each batch
"σ 0.25 unclipped"      the same on every row and not clipped to [0, 1], which is what certificates want
"shift", "distort"      the changes of the recipe of that name: random shifts; turns, slants, bends
"adversarial Linf 0.1"  attacked as it learns, with one step for each batch; "adversarial Linf 0.1 7" with seven
"shift + σ 0.2"         both

All of them leave the network, its first weights, the rows and the number of steps as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.augment.noise import check_sigma
from pipeline.checks import one_of
from pipeline.errors import UsageError
from pipeline.evaluation.robustness.attacks import Ball
from pipeline.training import recipe as recipes
from pipeline.training.recipe import Recipe

BORROWED = ("shift", "distort")
UNCLIPPED = {"unclipped": {"noisy_share": 1.0, "clip_noise": False}}
KINDS = ("clean", "recipe", "σ", "sigma", *BORROWED, "adversarial")
FORMS = (
    '"clean", "recipe", "σ 0.2", "σ 0.2 unclipped", "shift", "distort", "adversarial Linf 0.1" or several joined by "+"'
)


@dataclass(frozen=True)
class TrainingCondition:
    """changes, adversary: the tables [[augment]] and [adversary] that take the place of the recipe's.

    sigma: of the noise after the changes. training: keys of [training] that say how it is added.
    """

    name: str
    changes: tuple[dict[str, Any], ...] = ()
    sigma: float = 0.0
    adversary: dict[str, Any] | None = None
    training: dict[str, Any] = field(default_factory=dict)

    def recipe(self, base: Recipe) -> Recipe:
        """`base` with this condition's changes of the training pictures."""
        # [search] may name what is taken away here.
        content = {key: value for key, value in base.content.items() if key not in ("adversary", "search")}
        content["augment"] = list(self.changes)
        content["training"] = {**content.get("training", {}), **self.training}
        if self.adversary is not None:
            content["adversary"] = self.adversary
        return replace(base, content=content, training=replace(base.training, **self.training))


def training_condition(text: str, base: Recipe) -> TrainingCondition:
    """The condition of that name for networks of the recipe `base`.

    Raises UsageError for a name that does not exist (with the nearest that does) or a number out of range.
    """
    parts = [_part(part.split(), text, base) for part in text.split("+")]
    if len(parts) > 1 and any(part.name == "clean" for part in parts):
        raise UsageError(f'"clean" training takes nothing beside it, found {text!r}.')
    for what, given in (
        ("noise level", [part for part in parts if part.sigma > 0]),
        ("adversary", [part for part in parts if part.adversary]),
    ):
        if len(given) > 1:
            raise UsageError(f"Training takes one {what}, found {len(given)} in {text!r}.")
    if len({part.name for part in parts}) < len(parts):
        raise UsageError(f"Something stands twice in the training condition {text!r}: give it once.")
    return TrainingCondition(
        " + ".join(part.name for part in parts),
        tuple(change for part in parts for change in part.changes),
        max(part.sigma for part in parts),
        next((part.adversary for part in parts if part.adversary), None),
        {key: value for part in parts for key, value in part.training.items()},
    )


def _part(words: list[str], text: str, base: Recipe) -> TrainingCondition:
    if not words:
        raise UsageError(f"A training condition is written as {FORMS}, found {text!r}.")
    kind = one_of("training condition", words[0], KINDS)
    counts = {"σ": (2, 3), "sigma": (2, 3), "adversarial": (3, 4)}.get(kind, (1,))
    if len(words) not in counts:
        raise UsageError(f"A training condition is written as {FORMS}, found {text!r}.")
    if kind == "clean":
        return TrainingCondition("clean")
    if kind in ("recipe", *BORROWED):
        source = base if kind == "recipe" else recipes.load(kind)
        return TrainingCondition(
            kind, tuple(source.content.get("augment", ())), adversary=source.content.get("adversary")
        )
    if kind == "adversarial":
        return _adversarial(words, text)
    sigma = check_sigma(_number("a noise level σ", words[1], text))
    if sigma == 0:
        return TrainingCondition("clean")
    if len(words) == 2:
        return TrainingCondition(f"σ {sigma:g}", sigma=sigma)
    how = one_of("kind of training noise", words[2], UNCLIPPED)
    return TrainingCondition(f"σ {sigma:g} {how}", sigma=sigma, training=UNCLIPPED[how])


def _adversarial(words: list[str], text: str) -> TrainingCondition:
    ball = Ball(words[1], _number("ε", words[2], text))
    steps = words[3] if len(words) == 4 else "1"
    if not (steps.isascii() and steps.isdigit() and 1 <= int(steps) <= 1000):
        raise UsageError(f"{text!r}: the steps of an attack must be a whole number from 1 to 1000, found {steps!r}.")
    name = " ".join(["adversarial", ball.norm, f"{ball.epsilon:g}", *([steps] if int(steps) > 1 else [])])
    return TrainingCondition(name, adversary={"norm": ball.norm, "epsilon": ball.epsilon, "steps": int(steps)})


def _number(what: str, word: str, text: str) -> float:
    try:
        return float(word)
    except ValueError as error:
        raise UsageError(f"{text!r}: {what} must be a number, found {word!r}.") from error
