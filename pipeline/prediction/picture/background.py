"""Where the ink is: how far each pixel stands off from the paper around it.

A drawing program's paper has one grey value. A photographed page has a lamp on one side, a shadow across
it and a yellow tint, so its paper is estimated pixel by pixel: a morphological closing (opening, for
light ink on dark) larger than any stroke wipes the ink away and leaves lamp and shadow where they are
(the "black top-hat": Meyer 1979; Serra 1982). The narrower the window, the better it follows the edge of
a shadow, so it is fitted to the strokes once they are roughly known.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

FLAT_SHARE = 0.5  # of all pixels within two grey levels of the commonest one: paper of one value
BOLD = 0.06  # of the variance may be left when two grey values explain a picture full of ink
HALF = 0.88  # of the pixels lie on the right side of a shadow's edge; the digit's strokes do not
COARSE_SIDE = 96  # pixels of the longer side on which an uneven paper is estimated
STROKE_SHARE = 0.4  # no stroke is wider than this part of the shorter side
GRAINY = 0.15  # of the usual stroke: above, the grain is smoothed first
ROOM = 1.5  # a window is wider than the widest stroke by this factor


@dataclass(frozen=True)
class Ink:
    """How much ink each pixel holds.

    `ink` (h, w) float32: 0 paper, 1 the usual stroke, at most 1. `dark`: dark ink on light paper. `contrast`: how
    far the usual stroke stands off from the paper, on the scale 0 … 1. `noise`: the standard deviation of the
    paper's own grain on the same scale.
    """

    ink: np.ndarray
    dark: bool
    contrast: float
    noise: float


def find_ink(grey: np.ndarray) -> Ink:
    """Tell ink from paper in `grey` (h, w), float32 in [0, 1]."""
    levels = (grey * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    counts = _counts(levels)
    level = _flat_paper(levels, counts)
    if level is None:
        level = _bold_paper(grey)
    if level is not None:
        # Third powers let strokes outvote the faint halo that sharpening or JPEG leaves around them.
        dark = float(counts @ (np.arange(256) / 255 - level) ** 3) < 0
        paper = np.float32(level)
        raw, noise = np.maximum(paper - grey if dark else grey - paper, 0), 0.0
    else:
        dark = _is_dark_on_light(grey)
        raw, noise = _on_uneven_paper(grey, dark=dark)
        raw = _without_corners(raw, noise)
    contrast = _usual_stroke(raw, noise)
    floor = max(0.15 * contrast, min(2.5 * noise, 0.45 * contrast))
    ink = (raw - np.float32(floor)) * np.float32(1 / max(contrast - floor, 1e-6))
    return Ink(np.clip(ink, 0, 1, out=ink), dark, contrast, noise)


def _flat_paper(levels: np.ndarray, counts: np.ndarray) -> float | None:
    """The grey value of a paper that has only one, else None."""
    shares = _shares(counts)
    mode = int(shares.argmax())
    if shares[mode] < FLAT_SHARE:
        return None
    # A bold digit that fills its picture may hold more pixels than its paper, but less of the border.
    rim = _shares(_counts(_border(levels)))
    rim_mode = int(rim.argmax())
    if rim[rim_mode] >= 0.5 and shares[rim_mode] >= 0.25:
        mode = rim_mode
    near = slice(max(mode - 25, 0), mode + 26)
    if counts[near].sum() < 0.9 * levels.size and _is_half((levels >= near.start) & (levels < near.stop)):
        return None
    return mode / 255


def _counts(levels: np.ndarray) -> np.ndarray:
    """How many of the uint8 `levels` have each of the 256 values."""
    return np.array(Image.fromarray(np.atleast_2d(levels)).histogram(), np.float64)


def _shares(counts: np.ndarray) -> np.ndarray:
    """For each of the 256 grey levels the share of pixels within two levels of it."""
    return np.convolve(counts, np.ones(5), "same") / counts.sum()


def _bold_paper(grey: np.ndarray) -> float | None:
    """The paper's grey value when bold ink fills the picture, else None: a window wipes no such ink away.

    Two values, each with a quarter of the pixels or more, must explain all but BOLD of the variance.
    """
    threshold, explained = otsu(grey)
    light = grey > threshold
    share = float(light.mean())
    if explained < 1 - BOLD or not 0.25 <= share <= 0.75 or _is_half(light):
        return None
    return float(np.median(grey[light if _border(light).mean() >= 0.5 else ~light]))


def _is_half(light: np.ndarray) -> bool:
    """Whether one straight edge, as a shadow has, parts the True from the False: the line that fits them best does.

    Fisher, The use of multiple measurements in taxonomic problems, 1936.
    """
    rows, columns = np.linspace(-1, 1, light.shape[0]), np.linspace(-1, 1, light.shape[1])
    share = float(light.mean())
    # Rows and columns of a whole grid are uncorrelated, so that each has its own weight.
    down = float(rows @ (light.mean(1) - share)) / max(float(rows @ rows), 1e-9)
    across = float(columns @ (light.mean(0) - share)) / max(float(columns @ columns), 1e-9)
    height = down * rows[:, None] + across * columns
    reached = np.quantile(height, 1 - share)
    return float(((height > reached) == light).mean()) > HALF


def _border(values: np.ndarray) -> np.ndarray:
    return np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])


def otsu(grey: np.ndarray) -> tuple[float, float]:
    """The threshold that splits grey values into two classes best, and the share of variance it explains.

    Otsu, A threshold selection method from gray-level histograms, 1979.
    """
    share = _counts((grey * np.float32(255)).astype(np.uint8)) / grey.size
    below, sums = share.cumsum()[:-1], (share * np.arange(256)).cumsum()
    mean = sums[-1]
    between = (mean * below - sums[:-1]) ** 2 / np.maximum(below * (1 - below), 1e-12)
    best = int(between.argmax())
    variance = float(share @ (np.arange(256) - mean) ** 2)
    return (best + 1) / 255, float(between[best]) / variance if variance > 0 else 0.0


def _coarse(grey: np.ndarray) -> np.ndarray:
    return resized(grey, min(COARSE_SIDE / max(grey.shape), 1), Image.Resampling.BOX)


def resized(grey: np.ndarray, scale: float, how: Image.Resampling) -> np.ndarray:
    """`grey` (h, w) `scale` times as large, at least one pixel."""
    size = max(round(grey.shape[1] * scale), 1), max(round(grey.shape[0] * scale), 1)
    return np.asarray(Image.fromarray(grey).resize(size, how))


def _is_dark_on_light(grey: np.ndarray) -> bool:
    """Narrow dark strokes skew what a blur takes away to one side; lamps, shadows and edges do not."""
    coarse = _coarse(grey)
    fine = coarse - ndimage.uniform_filter(coarse, max(round(0.3 * min(coarse.shape)), 3), mode="nearest")
    return float((fine**3).sum()) < 0


def _on_uneven_paper(grey: np.ndarray, *, dark: bool) -> tuple[np.ndarray, float]:
    """How far `grey` stands off from an uneven paper, and the paper's grain, for strokes of unknown width.

    The first window is wider than any stroke; the second fits the strokes that were found with it.
    """
    widest = STROKE_SHARE * min(grey.shape)
    raw, noise = _stand_off(grey, widest, dark=dark)
    smoothed = noise > GRAINY * _usual_stroke(raw, noise) and min(grey.shape) > 48
    if smoothed:
        grey = ndimage.gaussian_filter(grey, 1.5, mode="nearest")
        raw, noise = _stand_off(grey, widest, dark=dark)
    found = _widest_stroke(raw, noise)
    if found < widest:
        raw, noise = _stand_off(grey, found, dark=dark)
    # Smoothed grain hangs together in blots, which stand out more than single pixels do.
    return raw, 1.5 * noise if smoothed else noise


def _stand_off(grey: np.ndarray, widest: float, *, dark: bool) -> tuple[np.ndarray, float]:
    """How far `grey` stands off from a paper whose strokes are at most `widest` pixels wide, and its grain."""
    paper = _uneven_paper(grey, widest, dark=dark)
    # A shadow dims ink and paper by the same factor, so their ratio does not see it.
    raw = 1 - grey / np.maximum(paper, np.float32(0.2) * paper.max()) if dark else grey - paper
    raw -= np.median(raw)
    # Ink lies above the paper's median only, so the grain is measured below it.
    noise = 1.4826 * float(np.median(-raw[raw <= 0]))
    return np.maximum(raw, 0), noise


def _widest_stroke(raw: np.ndarray, noise: float) -> float:
    """How wide a window wipes away all that stands off as ink does, in pixels: the closer it fits, the better
    it follows a shadow's edge."""
    firm = raw > max(0.5 * _usual_stroke(raw, noise), 3 * noise)
    return ROOM * 2 * float(ndimage.distance_transform_edt(firm).max()) + 2


def _uneven_paper(grey: np.ndarray, widest: float, *, dark: bool) -> np.ndarray:
    coarse = ndimage.uniform_filter(_coarse(grey), 3 if min(grey.shape) > 48 else 1, mode="nearest")
    size = max(round(widest * min(coarse.shape) / min(grey.shape)), 5 if min(grey.shape) > 48 else 3)
    wipe = ndimage.grey_closing if dark else ndimage.grey_opening
    paper = wipe(coarse, (size, size), mode="nearest")
    paper = ndimage.uniform_filter(paper, max(size // 4, 1), mode="nearest")
    return np.asarray(Image.fromarray(paper).resize(grey.shape[::-1], Image.Resampling.BICUBIC))


def _without_corners(raw: np.ndarray, noise: float) -> np.ndarray:
    """`raw` without the table's corner or a finger that reaches into a photo, if something else is written.

    Such a thing covers a corner of the picture, and is often so much darker than the ink that the ink
    would pass for grain.
    """
    mask = raw > max(0.2 * _usual_stroke(raw, noise), 3 * noise)
    if not mask[[0, 0, -1, -1], [0, -1, 0, -1]].any():
        return raw
    labels, _ = ndimage.label(mask, np.ones((3, 3)))
    corners = np.unique(labels[[0, 0, -1, -1], [0, -1, 0, -1]])
    enough = 0.15 * min(raw.shape)
    for number, (y, x) in enumerate(ndimage.find_objects(labels), 1):
        if number not in corners and max(y.stop - y.start, x.stop - x.start) > enough:
            covered = ndimage.binary_dilation(np.isin(labels, corners[corners > 0]), iterations=3)
            return np.where(covered, 0, raw)
    return raw


def _usual_stroke(raw: np.ndarray, noise: float) -> float:
    """Stand-off of the usual stroke: the median above the threshold that the strongest edges ask for.

    The threshold is the mean of the pixels weighted by the square of their gradient (RATS; Kittler,
    Illingworth & Föglein 1985): an edge's pixels lie half way up, however little ink there is.
    """
    rows, columns = np.flatnonzero(raw.max(1) > 2 * noise), np.flatnonzero(raw.max(0) > 2 * noise)
    if rows.size == 0:
        return 0.0
    raw = np.pad(raw[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], 1)
    down, across = raw[2:, 1:-1] - raw[:-2, 1:-1], raw[1:-1, 2:] - raw[1:-1, :-2]
    raw = raw[1:-1, 1:-1]
    edge = down * down + across * across
    edge[edge < 0.1 * edge.max()] = 0
    total = float(edge.sum())
    threshold = max(float(np.vdot(edge, raw)) / total, 2 * noise) if total > 0 else 0.0
    above = raw[raw > threshold]
    return float(np.median(above)) if above.size else float(raw.max())
