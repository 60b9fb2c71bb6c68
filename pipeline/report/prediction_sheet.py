"""A sheet of predictions: each picture, what the networks saw of it, and which pixels spoke for the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.report.contact_sheet import FAINT, GAP, INK, LINE, MARGIN, PAPER, text_font

if TYPE_CHECKING:
    from PIL.Image import Image

VIEW = 112  # dots: side of each of the three pictures of a card
ACROSS = 3  # cards
MOST_UNITS = 6  # hidden units of a card
MOST_CARDS = 300  # on a sheet, which is then 19,000 dots high
FOR, AGAINST = (0, 114, 178), (213, 94, 0)  # Okabe & Ito's blue and vermilion; for and against as on the page
BOX, EDGE = (0, 158, 115), (200, 200, 200)
NOTE = (
    "Each: the picture with the ink found in it; the {side}×{side} that the networks saw; its ink that spoke "
    "for (blue) and against (orange) the first answer, measured against the second.\n"
    "Below: hidden units that spoke most for it and against it, weights times drawing, and their parts of the logit."
)


@dataclass(frozen=True)
class Card:
    """One prediction. grey (h, w) floats in [0, 1]; box: top, bottom, left, right of the ink in it, or None.

    seen (side, side) uint8; saliency (side, side) from −1 to 1; lines: what stands below, up to three texts; units: of
    the hidden units that spoke for the answer and against it the weights times the drawing (side, side), and the sum.
    """

    grey: np.ndarray
    box: tuple[int, int, int, int] | None
    seen: np.ndarray
    saliency: np.ndarray
    lines: Sequence[str]
    units: Sequence[tuple[np.ndarray, float]] = ()


def prediction_sheet(cards: Sequence[Card], *, title: str) -> Image:
    """A colour Pillow image with all cards (at least one), ACROSS side by side."""
    from PIL import Image, ImageDraw

    heading, small = text_font(16), text_font(11)
    across = min(ACROSS, len(cards))
    width, tile = 3 * VIEW + 4 * GAP + MARGIN, (3 * VIEW + 2 * GAP) // MOST_UNITS - GAP
    below = tile + LINE if any(card.units for card in cards) else 0
    height = VIEW + 3 * LINE + MARGIN + below
    note = NOTE.format(side=len(cards[0].seen))
    wide = (
        max(across * width, round(max(heading.getlength(title), *map(small.getlength, note.splitlines()))) + MARGIN)
        + MARGIN
    )
    top = MARGIN + 4 * LINE
    sheet = Image.new("RGB", (wide, top + -(-len(cards) // across) * height), (PAPER,) * 3)
    pen = ImageDraw.Draw(sheet)
    pen.text((MARGIN, MARGIN), title, (INK,) * 3, heading)
    pen.text((MARGIN, MARGIN + 1.4 * LINE), note, (FAINT,) * 3, small)
    for number, card in enumerate(cards):
        left, upper = MARGIN + number % across * width, top + number // across * height
        views = (_original(card), _enlarged(card.seen), _enlarged(coloured(card.saliency, card.seen)))
        for place, view in enumerate(views):
            x = left + place * (VIEW + GAP) + (VIEW - view.width) // 2
            y = upper + (VIEW - view.height) // 2
            sheet.paste(view, (x, y))
            if place == 0:  # or a white page would have no edge on a white sheet
                pen.rectangle((x - 1, y - 1, x + view.width, y + view.height), outline=EDGE)
        for place, line in enumerate(card.lines):
            while small.getlength(line) > width - MARGIN:
                line = "…" + line[2:]  # the end of a path tells more than its beginning
            pen.text((left, upper + VIEW + 4 + 0.8 * LINE * place), line, (INK if place < 2 else FAINT,) * 3, small)
        strongest = max((float(np.abs(ink).max()) for ink, _ in card.units), default=0) or 1.0
        for place, (ink, part) in enumerate(card.units[:MOST_UNITS]):
            view = Image.fromarray(coloured(ink / strongest, card.seen)).resize((tile, tile), Image.Resampling.NEAREST)
            x, y = left + place * (tile + GAP), upper + VIEW + 4 + round(2.6 * LINE)
            sheet.paste(view, (x, y))
            pen.rectangle((x - 1, y - 1, x + tile, y + tile), outline=EDGE)
            pen.text((x, y + tile + 2), f"{part:+.2f}".replace("-", "−"), FOR if part > 0 else AGAINST, small)
    return sheet


def coloured(saliency: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(side, side, 3) uint8: blue where ink spoke for the answer, vermilion where against, ink itself a light grey."""
    ground = 255 - 0.2 * seen[..., np.newaxis].astype(np.float64)
    strength = np.abs(saliency)[..., np.newaxis]
    colour = np.where((saliency > 0)[..., np.newaxis], FOR, AGAINST)
    return np.rint((1 - strength) * ground + strength * colour).astype(np.uint8)


def _original(card: Card) -> Image:
    from PIL import Image, ImageDraw

    height, width = card.grey.shape
    zoom = VIEW / max(height, width)
    size = max(round(width * zoom), 1), max(round(height * zoom), 1)
    how = Image.Resampling.NEAREST if zoom > 2 else Image.Resampling.LANCZOS
    view = Image.fromarray(np.rint(card.grey * 255).astype(np.uint8)).resize(size, how).convert("RGB")
    if card.box is not None:
        top, bottom, left, right = (edge * zoom for edge in card.box)
        ImageDraw.Draw(view).rectangle((left, top, max(right - 1, left), max(bottom - 1, top)), outline=BOX)
    return view


def _enlarged(pixels: np.ndarray) -> Image:
    from PIL import Image

    return Image.fromarray(pixels).resize((VIEW, VIEW), Image.Resampling.NEAREST)
