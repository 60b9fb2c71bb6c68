"""Random shifts by whole pixels: the smallest change of writing, and the cheapest remedy against it."""

from __future__ import annotations

import numpy as np

from pipeline.checks import within
from pipeline.errors import UsageError


class RandomShift:
    """Training shifts: each picture moves by −pixels … +pixels down and right, black comes in from outside."""

    def __init__(self, pixels: int) -> None:
        if pixels < 0:
            raise UsageError(f"A shift must be at least 0 pixels, found {pixels}.")
        self.pixels = pixels

    def __call__(self, batch: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
        """Change the float batch (n, height, width) in place, and give it back."""
        n, height, width = batch.shape
        reach = self.pixels
        if reach == 0:
            return batch
        padded = np.zeros((n, height + 2 * reach, width + 2 * reach), batch.dtype)
        padded[:, reach:-reach, reach:-reach] = batch
        down, right = rng.integers(0, 2 * reach + 1, (2, n))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(1, 2))
        batch[...] = windows[np.arange(n), down, right]
        return batch


class Shift:
    """RandomShift by up to share_of_side of the picture's side, rounded to whole pixels: 0.04 is one of 28, none of 8.

    For shifts by parts of a pixel there is Affine.
    """

    def __init__(self, *, share_of_side: float) -> None:
        self.share = within("share_of_side", share_of_side, 0, 0.5)

    def __call__(self, batch: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
        """Change the float batch (n, height, width) in place, and give it back."""
        return RandomShift(round(self.share * max(batch.shape[1:])))(batch, rng=rng)
