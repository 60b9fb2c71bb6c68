"""A picture file, as grey values that the other steps can work on.

Nothing of a file is trusted: its bytes and the size that its header states are checked before a pixel is
decoded, only the formats below are tried, and whatever the decoder trips over becomes one DataError.
"""

from __future__ import annotations

import io
import math
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from scipy import ndimage

from pipeline.errors import DataError

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")
# A digit a tenth as long as its picture still has the 20 pixels here that the network sees.
WORKING_SIDE = 256  # pixels of the longer side, at most
OPAQUE, TWO_TONES = 250, 64  # of 255: what is fully there; how far ink and paper lie apart

warnings.filterwarnings("ignore", module=r"PIL\.")  # of damage that it can do without
# Pillow's own advice: a picture above its limit shall be an error, not a line on the terminal.
warnings.simplefilter("error", Image.DecompressionBombWarning)
_standard_error = threading.Lock()


@dataclass(frozen=True)
class Limits:
    """What a picture may be; the page sets tighter ones than the command line."""

    max_bytes: int = 40_000_000
    max_pixels: int = 60_000_000


@dataclass(frozen=True)
class Picture:
    """A decoded picture: `grey` (height, width) float32, 0 black … 1 white, and what its file said.

    `grey` is shrunk by a whole number to at most WORKING_SIDE; `width` and `height` are those of the upright
    original. Of a moving picture or a file with several pages (`frames` > 1) the first one is taken.
    """

    grey: np.ndarray
    name: str
    format: str
    mode: str
    width: int
    height: int
    frames: int = 1
    transparent: bool = False


def decode(source: bytes | Path | str, *, name: str | None = None, limits: Limits | None = None) -> Picture:
    """Decode a file's bytes, or the file at a path; `name` is what messages call it.

    Transparent parts are laid on white when the visible part is dark, on black when it is light. EXIF
    rotation is applied. Raises DataError for a missing, empty, damaged, unknown or too large file.
    """
    limits = limits or Limits()
    name = name or ("the picture" if isinstance(source, bytes) else str(source))
    content = source if isinstance(source, bytes) else _read(Path(source), name, limits)
    _check_bytes(len(content), name, limits)
    try:
        with _libtiff_quiet(content), Image.open(io.BytesIO(content), formats=FORMATS) as image:
            _check_pixels(image, name, limits)
            return _decode(image, name)
    except DataError:
        raise
    except Image.UnidentifiedImageError:
        raise DataError(
            f"{name} is not a picture that can be read: allowed are {', '.join(FORMATS)}, but it begins with "
            f"{content[:8]!r}; save it again as PNG."
        ) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(
            f"{name} states a size that is too large: at most {limits.max_pixels:,} pixels are allowed "
            f"({error}); make it smaller and try again."
        ) from error
    except Exception as error:  # decoders meet damage with almost any exception (struct.error, KeyError …)
        raise DataError(
            f"{name} is damaged: a whole picture was expected, but decoding stopped with "
            f"“{error or type(error).__name__}”; save or copy it again."
        ) from error


@contextmanager
def _libtiff_quiet(content: bytes) -> Iterator[None]:
    """While the block runs, standard error goes nowhere, if it is about a TIFF: that library prints what it thinks."""
    if content[:2] not in (b"II", b"MM"):
        yield
        return
    with _standard_error, Path(os.devnull).open("wb") as nothing:
        before = os.dup(2)
        os.dup2(nothing.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(before, 2)
            os.close(before)


def _read(path: Path, name: str, limits: Limits) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(limits.max_bytes + 1)
    except OSError as error:
        raise DataError(
            f"{name} could not be read ({error.strerror or error}): a picture file was expected; check the "
            "path and its permissions."
        ) from error


def _check_bytes(count: int, name: str, limits: Limits) -> None:
    if count == 0:
        raise DataError(f"{name} is empty: a picture was expected, 0 bytes were found; save it again.")
    if count > limits.max_bytes:
        raise DataError(
            f"{name} is too large: at most {limits.max_bytes:,} bytes are allowed, it has more; make the "
            "picture smaller and try again."
        )


def _check_pixels(image: Image.Image, name: str, limits: Limits) -> None:
    width, height = image.size
    if width * height > limits.max_pixels:
        raise DataError(
            f"{name} has too many pixels: at most {limits.max_pixels:,} are allowed, {width} × {height} were "
            "found; make the picture smaller and try again."
        )


def _decode(image: Image.Image, name: str) -> Picture:
    file_format, mode, frames = image.format or "", image.mode, getattr(image, "n_frames", 1)
    width, height = image.size
    # A JPEG can be decoded at a half, a quarter or an eighth of its size for a fraction of the work.
    image.draft(None, (WORKING_SIDE, WORKING_SIDE))
    image = ImageOps.exif_transpose(image)
    if (image.width < image.height) != (width < height):
        width, height = height, width

    opacity = _opacity(image)
    if image.mode.startswith("I") or image.mode == "F":
        grey = _many_bits(image)
    elif opacity is not None:
        grey = _as_fractions(_shrink(_on_paper(image.convert("RGBA").convert("L"), opacity)))
    else:
        small = max(image.size) <= WORKING_SIDE  # a canvas: its four channels become grey in one go
        if image.mode not in ("L", "RGB") and not (small and image.mode == "RGBA"):
            image = image.convert("L" if image.mode == "1" else "RGB")
        grey = _as_fractions(_shrink(image).convert("L"))
    return Picture(grey, name, file_format, mode, width, height, frames, opacity is not None)


def _as_fractions(image: Image.Image) -> np.ndarray:
    return np.asarray(image, np.float32) / np.float32(255)


def _shrink(image: Image.Image) -> Image.Image:
    factor = math.ceil(max(image.size) / WORKING_SIDE)
    return image.reduce(factor) if factor > 1 else image


def _many_bits(image: Image.Image) -> np.ndarray:
    """Grey values of a picture with 16 or 32 bits a pixel: the ceiling is the usual one above its maximum."""
    values = np.asarray(image, np.float32)
    if not np.isfinite(values).all():
        raise ValueError("pixels that are not finite")
    top = values.max()
    ceiling = next((c for c in (1.0, 255.0, 65535.0) if top <= c), top)
    values = np.clip(values / np.float32(ceiling), 0, 1)
    return np.asarray(_shrink(Image.fromarray(values)))


def _opacity(image: Image.Image) -> Image.Image | None:
    """The opacity of each pixel ("L"), or None when all are opaque."""
    if not (image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info):
        return None
    opacity = (image if image.mode in ("LA", "RGBA") else image.convert("RGBA")).getchannel("A")
    return opacity if opacity.getextrema()[0] < 255 else None


def _on_paper(grey: Image.Image, opacity: Image.Image) -> Image.Image:
    """`grey` ("L") without its transparent parts.

    A stroke that was cut out is laid on white when it is dark, on black when it is light. Where the visible part is a
    picture of its own, ink and paper, what is missing around it is filled with the nearest pixel of it.
    """
    seen = np.asarray(opacity) > OPAQUE
    values = np.asarray(grey)
    if seen.mean() > 0.5 and np.ptp(np.percentile(values[seen], (2, 98))) > TWO_TONES:
        nearest = ndimage.distance_transform_edt(~seen, return_distances=False, return_indices=True)
        return Image.fromarray(values[tuple(nearest)])
    weights = np.asarray(opacity, np.float32).ravel()
    light = float(np.asarray(grey, np.float32).ravel() @ weights) > 127.5 * float(weights.sum())
    paper = Image.new("L", grey.size, 0 if light else 255)
    paper.paste(grey, mask=opacity)
    return paper
