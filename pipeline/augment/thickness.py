"""Thicker and thinner strokes: dilation and erosion of grey pictures, by parts of a pixel."""

from collections.abc import Callable

import numpy as np

from pipeline.errors import within


class Thickness:
    """Each picture's strokes grow or shrink at both edges by a random width, uniform within ± share_of_side.

    A step of one pixel replaces each pixel by the brightest (darkest) of itself and its four neighbours; a part
    of a step goes that part of the way. Strokes are bright, and what lies outside of the frame plays no part.
    """

    def __init__(self, *, share_of_side: float) -> None:
        self.share = within("share_of_side", share_of_side, 0, 0.5)

    def __call__(self, batch: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
        pixels = rng.uniform(-1, 1, len(batch)) * self.share * max(batch.shape[1:])
        for extreme, rows, reach in ((np.maximum, pixels > 0, pixels), (np.minimum, pixels < 0, -pixels)):
            if rows.any():
                batch[rows] = _grow(batch[rows], reach[rows], extreme)
        return batch


def _grow(pictures: np.ndarray, pixels: np.ndarray, extreme: Callable[..., np.ndarray]) -> np.ndarray:
    """The pictures (n, height, width) after `pixels` (n,) steps of `extreme`, at least one of them above 0."""
    for step in range(int(np.ceil(pixels.max()))):
        reached = pictures.copy()
        extreme(reached[:, 1:], pictures[:, :-1], out=reached[:, 1:])
        extreme(reached[:, :-1], pictures[:, 1:], out=reached[:, :-1])
        extreme(reached[:, :, 1:], pictures[:, :, :-1], out=reached[:, :, 1:])
        extreme(reached[:, :, :-1], pictures[:, :, 1:], out=reached[:, :, :-1])
        reached -= pictures
        reached *= np.clip(pixels - step, 0, 1).astype(pictures.dtype)[:, np.newaxis, np.newaxis]
        pictures += reached
    return pictures
