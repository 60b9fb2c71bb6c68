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

from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.augment.noise import check_sigma
from pipeline.errors import UsageError, one_of
from pipeline.evaluation.robustness.attacks import Ball
from pipeline.training import recipe as recipes
from pipeline.training.recipe import Recipe

BORROWED = ("shift", "distort")
UNCLIPPED = {"unclipped": {"noisy_share": 1.0, "clip_noise": False}}
KINDS = ("clean", "recipe", "σ", "sigma", *BORROWED, "adversarial")
FORMS = (
    '"clean", "recipe", "σ 0.2", "σ 0.2 unclipped", "shift", "distort", "adversarial Linf 0.1" or several joined by "+"'
)


@dataclass(frozen=True, kw_only=True)
class TrainingCondition:
    """A way of training, as the tables name it: a recipe and the σ of the noise after its changes."""

    name: str
    recipe: Recipe
    sigma: float


@dataclass(frozen=True, kw_only=True)
class _Part:
    """What a part of a name stands for.

    changes, adversary: the tables [[augment]] and [adversary] that take the place of the recipe's. training: keys of
    [training] that say how noise is added.
    """

    name: str
    changes: tuple[dict[str, Any], ...] = ()
    sigma: float = 0.0
    adversary: dict[str, Any] | None = None
    training: dict[str, Any] = field(default_factory=dict)


def training_condition(text: str, base: Recipe) -> TrainingCondition:
    """The condition of that name: the recipe `base` with its changes of the training pictures.

    Raises UsageError for a name that does not exist (with the nearest that does) or a number out of range.
    """
    parts = [_part(part.split(), text, base) for part in text.split("+")]
    names = [part.name for part in parts]
    if len(parts) > 1 and "clean" in names:
        raise UsageError(f'"clean" training takes nothing beside it, found {text!r}.')
    sigmas = [part.sigma for part in parts if part.sigma > 0]
    adversaries = [part.adversary for part in parts if part.adversary]
    for what, given in (("noise level", sigmas), ("adversary", adversaries)):
        if len(given) > 1:
            raise UsageError(f"Training takes one {what}, found {len(given)} in {text!r}.")
    if len(set(names)) < len(names):
        raise UsageError(f"Something stands twice in the training condition {text!r}: give it once.")
    training = {key: value for part in parts for key, value in part.training.items()}
    # [search] may name what is taken away here.
    content = {key: value for key, value in base.content.items() if key not in ("adversary", "search")}
    content["augment"] = [change for part in parts for change in part.changes]
    content["training"] = {**content.get("training", {}), **training}
    if adversaries:
        content["adversary"] = adversaries[0]
    recipe = replace(base, content=content, training=replace(base.training, **training))
    return TrainingCondition(name=" + ".join(names), recipe=recipe, sigma=max(sigmas, default=0.0))


def _part(words: list[str], text: str, base: Recipe) -> _Part:
    kind = one_of("training condition", words[0], KINDS) if words else None
    if len(words) not in {"σ": (2, 3), "sigma": (2, 3), "adversarial": (3, 4)}.get(kind, (1,)):
        raise UsageError(f"A training condition is written as {FORMS}, found {text!r}.")
    if kind in ("recipe", *BORROWED):
        content = base.content if kind == "recipe" else recipes.load(kind).content
        return _Part(name=kind, changes=tuple(content.get("augment", ())), adversary=content.get("adversary"))
    if kind == "adversarial":
        return _adversarial(words, text)
    sigma = 0.0 if kind == "clean" else check_sigma(_number("a noise level σ", words[1], text))
    if sigma == 0:
        return _Part(name="clean")
    how = one_of("kind of training noise", words[2], UNCLIPPED) if len(words) == 3 else ""
    return _Part(name=f"σ {sigma:g} {how}".rstrip(), sigma=sigma, training=UNCLIPPED.get(how, {}))


def _adversarial(words: list[str], text: str) -> _Part:
    ball = Ball(words[1], _number("ε", words[2], text))
    steps = words[3] if len(words) == 4 else "1"
    if not (steps.isascii() and steps.isdigit() and 1 <= int(steps) <= 1000):
        raise UsageError(f"{text!r}: the steps of an attack must be a whole number from 1 to 1000, found {steps!r}.")
    name = " ".join(["adversarial", ball.norm, f"{ball.epsilon:g}", *([steps] if int(steps) > 1 else [])])
    return _Part(name=name, adversary={"norm": ball.norm, "epsilon": ball.epsilon, "steps": int(steps)})


def _number(what: str, word: str, text: str) -> float:
    try:
        return float(word)
    except ValueError as error:
        raise UsageError(f"{text!r}: {what} must be a number, found {word!r}.") from error
