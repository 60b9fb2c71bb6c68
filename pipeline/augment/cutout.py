"""Cut-out: a black square hides a part of the picture, so that no single part decides (DeVries and Taylor 2017)."""

import numpy as np

from pipeline.errors import within


class CutOut:
    """In each picture, with `probability`, a square of share_of_side around a random pixel becomes black.

    The square is rounded to whole pixels and may reach out of the frame, as in the paper.
    """

    def __init__(self, *, share_of_side: float, probability: float = 1.0) -> None:
        self.share = within("share_of_side", share_of_side, 0, 1)
        self.probability = within("probability", probability, 0, 1)

    def __call__(self, batch: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
        n, height, width = batch.shape
        square = round(self.share * max(height, width))
        cut = rng.random(n) < self.probability
        hidden = []
        for length in (height, width):
            first = rng.integers(0, length, (n, 1)) - square // 2
            places = np.arange(length)
            hidden.append((places >= first) & (places < first + square))
        down, right = hidden
        batch[(cut[:, np.newaxis] & down)[:, :, np.newaxis] & right[:, np.newaxis, :]] = 0
        return batch
