"""A picture file, as grey values that the other steps can work on.

Nothing of a file is trusted: its bytes and the size that its header states are checked before a pixel is
decoded, only the formats below are tried, and whatever the decoder trips over becomes one DataError.
"""

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


def decode(source: bytes | Path | str, *, name: str = "the picture", limits: Limits | None = None) -> np.ndarray:
    """Grey values (h, w) float32, 0 black … 1 white, of a file's bytes or path; `name` is what messages call it.

    Shrunk by a whole number to at most WORKING_SIDE. Transparent parts are laid on white when the visible part is dark,
    on black when it is light. EXIF rotation is applied; of several frames or pages the first is taken. Raises DataError
    for a missing, empty, damaged, unknown or too large file.
    """
    limits = limits or Limits()
    content = source if isinstance(source, bytes) else _read(Path(source), name, limits)
    if not content:
        raise DataError(f"{name} is empty: a picture was expected, 0 bytes were found; save it again.")
    if len(content) > limits.max_bytes:
        raise DataError(
            f"{name} is too large: at most {limits.max_bytes:,} bytes are allowed, it has more; make the "
            "picture smaller and try again."
        )
    try:
        with _libtiff_quiet(content), Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > limits.max_pixels:
                raise DataError(
                    f"{name} has too many pixels: at most {limits.max_pixels:,} are allowed, {image.width} × "
                    f"{image.height} were found; make the picture smaller and try again."
                )
            return _grey(image)
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


def _grey(image: Image.Image) -> np.ndarray:
    # A JPEG can be decoded at a half, a quarter or an eighth of its size for a fraction of the work.
    image.draft(None, (WORKING_SIDE, WORKING_SIDE))
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        return _many_bits(image)
    opacity = _opacity(image)
    if opacity is not None:
        grey = _shrink(_on_paper(image.convert("RGBA").convert("L"), opacity))
    else:
        small = max(image.size) <= WORKING_SIDE  # a canvas: its four channels become grey in one go
        if image.mode not in ("L", "RGB") and not (small and image.mode == "RGBA"):
            image = image.convert("L" if image.mode == "1" else "RGB")
        grey = _shrink(image).convert("L")
    return np.asarray(grey, np.float32) / np.float32(255)


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
    return np.asarray(_shrink(Image.fromarray(np.clip(values / np.float32(ceiling), 0, 1))))


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
    seen, values = np.asarray(opacity) > OPAQUE, np.asarray(grey)
    if seen.mean() > 0.5 and np.ptp(np.percentile(values[seen], (2, 98))) > TWO_TONES:
        nearest = ndimage.distance_transform_edt(~seen, return_distances=False, return_indices=True)
        return Image.fromarray(values[tuple(nearest)])
    weights = np.asarray(opacity, np.float64)
    light = (values * weights).sum() > 127.5 * weights.sum()
    paper = Image.new("L", grey.size, 0 if light else 255)
    paper.paste(grey, mask=opacity)
    return paper
