"""Finished fits on disk: one safetensors file each, so that an interrupted comparison loses no finished fit.

A file holds the result, the fingerprint of the task and data it belongs to, and a checksum of itself.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import storage
from pipeline.errors import DataError
from pipeline.evaluation.robustness.attack_sanity import Finding
from pipeline.training import Epoch
from pipeline.training.task import TrainingResult, TrainingTask

ARRAYS = ("values", "probabilities", "certified", "radius")


def task_fingerprint(task: TrainingTask, data: str) -> str:
    """SHA-256 over all that a fit's result follows from. data: fingerprint of the rows and of how they are split."""
    settings = {**asdict(task), "recipe": dict(task.recipe.content), "data": data}
    return storage.sha256_bytes(json.dumps(settings, sort_keys=True, default=list).encode())


def save_checkpoint(path: Path, result: TrainingResult, fingerprint: str) -> None:
    """Write a finished fit atomically. Raises StorageError."""
    from safetensors.numpy import save

    arrays = {name: getattr(result, name) for name in ARRAYS if getattr(result, name) is not None}
    header = {
        "fingerprint": fingerprint,
        "history": [asdict(epoch) for epoch in result.history],
        "findings": [asdict(finding) for finding in result.findings],
        "seconds": result.seconds,
    }
    text = json.dumps({**header, "sha256": _checksum(header, arrays)}, ensure_ascii=False)
    storage.write_bytes(path, save(arrays, metadata={"fit": text}))


def load_checkpoint(path: Path, fingerprint: str | None = None) -> TrainingResult:
    """Read what save_checkpoint wrote.

    Raises DataError for a file that is missing, damaged or, where a fingerprint is given, of another task.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            header = json.loads(file.metadata()["fit"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        if header.pop("sha256") != _checksum(header, arrays):
            raise ValueError("its content does not match its checksum")
        if fingerprint not in (None, header["fingerprint"]):
            raise ValueError("it belongs to other settings or data")
        return TrainingResult(
            history=[Epoch(**epoch) for epoch in header["history"]],
            findings=tuple(Finding(**finding) for finding in header["findings"]),
            seconds=header["seconds"],
            **{name: arrays.get(name) for name in ARRAYS},
        )
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} is not a finished fit ({error}): resume its comparison, which makes it anew."
        ) from error


def _checksum(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> str:
    parts = [f"{name} {a.dtype} {a.shape} ".encode() + a.tobytes() for name, a in sorted(arrays.items())]
    return storage.sha256_bytes(json.dumps(header, sort_keys=True).encode() + b"".join(parts))
