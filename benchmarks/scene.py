"""Synthetic photos and scans of a digit: paper, pens, lamps, shadows, lines, frames, each kind a function.

KINDS maps a kind's name to a function(row, other, rng) → a picture file's bytes; row, other: (28, 28) uint8 digits, the
second for what lies beside or behind the first.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter
from scipy import ndimage

PAPERS = {"white": (1, 1, 1), "yellow": (1, 0.93, 0.6), "pink": (1, 0.75, 0.8), "blue": (0.72, 0.85, 1)}
PENS = {"black": (0.08, 0.08, 0.08), "blue": (0.1, 0.15, 0.55), "red": (0.75, 0.1, 0.12), "pencil": (0.45, 0.45, 0.45)}
RULING = (0.4, 0.5, 0.72)
SIZES = ((480, 400), (300, 300), (400, 520), (640, 480), (200, 160), (120, 120))
UP = 6  # a row's pixel is so many here


def skeleton(mask: np.ndarray) -> np.ndarray:
    """Zhang & Suen, A fast parallel algorithm for thinning digital patterns, 1984."""
    mask, changed = np.pad(mask.astype(np.uint8), 1), True
    turns = ((1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1))
    while changed:
        changed = False
        for step in (0, 1):
            near = [np.roll(mask, turn, (0, 1)) for turn in turns]
            count = np.sum(near, 0)
            rises = sum((near[i] == 0) & (near[(i + 1) % 8] == 1) for i in range(8))
            north, east, south, west = near[0::2]
            first, second = (west, north) if step else (south, east)
            open_sides = (north * east * first == 0) & (second * south * west == 0)
            drop = (mask == 1) & (count >= 2) & (count <= 6) & (rises == 1) & open_sides
            mask[drop] = 0
            changed = changed or bool(drop.any())
    return mask[1:-1, 1:-1] > 0


def strokes(row: np.ndarray, pen: float | None) -> np.ndarray:
    """The row's ink (h, w) in [0, 1], smooth and large; pen: width of its strokes in heights, None as written."""
    large = Image.fromarray(row).resize((28 * UP, 28 * UP), Image.Resampling.BICUBIC)
    mask = np.asarray(large.filter(ImageFilter.GaussianBlur(0.35 * UP))) > 107
    ink = mask.astype(np.float32)
    if pen is not None:
        places = np.nonzero(mask)
        longer = max(np.ptp(places[0]), np.ptp(places[1])) + 1
        thin = skeleton(mask)
        away = ndimage.distance_transform_edt(~np.pad(thin if thin.sum() > 8 else mask, 30))
        ink = np.clip(pen * longer / 2 + 0.5 - away, 0, 1).astype(np.float32)
    rows, columns = np.flatnonzero(ink.max(1) > 0.5), np.flatnonzero(ink.max(0) > 0.5)
    return np.pad(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], 2)


def place(ink: np.ndarray, shape: tuple[int, int], tall: float, at: tuple[float, float], turn: float = 0) -> np.ndarray:
    """`ink` on an empty picture: its longer side `tall` of the shorter one, its middle at the shares `at`."""
    digit = Image.fromarray((ink * 255).astype(np.uint8))
    scale = tall * min(shape) / max(digit.size)
    how = Image.Resampling.BOX if scale < 0.5 else Image.Resampling.BICUBIC
    digit = digit.resize((max(round(digit.width * scale), 1), max(round(digit.height * scale), 1)), how)
    digit = digit.rotate(turn, Image.Resampling.BICUBIC, expand=True)
    out = Image.new("L", shape[::-1])
    out.paste(digit, (round(at[1] * shape[1] - digit.width / 2), round(at[0] * shape[0] - digit.height / 2)))
    return np.asarray(out, np.float32) / 255


class Page:
    """A sheet with a digit on it, to be lit, ruled and spoilt; ink and light (h, w), marks: (ink, colour)."""

    def __init__(
        self, row: np.ndarray, rng: np.random.Generator, *, shape=None, pen=(0.05, 0.11), tall=(0.35, 0.7), off=0.1
    ):
        self.rng = rng
        self.shape = shape or SIZES[rng.integers(len(SIZES))]
        width = self.some(*pen) if rng.random() < 0.6 or pen != (0.05, 0.11) else None
        at = 0.5 + self.some(-off, off), 0.5 + self.some(-off, off)
        self.ink = place(strokes(row, width), self.shape, self.some(*tall), at, self.some(-8, 8))
        self.light = np.ones(self.shape, np.float32)
        self.marks: list[tuple[np.ndarray, tuple[float, float, float]]] = []

    def some(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def lamp(self, low: float, high: float) -> Page:
        """Light that falls to between `low` and `high` across the page."""
        turn = self.some(0, 2 * np.pi)
        y, x = np.indices(self.shape)
        fall = np.cos(turn) * x / self.shape[1] + np.sin(turn) * y / self.shape[0]
        fall = (fall - fall.min()) / np.ptp(fall)
        self.light = self.light * (1 - (1 - self.some(low, high)) * fall)
        return self

    def shadow(self, depth: tuple[float, float], soft: tuple[float, float] = (-2.2, -1.0)) -> Page:
        """A straight edge of shadow; soft: powers of ten, the edge's width in pictures."""
        turn = self.some(0, 2 * np.pi)
        y, x = np.indices(self.shape)
        along = np.cos(turn) * (x / self.shape[1] - 0.5) + np.sin(turn) * (y / self.shape[0] - 0.5)
        edge = 1 + np.exp(-(along + self.some(-0.2, 0.2)) / 10 ** self.some(*soft))
        self.light = self.light * (1 - self.some(*depth) / edge)
        return self

    def crumple(self, depth: float, waves: int) -> Page:
        rough = self.rng.standard_normal((waves, waves)).astype(np.float32)
        large = Image.fromarray(rough).resize(self.shape[::-1], Image.Resampling.BICUBIC)
        self.light = self.light * np.clip(1 + depth * np.asarray(large), 0.4, 1.3)
        return self

    def flash(self) -> Page:
        y, x = np.indices(self.shape)
        away = np.hypot(y / self.shape[0] - self.some(0.3, 0.7), x / self.shape[1] - self.some(0.3, 0.7))
        self.light = np.clip(1.35 * np.exp(-((away / self.some(0.4, 0.8)) ** 2)) + 0.25, 0, 1.3)
        return self

    def ruled(self, step: tuple[float, float], *, squared: bool, strength: tuple[float, float] = (0.2, 0.85)) -> Page:
        y, x = np.indices(self.shape).astype(np.float32)
        apart, tilt = self.some(*step) * self.shape[0], np.tan(np.radians(self.some(-4, 4)))
        thick = max(self.some(0.003, 0.009) * self.shape[0], 1)
        ways = [y + tilt * x, x - tilt * y][: 1 + squared]
        off = [np.abs((way + self.some(0, apart)) % apart - apart / 2) for way in ways]
        lines = np.clip(thick / 2 + 0.5 - np.min(off, 0), 0, 1)
        self.marks.append((lines * self.some(*strength), RULING))
        return self

    def framed(self, inset: tuple[float, float], thick: tuple[float, float], *, jitter: float = 0.02) -> Page:
        """A drawn box; a side with a negative inset lies outside the picture."""
        short = min(self.shape)
        top, bottom, left, right = (self.some(*inset) * short + self.some(-jitter, jitter) * short for _ in range(4))
        line = max(self.some(*thick) * short, 1)
        y, x = np.indices(self.shape)
        depth = np.minimum.reduce([y - top, self.shape[0] - bottom - y, x - left, self.shape[1] - right - x])
        self.marks.append((((depth >= 0) & (depth < line)) * self.some(0.5, 1), PENS["black"]))
        return self

    def colours(
        self, *, paper: str = "white", pen: str = "black", level: float = 0.9, strength: float = 1.0
    ) -> np.ndarray:
        """(h, w, 3) in [0, 1]."""
        sheet = np.array(PAPERS[paper])
        colour = sheet + (self.ink * strength)[..., None] * (np.minimum(PENS[pen], sheet) - sheet)
        for mark, shade in self.marks:
            colour = colour + mark[..., None] * (np.minimum(shade, colour) - colour)
        return np.clip(colour * level * self.light[..., None], 0, 1)

    def taken(self, colour: np.ndarray, *, grain: float = 0.012, blur: float = 0, jpeg: int | None = 85) -> bytes:
        """The picture file that a camera makes of it; blur: a standard deviation, in shorter sides."""
        if blur:
            colour = ndimage.gaussian_filter(colour, (blur * min(self.shape), blur * min(self.shape), 0))
        colour = colour + grain * self.rng.standard_normal((*self.shape, 1))
        pixels = (np.clip(colour + 0.5 * grain * self.rng.standard_normal((*self.shape, 3)), 0, 1) * 255).astype(
            np.uint8
        )
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=jpeg) if jpeg else Image.fromarray(pixels).save(file, "PNG")
        return file.getvalue()

    def photo(self, *, grain: float | None = None, blur: float = 0, jpeg: int = 85, **looks) -> bytes:
        """Taken at some exposure, with a camera's grain; looks: of `colours`."""
        grain = self.some(0.005, 0.02) if grain is None else grain
        return self.taken(self.colours(level=self.some(0.6, 0.95), **looks), grain=grain, blur=blur, jpeg=jpeg)


def ink(rng: np.random.Generator, *names: str) -> str:
    return str(rng.choice(names or list(PENS)))


def perspective(row, other, rng):
    page = Page(row, rng, shape=(480, 400), tall=(0.4, 0.6)).lamp(0.7, 0.7)
    height, width = page.shape
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], float)
    moved = corners + rng.uniform(-48, 48, (4, 2))
    equations = []
    for (x, y), (u, v) in zip(corners, moved, strict=True):
        equations += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    how = tuple(np.linalg.solve(np.array(equations), moved.ravel()))
    flat = Image.fromarray((page.colours() * 255).astype(np.uint8))
    seen = flat.transform(
        (width, height), Image.Transform.PERSPECTIVE, how, Image.Resampling.BICUBIC, fillcolor=(60, 50, 40)
    )
    return page.taken(np.asarray(seen) / 255)


def table(row, other, rng):
    page = Page(row, rng, shape=(480, 400), tall=(0.3, 0.5), off=0.06).lamp(0.8, 0.8)
    sheet = np.zeros(page.shape)
    top, bottom, left, right = (round(rng.uniform(0.03, 0.17) * 400) if rng.random() < 0.6 else 0 for _ in range(4))
    sheet[top : 480 - bottom, left : 400 - right] = 1
    sheet = ndimage.rotate(sheet, rng.uniform(-4, 4), reshape=False, order=1, mode="nearest")[..., None]
    wood = rng.choice([0.12, 0.24, 0.36]) * np.array([1.1, 0.9, 0.7]) + 0.02 * rng.standard_normal((480, 400, 1))
    return page.taken(page.colours() * sheet + np.clip(wood, 0, 1) * (1 - sheet))


def scanner(row, other, rng):
    page = Page(row, rng, tall=(0.35, 0.6), off=0.05)
    colour = page.colours()
    for side in range(4):
        if rng.random() < 0.5:
            np.rot90(colour, side)[: 1 + round(rng.uniform(0.01, 0.08) * min(page.shape))] = rng.uniform(0, 0.35)
    return page.taken(colour, jpeg=90)


def beside(row, other, rng):
    page = Page(row, rng, tall=(0.4, 0.6), off=0.04).lamp(0.7, 0.9)
    at = rng.permutation([rng.choice([-0.02, 1.02]), rng.uniform(0.3, 0.7)])
    page.ink = np.maximum(page.ink, place(strokes(other, None), page.shape, page.some(0.25, 0.4), tuple(at)))
    return page.photo()


def behind(row, other, rng):
    page = Page(row, rng, tall=(0.4, 0.7)).lamp(0.8, 0.9)
    mirrored = place(strokes(other, None)[:, ::-1], page.shape, page.some(0.3, 0.6), tuple(rng.uniform(0.3, 0.7, 2)))
    page.marks.append((ndimage.gaussian_filter(mirrored, 0.006 * page.shape[0]) * page.some(0.06, 0.2), PENS["black"]))
    return page.photo()


def chalk(row, other, rng):
    page = Page(row, rng, pen=(0.06, 0.12)).lamp(0.5, 0.8).crumple(0.1, 4)
    uneven = np.clip(0.85 + 0.15 * rng.standard_normal(page.shape), 0, 1.2)
    grey = (page.some(0.1, 0.25) + page.ink * page.some(0.3, 0.7) * uneven) * page.light
    return page.taken(np.repeat(grey[..., None], 3, 2))


def made_small(row, other, rng):
    page = Page(row, rng, shape=(336, 336), pen=(0.07, 0.12), tall=(0.6, 0.85), off=0.04).lamp(0.6, 0.9)
    large = Image.open(io.BytesIO(page.photo(pen=ink(rng, "black", "blue", "pencil"))))
    file = io.BytesIO()
    large.convert("L").resize((28, 28), Image.Resampling.BOX).save(file, "PNG")
    return file.getvalue()


def tight(row, other, rng):
    digit = np.pad(strokes(row, rng.uniform(0.06, 0.14)), int(rng.integers(0, 8)))
    page = Page(row, rng, shape=digit.shape)
    page.ink = digit
    return page.lamp(0.55, 0.95).photo()


def two_valued(row, other, rng):
    page = Page(row, rng, shape=((64, 64), (100, 100), (200, 160))[rng.integers(3)], tall=(0.5, 0.9), off=0.03)
    rough = ndimage.gaussian_filter(1 - page.ink, 0.7) + 0.12 * rng.standard_normal(page.shape)
    return page.taken(np.repeat((rough > 0.5)[..., None], 3, 2).astype(float), grain=0, jpeg=None)


KINDS: dict[str, Callable[[np.ndarray, np.ndarray, np.random.Generator], bytes]] = {
    "lamp": lambda a, b, rng: Page(a, rng).lamp(0.6, 0.9).photo(pen=ink(rng)),
    "strong lamp": lambda a, b, rng: Page(a, rng).lamp(0.15, 0.45).crumple(0.06, 3).photo(),
    "shadow": lambda a, b, rng: Page(a, rng).lamp(0.8, 0.8).shadow((0.35, 0.65)).photo(pen=ink(rng, "black", "blue")),
    "two shadows": lambda a, b, rng: (
        Page(a, rng).shadow((0.3, 0.5), (-2, -2)).shadow((0.3, 0.5), (-1.4, -1.4)).photo(pen=ink(rng, "black", "blue"))
    ),
    "flash": lambda a, b, rng: Page(a, rng).flash().photo(),
    "crumpled": lambda a, b, rng: Page(a, rng).lamp(0.75, 0.9).crumple(0.08, 5).crumple(0.05, 9).photo(),
    "coloured paper": lambda a, b, rng: (
        Page(a, rng).lamp(0.6, 0.9).photo(paper=str(rng.choice(list(PAPERS)[1:])), pen=ink(rng, "black", "blue", "red"))
    ),
    "ruled": lambda a, b, rng: Page(a, rng).lamp(0.6, 0.95).ruled((0.08, 0.25), squared=False).photo(),
    "squared": lambda a, b, rng: Page(a, rng).lamp(0.6, 0.95).ruled((0.06, 0.2), squared=True).photo(),
    "framed": lambda a, b, rng: (
        Page(a, rng, tall=(0.3, 0.62), off=0.05).lamp(0.75, 1).framed((0, 0.12), (0.005, 0.04)).photo()
    ),
    "framed in part": lambda a, b, rng: (
        Page(a, rng, tall=(0.35, 0.65), off=0.05).lamp(0.85, 1).framed((-0.1, 0.08), (0.005, 0.03)).photo()
    ),
    "scanner's border": scanner,
    "sheet on a table": table,
    "perspective": perspective,
    "neighbour": beside,
    "bleed-through": behind,
    "chalk": chalk,
    "pencil": lambda a, b, rng: (
        Page(a, rng, pen=(0.025, 0.06)).lamp(0.6, 0.95).photo(pen="pencil", strength=rng.uniform(0.25, 0.8))
    ),
    "thin pen": lambda a, b, rng: Page(a, rng, pen=(0.015, 0.035)).lamp(0.7, 0.95).photo(),
    "marker": lambda a, b, rng: Page(a, rng, pen=(0.13, 0.2), tall=(0.5, 0.9), off=0.03).lamp(0.6, 0.95).photo(),
    "JPEG blocks": lambda a, b, rng: Page(a, rng).lamp(0.7, 0.9).photo(jpeg=int(rng.integers(6, 25))),
    "blurred": lambda a, b, rng: Page(a, rng).lamp(0.7, 0.9).photo(blur=rng.uniform(0.008, 0.025)),
    "grain": lambda a, b, rng: Page(a, rng).lamp(0.8, 0.9).photo(grain=rng.uniform(0.05, 0.13)),
    "small": lambda a, b, rng: Page(a, rng, tall=(0.12, 0.2), off=0.2).lamp(0.75, 0.9).photo(),
    "large": lambda a, b, rng: Page(a, rng, tall=(0.85, 0.98), off=0).lamp(0.5, 0.9).photo(),
    "tight": tight,
    "a photo made 28 × 28": made_small,
    "two-valued scan": two_valued,
    "all at once": lambda a, b, rng: (
        Page(a, rng).lamp(0.5, 0.9).shadow((0.2, 0.5)).crumple(0.03, 5)
        .ruled((0.1, 0.25), squared=bool(rng.integers(2)), strength=(0.1, 0.6))
        .photo(paper=str(rng.choice(list(PAPERS))), pen=ink(rng, "black", "blue"))
    ),
}  # fmt: skip
