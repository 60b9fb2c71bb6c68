"""Which of the ink is the digit: without frames, ruled lines, specks and what reaches in from the edge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

EIGHT_NEIGHBOURS = np.ones((3, 3), bool)
FAINT, FIRM = 0.3, 0.6  # a piece of ink is everything above FAINT that hangs together and reaches FIRM
TRACE = 0.1  # the faintest ink that may be part of a ruled line
SPECK = 0.02  # of the main piece's ink: smaller pieces are dirt
CRUMB = 0.10  # smaller pieces belong to the digit only when they lie next to it
BAND = 0.15  # a frame keeps within this part of its own box's edges


@dataclass(frozen=True)
class Pieces:
    """Connected pieces of ink: `labels` (h, w) int32, 0 for none; row k-1 of the arrays is piece k.

    `boxes` (n, 4): top, bottom, left, right (ends not included); `mass` (n,): ink in pixels.
    """

    labels: np.ndarray
    boxes: np.ndarray
    mass: np.ndarray

    @property
    def heights(self) -> np.ndarray:
        return self.boxes[:, 1] - self.boxes[:, 0]

    @property
    def widths(self) -> np.ndarray:
        return self.boxes[:, 3] - self.boxes[:, 2]

    def touching(self) -> np.ndarray:
        """Which pieces touch the picture's edge, (n,) bool."""
        height, width = self.labels.shape
        top, bottom, left, right = self.boxes.T
        return (top == 0) | (left == 0) | (bottom == height) | (right == width)


def find_pieces(ink: np.ndarray) -> Pieces:
    """Connected pieces of `ink` (h, w), dropping those that nowhere reach FIRM."""
    labels, count = ndimage.label(ink > FAINT, EIGHT_NEIGHBOURS)
    boxes = np.array(
        [(y.start, y.stop, x.start, x.stop) for y, x in ndimage.find_objects(labels)], np.int64
    ).reshape(-1, 4)
    mass = np.bincount(labels.ravel(), ink.ravel(), count + 1)[1:]
    firm = np.bincount(labels[ink > FIRM], minlength=count + 1)[1:] > 0
    if not firm.all():
        renumber = np.concatenate([[0], np.where(firm, np.cumsum(firm), 0)]).astype(np.int32)
        labels, boxes, mass = renumber[labels], boxes[firm], mass[firm]
    return Pieces(labels, boxes, mass)


def remove_lines(ink: np.ndarray) -> np.ndarray:
    """`ink` without thin lines that run through the whole picture, ruled or squared.

    A line may lean a little and be broken where a stroke crosses it; what is thicker than the line, the
    crossing stroke, stays. A line reaches beyond the writing on both sides: the top bar of a 7 that fills
    its picture does not, and stays as well.
    """
    if min(ink.shape) < 48:
        return ink
    mask = ink > TRACE
    across, down = _spanning(mask), _spanning(mask.T)
    if across is None and down is None:
        return ink
    lines = np.zeros_like(mask)
    if across is not None:
        lines |= across
    if down is not None:
        lines |= down.T
    lines = ndimage.binary_dilation(lines, EIGHT_NEIGHBOURS)
    rest = (ink > FIRM) & ~lines
    ink = ink.copy()
    if across is not None and _overhangs(rest):
        ink[ndimage.binary_dilation(across, EIGHT_NEIGHBOURS[:, 1:2]) & (ink < FIRM) | across] = 0
    if down is not None and _overhangs(rest.T):
        ink.T[ndimage.binary_dilation(down, EIGHT_NEIGHBOURS[:, 1:2]) & (ink.T < FIRM) | down] = 0
    return ink


def _spanning(mask: np.ndarray) -> np.ndarray | None:
    """The pixels of `mask` (h, w) bool on thin lines from its left to its right, or None."""
    height, width = mask.shape
    if mask.any(0).mean() < 0.6:
        return None
    thick = max(3, round(0.025 * min(height, width)))
    thin = mask & ~ndimage.grey_opening(mask.view(np.uint8), (thick + 1, 1)).astype(bool)
    bridged = ndimage.maximum_filter1d(thin.view(np.uint8), 2 * round(0.15 * width) + 1, axis=1, mode="constant")
    bridged = ndimage.maximum_filter1d(bridged, 3, axis=0, mode="constant")
    labels, count = ndimage.label(bridged, EIGHT_NEIGHBOURS)
    labels[~thin] = 0
    found = np.zeros(count + 1, bool)
    for number, box in enumerate(ndimage.find_objects(labels), 1):
        if box is not None and box[1].stop - box[1].start >= 0.85 * width:
            covered = (labels[box] == number).any(0).sum() >= 0.5 * width
            found[number] = covered and box[0].stop - box[0].start <= 0.15 * height
    return found[labels] if found.any() else None


def _overhangs(rest: np.ndarray) -> bool:
    """Whether the writing `rest` (h, w) bool leaves a margin on the left and on the right."""
    height, width = rest.shape
    columns = np.flatnonzero(rest.sum(0) > 0.02 * height)
    margin = 0.02 * width
    return columns.size == 0 or (columns[0] >= margin and columns[-1] < width - margin)


def is_frame(pieces: Pieces, index: int) -> bool:
    """Whether piece `index` (from 0) is a drawn box: four straight sides, its ink all near them."""
    top, bottom, left, right = pieces.boxes[index]
    inside = pieces.labels[top:bottom, left:right] == index + 1
    height, width = inside.shape
    dy, dx = max(round(BAND * height), 1), max(round(BAND * width), 1)
    if inside[dy : height - dy, dx : width - dx].any():
        return False
    rows, columns = inside[:, dx : width - dx], inside[dy : height - dy]
    sides = rows[:dy].any(0), rows[height - dy :].any(0), columns[:, :dx].any(1), columns[:, width - dx :].any(1)
    # The same would be true of a large 0; but its bow leaves no straight run along the very edge.
    slim_y, slim_x = max(dy // 3, 1), max(dx // 3, 1)
    edges = rows[:slim_y].any(0), rows[height - slim_y :].any(0), columns[:, :slim_x].any(1), columns[:, width - slim_x :].any(1)
    return all(side.mean() > 0.8 for side in sides) and sum(edge.mean() > 0.7 for edge in edges) >= 3


def choose(pieces: Pieces) -> np.ndarray:
    """Numbers of the pieces that make up the writing (from 1), the main piece first; empty when none does."""
    count = len(pieces.mass)
    if count == 0:
        return np.zeros(0, np.int64)
    height, width = pieces.labels.shape
    top, bottom, left, right = pieces.boxes.T
    tall = np.maximum(pieces.heights / height, pieces.widths / width)
    touching = pieces.touching()
    hugging = touching & (
        ((pieces.widths <= 0.1 * width) & ((left == 0) | (right == width)))
        | ((pieces.heights <= 0.1 * height) & ((top == 0) | (bottom == height)))
    )
    framing = np.zeros(count, bool)
    for index in np.flatnonzero(tall > 0.4):
        within = (top > top[index]) & (bottom < bottom[index]) & (left > left[index]) & (right < right[index])
        if (within & (pieces.heights > 0.25 * pieces.heights[index])).any() and is_frame(pieces, index):
            framing[index] = True
    keep = ~framing
    if framing.any():
        smallest = np.flatnonzero(framing)[np.argmin(tall[framing])]
        box = pieces.boxes[smallest]
        keep &= (top >= box[0]) & (bottom <= box[1]) & (left >= box[2]) & (right <= box[3])
    size = np.sqrt(pieces.mass * pieces.heights * pieces.widths)
    score = size * np.where(hugging, 0.05, np.where(touching, 0.3, 1.0)) * keep
    main = int(score.argmax())
    keep &= ~(touching & ~touching[main] & (np.arange(count) != main))
    # distances between boxes
    gap_x = np.maximum(np.maximum(left - right[main], left[main] - right), 0)
    gap_y = np.maximum(np.maximum(top - bottom[main], top[main] - bottom), 0)
    reach = 0.15 * max(pieces.heights[main], pieces.widths[main])
    near = np.maximum(gap_x, gap_y) <= reach
    share = pieces.mass / pieces.mass[main]
    keep &= (share >= CRUMB) | ((share >= SPECK) & near)
    keep[main] = True
    rest = np.flatnonzero(keep & (np.arange(count) != main))
    return np.concatenate([[main], rest]) + 1
