"""Any picture of a digit, step by step, into the form that the network was trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from pipeline.errors import DataError
from pipeline.prediction.picture import clean
from pipeline.prediction.picture.background import Ink, find_ink
from pipeline.prediction.picture.fit import Style, centre_of_mass, fit
from pipeline.prediction.picture.panel import crop_to, find_panel

BLANK = "blank"
EDGE = "touches the edge"
THIN = "too thin"
SEVERAL = "several digits"
FAINT = "low contrast"

SMALLEST_CONTRAST = 0.05  # below, nothing was written that an eye would see
SOFT_CONTRAST, SMALLEST_RISE = 0.2, 0.52  # below both it is a shade on the paper: pencils have edges
LOW_CONTRAST = 0.15
NOISE_FACTOR = 4.5  # ink stands off from the paper by this many standard deviations of its grain
SMALLEST_SIDE = 3  # pixels
TALL = 0.5  # of the tallest digit's height: what is smaller is a part of its neighbour
GAP = 0.08  # of the tallest digit's height: digits of a row are at least this far apart


@dataclass(frozen=True)
class Prepared:
    """What the network will see, and every step that led there.

    `image` (side, side) uint8: bright ink on 0, all 0 when the picture is blank. `grey` (h, w) float32: what
    was worked on, the panel cut out where one was found. `offset`: row and column of `grey`'s corner in the
    picture given. `ink`: ink and paper (Ink). `cleaned` (h, w): the ink without ruled lines. `writing`
    (h, w): without frames, specks and neighbours too. `box`: top, bottom, left, right (ends not included)
    of the writing in the picture given, or None. `centre`: row and column of `image`'s centre of mass in
    pixel indices. `stroke`: width of strokes in pixels of `image`, before their weight was changed.
    `warnings`: what the picture lacks, of BLANK, EDGE, THIN, SEVERAL, FAINT.
    """

    image: np.ndarray
    grey: np.ndarray
    offset: tuple[int, int]
    ink: Ink
    cleaned: np.ndarray
    writing: np.ndarray
    box: tuple[int, int, int, int] | None
    centre: tuple[float, float]
    stroke: float
    warnings: tuple[str, ...]


def prepare(picture: np.ndarray, style: Style | None = None) -> Prepared:
    """Find the digit in `picture` (h, w), uint8 or float in [0, 1], and bring it into `style`.

    When there are several digits, the main one (the largest, away from the edges) is taken and SEVERAL
    warned of; `split_digits` gives them all. Raises DataError for an array that is no picture.
    """
    found = _find(picture)
    return _main(found, _digits(found), style or Style())


def split_digits(picture: np.ndarray, style: Style | None = None) -> list[Prepared]:
    """The digits of a row from left to right, each prepared like a picture of its own.

    Digits that touch each other count as one. A blank picture gives an empty list. Raises DataError.
    """
    return prepare_and_split(picture, style)[1]


def prepare_and_split(picture: np.ndarray, style: Style | None = None) -> tuple[Prepared, list[Prepared]]:
    """What `prepare` and `split_digits` give, for the work of one. Raises DataError."""
    found, style = _find(picture), style or Style()
    digits = _digits(found)
    main = _main(found, digits, style)
    if len(digits) == 1:
        return main, [main]
    return main, [_finish(found, digit, style, several=False) for digit in digits]


@dataclass(frozen=True)
class _Found:
    """What all digits of a picture share; `chosen` and `main` are numbers of pieces (from 1, 0 for none)."""

    grey: np.ndarray
    offset: tuple[int, int]
    ink: Ink
    cleaned: np.ndarray
    pieces: clean.Pieces
    chosen: np.ndarray
    main: int


def _find(picture: np.ndarray) -> _Found:
    grey, offset = as_grey(picture), (0, 0)
    panel = find_panel(grey)
    if panel is not None:
        grey, offset = crop_to(grey, panel)
    ink = find_ink(grey)
    cleaned = clean.remove_lines(ink.ink)
    pieces = clean.find_pieces(cleaned)
    chosen = clean.choose(pieces)
    if ink.contrast < max(SMALLEST_CONTRAST, NOISE_FACTOR * ink.noise):
        chosen = chosen[:0]
    if chosen.size and ink.contrast < SOFT_CONTRAST and min(grey.shape) > 48:
        # Grain adds some five of its standard deviations to the rise, a third of them after smoothing.
        grain = 1.6 * ink.noise / ink.contrast
        if clean.rise(cleaned * (pieces.labels == chosen[0])) - grain < SMALLEST_RISE:
            chosen = chosen[:0]
    main = int(chosen[0]) if chosen.size else 0
    if main and max(pieces.heights[main - 1], pieces.widths[main - 1]) < SMALLEST_SIDE:
        chosen, main = chosen[:0], 0
    return _Found(grey, offset, ink, cleaned, pieces, chosen, main)


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


def _digits(found: _Found) -> list[np.ndarray]:
    """The chosen pieces of ink grouped into digits, from left to right."""
    chosen = found.chosen
    if chosen.size < 2:
        return [chosen] if chosen.size else []
    heights = found.pieces.heights[chosen - 1]
    left, right = found.pieces.boxes[chosen - 1, 2], found.pieces.boxes[chosen - 1, 3]
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


def _main(found: _Found, digits: list[np.ndarray], style: Style) -> Prepared:
    main = next((digit for digit in digits if found.main in digit), np.zeros(0, np.int64))
    return _finish(found, main, style, several=len(digits) > 1)


def _finish(found: _Found, digit: np.ndarray, style: Style, *, several: bool) -> Prepared:
    writing = np.zeros_like(found.cleaned)
    if digit.size == 0:
        image = np.zeros((style.side, style.side), np.uint8)
        middle = (style.centre * style.side,) * 2
        return Prepared(image, found.grey, found.offset, found.ink, found.cleaned, writing, None, middle, 0.0, (BLANK,))
    boxes = found.pieces.boxes[digit - 1]
    height, width = found.cleaned.shape
    # One pixel more on each side holds the soft edge that lies below the pieces' threshold.
    top, bottom = max(boxes[:, 0].min() - 1, 0), min(boxes[:, 1].max() + 1, height)
    left, right = max(boxes[:, 2].min() - 1, 0), min(boxes[:, 3].max() + 1, width)
    around = np.s_[top:bottom, left:right]
    writing[around] = found.cleaned[around]
    if digit.size < len(found.pieces.mass):
        belongs = np.isin(found.pieces.labels[around], digit)
        writing[around] *= ndimage.binary_dilation(belongs, clean.EIGHT_NEIGHBOURS)
    image, stroke = fit(writing[around], style)

    warnings = []
    if found.pieces.touching()[digit - 1].any():
        warnings.append(EDGE)
    if stroke < 0.5 * style.thinnest * style.side:
        warnings.append(THIN)
    if several:
        warnings.append(SEVERAL)
    if found.ink.contrast < LOW_CONTRAST:
        warnings.append(FAINT)
    row, column = found.offset
    box = tuple(int(v) for v in (top + row, bottom + row, left + column, right + column))
    return Prepared(
        image,
        found.grey,
        found.offset,
        found.ink,
        found.cleaned,
        writing,
        box,
        centre_of_mass(image),
        stroke,
        tuple(warnings),
    )
