"""Where the ink is: how far each pixel stands off from the paper around it.

A drawing program's paper has one grey value. A photographed page has a lamp on one side, a shadow across
it and a yellow tint, so its paper is estimated pixel by pixel: a morphological closing (opening, for
light ink on dark) larger than any stroke wipes the ink away and leaves lamp and shadow where they are
(the "black top-hat": Meyer 1979; Serra 1982).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

FLAT_SHARE = 0.5  # of all pixels within two grey levels of the commonest one: paper of one value
BOLD = 0.06  # of the variance may be left when two grey values explain a picture full of ink
COARSE_SIDE = 96  # pixels of the longer side on which an uneven paper is estimated
STROKE_SHARE = 0.4  # no stroke is wider than this part of the shorter side


@dataclass(frozen=True)
class Ink:
    """How much ink each pixel holds.

    `ink` (h, w) float32: 0 paper, 1 the usual stroke, at most 1. `paper` (h, w) float32: the grey value
    that the paper has, or would have under the ink. `dark`: dark ink on light paper. `contrast`: how far
    the usual stroke stands off from the paper, on the scale 0 … 1. `noise`: the standard deviation of the
    paper's own grain on the same scale.
    """

    ink: np.ndarray
    paper: np.ndarray
    dark: bool
    contrast: float
    noise: float


def find_ink(grey: np.ndarray) -> Ink:
    """Tell ink from paper in `grey` (h, w), float32 in [0, 1]."""
    level = _flat_paper(grey)
    if level is None:
        level = _bold_paper(grey)
    if level is not None:
        stand_off = grey - np.float32(level)
        # Third powers let strokes outvote the faint halo that sharpening or JPEG leaves around them.
        dark = float(np.einsum("ij,ij,ij->", stand_off, stand_off, stand_off)) < 0
        paper = np.full_like(grey, level)
        raw = np.maximum(-stand_off if dark else stand_off, 0)
        noise = 0.0
    else:
        dark = _is_dark_on_light(grey)
        paper = _uneven_paper(grey, dark=dark)
        if dark:
            # A shadow dims ink and paper by the same factor, so their ratio does not see it.
            raw = 1 - grey / np.maximum(paper, np.float32(0.2) * paper.max())
        else:
            raw = grey - paper
        middle = np.median(raw)
        raw = np.maximum(raw - middle, 0)
        noise = float(1.4826 * np.median(np.abs(raw[raw > 0]))) if raw.any() else 0.0
    contrast = _usual_stroke(raw, noise)
    floor = max(0.15 * contrast, min(2.5 * noise, 0.45 * contrast))
    ink = np.clip((raw - np.float32(floor)) / np.float32(max(contrast - floor, 1e-6)), 0, 1)
    return Ink(ink, paper, dark, contrast, noise)


def _flat_paper(grey: np.ndarray) -> float | None:
    """The grey value of a paper that has only one, else None."""
    levels = (grey * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    shares = _shares(levels)
    mode = int(shares.argmax())
    if shares[mode] < FLAT_SHARE:
        return None
    # A bold digit that fills its picture may hold more pixels than its paper, but less of the border.
    rim = _shares(_border(levels))
    rim_mode = int(rim.argmax())
    if rim[rim_mode] >= 0.5 and shares[rim_mode] >= 0.25:
        mode = rim_mode
    return mode / 255


def _bold_paper(grey: np.ndarray) -> float | None:
    """The paper's grey value when bold ink fills the picture, else None: a window wipes no such ink away.

    Two values, each with a quarter of the pixels or more, must explain all but BOLD of the variance.
    """
    threshold, explained = otsu(grey)
    light = grey > threshold
    share = float(light.mean())
    if explained < 1 - BOLD or not 0.25 <= share <= 0.75:
        return None
    return float(np.median(grey[light if _border(light).mean() >= 0.5 else ~light]))


def _border(values: np.ndarray) -> np.ndarray:
    return np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])


def otsu(grey: np.ndarray) -> tuple[float, float]:
    """The threshold that splits grey values into two classes best, and the share of variance it explains.

    Otsu, A threshold selection method from gray-level histograms, 1979.
    """
    share = np.bincount((grey * np.float32(255)).astype(np.uint8).ravel(), minlength=256) / grey.size
    below, sums = share.cumsum()[:-1], (share * np.arange(256)).cumsum()
    mean = sums[-1]
    between = (mean * below - sums[:-1]) ** 2 / np.maximum(below * (1 - below), 1e-12)
    best = int(between.argmax())
    variance = float(share @ (np.arange(256) - mean) ** 2)
    return (best + 1) / 255, float(between[best]) / variance if variance > 0 else 0.0


def _shares(levels: np.ndarray) -> np.ndarray:
    """For each of the 256 grey levels the share of pixels within two levels of it."""
    counts = np.bincount(levels.ravel(), minlength=256)
    return np.convolve(counts, np.ones(5), "same") / levels.size


def _coarse(grey: np.ndarray) -> np.ndarray:
    height, width = grey.shape
    scale = min(COARSE_SIDE / max(height, width), 1)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    return np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BOX))


def _is_dark_on_light(grey: np.ndarray) -> bool:
    """Narrow dark strokes skew what a blur takes away to one side; lamps, shadows and edges do not."""
    coarse = _coarse(grey)
    fine = coarse - ndimage.uniform_filter(coarse, max(round(0.3 * min(coarse.shape)), 3), mode="nearest")
    return float((fine**3).sum()) < 0


def _uneven_paper(grey: np.ndarray, *, dark: bool) -> np.ndarray:
    coarse = ndimage.uniform_filter(_coarse(grey), 3 if min(grey.shape) > 48 else 1, mode="nearest")
    size = max(round(STROKE_SHARE * min(coarse.shape)), 3)
    wipe = ndimage.grey_closing if dark else ndimage.grey_opening
    paper = wipe(coarse, (size, size), mode="nearest")
    paper = ndimage.uniform_filter(paper, max(size // 4, 1), mode="nearest")
    return np.asarray(Image.fromarray(paper).resize(grey.shape[::-1], Image.Resampling.BICUBIC))


def _usual_stroke(raw: np.ndarray, noise: float) -> float:
    """Stand-off of the usual stroke: the median above the threshold that the strongest edges ask for.

    The threshold is the mean of the pixels weighted by the square of their gradient (RATS; Kittler,
    Illingworth & Föglein 1985): an edge's pixels lie half way up, however little ink there is.
    """
    across, down = np.zeros_like(raw), np.zeros_like(raw)
    across[:, 1:-1] = raw[:, 2:] - raw[:, :-2]
    down[1:-1] = raw[2:] - raw[:-2]
    edge = across * across + down * down
    edge[edge < 0.1 * edge.max(initial=0)] = 0
    total = float(edge.sum())
    if total <= 0:
        return float(raw.max(initial=0))
    threshold = max(float(np.vdot(edge, raw)) / total, 2 * noise)
    above = raw[raw > threshold]
    return float(np.median(above)) if above.size else float(raw.max())
