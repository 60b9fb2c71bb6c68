"""The columns of a comparison from their names: changed pictures and attacks, with short forms for many at once.

"corruptions 3"           every corruption at that severity
"mnist-c each"            the fifteen of the MNIST-C benchmark, each at its published severity
"shift all 4"             that shift along every direction
"shift right 1-6"         each of these; so does "gaussian_noise 1-5"
all else                  one column, as robustness.conditions and robustness.methods read it
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.errors import UsageError, one_of
from pipeline.evaluation.grid import Axis
from pipeline.evaluation.robustness.conditions import MOVES, Condition, condition
from pipeline.evaluation.robustness.corruptions import CORRUPTIONS, MNIST_C
from pipeline.evaluation.robustness.methods import METHODS, parse_attack
from pipeline.evaluation.robustness.warps import DIRECTIONS

DEFAULT = (
    "clean", "σ 0.1", "σ 0.2", "σ 0.3", "σ 0.5", "shift right 1-6", "shift all 4", "corruptions 3",
    "fgsm Linf 0.1", "apgd Linf 0.05", "apgd Linf 0.1", "apgd L2 1.5",
)  # fmt: skip
NAMES = ("clean", "σ", "sigma", *MOVES, *CORRUPTIONS, *METHODS, "corruptions", "mnist-c")


@dataclass(frozen=True, kw_only=True)
class AttackColumn:
    """A test condition that is an attack, as parse_attack reads its name."""

    name: str
    axis: Axis


def columns(texts: Sequence[str], *, seed: int) -> tuple[list[Condition], list[AttackColumn]]:
    """Conditions, "clean" first, and attacks, each once, in the order given.

    Raises UsageError for a name that does not exist, with the nearest that does.
    """
    conditions, attacks = {"clean": condition("clean", seed=seed)}, {}
    for text in texts:
        for single in _expand(text):
            words = single.split()
            if words and one_of("test condition or attack", words[0], NAMES) in METHODS:
                ball = parse_attack(single)[1]
                axis = Axis(kind="attack", family=f"{words[0]} {ball.norm}", strength=ball.epsilon)
                name = f"{axis.family} {ball.epsilon:g}"
                attacks[name] = AttackColumn(name=name, axis=axis)
            else:
                changed = condition(single, seed=seed)
                conditions[changed.name] = changed
    return list(conditions.values()), list(attacks.values())


def check_fit(conditions: Sequence[Condition], side: int) -> None:
    """Raises UsageError for a condition that pictures of that side cannot go through."""
    blank = np.zeros((1, side, side), np.uint8)
    for changed in conditions:
        try:
            changed.apply(blank)
        except UsageError as error:
            raise UsageError(f"The test condition {changed.name!r} does not suit these pictures: {error}") from error


def _expand(text: str) -> list[str]:
    words = text.split()
    if words[:1] == ["corruptions"] and len(words) == 2:
        return [single for kind in CORRUPTIONS for single in _expand(f"{kind} {words[1]}")]
    if words == ["mnist-c", "each"]:
        return [f"{kind} {severity}" for kind, severity in MNIST_C.items()]
    if words[:2] == ["shift", "all"] and len(words) == 3:
        return [single for direction in DIRECTIONS for single in _expand(f"shift {direction} {words[2]}")]
    span = re.fullmatch(r"([0-9])-([0-9])", words[-1]) if words else None
    if span is None:
        return [text]
    first, last = int(span[1]), int(span[2])
    if first > last:
        raise UsageError(f"{text!r}: a span begins with its smaller number, as 1-6.")
    return [" ".join([*words[:-1], str(number)]) for number in range(first, last + 1)]
