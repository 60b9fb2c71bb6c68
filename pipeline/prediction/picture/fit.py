"""From a digit's ink to the form that the network was trained on: size, stroke weight, place.

MNIST's recipe (LeCun, Bottou, Bengio & Haffner 1998, section III-A): the longer side scaled to 20 pixels
with anti-aliasing, the aspect kept, the centre of mass moved to the centre of 28 × 28.
"""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from pipeline.errors import UsageError
from pipeline.prediction.picture.background import resized

FINE_SIDE = 112  # all is done on a grid of about this side and averaged down at the end


@dataclass(frozen=True)
class Style:
    """What training pictures look like; lengths are parts of the side.

    `box`: longer side of the ink box. `thinnest`, `thickest`: stroke widths (`stroke_width`) that are left
    as they are, the 25th and 90th percentile of MNIST. `centre`: where the centre of mass is, in pixel
    index over side; MNIST's is at index 14 of 28, half a pixel right of and below the middle.
    """

    side: int = 28
    box: float = 20 / 28
    thinnest: float = 2.2 / 28
    thickest: float = 3.5 / 28
    centre: float = 0.5


MNIST = Style()


def stroke_width(ink: np.ndarray) -> float:
    """Mean width of strokes in pixels: twice the ink over the length of its outline.

    The outline of a soft-edged stroke is its total variation, so that blur does not change the answer.
    """
    padded = np.pad(ink, 1)
    down = padded[2:, 1:-1] - padded[:-2, 1:-1]
    across = padded[1:-1, 2:] - padded[1:-1, :-2]
    variation = 0.5 * float(np.sqrt(down * down + across * across).sum())
    return 2 * float(ink.sum()) / variation if variation > 0 else 0.0


def style_of(images: np.ndarray) -> Style:
    """The style of training pictures (n, side, side) uint8, measured on up to 500 of them.

    Raises UsageError when none of those holds any ink.
    """
    side = images.shape[1]
    up = max(round(FINE_SIDE / side), 1)
    boxes, widths, centres = [], [], []
    for image in images[:: math.ceil(len(images) / 500) or 1]:
        rows, columns = np.flatnonzero(image.any(1)), np.flatnonzero(image.any(0))
        if rows.size:
            ink = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] / np.float32(255)
            boxes.append(extent(ink))
            widths.append(stroke_width(_scaled(ink, up)) / up)
            centres.append(np.mean(centre_of_mass(image)))
    if not boxes:
        raise UsageError(
            f"The style of {len(images)} pictures cannot be measured: bright ink on 0 is expected, none was "
            "found; give the training pictures as they are in the file."
        )
    thinnest, thickest = np.percentile(widths, [25, 90]) / side
    box, centre = float(np.median(boxes)) / side, float(np.mean(centres)) / side
    return Style(side, box, float(thinnest), float(thickest), centre)


def centre_of_mass(image: np.ndarray) -> tuple[float, float]:
    """Row and column of the centre of mass of `image` (h, w) in pixel indices; `image` is not all 0."""
    down, across = image.sum(1, dtype=np.float64), image.sum(0, dtype=np.float64)
    total = float(down.sum())
    return float(down @ np.arange(down.size)) / total, float(across @ np.arange(across.size)) / total


def extent(ink: np.ndarray) -> float:
    """The longer side of `ink` (h, w) in pixels; a soft outermost row or column counts by its darkest pixel."""
    return max(_length(ink.max(0)), _length(ink.max(1)))


def _length(profile: np.ndarray) -> float:
    inked = np.flatnonzero(profile > 0.5)
    if inked.size == 0:
        return float(profile.size)
    first, last = inked[[0, -1]]
    before, after = np.pad(profile, 1)[[first, last + 2]]
    return float(last - first + 1 + (before + after))


def fit(ink: np.ndarray, style: Style) -> tuple[np.ndarray, float]:
    """The cropped `ink` (h, w) float32 in [0, 1] as a picture (side, side) uint8 of that style, and the width in pixels
    that strokes would have had in it, had their weight not been changed."""
    up = max(round(FINE_SIDE / style.side), 1)
    longer, length = style.box * style.side * up, extent(ink)
    fine = _scaled(ink, longer / length)
    width = stroke_width(fine) / up
    steps = _steps(width * up, style, up)
    if steps:
        fine = _thickened(_scaled(ink, (longer - 2 * steps) / length), steps)
    return _centred(fine, style, up), width


def _scaled(ink: np.ndarray, scale: float) -> np.ndarray:
    """`ink` made `scale` times as large; Pillow averages over what a smaller pixel covers."""
    return np.clip(resized(ink, scale, Image.Resampling.BILINEAR if scale < 1 else Image.Resampling.BICUBIC), 0, 1)


def _steps(width: float, style: Style, up: int) -> float:
    """By how many fine pixels the outline must move out (in, when negative) to a usual stroke `width`."""
    thinnest, thickest = style.thinnest * style.side * up, style.thickest * style.side * up
    if width < thinnest:
        return (thinnest - width) / 2
    if width > thickest:
        return -min(width - thickest, width / 2) / 2
    return 0.0


def _thickened(fine: np.ndarray, steps: float) -> np.ndarray:
    """Ink grown by `steps` pixels on all sides, or shrunk by -`steps`, with corners cut to stay round."""
    move = ndimage.maximum_filter if steps > 0 else ndimage.minimum_filter
    whole = math.ceil(abs(steps))
    grown = np.pad(fine, whole + 1)
    for step in range(whole):
        footprint = ndimage.generate_binary_structure(2, 1 + step % 2)  # a cross, then a square
        grown += np.float32(min(abs(steps) - step, 1)) * (move(grown, footprint=footprint) - grown)
    return grown


def _centred(fine: np.ndarray, style: Style, up: int) -> np.ndarray:
    """Put the fine grid's ink with its centre of mass in place, whole, and average `up` × `up` pixels."""
    grid = style.side * up
    # An index is half a pixel short of a position, on the coarse grid as on the fine one.
    place = (style.centre * style.side + 0.5) * up - 0.5
    row, column = centre_of_mass(fine)
    fine = _shifted(_shifted(fine, (place - row) % 1).T, (place - column) % 1).T
    top = _start(fine.max(1), math.floor(place - row), grid)
    left = _start(fine.max(0), math.floor(place - column), grid)
    margin = max(fine.shape)
    canvas = np.zeros((grid + 2 * margin, grid + 2 * margin), np.float32)
    canvas[margin + top :, margin + left :][: fine.shape[0], : fine.shape[1]] = fine
    canvas = canvas[margin : margin + grid, margin : margin + grid]
    small = canvas.reshape(style.side, up, style.side, up).mean((1, 3))
    return (small * np.float32(255) + np.float32(0.5)).astype(np.uint8)


def _shifted(fine: np.ndarray, part: float) -> np.ndarray:
    """`fine` moved down by a `part` of a pixel, one row longer: without it, a hair's breadth decides the result."""
    longer = np.zeros((fine.shape[0] + 1, fine.shape[1]), np.float32)
    longer[:-1] = np.float32(1 - part) * fine
    longer[1:] += np.float32(part) * fine
    return longer


def _start(profile: np.ndarray, wanted: int, grid: int) -> int:
    """The place nearest to `wanted` that keeps the firm part of `profile` on the grid."""
    firm = np.flatnonzero(profile > 0.25)
    return int(max(min(wanted, grid - 1 - firm[-1]), -firm[0])) if firm.size else wanted
