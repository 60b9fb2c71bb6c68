"""A contact sheet: pictures as they are, and beside each what training makes of it, several times."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.storage import write_bytes

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont

CELL = 84  # dots: 28-pixel pictures three times as large
GAP, MARGIN, LABEL, LINE = 6, 16, 56, 20  # dots
PAPER, INK, FAINT = 255, 0, 110  # grey levels


def one_of_each(labels: np.ndarray, rows: int, *, rng: np.random.Generator) -> np.ndarray:
    """Indices (at most rows,) into labels (n,) class indices: random rows, the classes taking turns."""
    order = rng.permutation(len(labels))
    turn = np.empty(len(labels), np.intp)
    for kind in np.unique(labels):
        members = order[labels[order] == kind]
        turn[members] = np.arange(len(members))
    return np.lexsort((labels, turn))[:rows]


def draw_copies(
    images: np.ndarray, augment: Callable[..., np.ndarray], draws: int, *, rng: np.random.Generator
) -> np.ndarray:
    """(draws, n, side, side) uint8: `augment` made on as many copies of images (n, side, side) uint8, as one batch.

    The copies lie one after the other, so a change that concerns the first part of a batch shows in the first draws.
    """
    batch = np.tile(images * np.float32(1 / 255), (draws, 1, 1))
    changed = np.clip(augment(batch, rng=rng), 0, 1)  # noise that a recipe does not clip: a picture can't show it
    return np.rint(255 * changed).astype(np.uint8).reshape(draws, *images.shape)


def contact_sheet(images: np.ndarray, names: Sequence[str], copies: np.ndarray, *, title: str, note: str) -> Image:
    """A grey Pillow image with a line for each of the pictures: its name, itself, its copies.

    images: (n, side, side) uint8. names: n texts. copies: (draws, n, side, side) uint8.
    """
    from PIL import Image, ImageDraw

    draws, n, side, _ = copies.shape
    zoom = max(1, CELL // side)
    step = side * zoom + GAP
    left, top = MARGIN + LABEL, MARGIN + 4 * LINE
    heading, small = text_font(16), text_font(12)
    widest = max(heading.getlength(title), small.getlength(note))
    width = max(left + (draws + 1) * step + GAP, MARGIN + round(widest)) + MARGIN
    sheet = Image.new("L", (width, top + n * step + MARGIN - GAP), PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((MARGIN, MARGIN), title, INK, heading)
    pen.text((MARGIN, MARGIN + 1.4 * LINE), note, FAINT, small)
    pen.text((left, top - 0.9 * LINE), "as it is", INK, small)
    pen.text((left + step + GAP, top - 0.9 * LINE), "as training sees it", INK, small)
    for line in range(n):
        y = top + line * step
        pen.text((MARGIN, y + step // 2 - LINE // 2), names[line], INK, small)
        for column, picture in enumerate((images[line], *copies[:, line])):
            large = Image.fromarray(picture.repeat(zoom, axis=0).repeat(zoom, axis=1))
            sheet.paste(large, (left + column * step + GAP * (column > 0), y))
    return sheet


def text_font(size: int) -> FreeTypeFont:
    """matplotlib's own font, because Pillow's lacks σ, × and most of the world's letters."""
    import matplotlib
    from PIL import ImageFont

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", size)


def save_sheet(sheet: Image, path: Path | str) -> None:
    """Write the sheet as PNG, atomically. Raises StorageError."""
    content = io.BytesIO()
    sheet.save(content, format="PNG")
    write_bytes(path, content.getvalue())
