"""Every error that Inkproof raises on purpose, and the exit code that each becomes.

    InkproofError                 exit 1: the run failed
    ├── UsageError                exit 2: the command or an argument is wrong
    │   └── RecipeError           a recipe: unknown key, value out of range
    ├── DataError                 a data file: missing, damaged, not of the format
    ├── ModelFileError            a model file: missing, damaged, made for something else
    ├── SubmissionError           a submission that Kaggle would not score as meant
    ├── StorageError              the disk: full, read-only, not permitted
    ├── DivergedError             training left the range of numbers
    └── KaggleError               the kaggle client or the service behind it

A message is one sentence for a beginner: what is wrong and where (file, row, column), what is
allowed, what was found, what to do.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

COMMAND = "inkproof" if Path(sys.argv[0]).stem == "inkproof" else "python main.py"
"""What the user types before a command's name; messages that advise a command begin it so."""


class InkproofError(Exception):
    """Base of all errors whose message is meant for the user."""

    exit_code = 1


class UsageError(InkproofError, ValueError):
    """A command, an option or a function argument is wrong. Also a ValueError, for library users."""

    exit_code = 2


class RecipeError(UsageError):
    """A recipe holds an unknown key or a value out of range."""


class DataError(InkproofError):
    """A data file is missing, damaged or not of the expected format."""


class ModelFileError(InkproofError):
    """A model file is missing, damaged, or belongs to something else."""


class SubmissionError(InkproofError):
    """A submission file is not what Kaggle expects."""


class StorageError(InkproofError):
    """A file could not be written."""


class DivergedError(InkproofError, ValueError):
    """The training loss became NaN or infinite. Also a ValueError, which scikit-learn's users expect of fit."""


class KaggleError(InkproofError):
    """The kaggle client, or the service behind it, failed."""


def counted(number: int, noun: str) -> str:
    """A number with its noun, as messages have it: "1 row", "2,000 rows"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def without_password(text: str) -> str:
    """Addresses in `text` without the user name and password that they may hold, as messages and records show them."""
    return re.sub(r"//[^/@\s]+@", "//", text)
