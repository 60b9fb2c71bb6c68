"""A run folder as the report sees it, of this version or an earlier one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.errors import COMMAND, DataError, StorageError
from pipeline.report.older_runs import older_matrix
from pipeline.report.page_data import DAMAGE, EARLIER, EVERY_RECORD, RunData, cross_validation_data, matrix_data


@contextmanager
def damage_told(folder: Path, record: Mapping[str, Any]) -> Iterator[None]:
    """A context in which whatever a missing or damaged file of a run leads to is a DataError."""
    from jinja2 import TemplateError

    try:
        yield
    except (DataError, StorageError):
        raise
    except (*DAMAGE, TemplateError) as error:
        raise DataError(
            f"The run in {folder} is incomplete ({type(error).__name__}: {' '.join(str(error).split())[:200]}): run "
            f"its command again, {str(record.get('command', COMMAND))[:200]!r}."
        ) from error


def run_data(folder: Path, record: Mapping[str, Any]) -> RunData:
    """What the report shows of the run in `folder`. Raises DataError for a file that is missing or damaged."""
    kind = record.get("kind", "main")
    with damage_told(folder, record):
        for name in EVERY_RECORD:
            _ = record[name]
        if kind == "tune":
            if "table" not in record:
                raise ValueError(EARLIER.format("trials.csv and figures"))
            return RunData(folder=folder, record=record, kind=kind)
        if kind == "folds":
            return cross_validation_data(folder, record)
        if "axes" not in record:
            return older_matrix(folder, record)
        return matrix_data(folder, record)
