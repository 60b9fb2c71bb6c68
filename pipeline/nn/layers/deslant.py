"""Slanted writing set upright: a layer without parameters, to stand before the first that has some."""

import numpy as np

from pipeline.errors import UsageError, number
from pipeline.nn.kernels import Array, kernel
from pipeline.nn.layers.base import Backward, Layer, Shape
from pipeline.nn.workspace import Pass

STEADY = 1e-6  # added to the ink's height, squared: an empty picture has none


def _shear_arrays(y: Array, rise: Array, x: Array, whole: Array, part: Array) -> None:
    n, height, width = x.shape
    reach = int(np.abs(whole).max()) + 2  # no row is moved farther
    wide = np.zeros((n, height, width + 2 * reach), x.dtype)
    wide[:, :, reach : reach + width] = x
    seen = np.take_along_axis(wide, (whole + reach)[:, :, None] + np.arange(width + 1), axis=2)
    np.subtract(seen[:, :, 1:], seen[:, :, :-1], out=rise)
    np.multiply(rise, part[:, :, None], out=y)
    y += seen[:, :, :-1]


@kernel(_shear_arrays)
def _shear(y: Array, rise: Array, x: Array, whole: Array, part: Array) -> None:
    """y, rise ← each row of x (n, height, width) seen whole + part columns to the right, and its slope there.

    whole, part: (n, height).
    """
    n, height, width = x.shape
    for i in range(n):
        for v in range(height):
            seen, out, slope, by = x[i, v], y[i, v], rise[i, v], whole[i, v]
            for u in range(width):
                here = seen[u + by] if 0 <= u + by < width else seen[0] * 0
                there = seen[u + by + 1] if 0 <= u + by + 1 < width else seen[0] * 0
                slope[u] = there - here
                out[u] = slope[u] * part[i, v] + here


class Deslant(Layer):
    """Each picture sheared along its rows until its ink no longer leans; x, y (n, height, width).

    The slant is a = Σ w·v·u / Σ w·v² with w = x², the ink, and v, u how far below and right of the ink's centre it
    lies: the regression of column on row. y[v, u] = x[v, u + a·v], between pixels linear, outside black, so the
    centre stays where it is. Slants beyond ± limit columns a row are taken for ± limit: a dash has no slant.

    After LeCun, Bottou, Bengio and Haffner (1998, section III.A), who set MNIST upright before training. Here it
    is part of the network, so whatever asks it sees the same, and the gradient for the pixels is exact.
    """

    def __init__(self, *, limit: float = 1.0) -> None:
        super().__init__()
        self.limit = number("Deslant: limit", limit, above=0, at_most=4)

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 2:
            raise UsageError(f"Deslant takes pictures (height, width), found shape {shape}: put it first of all.")
        return shape

    def forward(self, x: np.ndarray, ctx: Pass) -> tuple[np.ndarray, Backward]:
        n, height, width = x.shape
        ink = np.multiply(x, x, out=ctx.array(self, "ink", x.shape, x.dtype))
        places = _places(height, width, x.dtype)
        mass, down, right, down_right, down_down = ink.reshape(n, -1).dot(places).T
        mass = np.where(mass > 0, mass, 1)
        middle = down / mass  # the ink's centre, in rows below the picture's
        leaning, tall = down_right - middle * right, down_down - middle * down + x.dtype.type(STEADY)
        free = leaning / tall
        slant = np.clip(free, -self.limit, self.limit)

        below = places[::width, 1] - middle[:, None]  # (n, height)
        step = slant[:, None] * below
        whole = np.floor(step)
        part = step - whole
        whole = whole.astype(np.intp)
        y, rise = (ctx.array(self, name, x.shape, x.dtype) for name in ("y", "rise"))
        _shear(y, rise, np.ascontiguousarray(x), whole, part)

        def backward(dy: np.ndarray) -> np.ndarray:
            # What the pixels do where they are, then what they do to the slant and the centre.
            to = np.zeros((n, height, width + 1), x.dtype)
            to[:, :, :-1] = dy * (1 - part[:, :, None])
            to[:, :, 1:] += dy * part[:, :, None]
            reach = int(np.abs(whole).max()) + 2  # no row is moved farther
            columns = (whole + reach)[:, :, None] + np.arange(width + 1)
            back = np.zeros((n, height, width + 2 * reach), x.dtype)
            np.put_along_axis(back, columns, to, axis=2)
            dx = back[:, :, reach : reach + width].copy()

            by_step = (dy * rise).sum(axis=2)
            by_slant = np.where(free == slant, (by_step * below).sum(axis=1), 0)
            by_middle = -slant * by_step.sum(axis=1)
            u = places[:width, 2] - (right / mass)[:, None]
            v = below[:, :, None]
            slanting = (v * u[:, None, :] - free[:, None, None] * v**2) * (by_slant / tall)[:, None, None]
            dx += 2 * x * (slanting + v * (by_middle / mass)[:, None, None])
            return dx

        return y, backward


def _places(height: int, width: int, dtype: np.dtype) -> np.ndarray:
    """(height · width, 5): of each pixel 1, its row v and column u from the picture's centre, v·u, v²."""
    v, u = np.mgrid[:height, :width].reshape(2, -1).astype(dtype)
    v, u = v - dtype.type((height - 1) / 2), u - dtype.type((width - 1) / 2)
    return np.stack([np.ones_like(v), v, u, v * u, v * v], axis=1)
