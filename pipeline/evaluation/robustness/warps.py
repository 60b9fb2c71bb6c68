"""Changes of where things are in a picture: each pixel of the new one looks up a place in the old one.

Places are (row, column) from the picture's centre; what lies outside of the picture is black. Values
between pixels are interpolated linearly, as in the MNIST-C code.
"""

import numpy as np
from scipy import ndimage

from pipeline.augment import distort
from pipeline.errors import UsageError

# Down and right, in pixels.
DIRECTIONS = {
    "right": (0, 1), "left": (0, -1), "up": (-1, 0), "down": (1, 0),
    "down-right": (1, 1), "down-left": (1, -1), "up-right": (-1, 1), "up-left": (-1, -1),
}  # fmt: skip
FARTHEST_SHIFT = 6
# Clockwise or against the clock.
TURNS = {"right": 1, "left": -1}
FARTHEST_TURN = 45  # degrees; beyond, a 6 is on its way to a 9


def shift(images: np.ndarray, direction: str, pixels: int) -> np.ndarray:
    """Pictures (n, side, side) moved by whole pixels, black coming in; diagonals move as far along both axes.

    direction: a key of DIRECTIONS. Raises UsageError where nothing of the picture would be left.
    """
    side = images.shape[1]
    if pixels >= side:
        raise UsageError(f"A shift by {pixels} pixels leaves nothing of a picture of {side}×{side}: shift by less.")
    down, right = (pixels * step for step in DIRECTIONS[direction])
    wide = np.pad(images, ((0, 0), (pixels, pixels), (pixels, pixels)))
    return wide[:, pixels - down : pixels - down + side, pixels - right : pixels - right + side].copy()


def turn(images: np.ndarray, degrees: float) -> np.ndarray:
    """Pictures (n, side, side), floats, turned clockwise about the centre by `degrees`, all of them alike."""
    return warp(images, turned_back(np.deg2rad(degrees))[None])


def turned_back(angle: float | np.ndarray) -> np.ndarray:
    """(2, 2): from a place (row, column) in a picture turned clockwise by `angle` radians to its place before.

    For angles (n,) it is (2, 2, n).
    """
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def rotate(images: np.ndarray, angle: float, *, rng: np.random.Generator) -> np.ndarray:
    """By `angle` radians about the centre, each picture one way or the other."""
    angles = angle * rng.choice((-1.0, 1.0), len(images))
    return warp(images, np.moveaxis(turned_back(-angles), -1, 0))


def shear(images: np.ndarray, angle: float, *, rng: np.random.Generator) -> np.ndarray:
    """Verticals tilted by `angle` radians and kept at their length, each picture one way or the other.

    The map of scikit-image's AffineTransform before its version 0.19, which MNIST-C was made with: rows are
    cos(angle) apart, which stretches the picture, and −sin(angle) columns to the side.
    """
    angles = angle * rng.choice((-1.0, 1.0), len(images))
    matrices = np.tile(np.eye(2), (len(images), 1, 1))
    matrices[:, 0, 0], matrices[:, 1, 0] = np.cos(angles), -np.sin(angles)
    return warp(images, matrices)


def scale(images: np.ndarray, factor: float, *, rng: np.random.Generator) -> np.ndarray:
    """To `factor` of their size about the centre."""
    return warp(images, np.eye(2)[None] / factor)


def translate(images: np.ndarray, pixels: float, *, rng: np.random.Generator) -> np.ndarray:
    """Along a diagonal, by `pixels` on both axes (scaled from side 28), each picture along one of the four."""
    steps = pixels * images.shape[1] / 28 * rng.choice((-1.0, 1.0), (len(images), 2))
    return warp(images, np.eye(2)[None], steps[:, :, None, None])


def elastic(images: np.ndarray, strength: tuple[float, float, float], *, rng: np.random.Generator) -> np.ndarray:
    """A random affine map, then a smooth random displacement of each pixel (Simard, Steinkraus, Platt 2003).

    strength: how far pixels are displaced before smoothing, the σ of that smoothing, and how far the three
    points that define the affine map move at most; all as shares of the side.
    """
    n, side = len(images), images.shape[1]
    reach, smooth, affine = (share * side for share in strength)
    # Three corners of a square about the centre, and where they go; the map looks up the other way.
    half = side // 3
    corners = np.array([[half, half], [-half, half], [-half, -half]], dtype=np.float64)
    moved = corners + rng.uniform(-affine, affine, (n, 3, 2))
    ones = np.ones((n, 3, 1))
    back = np.linalg.solve(np.concatenate([moved, ones], axis=2), np.broadcast_to(corners, moved.shape))
    matrices, offsets = back[:, :2].swapaxes(1, 2), back[:, 2]

    wobble = rng.uniform(-1, 1, (n, 2, side, side))
    wobble = reach * ndimage.gaussian_filter(wobble, (0, 0, smooth, smooth), mode="reflect", truncate=3)
    wobble = np.einsum("nij,njrc->nirc", matrices, wobble)
    return warp(images, matrices, wobble + offsets[:, :, None, None])


def warp(images: np.ndarray, matrices: np.ndarray, steps: np.ndarray | float = 0.0) -> np.ndarray:
    """Pictures (n, side, side) whose pixel at place p, from the centre, shows the old place M·p + step.

    matrices (n or 1, 2, 2) and steps, broadcast to (n, 2, side, side): for (row, column). A new array.
    """
    n, side, _ = images.shape
    grid = np.stack(np.mgrid[:side, :side]).reshape(2, -1) - (side - 1) / 2
    field = ((matrices - np.eye(2)) @ grid).reshape(-1, 2, side, side) + steps
    field = np.broadcast_to(field, (n, 2, side, side)).swapaxes(0, 1).astype(np.float32, order="C")
    return distort.warp(images.copy(), field)
