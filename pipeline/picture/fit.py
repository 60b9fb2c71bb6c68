"""From a digit's ink to the form that the network was trained on: size, stroke weight, place.

MNIST's recipe (LeCun, Bottou, Bengio & Haffner 1998, section III-A): the longer side scaled to 20 pixels
with anti-aliasing, the aspect kept, the centre of mass moved to the centre of 28 × 28.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

FINE_SIDE = 112  # all is done on a grid of about this side and averaged down at the end


@dataclass(frozen=True)
class Style:
    """What training pictures look like; lengths are parts of the side.

    `box`: longer side of the ink box. `thinnest`, `thickest`: stroke widths (`stroke_width`) within which
    most training pictures lie. `centre`: where the centre of mass is, in pixel index over side; MNIST's is
    at index 14 of 28, half a pixel right of and below the middle.
    """

    side: int = 28
    box: float = 20 / 28
    thinnest: float = 2.1 / 28
    thickest: float = 3.4 / 28
    centre: float = 0.5


def stroke_width(ink: np.ndarray) -> float:
    """Mean width of strokes in pixels: twice the ink over the length of its outline.

    The outline of a soft-edged stroke is its total variation, so that blur does not change the answer.
    """
    padded = np.pad(ink, 1)
    down = padded[2:, 1:-1] - padded[:-2, 1:-1]
    across = padded[1:-1, 2:] - padded[1:-1, :-2]
    variation = 0.5 * float(np.sqrt(down * down + across * across).sum())
    return 2 * float(ink.sum()) / variation if variation > 0 else 0.0


def fit(ink: np.ndarray, style: Style) -> tuple[np.ndarray, float]:
    """Bring the cropped `ink` (h, w) float32 in [0, 1] into `style`.

    Returns the picture (side, side) uint8 and the width that strokes would have had in it, in pixels, had
    their weight not been changed.
    """
    up = max(round(FINE_SIDE / style.side), 1)
    longer = style.box * style.side * up
    fine = _scaled(ink, longer)
    width = stroke_width(fine) / up
    steps = _steps(width * up, style, up)
    if steps:
        fine = _thickened(_scaled(ink, longer - 2 * steps), steps)
    return _centred(fine, style, up), width


def _scaled(ink: np.ndarray, longer: float) -> np.ndarray:
    """`ink` with its longer side brought to `longer` pixels; Pillow averages over what a pixel covers."""
    scale = longer / max(ink.shape)
    size = max(round(ink.shape[1] * scale), 1), max(round(ink.shape[0] * scale), 1)
    how = Image.Resampling.BILINEAR if scale < 1 else Image.Resampling.BICUBIC
    return np.clip(np.asarray(Image.fromarray(ink).resize(size, how)), 0, 1)


def _steps(width: float, style: Style, up: int) -> int:
    """By how many fine pixels the outline must move out (in, when negative) to a usual stroke `width`."""
    thinnest, thickest = style.thinnest * style.side * up, style.thickest * style.side * up
    if width < thinnest:
        return round((thinnest - width) / 2)
    if width > thickest:
        return -round(min(width - thickest, width / 2) / 2)
    return 0


def _thickened(fine: np.ndarray, steps: int) -> np.ndarray:
    """Ink grown by `steps` pixels on all sides, or shrunk by -`steps`, with corners cut to stay round."""
    grown = np.pad(fine, abs(steps) + 1)
    combine = np.maximum if steps > 0 else np.minimum
    for step in range(abs(steps)):
        if step % 2:
            across = combine(combine(grown[:, :-2], grown[:, 2:]), grown[:, 1:-1])
            grown[1:-1, 1:-1] = combine(combine(across[:-2], across[2:]), across[1:-1])
        else:
            across = combine(grown[1:-1, :-2], grown[1:-1, 2:])
            down = combine(grown[:-2, 1:-1], grown[2:, 1:-1])
            grown[1:-1, 1:-1] = combine(combine(across, down), grown[1:-1, 1:-1])
    margin = 1 if steps > 0 else 1 - 2 * steps
    return grown[margin:-margin, margin:-margin]


def _centred(fine: np.ndarray, style: Style, up: int) -> np.ndarray:
    """Put the fine grid's ink with its centre of mass in place, whole, and average `up` × `up` pixels."""
    grid = style.side * up
    height, width = fine.shape
    total = max(float(fine.sum()), 1e-9)
    row = float(fine.sum(1) @ np.arange(height)) / total
    column = float(fine.sum(0) @ np.arange(width)) / total
    # An index is half a pixel short of a position, on the coarse grid as on the fine one.
    place = (style.centre * style.side + 0.5) * up - 0.5
    top = min(max(round(place - row), 0), grid - height)
    left = min(max(round(place - column), 0), grid - width)
    canvas = np.zeros((grid, grid), np.float32)
    canvas[top : top + height, left : left + width] = fine
    small = canvas.reshape(style.side, up, style.side, up).mean((1, 3))
    return (small * np.float32(255) + np.float32(0.5)).astype(np.uint8)
