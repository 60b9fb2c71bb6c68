"""Corruptions that lay something over a picture or redraw it: the six of MNIST-C that are neither noise nor a warp.

All take floats (n, side, side) in [0, 1] and give a new array. Lengths are in pixels of a side of 28 and scaled.
"""

from functools import lru_cache

import numpy as np
from scipy import ndimage

SIDE = 28
REACH = 2.3  # pixels from the middle of a line at which it has faded to nothing
MUD = 63 / 255
PLASMA, PLASMA_ROWS = 256, 64  # side of the height map that fog is cut from, and how many are made at once
LOW, HIGH = 0.1, 0.2  # Canny's thresholds for the length of Sobel's gradient


def stripe(images: np.ndarray, _: None, *, rng: np.random.Generator) -> np.ndarray:
    """The left and the right quarter turned negative."""
    side = images.shape[2]
    images, quarter = images.copy(), round(7 * side / SIDE)
    for part in (slice(quarter), slice(side - quarter, side)):
        images[:, :, part] = 1 - images[:, :, part]
    return images


def fog(images: np.ndarray, strength: tuple[float, float], *, rng: np.random.Generator) -> np.ndarray:
    """Plasma clouds added, and all brought back to the picture's own range; strength: how much, how smooth."""
    much, decay = strength
    side, out = images.shape[1], np.empty_like(images)
    for start in range(0, len(images), PLASMA_ROWS):
        part = images[start : start + PLASMA_ROWS]
        white = part.max(axis=(1, 2), keepdims=True)
        clouds = _plasma(len(part), max(PLASMA, 1 << (side - 1).bit_length()), decay, rng)[:, :side, :side]
        out[start : start + PLASMA_ROWS] = (part + much * clouds) * white / (white + much)
    return out


def _plasma(n: int, size: int, decay: float, rng: np.random.Generator) -> np.ndarray:
    """(n, size, size) height maps from 0 to 1 by the diamond-square algorithm on a torus; size a power of two."""
    heights, step, wobble = np.zeros((n, size, size)), size, 100.0

    def wobbled(total: np.ndarray) -> np.ndarray:
        return total / 4 + wobble * rng.uniform(-wobble, wobble, total.shape)

    while step >= 2:
        half = step // 2
        corners = heights[:, ::step, ::step]
        below = corners + np.roll(corners, -1, axis=1)
        heights[:, half::step, half::step] = wobbled(below + np.roll(below, -1, axis=2))
        middles = heights[:, half::step, half::step]
        beside = middles + np.roll(middles, 1, axis=1) + corners + np.roll(corners, -1, axis=2)
        heights[:, ::step, half::step] = wobbled(beside)
        above = middles + np.roll(middles, 1, axis=2) + corners + np.roll(corners, -1, axis=1)
        heights[:, half::step, ::step] = wobbled(above)
        step, wobble = half, wobble / decay
    heights -= heights.min(axis=(1, 2), keepdims=True)
    return heights / heights.max(axis=(1, 2), keepdims=True)


def spatter(images: np.ndarray, strength: tuple[float, ...], *, rng: np.random.Generator) -> np.ndarray:
    """Blots of mud: smoothed noise above a bound. strength: the noise's mean and σ, smoothing, bound, edge's σ."""
    mean, sigma, smooth, bound, edge = strength
    scale = images.shape[1] / SIDE
    liquid = rng.normal(mean, sigma, images.shape)
    liquid = ndimage.gaussian_filter(liquid, (0, smooth * scale, smooth * scale), mode="nearest")
    mud = ndimage.gaussian_filter((liquid > bound).astype(np.float32), (0, edge * scale, edge * scale), mode="nearest")
    mud[mud < 0.8] = 0
    return images * (1 - mud) + MUD * mud


def dotted_line(images: np.ndarray, _: None, *, rng: np.random.Generator) -> np.ndarray:
    """A line from the left to the right edge, two columns of every four left out."""
    side = images.shape[1]
    first, last = rng.integers(0, 27, (2, len(images)))
    lines = np.stack([line(0, a, 27, b, side) for a, b in zip(first.tolist(), last.tolist(), strict=True)])
    lines[:, :, (np.arange(side) * SIDE // side) // 2 % 2 == 0] = 0
    return images + lines


def zigzag(images: np.ndarray, _: None, *, rng: np.random.Generator) -> np.ndarray:
    """A zigzag two pixels high and four long from column 2 to column 25."""
    first = rng.integers(0, 27, len(images))
    last = first + rng.integers(-5, 5, len(images))
    ends = zip(first.tolist(), last.tolist(), strict=True)
    return images + np.stack([_zigzag(*rows, images.shape[1]) for rows in ends])


@lru_cache(maxsize=512)
def _zigzag(first: int, last: int, side: int) -> np.ndarray:
    width, height = 23.0, 2.0
    angle = np.arctan((last - first) / width)
    length = width / np.cos(angle)
    corners = [(0.0, 0.0)]
    corners += [(2.0 * (2 * i + 1), (-1) ** i * height) for i in range(int((length - 2) // 4) + 1)]
    left = length - 4 * (length // 4)
    if left:
        corners.append((length, corners[-1][1] / (2 * left)))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    columns, rows = turn @ np.array(corners).T + np.array([[2], [first]])
    out = np.zeros((side, side))
    for i in range(len(columns) - 1):
        out += line(columns[i], rows[i], columns[i + 1], rows[i + 1], side)
    return np.minimum(out, 1)


def line(c0: float, r0: float, c1: float, r1: float, side: int) -> np.ndarray:
    """(side, side) a line between two points (column, row), as bright at a distance d of rows as log(1 − d/2.3) + 1."""
    if c0 == c1:
        return np.zeros((side, side))
    places = np.arange(side) * SIDE / side
    middle = (r1 - r0) / (c1 - c0) * (places - c0) + r0
    distance = np.minimum(np.abs(places[:, None] - middle), REACH - 1e-10)
    out = np.clip(np.log(1 - distance / REACH) + 1, 0, 1)
    out[:, (places < np.floor(c0)) | (places >= np.ceil(c1))] = 0
    return out


def canny_edges(images: np.ndarray, _: None, *, rng: np.random.Generator) -> np.ndarray:
    """Nothing but the edges: Canny 1986, as scikit-image draws them with its defaults (σ 1, thresholds 0.1 and 0.2)."""
    smooth = ndimage.gaussian_filter(images.astype(np.float64), (0, 1, 1), mode="constant")
    seen = ndimage.gaussian_filter(np.ones(images.shape[1:]), 1, mode="constant")  # what of the blur lay inside
    smooth /= seen + np.finfo(float).eps
    down = ndimage.correlate1d(ndimage.correlate1d(smooth, (-1, 0, 1), 1), (1, 2, 1), 2)
    right = ndimage.correlate1d(ndimage.correlate1d(smooth, (-1, 0, 1), 2), (1, 2, 1), 1)
    size = np.hypot(down, right)
    ridge = _along_gradient(size, down, right)
    ridge[:, [0, -1]] = ridge[:, :, [0, -1]] = False
    weak = ridge & (size >= LOW)
    around = np.zeros((3, 3, 3))
    around[1] = 1
    labels, count = ndimage.label(weak, around)
    strong = np.zeros(count + 1, bool)
    strong[labels[weak & (size >= HIGH)]] = True
    strong[0] = False
    return strong[labels].astype(images.dtype)


def _along_gradient(size: np.ndarray, down: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(n, h, w) bool: where the gradient is no smaller than a step up or down its direction, between pixels linear."""
    steep = np.abs(down) >= np.abs(right)
    share = np.minimum(np.abs(down), np.abs(right)) / np.maximum(np.maximum(np.abs(down), np.abs(right)), 1e-300)
    same = down * right >= 0
    wide = np.pad(size, ((0, 0), (1, 1), (1, 1)))

    def at(rows: int, columns: int) -> np.ndarray:
        return wide[:, 1 + rows : wide.shape[1] - 1 + rows, 1 + columns : wide.shape[2] - 1 + columns]

    largest = np.ones(size.shape, bool)
    for sign in (1, -1):
        straight = np.where(steep, at(sign, 0), at(0, sign))
        falling = at(sign, sign)
        rising = np.where(steep, at(sign, -sign), at(-sign, sign))
        largest &= np.where(same, falling, rising) * share + straight * (1 - share) <= size
    return largest & (size > 0)
