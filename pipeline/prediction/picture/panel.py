"""A card on a table, a canvas on a page, a drawn box: the part of the picture that the digit stands on."""

import math

import numpy as np
from PIL import Image
from scipy import ndimage

from pipeline.prediction.picture.background import otsu, resized

COARSE_SIDE = 96
SMALLEST = 0.15  # of the picture's area: smaller things are no panels
STRAIGHT = 0.86  # of its turned box's area: an ellipse fills 0.785, a rectangle seen at a slant more
CONTENT = 0.15  # of the panel's shorter side: what is written on it is longer than this
STEP = 0.12  # grey levels (0 … 1) between panel and surroundings


def find_panel(grey: np.ndarray) -> np.ndarray | None:
    """The smallest rectangle of its own brightness that has something written on it, if there is one.

    A mask (h, w) bool, a little inside the rectangle's outline, or None. A rectangle may lean by up to 12 degrees;
    at most two opposite sides may leave the picture, since a shadow's edge does that too.
    """
    if min(grey.shape) < 48 or float(np.ptp(grey)) < STEP:
        return None
    coarse = resized(grey, COARSE_SIDE / max(grey.shape), Image.Resampling.BOX)
    light = coarse > otsu(coarse)[0]
    best, best_area = None, coarse.size + 1
    for side in (light, ~light):
        if np.count_nonzero(side) < SMALLEST * coarse.size:
            continue
        labels, count = ndimage.label(side)
        areas = np.bincount(labels.ravel(), minlength=count + 1)
        for number in np.flatnonzero(areas >= SMALLEST * coarse.size):
            if number and areas[number] < best_area:
                panel = _as_panel(labels == number, coarse)
                if panel is not None:
                    best, best_area = panel, areas[number]
    if best is None:
        return None
    inside = ndimage.binary_erosion(best, np.ones((3, 3)), 2, border_value=1)
    mask = Image.fromarray(inside.view(np.uint8) * 255)
    return np.asarray(mask.resize(grey.shape[::-1], Image.Resampling.BILINEAR)) > 127


def crop_to(grey: np.ndarray, panel: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
    """`grey` cut to the box of the mask `panel`, and the row and column where that box begins.

    What lies in the box but off the panel takes the value of the nearest panel pixel.
    """
    top, left = int(panel.any(1).argmax()), int(panel.any(0).argmax())
    rows, columns = int(panel.any(1).sum()), int(panel.any(0).sum())
    box = np.s_[top : top + rows, left : left + columns]
    grey, panel = grey[box], panel[box]
    if not panel.all():
        nearest = ndimage.distance_transform_edt(~panel, return_distances=False, return_indices=True)
        grey = grey[tuple(nearest)]
    return grey, (top, left)


def _as_panel(region: np.ndarray, coarse: np.ndarray) -> np.ndarray | None:
    """`region` with its holes filled when it is a rectangle with something written on it, else None."""
    top, bottom = region[0].any(), region[-1].any()
    left, right = region[:, 0].any(), region[:, -1].any()
    if (top or bottom) and (left or right):
        return None
    filled = ndimage.binary_fill_holes(region)
    area = int(filled.sum())
    if area - int(region.sum()) > 0.5 * area or not _is_rectangle(filled):
        return None
    outside = coarse[~filled]
    if outside.size == 0 or abs(float(np.median(coarse[region])) - float(np.median(outside))) < STEP:
        # A thin drawn box: its surroundings are as bright as its inside, its line is not.
        line = ndimage.binary_dilation(filled, np.ones((3, 3)), 2) & ~ndimage.binary_dilation(filled)
        if not line.any() or abs(float(np.median(coarse[region])) - float(np.median(coarse[line]))) < STEP:
            return None
    written, count = ndimage.label(filled & ~region)
    rows, columns = np.flatnonzero(filled.any(1)), np.flatnonzero(filled.any(0))
    enough = CONTENT * min(np.ptp(rows), np.ptp(columns))
    lengths = [max(y.stop - y.start, x.stop - x.start) for y, x in ndimage.find_objects(written)]
    return filled if count and max(lengths) > enough else None


def _is_rectangle(filled: np.ndarray) -> bool:
    edge = filled & ~ndimage.binary_erosion(filled)
    y, x = np.nonzero(edge)
    area = float(filled.sum())
    for degrees in range(-12, 13, 3):
        c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        if area >= STRAIGHT * (np.ptp(c * x + s * y) + 1) * (np.ptp(c * y - s * x) + 1):
            return True
    return False
