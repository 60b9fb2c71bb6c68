"""Checkpoints of finished fits: one safetensors file each, so that a job that was interrupted loses no finished fit.

A file holds the result, the fingerprint of all that it follows from (task, rows, split, code), and a checksum.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import storage
from pipeline.errors import DataError
from pipeline.evaluation.robustness.attack_sanity import Finding
from pipeline.training import Epoch
from pipeline.training.environment import environment
from pipeline.training.task import SharedRows, TrainingResult, TrainingTask

ARRAYS = ("values", "certified", "radius")
PREDICTED = "probabilities of "  # in a tensor's name, before the condition's


def split_fingerprints(shared: SharedRows) -> dict[str, str]:
    """SHA-256 of each split's indices and pseudo-labels, by name."""
    digests = {}
    for name, split in shared.splits.items():
        parts = (split.train, split.validation, np.array(split.test), split.pseudo_labels)
        content = b"".join(b"none" if part is None else f"{part.shape}".encode() + part.tobytes() for part in parts)
        digests[name] = storage.sha256_bytes(content)
    return digests


def task_fingerprint(task: TrainingTask, *, data: str, split: str) -> str:
    """SHA-256 over all that a fit's result follows from.

    data, split: fingerprints of the rows and of the task's split.
    """
    settings = {**asdict(task), "recipe": dict(task.recipe.content), "data": data, "split": split, **environment()}
    return storage.sha256_bytes(json.dumps(settings, sort_keys=True, default=list).encode())


def save_checkpoint(path: Path, result: TrainingResult, fingerprint: str) -> None:
    """Write a finished fit atomically. Raises StorageError."""
    from safetensors.numpy import save

    arrays = {name: getattr(result, name) for name in ARRAYS if getattr(result, name) is not None}
    arrays |= {f"{PREDICTED}{name}": np.ascontiguousarray(found) for name, found in result.probabilities.items()}
    header = {
        "fingerprint": fingerprint,
        "conditions": list(result.probabilities),
        "history": [asdict(epoch) for epoch in result.history],
        "findings": [asdict(finding) for finding in result.findings],
        "seconds": result.seconds,
        "cpu_seconds": result.cpu_seconds,
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
            raise ValueError("it belongs to other settings, data or code")
        return TrainingResult(
            history=[Epoch(**epoch) for epoch in header["history"]],
            findings=tuple(Finding(**finding) for finding in header["findings"]),
            probabilities={name: arrays[PREDICTED + name] for name in header["conditions"]},
            seconds=header["seconds"],
            cpu_seconds=header["cpu_seconds"],
            **{name: arrays.get(name) for name in ARRAYS},
        )
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} is not a finished fit ({str(error)[:200]}): resume its job, which trains it again."
        ) from error


def _checksum(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    parts = [f"{name} {a.dtype} {a.shape} ".encode() + a.tobytes() for name, a in sorted(arrays.items())]
    return storage.sha256_bytes(json.dumps(header, sort_keys=True).encode() + b"".join(parts))
