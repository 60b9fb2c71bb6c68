"""A request's body → a picture as the network takes it.

The body is a picture file as it is, a data URL, or JSON: an array of numbers, a data URL as a text, or an
object that holds either under "image", with the options beside it. Options of the other kinds are in the
query. What is wrong with any of it becomes a UsageError or DataError of one sentence.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from pipeline.errors import DataError, UsageError
from pipeline.prediction import picture
from pipeline.prediction.picture import Prepared, Style
from pipeline.web.limits import Limits

BRIGHTEST = 255
MOST_VALUES = 200_000  # in a JSON body: more than any picture here has pixels, and read in a blink


@dataclass(frozen=True)
class Given:
    """What was sent: `image` (side, side), uint8 0…255 or float32 0…1, bright ink on 0.

    grey (h, w) float32 and prepared: the decoded picture and the way from there to `image`; None for an
    array, which is taken as it is. warnings: of `prepare`, and BLANK for an array of zeros. digits: each
    digit of a row by itself, where that was asked for.
    """

    image: np.ndarray
    grey: np.ndarray | None
    prepared: Prepared | None
    warnings: tuple[str, ...]
    digits: tuple[Prepared, ...] = ()


def read_json(body: bytes) -> Any:
    """The body's JSON value. Raises UsageError for what is no JSON, and for NaN and Infinity."""
    if not body.strip():
        raise UsageError("The body is empty: send a picture, as /api/openapi.json says.")
    if body.count(b",") > MOST_VALUES:
        raise UsageError(f"The body holds more than {MOST_VALUES:,} values: send a picture of the size asked for.")

    def refuse(name: str) -> None:
        raise UsageError(f"The body holds {name}, which JSON does not allow: send finite numbers only.")

    try:
        return json.loads(body, parse_constant=refuse)
    except UsageError:
        raise
    except RecursionError:
        raise UsageError("The body is nested too deeply: send an array of rows of numbers.") from None
    except ValueError as error:  # also UnicodeDecodeError, and an integer of thousands of digits
        raise UsageError(f"The body is not JSON ({str(error).split(';')[0][:100]}): see /api/openapi.json.") from None


def read_object(body: bytes, allowed: tuple[str, ...]) -> dict[str, Any]:
    """A JSON object that holds no other keys than those allowed. Raises UsageError."""
    value = read_json(body)
    if not isinstance(value, dict):
        raise UsageError(f"The body must be a JSON object with {', '.join(allowed)}, found {kind(value)}.")
    _only(value, allowed)
    return value


def _only(value: Mapping[str, Any], allowed: tuple[str, ...]) -> None:
    for key in value:
        if key not in allowed:
            raise UsageError(f"The body holds the key {key[:40]!r}; allowed are {', '.join(allowed)}.")


def split_body(body: bytes, is_json: bool, query: Mapping[str, str], allowed: tuple[str, ...]) -> tuple[Any, dict]:
    """The picture (bytes, text or array) and the options that came with it. Raises UsageError."""
    words = {"true": True, "1": True, "false": False, "0": False}
    options: dict[str, Any] = {key: words.get(value, value) for key, value in query.items() if key in allowed}
    if not is_json:
        return body, options
    value = read_json(body)
    if not isinstance(value, dict):
        return value, options
    if "image" not in value:
        raise UsageError('The body must hold "image": a data URL, or an array of numbers.')
    _only(value, ("image", *allowed))
    return value.pop("image"), options | value


def truth(options: Mapping[str, Any], name: str) -> bool:
    """An option that is true or false; false where it is missing. Raises UsageError."""
    value = options.get(name, False)
    if type(value) is not bool:
        raise UsageError(f"{name} must be true or false, found {str(value)[:40]!r}.")
    return value


def read_picture(source: Any, style: Style, limits: Limits, *, split: bool = False) -> Given:
    """The picture in a file's bytes, a data URL (bytes or text) or an array of numbers.

    Raises UsageError and DataError.
    """
    if isinstance(source, list):
        image = read_array(source, style.side)
        return Given(image, None, None, () if image.any() else (picture.BLANK,))
    if isinstance(source, str):
        source = source.encode("utf-8", errors="replace")
        if not source.startswith(b"data:"):
            raise UsageError("The picture is a text, but not a data URL: it must begin with data:image/png;base64,.")
    if not isinstance(source, bytes):
        raise UsageError(f"The picture must be a data URL or an array of numbers, found {kind(source)}.")
    if source.startswith(b"data:"):
        source = _from_data_url(source)
    grey = picture.decode(source, limits=picture.Limits(max_bytes=limits.body, max_pixels=limits.pixels))
    prepared, digits = picture.prepare_and_split(grey, style)
    return Given(prepared.image, grey, prepared, prepared.warnings, tuple(digits if split else ()))


def _from_data_url(url: bytes) -> bytes:
    head, comma, content = url.partition(b",")
    if not comma or not head.endswith(b";base64"):
        raise DataError("The data URL must look like data:image/png;base64,…, with the picture in base64.")
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise DataError(f"The data URL's base64 is damaged ({error}): encode the picture again.") from None


def read_array(values: list, side: int) -> np.ndarray:
    """Numbers of side × side pixels, in rows or in one list, as an array (side, side).

    They count from 0 (paper) to 255 (ink), as in Kaggle's files: then whole ones give uint8. Where none is
    above 1 they are fractions of full ink, and give float32. Raises UsageError.
    """
    wanted = f"{side} rows of {side} numbers, or {side * side:,} numbers in one list"
    if values and all(type(row) is list for row in values):
        lengths = {len(row) for row in values}
        if len(values) != side or lengths != {side}:
            found = f"{len(values):,} rows of {' or '.join(map(str, sorted(lengths)[:3]))} numbers"
            raise UsageError(f"The picture must be {wanted}, found {found}.")
        values = list(chain.from_iterable(values))
    elif len(values) != side * side:
        raise UsageError(f"The picture must be {wanted}, found a list of {len(values):,}.")
    if not {int, float}.issuperset(map(type, values)):
        place, odd = next((i, v) for i, v in enumerate(values) if type(v) not in (int, float))
        raise UsageError(f"Pixel {place} of the picture is {kind(odd)}: a number from 0 to {BRIGHTEST} is needed.")
    try:
        numbers = np.array(values, np.float64)
    except OverflowError:
        numbers = np.array([np.inf])
    lowest, highest = numbers.min(), numbers.max()
    if not (lowest >= 0 and highest <= BRIGHTEST):
        odd = lowest if lowest < 0 else highest
        raise UsageError(f"The picture holds the number {odd:g}: pixels count from 0 (paper) to {BRIGHTEST} (ink).")
    numbers = numbers.reshape(side, side)
    if 0 < highest <= 1:
        return numbers.astype(np.float32)
    whole = numbers.astype(np.uint8)
    return whole if np.array_equal(whole, numbers) else (numbers / BRIGHTEST).astype(np.float32)


def plain(value: Any) -> Any:
    """A number or a text of a size that a message can hold; else what the value is, in words."""
    if type(value) is str:
        return value[:40]
    return value if type(value) in (int, float) and abs(value) < 1e300 else kind(value)


def kind(value: Any) -> str:
    """What a JSON value is, in words."""
    names = {str: "a text", list: "an array", dict: "an object", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
