"""Distortions: pictures as if another hand had written them: turned, slanted, stretched, bent like rubber.

A distortion is a displacement field u: the new picture shows at pixel p what the old one has at p + u(p), between
pixels by bilinear interpolation, outside of the frame black. Fields add up, so several distortions cost one gather:
an affine and an elastic one together show what lies at A p + t + u(p).

Fields are (2, n, height, width) float32 in pixels: first down, then right. All sizes that a recipe names are
relative to the picture's side (the longer one), so that they mean the same at 8×8 and at 28×28.
"""

from functools import cache

import numpy as np

from pipeline.errors import within
from pipeline.nn.kernels import Array, kernel

Shape = tuple[int, int, int]
CHUNK_PIXELS = 32_768  # warped at once: what that needs stays in a core's own cache


class Scratch:
    """Hands out uninitialised arrays by name; whoever asks again for a name gets the same memory.

    A fresh array of a megabyte costs more than the arithmetic done on it, because the system clears its pages.
    One Scratch serves one thread.
    """

    def __init__(self) -> None:
        self._arrays: dict[str, np.ndarray] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: np.dtype | type = np.float32) -> np.ndarray:
        """A C-contiguous array of `shape` and `dtype`; what stands in it is left over from before."""
        size = int(np.prod(shape))
        held = self._arrays.get(name)
        if held is None or held.size < size or held.dtype != dtype:
            held = self._arrays[name] = np.empty(size, dtype)
        return held[:size].reshape(shape)


class Displacement:
    """Base of the distortions: each draws its `field`; called as a change of a batch it warps by that field.

    It keeps the arrays it works in, so threads need one each.
    """

    def __init__(self) -> None:
        self.scratch = Scratch()

    def field(self, shape: Shape, *, rng: np.random.Generator) -> np.ndarray:
        """Displacements (2, n, height, width) float32 in pixels for a batch of `shape` (n, height, width).

        The array is the distortion's own: the next call overwrites it.
        """
        raise NotImplementedError

    def __call__(self, batch: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
        return warp(batch, self.field(batch.shape, rng=rng), self.scratch)


class Sum(Displacement):
    """Several distortions as one field, drawn in their order."""

    def __init__(self, *parts: Displacement) -> None:
        super().__init__()
        self.parts = parts

    def field(self, shape: Shape, *, rng: np.random.Generator) -> np.ndarray:
        total = self.parts[0].field(shape, rng=rng)
        for part in self.parts[1:]:
            total += part.field(shape, rng=rng)
        return total


class Affine(Displacement):
    """Random affine maps around the picture's centre, every number uniform within ± its size.

    rotation: degrees.
    scale: height and width are multiplied by 1 ± scale, each by its own.
    shear: each row moves right by ± shear pixels for every pixel that it lies above the centre (slanted writing).
    shift: a share of the side, by parts of a pixel, down and right.
    """

    def __init__(self, *, rotation: float = 0.0, scale: float = 0.0, shear: float = 0.0, shift: float = 0.0) -> None:
        super().__init__()
        self.rotation = within("rotation (degrees)", rotation, 0, 180)
        self.scale = within("scale", scale, 0, 0.9)
        self.shear = within("shear", shear, 0, 2)
        self.shift = within("shift (a share of the side)", shift, 0, 1)

    def field(self, shape: Shape, *, rng: np.random.Generator) -> np.ndarray:
        n, height, width = shape
        uniform = rng.uniform(-1, 1, (6, n))
        maps = inverse_affine(
            angle=np.deg2rad(self.rotation) * uniform[0],
            slant=self.shear * uniform[1],
            stretch=1 + self.scale * uniform[2:4],
            shift=self.shift * max(height, width) * uniform[4:6],
        )
        out = self.scratch.array("field", (2, n, height * width))
        return np.matmul(maps, _places(height, width), out=out).reshape(2, n, height, width)


def inverse_affine(*, angle: np.ndarray, slant: np.ndarray, stretch: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Displacements (2, n, 3) float32 = linear maps of (down, right, 1) that stretch, then slant, turn and shift.

    angle (n,) radians, counter-clockwise; slant (n,); stretch (2, n) factors and shift (2, n) pixels, down and right.
    """
    # A picture moved by the map M shows at p what stood at M⁻¹ p. Each step's inverse, as rows (down, right):
    cos, sin, one, zero = np.cos(angle), np.sin(angle), np.ones_like(angle), np.zeros_like(angle)
    unturn = np.array([[cos, sin], [-sin, cos]])
    unslant = np.array([[one, zero], [slant, one]])
    unstretch = np.array([[1 / stretch[0], zero], [zero, 1 / stretch[1]]])
    inverse = np.einsum("abn,bcn,cdn->and", unstretch, unslant, unturn)
    constant = -np.einsum("and,dn->an", inverse, shift)
    inverse -= np.eye(2)[:, np.newaxis]
    return np.concatenate([inverse, constant[:, :, np.newaxis]], axis=2).astype(np.float32)


@cache
def _places(height: int, width: int) -> np.ndarray:
    """(3, height · width) float32: how far each pixel lies below and right of the centre, and 1."""
    down, right = np.mgrid[:height, :width].reshape(2, -1)
    return np.array([down - (height - 1) / 2, right - (width - 1) / 2, np.ones(height * width)], np.float32)


class Elastic(Displacement):
    """Random smooth fields, as if the paper were rubber (Simard, Steinkraus and Platt 2003, section 2).

    alpha: standard deviation of the displacement in each direction, a share of the side.
    sigma: standard deviation of the Gaussian that smooths the uniform noise, a share of the side.

    The paper's α = 34 and σ = 4 pixels of 28 are alpha 0.049 and sigma 0.14 here.
    """

    def __init__(self, *, alpha: float, sigma: float) -> None:
        super().__init__()
        self.alpha = within("alpha (a share of the side)", alpha, 0, 0.5)
        self.sigma = within("sigma (a share of the side)", sigma, 0.02, 1)

    def field(self, shape: Shape, *, rng: np.random.Generator) -> np.ndarray:
        n, height, width = shape
        side = max(height, width)
        down, right = _smoothing(height, self.sigma * side), _smoothing(width, self.sigma * side)
        noise = self.scratch.array("noise", (2 * n * down.shape[1], right.shape[1]))
        rng.random(out=noise, dtype=np.float32)
        noise -= np.float32(0.5)
        noise *= np.float32(self.alpha * side * 12**0.5)  # a uniform number of width 1 has the variance 1/12
        # A Gaussian over the plane is one along the rows and then one down the columns.
        rows = np.matmul(noise, right.T, out=self.scratch.array("rows", (len(noise), width)))
        field = self.scratch.array("field", (2, n, height, width))
        return np.matmul(down, rows.reshape(2, n, down.shape[1], width), out=field)


@cache
def _smoothing(length: int, sigma: float) -> np.ndarray:
    """Matrix (length, points) float32: white noise at points on a line → Gaussian-smooth noise of the same variance.

    The points lie `sigma` pixels apart: the variance is set right pixel by pixel, and the covariance of a Gaussian
    with a point at every pixel is met within one part in a thousand at a fraction of the cost. They begin and end
    3 σ outside of the frame, so that the field is no weaker at the edge.
    """
    points = np.arange(-3 * sigma, length - 1 + 4 * sigma, sigma)
    weights = np.exp(-(((np.arange(length)[:, np.newaxis] - points) / sigma) ** 2) / 2)
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    return weights.astype(np.float32)


def warp(batch: np.ndarray, field: np.ndarray, scratch: Scratch | None = None) -> np.ndarray:
    """Show at each pixel p what the float batch (n, height, width) has at p + field[:, …, p]; in place.

    field: (2, n, height, width) float32 in pixels; it is overwritten. Bilinear; black outside of the frame. Pixels
    in [0, 1] stay in [0, 1].
    """
    scratch = scratch or Scratch()
    n, height, width = batch.shape
    # Each picture gets a margin of black, one pixel before and two after: what lies further out is black as
    # well, so places are clipped to the margin, and all of them have four neighbours.
    pixels = (height + 3) * (width + 3)
    chunk = max(1, min(n, CHUNK_PIXELS // pixels))
    padded = scratch.array("padded", (chunk, height + 3, width + 3), batch.dtype)
    padded[...] = 0
    for begin in range(0, n, chunk):
        part = batch[begin : begin + chunk]
        padded[: len(part), 1:-2, 1:-2] = part
        _warp(part, padded, field[0, begin : begin + chunk], field[1, begin : begin + chunk])
    return batch


def _warp_arrays(out: Array, padded: Array, down: Array, right: Array) -> None:
    n, height, width = out.shape
    y = np.clip(down + np.arange(1, height + 1, dtype=np.float32)[:, np.newaxis], 0, height + 1)
    x = np.clip(right + np.arange(1, width + 1, dtype=np.float32), 0, width + 1)
    top, left = np.floor(y), np.floor(x)
    # In float32, where whole numbers are exact up to 2²⁴ and arithmetic is faster than on 64-bit integers.
    starts = (np.arange(n, dtype=np.float32) * padded[0].size)[:, np.newaxis, np.newaxis]
    places = (top * padded.shape[2] + left + starts).astype(np.intp)
    upper = _between(padded.reshape(-1), places, x - left)
    lower = _between(padded.reshape(-1)[padded.shape[2] :], places, x - left)
    out[...] = upper + (lower - upper) * (y - top)


def _between(pixels: np.ndarray, places: np.ndarray, share: np.ndarray) -> np.ndarray:
    """What lies `share` of the way from the pixels at `places` to their right neighbours; all but pixels (n, h, w)."""
    left = np.take(pixels, places)
    return left + (np.take(pixels[1:], places) - left) * share


@kernel(_warp_arrays)
def _warp(out: Array, padded: Array, down: Array, right: Array) -> None:
    """out (n, height, width) ← what the padded pictures have at each pixel moved by down, right (n, height, width)."""
    n, height, width = out.shape
    for i in range(n):
        for v in range(height):
            for u in range(width):
                y = min(max(down[i, v, u] + np.float32(v + 1), np.float32(0)), np.float32(height + 1))
                x = min(max(right[i, v, u] + np.float32(u + 1), np.float32(0)), np.float32(width + 1))
                top, left = int(y), int(x)  # neither is below 0
                y, x = y - np.float32(top), x - np.float32(left)
                upper, lower = padded[i, top], padded[i, top + 1]
                above = upper[left] + (upper[left + 1] - upper[left]) * x
                out[i, v, u] = above + (lower[left] + (lower[left + 1] - lower[left]) * x - above) * y
