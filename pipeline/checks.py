"""The one sentence for a name that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from pipeline.errors import UsageError


def one_of(what: str, name: object, allowed: Iterable[str]) -> str:
    """`name`, if it is one of `allowed`. Raises UsageError that suggests the nearest one, else lists them all."""
    allowed = list(allowed)
    if name in allowed:
        return str(name)
    near = difflib.get_close_matches(str(name), allowed, n=1)
    hint = f"did you mean {near[0]}?" if near else f"choose one of {', '.join(allowed)}."
    raise UsageError(f"There is no {what} {name!r}: {hint}")
