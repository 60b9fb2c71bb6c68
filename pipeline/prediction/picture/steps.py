"""Any picture of a digit, step by step, into the form that the network was trained on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from pipeline.errors import DataError
from pipeline.prediction.picture import clean
from pipeline.prediction.picture.background import Ink, find_ink
from pipeline.prediction.picture.fit import MNIST, Style, fit
from pipeline.prediction.picture.panel import crop_to, find_panel

BLANK = "blank"
EDGE = "touches the edge"
THIN = "too thin"
SEVERAL = "several digits"
FAINT = "low contrast"
SURE, NOT_SURE = "sure", "not sure"

SMALLEST_CONTRAST = 0.05  # below, nothing was written that an eye would see
SOFT_CONTRAST, SMALLEST_RISE = 0.2, 0.52  # below both it is a shade on the paper: pencils have edges
LOW_CONTRAST = 0.15
NOISE_FACTOR = 4.5  # ink stands off from the paper by this many standard deviations of its grain
SMALLEST_SIDE = 3  # pixels
TALL = 0.5  # of the tallest digit's height: what is smaller is a part of its neighbour
GAP = 0.08  # of the tallest digit's height: digits of a row are at least this far apart


@dataclass(frozen=True)
class Prepared:
    """What the network will see, and what led there.

    image (side, side) uint8: bright ink on 0, all 0 when the picture is blank. ink: ink and paper, of the panel where
    one was found. box: top, bottom, left, right (ends not included) of the writing in the picture given, or None.
    warnings: what the picture lacks, of BLANK, EDGE, THIN, SEVERAL, FAINT.
    """

    image: np.ndarray
    ink: Ink
    box: tuple[int, int, int, int] | None
    warnings: tuple[str, ...]


def prepare(picture: np.ndarray, style: Style = MNIST) -> Prepared:
    """The digit in `picture` (h, w), uint8 or float in [0, 1], in `style`. Raises DataError for an array that is none.

    Of several digits the main one (the largest, away from the edges) is taken, and SEVERAL warned of.
    """
    return prepare_and_split(picture, style)[0]


def split_digits(picture: np.ndarray, style: Style = MNIST) -> list[Prepared]:
    """The digits of a row from left to right, those that touch as one; none of a blank picture. Raises DataError."""
    return prepare_and_split(picture, style)[1]


def prepare_and_split(picture: np.ndarray, style: Style = MNIST) -> tuple[Prepared, list[Prepared]]:
    """What `prepare` and `split_digits` give, for the work of one. Raises DataError."""
    writing = _find(picture)
    digits = _digits(writing)
    if not digits:
        return Prepared(np.zeros((style.side, style.side), np.uint8), writing.ink, None, (BLANK,)), []
    main = next(digit for digit in digits if writing.chosen[0] in digit)
    prepared = _prepared(writing, main, style, several=len(digits) > 1)
    if len(digits) == 1:
        return prepared, [prepared]
    return prepared, [_prepared(writing, digit, style, several=False) for digit in digits]


def verdict(probabilities: np.ndarray, warnings: Sequence[str], *, threshold: float) -> str:
    """BLANK or SEVERAL where `prepare` warned so; else SURE where the best of probabilities (classes,) reaches the
    threshold (0 … 1), NOT_SURE where none does."""
    for unanswered in (BLANK, SEVERAL):
        if unanswered in warnings:
            return unanswered
    return SURE if float(np.max(probabilities)) >= threshold else NOT_SURE


@dataclass(frozen=True)
class _Writing:
    """What all digits of a picture share. offset: row and column of the panel's corner in the picture given.

    cleaned (h, w): the ink without ruled lines; chosen: numbers of its pieces (from 1), the main one first.
    """

    offset: tuple[int, int]
    ink: Ink
    cleaned: np.ndarray
    pieces: clean.Pieces
    chosen: np.ndarray


def _find(picture: np.ndarray) -> _Writing:
    grey, offset = as_grey(picture), (0, 0)
    panel = find_panel(grey)
    if panel is not None:
        grey, offset = crop_to(grey, panel)
    ink = find_ink(grey)
    cleaned = clean.remove_lines(ink.ink)
    pieces = clean.find_pieces(cleaned)
    chosen = clean.choose(pieces)
    if chosen.size and _is_blank(ink, cleaned, pieces, chosen[0]):
        chosen = chosen[:0]
    return _Writing(offset, ink, cleaned, pieces, chosen)


def _is_blank(ink: Ink, cleaned: np.ndarray, pieces: clean.Pieces, main: int) -> bool:
    """Whether the main piece is grain, a shade on the paper, or too small to be seen."""
    if ink.contrast < max(SMALLEST_CONTRAST, NOISE_FACTOR * ink.noise):
        return True
    if ink.contrast < SOFT_CONTRAST and min(cleaned.shape) > 48:
        # Grain adds some five of its standard deviations to the rise, a third of them after smoothing.
        grain = 1.6 * ink.noise / ink.contrast
        if clean.rise(cleaned * (pieces.labels == main)) - grain < SMALLEST_RISE:
            return True
    return max(pieces.heights[main - 1], pieces.widths[main - 1]) < SMALLEST_SIDE


def as_grey(picture: np.ndarray) -> np.ndarray:
    """`picture` (h, w) as float32 in [0, 1]; uint8 is divided by 255. Raises DataError for anything else."""
    picture = np.asarray(picture)
    if picture.ndim != 2 or 0 in picture.shape:
        raise DataError(
            f"The picture has the shape {picture.shape}: rows and columns of grey values are expected; give "
            "a two-dimensional array."
        )
    if picture.dtype == np.uint8:
        return picture.astype(np.float32) / np.float32(255)
    if picture.dtype.kind != "f" or not (picture.min() >= 0 and picture.max() <= 1):
        raise DataError(
            f"The picture's values are {picture.dtype} from {picture.min()} to {picture.max()}: allowed are "
            "uint8, or fractions from 0 to 1; convert them first."
        )
    return picture.astype(np.float32)


def _digits(writing: _Writing) -> list[np.ndarray]:
    """The chosen pieces of ink grouped into digits, from left to right."""
    chosen = writing.chosen
    if chosen.size < 2:
        return [chosen] if chosen.size else []
    heights = writing.pieces.heights[chosen - 1]
    left, right = writing.pieces.boxes[chosen - 1, 2], writing.pieces.boxes[chosen - 1, 3]
    tallest = int(heights.max())
    tall = np.flatnonzero(heights >= TALL * tallest)
    groups: list[list[int]] = []
    ends: list[int] = []
    for index in tall[np.argsort(left[tall], kind="stable")]:
        if groups and left[index] < ends[-1] + GAP * tallest:
            groups[-1].append(index)
            ends[-1] = max(ends[-1], int(right[index]))
        else:
            groups.append([index])
            ends.append(int(right[index]))
    starts = [int(left[group].min()) for group in groups]
    for index in np.flatnonzero(heights < TALL * tallest):
        gaps = [max(s - right[index], left[index] - e, 0) for s, e in zip(starts, ends, strict=True)]
        groups[int(np.argmin(gaps))].append(index)
    return [chosen[group] for group in groups]


def _prepared(writing: _Writing, digit: np.ndarray, style: Style, *, several: bool) -> Prepared:
    """digit: numbers of its pieces. several: whether it stands for a row of digits."""
    pieces, boxes = writing.pieces, writing.pieces.boxes[digit - 1]
    height, width = writing.cleaned.shape
    # One pixel more on each side holds the soft edge that lies below the pieces' threshold.
    top, bottom = max(boxes[:, 0].min() - 1, 0), min(boxes[:, 1].max() + 1, height)
    left, right = max(boxes[:, 2].min() - 1, 0), min(boxes[:, 3].max() + 1, width)
    around = np.s_[top:bottom, left:right]
    own = writing.cleaned[around]
    if digit.size < len(pieces.mass):
        own = own * ndimage.binary_dilation(np.isin(pieces.labels[around], digit), clean.EIGHT_NEIGHBOURS)
    image, stroke = fit(own, style)
    lacks = {
        EDGE: pieces.touching()[digit - 1].any(),
        THIN: stroke < 0.5 * style.thinnest * style.side,
        SEVERAL: several,
        FAINT: writing.ink.contrast < LOW_CONTRAST,
    }
    row, column = writing.offset
    box = tuple(int(v) for v in (top + row, bottom + row, left + column, right + column))
    return Prepared(image, writing.ink, box, tuple(name for name, lacking in lacks.items() if lacking))
