"""Winograd's convolution F(2×2, 3×3): 3×3 kernels with stride 1 for 16 products a tile of 2×2 outputs, not 36.

After Lavin and Gray (2016, §4.1). With the tile's 4×4 inputs x, Y = Aᵀ[(G w Gᵀ) ⊙ (Bᵀ x B)]A, where ⊙ also sums over
the input's channels: 16 matrix products over all tiles, one for each place of the tile. All three steps are linear,
so that backward is the same steps transposed:

    dM = A dY Aᵀ,   dU = dM·Vᵀ,   dV = Uᵀ·dM,   dx = B dV Bᵀ added up over tiles,   dw = Gᵀ dU G

with U = G w Gᵀ, V = Bᵀ x B, M = U·V. conv.py has the direct form, which defines it; a float32 result lies about 3e-7 of
its size from the float64 one, gradients 1e-6. Blocks are those of blocks.py: (height, channels, width, lanes), of
2·down + 2 rows and 2·across + 2 columns of pixels for down × across tiles; some of them go through the products at
once, V and M are (16, channels, blocks, down, across, lanes).
"""

import math

import numpy as np

from pipeline.nn.kernels import Array, kernel, numba_or_none
from pipeline.nn.workspace import Pass

B = np.array([[1, 0, 0, 0], [0, 1, -1, 1], [-1, 1, 1, 0], [0, 0, 0, -1]])
G = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
GG = np.kron(G, G)  # (16, 9): from a kernel's nine numbers to the sixteen of U
A = np.array([[1, 0], [1, 1], [1, -1], [0, -1]])
LONG_PRODUCT = 384  # tiles·lanes that a product should have at least: it takes as many blocks as give that
FEWEST_CHANNELS = 16  # with fewer, what goes into the products and comes out of them takes longer than they do


def pays(weight: np.ndarray, stride: tuple[int, int], inside: tuple[int, int], outside: tuple[int, int]) -> bool:
    """Whether this form is possible and faster than the direct one; float64 is for exactness, so it stays direct.

    inside, outside: (height, width) of a picture that goes in and of one that comes out: no padding, whole tiles.
    """
    filters, channels, *kernel_size = weight.shape
    fits = kernel_size == [3, 3] and stride == (1, 1) and weight.dtype == np.float32
    whole = all(pixels == seen - 2 and pixels % 2 == 0 for seen, pixels in zip(inside, outside, strict=True))
    return fits and whole and min(channels, filters) >= FEWEST_CHANNELS and numba_or_none() is not None


def _to_inputs_arrays(v: Array, x: Array, scratch: Array) -> None:
    tiles = np.lib.stride_tricks.sliding_window_view(x, (4, 4), axis=(1, 3))[:, ::2, :, ::2]
    v.reshape(4, 4, *v.shape[1:])[...] = np.einsum("ai,ghcwlab,bj->ijcghwl", B, tiles, B)


@kernel(_to_inputs_arrays)
def _to_inputs(v: Array, x: Array, scratch: Array) -> None:
    """V ← Bᵀ x B for every tile; scratch: two arrays (across + 1)·lanes, of a row's even and odd pixels."""
    _, channels, blocks, down, across, lanes = v.shape
    even, odd = scratch[0], scratch[1]
    run = across * lanes
    for g, h in np.ndindex(blocks, down):
        for c in range(channels):
            for i in range(4):
                near = x[g, 2 * h + (0 if i == 0 else 2 if i == 2 else 1), c].reshape(-1)
                far = x[g, 2 * h + (3 if i == 3 else 1 if i == 2 else 2), c].reshape(-1)
                sign = v.dtype.type(1 if i == 1 else -1)
                for w in range(across + 1):
                    at, to = 2 * w * lanes, w * lanes
                    for k in range(lanes):
                        even[to + k] = near[at + k] + sign * far[at + k]
                    for k in range(lanes):
                        odd[to + k] = near[at + lanes + k] + sign * far[at + lanes + k]
                for j in range(4):
                    out = v[4 * i + j, c, g, h].reshape(-1)
                    if j == 0:
                        for k in range(run):
                            out[k] = even[k] - even[k + lanes]
                    elif j == 1:
                        for k in range(run):
                            out[k] = odd[k] + even[k + lanes]
                    elif j == 2:
                        for k in range(run):
                            out[k] = even[k + lanes] - odd[k]
                    else:
                        for k in range(run):
                            out[k] = odd[k] - odd[k + lanes]


def _from_products_arrays(y: Array, m: Array, scratch: Array) -> None:
    _, _, _, down, across, lanes = m.shape
    tiles = y.reshape(len(y), down, 2, -1, across, 2, lanes)
    tiles[...] = np.einsum("ia,ijfghwl,jb->ghafwbl", A, m.reshape(4, 4, *m.shape[1:]), A)


@kernel(_from_products_arrays)
def _from_products(y: Array, m: Array, scratch: Array) -> None:
    """Y ← Aᵀ M A for every tile; scratch: four arrays across·lanes or longer."""
    _, filters, blocks, down, across, lanes = m.shape
    run = across * lanes
    for g, h in np.ndindex(blocks, down):
        for f in range(filters):
            for a in range(2):
                for j in range(4):
                    first, second, third = m[4 * a + j, f, g, h], m[4 + j, f, g, h], m[8 + j, f, g, h]
                    last = m[12 + j, f, g, h].reshape(-1)
                    p, q, r, out = first.reshape(-1), second.reshape(-1), third.reshape(-1), scratch[j]
                    if a == 0:
                        for k in range(run):
                            out[k] = p[k] + q[k] + r[k]
                    else:
                        for k in range(run):
                            out[k] = q[k] - r[k] - last[k]
                row = y[g, 2 * h + a, f].reshape(-1)
                s, t, u, v = scratch[0], scratch[1], scratch[2], scratch[3]
                for w in range(across):
                    at, to = w * lanes, 2 * w * lanes
                    for k in range(lanes):
                        row[to + k] = s[at + k] + t[at + k] + u[at + k]
                    for k in range(lanes):
                        row[to + lanes + k] = t[at + k] - u[at + k] - v[at + k]


def _to_products_arrays(dm: Array, dy: Array, scratch: Array) -> None:
    _, _, _, down, across, lanes = dm.shape
    tiles = dy.reshape(len(dy), down, 2, -1, across, 2, lanes)
    dm.reshape(4, 4, *dm.shape[1:])[...] = np.einsum("ia,ghafwbl,jb->ijfghwl", A, tiles, A)


@kernel(_to_products_arrays)
def _to_products(dm: Array, dy: Array, scratch: Array) -> None:
    """dM ← A dY Aᵀ for every tile; scratch: two arrays across·lanes or longer."""
    _, filters, blocks, down, across, lanes = dm.shape
    run = across * lanes
    even, odd = scratch[0], scratch[1]
    for g, h in np.ndindex(blocks, down):
        for f in range(filters):
            upper, lower = dy[g, 2 * h, f].reshape(-1), dy[g, 2 * h + 1, f].reshape(-1)
            for i in range(4):
                of_upper = dm.dtype.type(0 if i == 3 else 1)
                of_lower = dm.dtype.type(0 if i == 0 else 1 if i == 1 else -1)
                for w in range(across):
                    at, to = 2 * w * lanes, w * lanes
                    for k in range(lanes):
                        even[to + k] = of_upper * upper[at + k] + of_lower * lower[at + k]
                    for k in range(lanes):
                        odd[to + k] = of_upper * upper[at + lanes + k] + of_lower * lower[at + lanes + k]
                for j in range(4):
                    of_even = dm.dtype.type(0 if j == 3 else 1)
                    of_odd = dm.dtype.type(0 if j == 0 else 1 if j == 1 else -1)
                    out = dm[4 * i + j, f, g, h].reshape(-1)
                    for k in range(run):
                        out[k] = of_even * even[k] + of_odd * odd[k]


def _to_pixels_arrays(dx: Array, dv: Array, scratch: Array) -> None:
    _, _, _, down, across, _ = dv.shape
    dx[...] = 0
    tiles = np.einsum("ai,ijcghwl,bj->abghcwl", B, dv.reshape(4, 4, *dv.shape[1:]), B)
    for a in range(4):
        for b in range(4):
            dx[:, a : a + 2 * down : 2, :, b : b + 2 * across : 2] += tiles[a, b]


@kernel(_to_pixels_arrays)
def _to_pixels(dx: Array, dv: Array, scratch: Array) -> None:
    """dx ← B dV Bᵀ of every tile, added up where tiles overlap; scratch: four arrays across·lanes or longer."""
    _, channels, blocks, down, across, lanes = dv.shape
    run = across * lanes
    dx[...] = 0
    for g, h in np.ndindex(blocks, down):
        for c in range(channels):
            for a in range(4):
                for j in range(4):
                    out = scratch[j]
                    p, q = dv[j, c, g, h].reshape(-1), dv[4 + j, c, g, h].reshape(-1)
                    r, s = dv[8 + j, c, g, h].reshape(-1), dv[12 + j, c, g, h].reshape(-1)
                    if a == 0:
                        for k in range(run):
                            out[k] = p[k]
                    elif a == 1:
                        for k in range(run):
                            out[k] = q[k] - r[k] + s[k]
                    elif a == 2:
                        for k in range(run):
                            out[k] = q[k] + r[k] - p[k]
                    else:
                        for k in range(run):
                            out[k] = -s[k]
                row = dx[g, 2 * h + a, c].reshape(-1)
                p, q, r, s = scratch[0], scratch[1], scratch[2], scratch[3]
                for w in range(across):
                    at, to = w * lanes, 2 * w * lanes
                    for k in range(lanes):
                        row[to + k] += p[at + k]
                    for k in range(lanes):
                        row[to + lanes + k] += q[at + k] - r[at + k] + s[at + k]
                    for k in range(lanes):
                        row[to + 2 * lanes + k] += q[at + k] + r[at + k] - p[at + k]
                    for k in range(lanes):
                        row[to + 3 * lanes + k] -= s[at + k]


class Convolution:
    """The convolution of one layer in one pass; x is in blocks, weight (filters, channels, 3, 3).

    V is kept for backward in training; elsewhere backward makes it again.
    """

    def __init__(self, owner: object, x: np.ndarray, weight: np.ndarray, ctx: Pass) -> None:
        self.owner, self.x, self.weight, self.ctx = owner, x, weight, ctx
        self.filters, self.channels = weight.shape[:2]
        blocks, height, _, width, lanes = x.shape
        self.grid = (height // 2 - 1, width // 2 - 1, lanes)
        self.together = min(blocks, -(-LONG_PRODUCT // math.prod(self.grid)))
        self.groups = -(-blocks // self.together)
        flat = weight.reshape(self.filters * self.channels, 9)
        self.u = (GG.astype(weight.dtype) @ flat.T).reshape(16, self.filters, self.channels)

    def forward(self, bias: np.ndarray | None) -> np.ndarray:
        """y (blocks, height, filters, width, lanes)."""
        blocks, height, _, width, lanes = self.x.shape
        y = self._array("y", (blocks, height - 2, self.filters, width - 2, lanes))

        def forward_group(group: int, part: int) -> None:
            here = y[self._blocks(group)]
            m = self._products(f"m {part}", self.filters, len(here))
            np.matmul(self.u, _flat(self._v(group, part, ready=False)), out=_flat(m))
            _from_products(here, m, self._scratch(part))
            if bias is not None:
                here += bias[:, None, None]

        self.ctx.share(self.groups, forward_group)
        return y

    def backward(self, dy: np.ndarray, *, wants_dx: bool) -> tuple[np.ndarray, np.ndarray | None]:
        """∂L/∂weight, and ∂L/∂x in blocks or None, for ∂L/∂y."""
        dx = self._array("dx", self.x.shape) if wants_dx else None
        u_back = np.ascontiguousarray(self.u.transpose(0, 2, 1))

        def backward_group(group: int, part: int) -> np.ndarray:
            """Write the group's part of dx; give its share of ∂L/∂u."""
            blocks = self._blocks(group)
            dm = self._products(f"m {part}", self.filters, len(dy[blocks]))
            _to_products(dm, dy[blocks], self._scratch(part))
            v = self._v(group, part, ready=self.ctx.train)
            if wants_dx:
                dv = self._products(f"dv {part}", self.channels, len(dy[blocks]))
                np.matmul(u_back, _flat(dm), out=_flat(dv))
                _to_pixels(dx[blocks], dv, self._scratch(part))
            return np.matmul(_flat(dm), _flat(v).transpose(0, 2, 1))

        du = sum(self.ctx.share(self.groups, backward_group))
        dweight = GG.T.astype(du.dtype) @ du.reshape(16, -1)
        return dweight.T.reshape(self.weight.shape), dx

    def _blocks(self, group: int) -> slice:
        return slice(group * self.together, (group + 1) * self.together)

    def _v(self, group: int, part: int, *, ready: bool) -> np.ndarray:
        blocks = self.x[self._blocks(group)]
        v = self._products(f"v of {group}" if self.ctx.train else f"v {part}", self.channels, len(blocks))
        if not ready:
            _to_inputs(v, blocks, self._scratch(part))
        return v

    def _products(self, name: str, channels: int, blocks: int) -> np.ndarray:
        """An array for V or M."""
        shape = (16, channels, blocks, *self.grid)
        return self._array(name, (math.prod(shape),)).reshape(shape)

    def _scratch(self, part: int) -> np.ndarray:
        return self._array(f"scratch {part}", (4, (self.grid[1] + 1) * self.grid[-1]))

    def _array(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        return self.ctx.array(self.owner, name, shape, self.weight.dtype)


def _flat(array: np.ndarray) -> np.ndarray:
    """V or M as sixteen matrices (channels, blocks·tiles·lanes)."""
    return array.reshape(16, array.shape[1], -1)
