"""Random shifts by whole pixels: the smallest change of writing, and the cheapest remedy against it."""

import numpy as np

from pipeline.errors import whole_number, within
from pipeline.nn.kernels import Array, kernel


def _shift_arrays(out: Array, pictures: Array, first: Array, reach: int) -> None:
    n, height, width = out.shape
    padded = np.zeros((n, height + 2 * reach, width + 2 * reach), out.dtype)
    padded[:, reach : reach + height, reach : reach + width] = pictures
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(1, 2))
    out[...] = windows[np.arange(n), *first]


@kernel(_shift_arrays)
def _shift(out: Array, pictures: Array, first: Array, reach: int) -> None:
    """out, pictures (n, height, width): each seen through a window that begins at first[:, i] − reach."""
    n, height, width = out.shape
    for i in range(n):
        down, right = first[0, i] - reach, first[1, i] - reach
        left, end = max(0, -right), min(width, width - right)
        for v in range(height):
            row = out[i, v]
            row[:] = 0
            if 0 <= v + down < height:
                seen = pictures[i, v + down]
                for u in range(left, end):
                    row[u] = seen[u + right]


class RandomShift:
    """Training shifts: each picture moves by −pixels … +pixels down and right, black comes in from outside."""

    def __init__(self, pixels: int) -> None:
        self.pixels = whole_number("A shift in pixels", pixels, at_least=0)

    def __call__(self, batch: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
        n, reach = len(batch), self.pixels
        if reach == 0:
            return batch
        _shift(batch, batch.copy(), rng.integers(0, 2 * reach + 1, (2, n)), reach)
        return batch


class Shift:
    """RandomShift by up to share_of_side of the picture's side, rounded to whole pixels: 0.04 is one of 28, none of 8.

    For shifts by parts of a pixel there is Affine.
    """

    def __init__(self, *, share_of_side: float) -> None:
        self.share = within("share_of_side", share_of_side, 0, 0.5)

    def __call__(self, batch: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
        return RandomShift(round(self.share * max(batch.shape[1:])))(batch, rng=rng)
