"""Which competition on Kaggle a data folder belongs to: its slug, kept beside the files that `fetch` brought."""

import re
from dataclasses import replace
from pathlib import Path

from pipeline.dataset.digits import Competition
from pipeline.errors import DataError, UsageError
from pipeline.storage import write_text

MARK = "competition.txt"  # a line with the slug, in the folder of train.csv
DEFAULT_FOLDER = Path("data")
DIGIT_RECOGNIZER = "digit-recognizer"

KNOWN = {"cbe566fca4b499f7a702e5bf244c4a5c18df6e408f439fa322c1bfdcdcd622e3": DIGIT_RECOGNIZER}
"""Slug by Competition.fingerprint: these files are recognised wherever they come from."""


def slug_of(competition: str) -> str:
    """The competition's short name as it is spelt, from itself or from any address of its pages. Raises UsageError."""
    competition = competition.strip()
    address = re.match(r"(?:https?://)?(?:www\.)?kaggle\.com/(?:competitions|c)/([^/?#]+)", competition, re.IGNORECASE)
    slug = address[1] if address else competition
    if not re.fullmatch(r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*", slug):
        raise UsageError(
            f"--competition must be the short name in the competition's address (letters, digits and hyphens, as "
            f"digit-recognizer), or the address itself, got {competition!r}."
        )
    return slug


def same_slug(slug: str, other: str) -> bool:
    """Whether two slugs name one competition: Kaggle does not tell capitals from small letters."""
    return slug.casefold() == other.casefold()


def write_mark(folder: Path, slug: str) -> None:
    """Write down that the files in `folder` are those of competition `slug`. Raises StorageError."""
    write_text(folder / MARK, f"{slug}\n")


def folder_slug(folder: Path) -> str | None:
    """The slug that is written down in `folder`; None where there is none. Raises DataError where it is no slug."""
    mark = folder / MARK
    if not mark.is_file():
        return None
    try:
        return slug_of(mark.read_text(encoding="utf-8", errors="replace"))
    except UsageError as error:
        raise DataError(
            f"{mark} must hold the short name of the competition that these files are of, as digit-recognizer: correct "
            f"it, or remove it."
        ) from error


def named(data: Competition, given: str | None = None) -> Competition:
    """`data` with the slug that its folder, its fingerprint or `given` tells; "(unnamed)" stands in its name else.

    Raises UsageError where `given` (a slug or an address) is not the competition that the files are known to be of.
    """
    if data.is_sample:
        return data
    folder = data.source if data.source.is_dir() else data.source.parent
    slug = folder_slug(folder) or KNOWN.get(data.fingerprint)
    if given is not None:
        given = slug_of(given)
        if slug is not None and not same_slug(given, slug):
            raise UsageError(
                f"{data.source} holds the files of {slug}, found --competition {given}: name the folder of {given} "
                f"with --data, or leave --competition out."
            )
    slug = slug or given
    return replace(data, slug=slug, name=slug or f"{data.name} (unnamed)")


def usual_slug(given: str | None) -> str:
    """The slug of `given`, else of the files in data/, else Digit Recognizer's. Raises UsageError or DataError."""
    return slug_of(given) if given else folder_slug(DEFAULT_FOLDER) or DIGIT_RECOGNIZER
