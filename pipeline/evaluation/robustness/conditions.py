"""Test conditions: a name says what happens to the pictures before a network sees them.

"clean"                     nothing
"σ 0.2"  or  "sigma 0.2"    Gaussian noise of that σ, clipped
"gaussian_noise 3"          any corruption of corruptions.py at severity 0 … 5
"mnist-c"                   the fifteen of the MNIST-C benchmark in turn, row by row: one figure for their mean
"shift right 4"             0 … 6 whole pixels along any of the directions in warps.py
"turn left 5"               0 … 45 whole degrees, left against the clock
"""

from dataclasses import dataclass

import numpy as np

from pipeline.augment import Affine, Chain, Elastic, Thickness
from pipeline.augment.noise import check_sigma, gaussian
from pipeline.augment.pixels import as_floats
from pipeline.errors import UsageError, one_of
from pipeline.evaluation.grid import Axis
from pipeline.evaluation.robustness.corruptions import CORRUPTIONS, MNIST_C, check_severity, corrupt
from pipeline.evaluation.robustness.warps import DIRECTIONS, FARTHEST_SHIFT, FARTHEST_TURN, TURNS, shift, turn

BENCHMARK = "mnist-c"
FORMS = '"clean", "σ 0.2", "gaussian_noise 3", "shift right 4" or "turn left 5"'
# Words of the moves, what they may go along, how far, and in what.
MOVES = {"shift": (DIRECTIONS, FARTHEST_SHIFT, "pixels"), "turn": (TURNS, FARTHEST_TURN, "degrees")}


@dataclass(frozen=True)
class Condition:
    """A test condition; `condition` makes them.

    name: as tables show it. kind: "σ", a direction, "turn left" or "turn right", a corruption, or "mnist-c".
    strength: σ, pixels, degrees, or severity; 0 changes nothing. seed: all randomness follows from it and the
    condition, so it is the same for every model.
    """

    name: str
    kind: str
    strength: float
    seed: int

    @property
    def axis(self) -> Axis:
        """The condition's place among those that differ from it in strength."""
        if self.kind in DIRECTIONS:
            return Axis(kind="shift", family=f"shift {self.kind}", strength=self.strength)
        kinds = {"σ": "noise"} | {f"turn {direction}": "turn" for direction in TURNS}
        return Axis(kind=kinds.get(self.kind, "corruption"), family=self.kind, strength=self.strength)

    def apply(self, images: np.ndarray) -> np.ndarray:
        """The changed pictures (n, side, side): floats in [0, 1]; strength 0 gives the very same array.

        images: uint8 pixels or floats in [0, 1]. Raises UsageError for a shift as far as the picture is wide.
        """
        if self.strength == 0:
            return images
        if self.kind == "σ":
            rng = np.random.default_rng([self.seed, round(self.strength * 1e6)])
            return gaussian(images, self.strength, rng=rng)
        if self.kind in DIRECTIONS:
            return as_floats(shift(images, self.kind, int(self.strength)))
        if self.kind == BENCHMARK:
            return self._benchmark(images)
        if self.kind.startswith("turn "):
            return turn(as_floats(images), TURNS[self.kind.removeprefix("turn ")] * self.strength)
        rng = np.random.default_rng([self.seed, *self.name.encode()])
        return corrupt(images, self.kind, int(self.strength), rng=rng)

    def _benchmark(self, images: np.ndarray) -> np.ndarray:
        """Row i through the corruption i modulo 15 of MNIST_C, at the severity of the published files."""
        changed = as_floats(images) if images.dtype == np.uint8 else images.copy()
        for place, (kind, severity) in enumerate(MNIST_C.items()):
            part = slice(place, None, len(MNIST_C))
            rng = np.random.default_rng([self.seed, *f"{kind} {severity}".encode()])
            changed[part] = corrupt(images[part], kind, severity, rng=rng)
        return changed


@dataclass(frozen=True)
class DistortedHoldout:
    """A test condition without a strength: rows as strangers would have written them, the same for every network."""

    seed: int
    name: str = "distorted holdout"

    def apply(self, images: np.ndarray) -> np.ndarray:
        """images (n, side, side) uint8, turned, slanted, stretched, bent, thicker and thinner: float32 in [0, 1]."""
        change = Chain(
            Affine(rotation=15, scale=0.2, shear=0.3, shift=0.05),
            Elastic(alpha=0.04, sigma=0.14),
            Thickness(share_of_side=0.03),
        )
        return change(as_floats(images), rng=np.random.default_rng(self.seed))


def condition(text: str, *, seed: int = 0) -> Condition:
    """The condition of that name. Raises UsageError for one that does not exist, with the nearest that does."""
    words = text.split()
    if words in (["clean"], ["σ", "0"], ["sigma", "0"]):
        return Condition("clean", "σ", 0.0, seed)
    if words == [BENCHMARK]:
        return Condition(BENCHMARK, BENCHMARK, 1, seed)
    if len(words) == 3 and words[0] in MOVES:
        return _move(*words, text, seed)
    if len(words) != 2:
        raise UsageError(f"A test condition is written as {FORMS}, found {text!r}.")
    kind = one_of("test condition", words[0], ["σ", "sigma", *CORRUPTIONS])
    if kind in ("σ", "sigma"):
        try:
            sigma = check_sigma(float(words[1]))
        except ValueError as error:
            raise UsageError(f"{text!r}: a noise level σ must be a number from 0 to 2, found {words[1]!r}.") from error
        return Condition("clean" if sigma == 0 else f"σ {sigma:g}", "σ", sigma, seed)
    severity = _whole(words[1])
    check_severity(kind, words[1] if severity is None else severity)
    return Condition(f"{kind} {severity}", kind, severity, seed)


def _move(kind: str, direction: str, amount: str, text: str, seed: int) -> Condition:
    directions, farthest, unit = MOVES[kind]
    direction = one_of(f"{kind} direction", direction, directions)
    by = _whole(amount)
    if by is None or by > farthest:
        raise UsageError(
            f"A {kind} must be by a whole number of {unit} from 0 to {farthest}, found {amount!r} in {text!r}."
        )
    return Condition(f"{kind} {direction} {by}", direction if kind == "shift" else f"turn {direction}", by, seed)


def _whole(text: str) -> int | None:
    """The number that digits 0 … 9 spell, None for any other text."""
    return int(text) if text.isascii() and text.isdigit() else None
