"""Where trained networks lie: the newest run, and the model files in a run's folder."""

import re
from pathlib import Path

from pipeline.errors import ModelFileError, UsageError

SUFFIX = ".safetensors"


def newest_run(runs: Path) -> Path | None:
    """The newest folder in `runs` that holds trained networks; run ids begin with their time."""
    if not runs.is_dir():
        return None
    folders = sorted((path for path in runs.iterdir() if model_files(path)), reverse=True)
    return folders[0] if folders else None


def model_files(folder: Path) -> list[Path]:
    """Model files of a run's folder or a plain one, in the order of the numbers in their names."""
    if not folder.is_dir():
        return []
    files = [file for pattern in ("models/*/*", "*/*", "*") for file in folder.glob(pattern + SUFFIX)]
    return sorted(set(files), key=lambda file: (str(file.parent), _natural(file.stem)))


def split_final(files: list[Path]) -> tuple[list[Path], list[Path]]:
    """Of a run's files, the networks trained on all rows, and those that were compared on the holdout."""
    final = [file for file in files if file.parent.name == "final"]
    return final, [file for file in files if file not in final]


def answering_files(path: Path) -> list[Path]:
    """The networks that answer together: `path` itself where it is a file; of a run those trained on all rows.

    In a folder without such networks the first one answers alone, because networks of several noise levels are no
    team. Raises UsageError for a path that does not exist, ModelFileError for a folder without model files.
    """
    if not path.exists():
        raise UsageError(f"{path} does not exist: give --model a {SUFFIX} file, or a run's folder below runs/.")
    if path.is_file():
        return [path]
    files = model_files(path)
    if not files:
        raise ModelFileError(f"{path} holds no model files ({SUFFIX}): name a run's folder below runs/, or a file.")
    final, others = split_final(files)
    return final or others[:1]


def _natural(name: str) -> list[tuple[bool, float, str]]:
    """ "repeat-10" after "repeat-9": numbers compare as numbers."""
    parts = re.split(r"(\d+(?:\.\d+)?)", name)
    return [(bool(i % 2), float(part) if i % 2 else 0.0, part) for i, part in enumerate(parts)]
