"""Which of the ink is the digit: without frames, ruled lines, specks and what reaches in from the edge."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

EIGHT_NEIGHBOURS = np.ones((3, 3), bool)
ABOVE_AND_BELOW = np.ones((3, 1), bool)
FAINT, FIRM = 0.3, 0.6  # a piece of ink is everything above FAINT that hangs together and reaches FIRM
TRACE = 0.1  # the faintest ink that may be part of a ruled line
SPECK = 0.02  # of the main piece's ink: smaller pieces are dirt
CRUMB = 0.10  # smaller pieces belong to the digit only when they lie next to it
NEAR = 0.15  # of the main piece's longer side: pieces no farther off lie next to it
SPAN = 0.85  # of the picture: a ruled line is no shorter
RULED, SHORTEST = 3, 0.12  # beside so many lines a shorter one counts that leaves the picture or runs into a stroke
STRIP = 0.10  # of the picture: what is no wider than this along an edge is the rest of a frame or a neighbour
SMALLEST_CONTENT = 0.12  # of a frame's height: what stands in it is taller
BAND = 0.15  # a frame keeps within this part of its own box's edges


@dataclass(frozen=True)
class Pieces:
    """Connected pieces of ink: `labels` (h, w) int, 0 for none; row k-1 of the arrays is piece k.

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
    """Connected pieces of `ink` (h, w), without those that nowhere reach FIRM."""
    labels, count = ndimage.label(ink > FAINT, EIGHT_NEIGHBOURS)
    firm = np.bincount(labels[ink > FIRM], minlength=count + 1) > 0
    firm[0] = False
    boxes = [(y.start, y.stop, x.start, x.stop) for y, x in ndimage.find_objects(labels)]
    boxes = np.array(boxes, np.int64).reshape(-1, 4)[firm[1:]]
    mass = np.bincount(labels.ravel(), ink.ravel(), minlength=count + 1)[firm]
    return Pieces(np.where(firm, firm.cumsum(), 0)[labels], boxes, mass)


def remove_lines(ink: np.ndarray) -> np.ndarray:
    """`ink` without thin lines that run through the whole picture, ruled or squared.

    A line may lean a little; a stroke that crosses it stays. A line reaches beyond the writing on both sides: the top
    bar of a 7 that fills its picture does not, and stays as well.
    """
    if min(ink.shape) < 48:
        return ink
    spanning = [_spanning(view > TRACE) for view in (ink, ink.T)]
    level, upright = spanning[0], spanning[1].T
    if not (level.any() or upright.any()):
        return ink
    cleaned = ink.copy()
    rest = (ink > FIRM) & ~ndimage.binary_dilation(level | upright, EIGHT_NEIGHBOURS)
    for view, written, found in zip((cleaned, cleaned.T), (rest, rest.T), spanning, strict=True):
        if found.any() and _overhangs(written):
            soft = ndimage.binary_dilation(found, ABOVE_AND_BELOW) & (view < FIRM)
            view[found | soft] = 0
    return cleaned


def _spanning(mask: np.ndarray) -> np.ndarray:
    """The pixels of `mask` (h, w) bool on thin lines from its left to its right."""
    height, width = mask.shape
    inked = np.flatnonzero(mask.any(0))
    if inked.size < 0.6 * width or inked[-1] - inked[0] + 1 < SPAN * width:
        return np.zeros_like(mask)
    thick = max(3, round(0.025 * min(height, width)))
    thin = mask & ~ndimage.grey_opening(mask.view(np.uint8), (thick + 1, 1)).astype(bool)
    bridged = ndimage.maximum_filter1d(thin.view(np.uint8), 2 * round(0.15 * width) + 1, axis=1, mode="constant")
    bridged = ndimage.maximum_filter1d(bridged, 3, axis=0, mode="constant")
    labels, count = ndimage.label(bridged, EIGHT_NEIGHBOURS)
    labels[~thin] = 0
    found, ends = np.zeros(count + 1, bool), np.zeros(count + 1, bool)
    for number, box in enumerate(ndimage.find_objects(labels), 1):
        if box is None or box[0].stop - box[0].start > 0.15 * height:
            continue
        length = box[1].stop - box[1].start
        # A long stem leaves the picture on neither side; a ruled line does on one at least, however it fades.
        at_edge = box[1].start <= 2 or box[1].stop >= width - 2
        whole = at_edge and length >= SPAN * width
        if at_edge and length >= SHORTEST * width:
            covered = int((labels[box] == number).any(0).sum())
            found[number] = whole and covered >= 0.5 * width
            ends[number] = covered >= 0.5 * length
    if found.sum() >= RULED:
        found |= ends
    return found[labels]


def _overhangs(rest: np.ndarray) -> bool:
    """Whether the writing `rest` (h, w) bool leaves a margin on the left and on the right."""
    height, width = rest.shape
    labels, count = ndimage.label(rest, EIGHT_NEIGHBOURS)
    if count == 0:
        return True
    # Ends of lines that did not quite reach across are no writing.
    largest = labels == np.bincount(labels.ravel())[1:].argmax() + 1
    columns = np.flatnonzero(largest.sum(0) > 0.02 * height)
    margin = 0.02 * width
    return columns.size == 0 or (columns[0] >= margin and columns[-1] < width - margin)


def rise(ink: np.ndarray) -> float:
    """How far `ink` (h, w) rises within a twenty-fifth of the picture at the usual place of its outline, 0 to 1.

    A stroke rises from 0 to 1 there, even a blurred one; a shade on the paper does not.
    """
    smooth = ndimage.uniform_filter(ink, 3)
    reach = 2 * round(0.02 * min(ink.shape)) + 1
    span = ndimage.maximum_filter(smooth, reach) - ndimage.minimum_filter(smooth, reach)
    inked = ink > 0.5
    outline = inked & ~ndimage.binary_erosion(inked, border_value=1)
    return float(np.median(span[outline])) if outline.any() else 1.0


def choose(pieces: Pieces) -> np.ndarray:
    """Numbers of the pieces that make up the writing (from 1), the main piece first; empty when none does.

    The main piece is the largest that is inside all drawn boxes, those that touch the picture's edge
    counting less. With it stay pieces of some size, and smaller ones next to it.
    """
    count = len(pieces.mass)
    if count == 0:
        return np.zeros(0, np.int64)
    height, width = pieces.labels.shape
    top, bottom, left, right = pieces.boxes.T
    touching = pieces.touching()
    beside = ((left == 0) | (right == width)) & (pieces.widths <= STRIP * width)
    beyond = ((top == 0) | (bottom == height)) & (pieces.heights <= STRIP * height)
    weight = np.where(beside | beyond, 0.05, np.where(touching, 0.3, 1.0))
    keep = _inside_frames(pieces)
    size = np.sqrt(pieces.mass * pieces.heights * pieces.widths)
    main = int((size * weight * keep).argmax())

    keep &= ~touching | touching[main]
    gap_x = np.maximum(left - right[main], left[main] - right)
    gap_y = np.maximum(top - bottom[main], top[main] - bottom)
    near = np.maximum(gap_x, gap_y) <= NEAR * max(pieces.heights[main], pieces.widths[main])
    share = pieces.mass / pieces.mass[main]
    keep &= (share >= CRUMB) | ((share >= SPECK) & near)
    keep[main] = False
    return np.concatenate([[main], np.flatnonzero(keep)]) + 1


def _inside_frames(pieces: Pieces) -> np.ndarray:
    """Which pieces are no drawn box and lie inside each of them, (n,) bool."""
    height, width = pieces.labels.shape
    top, bottom, left, right = pieces.boxes.T
    keep = np.ones(len(pieces.mass), bool)
    for index in np.flatnonzero(np.maximum(pieces.heights / height, pieces.widths / width) > 0.4):
        inside = (top > top[index]) & (bottom < bottom[index]) & (left > left[index]) & (right < right[index])
        content = inside & (pieces.heights > SMALLEST_CONTENT * pieces.heights[index])
        if content.any() and _is_frame(pieces, index):
            keep &= inside
    return keep


def _is_frame(pieces: Pieces, index: int) -> bool:
    """Whether piece `index` (from 0) has no ink but near its box's edges, and straight sides: three or four, or
    two that meet and reach across the whole picture, which cuts the others off."""
    top, bottom, left, right = pieces.boxes[index]
    piece = pieces.labels[top:bottom, left:right] == index + 1
    height, width = piece.shape
    dy, dx = max(round(BAND * height), 1), max(round(BAND * width), 1)
    rows, columns = piece[dy : height - dy], piece[:, dx : width - dx]
    if rows[:, dx : width - dx].any():
        return False
    # A large 0 keeps to the band too; but its bow leaves no straight run along the very edge.
    dy, dx = max(dy // 3, 1), max(dx // 3, 1)
    sides = columns[:dy].any(0), columns[height - dy :].any(0), rows[:, :dx].any(1), rows[:, width - dx :].any(1)
    straight = [side.mean() > 0.7 for side in sides]
    across = min(np.array(pieces.labels.shape) - piece.shape) <= BAND * min(piece.shape)
    corner = any(straight[:2]) and any(straight[2:]) and across
    return sum(straight) >= 3 or corner
