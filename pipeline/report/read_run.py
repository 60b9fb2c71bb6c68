"""A run folder as the report sees it, of this version or an earlier one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import COMMAND, DataError
from pipeline.report.older_runs import older_matrix
from pipeline.report.page_data import DAMAGE, EARLIER, EVERY_RECORD, RunData, cross_validation_data, matrix_data


def run_data(folder: Path, record: Mapping[str, Any]) -> RunData:
    """What the report shows of the run in `folder`. Raises DataError for a file that is missing or damaged."""
    kind = record.get("kind", "main")
    try:
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
    except DAMAGE as error:
        raise DataError(
            f"The run in {folder} is incomplete ({type(error).__name__}: {error}): run its command again, "
            f"{record.get('command', COMMAND)!r}."
        ) from error
