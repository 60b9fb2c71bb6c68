"""Ones as much of the world writes them: with an upstroke from the left, and sometimes a foot.

MNIST's ones are nearly all a bare stroke, so that a net trained on them takes a one with an upstroke for a 4 or a 7.
No label is needed to find them: of Kaggle's rows, what is as straight and upright as STRAIGHT and UPRIGHT ask for is
a one in 999 cases of 1,000, and holds four ones of five.
"""

from functools import cache

import numpy as np

from pipeline.augment.distort import warp
from pipeline.errors import within

STRAIGHT = 0.2  # standard deviation of the ink across its long axis over the one along it, at most
UPRIGHT = 45.0  # degrees between the long axis and the vertical, at most
TALL = 0.4  # of the side: what is shorter has no room for an upstroke
LENGTH = (0.25, 0.85)  # of the ink's height
ANGLE = (25.0, 65.0)  # degrees from the vertical
WEIGHT = (0.6, 1.0)  # of the stroke's own width
THINNEST = 0.05  # of the side: 1.5 pixels of 28
FOOT = (0.15, 0.35)  # half of its length, of the ink's height
FOOT_SHARE = 0.2  # of those that get an upstroke


class Upstroke:
    """With `probability`, a picture of one straight, upright stroke gets an upstroke, one in five a foot too.

    Lengths, angles and widths are uniform within the limits above. The centre of mass stays where it was, to half
    a pixel, as in Kaggle's rows. All other pictures stay as they are.
    """

    def __init__(self, *, probability: float) -> None:
        self.probability = within("probability", probability, 0, 1)

    def __call__(self, batch: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
        wanted = rng.random(len(batch)) < self.probability
        rows = np.flatnonzero(wanted & bare_strokes(batch))
        if rows.size:
            batch[rows] = _with_upstroke(batch[rows], rng)
        return batch


def bare_strokes(batch: np.ndarray) -> np.ndarray:
    """(n,) bool: which pictures of batch (n, height, width) show one straight, upright stroke and nothing else."""
    n, height, width = batch.shape
    mass, down, right, *products = (batch.reshape(n, -1) @ _moments(height, width)).T.astype(np.float64)
    mass = np.maximum(mass, 1e-6)
    down, right = down / mass, right / mass
    squares = (down * down, right * right, down * right)
    vertical, horizontal, mixed = (p / mass - s for p, s in zip(products, squares, strict=True))
    # The eigenvalues of the ink's covariance are mean ± spread; its long axis leans by half of the angle below.
    mean, spread = (vertical + horizontal) / 2, np.hypot((vertical - horizontal) / 2, mixed)
    straight = mean - spread <= STRAIGHT**2 * (mean + spread)
    upright = np.abs(np.arctan2(2 * mixed, vertical - horizontal)) <= 2 * np.deg2rad(UPRIGHT)
    inked = (batch > 0.4).any(2)
    return straight & upright & (inked.sum(1) >= TALL * max(height, width))


@cache
def _moments(height: int, width: int) -> np.ndarray:
    """(height · width, 6) float32: 1, down, right and their products, which a picture's moments are sums of."""
    down, right = np.mgrid[:height, :width].reshape(2, -1) - np.array([[(height - 1) / 2], [(width - 1) / 2]])
    return np.stack([np.ones_like(down), down, right, down * down, right * right, down * right], 1).astype(np.float32)


def _with_upstroke(pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The pictures (n, height, width), all of bare strokes, with what they lack; a new array."""
    n, height, width = pictures.shape
    rows = (pictures > 0.4).any(2)
    top, bottom = rows.argmax(1), height - 1 - rows[:, ::-1].argmax(1)
    tall = bottom - top + 1
    pen = np.maximum(pictures.sum((1, 2)) / (tall + 1) * rng.uniform(*WEIGHT, n), THINNEST * max(height, width))
    start = np.stack([top + 0.5, _middle(pictures, top)])
    angle = np.deg2rad(rng.uniform(*ANGLE, n))
    end = start + tall * rng.uniform(*LENGTH, n) * np.stack([np.cos(angle), -np.sin(angle)])
    drawn = np.maximum(pictures, _lines(start, end, pen, (height, width)))
    heel = np.stack([bottom.astype(float), _middle(pictures, bottom)])
    reach = np.stack([np.zeros(n), tall * rng.uniform(*FOOT, n)])
    foot = (rng.random(n) < FOOT_SHARE)[:, np.newaxis, np.newaxis]
    drawn = np.maximum(drawn, _lines(heel - reach, heel + reach, pen, (height, width)) * foot)
    moved = np.rint(_centres(drawn) - _centres(pictures)).astype(np.float32)
    field = np.broadcast_to(moved[:, :, np.newaxis, np.newaxis], (2, n, height, width)).copy()
    return warp(drawn.astype(pictures.dtype), field)


def _middle(pictures: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(n,) the mean column of the ink in one row of each picture."""
    inked = pictures[np.arange(len(pictures)), rows] > 0.4
    return inked @ np.arange(pictures.shape[2]) / inked.sum(1)


def _lines(start: np.ndarray, end: np.ndarray, pen: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Pictures (n, *shape) of straight lines with round, soft ends: start, end (2, n) pixels, pen (n,) widths."""
    places = np.mgrid[: shape[0], : shape[1]][:, np.newaxis]  # (2, 1, height, width)
    start, along = start[:, :, np.newaxis, np.newaxis], (end - start)[:, :, np.newaxis, np.newaxis]
    share = np.clip(((places - start) * along).sum(0) / (along**2).sum(0), 0, 1)
    distance = np.hypot(*(places - start - share * along))
    return np.clip(pen[:, np.newaxis, np.newaxis] / 2 + 0.5 - distance, 0, 1)


def _centres(pictures: np.ndarray) -> np.ndarray:
    """(2, n) centres of mass in pixel indices."""
    mass = pictures.sum((1, 2))
    down, right = pictures.sum(2), pictures.sum(1)
    return np.stack([down @ np.arange(down.shape[1]), right @ np.arange(right.shape[1])]) / mass
