"""Test conditions: a name says what happens to the pictures before a network sees them.

"clean"                     nothing
"σ 0.2"  or  "sigma 0.2"    Gaussian noise of that σ, clipped
"gaussian_noise 3"          any corruption of corruptions.py at severity 0 … 5
"shift right 4"             0 … 6 whole pixels along any of the directions in warps.py
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.augment.noise import check_sigma, gaussian
from pipeline.errors import UsageError
from pipeline.robustness.corruptions import SEVERITIES, check_severity, corrupt
from pipeline.robustness.names import known
from pipeline.robustness.warps import DIRECTIONS, FARTHEST_SHIFT, shift

FORMS = '"clean", "σ 0.2", "gaussian_noise 3" or "shift right 4"'


@dataclass(frozen=True)
class Condition:
    """A test condition; `condition` makes them.

    name: as tables show it. kind: "σ", a direction, or a corruption. strength: σ, pixels, or severity; 0
    changes nothing. seed: all randomness follows from it and the condition, so it is the same for every model.
    """

    name: str
    kind: str
    strength: float
    seed: int

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
            moved = shift(images, self.kind, int(self.strength))
            return moved * np.float32(1 / 255) if moved.dtype == np.uint8 else moved
        rng = np.random.default_rng([self.seed, *self.name.encode()])
        return corrupt(images, self.kind, int(self.strength), rng=rng)


def condition(text: str, *, seed: int = 0) -> Condition:
    """The condition of that name. Raises UsageError for one that does not exist, with the nearest that does."""
    words = text.split()
    if words in (["clean"], ["σ", "0"], ["sigma", "0"]):
        return Condition("clean", "σ", 0.0, seed)
    if len(words) == 3 and words[0] == "shift":
        direction = known("shift direction", words[1], DIRECTIONS)
        pixels = _whole(words[2])
        if pixels is None or pixels > FARTHEST_SHIFT:
            raise UsageError(
                f"A shift must be by a whole number of pixels from 0 to {FARTHEST_SHIFT}, found {words[2]!r} "
                f"in {text!r}."
            )
        return Condition(f"shift {direction} {pixels}", direction, pixels, seed)
    if len(words) != 2:
        raise UsageError(f"A test condition is written as {FORMS}, found {text!r}.")
    kind = known("test condition", words[0], ["σ", "sigma", *SEVERITIES])
    if kind in ("σ", "sigma"):
        try:
            sigma = check_sigma(float(words[1]))
        except ValueError as error:
            raise UsageError(f"{text!r}: a noise level σ must be a number from 0 to 2, found {words[1]!r}.") from error
        return Condition("clean" if sigma == 0 else f"σ {sigma:g}", "σ", sigma, seed)
    severity = _whole(words[1])
    check_severity(kind, words[1] if severity is None else severity)
    return Condition(f"{kind} {severity}", kind, severity, seed)


def _whole(text: str) -> int | None:
    """The number that digits 0 … 9 spell, None for any other text."""
    return int(text) if text.isascii() and text.isdigit() else None
